"""A wrong call is refused before what computes is loaded: told by what is imported, not by a clock."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SLOW = {"torch", "numba", "matplotlib", "scipy", "h5py", "h5netcdf", "nbformat", "papermill", "distributed", "seaborn"}
CALLS = [
    ("--help", 0),
    ("run --help", 0),
    ("params rnn_fwi", 0),
    ("", 2),
    ("runn", 2),
    ("study X", 2),
    ("list X", 2),
    ("run rnn_fwi -p nonsense 1", 2),
    ("run rnn_fwi --preset X", 2),
    ("run rnn_fwi -f absent.yml", 2),
    ("run gan_101 -p n_samples X", 2),
    ("run gan_101 -p tricks X", 2),
    ("run wgan_traces -p n_epochs 0", 2),
    ("run latent_inversion -p clipping X", 2),
    ("run latent_inversion -p width 1", 2),
    ("run latent_inversion -p width 7", 2),
    ("sweep latent_inversion -p width 16,7", 2),
    ("run latent_inversion -p seed 1 -p seed 2", 2),
    ("run latent_prior", 2),
    ("run rnn_fwi --out /dev/null", 1),
    ("params gan_tricks", 0),
    ("study latent_prior -p widths X", 2),
    ("study latent_facies -p patches 1", 2),
    ("study latent_search -p budget X", 2),
    ("study latent_search -p width 7", 2),
    ("publish latent_search -p width 7 --to elsewhere", 2),
    ("study latent_truths -p n_models 0", 2),
    ("study wgan_use -p steps 0", 2),
    ("study wgan_stopping -p n_epochs 1", 2),
    ("study wgan_factor -p factors 2", 2),
    ("study wgan_gap -p ablations order", 2),
    ("study wgan_conditional -p precision X", 2),
    ("publish wgan_gathers -p width 0", 2),
    ("publish gan_tricks -p tricks X", 2),
    ("publish gan_seeds -p labels X", 2),
    ("publish rnn_starts -p settings X", 2),
    ("audit rnn_fwi --seconds 0", 2),
    ("audit X", 2),
    ("verify X", 2),
    ("compare X Y", 1),
    ("sweep rnn_fwi -p frequency 8,X", 2),
    ("sweep rnn_fwi", 2),
    ("publish rnn_fwi --as 9", 2),
    ("publish rnn_fwi --scheduler X", 2),
    ("study rnn_fwi --jobs 0", 2),
    ("params X", 2),
    ("verify --X", 2),
]
#: All calls in one process: what one of them loads is told of that one.
CODE = """
import contextlib, io, json, sys
from geolib import cli
answers, before = [], set()
for call in json.load(sys.stdin):
    told, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(said):
        try:
            status = cli.main(call.split())
        except SystemExit as stop:  # --help
            status = stop.code
    loaded = {name for name in sys.modules if "." not in name}
    answers.append([status, sorted(loaded - before), told.getvalue()])
    before |= loaded
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Each call's status, what it has loaded that none before it had, and its complaint."""
    command, given = [sys.executable, "-P", "-c", CODE], json.dumps([call for call, _ in CALLS])
    env, folder = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, tmp_path_factory.mktemp("calls")
    done = subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return dict(zip(CALLS, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize(("call", "status"), CALLS)
def test_a_wrong_call_loads_nothing_slow(call, status, answers):
    found, loaded, told = answers[call, status]
    assert found == status, told
    assert not SLOW & set(loaded)
    if status:
        assert told.startswith("geolib: ") and told.count("\n") == 1


def test_the_list_of_what_is_loaded_would_tell(answers):
    assert any("numpy" in loaded for _, loaded, _ in answers.values())
