"""The page on speed takes in what was measured, and nothing else."""

import importlib
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from geolib.book import goals, speed
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
    (tmp_path / "waves.json").write_text(json.dumps({"machines": [{"device": "one", "scaling": ROWS, "rows": ratios}]}))
    (tmp_path / "wgan_traces.md").write_text("| traces |\n")
    made = speed.page(tmp_path)
    text = made["speed.md"].decode()
    places = ["speed-waves.svg", "| waves |", "_generated/scaling.svg", "| steps | 4 | 4.000 |", "| traces |"]
    assert sorted(places, key=text.index) == places
    assert b"<svg" in made["scaling.svg"] and b"<svg" in made["speed-waves.svg"]


def test_each_question_is_measured_and_each_chart_tells_its_processor():
    bench = Path(speed.__file__).parents[2] / "bench"
    assert [name for name in speed.QUESTIONS if not (bench / f"{name}.md").is_file()] == []
    text = speed.page(bench)["speed.md"].decode()
    charts = [part.partition("\n:::")[0] for part in text.split(":::{figure}")[1:]]
    devices = {m["device"] for file in bench.glob("*.json") for m in json.loads(file.read_text()).get("machines", ())}
    assert charts and not [chart for chart in charts if not any(device in chart for device in devices)]


def test_a_table_is_made_of_its_measurements(monkeypatch):
    bench = Path(speed.__file__).parents[2] / "bench"
    monkeypatch.syspath_prepend(bench)
    table = importlib.import_module("wgan_traces").table
    assert table(json.loads((bench / "wgan_traces.json").read_text())) == (bench / "wgan_traces.md").read_text()


def test_a_caption_calls_no_bar_of_memory_fast(tmp_path):
    (tmp_path / "waves.md").write_text("| waves |\n")
    ratios = [{"what": "forward, other", "ratio": 2.5}, {"what": "peak memory, other", "ratio": 37.8}]
    (tmp_path / "waves.json").write_text(json.dumps({"machines": [{"device": "one", "scaling": ROWS, "rows": ratios}]}))
    text = speed.page(tmp_path)["speed.md"].decode()
    assert "the faster" not in text and "how many times as much memory" in " ".join(text.split())


def test_orders_have_one_chart_with_a_row_for_each_machine_and_their_table_is_folded(tmp_path):
    row = {"task": "gradient", "threads": 1, "ratio": 5.0, "target": 7.0, "other": "one"}
    rows = [{**row, "order": n, "threads": k, "ratio": r} for n, k, r in ((2, 1, 5.0), (4, 2, 8.0))]
    rows += [{**rows[1], "other": "one, which saves"}, {**rows[0], "task": "forward"}]
    machines = [{"device": name, "rows": rows} for name in ("a processor", "another")]
    (tmp_path / "waves_orders.md").write_text("| orders |\n")
    (tmp_path / "waves_orders.json").write_text(json.dumps({"machines": machines}))
    made = speed.page(tmp_path)
    text = made["speed.md"].decode()
    assert text.index("orders.svg") < text.index("{dropdown}") < text.index("| orders |")
    assert b"<svg" in made["orders.svg"] and text.count("{figure}") == 1 and "a processor and another." in text
    assert "note above" not in speed.SCALING + speed.ORDERS  # there is none
    figure = waves.orders({"a processor": rows, "another": rows})
    assert len(figure.axes) == 4
    gradient = next(ax for ax in figure.axes if "gradient, another" in (ax.get_title(), ax.get_title("left")))
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


def test_each_goal_that_a_machine_misses_has_a_reason_or_says_that_none_was_tested():
    bench = Path(speed.__file__).parents[2] / "bench"
    text = speed.page(bench)["speed.md"].decode()
    for name in ("waves", "waves_orders", "waves_accuracy"):
        told = goals_of(name, bench)
        missed = [m["device"] for m in json.loads((bench / f"{name}.json").read_text())["machines"]]
        assert all(f", {device}: " in told for device in missed) and told in text
    target = json.loads((bench / "targets.json").read_text())
    assert f"| {target['forward']:g} |" in text and "| 2.5 | met |" not in text and "| 3.5 | met |" not in text


def goals_of(name, bench):
    return {"waves": goals.of_waves, "waves_orders": goals.of_orders, "waves_accuracy": goals.of_accuracy}[name](bench)


def test_goals_are_told_by_machine_and_what_was_not_measured(tmp_path):
    targets = {"forward": 3, "gradient": 7, "gradient_in_forwards": 3.5, "share_of_stencil": 0.7, "wide_generator": 3.5}
    (tmp_path / "targets.json").write_text(json.dumps(targets))
    limit = {"fraction_of_stencil": 0.6, "layer_share": 0.4, "fraction_of_triad": 0.3}
    forward = {"what": "forward, other", "goal": "forward", "ratio": 2.0}
    (tmp_path / "waves.json").write_text(json.dumps({"machines": [{"device": "A", "limit": limit, "rows": [forward]}]}))
    row = {"order": 4, "threads": 1, "other": "other"}
    times = [
        {**row, "task": "forward", "geolib_s": 1.0, "ratio": 3.5, "target": 3},
        {**row, "task": "gradient", "geolib_s": 3.0, "ratio": 6.0, "target": 7},
    ]
    (tmp_path / "waves_orders.json").write_text(json.dumps({"machines": [{"device": "B", "rows": times}]}))
    told = goals.of_waves(tmp_path)
    assert "| A | 60% | 70% | **missed** |" in told and "| B | not measured | 70% | |" in told
    assert "- Forward, other, A: the absorbing layers take 40% of the time" in told and "moves 50% of" in told
    told = goals.of_orders(tmp_path)
    assert "| A | not measured |" in told and "| B | 3.0 to 3.0 | at most 3.5 | met |" in told
    assert told.count("\n- ") == 1 and f"- Gradient at order 4 beside other, B: {goals.UNTESTED}" in told
    assert "`python bench/latent_inversion.py --width 64`" in goals.of_width(tmp_path)
    (tmp_path / "wide_generator.md").write_text("| float32 | **missed** |\n")
    assert goals.UNTESTED in goals.of_width(tmp_path)


def test_deepwave_s_better_number_of_threads_is_what_a_ratio_takes():
    bench = Path(speed.__file__).parents[2] / "bench"
    for machine in json.loads((bench / "waves_orders.json").read_text())["machines"]:
        for row in (row for row in machine["rows"] if "other" in row):
            key = ("order", "task", "other")
            same = [
                r for r in machine["rows"] if all(r.get(k) == row[k] for k in key) and r["threads"] <= row["threads"]
            ]
            assert row["best_s"] == min(r["other_s"] for r in same)
            assert abs(row["ratio"] / (row["best_s"] / row["geolib_s"]) - 1) < 0.1
