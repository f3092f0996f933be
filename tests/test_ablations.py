"""The short trials run, and each changes what it says."""

import dataclasses
import json

import pytest
import tiny_recipes
import torch

from experiments import ablations
from pixelar_lib.models import PixelCNN

each_trial = pytest.mark.parametrize("trial", ablations.TRIALS, ids=lambda trial: trial.change)


@pytest.fixture(autouse=True)
def few_digits(monkeypatch):
    monkeypatch.setattr(ablations, "load_mnist", tiny_recipes.few_digits)
    monkeypatch.setattr(ablations, "NUM_VALIDATION", 2)


@each_trial
def test_each_trial_trains_and_is_measured(trial):
    row = ablations.run(dataclasses.replace(trial, steps=1))
    assert row["change"] == trial.change and row["steps"] == 1
    assert 0 < row["validation_nats_per_pixel"] < 6 and row["ms_per_step"] > 0


def test_the_record_holds_a_row_for_each_trial(monkeypatch):
    written = {}
    monkeypatch.setattr(ablations, "add_asset", lambda *file: written.update([file]))
    trials = [dataclasses.replace(trial, steps=1) for trial in ablations.TRIALS[:2]]
    monkeypatch.setattr(ablations, "TRIALS", trials)
    ablations.main()
    record = json.loads(written["ablations.json"])
    assert [row["change"] for row in record["rows"]] == [trial.change for trial in trials]
    assert record["command"] == "python -m experiments.ablations"


def test_a_mixture_gives_probabilities():
    head = ablations.MixtureOfLogistics(4, 256)
    probabilities = head(torch.randn(2, 4, 3, 3)).exp().sum(dim=1)
    torch.testing.assert_close(probabilities, torch.ones(2, 3, 3), rtol=0, atol=1e-3)


def test_averaging_predicts_with_the_average():
    averaging = ablations.Averaging(PixelCNN(3, 4, dilations=()), share=0.75)
    weight, mean = averaging.model.link.bias, averaging.average.link.bias
    with torch.no_grad():
        mean.zero_(), weight.fill_(1)
    tokens = torch.zeros(1, 2, 2, dtype=torch.long)
    averaging.training_loss(tokens, None, torch.Generator())
    assert torch.equal(mean, torch.full_like(mean, 0.25))
    assert torch.equal(averaging(tokens), averaging.average(tokens))


def test_shifted_images_keep_their_ink():
    images = torch.zeros(2, 28, 28, dtype=torch.uint8)
    images[:, 10:15, 10:15] = 200
    generator = torch.Generator().manual_seed(0)
    shifts = torch.stack([ablations.shifted(images, generator) for _ in range(40)])
    assert (shifts.sum(dim=(2, 3)) == images.sum(dim=(1, 2))).all()
    assert len(shifts.unique(dim=0)) == 9
