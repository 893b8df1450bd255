"""Numbers and messages of the chapter on traces, on runs whose answers are known, and on the shipped one."""

import dataclasses

import numpy as np
import pytest
import torch

from geolib import studies
from geolib.book import show
from geolib.gans import wgan
from geolib.runs.measure import Measure
from geolib.runs.store import Results
from geolib.studies.wgan_traces import again, appendix, captions, deviation, story, tables
from geolib.studies.wgan_traces.study import STUDY as study

RNG = np.random.default_rng(0)


def epoch(number, **changes):
    """An epoch of which every measure is its number, with scores as they should be."""
    arrays = dict.fromkeys(tables.QUALITY, np.full(3, float(number)))
    arrays |= {f"mean_{name}": np.array(float(number)) for name in tables.QUALITY}
    arrays |= {name: np.array([float(number)] * 4) for name in ("critic_loss", "generator_loss", "penalty")}
    arrays |= {"spectrum": np.full(250, 2.0)}
    arrays |= {"samples": RNG.standard_normal((16, 499)).astype(np.float32)}
    return arrays | changes


def data(**changes):
    floors = {f"floor_{name}": np.array([0.9, 1.1]) for name in tables.QUALITY}
    signs = {"event_polarity": np.array([1] * 55 + [-1] * 45), "event_time": np.zeros(100)}
    models = {"velocity": np.arange(4.0 * 240).reshape(240, 4), "thickness": np.arange(3.0 * 240).reshape(240, 3)}
    traces = {"traces": RNG.standard_normal((16, 499)).astype(np.float32)}
    floors |= {"spectrum": np.ones(250)}
    return {**floors, **signs, **models, **traces, "signed_mean": np.array(0.1), "scale": np.array(10.0), **changes}


def scores(real, fake, zero):
    one = {"score_validation": np.array(real), "score_generated": np.array(fake), "score_zero": np.array([zero])}
    return {name: value.astype(np.float32) for name, value in one.items()}


@pytest.fixture(scope="module")
def shipped():
    return studies.shipped(study)


def test_the_shipped_run_has_every_number_and_a_short_one_says_what_is_not_run(shipped):
    facts = story.facts(shipped.units)
    assert story.NOT_RUN not in facts.values()
    last = tables.epochs(shipped.units)[-1]
    # What the text takes for granted: coverage is best at the last epoch,
    # and generated traces and silence score below real ones.
    run, made = tables.epochs(shipped.units), tables.measures(shipped.units)
    assert tables.curve(run, "coverage").argmax() == len(run) - 1
    assert float(facts["gap"]) > 0 and float(facts["silence"]) > 0
    assert facts["gap"] == f"{last['score_validation'].mean() - last['score_generated'].mean():.2f}"
    assert facts["gap_interval"] == "0.55 to 0.64"
    # By the test of one score silence passes for real, and the mean generated one; by pairs silence loses to most.
    assert made["zero_among_real"].value == made["generated_among_real"].value == 1
    assert int(facts["silence_picked"]) >= int(facts["picked"]) > 50
    # The share of positive events rises past that of the data, while every measure gets better.
    assert float(facts["drift_first"]) < float(facts["positive_real"][:-2]) < float(facts["drift_last"][:-2])
    assert facts["drift_better"] == "5 of 5" and facts["drift_agree"] == "50, 60 and 70"
    short = story.facts({"data": data(), "epoch-0001": epoch(1)})
    assert short.keys() == facts.keys()
    assert short["gap"] == short["correlation"] == short["drift_from"] == story.NOT_RUN
    assert short["hiss"] == "2"
    assert short["epochs"] == "1" and short["positive_real"] == "55 %"


def test_every_number_in_a_sentence_is_made():
    import nbformat

    from geolib.runs import paths

    made, said = set(), set()
    for page in study.pages:
        cells = nbformat.read(paths.notebook(page), as_version=4).cells
        glued = {
            out.metadata["scrapbook"]["name"]
            for cell in cells
            for out in cell.get("outputs", ())
            if "scrapbook" in out.get("metadata", {})
        }
        text = "".join(cell.source for cell in cells if cell.cell_type == "markdown")
        named = {part.partition("`")[0] for part in text.split("{glue:text}`")[1:]}
        assert named and named <= glued, page
        made, said = made | glued, said | named
    assert made == said


def test_a_run_with_few_epochs_has_messages_too():
    run, one = [epoch(1, **scores([1.0], [0.0], 0.5))], data()
    assert story.losses_message(run) == "The losses of both networks"
    assert story.shown_epochs(run) == [1]
    assert story.evolution_message(run, one) == "After epoch 1 traces are 1.0 times the floor from real ones"
    assert story.polarity_message({}, Measure.count(1, 2)) == "No first events"


def test_the_losses_mirror_one_another_or_do_not():
    falling = [epoch(n, generator_loss=np.array([-float(n)])) for n in range(5)]
    assert story.losses_message(falling) == "From epoch 2 on the losses mirror one another (correlation −1.00)"
    assert "do not mirror one another (correlation 1.00)" in story.losses_message([epoch(n) for n in range(5)])
    # The first epoch does not count.
    falling[0]["critic_loss"] = np.array([-1e6])
    assert "correlation −1.00" in story.losses_message(falling)


def test_losses_that_mirror_one_another_early_and_not_late_are_told_so():
    sign = np.where(np.arange(60) < story.SETTLED - 1, -1.0, 1.0)
    run = [epoch(n, critic_loss=np.array([float(n)]), generator_loss=np.array([s * n])) for n, s in enumerate(sign)]
    assert story.losses_message(run) == f"The losses mirror one another at first, not from epoch {story.SETTLED} on"
    later = captions.settled(run)
    assert later["critic"].size == 60 - story.SETTLED + 1
    assert np.allclose(later["critic"], later["generator"]) and later["critic"].std() == pytest.approx(1)
    assert captions.settled(run[: story.SETTLED]) == {}
    assert "Right:" in captions.losses_caption(run) and "Right:" not in captions.losses_caption(run[:5])


def test_the_shipped_losses_do_not_mirror_one_another_when_they_have_come_to_rest():
    run = tables.epochs(studies.shipped(study).units)
    made = story.facts(studies.shipped(study).units)
    assert float(made["correlation"].replace("−", "-")) < -0.5 < 0 < float(made["correlation_late"])
    # It is of the epochs that the text names, and that the figure draws.
    late = [[arrays[f"{name}_loss"].mean() for arrays in run[39:]] for name in ("generator", "critic")]
    assert float(made["correlation_late"]) == pytest.approx(np.corrcoef(late)[0, 1], abs=0.005)
    assert story.SETTLED == 40 and captions.settled(run)["critic"].size == 61


def test_later_lobes_that_were_picked_are_counted():
    found = studies.shipped(study).units["data"]
    turned = captions.second_lobes(found)
    assert turned.shape == (1000,) and 0 < turned.mean() < 0.05
    (row,) = np.flatnonzero(turned[:6])
    # Its velocity falls at the first reflector, so that the reflection begins positive; the pick is negative.
    velocity, _ = story.unseen_models(found, 6)
    assert velocity[row, 1] < velocity[row, 0] and found["event_polarity"][row] == -1
    assert captions.data_caption(found, 6).endswith(f"is picked (here trace {row + 1} from the top).")
    assert captions.data_caption(found, 2).endswith("is picked.")


def test_measures_outside_the_range_of_real_traces_are_counted():
    run = [epoch(1, coverage=np.array([0.5]), swd=np.array([1.2]))]
    assert story.quality_message(run, data()).startswith("At epoch 1, 2 of 5 measures miss")


def test_scores_are_near_silence_or_near_real_traces():
    near, far = scores([0.0, 0.2], [-1.0, -1.2], -1.0), scores([0.0, 0.2], [0.0, 0.1], -1.0)
    assert story.scores_message(near) == "The critic scores generated traces like silence"
    assert story.scores_message(far) == "The critic scores generated traces like real traces"
    # A gap far beyond both is like neither, on whichever side it lies.
    for fake in (-4.0, -0.5, 3.0):
        told = story.scores_message(scores([0.0, 0.2], [fake], -1.0))
        assert told == "The critic scores generated traces neither like real traces nor like silence"
    assert story.gap_of_silence(near) == pytest.approx(1.2 / 1.1)
    assert story.picked_right(near) == 1.0
    assert story.picked_right(far) == pytest.approx(0.625)  # two of four pairs, and one tie that counts half
    assert story.picked_right(scores([0.0, 0.2, -2.0, 0.1], [0.0], -1.0), "zero") == pytest.approx(0.75)


def test_polarities_drift_and_agree_where_intervals_meet():
    real = Measure.count(550, 1000)
    shares = story.polarity_shares([epoch(1), epoch(2, event_polarity=np.array([1, 1, 1, -1, 0]))])
    assert shares == {2: Measure.count(3, 4)}
    assert story.polarity_message({7: Measure.count(747, 1000)}, real) == (
        "Of the first events 75 % are positive; in the data 55 %"
    )
    few = {1: Measure.count(1, 1000), 10: Measure.count(569, 1000), 100: Measure.count(747, 1000)}
    assert story.polarity_message(few, real) == ("First events: 0 to 75 % are positive; in the data 55 %")
    counts = {1: 1, 5: 600, 10: 200, 20: 300, 30: 560, 40: 800}
    shares = {number: Measure.count(count, 1000) for number, count in counts.items()}
    # The first epochs turn round; from the tenth on the share only rises.
    assert (
        story.steady(shares) == [10, 20, 30, 40] and story.steady({3: real, 4: real}) == [4] and story.steady({}) == []
    )
    rising = "From epoch 10 on the positive share rises to 80 %"
    assert story.polarity_message(shares, real) == f"{rising}, past 55 %"
    assert story.polarity_message(shares, Measure.count(9, 10)) == f"{rising}; in the data 90 %"
    turned = {-number: share for number, share in shares.items() if number > 5}
    assert "falls to 20 %, past 55 %" in story.polarity_message(turned, real)
    signs = [1] * 2 + [10] + [40] + [57] + [95]
    run = [epoch(n, event_polarity=np.array([1] * k + [-1] * (100 - k))) for n, k in enumerate(signs, 1)]
    run[5] |= {"swd": np.full(3, 0.0), "coverage": np.full(3, 4.0)}  # nearer than at epoch 5, and less covered
    facts = story._polarities(run, {"real_positive_share": real})
    assert (facts["drift_from"], facts["drift_first"], facts["drift_last"]) == ("2", "1", "95 %")
    assert (facts["drift_agree"], facts["drift_nearest"]) == ("5", "5")
    assert facts["drift_better"] == "2 of 5"  # the distance, and the density, which is the epoch's number
    assert facts["positive_first"] == "1 %" and facts["positive_off"] == "40"


def test_ranges_over_the_last_epochs_are_told_and_not_the_last_epoch_alone():
    falling = np.r_[np.full(46, 0.1), 0.09, np.full(4, 0.08), 0.06, np.tile([0.05, 0.07], 24)]
    run = [epoch(n, swd=np.array([x]), mmd2=np.array([x])) for n, x in enumerate(falling, 1)]
    found = story._late(run, data(floor_mmd2=np.array([-0.01, 0.01])))
    assert found["swd_47"] == "0.090" and found["swd_52"] == "0.060" and found["swd_from_52"] == "0.050 and 0.070"
    assert found["mmd2_late"] == "22 to 44 %" and found["mmd2"] == "7"


def test_orders_are_met_or_not():
    found = {f"{who}_{what}": Measure(1.0) for who in ("generated", "modelled") for what in ("depth", "contrast")}
    found["generated_depth_kept_back"] = Measure(100.0)
    assert story.ordered_message(found) == "Depth is met where there were examples, contrast as well"
    rough = found | {"generated_contrast": Measure(8.0)}
    assert story.ordered_message(rough) == "Depth is met where there were examples, contrast only roughly"
    assert story.ordered_message(rough | {"generated_depth": Measure(9.0)}) == "Neither depth nor contrast is met"
    drawn = {"generated": np.array([[1.0], [2.0], [9.0], [8.0], [7.0]]), "kept_back": np.array([0, 0, 0, 1, 1])}
    told = story.ordered_caption(drawn, (0, 7.5))
    assert "outside the panel lie 1 of 2 generated ones of these and 1 of 3 of the others" in told
    assert story.deeper(drawn, 7.5) == "50 %"


def test_a_collapsed_run_is_told_from_another():
    real = RNG.standard_normal((16, 499))
    narrow = [epoch(n, samples=real * size, mmd2=np.full(3, 4.0 + n)) for n, size in ((1, 0.05), (2, 0.02), (3, 0.5))]
    wide = [epoch(n, samples=real, mmd2=np.full(3, 2.0)) for n in range(1, 6)]
    runs = {0.2: wide, 0.02: narrow}
    assert deviation.narrowest(runs, real) == 2
    titles = deviation.titles(runs, real)
    assert titles == {0.2: "from 0.2: 0 of 3 epochs collapsed", 0.02: "from 0.02: 2 of 3 epochs collapsed"}
    facts = deviation.facts(runs, real)
    assert deviation.message(runs, real) == "From 0.02 the training collapses"
    assert deviation.message({0.2: wide}, real) == "No epoch collapses"
    assert facts["deviation_collapsed"] == "2"
    assert float(facts["deviation_spread_other"]) == pytest.approx(2, abs=0.2)  # of five traces, not of all
    assert set(deviation.facts({0.2: wide}, real)) == set(facts)
    found = [Results({"init_std": deviation}, {"epoch-0001": run[0]}) for deviation, run in runs.items()]
    assert list(deviation.by_deviation(found)) == [0.2, 0.02]


def test_the_unseen_earths_follow_those_trained_on():
    velocity, thickness = story.unseen_models(data(), 3)
    assert np.array_equal(velocity, data()["velocity"][40:43]) and len(thickness) == 3


def test_a_long_run_is_made_again_and_other_networks_are_not_it(shipped):
    networks = wgan.load_pretrained()
    config = study.Config.from_namespace(shipped.config)
    rows = again.again(config, shipped.units, networks)
    # Single precision on any processor; the earths are kept in it as well.
    assert min(show.digits(*pair) for pair in rows.values()) >= 3
    other = dataclasses.replace(networks, generator=wgan.make_generator(rng=torch.Generator().manual_seed(1)).eval())
    changed = again.again(config, shipped.units, other)
    assert show.digits(*changed["traces drawn from their latents"]) == 0


def test_a_reader_sees_what_both_runs_have():
    own, published = {"coverage": Measure(0.5), "other": Measure(1)}, {"coverage": Measure(0.7)}
    assert again.beside(own, published) == {"coverage": (0.5, 0.7)}


def test_the_tables_of_the_appendix(shipped):
    layers = appendix.layers()
    assert "| 8 | 16 × 249 | — |" in layers and layers.endswith("| output | 1 × 499 | 1 × 1 |")
    config = study.Config.from_namespace(shipped.config)
    assert "| Interval velocities (m/s), uniform | 1500 to 4500 | our choice |" in appendix.settings(config)
    run = tables.epochs(shipped.units)
    assert "| Stops with a patience of 3 | 15 |" in appendix.stopping(run)
    proofs = appendix.errata(shipped.units["data"]["traces"])
    assert "| 817 | 499 |" in proofs and "| 491 | 499 |" in proofs and "| 15 | 1 |" in proofs


def test_hiss_is_what_is_above_the_source():
    spectrum = np.ones(250)
    spectrum[:115] = 1000  # 57 Hz and less
    assert story.hiss(spectrum, np.full(250, 0.5)) == 2


def test_two_number_formats_are_far_apart_or_not():
    def run(first, second):
        return [epoch(1, critic_loss=np.array([first])), epoch(2, critic_loss=np.array([second]))]

    near = {"float32": run(70.0, 2.0), "bfloat16": run(71.0, 2.5)}
    assert appendix.arithmetic_change(near) == pytest.approx(1 / 68)
    assert appendix.arithmetic_change({"float32": run(70.0, 2.0), "bfloat16": run(170.0, 2.0)}) > 1
    assert "| 1 | critic loss | 70 | 71 | -68 |" in appendix.arithmetic(near)


def test_the_first_traces_are_told_by_their_scores():
    every = "Every modelled trace here scores above every generated one"
    assert story.shown_message(np.array([-1.6, -0.9]), np.array([-0.8, -0.1])) == every
    told = story.shown_message(np.array([-1.6, -0.9]), np.array([-1.0, -0.1]))
    assert told == "The modelled trace scores higher in 3 of the 4 pairs here"
