"""The experiments of chapter 9: on tiny models and a few digits, and as they are recorded."""

import json

import pytest
import tiny_recipes
import torch
from models_under_test import build

from experiments import bayes, overfitting
from pixelar_lib import optimization, runtime, zoo
from pixelar_lib.classification import label_nll
from pixelar_lib.data import load_mnist
from pixelar_lib.quantization import quantize


@pytest.fixture
def written(monkeypatch):
    """Keep what would be written."""
    kept = {}
    for module in (bayes, overfitting):
        monkeypatch.setattr(module, "add_asset", kept.__setitem__)
        monkeypatch.setattr(module, "load_mnist", tiny_recipes.few_digits)
        monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    return lambda module: json.loads(kept[module.RECORD])


def test_summary_counts_answers_and_lists_mistakes():
    costs = torch.tensor([[1.0, 3.0, 5.0], [4.0, 1.0, 1.5], [2.0, 1.0, 9.0]], dtype=torch.float64)
    found = bayes.summary(costs, torch.tensor([0, 2, 1]))
    assert found["accuracy"]["share"] == pytest.approx(2 / 3)
    [mistake] = found["mistakes"]
    assert (mistake["image"], mistake["label"], mistake["found"]) == (1, 2, 1)
    assert mistake["probability"] == pytest.approx(float((-costs[1]).softmax(dim=0)[1]))
    assert sum(found["calibration"]["count"]) == 3
    assert found["worth"]["mean"] <= found["worth"]["largest"] < torch.log(torch.tensor(3.0))


def test_bayes_writes_what_the_model_says(written, monkeypatch):
    recipe = tiny_recipes.RECIPES["tiny-labels"]
    model = tiny_recipes.double_model(recipe.model, recipe.arguments)
    monkeypatch.setattr(zoo, "load_pretrained", lambda name: model)
    monkeypatch.setattr(zoo, "info", lambda name: {"num_bins": 16, "data": "grey"})
    bayes.main()
    digits = tiny_recipes.few_digits("test")
    costs = label_nll(model, quantize(digits.images, 16))
    right = (costs.argmin(dim=1) == digits.labels).double().mean()
    assert written(bayes)["accuracy"]["share"] == pytest.approx(float(right))


def test_overfitting_looks_at_costs_and_accuracy_together(written, monkeypatch):
    monkeypatch.setattr(optimization, "bfloat16_gain", lambda device: 1.0)
    monkeypatch.setattr(
        overfitting, "ARGUMENTS", {"channels": 2, "dilations": [1], "num_classes": 10}
    )
    monkeypatch.setattr(overfitting, "FIT", {"steps": 4, "eval_every": 2, "batch_size": 2})
    monkeypatch.setattr(overfitting, "NUM_TRAIN", 5)
    monkeypatch.setattr(overfitting, "NUM_HELD_OUT", 3)
    overfitting.main()
    record = written(overfitting)
    assert record["steps"] == [2, 4]
    assert len(record["held_out_loss"]) == len(record["accuracy"]) == 2
    assert all(round(3 * share) == pytest.approx(3 * share) for share in record["accuracy"])


def test_the_held_out_loss_is_that_of_the_true_label():
    model, tokens = build("conditional pixelcnn"), torch.randint(3, (4, 3, 5))
    labels = torch.tensor([0, 2, 1, 0])
    losses = overfitting.Classifying(model).held_out_loss(tokens, labels)
    torch.testing.assert_close(losses, model.held_out_loss(tokens, labels))


def test_the_record_of_bayes_is_that_of_the_model_that_ships():
    record = json.loads(runtime.read_asset(bayes.RECORD))
    (run,) = zoo.info(bayes.NAME)["runs"]
    assert record["accuracy"] == run["test_accuracy"]
    assert len(record["mistakes"]) == round(10_000 * (1 - record["accuracy"]["share"]))
    bundled = [one for one in record["mistakes"] if one["image"] % 5 == 0][:10]
    digits, rows = load_mnist("test"), [one["image"] // 5 for one in bundled]
    assert digits.labels[rows].tolist() == [one["label"] for one in bundled]
    costs = label_nll(zoo.load_pretrained(bayes.NAME), quantize(digits.images[rows], 16))
    assert costs.argmin(dim=1).tolist() == [one["found"] for one in bundled]
