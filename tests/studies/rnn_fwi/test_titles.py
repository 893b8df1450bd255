"""Messages of the appendix's figures are made from what is drawn, whatever it is."""

import numpy as np

from geolib.studies.rnn_fwi import titles as waves


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
