"""The one writer of animations, and the three films that use it."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from geolib.plots import style, traces


def durations(content):
    film, found = Image.open(io.BytesIO(content)), []
    for number in range(film.n_frames):
        film.seek(number)
        found.append(film.info["duration"])
    return film.size, found


def test_a_gif_has_a_picture_of_the_figure_for_each_frame():
    figure, axis = plt.subplots(figsize=(2, 1), dpi=50)
    made = style.gif(figure, (0.2, 0.5, 0.8), lambda y: axis.axhline(y), seconds=0.1, rest=1.5)
    assert durations(made) == ((100, 50), [100, 100, 1500])
    assert not plt.fignum_exists(figure.number)


def test_a_film_of_traces_is_numbered_by_epochs():
    frames = np.random.default_rng(0).standard_normal((3, 2, 50))
    size, found = durations(traces.film(frames, 0.004, [1, 5, 9]))
    assert size == (480, 288) and found == pytest.approx([330] * 3, abs=10)
