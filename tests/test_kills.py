"""A few kills of a publication of which units are finished; `make campaign` kills every study in every way."""

import os
import subprocess
import sys

import pytest

from tests import kills


@pytest.mark.skipif(os.name == "nt", reason="forks and signals")
def test_a_killed_publication_goes_on_from_its_units_and_ends_as_one_left_alone():
    command = [sys.executable, "-m", "tests.kills", "--late", "--count", "3", "--only", "rnn_fwi", "publish"]
    done = subprocess.run(command, cwd=kills.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("3 kills hit, 0 of 1 ways are not as they should be\n")


def test_kills_that_hit_nothing_or_change_something_count():
    assert kills.Seen(2, hits=2).told() == "2 of 2 kills hit in 0 starts, 0 units kept: equal"
    assert not kills.Seen(2, hits=1).good and kills.Seen(2, hits=1).told().endswith("too few")
    assert not kills.Seen(2, hits=2, wrong=["x"]).good
    assert kills.again({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 9}) == ["b not kept", "c not kept"]
