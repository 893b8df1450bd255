"""What the chapter on latent inversion says: numbers behind its figures, and sentences about the precomputed runs."""

import dataclasses
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from geolib import studies
from geolib.book import ledger
from geolib.runs import paths
from geolib.runs.measure import Measure
from geolib.studies.latent_inversion import facies, findings, measures, posterior, prior, search, tables, titles
from geolib.studies.latent_inversion import trials as descents
from geolib.studies.latent_inversion.story import NARROW, WIDE, Story
from geolib.studies.latent_inversion.study import STUDY
from geolib.studies.latent_inversion.units import GENERATOR, SCENARIOS, Trial
from geolib.studies.latent_inversion.world import World


def trial(ratio, model=1, noise=1, number=0, method="adam", **latents):
    ratio = np.asarray(ratio, float)
    unit = Trial("consistent", "binary", method, len(ratio), model, noise, number)
    return {unit.name: descents.kept_of(ratio, 1.0, 576) | latents}


@pytest.fixture(scope="module")
def world():
    return World(STUDY.Config(), "cpu")


@pytest.fixture(scope="module")
def story(judged):
    claims = [claim for claim in ledger.load(paths.ledger()) if claim.paper == STUDY.name]
    return Story(
        studies.shipped(STUDY).units,
        studies.shipped(STUDY, "width64").units,
        {claim.id: claim.published for claim in claims if ".table" in claim.id},
        {row["id"]: row for row in judged[STUDY.name]},
        studies.shipped_measures(STUDY),
    )


def test_progress_pools_the_scenarios_and_leaves_out_what_one_of_them_lacks():
    falling = np.linspace(9, 1, 1000)
    units = {}
    for number, (model, noise) in enumerate(SCENARIOS):
        units |= trial(falling if number else falling + 1, model, noise)
    units |= trial(falling, 1, 1, number=1)
    found = findings.progress(units, "consistent", "binary", "adam", 1.01)
    assert {updates: (m.k, m.n) for updates, m in found.items()} == {100: (0, 5), 1000: (4, 5)}
    del units[Trial("consistent", "binary", "adam", 1000, 2, 2, 0).name]
    assert findings.progress(units, "consistent", "binary", "adam", 1.01) == {}


def test_a_search_of_the_wide_generator_stands_in_place_of_the_narrow_ones():
    narrow = trial([3.0, 1.0]) | trial([3.0, 1.0, 0.9], method="gn")
    wide = trial([3.0, 2.0])
    found = findings.beside(wide, narrow, "consistent")
    assert list(found) == ["Adam, width 64", "Gauss-Newton, width 32"]
    solves, end = found["Adam, width 64"]
    assert np.isinf(solves).all() and end == 4
    assert findings.beside({}, {}, "consistent") == {}


def test_cells_of_fits_are_the_share_of_fitting_models_alone(world):
    rng = np.random.default_rng(5)
    latents = rng.uniform(-1, 1, (3, 15)).astype(np.float32)
    ends = (1.0, 1.005, 1.5)
    units = {}
    for number, (end, latent) in enumerate(zip(ends, latents, strict=True)):
        units |= trial([3.0, end], number=number, best_latent=latent)
    found = findings.channel_of_fits(world, units)
    assert list(found) == [("consistent", 1)]
    share, count = found["consistent", 1]
    models = [world.image(latent).ravel() >= 0.5 for latent in latents]
    assert count == 2 and share == pytest.approx((models[0] + models[1].astype(float)) / 2)
    apart = 100 * float((models[0] != models[1]).mean())
    assert titles.disagree(found).endswith(f"{apart:.1f} to {apart:.1f} % of the cells")
    assert titles.disagree({}) == "No trial fits"


def test_what_was_run_of_a_generator_is_counted():
    units = trial([3.0, 2.0], 1) | trial([3.0, 2.0], 2) | trial([3.0], 1, method="gn")
    said = tables.runs_told(units, "consistent")
    assert "2 binary of strategy 1 (of up to 2 updates) and 1 binary of strategy 2 (of up to 1 updates)." in said
    assert tables.runs_told(units, "as_published").endswith("none.")


def test_the_search_on_unseen_truths_is_told_as_it_is_shipped(story):
    for operator, rays in (("consistent", "with true rays"), ("as_published", "scrambled")):
        solves, _ = search.solved(studies.shipped(search.STUDY).units, operator, "binary")
        assert f"{(solves <= 10_000).sum()} of {solves.size} {rays} (" in story.unseen()
    assert dataclasses.replace(story, measures={}).unseen() == ""
    assert "With width 64 neither was run. Another" in dataclasses.replace(story, wide={}).searches()
    assert "neither was run" not in story.searches()
    pooled = {Trial("consistent", "binary", "pool", 256, 1, 1, 0).name: {}}
    assert "neither was run" not in dataclasses.replace(story, wide=pooled).searches()
    # "Those that it learns from included": no truth's search is told what was simulated beforehand.
    units = studies.shipped(search.STUDY).units
    assert min(float(arrays["record"][0, 0]) for arrays in units.values()) >= 1
    assert max(float(arrays["solves"]) for arrays in units.values()) <= 10_000


def test_progress_agrees_with_the_ledgers_measures(story):
    for method, strategy, limit in (("adam", 1, 1.01), ("gn", 2, 1.1)):
        for order, prefix in (("consistent", ""), ("as_published", "as_published.")):
            for updates, share in findings.progress(story.units, order, "binary", method, limit).items():
                name = f"{prefix}table3.s{strategy}-{updates}.le{limit}.all"
                assert (share.k, share.n) == (story.measures[name].k, story.measures[name].n), name


def test_fits_are_compared_on_the_starts_that_both_orders_have():
    good, bad = np.linspace(9, 1, 100), np.linspace(9, 2, 100)
    units = trial(good) | trial(bad, number=1) | trial(good, number=2) | trial(good[::2], number=3)
    for number, curve in enumerate((bad, bad)):
        unit = Trial("as_published", "binary", "adam", 100, 1, 1, number)
        units[unit.name] = descents.kept_of(curve, 1.0, 576)
    assert findings.shared_fits(units, 100) == (2, 1, 0)
    assert findings.shared_fits({}, 100) == (0, 0, 0)


def test_the_papers_shares_are_its_counts(story):
    found = findings.published_progress(story.published, "table3", 1, 1.01)
    assert {updates: str(share) for updates, share in found.items()} == {
        100: "0 of 400",
        1000: "0 of 400",
        10_000: "51 of 400",
    }


def test_wrong_cells_are_those_of_another_facies(world):
    truth = world.true_latents[1][0].numpy()
    other = world.true_latents[2][0].numpy()
    units = trial([2.0, 1.5], best_latent=truth, true_latent=truth)
    units |= trial([3.0, 2.5], number=1, best_latent=other, true_latent=truth)
    units |= trial([9.0], number=2, best_latent=other, true_latent=other)  # shorter: does not count
    misfit, wrong = findings.wrong_cells(world, units, "consistent")
    differing = np.mean((world.image(truth) >= 0.5) != (world.image(other) >= 0.5))
    assert misfit == pytest.approx([1.5, 2.5]) and wrong == pytest.approx([0, differing]) and differing > 0.1
    assert findings.wrong_cells(world, units, "as_published")[0].size == 0


def test_recovery_is_measured_where_a_trial_of_the_largest_budget_fits(world):
    truth, other = (world.true_latents[model][0].numpy() for model in (1, 2))
    most = tables.MARKS[-1]
    units = trial([2.0] + [1.0] * (most - 1), best_latent=truth, true_latent=truth)
    units |= trial([1.5] * most, number=1, best_latent=other, true_latent=truth)  # does not fit
    units |= trial([1.0], number=2, best_latent=other, true_latent=truth)  # too short
    assert list(measures.fitted(units, "consistent")) == list(units)[:1]
    assert measures.fitted(units, "as_published") == {}
    found = STUDY.measures(world.config, units)
    assert found["s1.wrong_cells_where_fits"] == Measure.mean([0.0])
    assert "as_published.s1.wrong_cells_where_fits" not in found


def test_solves_count_both_passes_and_all_differences():
    ratio = np.full(200, 2.0)
    ratio[50:] = 1.0
    units = trial(ratio) | trial(np.full(200, 2.0), number=1) | trial(ratio, method="gn")
    units[Trial("consistent", "binary", "pool", 256, 1, 1, 0).name] = {"record": np.array([[256, 2.0], [900, 1.0]])}
    found = findings.solves_to_fit(units, "consistent")
    assert found["Adam"].tolist() == [2 * 51, np.inf] and found["Gauss-Newton"].tolist() == [31 * 51]
    assert found["pooled"].tolist() == [900] and "DREAM" not in found


def test_true_rays_vary_more_and_the_orders_give_other_times(world):
    spread = findings.spread(world)
    assert spread["consistent"] > 1.5 * spread["as_published"]
    times = findings.times(world)
    with torch.no_grad():
        whole = world.simulate("consistent", "binary", world.true_latents[1])[0]
    assert times["consistent"] == pytest.approx(whole.numpy())
    assert np.sqrt(np.square(times["consistent"] - times["as_published"]).mean()) > 2


def test_what_was_not_run_has_a_bar():
    units = trial([2.0, 1.0]) | trial([2.0] * 3, number=1) | trial([2.0] * 3)
    text = findings.runs_markdown({"mine": (units, "consistent"), "other": (units, "as_published")})
    assert "| strategy 1, binary | 2 | — |" in text and "| pooled, binary | — | — |" in text
    assert "DREAM(ZS), continuous" not in text and text.count("\n") == 7
    others = {search.Truth("as_published", "binary", 10_000, seed).name: {} for seed in (1, 2)}
    others[posterior.Posterior("consistent", 1, 1, 0).name] = {}
    text = findings.runs_markdown({"mine": (units | others, "consistent"), "other": (others, "as_published")})
    assert "| regression, binary | — | 2 |" in text and "| posterior, binary | 1 | — |" in text


def test_what_is_computed_again_meets_the_longer_run():
    long = 2 + 1 / np.arange(1.0, 1001)
    (row,) = findings.again(trial(long), trial(long[:100] + 1e-6)).values()
    assert row[0] == pytest.approx(row[1] + 1e-6) and 8 < len(row[0]) < 12  # every fourth point is kept, to 40
    assert findings.again({}, trial(long)) == {}


def test_every_number_of_the_story_is_found(story, world):
    judged = studies.shipped(facies.STUDY).units
    wrong = {order: findings.wrong_cells(world, story.units, order) for order in tables.ORDERS}
    told = [
        story.rays(story.units[GENERATOR.name]["operator_misfit"]),
        story.success(),
        story.success_title(),
        story.success_caption(),
        story.answer(),
        story.landscape(findings.spread(world)),
        story.landscape_title(),
        story.recovery(wrong),
        story.recovery_title(wrong),
        story.latents(),
        story.generators(judged),
        story.searches(),
        story.searches_title(),
        story.verdicts(),
        story.early_stop(),
    ]
    for text in told:
        assert text and not re.search(r"\bnan\b|None|inf\b", text), text
    assert len(" ".join(told).split()) < 1300


def test_the_story_names_the_generator_and_quotes_the_ledger(story):
    text = story.success()
    for name in (WIDE, NARROW):
        assert name in text
    verdict = story.judged["latent_inversion.pooled.table3.s1"]["verdict"]
    assert f"double: *{verdict}*. About " in text
    count = story.measures["width64.as_published.table3.s1-10000.le1.01.all"]
    assert f"**{count}** binary trials (3 to 22 %, if" in text.replace("\n", " ")
    alone = Measure.count(count.k, count.n)
    assert f"again; {100 * alone.low:.0f} to {100 * alone.high:.0f} %, if all trials were independent" in text
    # What the words claim without a number.
    true, scrambled = (story.last("adam", 1.01)[f"{rays}, {NARROW}"][1] for rays in tables.ORDERS.values())
    assert true.low > scrambled.high, "'mostly' and 'seldom' no longer hold"


def test_the_words_about_generators_and_searches_hold(story):
    found = {order: findings.solves_to_fit(story.units, order) for order in tables.ORDERS}
    for each in found.values():
        fits = {name: np.isfinite(solves).mean() for name, solves in each.items()}
        assert fits["pooled"] > fits["Adam"] / 2 and fits["DREAM"] == 1
        # "Pool first": no run of DREAM(ZS) was done before a pooled search is.
        assert each["DREAM"].min() > each["pooled"][np.isfinite(each["pooled"])].max()
    shares = story.progress("adam", 1.01)[f"true rays, {NARROW}"]
    assert shares[1000].k < shares[10_000].k / 2, "most fits come after the comparison of generators ends"
    judged = studies.shipped(facies.STUDY).units
    pieces = [float(judged[f"generator-{width}"]["misfit.components"]) for width in (64, 32, 16)]
    assert pieces == sorted(pieces)
    medians = [story.measures[f"effect.width.{width}"].value for width in (64, 32, 16)]
    assert medians[0] > 2 * max(medians[1:])


def test_a_readers_run_is_told_without_the_precomputed_results(story):
    falling = np.linspace(9, 1, 1000)
    units = {}
    for model, noise in SCENARIOS:
        units |= trial(falling, model, noise)
    own = Story(units, {}, story.published, story.judged, STUDY.measures(STUDY.Config(), units), True, "width 16")
    text = own.success()
    assert "true rays, width 16: 4 of 4 trials" in text and WIDE not in text and NARROW not in text
    assert own.searches().startswith("What the searches of this run") and own.early_stop() == ""
    assert own.recovery({"consistent": (np.empty(0), np.empty(0))}).startswith("No trial of this run")
    assert own.success_title() == "Share of trials that fit" and own.answer() == ""


def test_titles_of_progress_and_cost_have_one_message_that_follows_the_runs(story):
    assert story.success_title() == f"{NARROW.capitalize()}: Adam and Gauss-Newton fit more often with true rays"
    assert story.searches_title() == "True rays, 9,504 solves: pooled fits 39 of 40, Adam 45 of 80"
    ends = {
        "adam": {"true rays, width 16": (9, Measure.count(1, 8)), "scrambled, width 16": (9, Measure.count(2, 8))},
        "gn": {"true rays, width 16": (9, Measure.count(2, 8)), "scrambled, width 16": (9, Measure.count(2, 8))},
    }
    own = SimpleNamespace(label="width 16", last=lambda method, limit: ends[method])
    title = "Width 16: Adam fits more often with scrambled rays, Gauss-Newton fits as often either way"
    assert Story.success_title(own) == title


def test_points_of_few_trials_are_named(story):
    falling = np.linspace(9, 1, 1000)
    units = {}
    for model, noise in SCENARIOS:
        for number in range(3):
            budget = falling if number == 0 else falling[:100]
            units |= trial(budget, model, noise, number=number, method="gn")
    own = Story(units, {}, {}, {}, {}, True, "width 16")
    few = " Hollow: strategy 2 after 1,000 updates, 4 of 4 (true rays, width 16)."
    assert own.success_caption().endswith(few) and "one trial" not in own.success_caption()
    both = "Hollow: strategy 2 after 5,000 updates, 2 of 4 (true rays, width 32); 0 of 4 (scrambled, width 32)."
    assert story.success_caption().endswith(both) and "strategy 1" not in story.success_caption()


def test_an_interval_of_no_fits_is_told_where_it_is_the_wider_one(story):
    assert (
        "Where none fits we count starts, not trials: 0 of 32 reaches higher than 4 of 32." in story.success_caption()
    )
    shares = story.progress("adam", 1.01)["scrambled, width 64"]
    none, some = shares[1000], shares[10_000]
    assert (none.k, some.k) == (0, 4) and none.high > some.high and none.worth == 8


def test_a_bootstrap_of_eight_starts_is_somewhat_too_narrow():
    rng, held = np.random.default_rng(1), []
    for _ in range(400):
        found = Measure.clustered((rng.random((8, 4)) < 0.125).tolist(), draws=400)
        held.append(found.low <= 0.125 <= found.high)
    assert 0.85 < np.mean(held) < 0.94


def test_continuous_trials_say_that_neither_roughness_nor_the_cut_stops_adam(story, world):
    text = story.landscape(findings.spread(world))
    shown = []
    for method in ("adam", "gn"):
        cut, uncut = story._both(method, "binary"), story._both(method, "continuous")
        shown += [f"{uncut[0]} ", f"{uncut[1]}", f"{cut[0]} and {cut[1]}"]
        assert [m.n for m in cut] == [m.n for m in uncut]
        for with_cut, without in zip(cut, uncut, strict=True):
            if method == "adam":  # "nor is it the cut"
                assert abs(with_cut.k - without.k) <= 2 and without.low < with_cut.value < without.high
            else:  # "gains without it"
                assert without.low > with_cut.value
    assert all(each in text for each in shown)
    top = story.units[GENERATOR.name]["landscape_published"][1].max()
    ends = [float(a["best"][-1]) for a in tables.most(story.units, "as_published", "binary", "adam")]
    above, failed = sum(end > top for end in ends), sum(end > 1.01 for end in ends)
    assert (
        f"of the {failed} scrambled trials that fail {above} end above a WRMSE of {top:.2f}" in text
        and above > 0.8 * failed
    )
    assert dataclasses.replace(story, changed=True).rough() == ""


def test_where_pooling_fails_is_told_with_its_cost_beside_the_global_search(story):
    text = story.advice()
    rows = tables.searches(story.units)
    hits = [sum(np.isfinite(rows["pool", "binary", "as_published", m, n][:, 1]).sum() for n in (1, 2)) for m in (1, 2)]
    assert f"fits {hits[0]} of 20 with model I and {hits[1]} of 20 with II" in text and hits[0] == 20 > 4 * hits[1]
    assert "some 63,000 solves" in text and round(9504 * 20 / hits[1], -3) == 63_000
    costs = [rows["dream", "binary", "as_published", 2, n][0, 1] for n in (1, 2)]
    # "Either will do": a fit by repeated pooling lies among those of DREAM(ZS), within a factor of two.
    assert all(0.5 < cost / (9504 * 20 / hits[1]) < 2 for cost in costs)
    assert dataclasses.replace(story, units={}).advice() == ""


def test_a_search_is_drawn_as_far_as_it_was_run(story):
    ends = findings.stopped(story.units, "consistent")
    assert (ends["Adam"], ends["Gauss-Newton"], ends["pooled"]) == (20_000, 31_000, 9504)
    for order in tables.ORDERS:
        ends = findings.stopped(story.units, order)
        for name, solves in findings.solves_to_fit(story.units, order).items():
            assert solves[np.isfinite(solves)].max() <= ends[name]
    assert findings.stopped({}, "consistent") == {}


def test_the_best_and_the_worst_are_told_by_their_wrong_cells(story, world):
    truth, other = (world.true_latents[model][0].numpy() for model in (1, 2))
    ends = {
        "true rays": [{"best_latent": truth, "true_latent": truth}, {"best_latent": other, "true_latent": truth}],
        "scrambled": [],
    }
    share = 100 * np.mean((world.image(truth) >= 0.5) != (world.image(other) >= 0.5))
    told = f"Wrong cells: at most 0.0 % at best, up to {share:.1f} % at worst"
    assert story.ends_title(ends, world) == told
    assert story.ends_title({"true rays": []}, world) == "Best and worst trials"


def test_the_paper_is_judged_by_every_trial_that_fits(story):
    text = story.early_stop()
    for units, label in ((story.units, NARROW), (story.wide, WIDE)):
        counts = np.sum([tables.early_stop(units, order) for order in tables.ORDERS], axis=0)
        many = f"all {counts[1]}" if counts[3] == counts[1] else f"{counts[3]} of {counts[1]}"
        assert f"{many} fits of {label}" in text and counts[3] > counts[1] / 2
    # One of the wide generator's trials is left; the paper's 51 of 400 would leave as few in one case of fourteen.
    assert (
        "leaves 1 of 32 for width 64; were trials independent, the chance of so few at the paper's rate is 7 %" in text
    )
    answer = story.answer()
    assert "8 of 40 inversions with scrambled rays" in answer and "64 of 80 with true rays" in answer
    assert "too few even for the smaller one (2 of 80)" in answer
    early = story.progress("adam", 1.01)[f"true rays, {NARROW}"][1000]
    assert early.high < 0.1, "1,000 updates are too few"


def test_the_early_stop_and_the_pooled_count(story):
    text = tables.early_stop_markdown(story.units)
    for order, rays in tables.ORDERS.items():
        hits, of = tables.pooled_count(story.units, order, 10_000)
        assert f"| {rays} | {of} | {hits} | {of} | {hits} |" in text
    assert tables.NO_TRIAL in tables.early_stop_markdown({})


def test_recipes_that_end_in_noise_are_counted():
    units = studies.shipped(prior.STUDY).units
    text = prior.scores_markdown(units)
    rows = {tuple(row.split(" | ")[:2]): row for row in text.replace("| ", "", 1).splitlines()[2:]}
    assert len(rows) == 8 and sum("| 0 of 2 |" in row for row in rows.values()) >= 5
    titles = [title for title, picture in prior.pictured(units, "published") if picture is not None]
    assert titles == [f"the paper's,\nwidth {width}" for width in (64, 32, 16)]
    assert prior.pictured({}, "released")[0][1] is None
