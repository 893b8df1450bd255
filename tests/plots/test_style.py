"""The house style: a colour for each thing, drawings that suit a light and a dark page, numbers to take away."""

import io
import itertools
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text
from PIL import Image

from geolib.plots import landing, style, tomography
from geolib.plots.data import table
from geolib.runs import paths


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_a_method_has_one_colour_whatever_its_rate():
    assert style.color_of("Adam 40") == style.PALETTE["Adam"] == style.color_of("Adam")
    assert style.color_of("momentum (app. B) 0.8") == style.PALETTE["momentum (app. B)"] != style.PALETTE["momentum"]
    assert style.color_of("Adamant") == style.color_of("nothing known") == style.GREY


def test_runs_of_one_method_are_shades_of_its_colour():
    plain, pale, dark = style.colors_of(["CG", "Adam 10", "Adam 40"])
    assert plain == style.PALETTE["CG"]
    assert sum(pale) > sum(dark) and tuple(pale) != tuple(dark)


def test_a_drawing_turns_light_in_the_dark_and_gives_the_same_bytes_again():
    style.use_style()

    def drawn():
        figure, (ax,) = style.new_figure()
        ax.plot([1, 2], [3, 4], color=style.PALETTE["truth"])
        ax.imshow(np.eye(4))
        return style.svg(figure)

    text = drawn()
    assert "prefers-color-scheme: dark" in text and f"stroke: {style.INK};" in text
    assert f'[style*="stroke: {style.INK}"] {{stroke: {style.IN_THE_DARK[style.INK]}' in text
    assert "fill: #ffffff" not in text  # no background
    assert "data:image/png;base64" in text
    assert drawn() == text


def contrast(color, page="#121212"):
    def luminance(name):
        parts = np.array(to_rgb(name))
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    return (luminance(color) + 0.05) / (luminance(page) + 0.05)


def test_every_colour_of_the_house_can_be_seen_on_a_dark_page_and_told_from_the_others():
    shown = {color: style.IN_THE_DARK.get(color, color) for color in style.COLORS.values()}
    assert min(map(contrast, shown.values())) > 6 > contrast(style.COLORS["blue"])
    pairs = itertools.combinations([np.array(to_rgb(color)) for color in shown.values()], 2)
    assert min(np.linalg.norm(one - other) for one, other in pairs) > 0.2
    assert set(style.IN_THE_DARK) <= set(style.COLORS.values())


def test_all_text_of_a_figure_is_of_one_size():
    style.use_style()
    figure, (ax,) = style.new_figure()
    ax.plot([1, 2], [3, 4], label="Adam")
    ax.set(title="title", xlabel="x", ylabel="y")
    ax.legend(title="methods")
    ax.annotate("note", (1, 3))
    style.headline(figure, "message")
    figure.supxlabel("time")
    figure.draw_without_rendering()
    assert {text.get_fontsize() for text in figure.findobj(Text) if text.get_text()} == {style.POINTS}
    # No figure goes its own way, and pages show a film's pixels as those of a screen, 96 to the inch.
    code = "".join(path.read_text(encoding="utf-8") for path in (paths.checkout() / "geolib" / "plots").glob("*.py"))
    assert not re.findall(r"fontsize=|\"fontsize\"|labelsize=|\Wsize=\d", code)
    assert style.FILM == 96


def test_no_stroke_becomes_pixels_which_cannot_turn_light():
    code = [*(paths.checkout() / "geolib" / "plots").glob("*.py"), *(paths.checkout() / "notebooks").glob("*.ipynb")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in code)
    assert set(re.findall(r"\.(\w+)\([^()]*rasterized=True", text)) == {"pcolormesh"}
    assert "set_rasterized" not in text and '"rasterized"' not in text


def test_a_films_letters_are_blended_with_the_white_that_they_stand_on():
    style.use_style()
    figure, (ax,) = style.new_figure(width=2, height=1)
    made = style.gif(figure, [0], lambda frame: ax.set_title("330"))
    letters = np.asarray(Image.open(io.BytesIO(made)).convert("L"))[:16]  # no axis so high
    # Edges of letters are grey: a picture that lost its transparency has black ones only.
    assert letters[0, 0] == 255 and ((letters > 60) & (letters < 230)).mean() > 0.01


def test_a_figure_of_many_strokes_becomes_a_picture():
    style.use_style()
    figure, (ax,) = style.new_figure()
    ax.plot(np.random.default_rng(0).random(10), label="few")
    assert set(style.bundle(figure)[0]) == {"image/svg+xml", "text/csv"}
    ax.scatter(*np.random.default_rng(0).random((2, 9000)), marker="*")
    assert set(style.bundle(figure)[0]) == {"image/png", "text/csv"}


def test_the_numbers_of_a_figure_are_those_drawn():
    figure, (left, right) = plt.subplots(1, 2)
    left.plot([1, 2], [0.5, 0.25], label="misfit")
    left.set_title("A title", loc="left")
    right.imshow(np.arange(4.0).reshape(2, 2))
    right.bar([0, 1], [2.0, 3.0])
    rows = table(figure).splitlines()
    assert rows[0] == "panel,series,x,y,value"
    assert "A title,misfit,2,0.25," in rows and "2,,0,1,2" in rows and "2,bars,1,3," in rows
    assert table(plt.figure()) == ""


def test_a_label_stands_at_the_last_number_of_a_line():
    _, ax = plt.subplots()
    (line,) = ax.plot([1, 2, 3], [1.0, 4.0, np.nan], label="Adam")
    assert style.label_end(ax, line) is ax
    assert ax.texts[0].xy == (2, 4.0) and ax.texts[0].get_text() == "Adam"


def test_what_a_figure_names_has_its_colour_on_every_page():
    """One for the cells of true rays, one for those that are summed in their place, one for what is generated."""
    cells = np.eye(4)
    _, (ax, *each) = plt.subplots(1, 3)
    landing.crossings(ax, cells, cells, cells[::-1], ((0, 0), (0.4, 0.4)))
    true, scrambled = style.PALETTE["true rays"], style.PALETTE["scrambled"]
    assert {text.get_text(): text.get_color() for text in ax.texts} == {
        "cells of the ray": true,
        "cells that the published code sums": scrambled,
    }
    summed, crossed = (to_hex(drawn.get_facecolor()[0]) for drawn in ax.collections)
    assert (summed, crossed) == (scrambled.lower(), true.lower())
    for panel, name in zip(each, ("true rays", "scrambled"), strict=True):
        assert tomography.draw_ray(panel, cells, cells, name).lines[0].get_color() == style.PALETTE[name]
    code = paths.notebook("wgan_traces").read_text(encoding="utf-8")
    drawn = re.findall(r"traces\.wiggles\((.*?)\)\\n", code)
    assert [call for call in drawn if "samples" in call] and all(
        call.endswith("traces.GENERATED") for call in drawn if "samples" in call
    )


def test_no_optimiser_of_the_waves_shares_its_colour_with_another_or_with_truth_and_start():
    names = ("gradient descent", "momentum", "momentum (app. B)", "Adagrad", "RMSprop", "Adam", "CG", "L-BFGS", "TNC")
    colours = [style.color_of(name) for name in ("truth", "start", *names)]
    assert len(set(colours)) == len(colours)
