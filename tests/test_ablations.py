"""The short trials run, and each changes what it says."""

import dataclasses
import json

import pytest
import tiny_recipes
import torch
import torch.nn.functional as F
from small_trainings import seeded

from experiments import ablations
from experiments.recipes import PIXELCNN_FIT
from pixelar_lib import optimization, runtime
from pixelar_lib.data import Digits
from pixelar_lib.models import PixelCNN

RECORD = "records/measurements/ablations.json"

each_trial = pytest.mark.parametrize("trial", ablations.TRIALS, ids=lambda trial: trial.change)


def middles(split, source):
    """Return a few digits without their paper: networks of full size take a moment for them."""
    digits = tiny_recipes.few_digits(split)
    return Digits(digits.images[:, 12:17, 12:17], digits.labels)


@pytest.fixture(autouse=True)
def few_digits(monkeypatch):
    monkeypatch.setattr(ablations, "load_mnist", middles)
    monkeypatch.setattr(ablations, "NUM_VALIDATION", 2)
    monkeypatch.setattr(optimization, "bfloat16_gain", lambda device: 1.0)  # takes a moment, too


@pytest.mark.slow  # networks of full size
@each_trial
def test_each_trial_trains_as_it_says_and_is_measured(trial, monkeypatch):
    calls, fit = [], ablations.fit
    monkeypatch.setattr(
        ablations,
        "fit",
        lambda *given, **named: calls.append((given, named)) or fit(*given, **named),
    )
    row = ablations.run(dataclasses.replace(trial, steps=1))
    assert row["change"] == trial.change and row["steps"] == 1
    assert 0 < row["validation_nats_per_pixel"] < 6 and row["ms_per_step"] > 0
    [((learner, tokens), named)] = calls
    model = trial.rebuild(PixelCNN(**trial.arguments))
    assert str(learner) == str(trial.learner(model))
    settings = {**PIXELCNN_FIT, "warmup_steps": 100, **trial.fit}
    assert row["fit"] == settings == {name: named[name] for name in settings}
    assert named["generator"].initial_seed() == row["seed"] == trial.seed
    assert row["num_bins"] == model.num_bins == trial.arguments.get("num_bins", 16)
    assert row["num_bins"] > int(tokens.max()) >= row["num_bins"] - 2
    assert row["parameters"] == model.num_parameters


def test_the_record_holds_a_row_for_each_trial(monkeypatch, tmp_path):
    written, threads = {}, torch.get_num_threads()
    monkeypatch.setattr("experiments.trials.add_asset", lambda *file: written.update([file]))
    monkeypatch.setattr("experiments.trials.CHECKPOINTS", tmp_path)
    trials = [dataclasses.replace(trial, steps=1) for trial in ablations.TRIALS[:2]]
    monkeypatch.setattr(ablations, "TRIALS", trials)
    ablations.main()
    torch.set_num_threads(threads)
    record = json.loads(written[RECORD])
    assert [row["change"] for row in record["rows"]] == [trial.change for trial in trials]
    assert record["command"] == "python -m experiments.ablations"
    assert record["machine"]["threads"] == 1


def test_the_record_that_ships_is_of_these_trials():
    rows = json.loads(runtime.read_asset(RECORD))["rows"]
    for row, trial in zip(rows, ablations.TRIALS, strict=True):
        settings = {**PIXELCNN_FIT, "warmup_steps": 100, **trial.fit}
        expected = {"change": trial.change, "steps": trial.steps, "seed": trial.seed}
        expected |= {"arguments": json.loads(json.dumps(trial.arguments)), "fit": settings}
        expected["parameters"] = trial.rebuild(PixelCNN(**trial.arguments)).num_parameters
        assert {name: row[name] for name in expected} == expected


def test_a_mixture_gives_probabilities_and_is_trained_on_them():
    mixture = ablations.Mixture(PixelCNN(256, 4, dilations=()))
    tokens = torch.randint(256, (2, 3, 3), generator=seeded())
    logits = mixture(tokens)
    torch.testing.assert_close(logits.exp().sum(dim=1), torch.ones(2, 3, 3))
    loss = mixture.training_loss(tokens)
    torch.testing.assert_close(loss, F.cross_entropy(logits, tokens))
    with torch.autocast("cpu", torch.bfloat16):
        assert mixture.model(tokens).dtype == torch.float32


def test_averaging_predicts_with_the_average():
    averaging = ablations.Averaging(PixelCNN(3, 4, dilations=()), decay=0.75)
    weight, mean = averaging.model.link.bias, averaging.average.module.link.bias
    tokens = torch.zeros(1, 2, 2, dtype=torch.long)
    for value, expected in ((4.0, 4.0), (0.0, 3.0)):
        with torch.no_grad():
            weight.fill_(value)
        averaging.training_loss(tokens)
        assert torch.equal(mean, torch.full_like(mean, expected))
    assert torch.equal(averaging(tokens), averaging.average(tokens))
    assert averaging.num_parameters == averaging.model.num_parameters


def test_depthwise_convolutions_keep_channels_apart():
    model = ablations.with_depthwise(PixelCNN(3, 4, dilations=(1, 2)))
    assert [block.vertical.groups for block in model.blocks] == [4, 4]
    assert [block.vertical.weight.shape for block in model.blocks] == [(4, 1, 2, 5)] * 2
    assert model(torch.zeros(2, 5, 5, dtype=torch.long)).shape == (2, 3, 5, 5)


def test_plain_memory_reaches_weights_and_activations():
    model, found = PixelCNN(3, 4, dilations=(1, 2)), []
    convolutions = [layer for layer in model.modules() if isinstance(layer, torch.nn.Conv2d)]
    for layer in convolutions:
        layer.register_forward_hook(lambda layer, given, seen: found.append(seen.movedim(-1, 1)))
    tokens = torch.zeros(2, 5, 5, dtype=torch.long)
    logits = model(tokens)
    assert not any(seen.is_contiguous() for seen in found)  # (N, C, H, W), channels last in memory
    found.clear()
    ablations.with_plain_memory(model)
    torch.testing.assert_close(model(tokens), logits)
    assert len(found) == len(convolutions) == 6 and all(seen.is_contiguous() for seen in found)
    assert all(layer.weight.is_contiguous() for layer in convolutions)


def test_shifted_images_keep_their_ink():
    images = torch.zeros(2, 28, 28, dtype=torch.uint8)
    images[:, 10:15, 10:15] = 200
    shifted, generator = ablations.Shifted(PixelCNN(256, 4, dilations=())), seeded()
    batches = [shifted.prepare(images, None, generator) for _ in range(40)]
    shifts = torch.stack([tokens for (tokens,) in batches])
    assert (shifts.sum(dim=(2, 3)) == images.sum(dim=(1, 2))).all()
    assert len(shifts.unique(dim=0)) == 9
