import numpy as np

from geolib import studies
from geolib.studies.rnn_fwi.starts import STUDY as study
from tests.conftest import computed

SMALL = {"optimisers": ("gd", "cg"), "gd_rates": (0.2, 0.4), "iterations": 3}


def test_the_list_is_run_in_each_setting_and_judges_by_the_chapter_s_names():
    config = study.Config(**SMALL)
    units = studies.run(study, config).units
    assert set(units) == {"sigma10-gd-0.2-f64", "sigma10-gd-0.4-f64", "sigma10-cg-f64"}
    found = study.variants(config, units)
    assert set(found) == {"start smoothed over 10 cells"}
    assert found["start smoothed over 10 cells"]["gd_slower_at_0.2"].value in (0, 1)
    assert study.measures(config, units) == {}
    # It is the descent that the chapter makes in that setting.
    chapter = studies.get("rnn_fwi")
    ((_, same),) = computed(chapter, chapter.Config(iterations=3), ["sigma10-gd-0.4-f64"])
    np.testing.assert_array_equal(same["misfit"], units["sigma10-gd-0.4-f64"]["misfit"])


def test_all_methods_and_rates_are_run_from_every_start():
    names = study.names(study.Config.preset("paper"))
    assert len(names) == len(set(names)) == 4 * (4 + 5 + 5 + 4 + 4 + 4 + 3)


def test_a_descent_is_rechecked_by_its_beginning():
    config = study.Config(**SMALL)
    (unit,) = (unit for unit in study.units(config) if unit.name == "sigma10-cg-f64")
    ((_, arrays),) = study.compute(config, [unit])
    check = study.recheck(config, unit, arrays, 1.0)
    assert "evaluations" in check.how
    for name, again in check.compute().items():
        np.testing.assert_allclose(again, check.stored[name], rtol=1e-9)
