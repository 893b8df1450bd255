"""The page on own data: its scripts run as they stand, on the example files, and so do the notebooks."""

import ast
import csv
import hashlib
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from geolib import cli, studies
from geolib.book import reruns
from geolib.runs import paths
from geolib.studies import examples
from geolib.studies.latent_inversion import own as latent_own

PAGE = (Path(__file__).parents[2] / "book" / "own.md").read_text(encoding="utf-8")
SHELL = re.findall(r"^```bash\n(.*?)^```", PAGE, flags=re.M | re.S)
(PYTHON,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)


def test_there_are_four_scripts_of_at_most_ten_lines():
    assert len(SHELL) == 3
    assert all(len(script.splitlines()) <= 10 for script in (*SHELL, PYTHON))


@pytest.mark.parametrize("script", SHELL, ids=["gathers", "traveltimes", "traces"])
def test_a_script_runs_as_it_stands(script, tmp_path, monkeypatch):
    """Up to the kernel: every file is read and checked, and the units that the page would show are computed, short."""
    ran = []

    def run(study, config, folder, **_):
        config.ready()
        known = config.as_dict()
        fewer = {"iterations": 2, "epochs": 1, "draws": 64, "moves": 1, "starts": 2, "solves": 20, "updates": 1}
        fewer |= {"gn_iterations": 1}
        short = type(config)(**known | {name: value for name, value in fewer.items() if name in known})
        ran.append(studies.run(study, short).units)
        return folder, folder

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reruns, "run", run)
    monkeypatch.setattr(latent_own, "_SEARCHED", 100)  # the fewest that the sampler takes
    for line in script.replace("\\\n", " ").splitlines():
        assert cli.main(shlex.split(line)[1:]) == 0
    assert len(ran) == script.count("geolib run") and all(ran)


def test_the_python_script_runs_as_it_stands(capsys):
    exec(compile(PYTHON, "own.md", "exec"), {})
    assert "The gradient is exact on this survey" in capsys.readouterr().out


OWN = {
    "rnn_fwi": ("survey", "velocity=example/truth.npy shots=1 iterations=1 seconds=0.3 optimisers=cg"),
    "rnn_fwi, SEG-Y": (
        "survey",
        "velocity=example/start.npy gathers=example/gathers.sgy truth=example/truth.npy source=estimated iterations=1 "
        "optimisers=cg",
    ),
    "latent_inversion": (
        "traveltimes",
        "traveltimes=example/traveltimes.csv width=16 starts=2 iterations=2 gn_iterations=2 draws=64 moves=1 solves=20",
    ),
    "latent_inversion, training": (
        "training_image",
        "training_image=example/training_image.npy width=2 batch=2 updates=2 judged=4 starts=1 iterations=1 solves=20 "
        "gn_iterations=0",
    ),
    "wgan_traces": ("traces", "traces=example/traces.npy epochs=1"),
}


LEFT = {
    "rnn_fwi": ["model-cg.npy", "wavelet.npy"],
    "latent_inversion": ["models-adam.npy", "models-gauss-newton.npy", "models-search.npy", "probability.npy"],
    "wgan_traces": ["generated.npy"],
}


def measured(given):
    """Return what a run is put beside others by: misfits, and errors of models where the truth is known."""
    if "velocity" in given:
        return {"cg.misfit", "cg.error"}
    if "width" not in given:
        return set()
    return {"Adam.misfit", "search.misfit"} | ({"Gauss-Newton.misfit"} if "gn_iterations=2" in given else set())


@pytest.mark.parametrize("chapter", OWN)
def test_a_page_of_own_data_tells_of_nothing_else(chapter, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    example, given = OWN[chapter]
    if "SEG-Y" in chapter:
        pytest.importorskip("segyio")
    chapter = chapter.split(",")[0]
    cli.main(["example", example])
    assert cli.main(["run", chapter, "--out", "out", *(w for pair in given.split() for w in ("-p", pair))]) == 0
    told = capsys.readouterr().out
    assert told.count("memory: a gradient takes up to about ") == 1
    assert told.count("training: ") == ("training_image" in given) == Path("out/weights.safetensors").is_file()
    (page,) = Path("out").glob("*.html")
    left = {path.name: np.load(path) for path in Path("out").glob("*.npy")}
    assert set(left) == set(LEFT[chapter]) - (
        {"models-gauss-newton.npy", "probability.npy"} if "width=2" in given else set()
    )
    assert all(np.isfinite(values).all() and values.any() for values in left.values())
    assert page.stem in studies.OWN
    record = json.loads(Path("out/run.json").read_text())
    assert record["study"] == page.stem and set(record["measures"]) == measured(given)
    body = page.read_text(encoding="utf-8").partition("</head>")[2]
    figures = re.findall(r"<figure.*?</figure>", body, flags=re.S)
    captions = [re.sub(r"<[^>]+>", "", figure).split() for figure in figures]
    assert len(figures) >= 2 and all(len(words) > 10 for words in captions)
    assert all(re.search(r'alt="[A-Z][^"]+\."', image) for image in re.findall(r"<img[^>]*>", body))
    text = re.sub(r"<[^>]+>", " ", body)
    assert ("misfit, Gauss-Newton" in text) == ("Gauss-Newton: 124 solves" in told) == ("gn_iterations=2" in given)
    assert ("model error (m/s)" in text) == (": truth, start" in text) == ("truth" in given)
    assert all(name in text.partition("Beside this page")[2] for name in left)
    assert hashlib.sha256(Path(given.split()[0].partition("=")[2]).read_bytes()).hexdigest() in text
    for author in ("Laloy", "Niu", "Sun et al", "Marmousi"):
        assert author not in text


@pytest.mark.parametrize("study", studies.OWN)
def test_a_notebook_has_the_study_s_parameters(study):
    content = json.loads(paths.notebook(study).read_text(encoding="utf-8"))
    (cell,) = (cell for cell in content["cells"] if "parameters" in cell["metadata"].get("tags", []))
    lines = ["".join(line).strip() for line in cell["source"]]
    told = [tuple(re.fullmatch(r"(\w+): \w+ = (.*)  # (.*)", line).groups()) for line in lines]
    rows = studies.config_of(study).describe()
    expected = [(row["name"], row["default"], row["help"]) for row in rows]
    assert [
        (name, tuple(v) if isinstance(v := ast.literal_eval(value), list) else v, help) for name, value, help in told
    ] == expected


def test_a_sweep_shares_the_file_and_varies_what_is_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    heads, *rows = examples.make("traveltimes", tmp_path)[0].read_text().splitlines()
    table = Path("mine,all.csv")  # a comma of a name is none between values
    table.write_text("\n".join(line.rpartition(",")[0] for line in (heads, *rows[::40])))
    small = "width=16 starts=1 iterations=1 gn_iterations=0 solves=0"
    given = [word for pair in (f"traveltimes={table}", *small.split(), "noise=0.5,2") for word in ("-p", pair)]
    assert cli.main(["sweep", "latent_inversion", *given]) == 0
    told = capsys.readouterr().out
    (folder,) = Path("reruns").glob("latent_own-sweep-*")
    found = list(csv.DictReader((folder / "summary.csv").read_text().splitlines()))
    assert [row["noise"] for row in found] == ["0.5", "2.0"] and all("mine" not in row["run"] for row in found)
    # Of one start's first misfit deviations four times as large leave a quarter.
    quiet, loud = (float(row["Adam.misfit"]) for row in found)
    assert quiet == pytest.approx(4 * loud, rel=1e-3)
    assert told.count("memory: a gradient takes up to about ") == 2 and "traveltimes" not in found[0]
    page = (folder / "summary.html").read_text()
    assert "fig-latent_own-misfits" in page and "noise" in page
    assert all((folder / row["run"] / "latent_own.html").is_file() for row in found)
    assert cli.main(["sweep", "latent_inversion", *given]) == 0
    assert capsys.readouterr().out.count(" kept: ") == 2
    folders = [str(folder / row["run"]) for row in found]
    assert cli.main(["compare", *folders]) == 0 and "Adam.misfit" in capsys.readouterr().out


def test_a_sweep_may_vary_files_and_needs_something_that_varies(tmp_path):
    for place in ("a", "b"):
        examples.make("traveltimes", tmp_path / place)
    paths_ = [str(tmp_path / place / "traveltimes.csv") for place in ("a", "b")]
    kind = studies.config_of("latent_own")
    with pytest.raises(ValueError, match=r"values of a sweep must differ; traveltimes-traveltimes\.csv comes twice"):
        reruns.grid(kind, "quick", [("traveltimes", ",".join(paths_))])
    other = Path(paths_[1]).rename(tmp_path / "other.csv")
    made = reruns.grid(kind, "quick", [("traveltimes", f"{paths_[0]},{other}"), ("noise", "1")])
    assert [label for label, _ in made] == ["traveltimes-traveltimes.csv_noise-1.0", "traveltimes-other.csv_noise-1.0"]
    assert [config.traveltimes for _, config in made] == [paths_[0], str(other)]
    # More names than one path has room for.
    assert len(reruns.grid(kind, "quick", [("traveltimes", ",".join(f"line_{n:030}.csv" for n in range(20)))])) == 20
    for changes in ([], [("traveltimes", paths_[0])]):
        with pytest.raises(ValueError, match=r"a sweep must vary a parameter; got no -p NAME V1,V2\. Add one\."):
            reruns.grid(kind, "quick", changes)
