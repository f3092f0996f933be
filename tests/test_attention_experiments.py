"""The trials of transformers and the comparison within one budget record what they say."""

import json
import time

import pytest
import tiny_recipes
import torch

from experiments import attention_budget, transformer_trials
from experiments.transformer_trials import Trial, gpt
from experiments.trials import record_file
from pixelar_lib import optimization, runtime
from pixelar_lib.models import ImageGPT, PixelCNN
from pixelar_lib.zoo import build_model

SCRIPTS = [transformer_trials, attention_budget]
SMALL = [
    Trial("a transformer", 2, gpt(4, 1, 2), {"batch_size": 3}),
    Trial("a PixelCNN", 3, {"channels": 4, "dilations": (1,)}, model="PixelCNN"),
]

each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)


@pytest.fixture(autouse=True)
def few_digits(monkeypatch):
    monkeypatch.setattr(optimization, "bfloat16_gain", lambda device: 1.0)  # takes a moment
    for script in SCRIPTS:
        monkeypatch.setattr(script, "load_mnist", lambda split, _: tiny_recipes.few_digits(split))
        monkeypatch.setattr(script, "NUM_VALIDATION", 2)


def file_of(script):
    return record_file(script.__name__.rpartition(".")[2])


@each_script
def test_the_record_holds_a_row_for_each_trial(script, monkeypatch, tmp_path):
    written, threads = {}, torch.get_num_threads()
    monkeypatch.setattr("experiments.trials.add_asset", lambda *file: written.update([file]))
    monkeypatch.setattr("experiments.trials.CHECKPOINTS", tmp_path)
    monkeypatch.setattr(script, "TRIALS", SMALL)
    script.main()
    torch.set_num_threads(threads)
    record = json.loads(written[file_of(script)])
    assert record["command"] == f"python -m {script.__name__}"
    assert record["machine"]["threads"] == 1
    for row, trial in zip(record["rows"], SMALL, strict=True):
        assert (row["change"], row["steps"], row["model"]) == (
            trial.change,
            trial.steps,
            trial.model,
        )
        assert row["fit"] == {**transformer_trials.FIT, **trial.fit}
        assert row["parameters"] == build_model(trial.model, trial.arguments).num_parameters
        assert 0 < row["validation_nats_per_pixel"] < 6


def test_the_curve_has_a_time_for_each_look(monkeypatch):
    row = attention_budget.run(SMALL[1])
    assert len(row["seconds"]) == len(row["held_out_nats_per_pixel"]) == 3
    assert row["seconds"] == sorted(row["seconds"]) and row["seconds"][0] >= 0


def test_looks_are_not_counted(monkeypatch):
    now = [0.0]

    def slowly(self, inputs, labels=None):
        now[0] += 100
        return torch.zeros(1)

    monkeypatch.setattr(time, "process_time", lambda: now[0])
    monkeypatch.setattr(PixelCNN, "held_out_loss", slowly)
    clocked = attention_budget.Clocked(PixelCNN(3, 4, dilations=()))
    tokens = torch.zeros(1, 3, 3, dtype=torch.long)
    now[0] = 7
    for _ in range(2):
        clocked.training_loss(tokens)
        now[0] += 5
        clocked.held_out_loss(tokens)
    assert clocked.seconds == [5, 10]


def test_what_is_compared_differs_in_one_thing():
    plain, conv, pixelcnn, attentive = (
        build_model(trial.model, trial.arguments) for trial in attention_budget.TRIALS
    )
    assert isinstance(plain, ImageGPT) and (plain.stem, conv.stem) == ("shift", "conv")
    assert len(plain.blocks) == len(conv.blocks)
    assert isinstance(pixelcnn, PixelCNN) and pixelcnn.dilations == attentive.dilations
    assert pixelcnn.middle is None and attentive.middle == 3


@each_script
def test_the_record_that_ships_is_of_these_trials(script):
    rows = json.loads(runtime.read_asset(file_of(script)))["rows"]
    for row, trial in zip(rows, script.TRIALS, strict=True):
        assert (row["change"], row["steps"]) == (trial.change, trial.steps)
        assert row["arguments"] == json.loads(json.dumps(trial.arguments))
        assert row["fit"] == {**transformer_trials.FIT, **trial.fit}
        assert row["parameters"] == build_model(trial.model, trial.arguments).num_parameters
