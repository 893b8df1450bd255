"""What identifies results: parameters, version, and the files that they rest on."""

import hashlib
import json
import os
import socket
from dataclasses import dataclass

import numpy as np
import pytest

from geolib import studies
from geolib.book import reruns
from geolib.datasets import fetch, frozen
from geolib.gans import weights
from geolib.runs import config, inputs, paths, store
from geolib.runs.study import Study
from geolib.runs.unit import Single

# The keys of what is shipped: a change of the code must not change them.
SHIPPED = {
    ("gan_101", "paper"): "v1-1b0237ccd740d3a0",
    ("gan_tricks", "paper"): "v1-f0f689b6bcc9fd58",
    ("gan_seeds", "paper"): "v1-f468fc4f0452d6dc",
    ("latent_choices", "width64"): "v1-aedbf5cf0c2d17e6",
    ("latent_facies", "paper"): "v1-8f7850c1899e7875",
    ("latent_inversion", "paper"): "v1-68bb6308c0d55b35",
    ("latent_inversion", "width64"): "v1-aedbf5cf0c2d17e6",
    ("latent_prior", "paper"): "v1-44a26d39c7295dca",
    ("latent_ablation", "width32"): "v1-ef12ac892fdd4063",
    ("latent_search", "paper"): "v1-b2a00d4ed1083a7d",
    ("latent_truths", "width64"): "v1-aedbf5cf0c2d17e6",
    ("latent_truths", "paper"): "v1-68bb6308c0d55b35",
    ("latent_posterior", "paper"): "v2-e19a749ba6bf7e2f",
    ("rnn_fwi", "paper"): "v1-77abb6b65228cd94",
    ("rnn_starts", "paper"): "v1-77abb6b65228cd94",
    ("wgan_gap", "paper"): "v1-306774141c9db00e",
    ("wgan_conditional", "bfloat16"): "v1-b14f78b37666723b",
    ("wgan_factor", "bfloat16"): "v1-8f93bf56054bdd1f",
    ("wgan_factor", "init002"): "v1-24eadb2e7dc9f08e",
    ("wgan_factor", "paper"): "v1-262a1002e744a09e",
    ("wgan_gathers", "paper"): "v1-26a62de89c24b727",
    ("wgan_quality", "bfloat16"): "v2-19d88844622fabf6",
    ("wgan_stopping", "bfloat16"): "v1-40b11da8cce6281e",
    ("wgan_use", "paper"): "v1-d7d08a21259298ed",
    ("wgan_traces", "bfloat16"): "v2-19d88844622fabf6",
    ("wgan_traces", "init002"): "v2-6c3d7b3526d254c6",
    ("wgan_traces", "paper"): "v2-547cd1081a671cb4",
}
# The files that stay out of keys, as they were when hashes entered these.
FIRST = {
    "laloy2019_training_image.png": "a138be025008c65e4bbf236ca4c520c0823e37cd67bbcbb367d4e8c8b1dccf47",
    "laloy2019_model1_noise2.npz": "b19633a4da58a78ebafca930c39578f569b5a0edc34c06f31edc1fe9ef552d69",
    "marmousi_vp_1601x401.f32": "0f72aca4ffc47707d9e3e2970ccd3f604bc4e2e70a5497273a4d3786748f4c83",
    "latent_inversion-sgan16.safetensors": "2c6c7901af6ecf6b4f4d639074976b58ddaf0fc9ee25ae8aeaa1b3ca27430f2c",
    "latent_inversion-sgan32.safetensors": "bf1fbbb418158c105d33704f824aa7d9ca804444f38eb3315dad0379b61bdc72",
    "latent_inversion-sgan64.safetensors": "ee36878f0b8d4726411bc22b98a1f8850de12965311c3761aea892c4201ff458",
    "latent_inversion-normal16.safetensors": "ab3f878c7dd3e613a4458343933bc793af215a340d6d9db4ba39a3149cd77785",
    "wgan_traces.safetensors": "f51344403002c05f3bdb63a2d8059dbe3d3f23457101a5efb98eb1dc37051e7b",
}


@dataclass(frozen=True)
class Setting(config.Config):
    n: int = config.param(1, "units", low=1, extent=True)


class Widths(Study[Setting]):
    """Units that read one file of weights, and public data, and neither."""

    name, title, kinds, Config = "widths", "Widths", (Single,), Setting
    file = "widths.safetensors"

    def units(self, config):
        return [Single("plain"), Single("weights"), Single("public")]

    def inputs(self, config, unit):
        return {"plain": (), "weights": (self.file,), "public": ("marmousi_vp_1601x401.f32",)}[unit.label]

    def compute(self, config, units, folder=None):
        for unit in units:
            path = paths.results() / self.file if unit.label == "weights" else None
            found = fetch.locate("marmousi_vp_1601x401.f32") if unit.label == "public" else path
            yield unit, {"x": np.array(found.read_bytes()[-1] if found else -1)}


STUDY = Widths()


@pytest.fixture
def results(tmp_path, monkeypatch):
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / STUDY.file).write_bytes(b"\1")
    monkeypatch.setattr(paths, "results", lambda: folder)
    return folder


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    """No folder of data, no network, and nothing that an earlier download has left."""

    def refuse(*arguments, **options):
        raise OSError("no network")

    monkeypatch.delenv("GEOLIB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(socket, "socket", refuse)
    fetch._locate.cache_clear()
    yield
    fetch._locate.cache_clear()


@pytest.mark.parametrize(("name", "label"), SHIPPED)
def test_shipped_files_keep_their_keys(name, label):
    results, key = store.load(paths.shipped(name, label))
    study = studies.get(name)
    made = study.Config.stored(results.config)
    files = {file for unit in study.units(made) for file in study.inputs(made, unit) if file not in fetch.FILES}
    assert key == SHIPPED[name, label] == studies.key(study, made, files)


def test_every_shipped_file_is_held():
    there = {tuple(path.stem.rsplit("-", 1)) for path in paths.results().glob("*.nc")}
    assert there == set(SHIPPED)


def test_files_that_stay_out_of_keys_never_change():
    assert {name: inputs.pinned(name) for name in inputs.UNMARKED} == FIRST


def test_shipped_weights_are_the_frozen_ones():
    for name, sha256 in frozen.FROZEN.items():
        assert hashlib.sha256((paths.results() / name).read_bytes()).hexdigest() == sha256
    assert {path.name for path in paths.results().glob("*.safetensors")} == set(frozen.FROZEN)


def test_other_content_under_a_frozen_name_is_refused(tmp_path):
    name = "latent_inversion-sgan16.safetensors"
    other = tmp_path / name
    other.write_bytes((paths.results() / "latent_inversion-normal16.safetensors").read_bytes())
    message = r"sgan16\.safetensors must be the training 2c6c7901af6e… that results rest on; it is ab3f878c7dd3…\. Rest"
    with pytest.raises(ValueError, match=message):
        weights.read(other)
    other.rename(tmp_path / "mine.safetensors")
    assert weights.read(tmp_path / "mine.safetensors")


@dataclass(frozen=True)
class Before(config.Config):
    rate: float = config.param(0.1, "rate")


@dataclass(frozen=True)
class After(config.Config):
    rate: float = config.param(0.1, "rate")
    damping: float = config.param(0.5, "damping, added later", paper=0.2, former=1.0)


def test_a_new_parameter_stays_out_of_the_key_at_the_value_of_before():
    assert After(damping=1.0).key() == Before().key()
    assert len({After(damping=damping).key() for damping in (0.2, 0.5, 1.0)}) == 3


def test_other_weights_are_another_key(results, tmp_path, no_data):
    first = studies.run(STUDY, Setting(), folder=tmp_path / "runs")
    (results / STUDY.file).write_bytes(b"\2")
    second = studies.run(STUDY, Setting(), folder=tmp_path / "runs")
    assert (int(first.units["weights"]["x"]), int(second.units["weights"]["x"])) == (1, 2)
    told = second.records["weights"]["inputs"]
    assert told == {STUDY.file: hashlib.sha256(b"\2").hexdigest()} and "inputs" not in second.records["plain"]
    (results / STUDY.file).write_bytes(b"\1")
    again = studies.run(STUDY, Setting(), folder=tmp_path / "runs", only_finished=True)
    assert {name: int(arrays["x"]) for name, arrays in again.units.items()} == {"plain": -1, "weights": 1, "public": -1}


def test_units_made_without_the_public_data_are_made_again_with_it(results, tmp_path, monkeypatch, no_data):
    without = studies.run(STUDY, Setting(), folder=tmp_path / "runs")
    monkeypatch.setenv("GEOLIB_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"GEOLIB_DATA must hold marmousi_vp_1601x401\.f32"):
        studies.run(STUDY, Setting(), folder=tmp_path / "runs")
    made = tmp_path / "marmousi_vp_1601x401.f32"
    made.write_bytes(b"\7")
    monkeypatch.setitem(fetch.FILES, made.name, (hashlib.sha256(b"\7").hexdigest(), None))
    with_it = studies.run(STUDY, Setting(), folder=tmp_path / "runs")
    assert (int(without.units["public"]["x"]), int(with_it.units["public"]["x"])) == (-1, 7)
    assert without.records["public"]["inputs"] == {made.name: inputs.ABSENT}
    # Where the file is gone again, what was computed from it stands.
    monkeypatch.delenv("GEOLIB_DATA")
    kept = studies.run(STUDY, Setting(), folder=tmp_path / "runs")
    assert int(kept.units["public"]["x"]) == 7


def test_a_rerun_is_not_finished_where_its_files_have_changed(results, tmp_path, no_data):
    record = {"key": studies.whole_key(STUDY, Setting()), "parameters": {"n": 1}, "version": reruns.__version__}
    (tmp_path / "run.json").write_text(json.dumps(record))
    for kind in ("ipynb", "html"):
        (tmp_path / f"widths.{kind}").touch()
    assert reruns.finished(STUDY, Setting(), tmp_path)
    (results / STUDY.file).write_bytes(b"\2")
    assert not reruns.finished(STUDY, Setting(), tmp_path)


@pytest.mark.real_data
def test_the_gather_made_without_marmousi_is_not_kept(tmp_path, monkeypatch, no_data):
    study = studies.get("rnn_fwi")
    small = study.Config(experiments=("gather",))
    assert studies.run(study, small, folder=tmp_path).units["gather"]["velocity"].max() < 3100
    monkeypatch.setenv("GEOLIB_DATA", REAL_DATA)
    assert studies.run(study, small, folder=tmp_path).units["gather"]["velocity"].max() == 4450


REAL_DATA = os.environ.get("GEOLIB_DATA", "")
