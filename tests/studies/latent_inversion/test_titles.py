"""Messages of the appendix's figures are made from what is drawn, whatever it is."""

import numpy as np

from geolib.studies.latent_inversion import facies, prior
from geolib.studies.latent_inversion import titles as latent


def test_generators_break_channels_as_those_drawn_do():
    real = {"training image": 5}
    told = {
        "A generator draws channels, and breaks some of them": {"generator, width 32": 12},
        "A generator breaks no more channels than its training image has broken": {"generator, width 64": 5},
        "Width 64 draws channels, width 32 breaks them": {"generator, width 32": 12, "generator, width 64": 4},
        "Generators draw channels, and break some, width 32 more of them than width 64": {
            "generator, width 32": 12,
            "generator, width 64": 9,
        },
        "Generators draw channels, and break some": {"generator, width 32": 9, "generator, width 64": 9},
    }
    for title, drawn in told.items():
        assert latent.broken(real | drawn) == title
    picture = np.zeros((70, 70))
    picture[2:12] = 1  # from side to side
    picture[20:30, :40] = 1  # ends within
    picture[40:50, 30:45] = 1  # an island
    picture[50:60, 60:] = picture[60:, 50:60] = 1  # cuts a corner, by two diagonal pieces
    picture[35, 35] = 1  # a speck
    assert latent.loose({"training image": picture, "other": 0 * picture}) == {"training image": 2, "other": 0}
    assert latent.counted(real) == "Pieces of channel that end within the image: 5 (training image)."


def test_trials_that_fit_are_counted_by_model():
    ends = {1: [{"best": np.array([v])} for v in (0.9, 1.0, 1.5)], 2: []}
    assert latent.found(ends) == "Trials that fit: 2 of 3 with model I"
    assert latent.found({1: [], 2: []}) == latent.found({}) == "No trial of this kind was run"
    assert latent.recovered([], 2) == "No image of true model II was inverted"
    assert latent.recovered([{"best": np.array([0.5])}], 1).startswith("0 of 1 inversions")


def test_which_images_are_closer_and_which_trainings_end_in_noise():
    curves = {"training-image": np.array([1.0, 0.0, 2.0]), "near": 1.1, "far": 2.0}
    judged = {
        name: {f"curve.{what}": np.multiply.outer(value, np.ones(4)) for what in facies.CURVES}
        for name, value in curves.items()
    }
    told = latent.closer(judged, {"generator": "near", "other": "far"})
    assert told == "The generator is closer to the training image in 3 of 3 curves"
    units = {prior.Training("published", 16, 16, 900, 0).name: {"score": np.array([1.0, 2.0])}}
    assert latent.noise(units, ("working", "published")) == "1 of 1 trainings end in noise"
    assert latent.noise({}, ("working",)) == "No training was run"
    found = [{"iteration": 8, "patterns": 3.0}, {"iteration": 64, "patterns": 2.0}]
    assert latent.learnt(found) == "After 64 updates: the misfit of patterns falls from 3.0 to 2.0"
