import json
import math
import re
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolib import studies
from geolib.runs import config


@dataclass(frozen=True)
class Example(config.Config):
    steps: int = config.param(10, "steps to make", paper=1000, low=1, high=5000)
    rate: float = config.param(0.1, "learning rate", low=0.0, unit="m/s")
    rules: tuple[str, ...] = config.param(("gd", "adam"), "optimisers", choices=("gd", "adam", "lbfgs"))
    smooth: bool = config.param(False, "smooth the start")
    trials: int = config.param(2, "repetitions", low=1, extent=True)

    def check(self):
        if self.smooth and self.steps > 100:
            raise ValueError("steps must be at most 100 with smooth; reduce steps.")


@dataclass(frozen=True)
class Listed(config.Config):
    rates: tuple[float, ...] = config.param((0.1, 0.2), "what to run", extent=True)
    ends: tuple[float, ...] = config.param((0.0, 1.0), "a range")


def test_what_there_is_to_run_is_named_once():
    with pytest.raises(ValueError, match=r"rates must have entries that differ; got 0\.2,0\.2\. Name each once"):
        Listed(rates="0.2,2e-1")
    assert Listed(ends=(1.0, 1.0)).ends == (1.0, 1.0)


def test_presets_and_changes():
    assert Example.preset().steps == 10
    assert Example.preset("paper", rate=0.5).changes() == {"steps": 1000, "rate": 0.5}


def test_values_from_a_command_line_are_coerced():
    made = Example(steps="1e3", rate="1e-3", rules="gd, lbfgs", smooth="false")
    assert (made.steps, made.rate, made.rules, made.smooth) == (1000, 1e-3, ("gd", "lbfgs"), False)


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"stepz": 3}, ValueError, "parameter 'stepz' is unknown to this study. Did you mean 'steps'?"),
        ({"steps": 1.5}, ValueError, "steps must be a whole number; got 1.5. Take 2."),
        ({"steps": 6000}, ValueError, "steps must be between 1 and 5000; got 6000. Choose a value in that range."),
        ({"rate": math.nan}, ValueError, "rate must be finite; got nan. Give an ordinary number."),
        ({"rate": "fast"}, TypeError, "rate must be a number; got 'fast'. Give digits, such as 1e-3."),
        ({"rules": "adan"}, ValueError, "rules must be one of gd, adam, lbfgs; got 'adan'. Did you mean 'adam'?"),
        ({"rules": ""}, TypeError, "rules must be a list with at least one entry; got []. Separate by commas."),
        ({"smooth": True, "steps": 200}, ValueError, "steps must be at most 100 with smooth; reduce steps."),
    ],
)
def test_refusals(changes, kind, message):
    with pytest.raises(kind, match=re.escape(message) + "$"):
        Example.preset(**changes)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match=r"preset must be one of quick, paper; got 'papr'\. Did you mean 'paper'\?"):
        Example.preset("papr")


def test_key_ignores_the_extent_and_nothing_else():
    assert Example(trials=9).key() == Example().key()
    assert Example(rate=0.2).key() != Example().key()


def test_describe_is_json_with_the_documented_keys():
    rows = json.loads(json.dumps(Example.describe()))
    assert [list(row) for row in rows] == [["name", "type", "default", "paper", "range", "unit", "help"]] * 5
    assert rows[0]["range"] == [1, 5000]
    assert rows[2]["type"] == "list of str"


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@pytest.mark.parametrize("name", studies.NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_value_of_any_parameter_is_taken_or_refused_in_one_line(name, data):
    kind = studies.get(name).Config
    parameter = data.draw(st.sampled_from([row["name"] for row in kind.describe()]))
    value = data.draw(JUNK)
    try:
        made = kind.preset(**{parameter: value})
    except (TypeError, ValueError) as error:
        assert "\n" not in str(error)
        assert len(str(error)) > 20
    else:
        # What was taken is of the declared kind and survives the way through JSON.
        assert kind(**made.as_dict()) == made


@pytest.mark.parametrize("name", studies.NAMES)
def test_paper_presets_are_valid_and_differ_from_quick(name):
    kind = studies.get(name).Config
    assert kind.preset("paper") != kind.preset("quick")


PARAMETERS = {name: getattr(Example(), name) for name in ("steps", "rate", "rules", "smooth", "trials")}


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("# Parameters\nstep = 5\n", r"parameter 'step' is unknown to this study\. Did you mean 'steps'\?"),
        ("steps: int = 5  # as in the first cell\nsmoth: bool = True", r"parameter 'smoth' is unknown"),
        ('rats = float("nan")', r"parameter 'rats' is unknown"),
    ],
)
def test_a_misspelt_parameter_of_plain_papermill_stops_the_page(cell, line):
    with pytest.raises(ValueError, match=line):
        Example.from_namespace({**PARAMETERS, "In": ["", cell, "import os"]})


def test_other_cells_of_a_notebook_are_left_alone():
    cells = ["", "steps = 10", "%matplotlib inline", "figure = plot(steps)\nn = 3", "import os", "broken ="]
    assert Example.from_namespace({**PARAMETERS, "In": cells}) == Example()


def test_a_lost_parameter_is_named():
    with pytest.raises(ValueError, match=r"parameter rate must be set; it is not"):
        Example.from_namespace({name: value for name, value in PARAMETERS.items() if name != "rate"})
