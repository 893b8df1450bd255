"""A fixed sample of the campaign of wrong and damaged inputs; `make campaign` tries a thousand."""

from collections import Counter

from tests import campaign


def test_no_traceback_no_silence_nothing_half_written():
    found = campaign.campaign(240, seed=1)
    assert [(case.kind, case.given, case.fault) for case in found if case.fault] == []
    kinds = Counter(case.kind for case in found)
    assert len(kinds) >= 15 and sum(kinds.values()) == 240


def test_the_campaign_would_tell(monkeypatch):
    """A command that takes anything, and a reader that takes damage, are faults."""
    monkeypatch.setattr(campaign.cli, "main", lambda arguments: 0)
    monkeypatch.setattr(campaign.store, "read_unit", lambda path: None)
    found = campaign.campaign(60, seed=1)
    faults = {case.fault for case in found if case.fault}
    assert {"exit 0 for a wrong call", "a damaged file was read as whole"} <= faults
