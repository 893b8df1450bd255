"""Messages of the appendix's figures are made from what is drawn, whatever it is."""

import numpy as np
import pytest

from geolib.runs.measure import Measure
from geolib.studies.wgan_traces import titles as traces


def test_titles_of_traces_hold_their_numbers():
    assert "; 75 % of their traces" in traces.draws({"event_polarity": np.array([1, 1, 1, -1])})
    judge = {"score_history": np.array([-9.0, -11.0]), "score_validation": np.array([-10.0, -10.0])}
    assert traces.history(judge, 100).endswith(": the last generator is 1.0 below real traces")
    found = {"generated_depth": 4.2, "generated_depth_kept_back": 200.1}
    found |= {"gathers_moveout": 14.0, "gathers_moveout_floor": 4.0}
    measures = {name: Measure(value) for name, value in found.items()}
    assert traces.ordered(measures) == "Median error of depth: 4 m; 200 m where none was trained on"
    assert "3.5 times as far" in traces.gathers(measures)


@pytest.mark.parametrize("epoch", [None, 12])
def test_a_rule_that_does_not_stop_is_counted(monkeypatch, epoch):
    rules = {"test": None, "test_impatient": epoch, "naive": 3}
    monkeypatch.setattr(traces.stopping, "rules", lambda _: rules)
    told = traces.stops({"a": {}, "b": {}})
    assert told == f"Patience 10 stops 0 of 2 trainings, patience 3 stops {0 if epoch is None else 2} of 2"
