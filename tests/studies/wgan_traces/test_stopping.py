import numpy as np
import pytest

from geolib import studies
from geolib.studies.wgan_traces import stopping
from geolib.studies.wgan_traces.stopping import STUDY as study


@pytest.fixture(scope="module")
def units():
    return studies.run(study, study.Config(n_seeds=1, n_epochs=12)).units


def test_a_training_is_followed_to_its_end(units):
    (arrays,) = units.values()
    assert len(arrays["mmd2"]) == len(arrays["swd"]) == 12 and len(arrays["p"]) == 2
    assert len(arrays["null_p"]) == 20 and ((arrays["null_p"] >= 0) & (arrays["null_p"] <= 1)).all()
    assert np.isfinite(arrays["mmd2"]).all()
    assert set(study.measures(study.Config(), units)) == {
        "early_test",
        "early_test_impatient",
        "early_naive",
        "null_share",
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5, 4, 3, 2, 1], None),
        ([5, 4, 4.5, 4.2, 4.1, 1], 5),
        ([5, 6, 7, 4, 5, 6, 7], 7),
    ],
)
def test_the_naive_rule_waits_three_epochs_for_a_new_least_value(values, expected):
    assert stopping.naive_epoch(np.array(values, dtype=float)) == expected


def test_what_was_missed_is_known_from_the_rest_of_the_training():
    falling = {"mmd2": np.concatenate([np.full(10, 1.0), np.full(10, 0.25)])}
    assert stopping.missed(falling, 8) == pytest.approx(4)
    assert stopping.missed(falling, 20) == pytest.approx(1)
    assert stopping.missed(falling, None) == 1
    rising = {"mmd2": np.linspace(1, 2, 20)}
    assert stopping.missed(rising, 10) == pytest.approx(1)  # nothing better came after


def test_a_stop_is_early_if_the_discrepancy_still_halves():
    p = np.full(20, 0.9)
    late = {"mmd2": np.concatenate([np.full(24, 1.0), np.full(6, 0.1)]), "p": p, "null_p": np.array([0.01, 0.5])}
    found = study.measures(study.Config(), {"seed-1": late})
    assert stopping.rules(late)["test"] == 20 and stopping.rules(late)["test_impatient"] == 13
    assert found["early_test"].value == 1 and found["null_share"].value == 0.5
