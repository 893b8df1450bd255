"""The page on speed takes in what was measured, and nothing else."""

import json

import matplotlib.pyplot as plt
import numpy as np

from geolib.book import speed
from geolib.plots import waves

ROWS = [
    {"varied": name, name: n, "forward_s": n, "gradient_s": 5 * n, "workspace_bytes": 2**20}
    for name in ("nt", "cells", "shots", "threads")
    for n in (1, 2, 4)
]


def test_only_measured_tables_are_taken_in(tmp_path):
    assert list(speed.page(tmp_path)) == ["speed.md"]
    (tmp_path / "latent_inversion.md").write_text("| a table |\n")
    (tmp_path / "scheduler.md").write_text("| another page's |\n")
    text = speed.page(tmp_path)["speed.md"].decode()
    assert text == f"## {speed.QUESTIONS['latent_inversion']}\n\n| a table |\n\n"


def test_the_picture_of_scaling_follows_the_engine_s_table(tmp_path):
    (tmp_path / "waves.md").write_text("| waves |\n")
    ratios = [{"what": "forward, other", "ratio": 2.5}, {"what": "peak memory, other", "ratio": 37.8}]
    (tmp_path / "waves.json").write_text(json.dumps({"scaling": ROWS, "rows": ratios}))
    (tmp_path / "wgan_traces.md").write_text("| traces |\n")
    made = speed.page(tmp_path)
    text = made["speed.md"].decode()
    places = ["speed-waves.svg", "| waves |", "_generated/scaling.svg", "| traces |"]
    assert sorted(places, key=text.index) == places
    assert b"<svg" in made["scaling.svg"] and b"<svg" in made["speed-waves.svg"]


def test_the_chart_of_accuracy_rings_the_quickest_within_the_goal(tmp_path):
    rows = [
        {"engine": engine, "order": order, "spacing_m": h, "error": h / 100 / order, "seconds": slow / h}
        for engine, slow in (("geolib", 10.0), ("other", 25.0))
        for order in (2, 4)
        for h in (1.0, 2.0, 4.0, 8.0)
    ]
    (tmp_path / "waves_accuracy.md").write_text("| accuracy |\n")
    machine = {"device": "a processor", "goal": 0.01, "rows": rows}
    (tmp_path / "waves_accuracy.json").write_text(json.dumps({"machines": [machine]}))
    made = speed.page(tmp_path)
    text = made["speed.md"].decode()
    assert text.index("accuracy.svg") < text.index("| accuracy |") and "(a processor)" in text
    assert b"<svg" in made["accuracy.svg"]
    figure, axes = plt.subplots()
    waves.accuracy(axes, rows, 0.01)
    ringed = [tuple(map(float, np.ravel(line.get_data()))) for line in axes.lines if line.get_markersize() > 10]
    plt.close(figure)
    assert ringed == [(10.0 / 4, 1.0), (25.0 / 4, 1.0)]
