"""Intensities to tokens and back, for every K and every level."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reader_settings import SETTINGS

from pixelar_lib.data import load_mnist
from pixelar_lib.quantization import (
    binarize,
    check_count,
    check_num_bins,
    check_tokens,
    dequantize,
    quantize,
    shade_nll,
)

LEVELS = torch.arange(256)
ALL_BINS = range(2, 257)
FLOATS = [torch.float16, torch.float32, torch.float64]

bins = st.integers(2, 256)
intensities = st.floats(0, 1)


def test_token_of_every_level_is_its_bin_for_every_k():
    for num_bins in ALL_BINS:
        expected = [level * num_bins // 256 for level in range(256)]
        tokens = quantize(LEVELS.to(torch.uint8), num_bins)
        assert tokens.dtype == torch.long and tokens.tolist() == expected


@pytest.mark.parametrize("dtype", FLOATS)
def test_float_images_give_the_tokens_of_their_levels_for_every_k(dtype):
    images = (LEVELS.double() / 255).to(dtype)
    for num_bins in ALL_BINS:
        assert torch.equal(quantize(images, num_bins), quantize(LEVELS.byte(), num_bins))


def test_grey_of_a_token_is_at_most_half_a_bin_from_every_level():
    for num_bins in ALL_BINS:
        tokens = quantize(LEVELS.byte(), num_bins)
        assert int((2 * LEVELS * num_bins - 256 * (2 * tokens + 1)).abs().max()) <= 256


def test_every_token_occurs_and_white_is_the_last():
    for num_bins in ALL_BINS:
        tokens = quantize(LEVELS.byte(), num_bins)
        assert tokens.unique().tolist() == [*range(num_bins)]
        assert tokens[0] == 0 and tokens[-1] == num_bins - 1


def test_dequantized_token_is_the_middle_of_its_bin():
    assert dequantize(torch.arange(4), 4).tolist() == [0.125, 0.375, 0.625, 0.875]


def test_quantizing_the_grey_again_returns_the_token_up_to_96_bins():
    for num_bins in range(2, 97):
        tokens = torch.arange(num_bins)
        grey = dequantize(tokens, num_bins)
        assert grey.dtype == torch.float32
        assert torch.equal(quantize(grey, num_bins), tokens)


def test_the_promise_ends_at_96_bins():
    tokens = torch.arange(97)
    assert not torch.equal(quantize(dequantize(tokens, 97), 97), tokens)


def test_the_posts_formula_sends_white_to_the_start_token_from_33_bins_on():
    white = torch.tensor(1.0)
    trapped = [k for k in ALL_BINS if int(torch.floor(white * (k - 1e-6))) == k]
    assert trapped == [*range(33, 257)]
    assert all(int(quantize(white, k)) == k - 1 for k in ALL_BINS)


@given(intensities, intensities, bins)
def test_brighter_pixels_have_no_smaller_token(one, other, num_bins):
    darker, brighter = quantize(torch.tensor(sorted([one, other])), num_bins).tolist()
    assert 0 <= darker <= brighter < num_bins


@given(intensities, bins)
def test_grey_is_near_the_intensity_it_came_from(intensity, num_bins):
    grey = float(dequantize(quantize(torch.tensor(intensity), num_bins), num_bins))
    # half a bin, half a level for rounding, and levels are v / 255 while bins divide 256
    assert abs(grey - intensity) <= 1 / (2 * num_bins) + 1 / 510 + 1 / 256 + 1e-6


@given(st.lists(st.integers(0, 255), max_size=12), bins, st.sampled_from(FLOATS))
def test_shape_is_kept_and_dtype_does_not_matter(levels, num_bins, dtype):
    images = torch.tensor(levels, dtype=torch.uint8).view(1, -1, 1)
    tokens = quantize(images, num_bins)
    assert tokens.shape == images.shape
    assert torch.equal(quantize((images.double() / 255).to(dtype), num_bins), tokens)


def test_input_is_left_as_it_was():
    images = torch.tensor([0.0, 0.4, 1.0])
    quantize(images, 16)
    assert torch.equal(images, torch.tensor([0.0, 0.4, 1.0]))


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (torch.tensor([0.0, math.nan]), ValueError, "some value is NaN"),
        (torch.tensor([0.0, 1.0000001]), ValueError, r"largest 1\.0000001\d*\)"),
        (torch.tensor([1 + 1e-12], dtype=torch.double), ValueError, r"largest 1\.000000000001"),
        (torch.tensor([0.0, 255.0]), ValueError, "largest 255.*Divide 8-bit levels by 255"),
        (torch.tensor([-0.1, 1.0]), ValueError, "smallest -0.1"),
        (torch.tensor([math.inf]), ValueError, "largest inf"),
        (torch.tensor([1, 2]), TypeError, "torch.int64; give uint8 levels .* or float16"),
        (torch.tensor([True]), TypeError, "torch.bool"),
        (torch.tensor([0.5], dtype=torch.bfloat16), TypeError, "torch.bfloat16"),
        ([0.5], TypeError, "must be a torch.Tensor, not list"),
        (np.zeros(2, np.uint8), TypeError, "must be a torch.Tensor, not ndarray"),
    ],
)
def test_bad_images_are_refused(images, error, message):
    with pytest.raises(error, match=message):
        quantize(images, 16)


@pytest.mark.parametrize(
    ("num_bins", "error", "message"),
    [
        (1, ValueError, "num_bins is 1; it must be"),
        (16.0, TypeError, "must be an int, not float"),
        (True, TypeError, "must be an int, not bool"),
        (None, TypeError, "must be an int, not NoneType"),
    ],
)
def test_bad_numbers_of_bins_are_refused(num_bins, error, message):
    for use in (quantize, dequantize, check_tokens):
        with pytest.raises(error, match=message):
            use(torch.zeros(2, dtype=torch.uint8), num_bins)


@pytest.mark.parametrize("num_bins", [257, 512, np.int64(512)])
def test_more_than_256_bins_are_for_codes_not_for_levels(num_bins):
    codes = torch.tensor([0, num_bins - 1])
    check_tokens(codes, num_bins)
    check_tokens(torch.tensor([0, 255], dtype=torch.uint8), num_bins)
    with pytest.raises(ValueError, match=f"from 0 to {num_bins - 1}; with {num_bins - 1} bins"):
        check_tokens(codes, num_bins - 1)
    for use in (quantize, dequantize):
        with pytest.raises(ValueError, match=f"num_bins is {num_bins}; it must be 2 to 256"):
            use(torch.zeros(2, dtype=torch.uint8), num_bins)


# Counts


@pytest.mark.parametrize("kind", [int, np.int64, np.uint8, np.array, torch.tensor])
def test_any_integer_is_a_count_and_comes_back_as_an_int(kind):
    assert check_count("x", kind(16)) == check_num_bins(kind(16)) == 16
    assert type(check_count("x", kind(16))) is type(check_num_bins(kind(16))) is int
    assert torch.equal(quantize(LEVELS.byte(), kind(16)), quantize(LEVELS.byte(), 16))
    assert torch.equal(dequantize(torch.arange(16), kind(16)), dequantize(torch.arange(16), 16))


@pytest.mark.parametrize(
    "value", [True, np.True_, torch.tensor(True), 16.0, np.float32(16), "16", None, [16]]
)
def test_what_is_no_integer_is_no_count(value):
    with pytest.raises(TypeError, match=f"x must be an int, not {type(value).__name__}"):
        check_count("x", value)


@pytest.mark.parametrize(
    ("value", "least", "most", "allowed"), [(0, 1, None, "at least 1"), (9, -1, 8, "-1 to 8")]
)
def test_count_out_of_range_is_refused(value, least, most, allowed):
    with pytest.raises(ValueError, match=f"x is {value}; it must be {allowed}"):
        check_count("x", np.int64(value), least, most)


@pytest.mark.parametrize(
    ("tokens", "error", "message"),
    [
        (torch.tensor([0, 4]), ValueError, "from 0 to 4; with 4 bins they must be 0 to 3"),
        (torch.tensor([-1, 0]), ValueError, "range from -1 to 0"),
        (torch.tensor([0.5]), TypeError, r"dtype torch.float32, .*quantize\(images, num_bins\)"),
        (torch.tensor([True]), TypeError, "dtype torch.bool"),
        (torch.tensor([1j]), TypeError, "dtype torch.complex64"),
        (torch.tensor([1], dtype=torch.uint16), TypeError, "dtype torch.uint16"),
        ([0, 1], TypeError, "must be a torch.Tensor, not list"),
    ],
)
def test_bad_tokens_are_refused(tokens, error, message):
    with pytest.raises(error, match=message):
        dequantize(tokens, 4)


def test_advice_fits_what_is_wrong():
    for values, divide in (([0, 255], True), ([0, 256], False), ([-1, 1], False)):
        with pytest.raises(ValueError, match=r"\. (Divide|Rescale)") as caught:
            quantize(torch.tensor(values).float(), 16)
        assert ("Divide 8-bit levels by 255" in str(caught.value)) == divide
    with pytest.raises(ValueError, match="NaN") as caught:
        quantize(torch.tensor([math.nan, 200]), 16)
    assert "255" not in str(caught.value)


def test_empty_tensors_pass():
    assert quantize(torch.zeros(0, 3), 16).shape == (0, 3)
    assert dequantize(torch.zeros(0, 3, dtype=torch.long), 16).shape == (0, 3)


# Binarisation by chance


def test_binarize_draws_white_as_often_as_the_pixel_is_bright():
    generator = torch.Generator().manual_seed(0)
    drawn = binarize(LEVELS.to(torch.uint8).expand(10_000, 256), generator)
    assert drawn.dtype == torch.long and drawn.unique().tolist() == [0, 1]
    share = drawn.double().mean(dim=0)
    assert float((share - LEVELS / 255).abs().max()) < 0.02  # four standard errors
    assert share[0] == 0 and share[255] == 1


def test_binarize_draws_anew_from_the_generator_and_from_nothing_else():
    grey = torch.full((2, 28, 28), 0.5)
    generators = [torch.Generator().manual_seed(3) for _ in range(2)]
    one, other = (binarize(grey, generator) for generator in generators)
    assert torch.equal(one, other)
    assert not torch.equal(one, binarize(grey, generators[0]))


def test_binarize_refuses_what_quantize_refuses():
    with pytest.raises(ValueError, match="float images must lie in 0 to 1"):
        binarize(torch.tensor([1.5]), torch.Generator())


# The shade inside a bin

EACH_LEVEL = torch.arange(256, dtype=torch.uint8)


@pytest.mark.parametrize("num_bins", [2, 3, 16, 100, 256])
@pytest.mark.parametrize("counted", [False, True])
def test_shades_of_a_bin_have_probabilities_that_sum_to_one(num_bins, counted):
    counts = torch.arange(256) ** 2 if counted else None
    probabilities = (-shade_nll(EACH_LEVEL, num_bins, counts).double()).exp()
    sums = (
        torch.zeros(num_bins).double().index_add_(0, quantize(EACH_LEVEL, num_bins), probabilities)
    )
    torch.testing.assert_close(sums, torch.ones(num_bins).double(), rtol=1e-5, atol=0)


def test_shade_of_known_cases():
    images = torch.tensor([[[0, 200]]], dtype=torch.uint8)
    assert shade_nll(images, 256).abs().max() == 0  # a bin for each level
    with pytest.raises(TypeError, match=r"must be a torch.Tensor, not list"):
        shade_nll([0.5], 16)
    torch.testing.assert_close(shade_nll(images, 16), torch.full((1, 1, 2), math.log(16)))
    torch.testing.assert_close(shade_nll(images / 255, 2), torch.full((1, 1, 2), math.log(128)))
    counts = torch.zeros(256, dtype=torch.long)
    counts[0] = 83  # of 99 in its bin of 16, each counted once more
    expected = torch.tensor([math.log(99 / 84), math.log(16)]).view(1, 1, 2)
    torch.testing.assert_close(shade_nll(images, 16, counts), expected)


def test_counted_shades_cost_less_on_real_digits():
    train, test = load_mnist("train").images, load_mnist("test").images
    counts = torch.bincount(train.flatten(), minlength=256)
    bits = float(shade_nll(test, 16, counts).mean()) / math.log(2)
    assert 0.70 < bits < 0.76  # 0.729 on the full set


@pytest.mark.parametrize(
    ("counts", "error"),
    [
        (torch.ones(256), TypeError),
        ([1] * 256, TypeError),
        (torch.ones(255, dtype=torch.long), ValueError),
        (-torch.ones(256, dtype=torch.long), ValueError),
    ],
)
def test_counts_that_are_none_are_refused(counts, error):
    with pytest.raises(error, match="counts must be"):
        shade_nll(EACH_LEVEL, 16, counts)


# The reader's settings


@pytest.mark.parametrize("setting", SETTINGS)
def test_readers_settings_change_no_token(setting):
    def use():
        drawn = binarize(images, torch.Generator(device="cpu").manual_seed(1))
        return quantize(images, 16), dequantize(tokens, 16), drawn, shade_nll(images, 16)

    images, tokens = torch.linspace(0, 1, 1000), torch.arange(16)
    expected = use()
    with SETTINGS[setting]():
        results = use()
    for result, before in zip(results, expected, strict=True):
        assert result.dtype == before.dtype and torch.equal(result, before)
