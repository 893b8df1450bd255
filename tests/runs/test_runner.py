"""A real study goes on from what it has; how it goes on after it was killed, `test_kills` tells."""

from geolib import studies
from geolib.studies.rnn_fwi.study import STUDY as study


def units(folder):
    return {path.stem: path for path in folder.rglob("*.unit")}


def test_more_trials_reuse_the_finished_ones(tmp_path):
    small = study.Config.preset("quick", experiments="1d", optimisers="gd", gd_rates="0.2", iterations=3)
    large = study.Config.preset("quick", experiments="1d", optimisers="gd", gd_rates="0.2,0.3", iterations=3)
    studies.run(study, small, folder=tmp_path)
    before = {name: path.stat().st_mtime_ns for name, path in units(tmp_path).items()}
    studies.run(study, large, folder=tmp_path)
    after = {name: path.stat().st_mtime_ns for name, path in units(tmp_path).items()}
    assert len(before) == 1
    assert len(after) == 2
    assert before.items() <= after.items()
