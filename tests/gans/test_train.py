import dataclasses
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from geolib.gans import losses, wgan
from geolib.gans.train import Game, Players, _critic_step, _generator_step, average, evaluating, pack, train, unpack


def players(seed=0, width=4):
    rng = torch.Generator().manual_seed(seed)
    generator, critic = nn.Linear(2, 3), nn.Sequential(nn.Linear(3, width), nn.LeakyReLU(), nn.Linear(width, 1))
    for network in (generator, critic):
        for p in network.parameters():
            nn.init.normal_(p, 0, 0.5, generator=rng)
    adam = partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.999))
    return Players(generator, critic, adam(generator.parameters()), adam(critic.parameters()))


def game(rng, **options):
    real = torch.ones(8, 3)
    return Game(
        losses.WASSERSTEIN,
        draw_real=lambda: (real, ()),
        draw_inputs=lambda n, _: (torch.rand(n, 2, generator=rng),),
        penalty=lambda c, x, y: 10 * losses.gradient_penalty(c, x, y, rng),
        **options,
    )


def weights(p):
    return [x.detach().clone() for network in (p.generator, p.critic) for x in network.parameters()]


def test_a_resumed_training_is_bit_identical():
    whole, rng = players(), torch.Generator().manual_seed(1)
    steps = list(train(whole, game(rng, critic_steps=2, penalty_every=4), 7))
    first, rng = players(), torch.Generator().manual_seed(1)
    list(train(first, game(rng, critic_steps=2, penalty_every=4), 3))
    saved = pack(first, rng)
    second, other = players(seed=9), torch.Generator().manual_seed(5)
    unpack(second, other, saved)
    rest = list(train(second, game(other, critic_steps=2, penalty_every=4), 4, start=3))
    assert rest == steps[3:]
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(second), strict=True))


def test_pack_copies():
    p, rng = players(), torch.Generator().manual_seed(1)
    saved = pack(p, rng)
    before = {name: value.copy() for name, value in saved.items()}
    list(train(p, game(rng), 2))
    assert all(np.array_equal(saved[name], before[name]) for name in before)


def test_unpack_refuses_other_networks():
    rng = torch.Generator()
    saved = pack(players(width=4), rng)
    with pytest.raises(
        ValueError, match=r"checkpoint must hold the state of these networks; .* Delete it and start anew"
    ):
        unpack(players(width=5), rng, saved)


@pytest.mark.parametrize("lost", ["rng", "critic.0.bias", "critic_optimizer", "generator_optimizer.0.exp_avg_sq"])
def test_unpack_refuses_an_incomplete_state_and_changes_nothing(lost):
    rng = torch.Generator()
    trained, untouched = players(), players(seed=5)
    list(train(trained, game(torch.Generator().manual_seed(1)), 2))
    saved = {key: value for key, value in pack(trained, rng).items() if not key.startswith(lost)}
    before = [x.detach().clone() for x in untouched.critic.parameters()]
    with pytest.raises(ValueError, match=rf"checkpoint must hold the state of these networks; '{lost}.*' differs"):
        unpack(untouched, rng, saved)
    assert all(torch.equal(a, b) for a, b in zip(before, untouched.critic.parameters(), strict=True))


@pytest.mark.parametrize(("reuse", "draws"), [(True, 4), (False, 12)])
def test_real_batches_are_reused_only_on_request(reuse, draws):
    rng, count = torch.Generator().manual_seed(1), []
    base = game(rng)

    def draw():
        count.append(1)
        return base.draw_real()

    rules = Game(base.loss, draw, base.draw_inputs, critic_steps=3, reuse_real=reuse)
    list(train(players(), rules, 4))
    assert len(count) == draws


def test_a_lazy_penalty_has_the_same_weight_on_average():
    rng, seen = torch.Generator().manual_seed(1), []
    base = game(rng)
    rules = Game(base.loss, base.draw_real, base.draw_inputs, 1, lambda c, x, y: c(x).mean() * 0 + 1.0, penalty_every=4)
    for step in train(players(), rules, 8):
        seen.append(step.penalty)
    assert seen == [4, 0, 0, 0, 4, 0, 0, 0]


def test_each_step_leaves_the_other_network_alone():
    p, rng = players(), torch.Generator().manual_seed(1)
    frozen = Players(p.generator, p.critic, torch.optim.SGD(p.generator.parameters(), lr=0.0), p.critic_optimizer)
    before = [x.detach().clone() for x in p.generator.parameters()]
    list(train(frozen, game(rng), 3))
    assert all(torch.equal(a, b) for a, b in zip(before, p.generator.parameters(), strict=True))
    assert all(x.requires_grad for x in p.critic.parameters())


@pytest.mark.parametrize("side", ["critic", "generator"])
def test_a_step_moves_one_network_only(side):
    p, rng = players(), torch.Generator().manual_seed(1)
    rules = game(rng)
    real, conditions = rules.draw_real()
    before = {name: [x.detach().clone() for x in getattr(p, name).parameters()] for name in ("critic", "generator")}
    if side == "critic":
        _critic_step(p, rules, real, conditions, 0)
    else:
        _generator_step(p, rules, len(real), conditions)
    moved = {
        name: not all(torch.equal(a, b) for a, b in zip(old, getattr(p, name).parameters(), strict=True))
        for name, old in before.items()
    }
    assert moved == {"critic": side == "critic", "generator": side == "generator"}


@pytest.mark.parametrize("change", [{"critic_steps": 0}, {"penalty_every": 0}])
def test_rules_that_cannot_be_played_are_refused(change):
    (name,) = change
    with pytest.raises(ValueError, match=rf"{name} must be at least 1; got 0\. Take 1 or more"):
        dataclasses.replace(game(torch.Generator()), **change)


def test_a_training_that_blows_up_is_refused():
    rng = torch.Generator().manual_seed(1)
    base = game(rng)
    rules = Game(base.loss, lambda: (torch.full((8, 3), float("inf")), ()), base.draw_inputs)
    with pytest.raises(FloatingPointError, match=r"losses must be finite; got Step\(iteration=0"):
        list(train(players(), rules, 1))


def test_the_game_moves_samples_to_the_data():
    # The data is the constant (1, 1, 1); the critic's slope is the only thing that tells the generator where it is.
    p, rng = players(), torch.Generator().manual_seed(1)
    inputs = torch.rand(64, 2, generator=torch.Generator().manual_seed(2))
    before = (p.generator(inputs).mean(0) - 1).norm().item()
    list(train(p, game(rng, critic_steps=2), 150))
    assert (p.generator(inputs).mean(0) - 1).norm().item() < 0.6 * before


def test_the_average_follows_slowly():
    rng = torch.Generator().manual_seed(0)
    mean, current = wgan.make_generator(rng=rng), wgan.make_generator(rng=rng)
    first, last = mean[0].weight.detach().clone(), current[0].weight.detach()
    current[1].running_mean.fill_(3.0)
    average(mean, current, iteration=80, decay=0.999)
    # 81 / 90 of the old and 9 / 90 of the new, to float32 round-off of numbers near one
    assert torch.allclose(mean[0].weight, 0.9 * first + 0.1 * last, atol=1e-6)
    average(mean, current, iteration=10**6, decay=0.5)
    assert torch.allclose(mean[0].weight, 0.45 * first + 0.55 * last, atol=1e-6)
    assert torch.equal(mean[1].running_mean, current[1].running_mean)


@pytest.mark.parametrize("side", ["critic", "generator"])
def test_a_frozen_layer_stays_where_it_is(side):
    made = players()
    layer = made.critic[0] if side == "critic" else made.generator
    layer.requires_grad_(False)
    if side == "generator":
        layer.bias.requires_grad_(True)  # something has to learn
    before = weights(made)
    list(train(made, game(torch.Generator().manual_seed(1)), 3))
    frozen = [not x.requires_grad for n in (made.generator, made.critic) for x in n.parameters()]
    assert sum(frozen) == (2 if side == "critic" else 1)
    same = [torch.equal(a, b) for a, b in zip(before, weights(made), strict=True)]
    assert all(still for still, fixed in zip(same, frozen, strict=True) if fixed)
    assert sum(same[:2]) < 2 and sum(same[2:]) < 4  # both networks have learned


def test_a_failed_step_leaves_the_critic_as_it_was():
    made = players()
    made.critic[0].requires_grad_(False)
    failing = dataclasses.replace(game(torch.Generator()), loss=losses.Loss(losses.WASSERSTEIN.critic, lambda f: f.no))
    with pytest.raises(AttributeError):
        next(train(made, failing, 1))
    assert [p.requires_grad for p in made.critic.parameters()] == [False, False, True, True]


def test_modules_are_put_back_in_the_mode_they_were_in():
    rng = torch.Generator().manual_seed(0)
    network = wgan.make_generator(0.1, rng=rng)
    network[1].eval()  # a batch norm whose statistics are to stay
    modes = [module.training for module in network.modules()]
    wgan.sample(network, 3, rng)
    assert [module.training for module in network.modules()] == modes and not all(modes)
    with pytest.raises(RuntimeError), evaluating(network):
        assert not any(module.training for module in network.modules())
        raise RuntimeError
    assert [module.training for module in network.modules()] == modes


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_training_takes_its_gradients_in_every_mode(mode):
    made, other = players(), players()
    expected = list(train(made, game(torch.Generator().manual_seed(1)), 3))
    play = game(torch.Generator().manual_seed(1))
    with mode():
        found = list(train(other, play, 3))
    assert found == expected
    assert all(torch.equal(a, b) for a, b in zip(weights(made), weights(other), strict=True))
