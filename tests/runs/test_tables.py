"""Tables, durations and ranges as readers see them."""

import pytest

from geolib.runs import tables


def test_a_table_is_not_padded_and_no_bar_ends_a_cell():
    made = tables.markdown(["", "Long head", "n"], [["a|b", "", 3], ["two\nlines", 0.5, 12]], "llr")
    assert made == "| | Long head | n |\n|---|---|--:|\n| a\\|b | | 3 |\n| two lines | 0.5 | 12 |"


def test_a_table_without_rows_says_why():
    assert tables.markdown(["a"], [], empty="Nothing yet.") == "| |\n|---|\n| *Nothing yet.* |"
    assert tables.markdown(["a"], []) == "| a |\n|---|"


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"^a row must have 2 cells; got \[1\]\. Give one for each head\.$"):
        tables.markdown(["a", "b"], [[1]])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.26, "0.3 s"), (93, "93 s"), (120, "2.0 min"), (7199, "120.0 min"), (7200, "2.0 h"), (180000, "2.1 days")],
)
def test_a_duration_has_the_unit_that_suits_it(seconds, text):
    assert tables.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "count", "text"),
    [
        (311.4, 2, "310"),
        (1987.0, 1, "2,000"),
        (26.823, 3, "26.8"),
        (0.056906, 3, "0.0569"),
        (99.99, 3, "100"),
        (1e-5, 1, "0.00001"),
        (0.0, 2, "0"),
        (-0.25, 1, "-0.2"),
        (float("inf"), 2, "inf"),
    ],
)
def test_a_number_is_written_as_a_person_would(value, count, text):
    assert tables.digits(value, count) == text


def test_what_is_allowed_is_told_in_full():
    assert tables.allowed([0, 2**31 - 1]) == "0 to 2,147,483,647"
    assert tables.allowed([1e-5, 1e7]) == "0.00001 to 10,000,000" and tables.allowed([None, 0.5]) == "… to 0.5"


def test_a_span_names_its_ends():
    assert tables.span(["2026-01-05", "2026-01-02"]) == "2026\u201101\u201102 to 2026\u201101\u201105"
    assert tables.span(["?"]) == "?" and tables.span([]) == "?"
