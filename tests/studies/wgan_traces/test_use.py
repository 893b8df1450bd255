import numpy as np
import pytest

from geolib import studies
from geolib.runs.measure import Measure
from geolib.studies.wgan_traces import use, use_words
from geolib.studies.wgan_traces.use import STUDY as study


@pytest.fixture(scope="module")
def sets():
    return use.Sets(study.Config(labelled=(60,), n_test=60, n_generated=60))


def test_the_rule_reads_the_labels_of_modelled_traces(sets):
    labels = sets.rule.label(sets.test.traces)
    assert len(labels.time) == len(sets.test.time)
    close = np.abs(labels.time - sets.test.time) <= use.CLOSE / use.SAMPLING
    assert close.mean() > 0.9 and (labels.polarity == sets.test.polarity).mean() > 0.9
    assert use.hits(use._judge_rule(sets)).mean() > 0.9


def test_a_trace_without_an_event_after_the_delay_has_no_label(sets):
    early = np.zeros((2, 499), dtype=np.float32)
    early[:, 3] = 1
    assert len(sets.rule.label(early).time) == 0 and sets.rule.delay > 3


def test_altered_traces_keep_their_labels(sets):
    altered = use._altered(sets.test, np.random.default_rng(0))
    moved = np.abs(altered.time - sets.test.time)
    assert moved.max() <= use.SHIFT and moved.mean() > use.SHIFT / 4
    # What is shifted out of the window, or turned over, must be so in trace and label alike.
    kept = altered[altered.time >= 2]  # what is picked before the delay has no label by the rule
    read = sets.rule.label(kept.traces)
    assert (np.abs(read.time - kept.time) <= 3).mean() > 0.9
    assert (read.polarity == kept.polarity).mean() > 0.9
    assert 0.2 < (altered.polarity != sets.test.polarity).mean() < 0.8


def test_a_picker_learns(sets):
    config = study.Config(labelled=(60,), n_test=60, steps=100, batch=32, noise=0.02)
    found = use._train(config, use.Sets(config), use.Picker("real", 60, 1))
    untrained = use._train(study.Config(labelled=(60,), n_test=60, steps=1), sets, use.Picker("real", 60, 1))
    assert use.hits(found).mean() > use.hits(untrained).mean() + 0.15


def test_every_picker_has_its_own_labelled_traces_and_all_the_same_test(sets):
    one, other = (sets.of(use.Picker("real", 30, seed)) for seed in (1, 2))
    assert not np.array_equal(one.time, other.time)
    np.testing.assert_array_equal(one.time, sets.of(use.Picker("both", 30, 1)).time)
    results = studies.run(study, study.Config())
    assert set(results.units) == set(study.names(study.Config()))
    measures = study.measures(study.Config(), results.units)
    assert {"use_rule", "use_generated", "use_both_20", "use_gain_over_real_20"} <= set(measures)


def test_gains_are_paired_by_seed():
    def unit(share):
        right = np.arange(100) < 100 * share
        return {"time_error": np.zeros(100), "polarity_right": right}

    made = {"real": (0.5, 0.7), "both": (0.6, 0.8), "altered": (0.8, 0.9)}
    units = {use.Picker(s, 50, i).name: unit(v) for s, values in made.items() for i, v in enumerate(values)}
    found = study.measures(study.Config(), units)
    assert found["use_gain_over_real_50"].value == pytest.approx(0.1)
    assert found["use_gain_over_altered_50"].value == pytest.approx(-0.15)


def test_what_is_told_follows_the_gain():
    def measures(few, many):
        shares = {f"use_{source}_{n}": (0.5, 0.4, 0.6) for n in (50, 500) for source in ("real", "altered", "both")}
        gains = {
            f"use_gain_over_{rival}_{n}": each for rival in ("real", "altered") for n, each in ((50, few), (500, many))
        }
        rest = {"use_rule": (0.98, 0.97, 0.99), "use_generated": (0.6, 0.5, 0.7)}
        return {name: Measure(v, low, high, 3) for name, (v, low, high) in {**shares, **gains, **rest}.items()}

    found = measures((0.1, 0.05, 0.15), (-0.03, -0.04, -0.02))
    counts, rows, alone = use_words.drawn(found)
    assert counts == [50, 500] and rows["both"].shape == (2, 3) and alone.tolist() == [0.6, 0.5, 0.7]
    assert use_words.message(found) == "Mixed in: +10 points with 50 traces, −3 points with 500"
    both = use_words.change(found | {"use_both_50": Measure(0.6, 0.5, 0.7, 3)})
    few = "from 50 % to 60 % with 50 labelled traces (+10 points, +5 to +15)"
    assert both == f"{few} and from 50 % to 50 % with 500 labelled traces (−3 points, −4 to −2)"
    alone = {name: each for name, each in found.items() if not name.endswith("500")}
    assert use_words.change(alone | {"use_both_50": Measure(0.6, 0.5, 0.7, 3)}) == few
    assert "With 500 labelled traces" in use_words.told(found, 0.9) and "3 trainings" in use_words.told(found, 0.9)
    assert "it can label 90 %" in use_words.told(found, 0.9) and "chance" not in use_words.told(found, 0.9)
    unsure = measures((0.01, -0.02, 0.04), (0, 0, 0))
    assert "+1 points, −2 to +4, which may be chance" in use_words.told(unsure, 0.9)
    assert use_words.message(unsure) == "Mixed in: no clear change with 50 traces, no clear change with 500"


def test_a_small_run_of_one_size_and_one_seed_is_told_once():
    results = studies.run(study, study.Config())
    told = use_words.told(study.measures(study.Config(), results.units), 1.0)
    assert told.count("With 20 labelled traces") == 1 and "(1 training of each kind)" in told
    assert "−0" not in told and " to " not in told


def test_more_seeds_train_where_labels_are_fewest_and_the_text_says_so():
    config = study.Config(labelled=(50, 500), n_seeds=1, n_scarce=3)
    extra = [unit for unit in study.units(config) if isinstance(unit, use.Picker) and unit.seed > 1]
    assert {(unit.n, unit.seed) for unit in extra} == {(50, 2), (50, 3)} and len(extra) == 6
    assert study.units(study.Config(labelled=(50, 500), n_seeds=3)) == study.units(
        study.Config(labelled=(50, 500), n_seeds=3, n_scarce=2)
    )
    right = {"time_error": np.zeros(4, np.float32), "polarity_right": np.ones(4, bool)}
    units = {unit.name: right for unit in study.units(config)}
    units["rule"] |= {"share": np.array(0.1), "labelled_share": np.array(1.0)}
    assert "1 training of each kind, 3 with 50 labels" in use_words.told(study.measures(config, units), 1.0)
