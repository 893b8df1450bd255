"""The ablation of the tricks: what its figure's message says of the shipped runs."""

from geolib import studies
from geolib.studies.gan_101 import ablation


def test_a_trick_on_data_without_a_baseline_is_not_praised():
    shipped = studies.shipped(studies.get("gan_101")).units
    told = ablation.title(ablation.ablation(5, shipped), shipped)
    assert told.endswith("no baseline on the channels") and "faster D on the mixture" in told
    assert ablation.title([], {}).endswith("not run")
