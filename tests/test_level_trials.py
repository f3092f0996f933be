"""The trials with 256 levels train what they say, and their variants are proper models."""

import json

import pytest
import tiny_recipes
import torch
from torch import nn

from experiments import level_trials
from experiments.level_trials import CoarseThenFineHead, Guessing, Trial, WithValue
from experiments.trials import record_file
from pixelar_lib import optimization, runtime
from pixelar_lib.models import PointingPixelCNN


def small(model_class):
    return model_class(256, channels=4, dilations=(1,))


def test_the_record_holds_a_row_for_each_trial(monkeypatch, tmp_path):
    written, threads = {}, torch.get_num_threads()
    trials = [
        Trial("a", 2, lambda: small(PointingPixelCNN)),
        Trial("b", 3, lambda: small(Guessing)),
    ]
    monkeypatch.setattr(optimization, "bfloat16_gain", lambda device: 1.0)  # takes a moment
    monkeypatch.setattr("experiments.trials.add_asset", lambda *file: written.update([file]))
    monkeypatch.setattr("experiments.trials.CHECKPOINTS", tmp_path)
    few = tiny_recipes.few_digits
    monkeypatch.setattr(level_trials, "load_mnist", lambda split, source: few(split))
    monkeypatch.setattr(level_trials, "TRIALS", trials)
    monkeypatch.setattr(level_trials, "NUM_VALIDATION", 2)
    level_trials.main()
    torch.set_num_threads(threads)
    rows = json.loads(written[record_file("level_trials")])["rows"]
    assert [(row["change"], row["steps"]) for row in rows] == [("a", 2), ("b", 3)]
    assert rows[0]["parameters"] == rows[1]["parameters"] + 256  # whose counts count for nothing
    assert all(0 < row["validation_bits_per_dim"] < 12 for row in rows)


def test_guesses_alone_count_nothing():
    model = small(Guessing)
    tokens = torch.randint(256, (2, 4, 4), generator=torch.Generator().manual_seed(0))
    model.training_loss(tokens).backward()
    assert (model.pointer.trust == 0).all() and not model.pointer.trust.requires_grad


def test_coarse_then_fine_is_a_distribution():
    head = CoarseThenFineHead(6)
    found = head(torch.randn(3, 6, generator=torch.Generator().manual_seed(0)))
    assert found.shape == (3, 256)
    torch.testing.assert_close(found.exp().sum(dim=1), torch.ones(3))
    torch.testing.assert_close(
        found.unflatten(1, (16, 16)).logsumexp(dim=2),
        head.coarse(torch.randn(3, 6, generator=torch.Generator().manual_seed(0))).log_softmax(1),
    )


def test_near_levels_have_near_vectors_where_the_value_counts():
    model = WithValue()
    with torch.no_grad():
        nn.init.zeros_(model.embedding.weight)
        found = model.embed(torch.tensor([[[100, 101, 200]]]))[0, 0]
    assert (found[0] - found[1]).norm() < (found[0] - found[2]).norm() / 5


@pytest.mark.skipif(
    not (runtime.ASSETS / record_file("level_trials")).exists(), reason="not measured yet"
)
def test_the_record_that_ships_is_of_these_trials():
    rows = json.loads(runtime.read_asset(record_file("level_trials")))["rows"]
    for row, trial in zip(rows, level_trials.TRIALS, strict=True):
        assert (row["change"], row["steps"]) == (trial.change, trial.steps)
        assert row["parameters"] == trial.build().num_parameters
