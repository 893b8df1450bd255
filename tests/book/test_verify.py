"""What `geolib verify` refuses: results of no unit, and a claim that asks for a misspelt measure."""

from types import SimpleNamespace

import numpy as np
import pytest

from geolib import cli, studies
from geolib.book import verify
from geolib.runs import paths, store


def claim(*measures):
    return SimpleNamespace(id="rnn_fwi.a", paper="rnn_fwi", measure=measures)


FOUND = ("lbfgs.evaluations", "adam_misfit.marmousi", "table1.I")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("lbfgs.evaluatons", "lbfgs.evaluations"),
        ("lbfg.evaluations", "lbfgs.evaluations"),
        ("adam_misfitt.marmousi", "adam_misfit.marmousi"),
        ("adam_misfit.marmuosi", "adam_misfit.marmousi"),
        ("lbfgs.evaluation", "lbfgs.evaluations"),  # a word of the code, and of no unit or measure
    ],
)
def test_a_misspelt_measure_is_refused(wrong, right):
    line = rf"^measure of claim rnn_fwi\.a must be one of rnn_fwi's; got '{wrong}'\. Did you mean '{right}'\?$"
    with pytest.raises(ValueError, match=line):
        verify.check_spelling("rnn_fwi", [claim("table1.I", wrong)], FOUND)


@pytest.mark.parametrize("waiting", ["adam.evaluations", "table1.II", "cg_misfit.marmousi", "hessian.largest"])
def test_what_is_not_computed_yet_is_not_misspelt(waiting):
    verify.check_spelling("rnn_fwi", [claim(waiting, "table1.I")], FOUND)
    verify.check_spelling("gan_101", [claim("lbfgs.evaluatons")], FOUND)  # a claim of another paper


def test_what_a_unit_still_to_be_run_is_named_by_is_not_misspelt():
    def asks(name):
        mine = SimpleNamespace(id="a", paper="latent_inversion", measure=(name,))
        verify.check_spelling("latent_inversion", [mine], ["fits.adam10000"])

    asks("fits.adam100")
    with pytest.raises(ValueError, match=r"got 'fits\.adam1001'\. Did you mean 'fits\.adam10000'\?"):
        asks("fits.adam1001")


def test_a_unit_of_no_study_is_told(tmp_path, monkeypatch, capsys):
    config = studies.get("rnn_fwi").Config.preset("paper").as_dict()
    made = store.Results(config, {"nonsense-unit": {"x": np.zeros(1)}}, {"nonsense-unit": {}})
    store.save(tmp_path / "rnn_fwi-paper.nc", made, key="k")
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    assert cli.main(["verify"]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "results file rnn_fwi-paper.nc must hold units of rnn_fwi; 'nonsense-unit' is none" in message
