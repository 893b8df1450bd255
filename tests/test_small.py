"""Small valid configurations run their notebook to the end; `make campaign` draws more."""

import pytest

from geolib import studies
from tests import small


# The others take minutes: the campaign runs them.
@pytest.mark.parametrize("name", ["wgan_traces", "rnn_fwi"])
def test_a_notebook_runs_to_its_end_with_small_valid_parameters(name, tmp_path):
    made = small.run(name, small.drawn(name, 0), tmp_path)
    assert made.is_file()


@pytest.mark.parametrize("name", studies.NAMES)
@pytest.mark.parametrize("seed", range(10))
def test_what_is_drawn_is_valid_and_small(name, seed):
    changes = small.drawn(name, seed)
    assert changes and studies.get(name).Config.preset("quick", **changes).changes() == changes
