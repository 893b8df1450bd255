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
    places = ["speed-waves.svg", "| waves |", "_generated/scaling.svg", "| steps | 4 | 4.000 |", "| traces |"]
    assert sorted(places, key=text.index) == places
    assert b"<svg" in made["scaling.svg"] and b"<svg" in made["speed-waves.svg"]


def test_a_caption_calls_no_bar_of_memory_fast(tmp_path):
    (tmp_path / "waves.md").write_text("| waves |\n")
    ratios = [{"what": "forward, other", "ratio": 2.5}, {"what": "peak memory, other", "ratio": 37.8}]
    (tmp_path / "waves.json").write_text(json.dumps({"scaling": ROWS, "rows": ratios}))
    text = speed.page(tmp_path)["speed.md"].decode()
    assert "the faster" not in text and "how many times as much memory" in " ".join(text.split())


def test_orders_have_a_chart_of_each_machine_and_their_table_is_folded(tmp_path):
    row = {"task": "gradient", "threads": 1, "ratio": 5.0, "target": 7.0, "other": "one"}
    rows = [{**row, "order": n, "threads": k, "ratio": r} for n, k, r in ((2, 1, 5.0), (4, 2, 8.0))]
    rows += [{**rows[1], "other": "one, which saves"}, {**rows[0], "task": "forward"}]
    machines = [{"device": name, "rows": rows} for name in ("a processor", "another")]
    (tmp_path / "waves_orders.md").write_text("| orders |\n")
    (tmp_path / "waves_orders.json").write_text(json.dumps({"machines": machines}))
    made = speed.page(tmp_path)
    text = made["speed.md"].decode()
    assert text.index("orders-2.svg") < text.index("{dropdown}") < text.index("| orders |")
    assert b"<svg" in made["orders-1.svg"] and "on another." in text
    figure = waves.orders(rows)
    gradient = next(ax for ax in figure.axes if "gradient" in (ax.get_title(), ax.get_title("left")))
    dots = [line for line in gradient.lines if line.get_marker() == "o" and len(line.get_xdata()) == 1]
    assert sorted(line.get_ydata()[0] for line in dots) == [5, 8, 8]
    assert sum(line.get_markerfacecolor() == "none" for line in dots) == 1
    plt.close(figure)


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
