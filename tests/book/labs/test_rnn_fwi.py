"""The laboratories of rnn_fwi: the page's waves, gradients and descents against geolib on the same input."""

import numpy as np
import pytest
import torch

from geolib.inversion import descent
from geolib.waves import Boundary, Grid, Survey, misfit_and_gradient, propagate, ricker

pytestmark = pytest.mark.browser

# Both sum the same terms in another order; 1000 steps and a factor of a hundred over round-off.
ROUNDING = {"float64": 1e-11, "float32": 3e-4}
RUN = """([about, velocity, data, type]) => {
  const kind = type === "float64" ? Float64Array : Float32Array;
  const waves = new geolab.Waves({...about, type: kind}).model(velocity);
  while (waves.time < about.nt) waves.step();
  const traces = Array.from(waves.traces), {misfit, gradient} = waves.evaluate(velocity, data, about.segment);
  return {traces, misfit, gradient: Array.from(gradient)};
}"""


@pytest.fixture(scope="module")
def page(request, site, chrome):
    """One page with the wave engine for all comparisons."""
    page = chrome.new_page()
    scripts = [site / "_static" / "lab" / f"{name}.js" for name in ("waves", "descent")]
    page.goto("about:blank")
    page.evaluate("() => { window.geolab = {}; }")
    for path in scripts:
        page.evaluate(path.read_text())
    yield page
    page.close()


SIDES = {
    "all free": Boundary("free", "free", "free"),
    "the book's": Boundary("free", "absorbing", "absorbing", width=8, velocity=2500.0, frequency=12.0),
    "all absorbing": Boundary("absorbing", "absorbing", "absorbing", width=5, velocity=2000.0, frequency=12.0),
    "one side": Boundary("absorbing", ("free", "absorbing"), "free", width=6),
}


def both(page, shape, boundary, precision, nt=300):
    """Traces, misfit and gradient of a random model, by geolib and by the page."""
    dtype, rng = getattr(torch, precision), np.random.default_rng(5)
    velocity = torch.as_tensor(rng.uniform(1800, 3000, size=shape), dtype=dtype)
    wavelet = ricker(12.0, 1e-3, nt, dtype=dtype)
    middle = [n // 2 for n in shape]
    receivers = [[1] * len(shape), [n - 2 for n in shape], middle]
    survey = Survey(Grid(shape, 10.0), 1e-3, nt, [[middle]], [receivers], wavelet.expand(1, 1, -1), boundary)
    data = torch.as_tensor(1e-1 * rng.normal(size=(1, len(receivers), nt)), dtype=dtype)
    traces = propagate(velocity, survey)
    misfit, gradient = misfit_and_gradient(velocity, survey, data)
    row = (lambda at: [0, *at]) if len(shape) == 1 else list
    left, right = (boundary.top, boundary.bottom) if len(shape) == 1 else boundary.sides
    top, bottom = ("free", "free") if len(shape) == 1 else (boundary.top, boundary.bottom)
    about = {
        "shape": row(shape) if len(shape) == 2 else [1, *shape],
        "ndim": len(shape),
        "spacing": 10.0,
        "dt": 1e-3,
        "nt": nt,
        "segment": 40,
        "source": row(middle),
        "receivers": [row(at) for at in receivers],
        "wavelet": wavelet.tolist(),
        "width": boundary.width,
        "velocity": survey.tuning[0],
        "frequency": survey.tuning[1],
        "absorbing": {
            side: kind == "absorbing"
            for side, kind in zip(("top", "bottom", "left", "right"), (top, bottom, left, right), strict=True)
        },
    }
    ours = page.evaluate(RUN, [about, velocity.flatten().tolist(), data[0].T.flatten().tolist(), precision])
    return {
        "traces": (np.reshape(ours["traces"], (nt, -1)).T, traces[0].numpy()),
        "misfit": (np.array(ours["misfit"]), misfit.numpy()),
        "gradient": (np.reshape(ours["gradient"], shape), gradient.numpy()),
    }


@pytest.mark.parametrize("precision", ROUNDING)
@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("shape", [(40,), (24, 37)])
def test_waves_and_gradients_are_geolibs(page, shape, sides, precision):
    for name, (ours, theirs) in both(page, shape, SIDES[sides], precision).items():
        gap = np.abs(ours - theirs).max() / np.abs(theirs).max()
        assert gap < ROUNDING[precision], (name, gap)


def test_wavelet_is_geolibs(page):
    ours = page.evaluate("() => Array.from(geolab.ricker(8, 0.0012, 400))")
    assert np.allclose(ours, ricker(8.0, 1.2e-3, 400, dtype=torch.float64).numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("method", descent.STEP_METHODS)
def test_updates_are_geolibs(page, method):
    scale, start = np.geomspace(1e-3, 1e3, 7), np.linspace(1200.0, 4000.0, 7)

    def objective(model):
        return float((scale * (model - 2000) ** 2).sum() / 2), scale * (model - 2000)

    theirs = descent.minimize(objective, start, method, iterations=20, rate=0.02, bounds=(1000.0, 8000.0)).model
    ours = page.evaluate(
        """([method, scale, start]) => {
          const descent = geolab.descent(method, 0.02, [1000, 8000]);
          let model = start;
          for (let n = 0; n < 20; n++) model = descent.update(model, model.map((v, i) => scale[i] * (v - 2000)));
          return Array.from(model);
        }""",
        [method, scale.tolist(), start.tolist()],
    )
    assert np.allclose(ours, theirs, rtol=1e-12)
    assert np.abs(np.array(ours) - start).max() > 1e-3


def test_line_search_finds_the_minimum_of_a_valley(page):
    found = page.evaluate(
        """() => {
          const objective = (x) => ({
            misfit: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2,
            gradient: Float64Array.of(-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)),
          });
          const search = geolab.lbfgs(objective, [-5, 5]);
          let at = {model: [-1.2, 1]}, best = Infinity, rises = 0;
          for (let n = 0; n < 100; n++) {
            at = search.step(at.model);
            if (at.taken) { rises += at.misfit > best; best = at.misfit; }
          }
          return {model: Array.from(at.model), rises};
        }"""
    )
    assert found["model"] == pytest.approx([1, 1], abs=1e-6) and found["rises"] == 0


def train(page, steps):
    lab = "geolab.labs['rnn_fwi-train']"
    page.get_by_role("button", name="Train").click()
    page.wait_for_function(f"() => {lab}.run.misfit.length > {steps}")
    page.get_by_role("button", name="Pause").click()
    return page.evaluate(f"() => [Array.from({lab}.run.misfit), Array.from({lab}.run.errors)]")


@pytest.mark.parametrize("method", ["gradient descent", "Adam"])
def test_the_code_of_the_profile_does_what_the_page_did(open_lab, method):
    page = open_lab("rnn_fwi-train")
    page.get_by_label("Optimiser").select_option(label=method)
    page.get_by_label("Start").select_option("linear")
    misfits, errors = train(page, 4)
    page.get_by_text("Run this with geolib").click()
    made = {}
    exec(page.locator(".geolab pre").inner_text(), made)
    assert made["found"].misfit == pytest.approx(misfits, rel=1e-9)
    assert made["problem"].error(made["found"].model) == pytest.approx(errors[-1], rel=1e-9)


def test_the_code_of_a_start_of_ones_own_starts_from_it(open_lab):
    page = open_lab("rnn_fwi-train")
    page.locator("canvas").first.click(position={"x": 250, "y": 120})
    misfits, _ = train(page, 2)
    assert page.get_by_label("Start").input_value() == "own"
    page.get_by_text("Run this with geolib").click()
    made = {}
    exec(page.locator(".geolab pre").inner_text(), made)
    assert np.abs(made["start"] - made["problem"].start).max() > 50
    assert made["found"].misfit == pytest.approx(misfits, rel=1e-9)


def test_a_rate_below_the_line_descends_and_one_far_above_it_diverges_in_words(open_lab):
    page = open_lab("rnn_fwi-train")
    rate, said = page.get_by_label("Learning rate"), page.locator(".gl-say")
    assert page.evaluate("() => geolab.data['rnn_fwi'].line.limit") == pytest.approx(0.4986, abs=1e-3)
    misfits, _ = train(page, 12)
    assert (np.diff(misfits) < 0).all()
    assert "misfit" in said.inner_text() and "Diverged" not in said.inner_text()
    rate.press("End")
    page.get_by_role("button", name="Back to the start").click()
    train(page, 25)
    assert said.inner_text().startswith("Diverged")


def test_the_code_of_the_tank_makes_the_gradient_on_the_screen(open_lab):
    page = open_lab("rnn_fwi-tank")
    canvas = page.locator("canvas").first
    canvas.click(position={"x": 200, "y": 150})
    page.get_by_role("button", name="Gradient of this shot").click()
    state = "geolab.labs['rnn_fwi-tank'].state"
    page.wait_for_function(f"() => {state}.phase === 'gradient'", timeout=120_000)
    page.get_by_text("Run this with geolib").click()
    made = {}
    exec(page.locator(".geolab pre").inner_text(), made)
    assert len(page.evaluate(f"() => {state}.strokes")) == 2
    velocity = page.evaluate(f"() => Array.from({state}.velocity)")
    assert np.allclose(np.reshape(velocity, made["truth"].shape), made["truth"], rtol=1e-6)
    shown = np.reshape(page.evaluate(f"() => Array.from({state}.gradient)"), made["truth"].shape)
    theirs = made["gradient"].numpy()
    assert np.abs(shown + theirs).max() < 1e-3 * np.abs(theirs).max()


def test_without_paint_there_is_no_residual(open_lab):
    page = open_lab("rnn_fwi-tank")
    page.get_by_role("button", name="Wipe all paint").click()
    page.get_by_role("button", name="Gradient of this shot").click()
    state = "geolab.labs['rnn_fwi-tank'].state"
    page.wait_for_function(f"() => {state}.phase === 'gradient'", timeout=120_000)
    assert page.evaluate(f"() => Math.max(...{state}.gradient.map(Math.abs))") == 0
