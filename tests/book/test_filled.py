"""Sentences of the ledger are filled from measures; a placeholder that nothing fills is refused in one line."""

import re
from dataclasses import replace

import pytest

from geolib.book import claims, filled, ledger, ledger_page, verify
from geolib.book.claims import Claim
from geolib.runs.measure import Measure

OURS = {"a_0.4.b": Measure(12.34), "share": Measure.count(13, 14), "m": Measure(0.5)}
CLAIM = Claim("rnn_fwi.a", "rnn_fwi", "p. 1", "number", "c", (0.5,), ("m",), "between", [0, 1], decisive=("m",))
CLAIM = replace(CLAIM, judged_as="number", refuted_by="more")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("takes {a_0.4.b:.0f} steps", "takes 12 steps"),
        ("{share[k]} of {share[n]}", "13 of 14"),
        ("{share:.0%} or {share[low]:.2f}", "93 % or 0.69"),
        ("{m:.2f} and {m:.2f}", "0.50 and 0.50"),
        ("nothing", "nothing"),
        ("{other:.2f} waits", "— waits"),
        ("{m[k]} waits", "— waits"),
    ],
)
def test_a_sentence_is_filled(text, told):
    assert filled.fill(text, OURS) == told


@pytest.mark.parametrize("text", ["a {", "a } b", "{m:{m}}", "{}", "{m[size]}", "{m:.2q}", "{m:d}", "{share[k]:s}"])
def test_a_brace_that_is_no_placeholder_is_refused_as_the_ledger_is_read(tmp_path, text):
    entry = "- {id: a, paper: p, place: q, kind: number, claim: c, published: 1, measure: m, rule: {close: 0.1}, "
    path = tmp_path / "p.yml"
    path.write_text(f"claims:\n{entry}tried: '{text}'}}\nerrata: []\n")
    with pytest.raises(ValueError, match=r"tried of claim a must .*Correct (it|them)\.$"):
        claims.load(path)


@pytest.mark.parametrize("name", filled.TEXTS)
def test_a_placeholder_without_a_result_is_refused_where_its_claim_has_one(name):
    line = (
        "placeholder {other:.2f} of claim rnn_fwi.a must name a measure of rnn_fwi that has a result; it has none. "
        "Correct the name, or ship it."
    )
    entry = replace(CLAIM, **{name: "it is {m:.1f}, not {other:.2f}."})
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        filled.check([entry], OURS)
    filled.check([entry], {})  # the claim itself is not run
    filled.check([entry], OURS | {"other": Measure(1.0)})


def test_a_claim_that_is_not_run_waits_for_its_sentences_too():
    entry = replace(CLAIM, note="It is {m:.2f}.", tried="{other:.1f} instead.")
    (row,) = ledger.judge([entry], {})
    assert row["verdict"] == "not run" and row["note"] == "It is —. Tried instead, and refuted: — instead."
    (row,) = ledger.judge([entry], OURS | {"other": Measure(3.0)})
    assert row["note"] == "It is 0.50. Tried instead, and refuted: 3.0 instead."


def test_what_is_printed_and_shown_is_filled(judged):
    braces = re.compile(r"[{}]")
    rows = [row for each in judged.values() for row in each]
    assert not [row["id"] for row in rows if braces.search(row["note"]) or filled.WAITING in row["note"]]
    told = verify.case(rows, "wgan_traces.init_smaller")
    assert "13 of the 14 layers" in " ".join(told.split())
    assert "13 of the 14 layers" in ledger_page.claims("wgan_traces", judged["wgan_traces"], [])
