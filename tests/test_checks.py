import math
import re

import numpy as np
import pytest
import torch

from geolib import _checks


@pytest.mark.parametrize(("value", "expected"), [(3, 3), ("1e3", 1000), (1e3, 1000), (np.int64(7), 7)])
def test_integer_accepts_whole_numbers_in_any_dress(value, expected):
    result = _checks.integer("n", value)
    assert result == expected
    assert type(result) is int


@pytest.mark.parametrize(("value", "expected"), [("1e-3", 1e-3), (2, 2.0), (np.float32(0.5), 0.5)])
def test_number_accepts_numeric_strings(value, expected):
    assert _checks.number("x", value) == expected


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: _checks.integer("n", 1.5), ValueError, "n must be a whole number; got 1.5. Take 2."),
        (lambda: _checks.integer("n", True), TypeError, "n must be a number; got True (bool). Give a whole number."),
        (lambda: _checks.integer("n", 0, low=1), ValueError, "n must be at least 1; got 0. Take 1 or more."),
        (lambda: _checks.number("lr", "abc"), TypeError, "lr must be a number; got 'abc'. Give digits, such as 1e-3."),
        (
            lambda: _checks.number("lr", float("nan")),
            ValueError,
            "lr must be finite; got nan. Give an ordinary number.",
        ),
        (
            lambda: _checks.number("dt", 9, low=0, high=1, unit="s"),
            ValueError,
            "dt must be between 0 and 1 s; got 9. Choose a value in that range.",
        ),
        (lambda: _checks.number("x", 3, high=2), ValueError, "x must be at most 2; got 3. Take 2 or less."),
        (lambda: _checks.flag("on", 1), TypeError, "on must be true or false; got 1. Give one of the two words."),
        (
            lambda: _checks.choice("study", "rnn_fwy", ["rnn_fwi", "gan_101"]),
            ValueError,
            "study must be one of rnn_fwi, gan_101; got 'rnn_fwy'. Did you mean 'rnn_fwi'?",
        ),
        (
            lambda: _checks.choice("study", 3, ["a"]),
            TypeError,
            "study must be one of a; got 3. Give a word.",
        ),
        (
            lambda: _checks.shape("z", np.zeros((2, 3)), (None, 4)),
            ValueError,
            "z must have shape (any, 4); got (2, 3). Reshape it.",
        ),
        (
            lambda: _checks.finite("v", torch.tensor([1.0, float("inf"), float("nan")])),
            ValueError,
            "v must be finite; got 2 NaN or infinite entries. Remove the NaN or infinite entries.",
        ),
    ],
)
def test_refusals_are_one_line_with_argument_rule_value_and_remedy(call, kind, message):
    with pytest.raises(kind, match=re.escape(message) + "$"):
        call()


def test_finite_accepts_arrays_and_tensors():
    _checks.finite("a", np.ones(3))
    _checks.finite("a", torch.ones(3))


def test_large_numbers_keep_their_digits():
    assert _checks.integer("n", 2**53 + 1) == 2**53 + 1
    with pytest.raises(ValueError, match=re.escape("x must be finite; got 1000000000000000000")):
        _checks.number("x", 10**400)
    with pytest.raises(ValueError, match="x must be at most 1000001; got 1000002"):
        _checks.number("x", 1000002, high=1000001)


def test_a_seed_is_no_generator_of_random_numbers():
    """Every public function that draws says which generator it wants, and how it is made."""
    from geolib.datasets import channels, patches, velocity
    from geolib.gans import wgan
    from geolib.inversion import crosshole, descent, dream
    from geolib.metrics import facies, samples, traces

    image, sets = np.zeros((60, 60), dtype=np.float32), np.random.default_rng(0).random((9, 4))
    torch_wanted = [
        lambda rng: wgan.sample(torch.nn.Identity(), 5, rng),
        lambda rng: wgan.Pretrained(torch.nn.Identity(), torch.nn.Identity(), 1.0, -1.0, 1).sample(5, rng),
        lambda rng: wgan.draw_latents(5, rng),
        lambda rng: patches.patches(torch.zeros(60, 60), 2, 4, spacing=1.0, rng=rng),
    ]
    numpy_wanted = [
        lambda rng: samples.sliced_wasserstein(sets, sets, rng),
        lambda rng: traces.compare(sets, sets, sets, 1.0, rng),
        lambda rng: facies.block_means(image, (5, 5), 2, rng),
        lambda rng: channels.patches(image, (5, 5), 2, rng),
        lambda rng: channels.procedural_channels((60, 60), rng),
        lambda rng: velocity.marmousi_like(rng),
        lambda rng: crosshole.noisy(np.zeros(3), 1.0, rng),
        lambda rng: dream.sample(lambda states: np.zeros(len(states)), 2, 10, rng),
        lambda rng: descent.largest_eigenvalue(lambda m: m, np.ones(2), rng=rng, step=1.0),
    ]
    for calls, wanted, way in (
        (torch_wanted, r"torch\.Generator", r"torch\.Generator\(\)\.manual_seed\(seed\)"),
        (numpy_wanted, r"numpy\.random\.Generator", r"numpy\.random\.default_rng\(seed\)"),
    ):
        for call in calls:
            for wrong in (1, None):
                with pytest.raises(TypeError, match=rf"^(rng|generator) must be a {wanted}; got .*\. Use {way}\.$"):
                    call(wrong)


def test_numbers_of_a_file_are_decimal(tmp_path):
    """By YAML 1.1, which its reader follows, 010 would be eight, 1:30 ninety, and 1e3 a word."""
    text = "a: 010\nb: 1:30\nc: 0x10\nd: 1e3\ne: 1_000\nf: -2\ng: +.5\nh: 0\ni: .inf\nj: 1.\nk: '5'\nl: 1-2\n"
    (tmp_path / "f.yml").write_text(text)
    found = _checks.plain_yaml("file", tmp_path / "f.yml")
    assert list(found.values()) == [10, "1:30", "0x10", 1000.0, "1_000", -2, 0.5, 0, math.inf, 1.0, "5", "1-2"]
    assert [type(found[name]) for name in "fghj"] == [int, float, int, float]


def test_of_very_many_choices_some_are_named():
    many = [f"unit-{n}" for n in range(500)]
    with pytest.raises(
        ValueError, match=r"^unit must be one of unit-0, .*unit-4, … \(500 in all\); got 'x'\. Choose"
    ) as told:
        _checks.choice("unit", "x", many)
    assert len(str(told.value)) < 250
