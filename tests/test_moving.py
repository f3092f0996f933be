"""Other digits, made from those there are: framed as MNIST frames its own, and as sharp."""

import pytest
import torch
import torch.nn.functional as F
from small_trainings import seeded

from experiments import moving
from experiments.moving import BOX, FINE, Slanted, lattice, move
from pixelar_lib.data import load_mnist
from pixelar_lib.evaluation import evaluate
from pixelar_lib.zoo import load_classifier, load_pretrained, to_tokens

DIGITS = load_mnist("test")
IMAGES = DIGITS.images[:500]
MOVED = move(IMAGES, seeded())


def sides(images):
    """Return the longer side of what is not blank, (N,)."""
    inked = images > 0
    return torch.maximum(inked.any(dim=1).sum(dim=1), inked.any(dim=2).sum(dim=1))


def centres(images):
    """Return where the mass lies, in pixels from the top and the left, (N, 2)."""
    ink, places = images.double(), torch.arange(28) + 0.5
    mass = ink.sum(dim=(1, 2))
    return torch.stack([ink.sum(dim=3 - axis) @ places.double() / mass for axis in (1, 2)], dim=1)


def test_all_digits_are_framed_as_those_of_mnist():
    for images in (IMAGES, MOVED):
        assert sides(images).eq(BOX).double().mean() > 0.98
        off = centres(images) - 14.5
        assert off.abs().quantile(0.98) < 0.55 and off.mean(dim=0).abs().max() < 0.1


def test_moved_digits_are_as_grey_and_as_sharp():
    for measure in (blank, white, steepness):
        assert measure(MOVED) == pytest.approx(measure(IMAGES), rel=0.06)


def blank(images):
    return float((images == 0).double().mean())


def white(images):
    return float((images >= 240).double().mean())


def steepness(images):
    return float(images.double().diff(dim=2).square().mean())


def test_digits_are_others_but_still_themselves():
    changed = (MOVED.int() - IMAGES.int()).abs().double().mean(dim=(1, 2))
    assert changed.median() > 5 and changed.min() > 1  # of 255 levels
    read = load_classifier().read(MOVED).probabilities.argmax(dim=1)
    assert (read == DIGITS.labels[:500]).double().mean() > 0.97


def test_each_digit_is_moved_its_own_way_and_the_seed_decides():
    same = move(IMAGES[:1].expand(3, -1, -1), seeded(1))
    assert not torch.equal(same[0], same[1]) and not torch.equal(same[1], same[2])
    assert torch.equal(same, move(IMAGES[:1].expand(3, -1, -1), seeded(1)))
    assert same.dtype == torch.uint8


def test_models_know_that_digits_fill_whole_rows(monkeypatch):
    for name in ("TURN", "STRETCH", "SLANT", "BEND"):
        monkeypatch.setattr(moving, name, 0.0)
    digits, model = Slanted(IMAGES[:20], seeded()), load_pretrained("pixelcnn-k16")

    def cost_of_shift(rows):
        places = lattice(FINE * 28) + torch.tensor([0.0, rows * 2 / 28])
        ink = digits.ink(places.expand(20, -1, -1, -1))
        images = (F.avg_pool2d(ink[:, None], FINE)[:, 0] * 255).round().to(torch.uint8)
        return evaluate(model, to_tokens(images, 16)).nats_per_pixel

    still = cost_of_shift(0)
    assert cost_of_shift(0.5) > 1.25 * still
    assert cost_of_shift(1) < 1.05 * still


def test_a_slant_leans_the_digit_to_one_side(monkeypatch):
    bar = torch.zeros(1, 28, 28, dtype=torch.uint8)
    bar[:, 4:24, 12:16] = 255
    for name in ("TURN", "STRETCH", "BEND"):
        monkeypatch.setattr(moving, name, 0.0)
    monkeypatch.setattr(moving, "SLANT", 0.3)
    leant = move(bar, seeded(2))[0].double()
    columns = torch.arange(28).double()
    rows = [float(leant[row] @ columns / leant[row].sum()) for row in (5, 14, 22)]
    first, second = rows[1] - rows[0], rows[2] - rows[1]
    assert abs(first) > 0.3 and first * second > 0
    assert first / 9 == pytest.approx(second / 8, rel=0.2)  # a straight line
