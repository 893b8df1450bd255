import json
import math
import re
import textwrap
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
import yaml
from scipy import stats

from geolib import studies
from geolib.book import ledger as claims
from geolib.book import ledger_page, links, plans, rules, said, verify
from geolib.book.ledger import Claim
from geolib.runs import paths
from geolib.runs.measure import Measure
from tests import references


def in_a_ledger(entries):
    """A ledger of these claims alone."""
    return "claims:\n" + textwrap.indent(entries, "  ") + "\nerrata: []\n"


def claim(rule, setting, published=(1.0,), measure=("m",)):
    kind = "comparison" if rule in ("between", "holds") else "number"
    measure = tuple(measure)
    return Claim("x", "gan_101", "p. 1", kind, "text", tuple(published), measure, rule, setting, decisive=measure)


def test_wilson_interval_agrees_with_scipy():
    ours = Measure.count(13, 100)
    theirs = stats.binomtest(13, 100).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-12)  # the same formula
    for k in range(41):  # to the bit, as the ends of shares too: verdicts are written down by these numbers
        ours, theirs = Measure.count(k, 40), stats.binomtest(k, 40).proportion_ci(method="wilson")
        assert (ours.low, ours.high) == (theirs.low, theirs.high)


def test_mean_interval_is_students():
    ours = Measure.mean([1.0, 2.0, 4.0])
    theirs = stats.ttest_1samp([1.0, 2.0, 4.0], 0).confidence_interval()
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-12)
    assert Measure.mean([3.0]) == Measure(3.0, n=1)
    assert Measure.mean([0.0] * 6) == Measure(0.0, n=6)  # no spread seen is no interval of width zero


def test_several_numbers_make_one_verdict_and_hide_no_refuted_one():
    entry = claim("equals", True, [1, 2], ["a", "b"])
    assert claims.verdict(entry, {"a": Measure(1), "b": Measure(2)}) == "reproduced"
    assert claims.verdict(entry, {"a": Measure(1), "b": Measure(3)}) == "mixed"
    assert claims.verdict(entry, {"a": Measure(0), "b": Measure(3)}) == "not reproduced"
    assert claims.verdict(entry, {"a": Measure(1)}) == "not run"
    assert claims.verdict(entry, {"a": Measure(0)}) == "not reproduced"
    assert claims.verdict(replace(entry, decisive=("a",)), {"a": Measure(1), "b": Measure(3)}) == "reproduced"
    either = claim("between", [0, 1], ["x"], ["a", "b"])
    assert claims.verdict(either, {"a": Measure(0.5), "b": Measure(1, 0.5, 2)}) == "undecided"
    assert claims.verdict(either, {"a": Measure(3), "b": Measure(1, 0.5, 2)}) == "not reproduced"


def test_a_verdict_that_another_choice_turns_is_fragile():
    entry = replace(
        claim("between", [0, 1], ["x"]), robust={"other": {"measure": "n"}, "strict": {"rule": {"between": [0, 0.5]}}}
    )
    ours = {"m": Measure(0.7), "n": Measure(0.8)}
    (row,) = claims.judge([entry], ours, {"seed 2": {"m": Measure(0.9)}, "elsewhere": {"x": Measure(9)}})
    assert row["robust"] == {
        "verdict": "fragile",
        "alternatives": {"seed 2": "reproduced", "other": "reproduced", "strict": "not reproduced"},
        "turns_with": ["strict"],
        "reached_by": ["seed 2", "other"],
        "opposed_by": [],
    }
    (row,) = claims.judge([replace(entry, robust={})], ours, {"seed 2": {"m": Measure(0.9)}})
    assert row["robust"]["verdict"] == "untested"  # one alternative is none
    bars = {each: {"rule": {"between": [0, end]}} for each, end in (("wide", 2), ("wider", 3))}
    for why, state in (("", "robust"), ("One run, read by several bars.", "untested")):
        (row,) = claims.judge([replace(entry, robust=bars, unvaried=why)], ours)
        assert row["robust"]["verdict"] == state and len(row["robust"]["reached_by"]) == 2
    # What is only undecided elsewhere turns nothing.
    assert claims.turned("reproduced", {"a": "undecided", "b": "mixed"}) == ["b"]


def test_a_verdict_that_most_other_choices_leave_open_is_unconfirmed():
    entry = replace(claim("between", [0, 1], ["x"]), robust={name: {"measure": name} for name in "abc"})
    ours = {"m": Measure(0.7), "a": Measure(0.8), "b": Measure(1, 0.5, 2), "c": Measure(1, 0.5, 2)}
    (row,) = claims.judge([entry], ours)
    assert row["robust"]["verdict"] == "unconfirmed" and row["robust"]["reached_by"] == ["a"]
    assert verify.reached(row["robust"]) == "reached with 1 of 3 alternatives"
    assert "unconfirmed: reached with 1 of 3 alternatives" in ledger_page.claims("gan_101", [row], [])
    card = verify.scorecard([row])
    assert (card["decided"], card["robust"], card["unconfirmed"]) == (1, 0, 1)
    # Half of them are enough.
    (row,) = claims.judge([entry], ours | {"b": Measure(0.9)})
    assert row["robust"]["verdict"] == "robust"
    assert claims.state("mixed", 4, 0, 2) == "robust" and claims.state("mixed", 4, 0, 1) == "unconfirmed"
    (row,) = claims.judge([entry], ours | {"b": Measure(2.0)})
    assert row["robust"]["verdict"] == "fragile"
    # A reading that makes it mixed is a part of the verdict.
    (row,) = claims.judge([replace(entry, readings=("b",))], ours | {"b": Measure(2.0)})
    assert (row["verdict"], row["robust"]["verdict"]) == ("mixed", "robust")
    (row,) = claims.judge([entry], {name: Measure(1, 0.5, 2) for name in "mabc"})
    assert row["robust"]["verdict"] == "open"


def test_an_undecided_verdict_is_mixed_where_readings_oppose_each_other():
    names = {name: {"measure": name} for name in "abc"}
    entry = replace(claim("between", [0, 1], ["x"]), robust=names, readings=("a", "b"))
    ours = {"m": Measure(1, 0.5, 2), "a": Measure(0.5), "b": Measure(2.0), "c": Measure(1, 0.5, 2)}
    (row,) = claims.judge([entry], ours)
    assert (row["verdict"], row["robust"]["verdict"]) == ("mixed", "robust")
    assert row["robust"]["opposed_by"] == ["a", "b"]
    assert row["note"].endswith("undecided as shown, reproduced with “a”, not reproduced with “b”.")
    # Readings that agree decide nothing that is shown as open, nor does another choice.
    for other in (ours | {"b": Measure(0.6)}, ours | {"b": Measure(1, 0.5, 2), "c": Measure(2.0)}):
        (row,) = claims.judge([entry], other)
        assert (row["verdict"], row["robust"]["verdict"]) == ("undecided", "open")


def test_both_halves_of_the_seeds_are_one_choice():
    halves = {f"the {each} half of the seeds": {"m": Measure(0.9)} for each in ("first", "second")}
    entry = claim("between", [0, 1], ["x"])
    (row,) = claims.judge([entry], {"m": Measure(0.7)}, halves)
    assert row["robust"]["verdict"] == "untested" and len(row["robust"]["alternatives"]) == 2
    (row,) = claims.judge([entry], {"m": Measure(0.7)}, halves | {"elsewhere": {"m": Measure(0.8)}})
    assert row["robust"]["verdict"] == "robust"


def test_a_row_says_that_no_alternative_was_tried_and_what_mixed_and_robust_are():
    entry = claim("between", [0, 1], ["x"])
    (row,) = claims.judge([entry], {"m": Measure(0.7)})
    assert "untested: no alternative tried" in ledger_page.claims("gan_101", [row], [])
    assert "untested: fewer" in verify._robustness(row["robust"])
    entry = replace(
        entry,
        robust={name: {"measure": name} for name in "ab"} | {"bar": {"rule": {"between": [0, 0.5]}}},
        readings=("bar",),
    )
    (row,) = claims.judge([entry], {"m": Measure(0.7), "a": Measure(0.8), "b": Measure(0.9)})
    assert (row["verdict"], row["robust"]["verdict"]) == ("mixed", "robust") and row["robust"]["opposed_by"] == ["bar"]
    assert "*Mixed* and *robust*" in ledger_page.claims("gan_101", [row], [])


def test_why_a_rule_changed_is_folded_and_said_once(judged):
    changed = [entry for entry in claims.load(paths.ledger()) if entry.changed_after_results]
    assert changed
    for entry in changed:
        row = next(row for row in judged if row["id"] == entry.id)
        page = ledger_page.claims(entry.paper, [row], [])
        assert page.count("<summary>why the rule changed</summary>After results were seen: ") == 1
        assert page.count(entry.changed_after_results[:60]) == 1


def test_both_scorecards_count_every_claim_once(judged):
    text = ledger_page.summary({"gan_101": judged})
    for table in text.split("\n\n"):
        *parts, whole = [line.split("|")[-2] for line in table.splitlines() if re.search(r"\| \d+ \|$", line)]
        assert sum(map(int, parts)) == int(whole) == verify.scorecard(judged)["claims"]


def test_a_choice_that_the_paper_leaves_open_and_that_turns_a_verdict_makes_it_mixed():
    entry = replace(
        claim("between", [0, 1], ["x"]),
        robust={"lax": {"rule": {"between": [0, 9]}}, "strict": {"rule": {"between": [0, 0.5]}}},
    )
    ours, others = {"m": Measure(0.7)}, {"linear start": {"m": Measure(2.0)}}
    (row,) = claims.judge([replace(entry, readings=("linear start", "lax"))], ours, others)
    assert row["verdict"] == "mixed"
    assert "reproduced as shown, not reproduced with “linear start”." in row["note"]
    # What the paper leaves open is in the verdict; what is ours alone makes it fragile.
    assert row["robust"]["turns_with"] == ["strict"]
    (row,) = claims.judge([replace(entry, readings=("lax", "not run here"))], ours, others)
    assert row["verdict"] == "reproduced" and "leaves it open" not in row["note"]
    assert row["robust"]["turns_with"] == ["linear start", "strict"]
    # Where nothing is decided, nothing is turned.
    (row,) = claims.judge([replace(entry, readings=("linear start",))], {"m": Measure(0.7, 0.5, 2)}, others)
    assert row["verdict"] == "undecided"


@pytest.fixture
def judged(judged):
    """Every row of the ledger, from the precomputed results."""
    return [row for each in judged.values() for row in each]


def test_a_verdict_changes_on_purpose_only(judged):
    """Where it is meant, `python -m tests.references --verdicts` writes anew what is held."""
    assert references.verdicts({"all": judged}) == json.loads(references.VERDICTS.read_text())


def test_a_case_names_choices_that_have_no_result_yet(judged):
    told = verify.case(judged, "latent_inversion.dream.always")
    row = next(row for row in judged if row["id"] == "latent_inversion.dream.always")
    entry = next(entry for entry in claims.load(paths.ledger()) if entry.id == row["id"])
    missing = entry.robust.keys() - row["robust"]["alternatives"]
    assert missing and told.count("not run") == len(missing)


def test_every_decided_claim_makes_its_case(judged):
    ledger = {entry.id: entry for entry in claims.load(paths.ledger())}
    usual = {entry["differs"] for entry in map(yaml.safe_load, map(Path.read_text, paths.ledger().glob("*.yml")))}
    for row in judged:
        entry = ledger[row["id"]]
        if row["verdict"] in ("undecided", "not run"):
            continue
        assert entry.refuted_by, f"{entry.id} must say in words what refutes it"
        assert entry.differs not in usual, f"{entry.id} must say what judges it, and how that differs"
        tried = len(row["robust"]["alternatives"])
        assert tried > 1 or entry.unvaried, f"{entry.id} must be tried with two other choices, or say why not"


def test_every_claim_names_its_figure_or_says_why_there_is_none():
    for entry in claims.load(paths.ledger()):
        assert not entry.counted or bool(entry.figure) != ("No figure" in entry.note), entry.id


def test_a_figure_that_a_claim_names_is_in_a_chapter_or_an_appendix():
    shown = {
        cell.metadata["mystnb"][kind]["name"]
        for page in studies.pages()
        for cell in nbformat.read(paths.notebook(page), as_version=4).cells
        for kind in {"figure", "table"} & set(cell.metadata.get("mystnb", {}))
    }
    named = {entry.id: entry.figure for entry in claims.load(paths.ledger()) if entry.figure}
    assert not {identity: name for identity, name in named.items() if name not in shown}


def test_the_page_lists_the_experiments_and_each_row_names_its_own(judged):
    names = {entry.id: entry.experiment for entry in claims.load(paths.ledger())}
    rows = [row for row in judged if row["paper"] == "wgan_traces"]
    page = ledger_page.claims("wgan_traces", rows, [])
    for row in rows:
        (line,) = (text for text in page.splitlines() if f'id="{links.claim_anchor(row["id"])}"' in text)
        experiment = names[row["id"]]
        assert f"Judged by: {experiment or row['differs'].rstrip('.')}." in line
        assert page.count(f"- *{experiment}*: ") == 1 or not experiment


def test_readings_are_choices_that_there_are():
    known = {name: set(studies.shipped_both(studies.get(name))[1]) for name in ("rnn_fwi",)}
    for entry in claims.load(paths.ledger()):
        assert set(entry.readings) <= set(entry.robust) | known.get(entry.paper, set()), entry.id


def test_rows_of_the_ledger_have_the_documented_types(judged):
    rows = judged
    assert rows
    card = verify.scorecard(rows)
    theirs = [row for row in rows if row["kind"] != claims.OURS]
    assert card["claims"] == len(theirs) == sum(card[word] for word in claims.VERDICTS)
    assert card["decided"] == sum(card[word] for word in verify.FIRM)
    told = verify.case(rows, rows[0]["id"])
    assert all(head in told for head in ("power:", "rule:", "refuted by:", "robustness:", "differs:", "record:"))
    open_, certain = (
        next(row["id"] for row in rows if row["power"] is None and (row["verdict"] == "not run") == waits)
        for waits in (True, False)
    )
    assert f"power:         {claims.ONE_RUN}" in verify.case(rows, open_)
    assert "power:         none, since " in verify.case(rows, certain)
    several = next(row for row in rows if row["interval"] == [[None, None], [None, None]])
    assert "interval:      —" in verify.case(rows, several["id"])
    counted = next(row for row in rows if row["interval"] and isinstance(row["interval"][0], float))
    ends = said.together([counted["ours"], *counted["interval"]], counted["published"])[1:]
    assert "interval:      " + " to ".join(ends) in verify.case(rows, counted["id"])
    with pytest.raises(ValueError, match=r"claim must be the id of one in the ledger; got 'gan_101\.nothing'"):
        verify.check_id("gan_101.nothing")
    number = (int, float)
    for row in rows:
        assert list(row) == list(claims.KEYS)
        for key in ("id", "paper", "place", "kind", "claim", "verdict", "refuted_by", "differs", "note"):
            assert isinstance(row[key], str), (row["id"], key)
        assert row["refuted_by"] and row["differs"]
        assert row["verdict"] in claims.VERDICTS and row["kind"] in {*rules.KINDS, claims.OURS}
        for key in ("published", "ours"):
            each = row[key] if isinstance(row[key], list) else [row[key]]
            assert all(isinstance(value, (*number, str, type(None))) for value in each)
        assert row["interval"] is None or isinstance(row["interval"], list)
        assert row["n"] is None or isinstance(row["n"], int)
        assert row["power"] is None or 0 <= row["power"] <= 1
        assert (row["robust"] is None) == (row["verdict"] == "not run")
        assert row["robust"] is None or set(row["robust"]) == {
            "verdict",
            "alternatives",
            "turns_with",
            "reached_by",
            "opposed_by",
        }
        assert row["verdict"] != "reproduced" or row["power"] is None or row["power"] >= rules.ENOUGH
        assert all(row[key] is None or isinstance(row[key], str) for key in ("figure", "record"))
        if row["verdict"] in ("reproduced", "undecided"):
            assert row["ours"] is not None


def powerless(claim, row):
    """Whether a row must have no power, by what its rule takes for chance; None where it need not have one."""
    if claim.one_run or claim.census:
        return True
    if row["verdict"] == "not run":
        return not claim.planned
    if claim.rule in ("holds", "equals"):
        return True
    if claim.rule in ("count", "never", "always", "some"):
        return {"count": False, "some": row["ours"] != 0}.get(claim.rule, row["n"] is None)
    pairs = row["interval"] if isinstance(row["ours"], list) else [row["interval"]]
    decisive = [pair for name, pair in zip(claim.measure, pairs, strict=True) if name in claim.decisive]
    # Of a median of few trials one end may be open.
    if not any(pair != [None, None] and pair[0] != pair[1] for pair in decisive):
        return True
    # Of what exists, a shape or an identity the reverse is known only where trials are counted.
    if claim.judged_as in ("existence", "shape", "identity"):
        return None
    # Half or double of nothing is nothing.
    number = any(isinstance(value, (int, float)) and value for value in claim.published)
    return not (number or claim.judged_as == "comparison" or any(claim.setting))


def test_each_key_is_null_where_it_is_said_to_be(judged):
    ledger = {entry.id: entry for entry in claims.load(paths.ledger())}
    may = {key for key, text in claims.KEYS.items() if re.search(r"\b[Nn]ull\b", text)}
    assert may == {"ours", "interval", "n", "power", "robust", "figure", "record"}
    for key in claims.KEYS:
        assert {row[key] is None for row in judged} == ({True, False} if key in may else {False}), key
    for row in judged:
        claim, waits = ledger[row["id"]], row["verdict"] == "not run"
        for key in ("ours", "interval", "robust"):
            assert (row[key] is None) == waits, (row["id"], key)
        if not waits:
            many = isinstance(row["ours"], list)
            pairs = row["interval"] if many else [row["interval"]]
            assert len(pairs) == len(claim.measure) and all(len(pair) == 2 for pair in pairs), row["id"]
            assert all(end is None or math.isfinite(end) for pair in pairs for end in pair), row["id"]
        assert row["n"] is None or (not waits and row["n"] >= 1), row["id"]
        assert row["n"] is not None or waits or claim.rule != "count", row["id"]
        assert powerless(claim, row) in (None, row["power"] is None), row["id"]
        assert (row["figure"] is None) == ("No figure" in row["note"]), row["id"]
        if row["record"] is not None:
            assert (paths.results() / row["record"]).is_file(), row["id"]
        else:  # what is printed in the paper has no file of ours
            assert waits or all(name.startswith("published.") for name in claim.measure), row["id"]


def test_the_case_of_a_claim_says_why_it_has_no_power():
    row = {"verdict": "reproduced", "power": None, "rule": "between", "n": None, "interval": [None, None]}
    plain = claim("between", [0, 1])
    for more, what, why in (
        ({}, {}, "none, since nothing is drawn at random"),
        ({"n": 5}, {}, "not known, since the interval of these draws is not"),
        ({"n": 5}, {"census": True}, "none, since nothing is drawn at random"),
        (
            {"n": 5, "interval": [[0.0, 1.0], [None, None]]},
            {},
            "none, since the rule knows no other truth to tell it from",
        ),
        ({"n": 5}, {"rule": "some", "judged_as": "existence"}, "none is needed: one case that was found shows it"),
        ({"n": 5}, {"one_run": True}, claims.ONE_RUN),
        ({"verdict": "not run"}, {}, "not known before it is run"),
    ):
        assert verify._power(row | more, replace(plain, **what)) == why


def test_what_the_book_states_itself_is_judged_alike_and_counted_with_no_paper(judged):
    ours = {row["id"]: row for row in judged if row["kind"] == claims.OURS}
    assert ours and verify.scorecard(list(ours.values()))["claims"] == 0
    for paper in {row["paper"] for row in ours.values()}:
        page = ledger_page.claims(paper, [row for row in judged if row["paper"] == paper], [])
        before, after = page.split("### What this book states itself, judged alike and not counted")
        for row in (each for each in ours.values() if each["paper"] == paper):
            mark = f'id="{links.claim_anchor(row["id"])}"'
            (line,) = (text for text in after.splitlines() if mark in text)
            assert f"| {row['verdict']} |" in line and mark not in before
    assert verify.as_text({"x": list(ours.values())}).count("[this book's own, not counted]") == len(ours)


def test_every_number_of_the_ledger_is_said_as_a_person_would(judged):
    for row in judged:
        for number in re.findall(r"[\d,.]*\d(?:e[-+]?\d+)?", verify.ours(row)):
            digits = re.sub(r"[,.]", "", number).strip("0")
            whole = "." not in number or "," in number
            assert number.startswith("1e-") or ("e" not in number and (whole or len(digits) <= said.MOST)), row["id"]


def test_a_claim_that_is_not_run_tells_the_power_of_its_plan():
    entry = replace(
        claim("between", [0, None], [0.2], ["m", "o"]), effect=0.2, planned=100, spread="like", judged_as="comparison"
    )
    like = {"like": Measure(0.3, -0.1, 0.7, 20)}
    (row,) = claims.judge([entry], like | {"m": Measure(0.2, 0.1, 0.3, 9)})  # part of it is not enough
    half = 0.4 / 5**0.5
    near = Measure(0.2, 0.2 - half, 0.2 + half, 100)
    expected = rules.planned("between", [0, None], 0.2, 100, "comparison", near, 0.2)
    assert row["verdict"] == "not run" and row["power"] == round(expected.power, 4)
    assert f"Planned: 100 trials. About {expected.trials} independent trials would decide." in row["note"]
    # Two of them give no spread: how many would decide is still that of the plan.
    (begun,) = claims.judge([entry], like | {name: Measure(0.2, -math.inf, math.inf, 2) for name in ("m", "o")})
    assert begun["verdict"] == "undecided"
    told = f"In are 2 of 100 planned trials. About {expected.trials} independent trials would decide."
    assert told in begun["note"]
    assert plans.planned(replace(entry, spread=half / rules.Z * 10), {})["m"].power == pytest.approx(expected.power)
    # A share's interval is Wilson's; of a ratio the logarithm has the spread.
    share = replace(entry, setting=[0, 0.1], effect=None, judged_as="number")
    told = plans.planned(share, {"like": Measure.count(5, 10)})["m"]
    assert told.power == rules.judge("number", "between", [0, 0.1], "x", Measure.count(0, 100)).power
    assert rules.judge("number", "between", [0, 0.1], "x", Measure.count(0, told.trials)).power >= rules.ENOUGH
    ratio = replace(entry, setting=[0.5, 2], effect=None, judged_as="comparison", published=("alike",))
    told = plans.planned(ratio, {"like": Measure(3.0, 2.0, 4.5, 25)})["m"]
    half = 1.5**0.5
    again = rules.planned("between", [0.5, 2], "alike", 100, "comparison", Measure(1.0, 1 / half, half, 100))
    assert told.power == pytest.approx(again.power) and told.trials == again.trials
    assert plans.planned(entry, {})["m"] == rules.Judgement("not run")  # its spread has no results yet


def test_one_run_alone_has_no_power_that_is_known(judged):
    entry = replace(claim("between", [0, 1], ["x"]), judged_as="number", one_run=True)
    (row,) = claims.judge([entry], {"m": Measure(0.5, 0.4, 0.6, 1000)})
    assert row["verdict"] == "reproduced" and row["power"] is None
    assert "One run alone: its power is not known; the interval is over its samples." in row["note"]
    for identity in ("wgan_traces.unit_norm", "wgan_traces.polarities", "wgan_traces.fig_6_level"):
        assert "power:         one run alone: its power is not known" in verify.case(judged, identity)
    told = verify.case(judged, "latent_inversion.fig4")
    assert "power:         none is needed: one case that was found shows it" in told
    # What stays robust on bars alone is no single run's.
    known = {entry.id: entry for entry in claims.load(paths.ledger())}
    for row in judged:
        entry = known[row["id"]]
        if entry.one_run and row["robust"] and row["robust"]["verdict"] == "robust":
            assert any("measure" in other for other in entry.robust.values()), entry.id


#: Measures that cannot have any value: shares, accuracies, correlations of what was made with what was needed.
BOUNDED = re.compile(r"(^|[._])(share|accuracy|correlation|flatness|worse)($|[._])|_(upper|lower|(shallow|deep)_\d+)$")


def test_no_made_up_result_is_one_that_cannot_be(judged):
    for entry in claims.load(paths.ledger()):
        if not entry.counted:
            continue
        outer = re.compile(r"profile|difference|tricks\.")  # ratios and differences, which reach further
        bounded = [name for name in entry.measure if BOUNDED.search(name) and not outer.search(name)]
        assert entry.possible or entry.rule in ("never", "always", "some", "count") or not bounded, entry.id
        low, high = entry.possible or (-float("inf"), float("inf"))
        for word in ("reproduced", "not reproduced"):
            for found in made_up(entry, word).values():
                for number in (found.value, found.low, found.high):
                    assert number is None or low <= number <= high, (entry.id, word, number)
    known = {entry.id: entry for entry in claims.load(paths.ledger())}
    for row in judged:
        low, high = known[row["id"]].possible or (-float("inf"), float("inf"))
        each = row["ours"] if isinstance(row["ours"], list) else [row["ours"]]
        assert all(number is None or low <= number <= high for number in each), row["id"]


def test_no_measure_decides_two_claims_of_a_paper_by_itself():
    seen = {}
    for entry in claims.load(paths.ledger()):
        if entry.counted and entry.kind != claims.OURS:
            key = (entry.paper, *sorted(entry.decisive))
            seen.setdefault(key, []).append(entry.id)
    # The paper calls both speeds alike beside one figure, and says beside another which is ahead.
    alike = ["rnn_fwi.adam-like-lbfgs", "rnn_fwi.lbfgs-slower"]
    assert [ids for ids in seen.values() if len(ids) > 1] == [alike]


def made_up(entry, word):
    """The made-up result of an entry as measures."""

    def measure(text):
        if isinstance(text, str):
            k, n = map(int, text.split(" of "))
            return Measure.count(k, n)
        return Measure(*text) if isinstance(text, list) else Measure(text)

    given = entry.made_up[word]
    several = isinstance(given, list) and entry.rule in ("equals", "close") and len(entry.measure) > 1
    return {name: measure(given[place] if several else given) for place, name in enumerate(entry.measure)}


@pytest.mark.parametrize("word", ["reproduced", "not reproduced"])
def test_every_rule_calls_its_two_made_up_results_as_it_must(word):
    for entry in claims.load(paths.ledger()):
        if entry.counted:
            assert claims.verdict(entry, made_up(entry, word)) == word, entry.id


ENTRY = "- {id: a, paper: p, place: q, kind: number, claim: c, published: 1, measure: m, rule: {close: 0.1}}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{a: 1}", "claims of ledger"),
        ("- [", "must be readable YAML"),
        (ENTRY + ENTRY, "claim id must be unique; 'a' comes twice. Rename one."),
        (ENTRY.replace("claim: c, ", ""), "claim a must have the keys"),
        (ENTRY.replace("{close: 0.1}", "close"), "claim a must have one rule with its setting; got 'close'"),
        (ENTRY.replace("number", "ours"), "claim a must have the keys"),
        (ENTRY.replace("number", "ours, judged_as: ours"), "judged_as of claim a must be one of"),
        (ENTRY.replace("number", "ours, judged_as: shape"), "rule of claim a must be one of"),
        (ENTRY.replace("close: ", "clos: "), "rule of claim a must be one of"),
        (ENTRY.replace("close: 0.1", "close: -0.5"), "a setting that rule close knows; got -0.5"),
        (ENTRY.replace("close: 0.1", "close: .nan"), "a setting that rule close knows; got nan"),
        (ENTRY.replace("close: 0.1", "holds: true"), "rule of claim a must be one of count, close, between, equals"),
        (ENTRY.replace("close: 0.1", "equals: false"), "a setting that rule equals knows; got False"),
        (ENTRY.replace("number", "numbr"), "kind of claim a must be one of"),
        (ENTRY.replace("published: 1", "published: about one"), "must have numbers that rule close can judge"),
        (ENTRY.replace("claim: c", "claim: c, decisive: n"), "decisive of claim a must be among its measures"),
        (ENTRY.replace("claim: c", "claim: c, effect: no"), "effect of claim a must be a number"),
        (ENTRY.replace("claim: c", "claim: c, planned: 0"), "planned of claim a must be"),
        (ENTRY.replace("claim: c", "claim: c, spread: [1]"), "spread of claim a must be a number"),
        (ENTRY.replace("claim: c", "claim: c, possible: [1, 0]"), "possible of claim a must be two numbers in order"),
        (ENTRY.replace("claim: c", "claim: c, made_up: 3"), "made_up of claim a must map words to results"),
        (ENTRY.replace("claim: c", "claim: c, robust: {x: {measure: [n, o]}}"), "as many measures as the claim has"),
        (ENTRY.replace("claim: c", "claim: c, robust: {x: {seed: 1}}"), "robust.x must name a measure or a rule"),
        (ENTRY.replace("claim: c", "claim: c, readings: 3"), "readings of claim a must be names; got [3]"),
        (ENTRY.replace("claim: c", "claim: c, experiment: e"), "experiment of claim a must be one of"),
        (ENTRY.replace("close: 0.1", "between: [2, 1]"), "a setting that rule between knows; got [2, 1]"),
        (ENTRY.replace("close: 0.1", "between: [0, 1, 7]"), "a setting that rule between knows; got [0, 1, 7]"),
        (ENTRY.replace("close: 0.1", "count: 100.9"), "a setting that rule count knows; got 100.9"),
        (ENTRY.replace("published: 1", "published: [1, 2, 3]"), "as many numbers as it measures; got 3, 1"),
    ],
)
def test_damaged_ledgers_are_refused(tmp_path, text, message):
    path = tmp_path / "claims.yml"
    path.write_text(in_a_ledger(text))
    with pytest.raises(ValueError, match=re.escape(message)):
        claims.load(path)


def test_one_run_names_what_there_is(tmp_path):
    path = tmp_path / "claims.yml"
    path.write_text(in_a_ledger(ENTRY) + "one_run: [a]\n")
    assert claims.load(path)[0].one_run
    path.write_text(in_a_ledger(ENTRY) + "one_run: [b]\n")
    with pytest.raises(ValueError, match=r"one_run of ledger .* must name experiments or claims; got 'b'"):
        claims.load(path)


def test_the_ledger_covers_the_four_papers_and_types_no_verdict():
    ledger = claims.load(paths.ledger())
    assert {entry.paper for entry in ledger} == set(studies.NAMES)
    # Tables 2 and 3 of the latent-space paper have 24 rows each.
    rows = [entry for entry in ledger if re.match(r"Table [23]\b", entry.place) and entry.kind == "row"]
    assert len(rows) == 48 and not any(entry.counted for entry in rows)
    for path in paths.ledger().glob("*.yml"):
        assert not re.search(r"^\s*verdict\s*:", path.read_text(), re.M)


def test_side_by_side_shows_what_is_missing():
    table = claims.side_by_side([claim("close", 0.1, [2.0])], {}, {"m": Measure(2.05, 2.0, 2.1)})
    assert table.splitlines()[-1] == "| p. 1 | text | 2 | — | 2.05 [2, 2.10] | not run |"


def test_every_erratum_has_a_class_an_answer_and_claims_that_exist():
    ids = {claim.id for claim in claims.load(paths.ledger())}
    found = claims.errata(paths.ledger())
    assert len({entry["id"] for entry in found}) == len(found) > 50
    for entry in found:
        assert entry["answer"] and set(entry.get("claims", ())) <= ids, entry["id"]


def test_an_erratum_without_a_class_or_with_an_unknown_one_is_refused(tmp_path):
    good = dict.fromkeys(claims.ERRATUM, "x") | {"class": "slip"}
    path = tmp_path / "x.yml"
    for damage, message in (
        ({"class": "mistake"}, "class of erratum x must be one of error, slip, imprecise, open"),
        ({"answer": 3}, "erratum x must have texts"),
        ({"verdict": "y"}, "erratum x must have the keys"),
    ):
        path.write_text(yaml.safe_dump({"claims": [], "errata": [good | damage]}))
        with pytest.raises(ValueError, match=message):
            claims.errata(tmp_path)
    path.write_text(yaml.safe_dump({"claims": [], "errata": [good]}))
    assert claims.errata(tmp_path) == [good]


def test_what_is_counted_whole_has_no_power():
    entry = replace(claim("always", True, ["all"]), kind="existence", judged_as="existence")
    ours = {"m": Measure.count(14, 14)}
    assert claims.judge([entry], ours)[0]["power"] == pytest.approx(1 - 0.95**14, abs=1e-4)
    (row,) = claims.judge([replace(entry, census=True)], ours)
    assert (row["verdict"], row["power"], row["n"]) == ("reproduced", None, 14)


def test_what_no_number_can_test_says_why():
    for entry in claims.not_testable(paths.ledger()):
        assert set(entry) == {"paper", "place", "statement", "because"} and all(entry.values())
