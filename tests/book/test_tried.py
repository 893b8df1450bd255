"""Every sentence on what was tried is held: by a placeholder that is filled, or by what is computed here."""

import math
import re

import numpy as np
import pytest
import torch

from geolib import studies
from geolib.book import claims, filled
from geolib.gans import sgan
from geolib.runs import paths
from geolib.studies.gan_101.theory import TARGET
from geolib.studies.latent_inversion import findings
from geolib.studies.latent_inversion.world import World
from geolib.studies.rnn_fwi.theory import as_printed

#: Numbers in figures or in words that are no results: rates, counts that we set, bars, equations, printed numbers.
SETTINGS = {
    "gan_101.log-convenience": "forty double",
    "gan_101.log-same-maximum": "forty",
    "gan_101.eq5-6-optimum": "40",
    "gan_101.eq9-third-line": "4",
    "gan_101.value-kl": "4 twice",
    "latent_inversion.image_size": "four six",
    "latent_inversion.large_image": "256 16",
    "latent_inversion.noise2": "1",
    "rnn_fwi.a9-adjoint": "2",
    "rnn_fwi.momentum-faster": "0.1",
    "rnn_fwi.momentum-early": "1.0 0.01 fiftieth",
    "rnn_fwi.adagrad-0.4-slow": "40",
    "rnn_fwi.adagrad-0.4-model": "40",
    "rnn_fwi.adagrad-faster": "40 4 fifty",
    "rnn_fwi.adagrad-smooth": "100",
    "rnn_fwi.adagrad-100-faster": "100 40",
    "rnn_fwi.rmsprop-40": "4",
    "rnn_fwi.rmsprop-small": "4",
    "rnn_fwi.rmsprop-4-smooth": "40",
    "rnn_fwi.rmsprop-4-fastest": "0.4 0.8 4 40",
    "rnn_fwi.adam-small": "4 40 100",
    "rnn_fwi.momentum-200": "0.1",
    "rnn_fwi.adagrad-200": "0.4 4 1000",
    "rnn_fwi.rmsprop-200": "0.4 0.8",
    "rnn_fwi.adam-50": "0.8 4",
    "rnn_fwi.fig22-200-upper": "200",
    "rnn_fwi.a11-gradient": "2 3 11 twenty",
    "wgan_traces.init_smaller": "0.02",
    "wgan_traces.table_1_lengths": "5",
}
_NUMBER = re.compile(
    r"\d+e-?\d+|\d[\d.,]*\d|\d|\b(?:half|twice|double|third|quarter|fourth|fifth|sixth|tenth|twentieth|fiftieth|"
    r"hundredth|thousandth|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
    r"twenty|thirty|forty|fifty|sixty|hundred|thousand)\b"
)


@pytest.fixture(scope="module")
def measures():
    return {name: studies.shipped_measures(studies.get(name)) for name in studies.NAMES}


@pytest.fixture(scope="module")
def ledger():
    return {entry.id: entry for entry in claims.load(paths.ledger())}


def product_of_forty(measures):
    samples = studies.shipped(studies.get("gan_101"), "paper").units["likelihood"]["samples"]
    assert TARGET.log_density(torch.from_numpy(samples[:40])).exp().prod() > 0
    return {}


def rows_of_an_image(measures):
    network = sgan.Generator(2)
    with torch.no_grad():
        return {str(network(torch.rand(1, 1, rows, 3)).shape[2]) for rows in (4, 6)}


def a_large_image(measures):
    with torch.no_grad():
        made = sgan.Generator(2)(torch.rand(1, 1, 16, 16))
    assert 16 * 16 == 256 and made.shape[2] == made.shape[3]
    return {str(made.shape[2])}


def adjoint(measures):
    error = measures["rnn_fwi"]["adjoint_error"].value
    assert 1e-9 < error < 1e-8
    return {"1e-8"}


def without_curvature(measures):
    # Of the step s the curvature is worth half s^2 g'Hg: for a tenth of g'g / g'Hg a twentieth of s g'g.
    linear = 1 / (0.95 * float(as_printed()["quadratic"]))
    assert round(linear - 1, 2) == 0.05
    return {"twentieth"}


def slow_adagrad(measures):
    found = measures["rnn_fwi"]
    assert found["1d_adagrad_0.4_f64_converged"].value == found["1d_adagrad_4_f64_converged"].value == 0
    return {}


#: What is computed to hold a sentence's typed numbers, which it returns, or that has none.
HELD = {
    "gan_101.log-convenience": product_of_forty,
    "latent_inversion.image_size": rows_of_an_image,
    "latent_inversion.large_image": a_large_image,
    "rnn_fwi.a9-adjoint": adjoint,
    "rnn_fwi.eq11-quadratic": without_curvature,
    "rnn_fwi.adagrad-200": slow_adagrad,
}


def test_every_sentence_on_what_was_tried_is_held(measures, ledger):
    told = {entry.id: entry.tried for entry in ledger.values() if entry.tried}
    assert len(told) > 45 and set(HELD) | set(SETTINGS) <= set(told)
    for identity, text in told.items():
        places = filled.places(text)
        held = HELD[identity](measures) if identity in HELD else {}
        assert places or identity in HELD, f"{identity} must name a measure, or be held by a test here"
        for place in places:
            text = text.replace(place.text, "")
        typed = set(_NUMBER.findall(text))
        assert typed == {*held, *SETTINGS.get(identity, "").split()}, f"{identity} types a number that nothing holds"


def test_what_no_measure_says_of_an_alternative_is_so(measures):
    line = measures["rnn_fwi"]
    assert line["1d_rmsprop_40_f64_converged"].value == 0 and line["1d_rmsprop_4_f64_converged"].value == 1
    best = {"momentum": 0.8, "adagrad": 40, "gd": 0.4, "rmsprop": 4}
    spent = [line[f"1d_{method}_{rate}_f64_evaluations"].value for method, rate in best.items()]
    assert spent == sorted(spent)  # "momentum, the next"
    assert 0.9 < line["1d_adagrad_100_f64_roughness"].value < 1.1
    assert line["adam_error_to_cg"].value > 1.1  # "beyond the bar"
    bent = studies.shipped(studies.get("gan_101"), "paper").units["value"]["bent_values"]
    falls = np.diff(bent)
    assert len(bent) == 41 and (falls[:20] > 0).all() and (falls[20:] < 0).all()


def test_deterministic_claims_that_are_reproduced_name_what_was_tried(judged, ledger):
    for row in (row for rows in judged.values() for row in rows):
        entry = ledger[row["id"]]
        found = row["kind"] == "existence" or entry.judged_as == "existence"  # one case that was found shows it
        if row["verdict"] == "reproduced" and row["power"] is None and not entry.one_run and not found:
            assert entry.tried, f"{row['id']} must name an alternative that was tried and refuted"


def test_typed_numbers_of_the_notes_are_so(measures, ledger):
    latent, note = measures["latent_inversion"], {identity: entry.note for identity, entry in ledger.items()}
    # Tables 2 and 3: of so many data so many directions are free to be fitted.
    share = math.sqrt(1 - latent["generator.effective_dimension"].value / latent["data.n"].value)
    for table in (2, 3):
        assert f"{latent['data.n'].value:.0f} data" in note[f"latent_inversion.pooled.table{table}.s1"]
        assert f"WRMSE of {share:.3f}" in note[f"latent_inversion.pooled.table{table}.s1"]
    deviation = math.sqrt(2 * (1 - 10 / 400) / (10 / 400))
    assert f"deviation of {deviation:.1f}" in note["latent_inversion.normal_latent"]
    assert round(math.sqrt(math.pi / 2), 2) == 1.25  # "a median's error is a quarter larger"
    # Adam and CG, at a tenth of the first misfit.
    line = studies.shipped(studies.get("rnn_fwi"), "paper").units
    first = [
        int(np.flatnonzero(run["misfit"] < 0.1 * run["misfit"][0])[0])
        for run in (line["1d-adam-40-f64"], line["1d-cg-f64"])
    ]
    assert first[0] == first[1] and "level with it at a tenth" in note["rnn_fwi.adam-beats-cg"]
    change = {rate: line[f"1d-adam-{rate:g}-f64"]["change"].max() / rate for rate in (0.8, 4, 40, 100)}
    assert max(change, key=change.get) == 0.8 and "it is that of 0.8" in note["rnn_fwi.adam-step-bound"]
    assert len(line["1d-adam-40-f64"]["change"]) - 1 == 1000


def test_other_trials_have_a_fifth_of_their_cells_wrong(ledger):
    study = studies.get("latent_inversion")
    results = studies.shipped(study, "width64")
    best, wrong = findings.wrong_cells(World(study.Config.stored(results.config)), results.units, "as_published")
    assert round(float(wrong[best > 1.01].mean()), 1) == 0.2
    assert "a fifth of their cells wrong" in ledger["latent_inversion.recovery"].note


def test_reasons_why_a_statement_is_not_testable_give_our_numbers(measures):
    ours = measures["wgan_traces"]
    told = " ".join(entry["because"] for entry in claims.not_testable(paths.ledger()))
    assert f"ours has the other order, {ours['zero_minus_real'].value:.2f} below" in told
    assert f"at each of {ours['real_above_generated'].k} epochs" in told and ours["real_above_generated"].value == 1
