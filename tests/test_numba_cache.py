"""Optional things stay optional: a checkout that cannot be written and has no home, a machine without Numba."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The smallest of the kernels: to compile them all takes minutes.
COMPILE = """
import numpy as np
from geolib.gans.fast import _kernels, inference
from geolib.waves import _kernels as wave_kernels
features = np.array([[[1.0], [3.0], [-1.0]]])
out = np.empty_like(features)
_kernels.normalise(features, np.empty((1, 2, 1)), out)
print(inference.available(), out.ravel().round(2).tolist())
"""
PROPAGATE = """
import torch
from geolib.waves import Grid, Survey, propagate, ricker
survey = Survey(Grid((9, 9), 10.0), 1e-3, 20, [[[4, 4]]], [[[2, 2]]], ricker(20.0, 1e-3, 20).expand(1, 1, -1))
print(tuple(propagate(torch.full((9, 9), 2000.0), survey).shape))
"""
GENERATE = """
import torch
from geolib.gans import sgan
from geolib.gans.fast import inference
torch.manual_seed(0)
latent = torch.rand(2, 1, 2, 2, requires_grad=True)
image = inference.Frozen(sgan.Generator(8))(latent)
image.square().sum().backward()
print(image.detach().numpy().tobytes().hex(), latent.grad.numpy().tobytes().hex())
"""


def run(code, folder, **environment):
    env = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "PYTHONPATH")}
    env |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True)


@pytest.fixture
def unwritable(tmp_path):
    """A copy in which no cache can be made, not even by root: files stand where the folders would be."""
    shutil.copytree(ROOT / "geolib", tmp_path / "geolib", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("waves", "gans/fast"):
        (tmp_path / "geolib" / folder / "__pycache__").write_text("")
    (tmp_path / "home").write_text("")
    return tmp_path


def test_without_a_place_for_a_cache_kernels_are_compiled_and_a_line_says_so(unwritable):
    done = run(COMPILE, unwritable, HOME=str(unwritable / "home" / "nobody"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["True [-0.27, 1.34, -1.07]"]
    said = [line for line in done.stderr.splitlines() if "compiled kernels cannot be kept" in line]
    assert len(said) == 2  # one for each folder of kernels
    assert all("Set NUMBA_CACHE_DIR to a folder that can." in line for line in said)


def test_with_a_place_for_the_cache_nothing_is_said(unwritable, tmp_path):
    done = run("import geolib.waves._kernels", unwritable, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert (done.returncode, done.stderr) == (0, "")


def test_compiled_now_or_read_from_the_cache_kernels_give_the_same_bits(tmp_path):
    """Those of the generator; `tests.portable` asks it of the waves', which it compiles anyway."""
    first, second = (run(GENERATE, ROOT, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert first.stdout == second.stdout


def test_a_numba_that_cannot_be_imported_is_answered_for():
    code = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "numba":
            raise error
sys.meta_path.insert(0, Refuse())
from geolib.gans.fast import inference
for error in (ImportError('no'), RuntimeError('no'), AttributeError('no')):
    print(inference.available())
"""
    done = run(code, ROOT)
    assert (done.returncode, done.stdout) == (0, "False\n" * 3), done.stderr


def test_without_numba_the_fused_backend_names_the_other():
    code = f"import sys\nsys.modules['numba'] = None\n{PROPAGATE}"
    done = run(code, ROOT)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ImportError: backend 'fused' must have Numba; ")
    assert done.stderr.endswith("Install it or use 'eager'.\n")
    done = run(code.replace("2000.0), survey)", "2000.0), survey, backend='eager')"), ROOT)
    assert done.stdout == "(1, 1, 20)\n", done.stderr
