import dataclasses

import numpy as np
import pytest
import torch

from geolib.datasets.channels import procedural_channels
from geolib.gans import sgan, weights
from geolib.gans.fast import inference as frozen

TINY = sgan.Recipe(width=2, batch=2, iterations=6, latent=2)
IMAGE = procedural_channels((80, 80), np.random.default_rng(0))


def latents(n, rows=5, columns=3, dtype=torch.float32):
    return torch.rand(n, 1, rows, columns, generator=torch.Generator().manual_seed(1), dtype=dtype) * 2 - 1


def trained_like(width=4, dtype=torch.float32):
    """A generator whose weights are large enough for images with contrast."""
    network = sgan.Generator(width).to(dtype)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=dtype) * 0.2)
    return network


def test_the_published_architecture():
    network = sgan.Generator()
    shapes = [tuple(layer.weight.shape) for layer in (*network.up, network.widen, network.merge)]
    assert shapes == [
        (1, 512, 5, 5),
        (512, 256, 5, 5),
        (256, 128, 5, 5),
        (128, 64, 5, 5),
        (64, 1, 5, 5),
        (1, 64, 5, 5),
        (64, 1, 5, 5),
    ]
    assert all(layer.bias is None for layer in network.modules() if hasattr(layer, "bias"))


@pytest.mark.parametrize(("rows", "columns", "shape"), [(5, 3, (129, 65)), (2, 4, (33, 97)), (17, 17, (513, 513))])
def test_a_latent_pixel_opens_into_32_pixels(rows, columns, shape):
    with torch.no_grad():
        images = sgan.Generator(2)(latents(1, rows, columns))
    assert tuple(images.shape) == (1, 1, *shape) and images.abs().max() <= 1


def test_the_discriminator_scores_each_latent_pixel():
    for norms in sgan.NORMS:
        assert tuple(sgan.Discriminator(2, norms=norms)(torch.zeros(3, 1, 129, 65)).shape) == (3, 1, 5, 3)
    with pytest.raises(ValueError, match="norms must be one of none, before, after; got 'behind'"):
        sgan.Discriminator(2, norms="behind")


def test_norms_come_where_the_code_has_them():
    image = torch.randn(2, 1, 65, 65, generator=torch.Generator().manual_seed(0))
    seen = {}
    for norms in sgan.NORMS:
        network = sgan.Discriminator(2, norms=norms)
        inputs = []
        for layer in network.down:
            layer.register_forward_pre_hook(lambda _, given, to=inputs: to.append(given[0]))
        with torch.no_grad():
            network(image)
        # A normalised plane has no mean; a rectified one has.
        seen[norms] = [bool(x.mean((2, 3)).abs().max() < 1e-5) for x in inputs[1:]]
        assert (network.down[0].bias is None) == (norms != "none")
    assert seen == {"none": [False] * 4, "before": [False] * 4, "after": [True] * 4}


def test_the_image_hardly_depends_on_the_latents_scale():
    network, z = trained_like(), latents(4)
    with torch.no_grad():
        base, doubled, other = network(z), network(2 * z), network(-z)
    assert (base - doubled).abs().mean() < 0.02 * (base - other).abs().mean()


def test_frozen_weights_give_the_same_images_and_derivatives_by_another_route():
    plain, z = trained_like(dtype=torch.float64), latents(3, dtype=torch.float64)
    frozen = trained_like(dtype=torch.float64).requires_grad_(False)
    a, b = plain(z), frozen(z)
    # The same sums in another order: some thousand terms of order one in float64.
    torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)
    inner = z.clone().requires_grad_(True)
    weights = torch.randn(a.shape, generator=torch.Generator().manual_seed(2), dtype=a.dtype)
    gradients = [torch.autograd.grad((network(inner) * weights).sum(), inner)[0] for network in (plain, frozen)]
    torch.testing.assert_close(*gradients, rtol=1e-7, atol=1e-8)
    tangent = torch.randn(z.shape, generator=torch.Generator().manual_seed(3), dtype=z.dtype)
    products = [torch.func.jvp(network, (z,), (tangent,))[1] for network in (plain, frozen)]
    torch.testing.assert_close(*products, rtol=1e-7, atol=1e-8)
    # Forward and reverse mode describe one derivative.
    assert (products[1] * weights).sum().item() == pytest.approx((gradients[1] * tangent).sum().item(), rel=1e-8)


def test_models_are_the_crop_in_zero_to_one():
    images = torch.arange(129 * 65, dtype=torch.float32).reshape(1, 1, 129, 65) / (129 * 65) * 2 - 1
    models = sgan.to_model(images)
    assert tuple(models.shape) == (1, 125, 60)
    assert models[0, 0, 0].item() == pytest.approx((2 * 65 + 3) / (129 * 65), abs=1e-6)


def weights_after(state):
    return [p.detach().clone() for p in (*state.averaged.parameters(), *state.players.critic.parameters())]


def test_a_resumed_training_goes_on_exactly():
    whole = sgan.start(TINY, 3)
    steps = list(sgan.fit(whole, TINY, IMAGE))
    assert len(steps) == 6
    # The penalty comes at every fourth critic step.
    assert [step.penalty > 0 for step in steps] == [True, False, False, False, True, False]
    first = sgan.start(TINY, 3)
    list(sgan.fit(first, TINY, IMAGE, 3))
    kept = sgan.pack_state(first)
    list(sgan.fit(first, TINY, IMAGE))  # what is kept is a copy
    second = sgan.unpack_state(TINY, kept)
    assert len(list(sgan.fit(second, TINY, IMAGE))) == 3
    for a, b in zip(weights_after(whole), weights_after(second), strict=True):
        assert torch.equal(a, b)


def test_training_moves_both_networks_and_leaves_the_global_stream_alone():
    before = torch.random.get_rng_state()
    state = sgan.start(TINY, 0)
    first = weights_after(state)
    list(sgan.fit(state, TINY, IMAGE, 2))
    assert all(not torch.equal(a, b) for a, b in zip(first, weights_after(state), strict=True))
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_shipped_weights_are_a_running_mean():
    state = sgan.start(TINY, 0)
    mean = [p.detach().clone() for p in state.averaged.parameters()]
    for step in sgan.fit(state, TINY, IMAGE):
        memory = (step.iteration + 1) / (step.iteration + 10)
        now = [p.detach() for p in state.players.generator.parameters()]
        mean = [memory * old + (1 - memory) * new for old, new in zip(mean, now, strict=True)]
    for ours, expected in zip(state.averaged.parameters(), mean, strict=True):
        torch.testing.assert_close(ours.detach(), expected)


@pytest.mark.parametrize("name", ["PUBLISHED", "RELEASED"])
def test_the_papers_recipes_run_with_their_rates(name):
    recipe = dataclasses.replace(getattr(sgan, name), width=2, batch=2, iterations=2, latent=3)
    state = sgan.start(recipe, 0)
    first = state.players.critic.down[2].weight.std().item()
    assert len(list(sgan.fit(state, recipe, IMAGE))) == 2
    rates = [optimizer.param_groups[0]["lr"] for optimizer in (state.players.critic_optimizer,)]
    decays = [optimizer.param_groups[0]["weight_decay"] for optimizer in (state.players.generator_optimizer,)]
    if name == "RELEASED":
        assert first == pytest.approx(0.02, rel=0.2) and rates == [5e-4] and decays == [1e-7]
    else:
        assert first > 0.03 and rates == [0] and decays == [0]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (255 * IMAGE, "image must hold zeros and ones; got 255 among others"),
        (np.stack([IMAGE, IMAGE]), r"image must have two axes \(nz, nx\); got shape"),
    ],
)
def test_images_that_cannot_be_trained_on_are_refused(image, message):
    with pytest.raises(ValueError, match=message):
        next(sgan.fit(sgan.start(TINY, 0), TINY, image))


@pytest.mark.parametrize("make", [sgan.Generator, lambda width: frozen.Frozen(sgan.Generator(width))])
@pytest.mark.parametrize("shape", [(1, 15), (1, 2, 5, 3), (5, 3)])
def test_latents_of_another_shape_are_refused(make, shape):
    with pytest.raises(ValueError, match=r"latent must have shape \(any, 1, any, any\); got"):
        make(2)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("changed", "recipe", "message"),
    [
        (lambda kept: kept.pop("rng"), TINY, r"checkpoint must hold .*; 'rng' differs"),
        (
            lambda kept: kept.pop("averaged.merge.weight"),
            TINY,
            "state must be of this recipe's networks; .averaged",
        ),
        (lambda kept: kept.pop("iteration"), TINY, "state must be of this recipe's networks; 'iteration'. Start anew"),
        (len, dataclasses.replace(TINY, width=3), "checkpoint must hold the state of these networks"),
    ],
)
def test_a_state_of_other_networks_or_of_a_part_of_them_is_refused(changed, recipe, message):
    state = sgan.start(TINY, 0)
    list(sgan.fit(state, TINY, IMAGE, 1))
    kept = sgan.pack_state(state)
    changed(kept)
    with pytest.raises(ValueError, match=message):
        sgan.unpack_state(recipe, kept)


def test_no_damaged_byte_of_weights_is_used(tmp_path):
    sgan.save_weights(tmp_path / "whole", trained_like(2))
    whole = (tmp_path / "whole").read_bytes()
    kept, _ = weights.read(tmp_path / "whole")
    file = tmp_path / "damaged"
    rng = np.random.default_rng(0)
    # The header, where a flip may leave the content as it was, and all over the file.
    for place in (*range(8, 400, 7), *rng.integers(0, len(whole), 150)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << rng.integers(8))]) + whole[place + 1 :])
        try:
            found, _ = weights.read(file)
        except ValueError:
            continue
        assert found.keys() == kept.keys() and all(torch.equal(found[name], kept[name]) for name in kept)
    file.write_bytes(whole[:-9])
    with pytest.raises(ValueError, match=r"must be whole; it is not"):
        weights.read(file)


def test_weights_that_are_no_numbers_are_not_kept():
    state = sgan.start(TINY, 0)
    with torch.no_grad():
        state.averaged.merge.weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(FloatingPointError, match=r"weights must be finite; averaged\.merge\.weight is not\. Lower the"):
        sgan.pack_state(state)


def test_a_snapshot_is_what_a_file_gives_back(tmp_path):
    state = sgan.start(TINY, 0)
    sgan.save_weights(tmp_path / "w", state.averaged)
    made, read = sgan.snapshot(state), sgan.load_weights(tmp_path / "w")
    for ours, its, training in zip(*(n.parameters() for n in (made, read, state.averaged)), strict=True):
        assert torch.equal(ours, its) and not ours.requires_grad and training.requires_grad
        assert not torch.equal(ours, training)


def test_weights_survive_the_disk_to_half_precision(tmp_path):
    network = trained_like()
    sgan.save_weights(tmp_path / "w.safetensors", network)
    loaded = sgan.load_weights(tmp_path / "w.safetensors")
    for a, b in zip(network.parameters(), loaded.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)
        assert not b.requires_grad


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="width must be at least 2"):
        sgan.Generator(1)
    with pytest.raises(ValueError, match=r"images must have shape \(any, 1, 129, 65\)"):
        sgan.to_model(torch.zeros(1, 1, 129, 129))
    with pytest.raises(ValueError, match="image must have at least 129 rows"):
        next(sgan.fit(sgan.start(TINY, 0), dataclasses.replace(TINY, latent=5), IMAGE))
    (tmp_path / "w.safetensors").write_bytes(b"\x05\0\0\0\0\0\0\0abcde")
    with pytest.raises(ValueError, match=r"weights file .* must be whole; it is not"):
        sgan.load_weights(tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").write_bytes(weights.pack({"x": torch.zeros(2)}))
    with pytest.raises(ValueError, match="must be a generator's"):
        sgan.load_weights(tmp_path / "w.safetensors")


def test_latents_follow_the_law_of_the_recipe():
    draws = {}
    for normal in (False, True):
        recipe = dataclasses.replace(TINY, normal=normal)
        draws[normal] = sgan.draw_latents((4000, 1, 2, 2), recipe, torch.Generator().manual_seed(1))
        assert len(list(sgan.fit(sgan.start(recipe, 0), recipe, IMAGE, 1))) == 1
    assert draws[False].abs().max() < 1 < draws[True].abs().max()
    # 16 000 draws: the standard deviation is known to half a per cent.
    assert abs(draws[False].std() - 3**-0.5) < 0.01 and abs(draws[True].std() - 1) < 0.02
