"""Variants and tricks: shapes, and losses that do what they say."""

import math

import numpy as np
import pytest
import torch

from geolib.datasets import channels, patches
from geolib.gans import tricks, variants
from geolib.gans.theory import Mixture
from geolib.gans.train import train
from geolib.studies.gan_101 import variants as units

SIZE, WIDTH = 16, 4


def source(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def picture():
    binary = channels.procedural_channels((200, 200), np.random.default_rng(0))
    return torch.from_numpy(2 * binary - 1)


def drawer(picture, rng, condition=None):
    def draw():
        batch = patches.patches(picture, 8, SIZE, spacing=2.0, rng=rng)
        return batch, () if condition is None else (condition(batch),)

    return draw


BUILDS = {
    "dcgan": lambda draw, g: variants.dcgan(draw, SIZE, WIDTH, 1e-3, g),
    "dense": lambda draw, g: variants.dcgan(draw, SIZE, WIDTH, 1e-3, g, convolutional=False),
    "wgan": lambda draw, g: variants.wgan(draw, SIZE, WIDTH, 1e-3, g),
    "conditional": lambda draw, g: variants.conditional(draw, SIZE, WIDTH, 1e-3, g),
    "infogan": lambda draw, g: variants.infogan(draw, SIZE, WIDTH, 1e-3, g)[:2],
    "superres": lambda draw, g: variants.superres(draw, SIZE, WIDTH, 1e-3, g),
}
CONDITIONS = {"conditional": lambda x: units.scaled(patches.proportion(x)), "superres": lambda x: x}


@pytest.mark.parametrize("name", BUILDS)
def test_variants_train_and_repeat(picture, name):
    weights = []
    for _ in range(2):
        rng = source(5)
        players, game = BUILDS[name](drawer(picture, rng, CONDITIONS.get(name)), rng)
        before = [p.detach().clone() for p in players.generator.parameters()]
        steps = list(train(players, game, 3))
        assert len(steps) == 3
        after = list(players.generator.parameters())
        assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
        weights.append(torch.cat([p.detach().flatten() for p in after]))
    assert torch.equal(*weights)


@pytest.mark.parametrize("name", BUILDS)
def test_generators_make_patches_within_bounds(picture, name):
    rng = source(1)
    players, game = BUILDS[name](drawer(picture, rng, CONDITIONS.get(name)), rng)
    real, conditions = game.draw_real()
    made = players.generator(*game.draw_inputs(len(real), conditions))
    assert made.shape == real.shape
    assert made.abs().max() <= 1
    assert players.critic(made, *conditions).shape == (len(real),)


def test_convolutional_networks_take_a_code_and_conditions():
    made = variants.ConvGenerator(32, WIDTH, variants.LATENT + 2)(torch.zeros(3, variants.LATENT), torch.zeros(3, 2))
    assert made.shape == (3, 1, 32, 32)
    critic = variants.ConvCritic(32, WIDTH, n_conditions=2, n_outputs=4, pooled=True)
    assert critic(made, torch.zeros(3, 2)).shape == (3, 4)


def test_a_pooled_critic_does_not_see_where_things_lie():
    critic = variants.initialise(variants.ConvCritic(32, WIDTH, pooled=True), source())
    # Zeros pass unseen through layers without bias, and columns 12 and 13 reach no border before or after the move.
    patch = torch.zeros(1, 1, 32, 32)
    patch[..., 12:20, 12:14] = 1.0
    moved = torch.roll(patch, 8, dims=3)  # by the product of the strides
    assert torch.allclose(critic(patch), critic(moved), atol=1e-6)
    flat = variants.initialise(variants.ConvCritic(32, WIDTH), source())
    assert not torch.allclose(flat(patch), flat(moved), atol=1e-6)


def test_initialise_depends_on_its_generator_alone():
    first, second = (variants.initialise(variants.ConvCritic(16, WIDTH), source(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_information_bound_of_an_oracle():
    code = 2 * torch.rand(50000, 1, generator=source()) - 1
    sigma = 0.2
    seen = code + sigma * torch.randn(code.shape, generator=source(1))

    def reader(x):
        return torch.cat([x, torch.full_like(x, math.log(sigma))], 1)

    exact = math.log(2) - 0.5 * math.log(2 * math.pi * math.e * sigma**2)
    # Standard error of the mean of a chi-square over two at 50000 draws is 0.003.
    assert variants.information_bound(reader, seen, code).item() == pytest.approx(exact, abs=0.015)


def test_without_weight_the_generator_does_not_learn_from_the_code(picture):
    for weight, expected in ((0.0, False), (3.0, True)):
        rng = source(2)
        _, game, _ = variants.infogan(drawer(picture, rng), SIZE, WIDTH, 1e-3, rng, weight=weight)
        fake = torch.rand(8, 1, SIZE, SIZE, generator=rng).requires_grad_(True)
        term = game.extra(fake, (torch.zeros(8, 32), torch.zeros(8, 1)), ())
        gradient = torch.autograd.grad(term, fake, allow_unused=True)[0]
        assert (gradient is not None) == expected


def test_content_loss_alone_ignores_the_critic(picture):
    rng = source(4)
    _, game = variants.superres(drawer(picture, rng, lambda x: x), SIZE, WIDTH, 1e-3, rng, adversarial=0.0)
    assert game.loss.generator(torch.tensor([5.0, -3.0])).item() == 0
    real, (truth,) = game.draw_real()
    assert game.extra(real, (), (truth,)).item() == 0
    assert game.extra(-real, (), (truth,)).item() > 1


def test_residual_blocks_start_from_their_input():
    block = variants.Residual(3)
    torch.nn.init.zeros_(block.body[2].weight)
    torch.nn.init.zeros_(block.body[2].bias)
    x = torch.randn(2, 3, 8, 8, generator=source())
    assert torch.equal(block(x), x)
    bare = variants.Residual(3, skip=False)
    bare.load_state_dict(block.state_dict())
    assert not bare(x).any()


def test_recipes_change_one_thing_each():
    plain = tricks.recipe("plain")
    for name in (*tricks.TRICKS[1:-1], "leaky_critic"):
        differing = [k for k, v in vars(tricks.recipe(name)).items() if v != getattr(plain, k)]
        assert len(differing) == 1, name
    # Where both networks have leaky ReLU, the critic need not have it by itself.
    assert set(vars(tricks.recipe("all")).items()) & set(vars(plain).items()) == {("leaky_critic", False)}


def test_an_unknown_trick_is_refused():
    with pytest.raises(ValueError, match=r"trick must be one of .*Did you mean 'leaky'"):
        tricks.recipe("leeky")


def has(network, kind):
    return any(isinstance(m, kind) for m in network.modules())


@pytest.mark.parametrize("game", ["mixture", "channels"])
def test_recipes_reach_the_networks(picture, game):
    def build(name):
        rng, rule = source(7), tricks.recipe(name)
        if game == "mixture":
            return tricks.mixture_game(Mixture.of([1.0], [0.0], [1.0]), rule, 1e-3, rng)
        return tricks.channel_game(drawer(picture, rng), rule, 1e-3, rng, size=SIZE, width=WIDTH)

    players, rules = build("plain")
    norms = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)
    assert not has(players.generator, norms) and not has(players.critic, torch.nn.LeakyReLU)
    assert rules.critic_steps == 1
    normed = build("batch_norm")[0]
    assert has(normed.generator, norms) and has(normed.critic, norms)
    leaky = build("leaky")[0]
    assert has(leaky.generator, torch.nn.LeakyReLU) and has(leaky.critic, torch.nn.LeakyReLU)
    judge = build("leaky_critic")[0]
    assert not has(judge.generator, torch.nn.LeakyReLU) and has(judge.critic, torch.nn.LeakyReLU)
    assert build("critic_steps")[1].critic_steps == 5
    faster = build("critic_rate")[0]
    rates = [o.param_groups[0]["lr"] for o in (faster.critic_optimizer, faster.generator_optimizer)]
    assert rates[0] == 4 * rates[1]
    sure = torch.full((4,), 8.0)
    smooth, sharp = (build(n)[1].loss.critic(sure, -sure).item() for n in ("smooth_label", "plain"))
    assert smooth > sharp + 0.5  # a sure answer costs a tenth of its score
    for step in train(*build("all"), 2):
        assert math.isfinite(step.critic_loss)
