import numpy as np
import pytest
import torch

from geolib.gans import losses, weights, wgan
from geolib.metrics import samples


@pytest.fixture(scope="module")
def networks():
    rng = torch.Generator().manual_seed(0)
    return wgan.make_generator(0.1, rng=rng), wgan.make_critic(0.1, rng=rng)


def test_parameter_counts_are_those_of_tables_1_and_2(networks):
    assert wgan.n_parameters(networks[0]) == 556_065
    assert wgan.n_parameters(networks[1]) == 150_404


def test_lengths_and_channels_are_those_of_table_1(networks):
    shapes = []
    hooks = [
        layer.register_forward_hook(lambda _, inputs, __: shapes.append(tuple(inputs[0].shape[1:])))
        for layer in networks[0]
        if isinstance(layer, torch.nn.ConvTranspose1d)
    ]
    traces = networks[0](wgan.draw_latents(2, torch.Generator()))
    for hook in hooks:
        hook.remove()
    assert shapes == [(100, 1), (256, 3), (256, 6), (128, 14), (128, 30), (32, 61), (32, 124), (16, 249)]
    assert traces.shape == (2, 1, 499)


def test_equation_5_needs_the_minus_one():
    assert wgan.layer_lengths() == [1, 3, 6, 14, 30, 61, 124, 249, 499]
    assert wgan.layer_lengths(as_printed=True)[-1] == 817


def test_nothing_normalises_before_the_first_convolution_or_in_the_critic(networks):
    assert isinstance(networks[0][0], torch.nn.ConvTranspose1d)
    kinds = [type(layer).__name__ for layer in networks[0]]
    assert kinds == ["ConvTranspose1d"] + ["BatchNorm1d", "LeakyReLU", "ConvTranspose1d"] * 7
    assert not any("Norm" in type(m).__name__ for m in networks[1].modules())


def test_initial_kernels_have_the_asked_standard_deviation():
    network = wgan.make_generator(0.2, rng=torch.Generator().manual_seed(0))
    kernel = network[3].weight  # 262 144 numbers: the standard error of their deviation is 0.2 / sqrt(2 n) = 0.0003
    assert kernel.std().item() == pytest.approx(0.2, abs=0.0015)
    assert network[3].bias.abs().max() == 0


def test_without_a_deviation_the_default_of_pytorch_holds():
    network = wgan.make_generator(None, rng=torch.Generator().manual_seed(0))
    torch_layer = torch.nn.ConvTranspose1d(256, 256, 4)
    bound = 1 / 32  # 256 outputs times kernel 4
    for layer in (network[3], torch_layer):
        assert layer.weight.abs().max().item() <= bound
        # 262 144 uniforms: their deviation is known to 0.1 %.
        assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.005)
        assert 0 < layer.bias.abs().max().item() <= bound


def test_making_networks_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    wgan.make_generator(rng=torch.Generator())
    wgan.make_critic(rng=torch.Generator())
    assert torch.equal(before, torch.get_rng_state())


def test_the_seed_decides():
    a, b, c = (wgan.make_critic(rng=torch.Generator().manual_seed(s)).features[0].weight for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_latents_keep_to_their_range():
    z = wgan.draw_latents(2000, torch.Generator().manual_seed(0), low=0.0)
    assert z.shape == (2000, 100, 1) and z.min() >= 0 and z.max() < 1
    # 200 000 uniforms: the standard error of the mean is 0.0006.
    assert z.mean().item() == pytest.approx(0.5, abs=0.004)
    assert wgan.draw_latents(2000, torch.Generator().manual_seed(0)).mean().abs() < 0.008


def test_a_sample_depends_on_its_latent_alone(networks):
    one = wgan.sample(networks[0], 1, torch.Generator().manual_seed(4))
    many = wgan.sample(networks[0], 3, torch.Generator().manual_seed(4))
    # Other batch sizes may sum in another order: float32 round-off of sums of 1024 terms.
    assert np.allclose(one[0], many[0], rtol=0, atol=1e-5 * np.abs(many).max())
    assert networks[0].training


def test_scores_are_one_for_each_trace(networks):
    traces = np.random.default_rng(0).standard_normal((4, 1, 499)).astype(np.float32)
    scores = wgan.score(networks[1], traces)
    assert scores.shape == (4,)
    assert np.allclose(scores[1], wgan.score(networks[1], traces[1:2]), rtol=1e-5, atol=1e-6)


def test_reduced_precision_hardly_turns_the_gradient():
    rng = torch.Generator().manual_seed(0)
    critic = wgan.make_critic(0.1, rng=rng)
    real, fake = torch.randn(8, 1, 499, generator=rng), torch.randn(8, 1, 499, generator=rng)

    def gradient(reduced):
        critic.reduced = reduced
        critic.zero_grad()
        penalty = losses.gradient_penalty(critic, real, fake, torch.Generator().manual_seed(2))
        (critic(fake).mean() - critic(real).mean() + 10 * penalty).backward()
        return torch.cat([p.grad.flatten() for p in critic.parameters()])

    exact, rounded = gradient(False), gradient(True)
    # bfloat16 keeps 8 bits: single products are off by 0.4 %, their sums by far less; 5 % is many times that.
    assert torch.nn.functional.cosine_similarity(exact, rounded, dim=0) > 0.995
    assert rounded.norm().item() == pytest.approx(exact.norm().item(), rel=0.05)
    assert not torch.equal(exact, rounded)


def test_the_critic_keeps_float64():
    critic = wgan.make_critic(0.1, rng=torch.Generator().manual_seed(0)).double()
    assert critic(torch.zeros(1, 1, 499, dtype=torch.float64)).dtype == torch.float64


def test_weights_survive_the_file(networks, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(wgan.pack_weights(wgan.Pretrained(*networks, scale=12.5, latent_low=-1.0, epoch=7)))
    found = wgan.load_pretrained(path)
    assert (found.scale, found.latent_low, found.epoch) == (12.5, -1.0, 7)
    rng = torch.Generator().manual_seed(3)
    assert np.array_equal(found.sample(3, rng), wgan.sample(networks[0], 3, torch.Generator().manual_seed(3)))
    traces = np.ones((2, 1, 499), dtype=np.float32)
    assert np.array_equal(wgan.score(found.critic, traces), wgan.score(networks[1], traces))


def test_missing_weights_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"weights file must exist; .*none.safetensors does not. Restore it or train"):
        wgan.load_pretrained(tmp_path / "none.safetensors")


def test_damaged_and_foreign_weights_are_refused(tmp_path):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(b"no weights at all")
    with pytest.raises(ValueError, match=r"weights file .* must be whole; it is not"):
        wgan.load_pretrained(path)
    path.write_bytes(weights.pack({"generator.x": torch.zeros(2)}))
    with pytest.raises(ValueError, match="must hold the networks of tables 1 and 2; it does not"):
        wgan.load_pretrained(path)


def test_traces_of_another_length_are_refused(networks):
    with pytest.raises(
        ValueError, match=r"traces must have shape \(any, 1, 499\); got \(2, 1, 500\). Resample and trim"
    ):
        wgan.score(networks[1], np.zeros((2, 1, 500), dtype=np.float32))


def test_nan_is_refused(networks):
    with pytest.raises(ValueError, match="traces must be finite; got 1 NaN or infinite entries"):
        wgan.score(networks[1], np.array([[[np.nan] + [0.0] * 498]], dtype=np.float32))


def test_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision must be one of float32, bfloat16; got 'float16'"):
        wgan.make_critic(rng=torch.Generator(), precision="float16")


def test_the_shipped_networks_make_labelled_traces():
    networks = wgan.load_pretrained()
    traces = networks.sample(1000, torch.Generator().manual_seed(1))
    times, polarities = samples.first_event(traces, dt=0.004)
    assert networks.epoch >= 1 and traces.shape == (1000, 1, 499)
    assert len(times) == len(polarities) == 1000
    assert np.isfinite(wgan.score(networks.critic, traces)).all()
    assert ((times > 0) & (times < 2)).all() and set(polarities) <= {-1, 1}
