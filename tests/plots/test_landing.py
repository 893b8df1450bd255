"""Pictures of the first page: one sees in them what their sentence says."""

import matplotlib.pyplot as plt
import numpy as np

from geolib.plots import landing, style


def test_profiles_are_zoomed_on_the_interface_where_the_worse_model_is_so_by_the_most():
    truth = np.repeat([2000.0, 3000.0, 4000.0], 40)
    better, worse = truth + 50.0, truth + 50.0
    worse[80:86] += 400  # below the second interface
    rows = landing.worst_interface(truth, better, worse, near=10)
    assert (rows.start, rows.stop) == (70, 90)
    _, ax = plt.subplots()
    landing.depth_profiles(ax, truth, [("gradient descent", better), ("momentum", worse)], rows)
    assert ax.get_ylim() == (0.89, 0.70)
    colours = {text.get_text(): text.get_color() for text in ax.texts}
    assert colours == {name: style.PALETTE[name] for name in ("truth", "gradient descent", "momentum")}
    assert {line.get_color() for line in ax.lines} == set(colours.values())
    plt.close("all")
