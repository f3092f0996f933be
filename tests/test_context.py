"""Which earlier pixels a prediction may see, against a slow reference."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reader_settings import SETTINGS

from pixelar_lib.context import neighbourhood, positions, raster, targets, windows

START = 99

contexts = st.one_of(
    st.integers(1, 14).map(raster),
    st.integers(1, 4).map(neighbourhood),
)
sizes = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6))


def slow_window(image, context, row, column):
    """Return the window of one pixel as a list, written out pixel by pixel."""
    height, width = len(image), len(image[0])
    window = []
    if hasattr(context, "radius"):
        for up in range(context.radius, -1, -1):
            for aside in range(-context.radius, context.radius + 1):
                if up == 0 and aside >= 0:
                    break
                y, x = row - up, column + aside
                window.append(image[y][x] if y >= 0 and 0 <= x < width else START)
    else:
        reading_order = [image[y][x] for y in range(height) for x in range(width)]
        before = reading_order[: row * width + column]
        padded = [START] * context.length + before
        window = padded[len(padded) - context.length :]
    return window


@given(sizes, contexts, st.integers(0, 1000))
def test_windows_equal_the_slow_reference(size, context, seed):
    tokens = torch.randint(16, size, generator=torch.Generator().manual_seed(seed))
    expected = [
        [slow_window(image, context, y, x) for y in range(size[1]) for x in range(size[2])]
        for image in tokens.tolist()
    ]
    assert windows(tokens, context, START).tolist() == expected


@given(sizes, contexts, st.data())
def test_chosen_windows_and_targets_are_those_of_their_pixels(size, context, data):
    num_images, num_pixels = size[0], size[1] * size[2]
    count = data.draw(st.integers(0, 5))
    pixel = st.integers(0, num_pixels - 1)
    rows = st.lists(pixel, min_size=count, max_size=count)
    chosen = data.draw(st.lists(rows, min_size=num_images, max_size=num_images))
    pixels = torch.tensor(chosen, dtype=torch.long).view(num_images, count)
    tokens = torch.arange(num_images * num_pixels).view(size)
    every = windows(tokens, context, START)
    some, some_targets = windows(tokens, context, START, pixels), targets(tokens, pixels)
    assert some.shape == (num_images, count, context.length)
    for image in range(num_images):
        assert torch.equal(some[image], every[image, pixels[image]])
        assert torch.equal(some_targets[image], tokens[image].flatten()[pixels[image]])
    assert torch.equal(targets(tokens), tokens.flatten(1))


@given(sizes, contexts)
def test_windows_hold_earlier_pixels_only(size, context):
    _, height, width = size
    table = positions(context, height, width)
    assert table.shape == (height * width, context.length)
    assert bool((table < torch.arange(height * width)[:, None]).all())
    assert bool((table >= -1).all())


# 28 x 28, pixel (5, 0): its flat index is 140


def test_raster_window_of_pixel_5_0_wraps_over_the_row_above():
    assert positions(raster(10), 28, 28)[140].tolist() == [*range(130, 140)]


def test_neighbourhood_of_pixel_5_0_has_start_tokens_at_the_left():
    assert positions(neighbourhood(1), 28, 28)[140].tolist() == [-1, 112, 113, -1]
    assert positions(neighbourhood(3), 28, 28)[140].tolist() == [
        *[-1, -1, -1, 56, 57, 58, 59],
        *[-1, -1, -1, 84, 85, 86, 87],
        *[-1, -1, -1, 112, 113, 114, 115],
        *[-1, -1, -1],
    ]


def test_ten_raster_pixels_never_see_the_pixel_above_and_28_do():
    pixels = torch.arange(28, 784)[:, None]
    assert not (positions(raster(10), 28, 28)[28:] == pixels - 28).any()
    assert (positions(raster(28), 28, 28)[28:] == pixels - 28).any(dim=1).all()


def test_first_pixel_sees_start_tokens_alone():
    tokens = torch.zeros(1, 3, 3, dtype=torch.long)
    for context in (raster(5), neighbourhood(2)):
        assert windows(tokens, context, START)[0, 0].tolist() == [START] * context.length


@pytest.mark.parametrize("radius", [1, 2, 3, 6])
def test_lengths(radius):
    square = (2 * radius + 1) ** 2
    assert neighbourhood(radius).length == (square - 1) // 2 == 2 * radius * (radius + 1)
    assert raster(radius).length == radius


def test_windows_do_not_change_the_images_or_the_kept_table():
    tokens = torch.zeros(2, 3, 3, dtype=torch.uint8)
    before = positions(raster(4), 3, 3).clone()
    windows(tokens, raster(4), START).fill_(7)
    assert int(tokens.sum()) == 0
    assert torch.equal(positions(raster(4), 3, 3), before)


def test_windows_of_bytes_are_long():
    tokens = torch.full((1, 2, 2), 255, dtype=torch.uint8)
    gathered = windows(tokens, raster(1), 256)
    assert gathered.dtype == torch.long
    assert gathered.flatten().tolist() == [256, 255, 255, 255]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_pixels_may_be_any_integers(dtype):
    tokens, pixels = torch.arange(18).view(2, 3, 3), torch.tensor([[4, 8], [0, 1]])
    for use in (
        lambda pixels: windows(tokens, raster(2), START, pixels),
        lambda pixels: targets(tokens, pixels),
    ):
        assert torch.equal(use(pixels.to(dtype)), use(pixels))


def test_integers_of_numpy_make_the_same_contexts():
    assert raster(np.int64(3)) == raster(3) and type(raster(np.int64(3)).length) is int
    assert neighbourhood(np.int64(3)) == neighbourhood(3)
    tokens = torch.zeros(1, 2, 2, dtype=torch.long)
    assert windows(tokens, raster(1), np.int64(9))[0, 0].tolist() == [9]


@pytest.mark.parametrize("context", [raster(3), neighbourhood(2)], ids=str)
@pytest.mark.parametrize("setting", SETTINGS)
def test_readers_settings_change_no_window_and_are_not_remembered(setting, context):
    tokens = torch.arange(2 * 5 * 7).view(2, 5, 7)
    expected = windows(tokens, context, START), targets(tokens), context.positions(5, 7)
    positions.cache_clear()
    with SETTINGS[setting]():
        inside = windows(tokens, context, START), targets(tokens), context.positions(5, 7)
    for before, result in zip(expected, inside, strict=True):
        assert result.device.type == "cpu" and result.tolist() == before.tolist()
    assert torch.equal(windows(tokens, context, START), expected[0])
    table = positions(context, 5, 7)
    vectors = torch.zeros(36, requires_grad=True)
    vectors[table].sum().backward()  # autograd keeps no table that was made in inference mode


def test_no_image_gives_no_window():
    tokens = torch.zeros(0, 3, 3, dtype=torch.long)
    assert windows(tokens, raster(4), START).shape == (0, 9, 4)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0, ValueError, "is 0; it must be at least 1"),
        (-2, ValueError, "is -2"),
        (1.0, TypeError, "must be an int, not float"),
        (True, TypeError, "must be an int, not bool"),
    ],
)
def test_size_of_a_context_is_checked(value, error, message):
    with pytest.raises(error, match=f"k {message}"):
        raster(value)
    with pytest.raises(error, match=f"radius {message}"):
        neighbourhood(value)


@pytest.mark.parametrize(
    ("start", "error"), [(1.5, TypeError), (True, TypeError), (None, TypeError), (-1, ValueError)]
)
def test_start_token_is_checked(start, error):
    with pytest.raises(error, match="start_token"):
        windows(torch.zeros(2, 3, 3, dtype=torch.long), raster(2), start)


@pytest.mark.parametrize("context", [10, None, [1, 2]])
def test_what_is_no_context_is_refused(context):
    with pytest.raises(TypeError, match=r"context is .*; make one with raster or neighbourhood"):
        windows(torch.zeros(2, 3, 3, dtype=torch.long), context, START)


@pytest.mark.parametrize(
    ("tokens", "error", "message"),
    [
        (torch.zeros(2, 3, 3), TypeError, "torch.float32, which is none of the integers"),
        (torch.zeros(2, 3, 3, dtype=torch.bool), TypeError, "torch.bool"),
        ([[[0]]], TypeError, "not list"),
        (torch.zeros(3, 3, dtype=torch.long), ValueError, r"\(N, H, W\), not \(3, 3\)"),
    ],
)
def test_bad_tokens_are_refused(tokens, error, message):
    with pytest.raises(error, match=message):
        windows(tokens, raster(2), START)
    with pytest.raises(error, match=message):
        targets(tokens)


@pytest.mark.parametrize(
    ("pixels", "error", "message"),
    [
        (torch.zeros(2, 1), TypeError, r"integer tensor of flat indices, row \* width \+ column"),
        (torch.ones(2, 1, dtype=torch.bool), TypeError, "integer tensor of flat indices"),
        ([[0], [0]], TypeError, "integer tensor of flat indices"),
        (torch.zeros(3, 1, dtype=torch.long), ValueError, r"\(2, M\).* 2 images, not \(3, 1\)"),
        (torch.zeros(2, dtype=torch.long), ValueError, r"not \(2,\)"),
        (torch.tensor([[0], [9]]), ValueError, "from 0 to 8"),
        (torch.tensor([[0], [-1]]), ValueError, "from 0 to 8"),
    ],
)
def test_bad_pixels_are_refused(pixels, error, message):
    tokens = torch.zeros(2, 3, 3, dtype=torch.long)
    with pytest.raises(error, match=message):
        windows(tokens, raster(2), START, pixels)
    with pytest.raises(error, match=message):
        targets(tokens, pixels)
