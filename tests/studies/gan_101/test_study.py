"""The study's units, its judgements, its claims, and the code of the chapter's exercises."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from scipy import stats

from geolib import studies
from geolib.book import ledger as claims
from geolib.gans.train import Players
from geolib.runs import paths, store
from geolib.runs.measure import Measure
from geolib.runs.unit import select
from geolib.studies.gan_101 import ablation, measures, otherwise, tables, telling, theory, trick_words, words
from geolib.studies.gan_101.config import TricksConfig
from geolib.studies.gan_101.study import STUDY as study
from geolib.studies.gan_101.tricks import STUDY as TRICKS
from geolib.studies.gan_101.tricks import jointly
from geolib.studies.gan_101.units import Theory, Variant
from tests.conftest import computed

TINY = {
    "n_samples": 400,
    "mixture_iterations": 60,
    "tricks": ("leaky", "critic_steps"),
    "trick_iterations": 48,
    "n_seeds": 2,
    "variants": ("superres",),
    "variant_iterations": 20,
}


@pytest.fixture(scope="module")
def tiny():
    config = study.Config.preset("quick", **TINY)
    return config, studies.run(study, config)


def test_units_have_plain_names_and_cover_the_config():
    names = study.names(study.Config.preset("paper"))
    assert len(names) == len(set(names)) == 8 + 2 * 7 * 6 + 5 * 12
    assert all(re.fullmatch(r"[a-z0-9_-]+", name) for name in names)


def test_extent_parameters_leave_the_units_alone():
    assert studies.key(study, study.Config()) == studies.key(study, study.Config(n_seeds=7, variants=("wgan",)))
    assert studies.key(study, study.Config()) != studies.key(study, study.Config(real_label=0.8))


def test_theory_meets_its_closed_forms(tiny):
    config, results = tiny
    found = study.measures(config, results.units)
    for name in ("likelihood.identity_error", "value.identity_error", "starvation.closed_form_error"):
        assert found[name].value < 1e-10, name
    assert found["bilinear.spiral_error"].value < 1e-12
    assert found["value.optimum"].value == found["value.minimum_at_data"].value == 1
    assert found["value.printed_7"].value == found["value.printed_9_second"].value == 0
    # The third line is exact as an integral; with the mean of the densities in it, log 4 is missing.
    assert found["value.printed_9_third"].value == 1
    assert found["value.mean_gap"].value == pytest.approx(np.log(4), abs=1e-9)
    assert found["discriminator.error"].value < 0.03
    assert found["discriminator.equal_error"].value < 0.03
    assert found["discriminator.pull_error"].value < 0.3
    assert found["likelihood.same_maximum"].value == 1
    converge = [
        found[f"bilinear.{m}_converges"].value for m in ("simultaneous", "alternating", "extragradient", "damped")
    ]
    assert converge == [0, 0, 1, 1]


def test_a_smoothed_label_does_not_lower_the_accuracy_of_the_best_discriminator():
    class Best(torch.nn.Module):
        def __init__(self, label):
            super().__init__()
            self.label = label

        def forward(self, x):
            target, other = (m.density(x.double()) for m in (theory.TARGET, theory.Mixture.of([1.0], [0.0], [1.0])))
            return torch.logit(self.label * target / (target + other))[:, 0]

    rest = torch.optim.SGD([torch.zeros(1)])  # nobody is trained here
    players = [Players(torch.nn.Identity(), Best(label), rest, rest) for label in (1.0, 0.9)]
    plain, smooth = (theory.Judge(label).critic(p) for label, p in zip((1.0, 0.9), players, strict=True))
    assert smooth == pytest.approx(
        plain, abs=1e-6
    )  # error, accuracy and extreme answers, to the float32 input's round-off


def test_a_unit_depends_on_its_name_and_config_alone(tiny):
    config, results = tiny
    for name in ("trick-mixture-leaky-1", "value"):
        ((_, again),) = computed(study, config, [name])
        for key, array in again.items():
            assert np.array_equal(array, results.units[name][key], equal_nan=True), (name, key)


def test_some_units_are_computed_on_their_own():
    results = studies.run(study, study.Config(), units=[Theory("starvation"), Theory("bilinear")])
    assert list(results.units) == list(results.records) == ["starvation", "bilinear"]


def test_measures_cope_with_any_subset(tiny):
    config, results = tiny
    whole = study.measures(config, results.units)
    parts = {}
    for name in results.units:
        parts.update(study.measures(config, {name: results.units[name]}))
    assert study.measures(config, {}) == {}
    # Tricks need the plain recipe beside them; everything else stands alone.
    assert set(whole) - set(parts) == {k for k in whole if k.startswith("tricks.")}


def test_few_seeds_are_left_out_one_by_one_and_many_are_halved():
    def seeds(variant, count):
        return {Variant(variant, seed).name: {"seed": np.array(seed)} for seed in range(count)}

    def measured(units):
        return {
            variant: [int(a["seed"]) for a in select(units, Variant, variant=variant).values()]
            for variant in ("wgan", "dcgan")
        }

    units = seeds("wgan", 12) | seeds("dcgan", 3)
    halves = otherwise.halves(units, measured)
    assert [set(found["wgan"]) for found in halves.values()] == [set(range(6)), set(range(6, 12))]
    assert all(not found["dcgan"] for found in halves.values()) and otherwise.halves(seeds("dcgan", 3), measured) == {}
    left_out = otherwise.subsets(units, measured)
    assert [set(found["dcgan"]) for found in left_out.values()] == [{1, 2}, {0, 2}, {0, 1}]
    assert all(not found["wgan"] for found in left_out.values())


def test_units_survive_publishing(tiny, tmp_path):
    config, results = tiny
    path = tmp_path / "gan_101-paper.nc"
    store.save(path, results, key="k", dims=study.dims)
    again, _ = store.load(path)
    assert study.measures(config, again.units) == study.measures(config, results.units)


def series(values):
    return {"trace": np.array(values), "critic": np.tile([0.1, 0.7, 0.2], (len(values), 1)), "every": np.array(1)}


def test_outcomes_of_known_traces():
    falling = np.geomspace(1.0, 0.1, 24)
    units = {}
    for seed in range(6):
        units[f"trick-mixture-plain-{seed}"] = series(falling)
        units[f"trick-mixture-leaky-{seed}"] = series(0.5 * falling)
        units[f"trick-mixture-critic_steps-{seed}"] = series(falling)
    half = ablation.outcomes(units, "mixture", "leaky")
    assert half["distance"] == pytest.approx(np.full(6, 0.5))
    assert half["unrest"] == pytest.approx(np.ones(6))
    assert (half["time"] < 0.8).all()
    assert half["equal_cost"] == pytest.approx(half["distance"])
    assert half["accuracy"] == pytest.approx(np.zeros(6))
    # The same path at three times the price is worth a third of the way.
    dear = ablation.outcomes(units, "mixture", "critic_steps", critic_steps=5)
    assert dear["distance"] == pytest.approx(np.ones(6))
    assert dear["equal_cost"] == pytest.approx(np.full(6, falling[6:8].mean() / falling[18:].mean()))
    assert all(v.size == 0 for v in ablation.outcomes(units, "channels", "leaky").values())


def test_time_is_counted_to_a_fixed_goal_and_beside_it_to_where_either_training_ends():
    stuck = np.linspace(2.0, 1.0, 24)  # never near the data, yet it gets somewhere
    units = {"trick-channels-plain-0": series(stuck), "trick-channels-leaky-0": series(np.geomspace(2.0, 0.1, 24))}
    found = ablation.outcomes(units, "channels", "leaky")
    # Half of the way is passed at the 12th record, and by the plain recipe never.
    assert found["time"] == pytest.approx([12 / 24])
    # The last quarter's mean is 1.109, which they pass at the 22nd and the 6th record.
    assert found["time_to_plain_end"] == pytest.approx([6 / 22])
    assert found["time_to_own_end"] == pytest.approx([22 / 24])


def test_other_windows_of_unrest_are_other_records():
    calm, late = np.geomspace(1.0, 0.1, 24), np.geomspace(1.0, 0.1, 24)
    late[-6:] *= np.tile([1.0, 4.0], 3)
    units = {"trick-mixture-plain-0": series(calm), "trick-mixture-leaky-0": series(late)}
    found = ablation.outcomes(units, "mixture", "leaky")
    assert found["unrest_quarter"] > 2 * found["unrest"] > 2 * found["unrest_whole"]


def test_comparisons_with_one_baseline_are_judged_together():
    rng = np.random.default_rng(3)
    noise = rng.normal(size=12) / 10
    noise -= noise.mean()
    strong, weak, none = noise + 0.5, noise + 0.11, noise
    values = {("a", "accuracy"): strong, ("b", "distance"): np.exp(weak), ("c", "accuracy"): none}
    found = ablation.together(values)
    alone = {key: ablation.effect(key[1], each) for key, each in values.items()}
    # By itself the weak one is an effect; the strong one is the first of three, and leaves two.
    assert alone["b", "distance"].low > 1 > found["b", "distance"].low
    assert found["a", "accuracy"] == alone["a", "accuracy"]
    theirs = stats.ttest_1samp(weak, 0).confidence_interval(1 - 0.05 / 2)
    assert np.log([found["b", "distance"].low, found["b", "distance"].high]) == pytest.approx([*theirs])
    # What never varies has no interval, and is left alone.
    assert ablation.together({("a", "accuracy"): np.zeros(3)})["a", "accuracy"] == Measure(0.0, n=3)


def test_the_error_at_equal_distances_is_free_of_what_follows_from_the_distance():
    units = {}
    for seed, ratio in enumerate((0.5, 1.0, 2.0, 4.0, 3.0)):
        units[f"trick-mixture-plain-{seed}"] = series(np.geomspace(1, 0.5, 24))
        run = series(ratio * np.geomspace(1, 0.5, 24))
        run["critic"] = run["critic"] + [0.2 * np.log(ratio) + 0.03 + 1e-3 * (-1) ** seed, 0, 0]
        units[f"trick-mixture-leaky-{seed}"] = run
    found = ablation.at_equal_distance(units, "mixture", "leaky")
    assert found.value == pytest.approx(0.03, abs=1e-3) and found.low < 0.03 < found.high and found.n == 5
    assert ablation.outcomes(units, "mixture", "leaky")["critic_error"].mean() > 0.1
    few = {name: run for name, run in units.items() if name[-1] in "01"}
    assert ablation.at_equal_distance(few, "mixture", "leaky") is None


def test_judgements_follow_the_interval():
    assert ablation.judgement("distance", Measure(0.5, 0.4, 0.6, 6)) == "helps"
    assert ablation.judgement("distance", Measure(1.5, 1.2, 1.9, 6)) == "harms"
    assert ablation.judgement("distance", Measure(0.9, 0.7, 1.1, 6)) == "no clear effect"
    assert ablation.judgement("accuracy", Measure(0.2, 0.1, 0.3, 6)) == "helps"
    assert ablation.judgement("extreme", Measure(-0.2, -0.3, -0.1, 6)) == "helps"
    assert ablation.judgement("distance", Measure(0.5, 0.4, 0.6, 4)) == "too few seeds"


def test_effects_of_ratios_are_geometric():
    found = ablation.effect("distance", np.array([0.5, 2.0]))
    assert found.value == pytest.approx(1) and found.n == 2
    assert ablation.effect("accuracy", np.array([0.1, 0.3])).value == pytest.approx(0.2)


def test_ablation_table_names_every_trick(tiny):
    config, results = tiny
    table = ablation.ablation_table(config.critic_steps, results.units, "mixture")
    assert "| leaky ReLU |" in table and "| more D steps |" in table and "too few seeds" in table


def test_every_claim_names_a_measure_that_the_study_makes():
    names = set()
    for each in (study, *studies.companions("gan_101")):
        shipped = studies.shipped(each)
        assert shipped is not None
        names |= set(each.measures(each.Config.stored(shipped.config), shipped.units))
    ledger = [c for c in claims.load(paths.ledger()) if c.paper == "gan_101"]
    assert len(ledger) >= 35
    assert not {measure for claim in ledger for measure in claim.measure} - names


def test_titles_follow_what_was_trained():
    x, frames = np.linspace(-1, 1, 21), np.array([0, 10])
    flat = np.full((2, 21), 0.5)

    def ended(divergence, half):
        history = np.array([[1, 0.6, 0, 0.5], [0.1, divergence, 0, 0.5]])
        arrays = {"x": x, "target": flat[0], "densities": flat, "frames": frames}
        return {**arrays, "history": history, "half_error": np.array(half)}

    near, far, sure = ended(0.003, 0.01), ended(0.1, 0.01), ended(0.1, 0.3)
    assert words.training(near) == "With two aids the generator ends 0.003 nats from the data"
    assert words.training(far) == "The divergence from the data goes from 0.6 to 0.1 nats"
    assert "one generator is nearer" in words.undecided_title({"unaided": far, "mixture": near})
    assert words.undecided_title({"unaided": far, "mixture": far}) == "Both discriminators answer one half"
    assert "one half" not in words.undecided_title({"unaided": sure, "mixture": near})
    assert "0.1 nats from the data, the second's 0.003" in words.undecided({"unaided": far, "mixture": near})


def trained(end, trick="plain", data="channels", seeds=6, first=0):
    spread = 0.02 * (trick != "plain")
    return {
        f"trick-{data}-{trick}-{first + seed}": series(np.geomspace(1.0, end * (1 + spread * seed), 24))
        for seed in range(seeds)
    }


def test_a_trick_on_a_stuck_baseline_is_not_praised():
    stuck = trained(0.9) | trained(0.1, "leaky")
    text = trick_words.tricks(stuck, {}, 5)
    assert "above our bar of 0.5. That is no baseline, so there is no verdict." in text and "nearer" not in text
    assert "helps" not in ablation.ablation_table(5, stuck, "channels")
    learning = trick_words.tricks(trained(0.2) | trained(0.1, "leaky"), {}, 5)
    assert "baseline" not in learning and "ends nearer to the data with leaky ReLU (0.5" in learning
    assert trick_words.tricks({}, {}, 5) == ""
    few = {name: run for name, run in (trained(0.2) | trained(0.1, "leaky")).items() if name.endswith("0")}
    assert "With fewer than 5 seeds no verdict is given." in trick_words.tricks(few, {}, 5)


def test_on_channels_new_seeds_tell_what_frees_a_training():
    seen = trained(0.1) | trained(0.9, "batch_norm")  # were these counted, all would be the other way round
    new = trained(0.9, first=12) | trained(0.1, "batch_norm", first=12) | trained(0.8, "critic_rate", first=12)
    sweep = {
        f"sweep-channels-{rate:g}-100": series(np.geomspace(1, end, 24)) for rate, end in ((1e-3, 0.9), (2e-3, 0.2))
    }
    told = trick_words.tricks(trained(0.9), seen | new | sweep, 5, TricksConfig())
    assert (
        "ends at 0.91 of its first distance. In a sweep of 2 rates with 1 trainings each at most 1 halved it (at 0.002)"
        in told
    )
    assert "With seeds 12 to 17, which nobody had seen, 0 of 6 plain trainings end at half of it or below:" in told
    assert "| plain | 0 of 6 |\n| batch norm | 6 of 6 |\n| faster D | 0 of 6 |" in told
    rival = {f"sweep-channels-0.004-{12 + seed}": series(np.geomspace(1, 0.2, 24)) for seed in range(6)}
    beside = trick_words.tricks({}, seen | new | sweep | rival, 5, TricksConfig())
    assert "Final distance over plain's at the rate 0.004 |" in beside and "| batch norm | 6 of 6 | 0.5" in beside
    assert "ends nearer to the data with batch norm (0.1" in told and "hold for all 3 effects" in told
    found = TRICKS.measures(TricksConfig(), seen | new)
    assert found["added.tricks.channels.batch_norm.learning"].value == 1
    assert found["seen.tricks.channels.batch_norm.learning"].value == -1
    assert found["holm.tricks.channels.batch_norm.distance"].high < 1
    assert "learns.tricks.channels.batch_norm.distance" not in TRICKS.measures(TricksConfig(), new)


def resting(plain, leaky, smoothed, seed, data="channels"):
    """Accuracies at two rates; the second is better for all but the smoothed label."""
    best = np.array([[plain - 0.1, plain], [leaky - 0.1, leaky], [smoothed, smoothed - 0.1]])
    return {f"telling-{data}-{seed}": {"accuracy": np.repeat(best[..., None], 24, -1), "every": np.array(12)}}


def test_discriminators_are_compared_each_at_its_own_rate_chosen_on_other_seeds():
    units = resting(0.8, 0.7, 0.6, 100)
    for seed in range(12, 18):
        units |= resting(0.8, 0.85 + 0.001 * seed, 0.8, seed)
    gains = telling.gains(units, "channels", "leaky_critic")
    assert gains == pytest.approx(0.05 + 0.001 * np.arange(12, 18))
    assert telling.gains(units, "channels", "smooth_label") == pytest.approx(np.zeros(6))
    assert telling.chosen(units, "channels") == {"plain": 1, "leaky_critic": 1, "smooth_label": 0}
    assert telling.chosen(units, "channels", common=True) == dict.fromkeys(telling.RECIPES, 1)
    # At one rate the smoothed label has not its own.
    assert telling.gains(units, "channels", "smooth_label", common=True) == pytest.approx(np.full(6, -0.1))
    assert telling.gains({k: v for k, v in units.items() if "100" not in k}, "channels", "leaky_critic").size == 0
    told = trick_words.tricks({}, units, 5)
    assert (
        "right leaky ReLU in D adds 6.4 [6.3, 6.6] points on channels; smoothed label adds 0.0 points on chan" in told
    )
    together = jointly(5, units, "channels")
    assert ablation.judgement("telling", together["leaky_critic", "telling"]) == "helps"


def test_a_resting_generator_is_left_as_it_is_and_told_better_with_time(monkeypatch):
    config = TricksConfig(telling_start=5, telling_steps=48, mixture_batch=64, telling_rates=(5e-3,))
    games, made = [], telling.assessed_game
    monkeypatch.setattr(telling, "assessed_game", lambda *args: games.append(made(*args)) or games[-1])
    found = telling.tell(config, telling.Telling("mixture", 3))
    assert found["accuracy"].shape == (3, 1, 24) and found["every"] == 2
    assert (found["accuracy"][..., -4:].mean(-1) > found["accuracy"][..., 0] + 0.05).all()
    rested = games[0][0].generator
    telling.tell(dataclasses.replace(config, telling_start=5, telling_steps=480), telling.Telling("mixture", 3))
    longer = games[4][0].generator  # the first of the second four
    assert rested is not longer
    for one, other in zip(rested.parameters(), longer.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)  # ten times as many steps leave the same weights


def test_an_end_is_over_the_plain_recipe_s_first_distance():
    units = trained(0.5) | trained(0.1, "leaky")
    for name in units:
        if "leaky" in name:
            units[name]["trace"] = 2 * units[name]["trace"]
    own = ablation.learnt(trained(0.5) | trained(0.1, "leaky"), "channels", "leaky")
    assert ablation.learnt(units, "channels", "leaky").value == pytest.approx(2 * own.value)
    assert ablation.learnt(trained(0.1, "leaky"), "channels", "leaky") is None


def test_panels_are_headed_by_what_was_changed_and_titled_by_what_ends_nearer():
    second = trained(0.2, first=12) | trained(0.1, "leaky", first=12)
    first = trained(0.9) | trained(0.1, "leaky")
    shown = trick_words.panels(first, second, 5, TricksConfig(channels_batch=77))
    assert list(shown) == ["channels, rate 0.002, batches of 77:\nplain ends at 0.24 of its first distance"]
    assert trick_words.tricks_title(shown) == "Nearer the data: on channels leaky ReLU"
    stuck = trick_words.panels(first, {}, 5)
    assert list(stuck) == ["channels, rate 0.002, batches of 16:\nplain ends at 0.91 of its first distance"]
    assert trick_words.tricks_title(stuck) == "On channels no baseline, no verdict"
    harmed = trick_words.panels(trained(0.2, data="mixture") | trained(0.4, "leaky", "mixture"), {}, 5)
    assert trick_words.tricks_title(harmed) == "Nearer the data: on the mixture no trick"
    assert trick_words.tricks_title({}) == "No tricks were run."


def test_what_is_clear_alone_may_be_open_among_all_that_is_judged_at_once():
    second = trained(0.2, data="mixture")
    # Seeds that differ: alone the trick is clear, among the others it is not.
    for trick, end, spread in (("all", 0.14, 0.3), ("smooth_label", 0.2, 0.2), ("critic_rate", 0.2, 0.2)):
        for seed in range(6):
            values = np.geomspace(1, end * (1 + spread * (-1) ** seed), 24)
            second[f"trick-mixture-{trick}-{seed}"] = series(values)
    (rows,) = trick_words.panels({}, second, 5).values()
    (row,) = (each for each in rows if each["trick"] == "all together")
    alone = ablation.effect("distance", row["ratios"])
    assert row["verdict"] == "no clear effect" and row["high"] > 1 > alone.high and row["mean"] == alone.value
    told = trick_words.tricks({}, second, 5)
    assert "Faster D, smoothed label and all together are undecided" in told and "hold for all 3 effects" in told


def test_the_sweep_is_told_with_its_rates_and_its_seeds():
    second = trained(0.2, data="mixture", seeds=8) | trained(0.1, "leaky", "mixture")
    again = {f"sweep-mixture-{rate:g}-100": series(np.geomspace(1, 50 * rate, 24)) for rate in (2e-3, 4e-3)}
    told = trick_words.tricks({}, second | again, 5, TricksConfig())
    assert "The plain recipe is best at the rate 0.002, of 0.002 and 0.004 (seed 100, batches of 256 samples); " in told
    assert "seeds 0 to 7 judge. On the *mixture*" in told


def test_what_more_steps_bring_is_told_with_what_they_cost():
    second = trained(0.2, data="mixture") | trained(0.1, "leaky", "mixture")
    told = trick_words.tricks({}, second, 5)
    assert "nearer to the data with leaky ReLU (0.57 of plain's distance)." in told and "as many updates" not in told
    steps = trick_words.tricks({}, second | trained(0.1, "critic_steps", "mixture"), 5)
    assert "with more D steps (0.57 of plain's distance) and leaky ReLU (0.57) (intervals hold for all 3" in steps
    # A third as many steps of the generator: far from where the plain recipe ends.
    assert "After as many updates of both networks, more D steps end at 2.21 [2.18, 2.23] of it." in steps
    rows = trick_words.judged_markdown(second, 5, "mixture").splitlines()
    assert rows[0] == "| Trick | Outcome | Alone | Together | Verdict |" and len(rows) == 3
    assert rows[2].startswith("| leaky ReLU | final distance | 0.5") and rows[2].endswith("| helps |")
    assert "Not run with these parameters." in trick_words.judged_markdown({}, 5, "channels")


def test_an_end_that_excludes_one_is_not_rounded_to_it():
    assert trick_words._told(Measure(0.76, 0.58, 0.9954, 12)) == "0.76 [0.58, 0.995]"
    assert trick_words._told(Measure(0.76, 0.58, 0.9, 12)) == "0.76 [0.58, 0.90]"


def test_a_bias_of_orders_is_told_by_seed():
    asked = np.repeat([0.1, 0.5], 4)
    units = {
        f"conditional-{seed}": {"asked": asked, "obtained": asked + off}
        for seed, off in enumerate((-0.05, 0.03, -0.01))
    }
    assert measures.biases(units) == pytest.approx([-0.05, 0.03, -0.01])
    found = dict.fromkeys(("error", "error_ratio", "strict_error_ratio"), Measure(0.4, 0.3, 0.5, 3))
    told = words.conditional({f"conditional.{name}": each for name, each in found.items()}, units)
    assert "off by −0.05, +0.03 and −0.01 in the 3 seeds" in told
    assert "0.05 too small" in words.conditional_caption(units["conditional-0"])
    assert "0.03 too large" in words.conditional_caption(units["conditional-1"])


def test_the_least_push_is_the_minimax_loss_s_only_where_it_is():
    unit = {"saturating": np.array([0, 0.1, 0.01]), "non_saturating": np.array([0, 0.2, 2.0])}
    assert words.starving_title(unit).startswith("Under the best discriminator the minimax loss pushes least")
    assert "least" not in words.starving_title(unit | {"saturating": np.array([0, 0.3, 0.01])})


def test_pushes_are_told_at_the_nearest_and_the_farthest_gap():
    names = {"starvation.ratio_at_8": 5e-5, "wgan.js_push": 2e-4, "wgan.wasserstein_push": 1.2}
    names |= {"wgan.js_push_at_0.25": 0.016, "wgan.js_push_at_4": 2e-4}
    told = words.starving({name: Measure(value, n=3) for name, value in names.items()})
    assert "at a gap of 4 the" in told and "in the mean of 3 seeds. At 0.25 minimax still pushes with 0.016." in told


def test_one_of_two_statistics_is_said_to_be_one():
    found = dict.fromkeys(("parameter_ratio", "convolutional.patterns", "floor.patterns"), Measure(2.0))
    found |= {"patterns_ratio": Measure(0.5, 0.4, 0.6, 3), "two_point_ratio": Measure(0.3, 0.1, 4.0, 3)}
    told = words.convolutions({f"dcgan.{name}": each for name, each in found.items()})
    assert told.endswith(
        "undecided with 3 seeds. The paper names no statistic. One decides and one does not: so it is undecided."
    )
    found["two_point_ratio"] = Measure(0.3, 0.1, 0.4, 3)
    assert "So one" not in words.convolutions({f"dcgan.{name}": each for name, each in found.items()})


def test_codes_and_correlations_are_told_with_seeds():
    assert words.codes({"samples": np.zeros((4, 3, 8, 8))}) == ["−1.0", "0.0", "1.0"] and words.codes(None) == []
    found = {
        "infogan.correlation": Measure(0.9, 0.74, 1.0, 3),
        "infogan.correlation_without": Measure(0.02, 0, 0.04, 3),
    }
    assert "is 0.90 [0.74, 1.00], and 0.02 [0.00, 0.04] without the reward (3 seeds)." in words.code(found)
    assert words.album_title("infogan", found).endswith("orders the patches by their channel proportion")
    assert words.album_title("infogan", {"infogan.correlation": Measure(0.5)}) == "A code that nobody explained"


def test_strengths_are_told_with_the_step_of_the_first_distance(tiny):
    config, results = tiny
    assert words.strengths(config, results.units).endswith("The first distance is that after 2 steps.")
    assert "first distance" not in words.strengths(config, {})


def test_an_interval_decides_only_what_it_excludes():
    assert words.clear(Measure(0.5, 0.4, 0.6, 3)) == "clearly less"
    assert words.clear(Measure(1.5, 1.1, 1.9, 3)) == "clearly more"
    assert words.clear(Measure(0.5, 0.1, 2.6, 3)) == "undecided with 3 seeds"
    assert words.clear(Measure(0.5, n=1)) == "one seed decides nothing"


@pytest.mark.parametrize(
    "text",
    [words.wasserstein, words.convolutions, words.code, words.detail, words.skips, words.lines],
)
def test_what_was_not_run_is_not_told(text):
    assert re.fullmatch(r"|.* not run\.", text({}))
    assert words.conditional({}, {}).endswith("not run.")


def test_every_variant_that_was_run_is_told(tiny):
    config, results = tiny
    found = study.measures(config, results.units)
    grey = results.units["superres-0"]["greyness"]
    assert found["superres.truth.greyness"].value == grey[-1] < 0.2
    assert "dB" in words.detail(found) and "superres" in tables.statistics(found)
    assert "adversarial" in tables.superresolution(found)
    assert words.album_title("dcgan", found) == "Not run with these parameters."
    assert "grey away" in words.album_title("superres", found)
    less = words.album_title("superres", {"superres.greyness_gain": Measure(-0.0647)})
    assert less == "The adversarial loss takes some of the grey away"
    told = {
        f"superres.{name}.greyness": Measure(grey, n=3) for name, grey in (("content", 0.16), ("adversarial", 0.09))
    }
    assert words.detail_caption(told).endswith("goes from 0.16 to 0.09 (3 seeds).")
    assert words.detail_caption({}).endswith("One seed.")
    assert "Not run" in tables.superresolution({})
    assert "| 0.0308 |" in tables.printed(results.units)
    assert "1.0198" in tables.steps(results.units)
    assert "| 32, 16 |" in tables.settings(config)
    assert words.power(0.000156) == "{math}`2\\times10^{-4}`"
