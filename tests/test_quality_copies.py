"""Copies: the nearest image against a slow loop over all pairs, and the test for copying."""

import pytest
import torch
import torch.nn.functional as F

from pixelar_lib.data import load_mnist
from pixelar_lib.quality import copies, copying_z, nearest


def levels(count, seed, high=256, height=5, width=4):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, high, (count, height, width), generator=generator, dtype=torch.uint8)


def squared_distance(image, other, shift):
    """Return the least squared distance of two images on a page that nothing is pushed out of."""
    height, width = image.shape
    fixed = F.pad(other.long(), (shift,) * 4)
    best = None
    for down in range(2 * shift + 1):
        for right in range(2 * shift + 1):
            page = torch.zeros_like(fixed)
            page[down : down + height, right : right + width] = image.long()
            found = int((page - fixed).square().sum())
            best = found if best is None else min(best, found)
    return best


@pytest.mark.parametrize("shift", [0, 1, 6])
@pytest.mark.parametrize("high", [2, 3, 256])  # few levels: many ties
def test_like_a_slow_loop(monkeypatch, shift, high):
    monkeypatch.setattr(copies, "IMAGES_PER_CHUNK", 4)
    monkeypatch.setattr(copies, "AMONG_PER_CHUNK", 7)
    images, among = levels(9, 0, high), levels(23, 1, high)
    found = nearest(images, among, shift)
    for image, index, distance in zip(images, found.index, found.distance, strict=True):
        all_squared = [squared_distance(image, other, shift) for other in among]
        assert int(index) == all_squared.index(min(all_squared))  # the first of several
        assert float(distance) == pytest.approx((min(all_squared) / 20) ** 0.5 / 255, abs=1e-15)


def test_on_digits_it_finds_a_copy_a_shifted_copy_and_one_among_thousands():
    among = load_mnist("train").images
    copy, moved = among[7000], torch.zeros(28, 28, dtype=torch.uint8)
    moved[1:, :-1] = among[5][:-1, 1:]  # a pixel down and to the left; only paper is lost
    assert int(moved.sum()) == int(among[5].sum())
    found = nearest(torch.stack([copy, moved]), among)
    assert found.index.tolist() == [7000, 5]
    assert found.distance.tolist() == [0, 0]
    assert float(nearest(moved[None], among, shift=0).distance) > 0.1


def test_what_leaves_the_picture_still_counts():
    image = torch.zeros(1, 3, 3, dtype=torch.uint8)
    image[0, :, 0] = 255  # pushed out to the left, it would be blank
    found = nearest(image, torch.zeros(1, 3, 3, dtype=torch.uint8))
    assert float(found.distance) == pytest.approx((3 / 9) ** 0.5)


def test_distance_in_greys_from_black_to_white():
    black, white = torch.zeros(1, 4, 4), torch.ones(1, 4, 4)
    assert nearest(black, white, shift=0).distance.tolist() == [1]


def test_floats_are_the_levels_that_they_mean():
    images, among = levels(3, 2), levels(8, 3)
    expected = nearest(images, among)
    for kind in (torch.float32, torch.float64):
        found = nearest(images.to(kind) / 255, among)
        assert torch.equal(found.index, expected.index)
        assert torch.equal(found.distance, expected.distance)


def test_no_images_have_no_nearest():
    found = nearest(levels(0, 0), levels(2, 1))
    assert found.index.tolist() == [] and found.index.dtype == torch.long
    assert found.distance.tolist() == [] and found.distance.dtype == torch.float64


@pytest.mark.parametrize(
    ("images", "among", "shift", "error", "words"),
    [
        (levels(2, 0)[0], levels(2, 0), 1, ValueError, r"images must have shape \(N, H, W\)"),
        (levels(2, 0), levels(2, 0)[None], 1, ValueError, "among must have shape"),
        (levels(2, 0), levels(2, 0, width=5), 1, ValueError, "5 x 4 .* 5 x 5"),
        (levels(2, 0), levels(0, 0), 1, ValueError, "among has length 0"),
        (levels(2, 0), levels(2, 0), -1, ValueError, "shift is -1"),
        (levels(2, 0), levels(2, 0), 0.5, TypeError, "shift must be an int"),
        (levels(2, 0).long(), levels(2, 0), 1, TypeError, "give uint8 levels"),
        (levels(2, 0).float(), levels(2, 0), 1, ValueError, "Divide 8-bit levels by 255"),
        (levels(2, 0).tolist(), levels(2, 0), 1, TypeError, "must be a torch.Tensor"),
    ],
)
def test_errors(images, among, shift, error, words):
    with pytest.raises(error, match=words):
        nearest(images, among, shift)


# Copying: are they nearer to the training images than other real images are?


def distances(count, seed=0):
    return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_same_distances_twice_say_nothing():
    some = distances(50)
    assert copying_z(some, some) == pytest.approx(0)
    assert copying_z(torch.zeros(30), torch.zeros(20)) == 0  # all tied


def test_like_a_count_over_all_pairs_with_ties():
    drawn, held_out = (10 * distances(40)).floor(), (12 * distances(30, seed=1)).floor()
    pairs = (drawn[:, None] > held_out).double() + 0.5 * (drawn[:, None] == held_out)
    both = torch.cat([drawn, held_out])
    tied = sum(int((both == value).sum()) ** 3 - int((both == value).sum()) for value in range(12))
    variance = 40 * 30 / 12 * (71 - tied / (70 * 69))
    expected = (float(pairs.sum()) - 600) / variance**0.5
    assert copying_z(drawn, held_out) == pytest.approx(expected)
    assert copying_z(held_out, drawn) == pytest.approx(-expected)


def test_z_is_spread_as_it_should_be_where_nothing_is_copied():
    found = torch.tensor(
        [copying_z(distances(60, seed), distances(40, 1000 + seed)) for seed in range(300)]
    )
    assert abs(float(found.mean())) < 0.2 and abs(float(found.std()) - 1) < 0.15


def test_copies_are_found_out_and_noise_is_not_taken_for_one():
    digits = load_mnist("train").images
    train, held_out = digits[:2000], digits[2000:2100]
    noise = torch.randint(0, 256, (100, 28, 28), generator=torch.Generator().manual_seed(0))
    real = nearest(held_out, train).distance
    others = nearest(digits[3000:3100], train).distance
    assert copying_z(nearest(train[:100], train).distance, real) < -12
    assert copying_z(nearest(noise.to(torch.uint8), train).distance, real) > 12
    assert abs(copying_z(others, real)) < 3


@pytest.mark.parametrize(
    ("drawn", "held_out", "error", "words"),
    [
        (distances(19), distances(30), ValueError, "drawn must be at least 20 distances"),
        (distances(30), distances(19), ValueError, "held_out must be at least 20 distances"),
        (distances(30)[None], distances(30), ValueError, r"\(1, 30\)"),
        (distances(30), distances(30) / 0 * 0, ValueError, "NaN"),
        (distances(30).long(), distances(30), TypeError, "drawn must be a tensor of distances"),
        (distances(30), [0.5] * 30, TypeError, "held_out must be a tensor of distances"),
    ],
)
def test_errors_of_the_copying_test(drawn, held_out, error, words):
    with pytest.raises(error, match=words):
        copying_z(drawn, held_out)
