"""How many modes a posterior's draws make."""

import numpy as np

from geolib import studies
from geolib.studies.latent_inversion import modes, posterior
from geolib.studies.latent_inversion.posterior import Posterior


def models(*blocks):
    """Models of 3000 cells, each a step of half a per cent from the one before, and blocks far apart."""
    lengths = [1500 * block + 15 * number for block, count in enumerate(blocks) for number in range(count)]
    return np.arange(3000) < np.array(lengths)[:, None]


def test_models_that_small_steps_join_are_one_group_however_far_apart_their_ends():
    assert modes.groups(models(10)) == [10] and modes.groups(models(10, 6)) == [10, 6]
    assert modes.groups(models(10), gap=0.004) == [1] * 10


def test_modes_are_counted_by_groups_and_a_draw_alone_is_none(monkeypatch):
    runs = {Posterior("as_published", 1, 1, run).name: {"draws": np.zeros((50, 15))} for run in (0, 1)}
    for blocks, said in (((30, 10), "2 modes. Of 40 draws"), ((39, 1), "1 mode. Of 40 draws")):
        made = models(*blocks)
        monkeypatch.setattr(modes, "facies", lambda *_, made=made: made)
        told = modes.told(runs)
        assert f"- Scrambled, model I, noise I: {said} of 2 runs" in told
        assert f"{blocks[0]} are joined by steps below 1 %." in told
    assert modes.told({}) == ""


def test_the_draws_compared_are_of_all_runs():
    found = modes.scenarios(studies.shipped(posterior.STUDY).units)
    runs = next(runs for runs in found.values() if len(runs) > 1)
    seen = []

    class World:
        def models(self, latents):
            seen.append(latents)
            return latents

    modes.facies(World(), runs)
    assert len(seen[0]) == modes.KEPT
    for run in runs:
        assert any((seen[0].numpy() == row).all(1).any() for row in run["draws"][-10:])
