"""The page on speed takes in what was measured, and nothing else."""

import json

from geolib.book import speed

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
