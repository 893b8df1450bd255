"""Numbers of the ledger are said as a person would say them."""

import math

import pytest

from geolib.book import said, verify


def row(value, rule="between", n=None, interval=None, published="small"):
    return {"ours": value, "rule": rule, "n": n, "interval": interval, "published": published}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (row(6.071e-16), "at most 1e-15"),
        (row(0.006721), "0.0067"),
        (row(0.1250001), "0.13"),
        (row(57.58), "58"),
        (row(1234.5), "1,234"),
        (row(817.0), "817"),
        (row(0.9997), "0.9997"),  # not one
        (row(0.99999), "1.000"),  # nor is this, but nobody needs five digits
        (row(1.026), "1.03"),
        (row(-0.72524), "-0.73"),
        (row(-7e-10), "at least -1e-9"),
        (row(None), "—"),
        (row([0.98861, 0.6377]), "0.99, 0.64"),
        (row(0.2757, interval=[0.2583, 0.2930]), "0.28 (0.26 to 0.29)"),
        (row(0.2757, interval=[0.2583, 0.2930], published=0.259), "0.276 (0.258 to 0.293)"),
        (row(1.199, interval=[1.1955, 1.203]), "1.199 (1.196 to 1.203)"),  # as many as tell them apart
        (row(1.202, interval=[1.0023, 1.4422]), "1.202 (1.002 to 1.442)"),  # an end above one stays there
        (row(0.9994, interval=[0.0, 0.9994]), "at most 0.9994"),  # the least of fewer runs
        (row(0.99941, interval=[0.0, 0.99941]), "at most 0.9995"),
        (row(1.003, interval=[0.6229, 1.6152]), "1.0 (0.62 to 1.6)"),  # which holds one anyway
        (row(0.19, n=100, interval=[0.12, 0.28]), "19 of 100"),
        (row(0.747, n=1000, interval=[0.72, 0.77]), "747 of 1,000"),
        (row(38 / 41, rule="always", n=41, interval=[None, None]), "38 of 41"),
        (row(0.25, rule="always"), "in 25 % of the cases"),
        (row([0.0, 1.0], rule="always"), "(1) in no case, (2) in every case"),
        (row([0.0, 1.0], rule="holds"), "(1) it does not hold, (2) it holds"),
        (row(0.5, rule="holds"), "it holds in 50 % of the cases"),
    ],
)
def test_a_number_of_ours_is_said_as_a_person_would(given, words):
    assert verify.ours(given) == words


def test_what_is_printed_keeps_its_digits():
    assert verify.listed([31000, 0.2425, "below 1", None]) == "31,000, 0.2425, below 1, —"


@pytest.mark.parametrize(("value", "words"), [(math.inf, "inf"), (math.nan, "nan"), (True, "True"), ("a", "a")])
def test_what_is_no_number_stays_as_it_is(value, words):
    assert said.together([value]) == [words]
