import numpy as np
import pytest

from geolib import studies
from geolib.book import claims, rules
from geolib.runs import paths
from geolib.runs.measure import Measure
from geolib.studies.gan_101 import seeds, words
from geolib.studies.gan_101.seeds import STUDY as study
from geolib.studies.gan_101.units import DRAWN, SEEDED, Seeded
from tests.conftest import computed

SMALL = {"labels": ("likelihood", "value", "mixture", "unaided"), "n_samples": 100, "mixture_iterations": 50}


@pytest.fixture(scope="module")
def tiny():
    config = study.Config(**SMALL, n_draws=2)
    return config, studies.run(study, config).units


def test_the_seeds_are_others_than_the_chapter_s_and_draws_have_enough_for_a_rare_exception():
    units = study.units(study.Config.preset("paper"))
    by_label = {label: [unit.seed for unit in units if unit.label == label] for label in SEEDED}
    for label, found in by_label.items():
        assert found == list(range(1, (60 if label in DRAWN else 12) + 1))
    assert len(by_label["likelihood"]) >= rules.RARE
    assert [unit.seed for unit in units] == sorted(unit.seed for unit in units)  # a part can be judged


def test_sizes_are_the_chapter_s():
    chapter = studies.get("gan_101").Config
    for preset in ("quick", "paper"):
        ours, theirs = study.Config.preset(preset), chapter.preset(preset)
        assert (ours.n_samples, ours.mixture_iterations) == (theirs.n_samples, theirs.mixture_iterations)


def test_with_the_chapter_s_seed_it_is_the_chapter_s_experiment(tiny):
    config, _ = tiny
    chapter = studies.get("gan_101")
    own = chapter.Config(n_samples=100, mixture_iterations=50)
    labels = ["likelihood", "value", "mixture"]
    units = dict(computed(chapter, own, labels))
    theirs = chapter.measures(own, units)
    for unit, arrays in study.compute(config, [Seeded(label, 0) for label in labels]):
        for name in seeds.MEASURED[unit.label]:
            assert arrays[name] == theirs[f"{unit.label}.{name}"].value, (unit.name, name)


def test_every_experiment_with_chance_is_there_and_another_seed_draws_anew(tiny):
    config, units = tiny
    assert set(seeds.MEASURED) == set(SEEDED)
    assert set(units) == set(study.names(config)) and len(units) == 2 * 2 + 2
    one, other = (units[f"likelihood-seed-{seed}"]["sum_error"] for seed in (1, 2))
    assert one != other
    found = study.measures(config, units)
    assert found["seeds.likelihood.sum_error"].value == pytest.approx((one + other) / 2)
    assert found["seeds.mixture.jsd"].n == 1


def made(label, value):
    return {name: np.array(value) for name in seeds.MEASURED[label]}


def test_no_interval_reaches_beyond_what_a_measure_can_be():
    units = {f"turns-seed-{n}": made("turns", value) for n, value in enumerate((0.9, 1.0, 1.0), 1)}
    units |= {f"unaided-seed-{n}": made("unaided", value) for n, value in enumerate((0.0, 0.1, 1.0), 1)}
    units |= {f"value-seed-{n}": made("value", value) for n, value in enumerate((-1.0, 0.0, 0.5), 1)}
    found = study.measures(study.Config(), units)
    plain = Measure.mean([0.9, 1.0, 1.0])
    assert found["seeds.turns.accuracy_after"] == Measure(plain.value, plain.low, 1.0, 3) and plain.high > 1
    assert found["seeds.unaided.jsd"].low == 0 and found["seeds.value.monte_carlo_signed"].low < -1
    alone = study.measures(study.Config(), {"turns-seed-1": made("turns", 0.5)})
    assert alone["seeds.turns.accuracy_after"] == Measure(0.5, n=1)


def test_the_chapter_says_how_both_trainings_end_with_other_seeds():
    units = {f"{label}-seed-{n}": made(label, 0.01 * n) for label in ("mixture", "unaided") for n in (1, 2)}
    told = words.repeated(units)
    assert told.startswith("With 2 other seeds they are off by 0.01 and 0.01 in the mean, the")
    assert told.count("[") == 2
    assert words.repeated({name: run for name, run in units.items() if "mixture" in name}) == words.repeated({}) == ""


def test_a_statement_is_counted_and_so_are_trainings_that_go_unnoticed():
    units = {f"likelihood-seed-{n}": made("likelihood", float(n != 2)) for n in range(1, 5)}
    units |= {f"turns-seed-{n}": made("turns", value) for n, value in enumerate((0.3, 0.45, 0.5, 0.7), 1)}
    found = study.measures(study.Config(), units)
    assert found["seeds.likelihood.divergence_falls"] == Measure.count(3, 4)
    assert found["seeds.turns.unnoticed"] == Measure.count(2, 4)


def test_the_bar_in_the_code_is_that_of_the_ledger():
    (entry,) = (each for each in claims.load(paths.ledger()) if each.id == "gan_101.fig3b")
    assert (entry.rule, tuple(entry.setting)) == ("between", seeds.UNNOTICED)


def test_halves_of_the_seeds_are_another_choice():
    units = {f"value-seed-{n}": made("value", float(n)) for n in range(1, 7)}
    units |= {f"mixture-seed-{n}": made("mixture", float(n)) for n in range(1, 4)}
    found = study.variants(study.Config(), units)
    assert set(found) == set(seeds.HALVES)
    first, second = (found[choice] for choice in seeds.HALVES)
    assert first["seeds.value.monte_carlo_signed"].value == 2 and second["seeds.value.monte_carlo_signed"].value == 5
    assert first["seeds.mixture.jsd"].n == 1 and second["seeds.mixture.jsd"].n == 2
    assert study.variants(study.Config(), {"mixture-seed-1": made("mixture", 1.0)}) == {}


def test_a_unit_is_rechecked_whole(tiny):
    config, units = tiny
    check = study.recheck(config, Seeded("mixture", 1), units["mixture-seed-1"], 1.0)
    assert check.how == "computed whole" and set(check.stored) == set(units["mixture-seed-1"])
    assert check.gap()[0] == 0


def test_what_is_shipped_is_small_and_complete():
    results = studies.shipped(study)
    assert list(results.units) == study.names(study.Config.stored(results.config))
    assert len(results.units) == 4 * 12 + 2 * 60
    assert paths.shipped(study.name, "paper").stat().st_size < 500_000
