"""The network that judges drawings: what it takes, learns from, and that `fit` trains it."""

import pytest
import torch
import torch.nn.functional as F
from small_trainings import seeded

from pixelar_lib.data import load_mnist
from pixelar_lib.digit_classifier import DigitClassifier
from pixelar_lib.quantization import dequantize, quantize
from pixelar_lib.training import fit

DIGITS = load_mnist("validation")
IMAGES, LABELS = DIGITS.images[:40], DIGITS.labels[:40]


def small(seed=0, **changes):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return DigitClassifier(**{"channels": 2, "num_features": 6, "dropout": 0.5} | changes)


def test_it_reads_probabilities_and_features():
    model = small()
    model.train()
    found = model.read(IMAGES)
    assert model.training  # as before
    assert found.probabilities.shape == (40, 10) and found.features.shape == (40, 6)
    assert found.features.amin() >= 0 and not found.features.requires_grad
    torch.testing.assert_close(found.probabilities.sum(dim=1), torch.ones(40))
    logits = model.eval()(IMAGES)
    torch.testing.assert_close(found.probabilities, logits.softmax(dim=1))
    torch.testing.assert_close(model.head(found.features), logits)
    assert torch.equal(found.labels, logits.argmax(dim=1))


def test_many_images_are_read_as_each_alone():
    model, images = small(), DIGITS.images[:70]  # more than a batch
    alone = torch.cat([model.read(image[None]).features for image in images])
    torch.testing.assert_close(model.read(images).features, alone)


def test_levels_and_intensities_are_read_alike():
    model = small()
    for kind in (torch.float32, torch.float64):
        assert torch.equal(model.read(IMAGES).features, model.read(IMAGES.to(kind) / 255).features)


def test_two_tones_may_be_black_and_white_or_two_greys():
    model, tokens = small(), quantize(IMAGES, 2)
    features = model.read(tokens.float()).features
    torch.testing.assert_close(model.read(dequantize(tokens, 2)).features, features)
    torch.testing.assert_close(model.read((40 + 100 * tokens).to(torch.uint8)).features, features)


def test_blank_images_are_read_whatever_their_grey():
    found = small().read(torch.tensor([0.0, 0.5, 1.0])[:, None, None].expand(-1, 28, 28))
    assert torch.equal(found.features[0], found.features[1])
    assert torch.equal(found.features[0], found.features[2])


def test_training_images_move_by_up_to_two_pixels_and_lose_greys():
    model, generator = small(), seeded(3)
    images, labels = IMAGES[:1].expand(400, -1, -1), LABELS[:1].expand(400)
    moved, same = model.prepare(images, labels, generator)
    assert torch.equal(same, labels) and moved.dtype == torch.uint8
    again, _ = model.prepare(images, labels, seeded(3))
    assert torch.equal(moved, again)
    pages = [
        (images[0], 256),
        ((quantize(images[0], 16) * 17), 16),
        (quantize(images[0], 2) * 255, 2),
    ]
    found = {}
    for page, levels in pages:
        padded = F.pad(page, (2, 2, 2, 2))
        for down in range(5):
            for right in range(5):
                part = padded[down : down + 28, right : right + 28]
                count = int((moved == part).all(dim=2).all(dim=1).sum())
                found[levels, down, right] = count
    by_levels = {k: sum(n for key, n in found.items() if key[0] == k) for k in (256, 16, 2)}
    assert all(60 < number < 140 for number in by_levels.values())  # a quarter of 400 each
    assert {key[1:] for key, number in found.items() if number} == {
        (down, right) for down in range(5) for right in range(5)
    }
    drawn = 400 - sum(by_levels.values())  # the rest are binarised at random
    two_tones = ((moved == 0) | (moved == 255)).all(dim=2).all(dim=1)
    assert int(two_tones.sum()) == drawn + by_levels[2]


def test_fit_trains_it_and_its_labels_matter():
    train = load_mnist("train")
    data = {"inputs": train.images[:600], "labels": train.labels[:600]}
    data |= {"held_out": DIGITS.images[:300], "held_out_labels": DIGITS.labels[:300]}
    model = small(channels=8, num_features=32, dropout=0.1)
    settings = {"steps": 120, "batch_size": 64, "learning_rate": 5e-3, "progress": False}
    history = fit(model, **data, **settings, generator=seeded(0), device="cpu")
    assert history.held_out_loss[-1] < 0.5 * history.held_out_loss[0]
    found = model.read(DIGITS.images[:300]).labels
    assert float((found == DIGITS.labels[:300]).double().mean()) > 0.7
    with torch.no_grad():
        losses = model.eval().held_out_loss(DIGITS.images[:300], DIGITS.labels[:300])
    assert losses.shape == (300,)
    assert float(losses.mean()) == pytest.approx(history.held_out_loss[-1], rel=1e-4)


@pytest.mark.parametrize(
    ("images", "labels", "error", "words"),
    [
        (IMAGES[0], LABELS[:1], ValueError, r"shape \(N, 28, 28\), not \(28, 28\)"),
        (IMAGES[:, 1:], LABELS, ValueError, r"not \(40, 27, 28\)"),
        (IMAGES.float(), LABELS, ValueError, "Divide 8-bit levels by 255"),
        (IMAGES.long(), LABELS, TypeError, "give uint8 levels"),
        (IMAGES, None, ValueError, "learns from labels"),
        (IMAGES, LABELS[:5], ValueError, "labels must be 40 digits"),
        (IMAGES, LABELS + 1, ValueError, "each 0 to 9"),
        (IMAGES, LABELS.float(), TypeError, "float32"),
    ],
)
def test_what_fit_refuses(images, labels, error, words):
    with pytest.raises(error, match=words):
        fit(small(), images, labels, steps=1, device="cpu")


def test_what_read_refuses():
    model = small()
    for images, words in ((IMAGES[0], "28, 28"), (IMAGES[:0], "no image to read")):
        with pytest.raises(ValueError, match=words):
            model.read(images)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"channels": 0}, ValueError, "channels is 0"),
        ({"num_features": 2.5}, TypeError, "num_features must be an int"),
        ({"dropout": 1}, ValueError, "dropout is 1"),
    ],
)
def test_settings_that_are_refused(changes, error, words):
    with pytest.raises(error, match=words):
        small(**changes)
