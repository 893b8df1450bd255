import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from geolib import studies
from geolib.book import ledger as claims
from geolib.gans import wgan
from geolib.runs import paths, store
from geolib.runs.config import PRESETS
from geolib.runs.measure import Measure
from geolib.runs.store import Store, read_unit
from geolib.studies.wgan_traces import data as wgan_data
from geolib.studies.wgan_traces import gallery, tables
from geolib.studies.wgan_traces import training as wgan_training
from geolib.studies.wgan_traces.study import STUDY as study
from tests.conftest import computed

TINY = {"n_traces": 12, "batch": 8, "seed": 3}


def config(n_epochs=2, **changes):
    return study.Config(n_epochs=n_epochs, **{**TINY, **changes})


def equal(a, b):
    return a.keys() == b.keys() and all(
        a[u].keys() == b[u].keys()
        and all(np.array_equal(a[u][k], b[u][k], equal_nan=a[u][k].dtype.kind == "f") for k in a[u])
        for u in a
    )


@pytest.fixture(scope="module")
def undisturbed():
    torch.set_num_threads(1)
    return studies.run(study, config(4)).units


def test_a_homogeneous_earth_returns_nothing():
    velocity = np.full((2, 4), 2000.0)
    traces = wgan_data.forward(velocity, np.full((2, 3), 200.0), 20.0)
    # The two runs are the same model: their difference is exactly zero.
    assert np.abs(traces).max() == 0


def test_reflections_come_in_time_with_the_right_sign_and_size():
    # One interface 400 m deep: hard below in the first model, soft in the second, both between the same two speeds.
    velocity = np.array([[2000.0, 3000, 3000, 3000], [3000.0, 2000, 2000, 2000]])
    thickness = np.full((2, 3), [400.0, 10, 10])
    hard, soft = wgan_data.forward(velocity, thickness, 20.0)
    source_depth = (wgan_data.SOURCE_ROW + 1) * wgan_data.SPACING
    for trace, v in ((hard, 2000.0), (soft, 3000.0)):
        # Primary and two ghosts: an antisymmetric doublet about the time of the path through the surface point.
        arrival = 1.5 / 20 + 2 * 400 / v
        window = slice(0, int((arrival + 0.2) / wgan_data.SAMPLING))
        first, last = sorted((trace[window].argmax(), trace[window].argmin()))
        centre = (first + last) / 2 * wgan_data.SAMPLING
        # One sample of 4 ms for the picks, half a cell (2.5 m) for the depth of the interface.
        assert centre == pytest.approx(arrival, abs=0.004 + 2.5 * 2 / v)
        assert (last - first) * wgan_data.SAMPLING < 4 * source_depth / v + 0.05
    # A positive source term pushes u down; constant density reflects it with (v2 - v1) / (v2 + v1), so that the first
    # lobe is negative above the hard layer and positive above the soft one.
    first_half = slice(0, hard.size // 2 + 40)
    assert hard[first_half].argmin() < hard[first_half].argmax()
    assert soft[first_half].argmin() > soft[first_half].argmax()


def test_the_data_are_deterministic_disjoint_and_normalised():
    data = wgan_data.dataset(config())
    again = wgan_data.dataset(config())
    assert np.array_equal(data.training, again.training)
    assert data.training.shape == (12, 1, 499) and data.validation.shape == data.test.shape == (12, 1, 499)
    # Single precision of 12 x 499 terms.
    assert np.abs(data.training).mean(dtype=np.float64) == pytest.approx(0.1, rel=1e-6)
    assert len(np.unique(data.velocity[:, 0])) == 36
    larger = wgan_data.dataset(config(n_traces=14))
    assert np.allclose(larger.velocity[:12], data.velocity[:12])


def test_models_keep_to_their_ranges():
    velocity, thickness = wgan_data.draw_models(config(), 500, np.random.default_rng(0))
    assert velocity.min() >= 1500 and velocity.max() <= 4500 and velocity.shape == (500, 4)
    assert thickness.min() >= 150 and thickness.max() <= 400 and thickness.shape == (500, 3)


@pytest.mark.parametrize(
    ("traces", "message"),
    [
        (np.ones((3, 500)), r"traces must have shape \(any, 499\); got \(3, 500\). Resample and trim"),
        (np.full((3, 499), np.nan), "traces must be finite; got 1497 NaN or infinite entries"),
        (np.ones((3, 499)), "traces must vary in time; got constant ones. Check the forward modelling."),
    ],
)
def test_unusable_traces_are_refused(traces, message):
    with pytest.raises(ValueError, match=message):
        wgan_data.amplitude_scale(traces)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 13}, "batch must be at most n_traces = 12; got 13. Reduce the batch."),
        ({"velocity": (3000.0, 2000.0)}, r"velocity must be two rising numbers; got \[3000.0, 2000.0\]"),
        ({"thickness": (200.0,)}, r"thickness must be two rising numbers; got \[200.0\]"),
        ({"velocity": (500.0, 2000.0)}, "velocity must be between 1000 and 5000 m/s; got 500"),
        ({"precision": "float16"}, "precision must be one of float32, bfloat16"),
        ({"init_std": float("nan")}, "init_std must be finite"),
    ],
)
def test_bad_parameters_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)


def test_paper_preset_is_the_papers():
    paper = study.Config.preset("paper")
    assert (paper.n_traces, paper.batch, paper.critic_steps) == (10_000, 64, 2)
    assert (paper.learning_rate, paper.penalty_weight) == (1e-4, 10.0)
    assert wgan_training.BETAS[0] == 0.5


@pytest.mark.parametrize("name", [*studies.NAMES, *studies.COMPANIONS])
def test_nothing_chooses_bfloat16_by_itself(name):
    for preset in PRESETS:
        found = studies.config_of(name).preset(preset).as_dict().get("precision", "float32")
        assert "bfloat16" not in found


@pytest.mark.parametrize(
    ("label", "key"),
    [("bfloat16", "v2-19d88844622fabf6"), ("init002", "v2-6c3d7b3526d254c6")],
)
def test_what_was_shipped_in_bfloat16_loads_under_its_key(label, key):
    results, found = store.load(paths.shipped("wgan_traces", label))
    shipped = study.Config(**results.config)
    assert found == studies.key(study, shipped) == key and shipped.precision == "bfloat16"
    assert dataclasses.replace(shipped, precision="float32").key() != shipped.key()


def test_a_run_in_bfloat16_does_not_replace_the_shipped_one(tmp_path):
    changed = study.Config.preset("paper", precision="bfloat16")
    with pytest.raises(ValueError, match=r"wgan_traces-paper.nc must hold .* publish under another name \(--as\)"):
        studies.publish(study, changed, "paper", folder=tmp_path, only_finished=True)


def test_epochs_extend_a_run(undisturbed, tmp_path):
    studies.run(study, config(2), folder=tmp_path)
    assert equal(studies.run(study, config(4), folder=tmp_path).units, undisturbed)


def test_a_run_stopped_between_state_and_unit_goes_on(undisturbed, tmp_path):
    names = study.names(config(4))
    store = Store(tmp_path)
    for name, arrays in computed(study, config(4), names, store.folder):
        if name == "epoch-0003":
            break  # the state of epoch 3 is on disk, its unit is not
        store.put(name, arrays, {})
    missing = [n for n in names if store.get(n) is None]
    assert missing == ["epoch-0003", "epoch-0004"]
    assert equal(dict(computed(study, config(4), missing, store.folder)), {n: undisturbed[n] for n in missing})


def test_a_lost_unit_is_assessed_again_without_training(undisturbed, tmp_path, monkeypatch):
    names = study.names(config(4))
    list(computed(study, config(4), names, tmp_path))

    def trained(*_):
        raise AssertionError("a kept epoch must not be trained again")

    monkeypatch.setattr(wgan_training, "run_epoch", trained)
    assert equal(dict(computed(study, config(4), names, tmp_path)), undisturbed)


def test_a_training_goes_on_from_its_state_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "LAG", 2)  # so that the third epoch looks back on all that there is
    (left, moved), whole, trained = (tmp_path / "left", tmp_path / "moved"), {}, []
    run_epoch = wgan_training.run_epoch
    monkeypatch.setattr(wgan_training, "run_epoch", lambda *a: trained.append(a[2].epoch + 1) or run_epoch(*a))
    names = ["epoch-0001", "epoch-0002", "epoch-0003"]
    for name, arrays in computed(study, config(3), names, left):
        whole[name] = arrays
        if name == "epoch-0002":
            moved.mkdir()
            shutil.copy(left / "state.unit", moved)
    assert "improvement_p" in whole["epoch-0003"] and len(whole["epoch-0003"]["score_history"]) == 3
    assert equal(dict(computed(study, config(3), names[1:], moved)), {name: whole[name] for name in names[1:]})
    assert trained == [1, 2, 3, 3]


def test_lost_networks_are_trained_again(undisturbed, tmp_path):
    names = study.names(config(4))
    list(computed(study, config(3), names[:4], tmp_path))
    (tmp_path / "networks-0002.unit").unlink()
    assert equal(dict(computed(study, config(4), names, tmp_path)), undisturbed)


def test_a_lost_early_epoch_is_computed_again(undisturbed, tmp_path):
    studies.run(study, config(3), folder=tmp_path)
    (path,) = tmp_path.glob("*/*/epoch-0001.unit")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.warns(UserWarning, match="must match its checksum"):
        assert equal(studies.run(study, config(4), folder=tmp_path).units, undisturbed)


def test_a_damaged_state_is_reported_and_replaced(undisturbed, tmp_path):
    studies.run(study, config(2), folder=tmp_path)
    (path,) = tmp_path.glob("*/*/state.unit")
    path.write_bytes(b"rubbish")
    with pytest.warns(UserWarning, match=r"state.unit must match its checksum; it does not"):
        assert equal(studies.run(study, config(4), folder=tmp_path).units, undisturbed)


def test_a_state_of_another_configuration_is_refused(tmp_path):
    list(computed(study, config(1), ["epoch-0001"], tmp_path))
    with pytest.raises(
        ValueError, match=r"checkpoint must be of this configuration \(.*\); got .*. Use another folder."
    ):
        list(computed(study, config(1, seed=4), ["epoch-0001"], tmp_path))


@pytest.mark.parametrize("wait_for", ["data.unit", "epoch-0002.unit"])
def test_a_killed_run_ends_like_an_undisturbed_one(undisturbed, tmp_path, wait_for):
    options = [item for pair in TINY.items() for item in ("-p", pair[0], str(pair[1]))]
    command = [
        sys.executable,
        "-m",
        "geolib",
        "study",
        "wgan_traces",
        "--folder",
        str(tmp_path),
        "-p",
        "n_epochs",
        "4",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    with subprocess.Popen([*command, *options], env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not list(tmp_path.glob(f"*/*/{wait_for}")):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    before = {
        path: read_unit(path)[1] for path in tmp_path.glob("*/*/*.unit") if path.stem.startswith(("data", "epoch"))
    }
    results = studies.run(study, config(4), folder=tmp_path)
    assert equal(results.units, undisturbed)
    assert before and all(results.records[path.stem] == record for path, record in before.items())  # nothing twice


def test_the_assessment_leaves_the_training_alone(undisturbed):
    # Real batches, latents and mixing draw from one generator; a longer history to score must not move it.
    training = torch.from_numpy(wgan_data.dataset(config()).training)
    kept = dict(wgan_training.epochs(config(), training, None, 4))  # trained without any look in between
    for epoch, arrays in kept.items():
        assert np.array_equal(arrays["curve.critic_loss"], undisturbed[f"epoch-{epoch:04d}"]["critic_loss"])


def test_what_is_shipped_has_the_measures_of_all(undisturbed):
    cfg = config()
    shipped = study.condense(undisturbed)
    assert study.measures(cfg, shipped) == study.measures(cfg, undisturbed)
    assert "nearest" not in shipped["epoch-0003"] and "nearest" in shipped["epoch-0001"]
    assert "nearest" in shipped["epoch-0004"]  # the last
    assert np.array_equal(shipped["epoch-0003"]["samples"], undisturbed["epoch-0003"]["samples"][: gallery.N_ANIMATED])
    assert "nearest" in undisturbed["epoch-0003"]  # what it was given stays as it is


def test_two_real_batches_for_each_pair(undisturbed):
    units = studies.run(study, config(1, reuse_real=False)).units
    assert len(units["epoch-0001"]["critic_loss"]) == len(undisturbed["epoch-0001"]["critic_loss"]) == 2
    assert not np.array_equal(units["epoch-0001"]["critic_loss"], undisturbed["epoch-0001"]["critic_loss"])


def test_measures_cope_with_any_subset(undisturbed):
    whole = study.measures(config(4), undisturbed)
    for kept in ([], ["data"], ["epoch-0001"], ["data", "epoch-0001"], ["epoch-0003"]):
        part = study.measures(config(4), {name: undisturbed[name] for name in kept})
        assert set(part) <= set(whole) | {"loss_correlation"}
        assert all(isinstance(m, Measure) for m in part.values())
    assert whole["generator_output"].value == 499
    assert whole["length_as_printed"].value == 817
    assert "fig_6_level_epoch" not in whole  # nothing is said about epoch 100 before it was run


def test_a_short_training_is_judged_by_its_last_critic_and_a_long_one_by_that_of_epoch_100(undisturbed):
    short = study.measures(config(4), undisturbed)
    last = max(name for name, arrays in undisturbed.items() if "score_validation" in arrays)
    gap = undisturbed[last]["score_generated"].mean(dtype=float) - undisturbed[last]["score_validation"].mean(
        dtype=float
    )
    assert short["last.score_gap"].value == pytest.approx(gap) and "score_gap" not in short
    long = {f"epoch-{e:04d}": dict(undisturbed[last]) for e in range(1, 101)}
    long["epoch-0100"]["penalty"] = np.full(3, 0.4)  # ten times the square of 0.2
    for number, arrays in enumerate(long.values()):
        arrays |= {"critic_loss": np.array([number]), "generator_loss": np.array([-number])}
        arrays["score_history"] = np.ones(100)
    found = study.measures(config(4), long)
    assert found["gradient_norm_deviation"].value == pytest.approx(0.2)
    assert "last.score_gap" not in found and found["score_gap"].value == pytest.approx(gap)


def test_the_shape_of_a_spectrum_is_told_without_its_loudness():
    real = np.array([1.0, 2.0, 3.0])
    run = [{"spectrum": np.ones(3)}, {}, {}, {}, {"spectrum": 9 * real}]
    assert tables._spectra(run, real)["spectrum_5_over_1"].value == pytest.approx(0)
    run[4] = {"spectrum": 0.01 * np.ones(3)}
    assert tables._spectra(run, real) == {"spectrum_5_over_1": Measure(pytest.approx(1))}


def test_shape_of_scores_has_intervals_and_the_bar_for_zeros_is_one_for_generated_traces():
    normal = np.random.default_rng(1).normal(size=1000)
    found = tables._shape_of_scores(normal)
    for name in ("real_score_skewness", "real_score_excess_kurtosis"):
        assert found[name].low < 0 < found[name].high and found[name] == tables._shape_of_scores(normal)[name]
    assert tables._shape_of_scores(np.exp(normal))["real_score_skewness"].low > 1
    few = np.zeros(3)
    scores = {"score_validation": normal, "score_zero": few, "score_noise": few - 9, "event_polarity": few}
    scores["score_training"] = normal
    for shift, among in ((-1.0, 1), (-3.0, 0)):
        assert tables._scores({**scores, "score_generated": normal + shift})["generated_among_real"].value == among


def test_a_deviation_of_0_2_is_below_the_default_of_the_function_that_sets_one(undisturbed):
    found = study.measures(config(4), undisturbed)
    assert found["normal_default_larger_than_0.2"].value == 1
    # Six layers of the critic scale with the deviation: less than a hundredth of the scores under one.
    assert found["initial_score_over_normal"].value < 0.01 < 1 < found["initial_score_over_default"].value


def test_noise_as_strong_as_the_traces_is_told_from_them_and_weaker_noise_is_not():
    epoch = studies.shipped(study).units["epoch-0100"]
    traces = studies.shipped(study).units["data"]["traces"].astype(float)
    noise = torch.randn(64, 1, wgan.N_SAMPLES, generator=torch.Generator().manual_seed(0)).numpy()
    critic, real = wgan.load_pretrained().critic, epoch["score_validation"]
    rms = np.float32(np.sqrt(np.square(traces).mean()))
    assert 3.5 < 1 / rms < 4.5
    assert wgan.score(critic, rms * noise).max() < real.min()
    assert real.min() < wgan.score(critic, rms * np.float32(0.4) * noise).max() < np.quantile(real, 0.025)


def test_every_claim_names_a_measure_that_can_come(undisturbed):
    from geolib.runs import paths

    ledger = [c for c in claims.load(paths.ledger()) if c.paper == "wgan_traces"]
    rng = np.random.default_rng(0)
    run = {f"epoch-{e:04d}": dict(undisturbed["epoch-0004"]) for e in range(1, 301)}
    for arrays in run.values():
        for name in ("critic_loss", "generator_loss", "swd"):
            arrays[name] = rng.random(3)
        arrays |= {"improvement_p": np.array(0.5), "score_history": np.concatenate([[9.0], np.ones(299)])}
    known = set(study.measures(config(4), {"data": undisturbed["data"], **run}))
    open_ones = {"paper.factor_1_to_ten_best", "factor_100_to_ten_best"}  # of the companion that varies the factor
    open_ones |= {f"use_gain_over_{rival}_50" for rival in ("real", "altered")}  # of the one that trains pickers
    assert {name for claim in ledger for name in claim.measure} - known <= open_ones


def test_twelve_of_fourteen_default_deviations_are_smaller():
    deviations = tables.default_deviations()
    rng = torch.Generator().manual_seed(0)
    torch_default = torch.nn.Conv1d(64, 64, 3)
    torch.nn.init.kaiming_uniform_(torch_default.weight, a=5**0.5, generator=rng)  # what the constructor does
    assert torch_default.weight.std().item() == pytest.approx(deviations[9], rel=0.02)  # 12 288 numbers
    assert len(deviations) == 14 and sum(d > 0.2 for d in deviations) == 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.01] * 8, None),
        ([0.5, 0.5, 0.01, 0.5, 0.5, 0.5], 16),
        ([0.5, 0.5, 0.5], 13),
        ([0.04, 0.5, 0.5], None),
    ],
)
def test_the_rule_stops_after_idle_tests_in_a_row(values, expected):
    assert tables.stopping_epoch({11 + i: p for i, p in enumerate(values)}, patience=3) == expected


def test_the_spread_of_a_collapsed_generator_is_zero():
    real = np.random.default_rng(0).standard_normal((8, 20))
    assert tables.spread(np.repeat(real[:1], 5, axis=0), real) == 0
    assert tables.spread(3 * real + 1, real) == pytest.approx(3)


def test_quality_table_has_a_row_for_each_measure(undisturbed):
    rows = tables.quality_rows(undisturbed, 4)
    table = tables.quality_table({"Ours": rows, "Theirs": rows})
    assert table.count("\n") == 1 + len(tables.QUALITY)
    assert table.startswith("| Measure | Ours | Theirs | Unseen") and table.count(str(rows[0]["generated"])) >= 2


def test_scores_level_off_where_they_stay():
    rising = np.concatenate([np.arange(20.0), 20 + 0.1 * (-1.0) ** np.arange(15)])
    assert tables.level_epoch(rising) == 21  # entry 20, the first of the even ones
    assert tables.level_epoch(np.ones(12)) == 1
    assert tables.level_epoch(np.arange(30.0)) is None  # still rising
    assert tables.last_history([{"score_history": np.ones(1)}, {"score_history": np.ones(2)}, {}]) == 2
