"""Single choices with the published rays: which there are, along which rays, and what they say."""

import numpy as np

from geolib import studies
from geolib.studies.latent_inversion import choices, effects
from geolib.studies.latent_inversion.units import Comparison, Scrambled
from geolib.studies.latent_inversion.world import World
from tests.conftest import computed

study = studies.get("latent_choices")
SMALL = study.Config(width=16, effect_trials=1, effect_iterations=2)


def test_the_rates_get_the_longest_comparisons():
    units = study.units(study.Config.preset("paper", width=64))
    assert {unit.kind: unit.iterations for unit in units} == dict.fromkeys(
        ("clipping", "damping", "perturbation", "latents"), 500
    ) | {"rate": 500 * choices.LONGER["rate"]}
    assert {unit.trials for unit in units} == {10}
    assert all(Scrambled.parse(unit.name) == unit and Comparison.read(unit.name) is None for unit in units)


def test_the_comparisons_see_the_published_rays_and_not_the_true_ones():
    found = dict(computed(study, SMALL, study.names(SMALL)))
    (outcome,) = (arrays["outcome"] for arrays in found.values())
    true = effects.compare(World(SMALL, "cpu"), Comparison("clipping", 2, 1))["outcome"]
    assert outcome.shape == true.shape and np.isfinite(outcome).all() and not np.allclose(outcome, true, rtol=0.01)
    measures = study.measures(SMALL, found)
    assert measures["as_published.effect.clipping.none"].value == np.median(outcome[2])
    assert "as_published.clipping.ratio.none" in measures


def test_the_law_of_the_latents_is_judged_by_what_the_ledger_asks():
    said = effects.laws_told("Alike.", (0.5, 2.0), "mixed")
    assert "*Alike*, a ratio that has to lie between 0.5 and 2. Its verdict: *mixed*." in said
