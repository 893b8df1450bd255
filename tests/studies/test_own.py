"""Own data of every kind: which study they ask for, and the memory that is told before."""

import numpy as np
import pytest

from geolib import _runtime, cli, studies
from geolib.studies import examples
from geolib.studies.latent_inversion import own as tomography
from geolib.studies.rnn_fwi import own as fwi
from geolib.studies.wgan_traces import own as traces


def test_a_file_asks_for_the_study_of_own_data(capsys, tmp_path):
    assert studies.asked_for("rnn_fwi", ["iterations", "velocity"]) == "fwi_own"
    assert studies.asked_for("wgan_traces", ["velocity"]) == "wgan_traces"
    assert studies.asked_for("latent_inversion", ["weights"]) == "latent_own"
    assert cli.main(["run", "rnn_fwi", "-p", "velocity", str(tmp_path / "none.npy")]) == 2
    assert "velocity must be a file; " in capsys.readouterr().err
    file = tmp_path / "own.json"
    file.write_text('{"velocity": "none.npy", "spacing": 5}')  # so does its name in a file of parameters
    assert cli.main(["run", "rnn_fwi", "-f", str(file)]) == 2
    assert "velocity must be a file; " in capsys.readouterr().err
    file.unlink()
    assert cli.main(["params", "rnn_fwi"]) == 0
    assert "Your own data: geolib run rnn_fwi with -p velocity FILE, " in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["gathers", "latent", "traces"])
def test_memory_is_told_before_and_too_much_is_refused_before_a_kernel(kind, tmp_path, monkeypatch):
    if kind == "gathers":
        made = {path.stem: str(path) for path in examples.make("survey", tmp_path) if path.suffix != ".sgy"}
        files = {"velocity": made["start"], "gathers": made["gathers"], "geometry": made["geometry"]}
        config = fwi.OwnConfig(**files, dt=1e-3)
    elif kind == "latent":
        config = tomography.OwnConfig(width=16, starts=8, gn_iterations=0)
    else:
        config = traces.OwnConfig(traces=str(examples.make("traces", tmp_path)[0]))
    (line,) = config.told()
    assert line.startswith("memory: a gradient takes up to about ") and " MiB of this machine's " in line
    monkeypatch.setattr(fwi, "propagate", None)
    config.ready()
    monkeypatch.setattr(_runtime, "machine_bytes", lambda: 2**16)
    with pytest.raises(ValueError, match=r"must fit into this machine's 0 MiB; .* needs? [\d,]+ MiB\. Take "):
        config.ready()


def test_more_starts_and_more_shots_take_more_memory(tmp_path):
    def needed(config):
        return float(config.told()[0].split("about ")[1].split(" MiB")[0].replace(",", ""))

    few, many = (needed(tomography.OwnConfig(width=16, starts=starts)) for starts in (10, 100))
    # By hand: 16 filters of 129 x 65 pixels in float32 are half a MiB, of which two to eight are kept.
    assert many == pytest.approx(10 * few, rel=0.05) and 10 < few < 80
    np.save(tmp_path / "v.npy", np.full((200, 300), 2000.0))
    few, many = (needed(fwi.OwnConfig(velocity=str(tmp_path / "v.npy"), seconds=s)) for s in (1.0, 4.0))
    assert many > 1.5 * few


def test_the_machine_s_memory_is_what_a_group_may_have(monkeypatch):
    assert 2**28 < _runtime.machine_bytes() < 2**50
    monkeypatch.setattr(_runtime.Path, "read_text", lambda self: "4096\n")
    assert _runtime.machine_bytes() == 4096
    monkeypatch.setattr(_runtime.Path, "read_text", lambda self: "max\n")
    assert _runtime.machine_bytes() > 2**28
