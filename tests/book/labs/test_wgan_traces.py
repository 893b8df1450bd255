"""The laboratory of the traces' GAN against geolib, with the same weights: what the page makes of its eight bits."""

import base64
import shutil

import numpy as np
import pytest
import torch

from geolib import studies
from geolib.book import labs
from geolib.book.labs import wgan_traces as data
from geolib.gans import wgan
from geolib.metrics.samples import amplitude_spectrum, first_event
from tests.book.labs.conftest import PAGE
from tests.conftest import ROOT

pytestmark = pytest.mark.browser

ROUND = 2.0**-23


@pytest.fixture(scope="module")
def networks():
    return data.dequantised(wgan.weights_path())


@pytest.fixture(scope="module")
def core(open_core):
    """A page with the mathematics alone: `lab`, `generate(latent)` and `judge(trace)`."""
    page = open_core("wgan_traces")
    page.evaluate("""() => {
      const { network } = geolab.decode(geolab.data.wgan_traces), lab = labTraces(labNetworks());
      const weights = Object.fromEntries(Object.entries(network.weights).map(([name, values]) =>
        [name, { shape: values.shape, values }]));
      Object.assign(window, { lab, weights, generate: lab.generator(weights), judge: lab.critic(weights) });
    }""")
    return page


@pytest.fixture(scope="module")
def latents():
    return wgan.draw_latents(40, torch.Generator().manual_seed(11))


@pytest.fixture(scope="module")
def traces(networks, latents):
    with torch.no_grad():
        return networks.generator(latents).numpy()


def close(ours, theirs, factor):
    theirs = np.asarray(theirs, dtype=float)
    return np.abs(np.asarray(ours, dtype=float) - theirs).max() <= factor * ROUND * np.abs(theirs).max()


def test_the_weights_are_the_same(core, networks):
    for name, value in networks.generator.state_dict().items():
        if value.is_floating_point():
            got = core.evaluate("name => Array.from(weights[name].values)", f"generator.{name}")
            assert np.array_equal(np.float32(got), value.flatten().numpy()), name


@pytest.mark.parametrize(("seed", "low"), [(1, -1.0), (4_000_000_000, -1.0), (7, 0.0)])
def test_latents_are_those_of_torch(core, seed, low):
    theirs = wgan.draw_latents(9, torch.Generator().manual_seed(seed), low)
    ours = core.evaluate("([seed, low]) => Array.from(lab.drawLatents(seed, 9, low))", [seed, low])
    assert np.array_equal(np.float32(ours), theirs.flatten().numpy())


def test_traces(core, latents, traces):
    for latent, trace in zip(latents[:5], traces[:5, 0], strict=True):
        assert close(core.evaluate("z => Array.from(generate(z))", latent.flatten().tolist()), trace, 100)


def test_scores(core, networks, traces):
    theirs = wgan.score(networks.critic, traces[:5])
    ours = core.evaluate("x => x.map(judge)", traces[:5, 0].tolist())
    assert close(ours, theirs, 100)
    assert core.evaluate("() => judge(new Float64Array(499))") == pytest.approx(
        float(wgan.score(networks.critic, np.zeros((1, 1, 499), np.float32))[0]), rel=100 * ROUND
    )


def test_spectra(core, traces):
    frequencies, _ = amplitude_spectrum(traces[:2], 0.004)
    ours = core.evaluate("x => x.map((t) => Array.from(lab.spectrum(t)))", traces[:2, 0].tolist())
    assert close(np.mean(ours, axis=0), amplitude_spectrum(traces[:2], 0.004)[1], 1)
    assert close(core.evaluate("() => Array.from(lab.frequencies)"), frequencies, 1)


def test_first_events(core, traces):
    hard = np.zeros((6, 1, 499))
    hard[0, 0, :3] = [5, 1, 0]  # the first sample is no extremum
    hard[1, 0, 7:10] = -1  # of a plateau the last counts
    hard[2, 0, [20, 40]] = [0.5, -1]  # exactly half
    hard[3, 0, [20, 40]] = [0.4999, -1]
    hard[4, 0, -1] = 1
    both = np.concatenate([traces.astype(float), hard])
    times, signs = first_event(both, 0.004)
    ours = core.evaluate("x => x.map(lab.firstEvent)", both[:, 0].tolist())
    assert [each["polarity"] for each in ours] == signs.tolist()
    found = np.array([np.nan if each["time"] is None else each["time"] for each in ours])
    assert np.array_equal(np.isnan(found), np.isnan(times))
    assert np.allclose(found, times, equal_nan=True, atol=1e-12, rtol=0)
    assert set(signs) == {-1, 0, 1}


def test_what_eight_bits_change_is_said(networks):
    """Taken anew on other draws: the stated error is of the right size, and neither nothing nor everything."""
    stated = data.network(wgan.weights_path())["eight_bits"]
    full = wgan.load_pretrained()
    latents = wgan.draw_latents(200, torch.Generator().manual_seed(99))
    with torch.no_grad():
        a, b = full.generator(latents).numpy(), networks.generator(latents).numpy()
    moved = np.sqrt(np.square(a - b).mean() / np.square(a).mean())
    scores = np.abs(wgan.score(full.critic, a) - wgan.score(networks.critic, b)).mean()
    assert 0.5 < stated["trace"] / moved < 2
    assert 0.5 < stated["score"] / scores < 2
    assert 1e-3 < stated["trace"] < 0.05
    assert stated["score"] < 0.2 * stated["score_spread"]


def test_its_real_traces_are_those_of_the_chapter():
    study = studies.get("wgan_traces")
    found, chapter = data.real(), studies.shipped(study).units["data"]
    share = study.measures(study.Config(), {"data": chapter})["real_positive_share"]
    assert found["positive"] == share.value and found["counted"] == share.n
    shown = np.frombuffer(base64.b64decode(found["traces"]["data"]), "<f2").reshape(-1, 499)
    theirs = chapter["traces"]
    assert close(shown[: len(theirs)], theirs, 2.0**13)  # half precision


def test_the_spectrum_reaches_as_far_as_the_chapter_speaks_of_it(open_lab):
    page = open_lab("wgan_traces-epochs")
    page.evaluate("""() => {
      const axes = geolab.axes, lab = geolab.labs['wgan_traces-epochs'];
      window.seen = [];
      geolab.axes = (pen, options) => { seen.push(options); return axes(pen, options); };
      lab.box.redraw();
    }""")
    page.wait_for_function("() => seen.some((o) => o.xlabel === 'frequency, Hz')")
    (drawn,) = page.evaluate("() => seen.filter((o) => o.xlabel === 'frequency, Hz').slice(0, 1)")
    assert drawn["x"][1] == pytest.approx(124.75, abs=0.01) and drawn["ylog"]
    assert drawn["y"][0] < float(np.min(studies.shipped(studies.get("wgan_traces")).units["data"]["spectrum"]))


def test_the_page_names_the_epochs_that_there_are():
    text = " ".join((ROOT / "book" / "labs.md").read_text(encoding="utf-8").split())
    epochs = sorted(data.files())
    assert f"{', '.join(map(str, epochs[:-1]))} and {epochs[-1]}" in text


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory):
    """The laboratory's scripts where another epoch is shipped: here a generator that is turned upside down.

    Its epoch is one that is not shipped: the name of a shipped one stands for its training.
    """
    folder, main = tmp_path_factory.mktemp("results"), wgan.weights_path()
    for path in (main, *main.parent.glob("wgan_traces-bfloat16.nc"), *main.parent.glob("digests.json")):
        (folder / path.name).symlink_to(path)
    early = wgan.load_pretrained(main)
    with torch.no_grad():
        early.generator[-1].weight.mul_(-1)
        early.generator[-1].bias.mul_(-1)
    changed = wgan.Pretrained(early.generator, early.critic, early.scale, early.latent_low, 7)
    (folder / "wgan_traces-epoch0007.safetensors").write_bytes(wgan.pack_weights(changed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geolib.runs.paths.results", lambda: folder)
        return data.scripts()


def test_every_shipped_epoch_has_a_script_of_its_own(two_epochs):
    assert set(two_epochs) == {"wgan_traces", "wgan_traces-0007"}
    assert two_epochs["wgan_traces"]["epochs"] == [7, wgan.load_pretrained().epoch]
    assert two_epochs["wgan_traces-0007"]["network"]["file"] == "wgan_traces-epoch0007.safetensors"


def test_the_latent_stays_where_the_epoch_changes(two_epochs, site, chrome, tmp_path):
    shutil.copytree(site / "_static", tmp_path / "_static")
    for name, entries in two_epochs.items():
        (tmp_path / "_static" / "lab" / "data" / f"{name}.js").write_bytes(labs.script(name, entries))
    path = tmp_path / "page.html"
    text = PAGE.format(name="wgan_traces-epochs", theme="light")
    path.write_text(labs.attach(text, path, tmp_path), encoding="utf-8")
    page = chrome.new_page()
    page.goto(path.as_uri())
    page.wait_for_function("() => window.geolabReady")
    page.evaluate("() => { window.lab = geolab.labs['wgan_traces-epochs']; }")
    assert page.evaluate("() => Object.keys(lab.networks).length") == 1  # the other waits until it is asked for
    late = page.evaluate("() => Array.from(lab.view.trace)")
    asked = "() => [...document.scripts].filter((s) => s.src.endsWith('-0007.js')).length"
    assert page.evaluate(asked) == 0
    page.get_by_label("Networks after epoch").focus()  # the reader reaches for it, and it comes before it is asked for
    page.wait_for_function("() => lab.known.has(7)")
    assert page.evaluate(asked) == 1 and page.evaluate("() => lab.view.epoch") != 7
    page.get_by_label("Networks after epoch").press("Home")
    page.wait_for_function("() => lab.view.epoch === 7")
    early = page.evaluate("() => Array.from(lab.view.trace)")
    assert np.allclose(early, -np.array(late), atol=1e-6)
    page.get_by_text("Check against the package").click()
    page.locator(".gl-check tbody tr").nth(9).wait_for(timeout=120_000)
    assert all("agrees" in row for row in page.locator(".gl-check tbody tr").all_inner_texts())
    page.close()
