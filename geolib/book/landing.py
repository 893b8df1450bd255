"""The first page: the book's finest picture, four surprises, three ways in, the scorecard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geolib import studies
from geolib.book import about, ledger, links, verify
from geolib.runs.unit import Units

#: Depths (m) of the antennas of the ray on the first page.
RAY = (3.0, 9.5)


@dataclass(frozen=True)
class Surprise:
    """One finding in a sentence and a picture.

    Attributes
    ----------
    study : str
        Whose chapter tells of it.
    sentence : str
        With its numbers, from the precomputed results.
    drawing : str
        SVG.
    alternative : str
        The picture in words.
    """

    study: str
    sentence: str
    drawing: str
    alternative: str


def ray() -> str:
    """Return the book's finest picture: a ray, the cells it crosses, the cells that were summed."""
    from geolib.datasets.channels import procedural_channels
    from geolib.inversion.crosshole import Crosshole, ray_matrix
    from geolib.plots import landing, style

    survey = Crosshole()
    number = survey.source_depths.index(RAY[0]) * len(survey.receiver_depths)
    number += survey.receiver_depths.index(RAY[1])
    crossed, summed = (
        np.asarray(ray_matrix(survey, order)[number].todense()).reshape(survey.shape)
        for order in ("consistent", "as_published")
    )
    nz, nx = survey.shape
    model = procedural_channels((2 * nz, 2 * nx), np.random.default_rng(7))[:nz, :nx]
    style.use_style()
    figure, (ax,) = style.new_figure(width=4.4, height=3.1)
    ends = ((survey.source_x, RAY[0]), (survey.receiver_x, RAY[1]))
    landing.crossings(ax, model, crossed, summed, ends, survey.spacing)
    return style.svg(figure)


def surprises() -> Iterator[Surprise]:
    """Yield a finding of each chapter whose precomputed results are there."""
    import matplotlib.pyplot as plt

    from geolib.plots import style

    style.use_style()
    for name, draw in _SURPRISES.items():
        if name not in studies.NAMES:
            continue
        results = studies.shipped(studies.get(name))
        if results is not None:
            yield draw(results.units)
        plt.close("all")


def _game(units: Units) -> Surprise:
    from geolib.plots import landing, style

    unit, rate = units["bilinear"], studies.get("gan_101").lends["bilinear_rate"]
    row = unit["methods"].tolist().index("simultaneous")
    steps = unit["distance"].shape[1] - 1
    figure, (ax,) = style.new_figure(width=2.4, height=1.75)
    landing.spiral(ax, unit["paths"][row][:120])
    first, last = unit["distance"][row][[0, -1]]
    away = float(f"{last / first:.3g}")
    sentence = (
        "In the simplest adversarial game, plain gradient steps run away from the solution: after "
        f"{steps} of them, at a rate of {rate:g}, the players are {away:,.0f} times as "
        "far from it."
    )
    alternative = "A path that spirals outwards around the solution of a game."
    return Surprise("gan_101", sentence, style.svg(figure), alternative)


def _collapse(units: Units) -> Surprise:
    from geolib.plots import landing, style

    study = studies.get("wgan_traces")
    usual = studies.shipped(study, "init002")
    printed, other = map(study.lends["epochs"], (units, usual.units if usual else units))
    count = min(len(printed), len(other))
    real = units["data"]["traces"]
    spread, drawn = study.lends["spread"], study.lends["drawn"]
    spreads = [spread(epoch["samples"][:drawn], real) for epoch in other[:count]]
    narrow = int(np.argmin(spreads))
    collapsed = sum(each < 0.1 for each in spreads)
    figure, axes = style.new_figure(1, 2, width=2.4, height=1.75)
    color = style.PALETTE["generated"]
    landing.stacked(axes[0], printed[narrow]["samples"][:5], color, "deviation 0.2")
    landing.stacked(axes[1], other[narrow]["samples"][:5], color, "deviation 0.02")
    sentence = (
        "A printed 0.2 looks like a slip for the usual 0.02, and it is 0.2 that works: from 0.02 "
        f"the generator draws one and the same trace in {collapsed} of {count} epochs (one run "
        "each)."
    )
    alternative = "Five different generated traces, and five that are all alike."
    return Surprise("wgan_traces", sentence, style.svg(figure), alternative)


def _fits(units: Units) -> Surprise:
    from geolib.plots import landing, style

    found = studies.shipped_measures(studies.get("latent_inversion"))
    name = "table3.s1-10000.le1.01.all"  # binary models, as the paper's text counts them
    true, scrambled = (found[f"{front}{name}"] for front in ("", "as_published."))
    figure, axes = style.new_figure(1, 2, width=2.4, height=1.75)
    for ax, (share, color, text) in zip(
        axes,
        ((true, "true rays", "true rays"), (scrambled, "scrambled", "as published")),
        strict=True,
    ):
        landing.trials(ax, share.k or 0, share.n or 0, style.PALETTE[color], text)
    sentence = (
        "Published rays sum cells that they never touch (above): through them gradients fit the "
        f"data in {scrambled} trials, through true rays in {true} (our smaller generator)."
    )
    alternative = (
        "A square for each trial, filled where it fits: most with true rays, few as published."
    )
    return Surprise("latent_inversion", sentence, style.svg(figure), alternative)


def _misfit(units: Units) -> Surprise:
    from geolib.plots import landing, style

    plain, heavy = units["1d-gd-0.4-f64"], units["1d-momentum-0.8-f64"]
    ratio = plain["misfit"][-1] / heavy["misfit"][-1]
    figure, (ax,) = style.new_figure(width=2.4, height=1.75)
    models = [("gradient descent", plain["model"]), ("momentum", heavy["model"])]
    among = studies.get("rnn_fwi").lends["alike"](units)
    rows = landing.worst_interface(plain["truth"], plain["model"], heavy["model"])
    landing.depth_profiles(ax, plain["truth"], models, rows)
    sentence = (
        f"Momentum fits one trace {ratio:.0f} times as well as gradient descent, and its model is "
        f"the worse one: {heavy['error'][-1]:.0f} m/s off against {plain['error'][-1]:.0f} "
        f"({among[0].lower()}{among[1:]})."
    )
    alternative = (
        "Velocity against depth around a step of the truth: momentum's model swings further off it "
        "than that of gradient descent."
    )
    return Surprise("rnn_fwi", sentence, style.svg(figure), alternative)


_SURPRISES = {
    "gan_101": _game,
    "wgan_traces": _collapse,
    "latent_inversion": _fits,
    "rnn_fwi": _misfit,
}


def cards(found: Sequence[Surprise]) -> str:
    """Return the surprises as Markdown: a picture and a sentence each, leading to its chapter."""
    made = [
        f""":::{{grid-item-card}}
:link: chapter-{each.study}
:link-type: ref
:img-top: /_generated/surprise-{each.study}.svg
:img-alt: {each.alternative}

{each.sentence}
:::
"""
        for each in found
    ]
    return "\n".join(
        ["::::{grid} 1 2 4 4\n:gutter: 2\n:class-container: surprises\n", *made, "::::\n"]
    )


def card(judged: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    """Return the scorecard of all papers in one row, which leads to the page of verdicts."""
    total = verify.scorecard([row for rows in judged.values() for row in rows])
    parts = [("statements", total["claims"])]
    parts += [(verdict, total[verdict]) for verdict in ledger.VERDICTS]
    items = "".join(f"<li><b>{count}</b> {name}</li>" for name, count in parts)
    link = f'<a href="{links.PAGE}">What reproduces, and why</a>'
    return f'```{{raw}} html\n<ul class="card-row">{items}</ul><p>{link}</p>\n```\n'


def ways(minutes: Sequence[int]) -> str:
    """Return the three buttons: read, play, reproduce."""
    low, high = min(minutes, default=0), max(minutes, default=0)
    span = f"{low} to {high}" if low < high else f"{low}"
    buttons = [
        ("chapter-gan_101", "ref", f"Read: {span} minutes a story", ""),
        ("labs", "doc", "Play: laboratories in the page", ":outline:\n"),
        ("reproduce-it", "ref", "Reproduce: two commands", ":outline:\n"),
    ]
    made = [
        f":::{{grid-item}}\n```{{button-ref}} {target}\n:ref-type: {kind}\n:color: primary\n"
        f":expand:\n{outline}{text}\n```\n:::"
        for target, kind, text, outline in buttons
    ]
    return "\n".join(["::::{grid} 1 3 3 3\n:gutter: 2\n", *made, "::::\n"])


def reproduce(address: str) -> str:
    """Return how to build and check the book, from a clone where the repository has an address."""
    where, clone = "In a checkout of this repository, with", ""
    if address:
        folder = address.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git")
        where, clone = "On a fresh machine with git,", f"git clone {address} && cd {folder}\n"
    return (
        f"{where} Python 3.11 or newer and make (`make test` checks package, notebooks and pages):"
        f"\n\n```bash\n{clone}make book\nmake test\n```\n"
    )


def content(
    judged: Mapping[str, Sequence[dict[str, Any]]], address: str, minutes: Sequence[int]
) -> dict[str, bytes]:
    """Return the generated files of the first page by name; `minutes` of each chapter."""
    found = list(surprises())
    made = {f"surprise-{each.study}.svg": each.drawing for each in found}
    made |= {"ray.svg": ray(), "surprises.md": cards(found), "card.md": card(judged)}
    made |= {"ways.md": ways(minutes), "reproduce.md": reproduce(address), "about.md": about.page()}
    return {name: text.encode() for name, text in made.items()}
