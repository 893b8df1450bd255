"""The laboratory of the latent inversion against geolib, on the same latents with the same weights."""

import numpy as np
import pytest
import torch
from scipy import sparse

from geolib.inversion import gauss_newton, latent
from geolib.inversion.crosshole import CELL_ORDERS, Crosshole, ray_matrix
from geolib.studies.latent_inversion.config import LatentConfig
from geolib.studies.latent_inversion.world import World

pytestmark = pytest.mark.browser

#: Single precision's round-off; geolib's generator has it, the page computes in double precision.
ROUND = 2.0**-23
LATENTS = np.random.default_rng(5).uniform(-1, 1, (3, 15)).astype(np.float32)


@pytest.fixture(scope="module")
def world():
    return World(LatentConfig(width=16), "cpu")


@pytest.fixture(scope="module")
def core(open_core):
    """A page with the mathematics alone: `lab`, the network and `made(order, kind)`."""
    page = open_core("latent_inversion", "channels.js")
    page.evaluate("""() => {
      const data = geolab.decode(geolab.data.latent_inversion);
      const weights = Object.fromEntries(Object.entries(data.weights).map(([name, values]) =>
        [name, { shape: values.shape, values }]));
      const lab = labLatent(), net = labChannels(labNetworks(), weights);
      Object.assign(window, { lab, net, made: (order, kind) => lab.physics(net, order, kind) });
    }""")
    return page


def close(ours, theirs, factor):
    """Whether the largest difference is below `factor` round-offs of the largest value."""
    theirs = np.asarray(theirs, dtype=float)
    return np.abs(np.asarray(ours, dtype=float) - theirs).max() <= factor * ROUND * np.abs(theirs).max()


def test_the_shipped_weights_arrive_unrounded(core, world):
    got = core.evaluate("() => Array.from(geolab.decode(geolab.data.latent_inversion).weights['up.1.weight'])")
    assert np.array_equal(got, world.network.state_dict()["up.1.weight"].flatten().numpy())


@pytest.mark.parametrize("row", range(3))
def test_images(core, world, row):
    got = core.evaluate("z => Array.from(net.forward(z))", LATENTS[row].tolist())
    with torch.no_grad():
        theirs = world.network(torch.tensor(LATENTS[row]).view(1, 1, 5, 3)).flatten()
    assert close(got, theirs, 200)


@pytest.mark.parametrize("order", CELL_ORDERS)
def test_rays(core, order):
    theirs = ray_matrix(Crosshole(), order)
    starts, cells, lengths = core.evaluate("o => Object.values(lab.rays(o)).map((x) => Array.from(x))", order)
    ours = sparse.csr_matrix((lengths, cells, starts), shape=theirs.shape)
    assert ours.nnz == theirs.nnz
    assert abs(ours - theirs).max() <= ROUND * theirs.max()


@pytest.mark.parametrize("order", CELL_ORDERS)
@pytest.mark.parametrize("kind", ["continuous", "surrogate", "binary"])
def test_times_and_gradient(core, world, order, kind):
    z = torch.tensor(LATENTS[:1], requires_grad=True)
    times = world.simulate(order, kind, z)
    (slope,) = torch.autograd.grad((times - 100).square().sum(), z)
    ours, half, model = core.evaluate(
        """([z, order, kind]) => {
          const world = made(order, kind), times = Array.from(world.simulate(z));
          return [times, Array.from(world.gradient(times.map((t) => t - 100))), Array.from(world.model)];
        }""",
        [LATENTS[0].tolist(), order, kind],
    )
    # Thresholded cells would differ only where round-off carries them across; the latent was drawn, not chosen.
    assert np.abs(np.array(model) - 0.5).min() > 200 * ROUND
    assert close(ours, times.detach()[0], 50)
    assert close(2 * np.array(half), slope[0], 200)


def nth(core, steps, n, *arguments):
    """Run a search of the page and return the latent of its report number `n`, counted from 0."""
    script = f"""([z, data, order, kind, draws]) => {{
      let n = {n}, at = 0;
      const world = made(order, kind), draw = () => draws[at++];
      for (const report of {steps}) if (report && n-- === 0) return Array.from(report.latent);
    }}"""
    return core.evaluate(script, list(arguments))


def test_adam_with_its_clipping(core, world):
    z = torch.tensor(LATENTS[:1]) * 0.999
    z[0, 0], z[0, 1] = 0.999, -0.999
    data, _ = world.observed("consistent", "continuous", 1, 1)
    draws = torch.rand(1, 4, 15, generator=torch.Generator().manual_seed(1)) * 2 - 1
    found = latent.adam(lambda x: world.simulate("consistent", "continuous", x), data, z, draws)
    clipped = (found.last_latent - z).abs().max()
    assert clipped > 0.1  # a component has left the box, or the rule is not tried
    ours = nth(
        core, "lab.adam(world, data, z, { draw })", 4,
        z[0].tolist(), data[0].tolist(), "consistent", "continuous", draws.flatten().tolist(),
    )  # fmt: skip
    assert close(ours, found.last_latent[0], 100)


def test_gauss_newton(core, world):
    z = torch.tensor(LATENTS[1:2])
    data, _ = world.observed("as_published", "continuous", 2, 2)

    def simulate(normal):
        return world.simulate("as_published", "continuous", latent.to_uniform(normal))

    linearise = gauss_newton.central_differences(simulate, 0.1)
    found = gauss_newton.gauss_newton(linearise, data, latent.to_normal(z), 1)
    ours = nth(
        core, "lab.gaussNewton(world, data, z)", 1, z[0].tolist(), data[0].tolist(), "as_published", "continuous"
    )
    # Differences of times of 100 ns over a step of 0.1 carry a thousand times their round-off.
    assert close(ours, latent.to_uniform(found.last_latent[0]), 20000)


def test_normal_and_uniform(core):
    normal = np.linspace(-4.5, 4.5, 37)
    uniform = latent.to_uniform(torch.tensor(normal)).numpy()
    there, back = core.evaluate("x => [x.map(lab.toUniform), x.map(lab.toUniform).map(lab.toNormal)]", normal.tolist())
    assert np.allclose(there, uniform, atol=1e-14, rtol=0)
    assert np.allclose(back, normal, atol=1e-8, rtol=0)
    assert core.evaluate("() => [1, -1].map(lab.toNormal).every(Number.isFinite)")


def test_the_kernel_is_the_plain_loops(core):
    """Browsers without vector instructions take these, and sum in double precision."""
    fast, plain = core.evaluate(
        """() => [false, true].map((plain) => {
          const networks = labNetworks(plain), { uniform } = geolab.random(2);
          const plan = { coarse: [3, 5], fine: [5, 9], taps: [5, 5], step: 2, apart: 1, before: [2, 2], channels: 7 };
          const weights = Float64Array.from({ length: 25 * 7 * 11 }, uniform);
          const layer = networks.layer(plan, 11, (tap, c, l) => weights[(tap * 7 + c) * 11 + l], ["spread", "collect"]);
          const x = networks.floats(15 * 11), y = networks.floats(45 * 7), z = networks.floats(15 * 16);
          x.forEach((_, i) => { x[i] = uniform() - 0.5; });
          layer.spread(x, y);
          layer.collect(y, z);
          return [Array.from(y), Array.from(z)];
        })"""
    )
    for ours, theirs in zip(fast, plain, strict=True):
        assert ours != theirs  # other round-off, or one of the two was not taken
        assert close(ours, theirs, 20)
