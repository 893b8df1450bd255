"""The page on speed takes in what was measured, and nothing else."""

import json

from geolib.book import pages

ROWS = [
    {"varied": name, name: n, "forward_s": n, "gradient_s": 5 * n, "workspace_bytes": 2**20}
    for name in ("nt", "cells", "shots", "threads")
    for n in (1, 2, 4)
]


def test_only_measured_tables_are_taken_in(tmp_path):
    assert list(pages.speed(tmp_path)) == ["speed.md"]
    (tmp_path / "latent_inversion.md").write_text("| a table |\n")
    (tmp_path / "scheduler.md").write_text("| another page's |\n")
    text = pages.speed(tmp_path)["speed.md"].decode()
    assert text == "## Inversion in a latent space\n\n| a table |\n\n"


def test_the_picture_of_scaling_follows_the_engine_s_table(tmp_path):
    (tmp_path / "waves.md").write_text("| waves |\n")
    (tmp_path / "waves.json").write_text(json.dumps({"scaling": ROWS}))
    (tmp_path / "wgan_traces.md").write_text("| traces |\n")
    made = pages.speed(tmp_path)
    text = made["speed.md"].decode()
    assert text.index("| waves |") < text.index("_generated/scaling.png") < text.index("| traces |")
    assert made["scaling.png"].startswith(b"\x89PNG")
