"""The training image's numbers beside those of its generators, from what is shipped."""

import pytest

from geolib import studies
from geolib.studies.latent_inversion.facies import WIDTHS, Realisations


@pytest.mark.parametrize("width", WIDTHS)
def test_a_shipped_generator_has_the_images_share_of_channels_and_two_facies(width):
    found = studies.shipped(studies.get("latent_facies")).units[Realisations(width).name]
    assert abs(found["misfit.proportion"]) < 0.05
    assert found["misfit.greyness"] < 0.05
