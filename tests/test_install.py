"""The package as it is installed elsewhere: built, put into a fresh environment, run away from the checkout."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from geolib import studies
from geolib.book import notebooks
from tests.test_cli import ODD, QUICKEST

ROOT = Path(__file__).parents[1]
# A home and a place for temporary files that are none, a language with decimal commas, an unknown time zone.
ELSEWHERE = {
    "HOME": "/nowhere",
    "TMPDIR": "/nowhere",
    "LC_ALL": "de_DE.UTF-8",
    "TZ": "Nowhere/9",
    "PYTHONHASHSEED": "7",
}
# One worker builds and installs; the others would do the same again.
pytestmark = pytest.mark.xdist_group("install")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of wheel and sdist, built with a file beside the others that nobody has put under version control."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(folder)]
    stray = ROOT / "notebooks" / f"stray-{os.getpid()}.txt"  # another worker may build the same beside this one
    stray.write_text("")
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "GIT_DIR": "/none"})
    finally:
        stray.unlink()
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """Run `geolib` of a fresh environment in an empty folder."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    # The other packages are this environment's, found behind the new one's: no network, no copies.
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True
    ).stdout.strip()
    Path(site, "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder / "work").mkdir()
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "GEOLIB_DATA")}

    def call(*arguments, script=folder / "env" / "bin" / "geolib", cwd=folder / "work", **more):
        env = {**environment, **more}
        return subprocess.run([script, *arguments], cwd=cwd, capture_output=True, text=True, env=env, timeout=300)

    where = call("-c", "import geolib; print(geolib.__file__)", script=python).stdout
    assert where.startswith(str(folder)), where  # and not the checkout
    return call


def test_the_wheel_carries_what_is_shipped(built):
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in studies.pages():
        assert f"geolib/_shipped/notebooks/{name}.ipynb" in names
    assert {"geolib/_shipped/ledger/rnn_fwi.yml", "geolib/_shipped/references.bib", "geolib/cli.py"} <= names
    results = {f"geolib/_shipped/results/{path.name}" for path in (ROOT / "book" / "results").glob("[!.]*")}
    assert results <= names
    assert not [name for name in names if name.endswith((".pt", ".unit", ".log"))]
    assert not [name for name in names if "checkpoint" in name and not name.endswith(".py")]


def test_the_wheel_packs_what_is_under_version_control(built):
    (wheel,) = built.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    listed = subprocess.run(["git", "ls-files", "geolib"], cwd=ROOT, capture_output=True, text=True).stdout
    assert {name for name in names if "/_shipped/" not in name} == set(listed.split())
    listed = subprocess.run(["git", "ls-files", "book/results"], cwd=ROOT, capture_output=True, text=True).stdout
    packed = {name.rpartition("/")[2] for name in names if "/_shipped/results/" in name}
    assert packed == {name.rpartition("/")[2] for name in listed.split()}


def test_the_sdist_can_be_built_from(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "book/ledger/rnn_fwi.yml", "book/_toc.yml"} <= names
    assert {f"notebooks/{name}.ipynb" for name in studies.pages()} <= names
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True).stdout
    assert names - {"PKG-INFO"} == set(filter(None, listed.split("\0")))


def test_list_params_and_verify_find_what_is_shipped(installed, judged):
    done = installed("list")
    assert done.returncode == 0, done.stderr
    shipped = [path.stem for path in (ROOT / "book" / "results").glob("*.nc")]
    for line in done.stdout.splitlines():
        for preset in ("quick", "paper"):
            assert (f"{line.split()[0]}-{preset}" in shipped) == (preset in line.partition("[shipped:")[2])
    done = installed("params", "rnn_fwi", "--json")
    assert [row["name"] for row in json.loads(done.stdout)]
    done = installed("verify", "--json")
    assert done.returncode == 0, done.stderr
    here = [row for rows in judged.values() for row in rows]
    assert json.loads(done.stdout) == json.loads(json.dumps(here))


def test_a_rerun_makes_a_notebook_and_one_self_contained_page(installed, tmp_path):
    done = installed("run", *QUICKEST, f"--out={ODD}", cwd=tmp_path, **ELSEWHERE)
    assert (done.returncode, done.stderr) == (0, "")
    pages = [f"{page}.{kind}" for page in studies.get("rnn_fwi").pages for kind in ("html", "ipynb")]
    assert sorted(os.listdir(tmp_path / ODD)) == sorted([*pages, "run.json"])
    outputs = [
        out for cell in notebooks.read(tmp_path / ODD / "rnn_fwi.ipynb").cells for out in cell.get("outputs", ())
    ]
    assert not [out for out in outputs if out.get("name") == "stderr"]  # nobody has complained of the surroundings
    page = (tmp_path / ODD / "rnn_fwi.html").read_text()
    assert not re.search(r'<(script|img|link)[^>]+(src|href)="(?!data:|#)[^"]*\.(js|css|png)', page)
    assert 'src="http' not in page
    assert "data:image/svg+xml;base64" in page


def test_what_needs_a_checkout_says_so(installed):
    done = installed("book")
    assert done.returncode == 1
    assert done.stderr.startswith("geolib: the book can be built in a checkout only")
    assert len(done.stderr.splitlines()) == 1
