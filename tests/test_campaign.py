"""A fixed sample of the campaign of wrong and damaged inputs; `make campaign` tries a thousand."""

from collections import Counter

import numpy as np
import pytest
import torch

from tests import calls, campaign

# One worker makes each valid call once for both modules.
pytestmark = pytest.mark.xdist_group("calls")


def test_no_traceback_no_silence_nothing_half_written():
    found = campaign.campaign(240, seed=1)
    assert [(case.kind, case.given, case.fault) for case in found if case.fault] == []
    kinds = Counter(case.kind for case in found)
    assert len(kinds) >= 20 and sum(kinds.values()) == 240


def test_every_public_function_is_in_the_campaign_and_its_call_is_valid():
    covered = {calls.named(function) for function in calls.CALLS}
    assert sorted(calls.public().keys() - covered - calls.APART) == []
    for function in calls.CALLS:
        calls.expected(function)


def test_a_thousand_wrong_arguments_of_public_functions():
    rng = np.random.default_rng(7)
    found = [campaign.functions(rng, None) for _ in range(1000)]
    assert [(case.given, case.fault) for case in found if case.fault] == []


@pytest.mark.parametrize(
    ("wrong", "piece"),
    [
        (lambda images: images[0][0][999], "IndexError came through"),
        (lambda images: np.full(3, np.nan), "a result that is no finite number"),
        (lambda images: torch.ones(2) @ torch.ones(3), "RuntimeError came through"),
        (lambda images: float("x"), "ValueError: "),
        (lambda images: int("a\nb"), "ValueError: "),
    ],
)
def test_a_fault_of_a_function_is_told(wrong, piece):
    assert calls.fault(wrong, {"images": np.ones((2, 2, 2))}, 1.0).startswith(piece)


def test_the_campaign_would_tell(monkeypatch):
    """A command that takes anything, and a reader that takes damage, are faults."""
    monkeypatch.setattr(campaign.cli, "main", lambda arguments: 0)
    monkeypatch.setattr(campaign.store, "read_unit", lambda path: None)
    found = campaign.campaign(60, seed=1)
    faults = {case.fault for case in found if case.fault}
    assert {"exit 0 for a wrong call", "a damaged file was read as whole"} <= faults
