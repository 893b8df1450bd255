"""The command line: what it prints, and how it refuses."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from geolib import cli, studies
from geolib.book import arguments, ledger, ledger_page
from geolib.datasets import fetch
from geolib.runs import locks, paths, scheduler

ROOT = Path(__file__).parents[1]


def fails(done, status, *pieces):
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith("geolib: ")
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for piece in pieces:
        assert piece in done.stderr


@pytest.mark.parametrize("command", ["list", "params", "run", "compare", "sweep", "book", "publish", "verify", "audit"])
def test_every_command_has_help_with_examples(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert f"examples:\n  geolib {command}" in capsys.readouterr().out


def test_list_names_the_studies(capsys):
    assert cli.main(["list"]) == 0
    named = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert [name for name in named if name in studies.NAMES] == list(studies.NAMES)
    assert set(named) == {*studies.NAMES, *studies.COMPANIONS}


@pytest.mark.parametrize("name", studies.NAMES)
def test_params_as_json(name, capsys):
    assert cli.main(["params", name, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows
    for row in rows:
        assert list(row) == ["name", "type", "default", "paper", "range", "unit", "help"]
        assert row["help"]
    assert cli.main(["params", name]) == 0
    assert rows[0]["name"] in capsys.readouterr().out


def test_the_help_of_verify_and_the_page_of_the_ledger_say_what_each_key_holds(capsys):
    with pytest.raises(SystemExit):
        cli.main(["verify", "--help"])
    told = " ".join(capsys.readouterr().out.partition("keys of an object of --json:\n")[2].split())
    assert told == " ".join(f"{key} {text}" for key, text in ledger.KEYS.items())
    table = ledger_page.keys().splitlines()[2:]
    assert table == [f"| `{key}` | {text} |" for key, text in ledger.KEYS.items()]
    root = paths.checkout()
    assert "geolib verify --help" in (root / "README.md").read_text("utf-8")
    assert "{include} _generated/claims_keys.md" in (root / "book" / "reproduces.md").read_text("utf-8")


def test_verify_as_json(judged, capsys, monkeypatch):
    monkeypatch.setattr(cli.verify, "rows", lambda: judged)
    assert cli.main(["verify", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len({row["id"] for row in rows}) == len(rows) > 100
    for row in rows:
        assert (row["ours"] is None) == (row["verdict"] == "not run")


@pytest.mark.parametrize(
    ("arguments", "pieces"),
    [
        (["params", "rnn_fwy"], ["study must be one of", "Did you mean 'rnn_fwi'?"]),
        (["run", "gan101"], ["Did you mean 'gan_101'?"]),
        (["run", "rnn_fwi", "-p", "optimizers", "adam"], ["parameter 'optimizers' is unknown", "Did you mean"]),
        (["run", "rnn_fwi", "--preset", "papr"], ["preset must be one of quick, paper", "Did you mean 'paper'?"]),
        (["run"], ["STUDY"]),
        (["runn"], ["invalid choice: 'runn'"]),
        ([], ["COMMAND"]),
        (["run", "rnn_fwi", "-p", "n_iterations"], ["expected 2 arguments"]),
    ],
)
def test_usage_errors(arguments, pieces, capsys):
    status = cli.main(arguments)
    told = capsys.readouterr()
    fails(subprocess.CompletedProcess(arguments, status, told.out, told.err), 2, *pieces)


def test_the_status_of_a_wrong_call_is_that_of_its_process(geolib_command):
    fails(geolib_command("run"), 2, "STUDY")


def numeric(kind):
    """Return the first parameter of a kind, with its upper bound, of the first study that has one."""
    for name in studies.NAMES:
        for row in studies.get(name).Config.describe():
            if row["type"] == kind and row["range"] and row["range"][1] is not None:
                return name, row
    raise AssertionError(f"no {kind} parameter with an upper bound")


@pytest.mark.parametrize(
    ("kind", "value", "piece"),
    [
        ("int", "1.5", "must be a whole number; got '1.5'"),
        ("int", "many", "must be a number; got 'many'"),
        ("int", "nan", "must be finite"),
        ("int", "1e15", "must be between"),
        ("float", "nan", "must be finite"),
        ("float", "-inf", "must be finite"),
        ("float", "1e30", "must be between"),
    ],
)
def test_values_are_refused_before_a_kernel_starts(kind, value, piece, capsys, tmp_path):
    name, row = numeric(kind)
    assert cli.main(["run", name, "-p", row["name"], value, "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"geolib: {row['name']} must be")
    assert piece.split("; got")[0] in message
    assert not (tmp_path / "out").exists()


def test_an_unwritable_folder_is_refused(geolib_command, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("in the way")
    done = geolib_command("run", "rnn_fwi", "--out", str(blocker / "out"))
    fails(done, 1, "--out must be a folder that can be written", "Choose another.")


def test_a_data_folder_that_does_not_exist_is_refused(geolib_command, tmp_path):
    done = geolib_command("run", "latent_inversion", "--out", str(tmp_path / "out"), GEOLIB_DATA=str(tmp_path / "no"))
    fails(done, 1, "GEOLIB_DATA must be an existing folder")
    assert not list(tmp_path.glob("out/*"))


def test_a_damaged_data_file_is_refused(geolib_command, tmp_path):
    from geolib.datasets.fetch import FILES

    for name in FILES:
        (tmp_path / name).write_bytes(b"damaged")
    done = geolib_command("run", "latent_inversion", "--out", str(tmp_path / "out"), GEOLIB_DATA=str(tmp_path))
    fails(done, 1, "must have the sha256", "Replace the damaged file.")


def test_a_data_folder_of_nobody_is_refused_by_its_name(monkeypatch):
    monkeypatch.setenv("GEOLIB_DATA", "~nobody-of-this-name/x")
    with pytest.raises(ValueError, match=r"GEOLIB_DATA must be an existing folder"):
        fetch.locate("marmousi_vp_1601x401.f32")


def test_a_console_without_our_letters_gets_all_the_output(geolib_command):
    done = geolib_command("params", "gan_101", PYTHONIOENCODING="latin-1")
    assert done.returncode == 0 and done.stderr == ""
    assert "?" in done.stdout


@pytest.mark.parametrize(("closed", "status"), [(">&-", 0), ("2>&-", 0), (">&- 2>&- <&-", 0), (">/dev/full", 1)])
def test_output_that_cannot_be_written(closed, status):
    call = f"{sys.executable} -m geolib params gan_101 {closed}"
    done = subprocess.run(call, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == status
    said = "geolib: standard output must take what is printed; No space left on device. Print elsewhere.\n"
    assert done.stderr == (said if status else "")


def test_a_folder_that_is_gone_is_told(tmp_path, capsys, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for call in (["list"], ["run", "rnn_fwi"], ["study", "gan_101"]):
        assert cli.main(call) == 2
        line = "geolib: the current folder must exist; it does not (No such file or directory). Go to another.\n"
        assert capsys.readouterr().err == line


def test_a_broken_pipe_elsewhere_is_told(capsys, monkeypatch):
    def broken(options):
        raise BrokenPipeError(errno.EPIPE, "a worker is lost")

    monkeypatch.setitem(cli._ACTIONS, "list", broken)
    assert cli.main(["list"]) == 1
    assert "a worker is lost" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_process_that_is_ended_says_so_and_leaves_nothing_half_done(number, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli.reruns, "run", lambda study, config, folder, **_: ended(folder))

    def ended(folder):
        with locks.held(folder, "a run", ""), tempfile.TemporaryDirectory(dir=folder):
            os.kill(os.getpid(), number)
            time.sleep(60)

    default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, default)  # whoever runs the tests may have it ignored
    try:
        assert cli.main(["run", "rnn_fwi", "--out", str(tmp_path)]) == 1
        assert signal.getsignal(number) is default
    finally:
        signal.signal(number, before)
    assert (
        capsys.readouterr().err
        == "geolib: interrupted; finished units are kept, and the same command goes on from them\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_call_that_fails_leaves_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "run", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("lost")))
    (tmp_path / "kept").mkdir()
    for name in ("new/deep", "kept/new"):
        assert cli.main(["study", "rnn_fwi", "--folder", str(tmp_path / name)]) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


def test_a_scheduler_that_the_environment_names_wrongly_is_refused_before_the_start(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv(scheduler.VARIABLE, "nonsense")
    monkeypatch.chdir(tmp_path)
    for call in (["run", "rnn_fwi"], ["study", "rnn_fwi"], ["sweep", "rnn_fwi", "-p", "frequency", "8,9"], ["book"]):
        assert cli.main(call) in (1, 2)
        assert "scheduler address must be like tcp://host:8786; got 'nonsense'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert cli.main(["study", "rnn_fwi", "-p", "experiments", "theory", "--jobs", "2"]) == 0  # it asks no scheduler


def test_a_reader_that_leaves_is_no_error(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "geolib", "params", "gan_101", "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_an_option_is_not_taken_for_a_value(capsys):
    assert cli.main(["run", "gan_101", "-p", "critic_rate", "--out", "x"]) == 2
    assert "argument -p: expected 2 arguments" in capsys.readouterr().err


def test_results_that_cannot_be_shipped_are_not_computed(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(paths, "results", lambda: tmp_path / "file")
    monkeypatch.setattr(studies, "publish", lambda *_, **__: pytest.fail("it was computed"))
    assert cli.main(["publish", "rnn_fwi", "--folder", str(tmp_path / "runs")]) == 1
    assert "the folder of shipped results must be a folder that can be written" in capsys.readouterr().err


def test_results_are_shipped_under_a_name_of_their_own(tmp_path, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    monkeypatch.setattr(studies, "publish", lambda study, config, label, **_: asked.append((config.width, label)))
    assert cli.main(["publish", "latent_inversion", "-p", "width", "64", "--as", "width64"]) == 0
    assert asked == [(64, "width64")]
    for wrong in ("../x", "64", "quick"):
        assert cli.main(["publish", "latent_inversion", "--as", wrong]) == 2
        assert f"--as must be a new name that begins with a letter; got {wrong!r}" in capsys.readouterr().err
    assert len(asked) == 1


FAST = ["run", "gan_101"]
# What shells, patterns, addresses, formats and options read as something else.
ODD = '-o dd\'s "%s" 100% #1 {y} [1] *? é漢 \\ $HOME `x` &amp;'


def broken_notebook(tmp_path, code):
    """A copy of the package, in a place with an odd name, whose gan_101 notebook fails."""
    import shutil
    from pathlib import Path

    import nbformat

    root = Path(cli.__file__).parents[1]
    copy = tmp_path / ODD
    ignore = shutil.ignore_patterns("__pycache__", "_build", "papers", "_generated")
    for folder in ("geolib", "book", "notebooks"):
        shutil.copytree(root / folder, copy / folder, ignore=ignore)
    path = copy / "notebooks" / "gan_101.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    notebook.cells.append(nbformat.v4.new_code_cell(code))
    nbformat.write(notebook, path)
    return copy


@pytest.mark.parametrize(
    ("code", "piece"),
    [
        (
            "raise ValueError('misfit must be finite; got nan.\\nsecond line')",
            "ValueError: misfit must be finite; got nan.",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "its kernel died"),
    ],
)
def test_a_failing_notebook_leaves_one_line_and_no_output(geolib_command, tmp_path, code, piece):
    copy = broken_notebook(tmp_path, code)
    out = tmp_path / "out"
    done = geolib_command(*FAST, "--out", str(out), cwd=copy, PYTHONPATH=str(copy))
    fails(done, 1, "notebook gan_101 failed", piece)
    assert not out.exists()


def test_a_failed_notebook_never_gets_into_a_book(geolib_command, tmp_path):
    copy = broken_notebook(tmp_path, "assert False, 'no'")
    for file in ("_config.yml", "constraints.txt"):
        (copy / file).write_bytes((cli.paths.checkout() / file).read_bytes())
    for name in set(studies.NAMES) - {"gan_101"}:
        (copy / "notebooks" / f"{name}.ipynb").write_bytes((copy / "notebooks" / "gan_101.ipynb").read_bytes())
    done = geolib_command("book", cwd=copy, PYTHONPATH=str(copy))
    fails(done, 1, "AssertionError: no")
    assert not (copy / "book" / "papers").exists() or not list((copy / "book" / "papers").glob("*.ipynb"))
    assert not (copy / "_build" / "html").exists()


# The quickest real rerun: the equations and one shot gather.
QUICKEST = ("rnn_fwi", "-p", "experiments", "theory,gather")


def test_plain_papermill_works_from_any_folder(tmp_path):
    import subprocess
    import sys

    from geolib.runs import paths

    study, *changes = QUICKEST
    command = [sys.executable, "-m", "papermill", str(paths.notebook(study)), "mine.ipynb", *changes]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "mine.ipynb").is_file()


@pytest.mark.parametrize(
    ("arguments", "piece"),
    [
        (["run", "rnn_fwi", "--out", ""], "argument --out: it must name a file or folder; got ''"),
        (["run", "rnn_fwi", "--out", " "], "argument --out: it must name"),
        (["run", "rnn_fwi", "-f", ""], "argument -f: it must name"),
        (["compare", "", "x"], "argument RUN: it must name"),
        (["compare", "x", "x", "--out", ""], "argument --out: it must name"),
        (["sweep", "rnn_fwi", "-p", "frequency", "8", "--out", ""], "argument --out: it must name"),
        (["study", "rnn_fwi", "--folder", ""], "argument --folder: it must name"),
        (["publish", "rnn_fwi", "--folder", ""], "argument --folder: it must name"),
        (["publish", "rnn_fwi", "--to", ""], "argument --to: it must name"),
        (["publish", "rnn_fwi", "--as", ""], "--as must be a new name that begins with a letter; got ''"),
        (["publish", "rnn_fwi", "--scheduler", "nonsense"], "scheduler address must be like tcp://host:8786"),
        (["study", "rnn_fwi", "--scheduler", ""], "scheduler address must be like tcp://host:8786"),
        (["run", "rnn_fwi", "-p", "iterations", "5", "-p", "iterations", "6"], "iterations must be given once"),
        (["run", "rnn_fwi", "-p", "iterations=5", "-p", "iterations", "5"], "iterations must be given once"),
        (["run", "rnn_fwi", "-p", "iteratons=5"], "Did you mean 'iterations'?"),
        (["run", "latent_prior"], "study must have a notebook; latent_prior is shown in that of latent_inversion"),
        (["run", "rnn_fwi", "--preset", "quick", "--preset", "quick"], "--preset must be given once; it is given"),
        (["run", "rnn_fwi", "-f", "a.yml", "-f", "b.yml"], "-f must be given once"),
        (["publish", "rnn_fwi", "--to", "a", "--to", "b"], "--to must be given once"),
        (["audit", "--seed", "1", "--seed", "1"], "--seed must be given once"),
        (["sweep", "rnn_fwi", "-p", "frequency", "8,9,8.0"], "must differ; frequency-8.0 comes twice"),
        (["sweep", "rnn_fwi", "-p", "frequency", "8,,9"], "frequency must be given once, with values such as 1,2,3"),
        (["sweep", "wgan_factor", "-p", "seed", "1,2"], "study must have a notebook; wgan_factor"),
    ],
)
def test_no_wrong_call_is_passed_over(arguments, piece, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    message = capsys.readouterr().err
    assert piece in message and message.startswith("geolib: ") and message.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("iterations: 5\niterations: 6\n", "iterations comes twice"),
        ("iterations: 0x10", "iterations must be a number; got '0x10'"),
        ("iterations: 1:30", "iterations must be a number; got '1:30'"),
        ("iterations: 2026-01-01", "iterations must be a number; got datetime"),
        ("", "must map names to values"),
        ("\x00", "must be readable YAML"),
        ("# " + "x" * 11_000_000, "must be readable YAML; it is longer than"),
        ('{"frequency": 8, "frequency": 9}', "frequency comes twice"),
        ('{"study": "gan_101", "parameters": {}}', "must be of rnn_fwi; it is of 'gan_101'"),
    ],
)
def test_a_file_of_parameters_that_says_two_things_is_refused(text, piece, capsys, tmp_path):
    (tmp_path / "mine.yml").write_text(text)
    assert cli.main(["run", "rnn_fwi", "-f", str(tmp_path / "mine.yml"), "--out", str(tmp_path / "out")]) == 2
    assert piece in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_parameter_may_be_written_with_an_equals_sign():
    assert arguments.pairs(["run", "x", "-p", "rate=-1e-3", "-p", "a", "b=c"]) == [
        *("run", "x", "-p", "rate", " -1e-3", "-p", "a", "b=c")
    ]


def test_list_tells_damaged_files_and_other_names(tmp_path, capsys, monkeypatch):
    whole = (paths.results() / "gan_101-paper.nc").read_bytes()
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    (tmp_path / "gan_101-paper.nc").write_bytes(whole)
    (tmp_path / "gan_101-mine.nc").write_bytes(whole[:-70] + b"x" + whole[-69:])
    (tmp_path / "rnn_fwi-paper.nc").mkdir()
    (tmp_path / "wgan_factor-wide.nc").write_bytes(whole)
    (tmp_path / "wgan_traces-paper.nc").symlink_to(tmp_path / "nowhere")
    (tmp_path / "stray-paper.nc").write_bytes(whole)
    assert cli.main(["list"]) == 0
    lines = {line.split()[0]: line.rpartition("[shipped: ")[2] for line in capsys.readouterr().out.splitlines()}
    assert lines["gan_101"] == "paper, mine (damaged: gan_101-mine.nc)]"
    assert lines["rnn_fwi"] == "paper (damaged: rnn_fwi-paper.nc)]"
    assert lines["wgan_traces"] == "paper (damaged: wgan_traces-paper.nc)]"
    assert lines["wgan_factor"] == "wide]" and lines["latent_prior"] == "nothing yet]"
    assert "stray-paper.nc:" in lines


def test_a_warning_is_one_line_without_a_source(capsys, tmp_path, monkeypatch):
    from geolib.runs.store import Store

    (tmp_path / "a.unit").write_bytes(b"damaged")
    monkeypatch.setitem(cli._ACTIONS, "list", lambda options: Store(tmp_path).get("a") or 0)
    assert cli.main(["list"]) == 0
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "It was moved to a.damaged-" in message
    assert "Delete" not in message and "warn(" not in message


def test_a_fault_of_our_own_is_one_line(capsys, monkeypatch):
    monkeypatch.setitem(cli._ACTIONS, "list", lambda options: {}["nothing"])
    assert cli.main(["list"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("geolib: this is a fault of geolib itself; please report it with the command: KeyError")
    assert message.count("\n") == 1


def test_an_installed_package_asks_where_to_publish(capsys, monkeypatch):
    monkeypatch.setattr(paths, "checkout", lambda: None)
    monkeypatch.setattr(studies, "publish", lambda *_, **__: paths.results() / "x.nc")
    assert cli.main(["publish", "rnn_fwi"]) == 2
    assert "--to must name the folder to ship to" in capsys.readouterr().err


def test_results_may_be_shipped_elsewhere(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(studies, "publish", lambda *_, **__: paths.results() / "x.nc")
    out = tmp_path / "ours"
    assert cli.main(["publish", "rnn_fwi", "--to", str(out), "--folder", str(tmp_path / "runs")]) == 0
    assert str(out / "x.nc") in capsys.readouterr().out
    assert paths.results() != out


@pytest.mark.parametrize("make", ["folder", "link"])
def test_a_shipped_file_that_is_none_is_no_absence(tmp_path, capsys, monkeypatch, make):
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    path = tmp_path / "gan_101-paper.nc"
    path.mkdir() if make == "folder" else path.symlink_to(tmp_path / "nowhere")
    assert cli.main(["verify"]) == 1
    message = capsys.readouterr().err
    assert "results file must exist; " in message and message.count("\n") == 1
