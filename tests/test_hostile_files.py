"""Files damaged at random or made to harm: one clear ValueError each, or the same content; nothing else."""

import functools
import hashlib
import io
import json
import os
import pickle
import re
import struct
import tempfile
import warnings
import zipfile
from pathlib import Path

import h5py
import nbformat
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geolib import cli, studies
from geolib.book import compare, notebooks, reruns, rules
from geolib.book import ledger as claims
from geolib.datasets import files
from geolib.gans import sgan, wgan
from geolib.runs import paths, store

SETTINGS = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
LEDGER = """claims:
- {id: a.b, paper: a, place: Table 1, claim: text, published: 3, measure: m, rule: {compatible: 20}}
- {id: a.c, paper: a, place: Fig 2, claim: other, published: [1, 2], measure: [m, n], rule: {close: 0.1}, note: a note}
- {id: a.d, paper: a, place: p. 3, claim: third, published: yes, measure: m, rule: {between: [null, 2]}}
errata: []
"""


class Trap:
    """Unpickled, it leaves a mark."""

    sprung = Path(tempfile.gettempdir()) / "geolib-hostile-file-was-unpickled"

    def __reduce__(self):
        return (Path.touch, (self.sprung,))


@pytest.fixture(autouse=True)
def nothing_is_unpickled():
    Trap.sprung.unlink(missing_ok=True)
    yield
    assert not Trap.sprung.exists()


@st.composite
def damages(draw):
    """A function that changes bytes: some are replaced, cut out, put in, or the end is lost."""
    where = st.floats(0, 1, exclude_max=True)
    kind = draw(st.sampled_from(["flip", "replace", "cut", "insert", "truncate", "zero"]))
    place, extent = draw(where), draw(st.integers(1, 64))
    filling = draw(st.binary(min_size=extent, max_size=extent))
    bit = draw(st.integers(0, 7))

    def damage(raw: bytes) -> bytes:
        at = int(place * len(raw))
        return {
            "flip": raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :],
            "replace": raw[:at] + filling + raw[at + extent :],
            "cut": raw[:at] + raw[at + extent :],
            "insert": raw[:at] + filling + raw[at:],
            "truncate": raw[:at],
            "zero": raw[:at] + bytes(extent) + raw[at + extent :],
        }[kind]

    return damage


def refused(read, path):
    """Return what `read` makes of a file, or None if it refuses with one ValueError of one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read(path)
    except ValueError as error:
        assert str(path) in str(error) or "claim" in str(error), error
        assert "\n" not in str(error), error
        assert len(str(error)) < 2000
        return None


@functools.cache
def unit() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        arrays = {"a": rng.normal(size=(3, 4)), "b": np.array(["x", "yy"]), "c": np.array(True)}
        store.write_unit(Path(folder) / "u", arrays, {"seconds": 1.0})
        return (Path(folder) / "u").read_bytes()


@functools.cache
def results() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        arrays = {"a": np.random.default_rng(0).normal(size=(20, 30)), "b": np.array(["x"]), "c": np.array([True])}
        made = store.Results({"n": 1}, {"u1": arrays, "u2": arrays}, {"u1": {"seconds": 1.0}})
        store.save(Path(folder) / "r.nc", made, key="k")
        return (Path(folder) / "r.nc").read_bytes()


@SETTINGS
@given(damages())
def test_a_damaged_unit_is_refused(damage):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "u.unit"
        path.write_bytes(damage(unit()))
        assert refused(store.read_unit, path) is None or path.read_bytes() == unit()


@SETTINGS
@given(damages())
def test_a_damaged_unit_is_moved_aside_and_computed_again(damage):
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = store.Store(folder)
        kept.path("u").write_bytes(damage(unit()))
        same = kept.path("u").read_bytes() == unit()
        found = store.complete(["u"], lambda names: [(n, {"x": np.array(5)}) for n in names], config={}, store=kept)
        assert same or found.units["u"]["x"] == 5
        assert same or len(list(Path(folder).glob("u.damaged-*"))) == 1


@SETTINGS
@given(damages())
def test_damaged_results_are_refused(damage):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.nc"
        path.write_bytes(damage(results()))
        assert refused(store.load, path) is None or path.read_bytes() == results()


@SETTINGS
@given(st.binary(max_size=400))
def test_foreign_bytes_are_refused_everywhere(raw):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        path.write_bytes(raw)
        for read in (store.read_unit, store.load, sgan.load_weights, wgan.load_pretrained, notebooks.read):
            assert refused(read, path) is None
        refused(claims.load, path)  # "[]" is a ledger
        assert refused(lambda found: compare.read(found.parent), path) is None
        assert notebooks.failed(path)


def sealed_unit(payload: bytes) -> bytes:
    return store._MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload


def archive(members: dict[str, bytes], compression=zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def npy(header: str, content: bytes = b"") -> bytes:
    text = header.encode() + b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


RECORD = {"__record__.npy": npy("{'descr': '<U2', 'fortran_order': False, 'shape': (), }", "{}".encode("utf-32-le"))}


@pytest.mark.parametrize(
    "members",
    [
        {"a.npy": npy("{'descr': '|O', 'fortran_order': False, 'shape': (), }", pickle.dumps(Trap()))},
        {"a.npy": pickle.dumps(Trap())},
        {"a.npy": npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({1 << 45},), }}")},
        {"a.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 2), }", bytes(32))},
        {"a.npy": npy("__import__('os').system('true')")},
        {"a.npy": npy("(" * 5000)},
        {"a.npy": npy("{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (1,), }", bytes(8))},
        {"a.npy": npy("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,), }", bytes(8))},
        {"__record__.npy": npy("{'descr': '<U2', 'fortran_order': False, 'shape': (), }", "[]".encode("utf-32-le"))},
        {"__record__.npy": npy("{'descr': '<U9', 'fortran_order': False, 'shape': (), }", bytes(36))},
        {},
    ],
    ids=["object", "pickle", "huge", "negative", "code", "deep", "fields", "dates", "list", "nul", "no record"],
)
def test_a_unit_made_to_harm_is_refused(tmp_path, members):
    path = tmp_path / "u.unit"
    path.write_bytes(sealed_unit(archive({**(RECORD if members else {}), **members})))
    with pytest.raises(ValueError, match="must be a unit file; it cannot be read"):
        store.read_unit(path)


def test_a_unit_that_grows_on_reading_is_refused(tmp_path):
    zeros = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000,), }", bytes(8_000_000))
    (tmp_path / "u").write_bytes(sealed_unit(archive({**RECORD, "a.npy": zeros}, zipfile.ZIP_DEFLATED)))
    with pytest.raises(ValueError, match="its arrays are compressed"):
        store.read_unit(tmp_path / "u")


def sealed_results(fill) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs.update({"config": "{}", "key": "k"})
        fill(file)
    payload = buffer.getvalue()
    return payload + store._SEAL + hashlib.sha256(payload).hexdigest().encode() + b"\n"


def huge(file):
    group = file.create_group("u")
    group.attrs["record"] = "{}"
    group.create_dataset("a", (1 << 24, 1 << 20), "f8", chunks=(1024, 1024), compression="gzip")


def link(file):
    file["u"] = h5py.ExternalLink("/etc/hostname", "/")


def deep(file):
    file.create_group("u").attrs["record"] = "[" * 100_000


def of_unit(file):
    group = file.create_group("u")
    group.attrs["record"] = "{}"
    return group


def virtual(file):
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (4,))
    of_unit(file).create_virtual_dataset("x", layout)


def test_results_of_a_machine_of_another_byte_order_are_read(tmp_path):
    raw = sealed_results(lambda file: of_unit(file).create_dataset("x", data=np.arange(3, dtype=">f8")))
    (tmp_path / "r.nc").write_bytes(raw)
    found = store.load(tmp_path / "r.nc")[0].units["u"]["x"]
    assert found.dtype.isnative and found.tolist() == [0, 1, 2]
    assert torch.from_numpy(found).sum() == 3


@pytest.mark.parametrize(
    "fill",
    [
        huge,
        link,
        deep,
        virtual,
        lambda file: of_unit(file).create_dataset("x", (4,), "u1", external=[("/etc/hostname", 0, 4)]),
        lambda file: of_unit(file).create_dataset("x", data=np.array(["a"], h5py.string_dtype())),
        lambda file: of_unit(file).create_dataset("x", data=np.zeros(2, [("a", "f4")])),
        lambda file: of_unit(file).create_dataset("x", data=np.void(b"abc")),
        lambda file: of_unit(file).create_dataset("x", data=file.ref, dtype=h5py.ref_dtype),
        lambda file: of_unit(file).create_dataset("x", data=h5py.Empty("f4")),
        lambda file: of_unit(file).create_group("v"),
        lambda file: of_unit(file).attrs.update({"text:a": '{"a": 1}'}),
        lambda file: of_unit(file).attrs.update({"text:a": "[1, 2]"}),
        lambda file: file.create_dataset("x", data=1.0),
        lambda file: file.attrs.update({"config": "[]"}),
        lambda file: file.attrs.update({"config": "{"}),
        lambda file: file.attrs.update({"config": 3.0}),
        lambda file: file.attrs.pop("key"),
        lambda file: file.create_group("u"),
    ],
)
def test_results_made_to_harm_are_refused(tmp_path, fill):
    (tmp_path / "r.nc").write_bytes(sealed_results(fill))
    with pytest.raises(ValueError, match=r"results file .* must be whole; it is damaged"):
        store.load(tmp_path / "r.nc")


@SETTINGS
@given(damages())
def test_a_damaged_ledger_is_refused_or_can_be_judged(damage):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "claims.yml"
        path.write_bytes(damage(LEDGER.encode()))
        judged(refused(claims.load, path))


def judged(ledger):
    """Whatever was accepted must be of use."""
    measures = {"m": claims.Measure(0.5, 0.2, 0.8, 30), "n": claims.Measure(0.25)}
    for row in claims.judge(ledger or [], measures):
        assert row["verdict"] in claims.VERDICTS
    claims.side_by_side(ledger or [], measures, {})


LEAVES = st.none() | st.booleans() | st.integers(-3, 99) | st.floats() | st.text(max_size=8)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LEAVES, inner, max_size=2))
TEXTS = {key: st.text(max_size=8) for key in ("id", "paper", "place", "claim", "note")}
KIND = st.sampled_from([*rules.KINDS, *claims.APART])
NUMBERS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.lists(st.integers(-9, 99) | st.floats(), max_size=3)
)
RULES = st.dictionaries(
    st.sampled_from(sorted({rule for each in rules.KINDS.values() for rule in each})),
    NUMBERS | VALUES,
    min_size=1,
    max_size=1,
)


@SETTINGS
@given(
    st.fixed_dictionaries({**TEXTS, "kind": KIND, "published": NUMBERS | VALUES}),
    st.sampled_from(["m", "n", ["m"], ["m", "n"]]),
    RULES,
    st.none()
    | st.tuples(
        st.sampled_from([*TEXTS, "published", "measure", "rule", "decisive", "effect", "planned", "robust"]), VALUES
    ),
)
def test_a_claim_of_any_kind_is_refused_or_can_be_judged(entry, measure, rule, other):
    entry = {**entry, "measure": measure, "rule": rule, **dict([other] if other else [])}
    import yaml

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "claims.yml"
        path.write_text(yaml.safe_dump({"claims": [entry], "errata": []}), encoding="utf-8")
        judged(refused(claims.load, path))


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system [touch /tmp/geolib-hostile-file-was-unpickled]",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]",
        "[" * 20_000,
        "- " * 20_000,
    ],
    ids=["object", "aliases", "flow", "nested"],
)
def test_a_ledger_made_to_harm_is_refused(tmp_path, text):
    (tmp_path / "claims.yml").write_text(text)
    with pytest.raises(ValueError, match=r"ledger .* must be"):
        claims.load(tmp_path / "claims.yml")


@functools.cache
def notebook() -> bytes:
    cell = nbformat.v4.new_code_cell("1 + 1", execution_count=1)
    cell.metadata["mystnb"] = {"figure": {"name": "a", "caption": "b"}}
    return nbformat.writes(nbformat.v4.new_notebook(cells=[cell])).encode()


@SETTINGS
@given(damages())
def test_a_damaged_notebook_is_refused_or_valid(damage):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "n.ipynb"
        path.write_bytes(damage(notebook()))
        found = refused(notebooks.read, path)
        assert found is None or not list(nbformat.validator.iter_validate(found))
        assert found is not None or notebooks.failed(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
)


@SETTINGS
@given(st.sampled_from(["study", "parameters", "measures", "seconds", "provenance"]), JSON)
def test_the_record_of_a_run_is_refused_or_can_be_compared(key, value):
    record = {"study": "rnn_fwi", "parameters": {"frequency": 10.0}, "measures": {}, "seconds": 1.5}
    record["provenance"] = {"commit": "a", "device": "b", "date": "c"}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "run.json").write_text(json.dumps({**record, key: value}))
        run = refused(lambda path: compare.read(path.parent), Path(folder) / "run.json")
        if run is not None:
            compare.as_text([run, run])
            compare.as_csv([run, run])


@SETTINGS
@given(st.sampled_from(["name", "caption", "alt", "figure", "image", "mystnb"]), JSON)
def test_the_figure_of_a_run_is_refused_or_shown(key, value):
    figure, image = {"name": "a", "caption": "b"}, {"alt": "c"}
    {"name": figure, "caption": figure, "alt": image}.get(key, {})[key] = value
    shown = {"figure": figure, "image": image, **({key: value} if key in ("figure", "image") else {})}
    cell = nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("display_data", {"image/png": "AAAA"})])
    notebook = json.loads(nbformat.writes(nbformat.v4.new_notebook(cells=[cell])))
    notebook["cells"][0]["metadata"]["mystnb"] = value if key == "mystnb" else shown
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rnn_fwi.ipynb").write_text(json.dumps(notebook))
        run = compare.Run(Path(folder), "rnn_fwi", {}, {}, {})
        refused(lambda path: compare.as_page([run], "title"), Path(folder) / "rnn_fwi.ipynb")


PARAMETERS = "frequency: 8\nexperiments: [theory, gather]\niterations: 60\nprecision: float64\n"


def configured(found):
    """Whatever was accepted must make a configuration, or be refused by its one line."""
    study = studies.get("rnn_fwi")
    try:
        return found if found is None else study.Config.preset("quick", **found)
    except (ValueError, TypeError) as error:
        assert len(str(error).splitlines()) == 1
        return None


@SETTINGS
@given(damages())
def test_a_damaged_parameter_file_is_refused_or_sets_parameters(damage):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.yml"
        path.write_bytes(damage(PARAMETERS.encode()))
        configured(refused(reruns.read_parameters, path))


NAMES = st.sampled_from([row["name"] for row in studies.get("rnn_fwi").Config.describe()])


@SETTINGS
@given(st.dictionaries(NAMES | st.text(max_size=8), JSON | st.floats(), max_size=4), st.booleans())
def test_a_parameter_file_of_any_content_is_refused_or_sets_parameters(content, wrapped):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.yml"
        path.write_text(json.dumps({"study": "rnn_fwi", "parameters": content} if wrapped else content))
        configured(refused(reruns.read_parameters, path))


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system [touch /tmp/geolib-hostile-file-was-unpickled]",
        "a: &a [x, x]\nb: [*a, *a]",
        "[" * 20_000,
        "- frequency\n- 8",
        "8: 9",
        "",
    ],
    ids=["object", "aliases", "nested", "list", "number", "empty"],
)
def test_a_parameter_file_made_to_harm_is_refused(tmp_path, text, capsys):
    (tmp_path / "mine.yml").write_text(text)
    assert cli.main(["run", "rnn_fwi", "-f", str(tmp_path / "mine.yml"), "--out", str(tmp_path / "out")]) == 2
    assert re.match(r"geolib: parameter file \S+ must .*\n$", capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name == "nt", reason="pipes")
def test_a_pipe_is_not_waited_for(tmp_path, capsys):
    """Nothing ever comes through it; a folder is no file either."""
    pipe = tmp_path / "unit.unit"
    os.mkfifo(pipe)
    for line, read in (
        (r"parameter file .* must be readable YAML; .*it is no regular file", reruns.read_parameters),
        (r"ledger .* must be readable YAML; .*it is no regular file", claims.load),
        (r"unit\.unit must be a file; it is none\. Delete it", store.read_unit),
        (r"results file must exist; .* does not", store.load),
        (r"weights file .* must be whole; .*it is no regular file", sgan.load_weights),
        (r"notebook .* must be valid; .*it is no regular file", notebooks.read),
        (r"velocity must be a file", lambda path: files.velocity("velocity", path.rename(path.with_suffix(".npy")))),
    ):
        with pytest.raises(ValueError, match=line):
            read(pipe)
    (tmp_path / "other.unit").mkdir()
    os.mkfifo(pipe)
    with pytest.warns(UserWarning, match="must be a file; it is none. It was moved to"):
        assert store.Store(tmp_path).get("unit") is None and store.Store(tmp_path).get("other") is None
    assert not store.sealed(next(tmp_path.glob("unit.damaged-*")))


@functools.cache
def weights() -> dict:
    with tempfile.TemporaryDirectory() as folder:
        sgan.save_weights(Path(folder) / "sgan", sgan.Generator(2))
        rng = torch.Generator().manual_seed(0)
        networks = wgan.Pretrained(wgan.make_generator(rng=rng), wgan.make_critic(rng=rng), 1.0, 0.0, 1)
        return {
            sgan.load_weights: (Path(folder) / "sgan").read_bytes(),
            wgan.load_pretrained: wgan.pack_weights(networks),
        }


@pytest.mark.parametrize("read", [sgan.load_weights, wgan.load_pretrained])
@settings(SETTINGS, max_examples=40)
@given(damage=damages())
def test_damaged_weights_are_refused(read, damage):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.safetensors"
        path.write_bytes(damage(weights()[read]))
        found = refused(read, path)
        if found is not None:  # a space in the header, say, changes nothing
            path.write_bytes(weights()[read])
            assert same_networks(found, read(path))


def same_networks(left, right):
    if isinstance(left, wgan.Pretrained):
        facts = [(made.scale, made.latent_low, made.epoch) for made in (left, right)]
        pairs = [(left.generator, right.generator), (left.critic, right.critic)]
        return facts[0] == facts[1] and all(same_networks(*pair) for pair in pairs)
    ours, theirs = left.state_dict(), right.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def safetensors(header: object) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(64)


@pytest.mark.parametrize("read", [sgan.load_weights, wgan.load_pretrained])
@pytest.mark.parametrize(
    "raw",
    [
        pickle.dumps(Trap()),
        struct.pack("<Q", 1 << 62) + b"{}",
        safetensors([]),
        safetensors({"merge.weight": 3}),
        safetensors({"merge.weight": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}),
        safetensors({"merge.weight": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}),
        safetensors({"merge.weight": {"dtype": "F32", "shape": [1], "data_offsets": [-99, 4]}}),
        safetensors({"merge.weight": {"dtype": ["F32"], "shape": [1], "data_offsets": "ab"}}),
        safetensors(b"[" * 50_000),
        safetensors({"__metadata__": {"geolib": "[]"}}),
    ],
)
def test_weights_made_to_harm_are_refused(tmp_path, read, raw):
    (tmp_path / "w").write_bytes(raw)
    assert refused(read, tmp_path / "w") is None


def test_the_command_names_the_damaged_file_in_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "rnn_fwi.ipynb").write_bytes(b'{"cells": 3}')
    (tmp_path / "claims.yml").write_text("[1]")
    (tmp_path / "rnn_fwi-paper.nc").write_bytes(results()[:-3])
    monkeypatch.setattr(paths, "notebook", lambda study: tmp_path / f"{study}.ipynb")
    assert cli.main(["run", "rnn_fwi", "--out", str(tmp_path / "out")]) == 1
    monkeypatch.setattr(paths, "ledger", lambda: tmp_path)
    assert cli.main(["verify"]) == 1
    monkeypatch.undo()
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    assert cli.main(["verify"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all(line.startswith("geolib: ") for line in lines)
    assert "rnn_fwi.ipynb must be valid" in lines[0] and "rnn_fwi-paper.nc must be whole" in lines[2]
    assert studies.NAMES  # nothing else was touched
