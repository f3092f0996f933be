"""Which pixels are given: every integer dtype, every spelling of a size, and clear errors."""

import numpy as np
import pytest
import torch
from reader_settings import SETTINGS

from pixelar_lib.known import known_pixels
from pixelar_lib.models import PixelModel

KNOWN = torch.tensor([[0, -1, 3], [-1, 2, 1]])


def model(num_bins=4, image_size=None):
    return PixelModel(num_bins, image_size=image_size)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.int64])
def test_known_may_be_any_integers(dtype):
    known = known_pixels(model(), 2, KNOWN.to(dtype))
    assert known.dtype == torch.long and known.is_contiguous()
    assert torch.equal(known, KNOWN.expand(2, -1, -1))


def test_bytes_leave_nothing_to_draw():
    tokens = KNOWN.clamp(min=0)
    known = known_pixels(model(), 1, tokens.to(torch.uint8))
    assert known.dtype == torch.long and torch.equal(known[0], tokens)
    with pytest.raises(ValueError, match=r"0 to 3, or -1 .* from 0 to 255"):
        known_pixels(model(), 1, KNOWN.to(torch.uint8))  # -1 became 255


@pytest.mark.parametrize(
    "known",
    [KNOWN.float(), KNOWN > 0, KNOWN.tolist(), KNOWN.numpy()],
    ids=["float", "bool", "list", "numpy"],
)
def test_what_is_no_integer_tensor_is_refused(known):
    with pytest.raises(TypeError, match="known must be an integer tensor"):
        known_pixels(model(), 1, known)


@pytest.mark.parametrize(
    ("own", "given", "size"),
    [
        (None, None, (28, 28)),
        ((4, 5), None, (4, 5)),
        (5, None, (5, 5)),
        (None, 5, (5, 5)),
        (None, np.int64(5), (5, 5)),
        (None, (np.int64(4), 5), (4, 5)),
        (None, [4, 5], (4, 5)),
        (None, torch.Size([4, 5]), (4, 5)),
    ],
)
def test_size_comes_from_the_argument_else_the_model_else_28(own, given, size):
    known = known_pixels(model(image_size=own), np.int64(2), image_size=given)
    assert known.shape == (2, *size) and known.dtype == torch.long
    assert known.unique().tolist() == [-1]


@pytest.mark.parametrize(
    "size",
    [True, False, 0, -5, 5.0, "5", (), (5,), (4, 5, 6), (4, True), (4, 0), (4, None), {4, 5}],
)
def test_what_is_no_size_is_refused(size):
    for known in (None, KNOWN):
        with pytest.raises(ValueError, match=r"image_size is .*; give an int or a pair \(H, W\)"):
            known_pixels(model(), 1, known, size)


def test_size_of_known_must_be_the_size_that_is_asked_for():
    assert known_pixels(model(), 1, KNOWN, [2, 3]).shape == (1, 2, 3)
    with pytest.raises(ValueError, match=r"image_size is \(5, 5\), but known is \(2, 3\)"):
        known_pixels(model(), 1, KNOWN, np.int64(5))


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)])
def test_number_of_images_is_checked(count, error):
    with pytest.raises(error, match="num_images"):
        known_pixels(model(), count, KNOWN)


@pytest.mark.parametrize("setting", SETTINGS)
def test_readers_settings_change_nothing(setting):
    network = model()
    with SETTINGS[setting]():
        known, free = known_pixels(network, 2, KNOWN), known_pixels(network, 2, image_size=3)
    for result, expected in ((known, KNOWN.expand(2, -1, -1)), (free, torch.full((2, 3, 3), -1))):
        assert result.dtype == torch.long and torch.equal(result, expected)
