"""The trials of recurrent networks: on a few digits and steps."""

import json

import tiny_recipes
import torch

from experiments import recurrent


def test_the_record_holds_what_each_trial_found(monkeypatch, tmp_path):
    written = {}
    small = {"channels": 4, "hidden_size": 4}
    trials = [
        recurrent.Trial("RasterLSTM", 2, small),
        recurrent.Trial("DiagonalBiLSTM", 1, {"hidden_size": 4, "num_layers": 1}),
    ]
    monkeypatch.setattr(recurrent, "TRIALS", trials)
    monkeypatch.setattr(recurrent, "load_mnist", tiny_recipes.few_digits)
    monkeypatch.setattr("experiments.trials.add_asset", written.__setitem__)
    monkeypatch.setattr("experiments.trials.CHECKPOINTS", tmp_path)
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    recurrent.main()
    rows = json.loads(written["records/measurements/recurrent.json"])["rows"]
    assert [(row["model"], row["steps"]) for row in rows] == [
        ("RasterLSTM", 2),
        ("DiagonalBiLSTM", 1),
    ]
    assert rows[0]["arguments"] == small and rows[0]["fit"]["batch_size"] == 8
    for row in rows:
        assert row["ms_per_step"] > 0 and 0 < row["validation_bits_per_dim"] < 5


def test_the_networks_that_are_compared_are_of_a_like_size():
    sizes = [
        recurrent.build_model(trial.model, trial.arguments).num_parameters
        for trial in recurrent.TRIALS
        if trial.model != "PixelCNN" and trial.arguments.get("stem", True)
    ]
    assert max(sizes) < 150_000 and max(sizes) < 1.1 * min(sizes)
