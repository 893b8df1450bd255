"""The page on own data: its scripts run as they stand, on the example files, and so do the notebooks."""

import ast
import json
import re
import shlex
from pathlib import Path

import pytest

from geolib import cli, studies
from geolib.book import reruns
from geolib.runs import paths

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
    assert page.stem in studies.OWN
    record = json.loads(Path("out/run.json").read_text())
    assert record["study"] == page.stem and record["measures"] == {}
    body = page.read_text(encoding="utf-8").partition("</head>")[2]
    figures = re.findall(r"<figure.*?</figure>", body, flags=re.S)
    captions = [re.sub(r"<[^>]+>", "", figure).split() for figure in figures]
    assert len(figures) >= 2 and all(len(words) > 10 for words in captions)
    assert all(re.search(r'alt="[A-Z][^"]+\."', image) for image in re.findall(r"<img[^>]*>", body))
    text = re.sub(r"<[^>]+>", " ", body)
    assert ("misfit, Gauss-Newton" in text) == ("Gauss-Newton: 124 solves" in told) == ("gn_iterations=2" in given)
    assert ("model error (m/s)" in text) == (": truth, start" in text) == ("truth" in given)
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
