"""What is started from here sees nothing of its user's settings; folders, workers and schedulers are told apart."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from geolib import studies
from geolib.runs import locks, provenance, scheduler, store, surroundings

ROOT = Path(__file__).parents[2]
HOSTILE = {
    "MPLBACKEND": "Agg",
    "MATPLOTLIBRC": "/nowhere",
    "GIT_DIR": "/nowhere",
    "GIT_WORK_TREE": "/nowhere",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "PYTHONSTARTUP": "/nowhere",
    "IPYTHONDIR": "/nowhere",
    "JUPYTER_PATH": "/nowhere",
    "OMP_NUM_THREADS": "7",
    "NUMBA_DISABLE_JIT": "1",
    "FORCE_COLOR": "1",
    surroundings.UNITS: "/nowhere",
}


@pytest.fixture
def hostile(monkeypatch):
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)


def test_a_child_sees_none_of_a_hostile_environment(hostile, monkeypatch):
    monkeypatch.setenv("GEOLIB_DATA", "data")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/cache")
    found = surroundings.environment(MORE="1")
    assert not [name for name, value in HOSTILE.items() if found.get(name) == value]
    assert all(found[name] == "1" for name in surroundings.THREADS)
    assert (found["MORE"], found["NUMBA_CACHE_DIR"]) == ("1", "/cache")
    assert found["GEOLIB_DATA"] == os.path.abspath("data")
    assert found["PYTHONPATH"].split(os.pathsep)[0] == str(ROOT)


def test_the_environment_is_put_back(hostile):
    before = dict(os.environ)
    with surroundings.applied():
        assert os.environ["OMP_NUM_THREADS"] == "1" and "GIT_DIR" not in os.environ
    assert dict(os.environ) == before


def test_results_are_the_same_in_any_surroundings(tmp_path):
    """Without a home or a place for temporary files, with decimal commas, another time zone and order of sets."""
    strange = {"HOME": "/nowhere", "TMPDIR": "/nowhere", "LC_ALL": "de_DE.UTF-8", "TZ": "Nowhere/9", "COLUMNS": "1"}
    strange |= {"PYTHONHASHSEED": "7", "TERM": "", "MPLCONFIGDIR": "/nowhere"}
    command = [sys.executable, "-m", "geolib", "study", "rnn_fwi", "-p", "experiments", "theory,gather"]
    env = surroundings.environment() | strange
    done = subprocess.run([*command, "--folder", "there"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    there = {path.stem: store.read_unit(path)[0] for path in (tmp_path / "there").rglob("*.unit")}
    study = studies.get("rnn_fwi")
    here = studies.run(study, study.Config.preset("quick", experiments="theory,gather")).units
    assert here.keys() == there.keys() and len(here) == 2
    for name, arrays in here.items():
        assert arrays.keys() == there[name].keys()
        for label, values in arrays.items():
            np.testing.assert_array_equal(values, there[name][label])


def repository(folder: Path) -> str:
    """A repository of somebody else's, with one commit."""
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "theirs"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True, env=surroundings.environment())
    return (surroundings.git(folder, "rev-parse", "HEAD") or "").strip()


def test_an_environment_inside_a_project_has_no_commit_of_its_own(tmp_path, monkeypatch):
    theirs = repository(tmp_path)
    assert len(theirs) == 40
    package = tmp_path / ".venv" / "geolib" / "runs"
    package.mkdir(parents=True)
    monkeypatch.setattr(provenance, "__file__", str(package / "provenance.py"))
    (package / "provenance.py").write_text("")
    provenance.commit.cache_clear()
    try:
        assert provenance.commit() == "unknown"
    finally:
        monkeypatch.undo()
        provenance.commit.cache_clear()


def test_git_answers_the_same_with_hostile_variables(tmp_path, hostile):
    commit = repository(tmp_path)
    assert len(commit) == 40
    assert surroundings.git(tmp_path, "status", "--porcelain") == ""
    assert surroundings.git(tmp_path / "none", "status") is None


def test_one_process_at_a_time_holds_a_folder(tmp_path):
    code = f"from pathlib import Path; from geolib.runs import locks\nwith locks.held(Path({str(tmp_path)!r}), 'a run',"
    code += " 'Wait.'):\n    print('held', flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=surroundings.environment(),
        text=True,
    )
    assert other.stdout.readline() == "held\n"
    line = rf"a run must be alone in .*; process {other.pid} of \w+ is at work there\. Wait\."
    with pytest.raises(RuntimeError, match=line), locks.held(tmp_path, "a run", "Wait."):
        pytest.fail("two held it")
    other.kill()
    other.wait()
    with locks.held(tmp_path, "a run", "Wait."):  # a kill sets it free
        assert locks.made_by(f"{locks.own_name()}-x") == os.getpid()
    assert not list(tmp_path.iterdir())
    assert locks.made_by(f"elsewhere-{os.getpid()}-x") is None


WORKERS = """
import os, time
from geolib.runs import scheduler
from tests.runs import test_surroundings as here
if __name__ == "__main__":
    list(scheduler.unordered(here.sleep, [("{folder}", n) for n in range(2)], jobs=2))
"""


def sleep(folder: str, number: int) -> None:
    Path(folder, f"{os.getpid()}.pid").write_text("")
    time.sleep(120)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not (state.is_file() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def until(condition, seconds=60) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_workers_end_with_a_killed_parent(tmp_path):
    (tmp_path / "script.py").write_text(WORKERS.format(folder=tmp_path))
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    parent = subprocess.Popen([sys.executable, str(tmp_path / "script.py")], env={**os.environ, "PYTHONPATH": path})
    assert until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
    workers = [int(file.stem) for file in tmp_path.glob("*.pid")]
    parent.kill()
    parent.wait()
    assert until(lambda: not any(map(alive, workers)), 20)


@pytest.mark.parametrize(
    ("answer", "piece"),
    [
        (b"", "what is there says nothing"),
        (b"HTTP/1.1 400 Bad Request\r\nServer: web\r\n\r\n<html>no</html>" * 9, "what is there speaks otherwise"),
        (b"\x00" * 400, "what is there speaks otherwise"),
    ],
)
def test_what_is_no_scheduler_is_refused_in_a_line(answer, piece, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(scheduler, "_ANSWERS_WITHIN", 2.0)
    server, kept = socket.create_server(("127.0.0.1", 0)), []

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            kept.append(connection)
            connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(RuntimeError, match=f"a Dask scheduler must answer at {address}; {piece}") as raised:
        list(scheduler.unordered(len, [("a",)], address=address))
    server.close()
    assert len(str(raised.value).splitlines()) == 1


def test_a_name_server_that_says_nothing_is_not_waited_for(monkeypatch):
    pytest.importorskip("distributed")

    async def asked(address):
        time.sleep(60)  # as the system's own question does, which no loop can stop

    monkeypatch.setattr(scheduler, "_ANSWERS_WITHIN", -1.9)
    monkeypatch.setattr(scheduler, "_refusal", asked)
    with pytest.raises(RuntimeError, match=r"must answer at tcp://far:1; its host is not found within 0\.1 s"):
        list(scheduler.unordered(len, [("a",)], address="tcp://far:1"))


@pytest.mark.parametrize(
    "address", ["nonsense", "", "http://host:80", "tcp://host:0", "tcp://host:99999", "a b:1", "host:８７８６"]
)
def test_an_address_of_another_form_is_refused_without_a_network(address):
    with pytest.raises(ValueError, match=r"scheduler address must be like tcp://host:8786; got"):
        scheduler.check_address(address)


@pytest.mark.parametrize("address", ["host:8786", "tls://10.0.0.1:1", "tcp://[::1]:8786", "inproc://10.0.0.1/1/1"])
def test_addresses_of_dask_are_taken(address):
    assert scheduler.check_address(address) == address
