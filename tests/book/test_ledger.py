import re
import textwrap

import pytest
from scipy import stats

from geolib import studies
from geolib.book import ledger as claims
from geolib.book.ledger import Claim
from geolib.runs import paths
from geolib.runs.measure import Measure


def in_a_ledger(entries):
    """A ledger of these claims alone."""
    return "claims:\n" + textwrap.indent(entries, "  ") + "\nerrata: []\n"


def claim(rule, setting, published=(1.0,), measure=("m",)):
    return Claim("x", "gan_101", "p. 1", "text", tuple(published), tuple(measure), rule, setting)


def test_wilson_interval_agrees_with_scipy():
    ours = Measure.count(13, 100)
    theirs = stats.binomtest(13, 100).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-12)  # the same formula


def test_mean_interval_is_students():
    ours = Measure.mean([1.0, 2.0, 4.0])
    theirs = stats.ttest_1samp([1.0, 2.0, 4.0], 0).confidence_interval()
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-12)
    assert Measure.mean([3.0]) == Measure(3.0, n=1)
    assert Measure.mean([0.0] * 6) == Measure(0.0, n=6)  # no spread seen is no interval of width zero


@pytest.mark.parametrize(
    ("entry", "measure", "expected"),
    [
        (claim("compatible", 100, [13]), Measure.count(3, 20), "reproduced"),
        (claim("compatible", 100, [13]), Measure.count(1, 8), "partly"),  # too few trials to say more
        (claim("compatible", 100, [13]), Measure.count(15, 20), "not reproduced"),
        (claim("close", 0.1, [10]), Measure(10.9), "reproduced"),
        (claim("close", 0.1, [10]), Measure(11.5), "partly"),
        (claim("close", 0.1, [-10]), Measure(-12.5), "not reproduced"),
        (claim("between", [None, 200]), Measure(150, 120, 180), "reproduced"),
        (claim("between", [None, 200]), Measure(150, 120, 220), "partly"),
        (claim("between", [100, None]), Measure(50), "not reproduced"),
        (claim("between", [None, 200]), Measure(210, 180, 240), "partly"),  # decides no more than 190 would
        (claim("between", [None, 200]), Measure(230, 210, 250), "not reproduced"),
        (claim("holds", True), Measure(1.0), "reproduced"),
        (claim("holds", True), Measure(0.4), "partly"),
        (claim("holds", True), Measure(0.0), "not reproduced"),
        (claim("equals", True, [15]), Measure(15), "reproduced"),
        (claim("equals", True, [15]), Measure(14), "not reproduced"),
        (claim("setting", True, [15]), Measure(15), "taken over"),
        (claim("setting", True, [15]), Measure(14), "not reproduced"),
        (claim("between", [None, 200]), Measure(float("nan")), "not reproduced"),
        (claim("between", [0, 1]), Measure(5.0, 0.2, 0.4), "partly"),  # a value outside its own interval
    ],
)
def test_verdicts_by_rule(entry, measure, expected):
    assert claims.verdict(entry, {"m": measure}) == expected


def test_several_numbers_make_one_verdict():
    entry = claim("equals", True, [1, 2], ["a", "b"])
    assert claims.verdict(entry, {"a": Measure(1), "b": Measure(2)}) == "reproduced"
    assert claims.verdict(entry, {"a": Measure(1), "b": Measure(3)}) == "partly"
    assert claims.verdict(entry, {"a": Measure(0), "b": Measure(3)}) == "not reproduced"
    assert claims.verdict(entry, {"a": Measure(1)}) == "not run yet"


ENTRY = "- {id: a, paper: p, place: q, claim: c, published: 1, measure: m, rule: {close: 0.1}}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{a: 1}", "claims of ledger"),
        ("- [", "must be readable YAML"),
        (ENTRY + ENTRY, "claim id must be unique; 'a' comes twice. Rename one."),
        (ENTRY.replace("claim: c, ", ""), "claim a must have the keys"),
        (ENTRY.replace("{close: 0.1}", "close"), "claim a must have one rule with its setting; got 'close'"),
        (ENTRY.replace("close: ", "clos: "), "rule of claim a must be one of"),
        (ENTRY.replace("close: 0.1", "close: -0.5"), "a setting that rule close knows; got -0.5"),
        (ENTRY.replace("close: 0.1", "close: .nan"), "a setting that rule close knows; got nan"),
        (ENTRY.replace("close: 0.1", "holds: false"), "a setting that rule holds knows; got False"),
        (ENTRY.replace("close: 0.1", "between: [2, 1]"), "a setting that rule between knows; got [2, 1]"),
        (ENTRY.replace("close: 0.1", "between: [0, 1, 7]"), "a setting that rule between knows; got [0, 1, 7]"),
        (ENTRY.replace("close: 0.1", "compatible: 100.9"), "a setting that rule compatible knows; got 100.9"),
        (ENTRY.replace("published: 1", "published: [1, 2, 3]"), "as many numbers as it measures; got 3 and 1"),
    ],
)
def test_damaged_ledgers_are_refused(tmp_path, text, message):
    path = tmp_path / "claims.yml"
    path.write_text(in_a_ledger(text))
    with pytest.raises(ValueError, match=re.escape(message)):
        claims.load(path)


def test_the_ledger_covers_the_four_papers_and_types_no_verdict():
    ledger = claims.load(paths.ledger())
    assert {entry.paper for entry in ledger} == set(studies.NAMES)
    # Tables 2 and 3 of the latent-space paper have 24 rows each.
    rows = [entry for entry in ledger if re.match(r"Table [23]\b", entry.place) and entry.paper == "latent_inversion"]
    assert len([entry for entry in rows if entry.rule == "compatible"]) == 48
    for path in paths.ledger().glob("*.yml"):
        assert not re.search(r"^\s*verdict\s*:", path.read_text(), re.M)


def test_side_by_side_shows_what_is_missing():
    table = claims.side_by_side([claim("close", 0.1, [2.0])], {}, {"m": Measure(2.05, 2.0, 2.1)})
    assert table.splitlines()[-1] == "| p. 1 | text | 2 | — | 2.05 [2, 2.1] | not run yet |"
