"""The page on own data: its scripts run as they stand, on the example files, and so do the notebooks."""

import json
import re
import shlex
from pathlib import Path

import pytest

from geolib import cli, studies
from geolib.book import reruns

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
        fewer = {"iterations": 2, "epochs": 1, "draws": 8, "starts": 2, "solves": 20}
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
    "latent_inversion": (
        "traveltimes",
        "traveltimes=example/traveltimes.csv width=16 starts=2 iterations=2 draws=8 solves=20",
    ),
    "wgan_traces": ("traces", "traces=example/traces.npy epochs=1"),
}


@pytest.mark.parametrize("chapter", OWN)
def test_a_page_of_own_data_tells_of_nothing_else(chapter, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    example, given = OWN[chapter]
    cli.main(["example", example])
    assert cli.main(["run", chapter, "--out", "out", *(w for pair in given.split() for w in ("-p", pair))]) == 0
    (page,) = Path("out").glob("*.html")
    assert page.stem in studies.OWN
    record = json.loads(Path("out/run.json").read_text())
    assert record["study"] == page.stem and record["measures"] == {}
    text = re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8").partition("</head>")[2])
    for author in ("Laloy", "Niu", "Sun et al", "Marmousi"):
        assert author not in text
