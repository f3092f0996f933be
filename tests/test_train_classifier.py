"""The command that trains the classifier: what it writes, and that a break changes nothing."""

import json

import pytest
import safetensors.torch
import tiny_recipes
import torch
from small_trainings import Killed
from tiny_recipes import files_in

from experiments import train, train_classifier
from pixelar_lib.classification import accuracy
from pixelar_lib.digit_classifier import DigitClassifier
from pixelar_lib.quantization import quantize
from pixelar_lib.zoo import load_weights

FILES = ["SHA256SUMS", "records/digit-classifier.json", "weights/digit-classifier.safetensors"]


def run(patch, folder):
    """Train a tiny one on a few digits and return its record and the folder of assets."""
    tiny_recipes.arrange(patch, folder)
    patch.setattr(train, "CHECKPOINTS", folder / "checkpoints")
    patch.setattr(train_classifier, "CHECKPOINT_EVERY", 3)
    patch.setattr(train_classifier, "load_mnist", tiny_recipes.few_digits)
    patch.setattr(train_classifier, "ARGUMENTS", {"channels": 2, "num_features": 4})
    patch.setattr(train_classifier, "FIT", {**train_classifier.FIT, "steps": 12, "batch_size": 8})
    threads = torch.get_num_threads()
    try:
        train_classifier.main()
    finally:
        torch.set_num_threads(threads)
    return json.loads((folder / "assets" / FILES[1]).read_text()), folder / "assets"


def test_record_and_weights_belong_together(tmp_path, monkeypatch):
    record, assets = run(monkeypatch, tmp_path)
    assert files_in(assets) == FILES and not [*(tmp_path / "checkpoints").iterdir()]
    stored = safetensors.torch.load((assets / FILES[2]).read_bytes())
    assert {value.dtype for value in stored.values()} == {torch.float16}
    model = DigitClassifier(**record["arguments"])
    load_weights(model, stored, "tiny")
    assert record["parameters"] == model.num_parameters
    assert record["curve"]["steps"][-1] == 12
    for split in ("validation", "test"):
        digits = tiny_recipes.few_digits(split)
        found = record[f"{split}_accuracy"]
        assert [*found] == [*train_classifier.KINDS]
        for kind, tones in (("256 grey levels", 256), ("thresholded at 0.5", 2)):
            images = (quantize(digits.images, tones) / (tones - 1)).clamp(0, 1)
            share = accuracy(model.read(images).labels, digits.labels).share
            assert found[kind]["share"] == share and found[kind]["num_images"] == 20


def test_killed_training_resumes_to_the_same_weights(tmp_path, monkeypatch):
    def kill():
        raise Killed

    expected, assets = run(monkeypatch, tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        tiny_recipes.before_step(patch, DigitClassifier, 8, kill)
        run(patch, tmp_path / "broken")
    record, resumed = run(monkeypatch, tmp_path / "broken")
    assert (resumed / FILES[2]).read_bytes() == (assets / FILES[2]).read_bytes()
    expected.pop("seconds"), record.pop("seconds")
    assert record == expected
