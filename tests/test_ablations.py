"""The short trials run, and each changes what it says."""

import dataclasses
import json

import pytest
import tiny_recipes
import torch
import torch.nn.functional as F

from experiments import ablations
from experiments.recipes import PIXELCNN_FIT
from pixelar_lib import runtime
from pixelar_lib.models import PixelCNN

each_trial = pytest.mark.parametrize("trial", ablations.TRIALS, ids=lambda trial: trial.change)


@pytest.fixture(autouse=True)
def few_digits(monkeypatch):
    monkeypatch.setattr(ablations, "load_mnist", tiny_recipes.few_digits)
    monkeypatch.setattr(ablations, "NUM_VALIDATION", 2)


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
    [((model, tokens), named)] = calls
    settings = {**PIXELCNN_FIT, "warmup_steps": 100, **trial.fit}
    assert row["fit"] == settings == {name: named[name] for name in settings}
    assert named["transform"] is trial.transform
    assert named["generator"].initial_seed() == row["seed"] == trial.seed
    assert row["num_bins"] == model.num_bins == trial.arguments.get("num_bins", 16)
    assert row["num_bins"] > int(tokens.max()) >= row["num_bins"] - 2
    assert row["parameters"] == trial.rebuild(PixelCNN(**trial.arguments)).num_parameters


def test_the_record_holds_a_row_for_each_trial(monkeypatch):
    written, threads = {}, torch.get_num_threads()
    monkeypatch.setattr(ablations, "add_asset", lambda *file: written.update([file]))
    trials = [dataclasses.replace(trial, steps=1) for trial in ablations.TRIALS[:2]]
    monkeypatch.setattr(ablations, "TRIALS", trials)
    ablations.main()
    torch.set_num_threads(threads)
    record = json.loads(written["ablations.json"])
    assert [row["change"] for row in record["rows"]] == [trial.change for trial in trials]
    assert record["command"] == "python -m experiments.ablations"
    assert record["machine"]["threads"] == 1


def test_the_record_that_ships_is_of_these_trials():
    rows = json.loads(runtime.read_asset("ablations.json"))["rows"]
    for row, trial in zip(rows, ablations.TRIALS, strict=True):
        settings = {**PIXELCNN_FIT, "warmup_steps": 100, **trial.fit}
        expected = {"change": trial.change, "steps": trial.steps, "seed": trial.seed}
        expected |= {"arguments": json.loads(json.dumps(trial.arguments)), "fit": settings}
        assert {name: row[name] for name in expected} == expected


def test_a_mixture_gives_probabilities_and_is_trained_on_them():
    mixture = ablations.Mixture(PixelCNN(256, 4, dilations=()))
    tokens = torch.randint(256, (2, 3, 3), generator=torch.Generator().manual_seed(0))
    logits = mixture(tokens)
    torch.testing.assert_close(logits.exp().sum(dim=1), torch.ones(2, 3, 3))
    loss = mixture.training_loss(tokens, None, torch.Generator())
    torch.testing.assert_close(loss, F.cross_entropy(logits, tokens))
    with torch.autocast("cpu", torch.bfloat16):
        assert mixture.model(tokens).dtype == torch.float32


def test_averaging_predicts_with_the_average():
    averaging = ablations.Averaging(PixelCNN(3, 4, dilations=()), share=0.75)
    weight, mean = averaging.model.link.bias, averaging.average.module.link.bias
    tokens = torch.zeros(1, 2, 2, dtype=torch.long)
    for value, expected in ((4.0, 4.0), (0.0, 3.0)):
        with torch.no_grad():
            weight.fill_(value)
        averaging.training_loss(tokens, None, torch.Generator())
        assert torch.equal(mean, torch.full_like(mean, expected))
    assert torch.equal(averaging(tokens), averaging.average(tokens))
    assert averaging.num_parameters == averaging.model.num_parameters


def test_depthwise_convolutions_keep_channels_apart():
    model = ablations.with_depthwise(PixelCNN(3, 4, dilations=(1, 2)))
    assert [block.vertical[0].groups for block in model.blocks] == [4, 4]
    assert model(torch.zeros(2, 5, 5, dtype=torch.long)).shape == (2, 3, 5, 5)


def test_plain_memory_reaches_weights_and_activations():
    model, activations = PixelCNN(3, 4, dilations=(1, 2)), []
    model.blocks[1].link.register_forward_pre_hook(lambda module, given: activations.append(*given))
    tokens = torch.zeros(2, 5, 5, dtype=torch.long)
    logits = model(tokens)
    ablations.with_plain_memory(model)
    torch.testing.assert_close(model(tokens), logits)
    before, after = activations
    assert not before.is_contiguous() and after.is_contiguous()
    assert model.vertical.weight.is_contiguous()


def test_shifted_images_keep_their_ink():
    images = torch.zeros(2, 28, 28, dtype=torch.uint8)
    images[:, 10:15, 10:15] = 200
    generator = torch.Generator().manual_seed(0)
    shifts = torch.stack([ablations.shifted(images, generator) for _ in range(40)])
    assert (shifts.sum(dim=(2, 3)) == images.sum(dim=(1, 2))).all()
    assert len(shifts.unique(dim=0)) == 9
