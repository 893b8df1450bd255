"""The ablation of the search: its variants, what they are compared by, and what of a bank is used."""

import numpy as np
import pytest

from geolib import studies
from geolib.gans import sgan
from geolib.inversion.search import Settings
from geolib.studies.latent_inversion import ablation, search
from geolib.studies.latent_inversion.config import SEARCHES
from geolib.studies.latent_inversion.world import weights_path

STUDY = studies.get("latent_ablation")
SMALL = STUDY.Config(width=16, budget=300, bank=300, variants=("whole", "pool64", "bank"))


def fitted(solves, misfit=1.0):
    return {"record": np.array([[10, 5.0], [solves, misfit]])}


def named(**found):
    """Units of true rays by variant, each a list of solves, infinite without a fit."""
    return {
        f"{variant}-consistent-b10000-s{4200 + number}": fitted(10000, 1.3) if solves == np.inf else fitted(solves)
        for variant, all_solves in found.items()
        for number, solves in enumerate(all_solves)
    }


def test_every_variant_changes_one_thing():
    assert tuple(ablation.VARIANTS) == SEARCHES
    plain = Settings()
    changed = {
        variant: [name for name in vars(plain) if getattr(settings, name) != getattr(plain, name)]
        for variant, (_, settings) in ablation.VARIANTS.items()
    }
    assert all(len(names) == (variant not in ("whole", "bank")) for variant, names in changed.items())


def test_its_truths_neither_chose_nor_judge_the_search():
    seeds = {unit.seed for unit in STUDY.units(STUDY.Config.preset("paper"))}
    assert seeds == set(range(4200, 4220))


def test_variants_search_the_same_truth_and_a_bank_saves_its_pool():
    units = STUDY.units(SMALL)
    made = {unit.variant: arrays for unit, arrays in STUDY.compute(SMALL, units)}
    assert [len(batch) for batch in STUDY.batches(SMALL, units)] == [1, 1, 1]
    both = STUDY.units(STUDY.Config(truths=2, variants=("whole", "bank")))
    assert [[unit.variant for unit in batch] for batch in STUDY.batches(SMALL, both)] == [
        ["whole"],
        ["bank"] * 2,
        ["whole"],
    ]
    truths = [arrays["true_latent"] for arrays in made.values()]
    assert all(np.array_equal(truth, truths[0]) for truth in truths)
    # The first record of a bank is a model that was known: no solve was counted for it.
    assert made["bank"]["record"][0, 0] == 0 < made["whole"]["record"][0, 0] == 256
    assert made["pool64"]["record"][0, 0] == 64
    beside = search.Search.Config(width=16, first=4200, budget=300)
    ((_, alone),) = search.STUDY.compute(beside, search.STUDY.units(beside))
    assert np.array_equal(alone["record"], made["whole"]["record"])  # as it is
    gap, _ = STUDY.recheck(SMALL, units[2], made["bank"], 1.0).gap()
    assert gap < 1e-5


def test_the_bank_gives_what_comes_nearest():
    network = sgan.load_weights(weights_path(16))
    nearest = ablation.bank_of(SMALL, "consistent", network)
    world = search.world_of(16, 1.0, 4200, network)
    models, times = nearest(world.observed("consistent", "binary", 1, 1)[0][0].numpy())
    away = np.square(times - world.observed("consistent", "binary", 1, 1)[0][0].numpy()).sum(1)
    assert len(models) == 256 and (np.diff(away) >= 0).all()
    made = search.simulated(world, "consistent", "binary")(models[:5])
    np.testing.assert_allclose(made, times[:5], rtol=1e-5)


@pytest.mark.parametrize(
    ("other", "counts", "p"),
    [
        ([100] * 10, (10, 0), 2 / 1024),
        ([900] * 10, (0, 10), 2 / 1024),
        ([100, 900] * 5, (5, 5), 1.0),
        ([500] * 10, (0, 0), np.nan),
        ([np.inf] * 9, (0, 9), 2 / 512),  # one truth not tried
    ],
)
def test_variants_are_compared_truth_by_truth(other, counts, p):
    units = named(whole=[500] * 10, plane=other)
    assert ablation.against(units, "plane", "consistent") == counts
    np.testing.assert_allclose(ablation.chance(*counts), p)


def test_what_differs_is_told_and_what_cannot_be_told_is_not():
    units = named(whole=[500] * 12, plane=[np.inf] * 12, pool64=[100] * 12, nosteps=[100, 900] * 6)
    said = ablation.told(units, "consistent")
    assert "fewer solves: first pool of 64 in place of 256; more solves: regression on a plane, without kernels" in said
    assert said.endswith("cannot tell.")
    table = ablation.as_markdown(units, "consistent")
    assert "| regression on a plane, without kernels | 12 | 0 | 0 | 0 | 0 | 0 | — | 0 and 12 | 0.00049 |" in table
    assert "nothing differs. Of the others" in ablation.told(named(whole=[5] * 4, plane=[6] * 4), "consistent")
    clear = ablation.told(named(whole=[5] * 9, plane=[6] * 9), "consistent")
    assert clear.endswith("more solves: regression on a plane, without kernels.")
    assert ablation.told({}, "consistent") == "" and "No variant" in ablation.as_markdown({}, "consistent")
    measures = STUDY.measures(STUDY.Config(), units)
    assert measures["ablation.pool64.consistent.within_300"].k == 12
    assert measures["ablation.plane.consistent.within_10000"].k == 0


def test_it_is_told_of_which_truths_it_is():
    said = ablation.setting(SMALL, named(whole=[5] * 3), "consistent")
    assert said.startswith("Truths of the seeds 4200 to 4202, binary, true rays, generator of width 16.")
    assert "amortised" not in said and ablation.setting(SMALL, {}, "consistent") == ""
    assert "those of 300 models" in ablation.setting(SMALL, named(bank=[5]), "consistent")


def test_no_column_is_beyond_the_budget():
    units = {"whole-consistent-b1000-s4200": fitted(900)}
    assert ablation.as_markdown(units, "consistent").splitlines()[0].endswith("| ≤ 1,000 | Median | Fewer, more | p |")
