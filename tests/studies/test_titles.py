"""Messages of the appendices' figures are made from what is drawn, whatever it is."""

import numpy as np
import pytest

from geolib import studies
from geolib.runs.measure import Measure
from geolib.studies.gan_101 import ablation
from geolib.studies.latent_inversion import facies, prior
from geolib.studies.latent_inversion import titles as latent
from geolib.studies.rnn_fwi import titles as waves
from geolib.studies.wgan_traces import story
from geolib.studies.wgan_traces import titles as traces


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


def test_the_first_traces_are_told_by_their_scores():
    every = "Every modelled trace here scores above every generated one"
    assert story.shown_message(np.array([-1.6, -0.9]), np.array([-0.8, -0.1])) == every
    told = story.shown_message(np.array([-1.6, -0.9]), np.array([-1.0, -0.1]))
    assert told == "The modelled trace scores higher in 3 of the 4 pairs here"


def descent(misfit, error):
    return {"misfit": np.array(misfit), "error": np.array(error)}


def test_rates_are_told_by_the_limit_of_stability():
    told = waves.stability(np.array([1.0, 4.0]), [0.4, 0.6])
    assert told == "Gradient descent is stable up to a rate of 0.50: 0.4 below it, 0.6 beyond"
    assert waves.stability(np.array([1.0]), [0.4]).endswith("2.00: 0.4 below it")


def test_the_best_fit_and_the_best_model_are_those_drawn():
    runs = {"momentum 0.1": descent([2, 0.5, 0.4], [9, 5, 5]), "momentum 1": descent([1, 0.3, 0.1], [9, 4, 8])}
    assert waves.ends(runs) == "Momentum 1 ends with the smallest misfit, momentum 0.1 with the best model"
    assert waves.ends(runs, 1) == "Momentum 0.1 ends with the smallest misfit, momentum 1 with the best model"
    alone = {"CG": runs["momentum 1"]}
    assert waves.ends(alone) == waves.ends({}) == ""  # one run is no comparison
    lost = {"Adam": descent([1, 0.5, np.nan], [9, 5, 4])}
    assert waves.ends(lost | runs) == "Momentum 1 ends with the smallest misfit, Adam with the best model"


def test_orders_of_methods_are_counted():
    speed = {"a": {"CG": 1, "TNC": 2}, "b": {"CG": 3, "TNC": 5}}
    assert waves.orders({"a": {"CG": 1, "TNC": 2}, "b": {"CG": 3}}, speed).count("one order") == 2  # TNC never came
    error = {"a": {"CG": 1, "TNC": 2}, "b": {"CG": 5, "TNC": 3}}
    assert waves.orders(speed, error) == "Methods in 2 settings: by speed one order, by model error 2 orders"


def test_the_fastest_rate_is_named():
    groups = {"step": {"Adam": [(4.0, 100.0), (40.0, 36.0)], "RMSprop": [(4.0, np.inf)]}}
    assert waves.rates(groups).startswith("The fastest of all rates: Adam at 40, in 36 evaluations")
    assert waves.rates({"step": {"RMSprop": [(4.0, np.inf)]}}) == "No rate brings the misfit to 1 %"


def test_who_fits_best_in_one_time_may_not_be_who_is_most_similar():
    slow = {**descent([1.0, 0.1, 0.01], [9, 9, 9]), "ssim": np.array([0, 0.5, 0.6])}
    fast = {**descent([1.0, 0.5, 0.4, 0.3], [9, 9, 9, 9]), "ssim": np.array([0, 0.2, 0.3, 0.4])}
    told = waves.costs({"Adam": slow, "CG": fast}, {"Adam": 10.0, "CG": 1.0})
    assert told == "After 2 evaluations Adam's image is the most like the truth; after 3 seconds CG fits best"
    assert waves.left("CG", {"error": np.array([200.0, 150.0])}).startswith("CG leaves about 75 %")


def test_profiles_name_the_closest_and_the_furthest():
    truth = np.zeros((3, 5))
    runs = {name: {"frames": np.full((1, 3, 5), off)} for name, off in (("Adam", 2.0), ("CG", 5.0))}
    assert waves.profiles(truth, runs, (0, 4)) == "At 2 places Adam is the closest to the truth, CG the furthest off"
    assert waves.start(truth, truth + 390).endswith("390 m/s off")


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


def test_titles_of_traces_hold_their_numbers():
    assert "; 75 % of their traces" in traces.draws({"event_polarity": np.array([1, 1, 1, -1])})
    judge = {"score_history": np.array([-9.0, -11.0]), "score_validation": np.array([-10.0, -10.0])}
    assert traces.history(judge, 100).endswith(": the last generator is 1.0 below real traces")
    found = {"generated_depth": 4.2, "generated_depth_kept_back": 200.1}
    found |= {"gathers_moveout": 14.0, "gathers_moveout_floor": 4.0}
    measures = {name: Measure(value) for name, value in found.items()}
    assert traces.ordered(measures) == "Median error of depth: 4 m; 200 m where none was trained on"
    assert "3.5 times as far" in traces.gathers(measures)


def test_a_trick_on_data_without_a_baseline_is_not_praised():
    shipped = studies.shipped(studies.get("gan_101")).units
    told = ablation.title(ablation.ablation(5, shipped), shipped)
    assert told.endswith("no baseline on the channels") and "faster D on the mixture" in told
    assert ablation.title([], {}).endswith("not run")


@pytest.mark.parametrize("epoch", [None, 12])
def test_a_rule_that_does_not_stop_is_counted(monkeypatch, epoch):
    rules = {"test": None, "test_impatient": epoch, "naive": 3}
    monkeypatch.setattr(traces.stopping, "rules", lambda _: rules)
    told = traces.stops({"a": {}, "b": {}})
    assert told == f"Patience 10 stops 0 of 2 trainings, patience 3 stops {0 if epoch is None else 2} of 2"
