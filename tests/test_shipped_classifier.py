"""The classifier that ships: its record, what it reads, and what is said of sets that are known."""

import math
import re

import pytest
import torch
from small_trainings import seeded

from experiments import train_classifier
from experiments.judge import shuffled
from pixelar_lib import runtime, zoo
from pixelar_lib.data import load_mnist, missing_files
from pixelar_lib.quality import class_entropy, confidence, coverage, frechet_distance
from pixelar_lib.quantization import dequantize
from pixelar_lib.training import fit
from pixelar_lib.zoo import CLASSIFIER, to_tokens

DIGITS = load_mnist("train")  # it has learned from them
IMAGES, LABELS = shuffled(DIGITS.images), shuffled(DIGITS.labels)


@pytest.fixture(scope="module")
def classifier():
    return zoo.load_classifier()


def test_it_is_no_pixel_model():
    assert CLASSIFIER not in zoo.list_pretrained() and CLASSIFIER not in zoo.results()
    with pytest.raises(ValueError, match="no model is called"):
        zoo.load_pretrained(CLASSIFIER)


def test_its_weights_are_not_drawn_anew_unasked():
    loaded = zoo.load_classifier()
    before = loaded.head.weight.clone()
    with pytest.raises(ValueError, match="was trained or loaded before"):
        fit(loaded, IMAGES[:4], LABELS[:4], steps=1, progress=False)
    assert torch.equal(loaded.head.weight, before)


def test_record(classifier):
    record = zoo.classifier_record()
    assert record["arguments"] == train_classifier.ARGUMENTS
    assert record["fit"] == train_classifier.FIT and record["seed"] == train_classifier.SEED
    assert record["parameters"] == classifier.num_parameters
    assert re.fullmatch("[0-9a-f]{40}", record["commit"])
    assert record["curve"]["steps"][-1] == record["fit"]["steps"] and record["seconds"] < 20 * 60
    assert len(runtime.read_asset(f"weights/{CLASSIFIER}.safetensors")) < 500_000


def test_it_reads_993_of_1000_test_images_and_nearly_as_many_with_fewer_greys():
    for split in ("validation", "test"):
        found = zoo.classifier_record()[f"{split}_accuracy"]
        assert [*found] == [*train_classifier.KINDS]
        assert all(entry["num_images"] == 10_000 for entry in found.values())
        assert found["256 grey levels"]["share"] >= 0.993
        assert all(entry["share"] >= 0.99 for entry in found.values())


@pytest.mark.parametrize("kind", train_classifier.KINDS)
def test_what_is_recorded_comes_out_again_on_bundled_digits(classifier, kind):
    num_bins, data = train_classifier.KINDS[kind]
    digits = load_mnist("test")
    images = dequantize(to_tokens(digits.images, num_bins, data), num_bins)
    share = float((classifier.read(images).labels == digits.labels).double().mean())
    recorded = zoo.classifier_record()["test_accuracy"][kind]
    assert abs(share - recorded["share"]) < 0.006  # three standard errors of 2,000 images
    assert not classifier.training


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_files()), reason="needs the full MNIST, see PIXELAR_DATA")
def test_what_is_recorded_comes_out_again_on_all_test_images(classifier):
    for kind, found in train_classifier.accuracies(classifier, "test").items():
        recorded = zoo.classifier_record()["test_accuracy"][kind]["share"]
        assert found["share"] == pytest.approx(recorded, abs=2e-4)  # two images near a border


def test_other_real_digits_one_class_and_noise(classifier):
    """Each figure tells real digits from sevens alone, and both from noise."""
    real = classifier.read(IMAGES[:600])
    sets = {
        "others": IMAGES[600:1200],
        "sevens": IMAGES[600:][LABELS[600:] == 7][:600],
        "noise": torch.rand(600, 28, 28, generator=seeded(0)),
    }
    read = {name: classifier.read(images) for name, images in sets.items()}
    sure = {name: confidence(found.probabilities) for name, found in read.items()}
    assert sure["others"] > 0.98 and sure["sevens"] > 0.98 and sure["noise"] < 0.9
    spread = {name: class_entropy(found.labels) for name, found in read.items()}
    assert spread["others"] > 0.98 * math.log(10)
    assert spread["sevens"] < 0.1 and spread["noise"] < 1
    away = {name: frechet_distance(found.features, real.features) for name, found in read.items()}
    assert 10 * away["others"] < min(away["sevens"], away["noise"])
    covered = {name: coverage(real.features, found.features) for name, found in read.items()}
    assert covered["others"] > 0.9 and covered["noise"] < 0.02
    assert 0.05 < covered["sevens"] < 0.25
