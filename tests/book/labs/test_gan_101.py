"""The laboratory of gan_101: networks, one training step and the smallest game against geolib and torch."""

import numpy as np
import pytest

from geolib.book.labs import gan_101 as lab
from geolib.gans import theory

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(site, chrome):
    """A page with the game and the numbers it is checked against."""
    page = chrome.new_page()
    page.goto("about:blank")
    page.evaluate("() => { window.geolab = {data: {}}; }")
    for name in ("game.js", "data/gan_101-check.js"):
        page.evaluate((site / "_static" / "lab" / name).read_text())
    page.evaluate(
        """() => {
          window.read = (entry) => new Float64Array(Uint8Array.from(atob(entry.data), c => c.charCodeAt(0)).buffer);
          window.sent = geolab.data["gan_101-check"];
          window.network = (weights) => {
            const made = new geolab.Dense([1, 24, 24, 1], {uniform: () => 0});
            made.weights.set(read(weights));
            return made;
          };
          window.apart = (a, b) => Math.max(...a.map((v, i) => Math.abs(v - b[i])));
        }"""
    )
    yield page
    page.close()


def test_networks_answer_as_torchs(page):
    gaps = page.evaluate(
        """() => [apart(network(sent.generator).forward(read(sent.latent[0])), read(sent.fake)),
          apart(network(sent.critic).forward(read(sent.real)), read(sent.scores))]"""
    )
    assert max(gaps) < 1e-14


@pytest.mark.parametrize("loss", lab.LOSSES)
def test_some_iterations_are_torchs(page, loss):
    gaps = page.evaluate(
        """([loss, rates, weight]) => {
          const players = {generator: network(sent.generator), critic: network(sent.critic)};
          const latent = sent.latent.map(read), ratios = sent.ratios.map(read), theirs = sent.games[loss];
          let made;
          for (let n = 0; n < sent.iterations; n++) {
            made = geolab.play(players, {loss, steps: 1, real: () => read(sent.real), latent: () => latent.shift(),
              ratios: () => ratios.shift(), update: geolab.adam, generatorRate: rates.generator,
              criticRate: rates.critic, penalty: {kind: loss === "wasserstein" ? "gradient" : "r1", weight}});
          }
          return {critic_loss: Math.abs(made.critic - theirs.critic_loss),
            generator_loss: Math.abs(made.generator - theirs.generator_loss),
            critic: apart(players.critic.weights, read(theirs.critic)),
            generator: apart(players.generator.weights, read(theirs.generator)),
            moved: apart(players.generator.weights, read(sent.generator))};
        }""",
        [loss, lab.RATES, lab.GRADIENT if loss == "wasserstein" else lab.R1],
    )
    # Adam moves a weight by about the rate in each of its first steps; a wrong sign anywhere would be twice that.
    assert gaps.pop("moved") > lab.RATES["generator"]
    assert max(gaps.values()) < 1e-9, gaps


@pytest.mark.parametrize(
    ("method", "alternating", "damping"),
    [("simultaneous", False, 0.0), ("alternating", True, 0.0), ("damped", False, 1.0)],
)
def test_the_smallest_game_is_the_packages(page, method, alternating, damping):
    rate = 0.1
    path = page.evaluate(
        """([rate, alternating, damping]) => {
          let at = {t: 1, w: 0};
          const path = [[at.t, at.w]], x = [-1, 0.5, 2], share = [0.25, 0.5, 0.25];
          for (let n = 0; n < 60; n++) {
            at = geolab.duel(at, {loss: "wasserstein", x, share, mean: 0.5, alternating, damping,
              rate: {generator: rate, critic: rate}});
            path.push([at.t, at.w]);
          }
          return path;
        }""",
        [rate, alternating, damping],
    )
    theirs = theory.bilinear_game(method, rate, 60).numpy()
    ours = np.array(path)
    # The package's x descends x y and its y ascends: y is minus the score's slope here. Where they take turns, its x
    # moves first and here the critic does: the paths are half a turn apart, on ellipses of one family.
    if alternating:
        sizes = ours[:, 0] ** 2 + ours[:, 1] ** 2 - rate * ours[:, 0] * ours[:, 1]
        assert np.allclose(sizes, sizes[0], rtol=1e-12)  # what alternating steps keep, so that they circle
        return
    assert np.allclose(ours * [1, -1], theirs, atol=1e-12)


def run(page, steps):
    page.get_by_role("button", name="Train").click()
    page.wait_for_function(f"() => geolab.labs['gan_101-game'].steps >= {steps}")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Run this with geolib").click()
    made = {}
    exec(page.locator(".geolab pre").inner_text(), made)
    return made


@pytest.mark.parametrize("loss", lab.LOSSES)
def test_the_code_of_two_networks_plays_as_many_steps(open_lab, loss):
    page = open_lab("gan_101-game")
    page.get_by_label("Loss", exact=True).select_option(loss)
    made = run(page, 3)
    assert made["step"].iteration + 1 == page.evaluate("() => geolab.labs['gan_101-game'].steps")
    # The density that the code draws from is the one on the screen.
    density = page.evaluate("() => Array.from(geolab.labs['gan_101-game'].bins.p)")
    assert np.abs(made["heights"] / 1000 - density).max() < 1e-3


@pytest.mark.parametrize("turns", ["simultaneous", "alternating"])
def test_the_code_of_one_number_each_ends_where_the_page_is(open_lab, turns):
    page = open_lab("gan_101-game")
    page.get_by_label("Players").select_option("numbers")
    page.get_by_label("Turns").select_option(turns)
    made = run(page, 20)
    seen = page.evaluate(
        """() => {
          const {seen, bins} = geolab.labs["gan_101-game"];
          return [seen.mean - bins.mean, seen.bend[0]];
        }"""
    )
    assert [float(made["t"].detach()), float(made["w"].detach())] == pytest.approx(seen, abs=1e-9)


def test_far_data_starve_the_minimax_loss_only(open_lab):
    page = open_lab("gan_101-game")
    page.get_by_label("Data", exact=True).select_option("far away")
    page.get_by_label("Loss", exact=True).select_option("minimax")
    page.get_by_label("Gradient penalty").press("Home")
    page.get_by_label("Discriminator's rate").press("End")
    page.get_by_label("Generator's rate").press("Home")
    run(page, 120)
    strength = page.evaluate("() => geolab.labs['gan_101-game'].seen.strength")
    assert strength["minimax"] < 0.01 * strength["non-saturating"]
