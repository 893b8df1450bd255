"""The page's search against `geolib.search_models`: its parts, whole searches with the same draws, and a truth."""

import numpy as np
import pytest

from geolib.book.labs import latent_inversion as data
from geolib.inversion import search as package

pytestmark = pytest.mark.browser

#: Both sides compute in double precision; a kernel regression with ridges of a tenth and more loses few digits.
CLOSE = 1e-9
RNG = np.random.default_rng(12)
TRUTH = np.array([0.7, -0.55, 0.3, 0.8, -0.2])
MIXING = np.random.default_rng(0).standard_normal((10, 30))


class Recorded(np.random.Generator):
    """A generator whose draws are kept, so that the page can have the same."""

    def __init__(self, seed):
        super().__init__(np.random.PCG64(seed))
        self.normal_draws, self.orders = [], []

    def standard_normal(self, size=None):
        drawn = super().standard_normal(size)
        self.normal_draws += np.ravel(drawn).tolist()
        return drawn

    def permutation(self, x):
        mixed = super().permutation(x)
        self.orders.append(np.asarray(mixed).tolist())
        return mixed


@pytest.fixture(scope="module")
def core(open_core):
    """A page with the search: `parts`, `finished(steps)` and chance that repeats what it is given."""
    page = open_core("latent_inversion", "channels.js", "search.js")
    page.evaluate("""ours => {
      const lab = labLatent();
      Object.assign(window, { lab, ours, parts: labSearch(ours.constants, lab.toUniform),
        finished: (steps) => { for (;;) { const { value, done } = steps.next(); if (done) return value; } },
        rows: (all) => all.map((row) => Float64Array.from(row)), plain: (all) => all.map((row) => Array.from(row)),
        chance: (normals, orders) => ({ normal: () => normals.shift(), permutation: (all) => {
          const mixed = orders.shift(), same = [...all].sort((a, b) => a - b).join();
          if (same !== [...mixed].sort((a, b) => a - b).join()) throw new Error("other models predict alike");
          return mixed;
        } }) });
    }""", data.ours())  # fmt: skip
    return page


def near(ours, theirs, allowed=CLOSE):
    theirs = np.asarray(theirs, dtype=float)
    assert np.shape(ours) == theirs.shape
    return np.abs(np.asarray(ours, dtype=float) - theirs).max() <= allowed * np.abs(theirs).max()


def ensemble(n, d, n_data, noise=0.3):
    """Return models and what a bent map leaves of them, in standard deviations."""
    models = RNG.standard_normal((n, d))
    residual = np.tanh(models @ RNG.standard_normal((d, n_data))) * 4 + noise * RNG.standard_normal((n, n_data))
    return models, residual


@pytest.mark.parametrize(("n", "n_data"), [(8, 20), (60, 20), (200, 576)])
def test_eigenvectors(core, n, n_data):
    rows = RNG.standard_normal((n, n_data))
    matrix = rows @ rows.T  # of rank 20 where n is larger
    values, vectors = core.evaluate(
        "m => { const {values, vectors} = finished(parts.eigen(rows(m))); return [[...values], plain(vectors)]; }",
        matrix.tolist(),
    )
    vectors = np.array(vectors)
    assert near(np.sort(values), np.linalg.eigvalsh(matrix), 1e-13)
    assert np.abs(vectors @ vectors.T - np.eye(n)).max() < 1e-12
    assert near(vectors.T @ np.diag(values) @ vectors, matrix, 1e-13)


def test_eigenvectors_of_what_is_diagonal_already(core):
    script = "m => { const {values, vectors} = finished(parts.eigen(rows(m))); return [[...values], plain(vectors)]; }"
    values, vectors = core.evaluate(script, np.diag([3.0, 0.0, 3.0, 1.0]).tolist())
    assert values == [3, 0, 3, 1] and np.array_equal(vectors, np.eye(4))


@pytest.mark.parametrize(("n", "n_data", "size"), [(60, 20, 1.0), (200, 576, 1.0), (40, 20, 1e-3)])
def test_components(core, n, n_data, size):
    """Up to their signs; of residuals far below their errors one component is left."""
    _, residual = ensemble(n, 6, n_data)
    known, wanted = package._components(size * residual)
    ours, at = core.evaluate(
        "r => { const { known, wanted } = finished(parts.components(rows(r))); return [plain(known), [...wanted]]; }",
        (size * residual).tolist(),
    )
    assert (known.shape[1] == 1) == (size < 1)
    signs = np.sign((np.array(ours) * known).sum(0))
    assert near(signs * ours, known) and near(signs * at, wanted)


@pytest.mark.parametrize(("n", "d"), [(30, 3), (200, 15)])
def test_the_regression(core, n, d):
    models, residual = ensemble(n, d, 40)
    known, wanted = package._components(residual)
    guess, left = package._regress(models, known, wanted)
    ours = core.evaluate(
        """([m, k, w]) => { const { guess, left } = finished(parts.regress(rows(m), rows(k), Float64Array.from(w)));
          return [Array.from(guess), plain(left)]; }""",
        [models.tolist(), known.tolist(), wanted.tolist()],
    )
    assert near(ours[0], guess) and near(ours[1], left)


def test_proposals(core):
    models, residual = ensemble(120, 15, 576)
    rng = Recorded(3)
    theirs = package._propose(models, residual, 48, rng)
    ours = core.evaluate(
        """([m, r, orders]) => plain(finished(parts.propose(rows(m), rows(r), 48, chance([], orders).permutation)))""",
        [models.tolist(), residual.tolist(), rng.orders],
    )
    assert theirs.shape == (48, 15) and near(ours, theirs)


@pytest.mark.parametrize("alike", [False, True])
def test_steps(core, alike):
    """Also where all models agree in a component, so that the plane says nothing of it."""
    models, residual = ensemble(100, 5, 40)
    if alike:
        models[:, 2] = 0.25
    misfit, rng = np.sqrt(np.square(residual).mean(1)), Recorded(4)
    theirs = package._step(models, misfit, residual, 16, rng)
    ours = core.evaluate(
        """([m, f, r, normals]) => plain(finished(parts.step(rows(m), f, rows(r), 16, chance(normals, []).normal)))""",
        [models.tolist(), misfit.tolist(), residual.tolist(), rng.normal_draws],
    )
    assert near(ours, theirs)


WAVES = """
([mixing, data, sigma]) => (model) => {
  const inner = [...model, ...Array.from(model, (x) => Math.cos(8 * x))];
  return Float64Array.from(data, (y, k) => (inner.reduce((sum, x, i) => sum + x * mixing[i][k], 0) - y) / sigma);
}"""


def waves(models):
    return np.concatenate([models, np.cos(8 * models)], 1) @ MIXING


@pytest.mark.parametrize(
    ("seed", "away", "budget", "message"), [(2, 0.0, 3000, "a model fits"), (5, 0.25, 1200, "the budget is spent")]
)
def test_a_whole_search_with_the_same_draws(core, seed, away, budget, message):
    """Many basins: rounds, steps near the end, and restarts (where data that nothing predicts leave no fit)."""
    rng, sigma = Recorded(seed), 0.1
    observed = waves(TRUTH[None])[0] + (sigma + away) * np.random.default_rng(1).standard_normal(30)
    settings = package.Settings(pool=64, kept=60, patience=2)
    found = package.search(waves, observed, 5, sigma=sigma, budget=budget, rng=rng, settings=settings)
    ended, record, attempts, solves = core.evaluate(
        f"""([mixing, data, sigma, settings, budget, normals, orders]) => {{
          const simulate = ({WAVES})([mixing, data, sigma]), record = [];
          let last = null;
          const steps = parts.search(simulate, 5, {{ settings, budget, ...chance(normals, orders) }});
          for (;;) {{
            const {{ value, done }} = steps.next();
            if (done) return [value, record, last.attempt, last.solves];
            if (value) last = value;
            if (value?.latent) record.push([value.solves, value.misfit, ...value.latent]);
          }}
        }}""",
        [MIXING.tolist(), observed.tolist(), sigma, data.dataclasses.asdict(settings), budget,
         rng.normal_draws, rng.orders],
    )  # fmt: skip
    assert ended == found.message == message
    assert attempts == len(found.models) and (attempts > 1 or message == "a model fits")
    assert solves == found.solves
    # A round's draws are told one by one in the page and together in the package.
    record = np.array(record)
    for count, misfit in found.record:
        assert record[record[:, 0] <= count, 1].min() == pytest.approx(misfit, rel=1e-6)
    assert np.allclose(record[-1, 2:], found.model, atol=1e-6)


def test_the_start_goes_along(core):
    normal = core.evaluate(
        """() => { const { normal, integer } = geolab.random(1);
          const steps = parts.search((z) => z, 3, { ...ours, budget: 300, normal, start: [0.5, -0.5, 2] });
          return Array.from(steps.next().value.latent, lab.toNormal); }"""
    )
    assert normal == pytest.approx([0.5, -0.5, 2], abs=1e-9)


def test_a_truth_is_found_in_the_page(core):
    """The chapter's first scenario with true rays and two velocities, at the width of the page, within its budget."""
    said = core.evaluate("""() => {
      const data = geolab.decode(geolab.data.latent_inversion), { random } = geolab;
      window.random = random;
      const weights = Object.fromEntries(Object.entries(data.weights).map(([name, values]) =>
        [name, { shape: values.shape, values }]));
      latentThread({ about: "begin", weights, truths: data.truths, errors: data.errors, ours: data.ours });
      const setup = { order: "consistent", kind: "binary", model: 1, noise: 1 };
      const begin = latentThread({ about: "view", setup, latent: Array.from(data.check.latent) }).wrmse;
      latentThread({ about: "search", name: "ours", setup, latent: Array.from(data.check.latent), seed: 1 });
      let best = Infinity, latent = null, solves = 0;
      for (;;) {
        const told = latentThread({ about: "slice", budget: 200 });
        solves = told.solves ?? solves;
        if (told.view) { best = told.view.wrmse; latent = told.view.latent; }
        if (told.done) break;
      }
      return { begin, best, solves, again: latentThread({ about: "view", setup, latent: Array.from(latent) }).wrmse };
    }""")  # fmt: skip
    assert said["begin"] > 3
    assert said["best"] <= data.ours()["settings"]["target"], said
    assert 256 < said["solves"] < data.ours()["budget"]
    assert said["again"] == pytest.approx(said["best"], rel=1e-6)
