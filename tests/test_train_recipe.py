"""The command that trains a recipe: what it writes, and that a break changes nothing."""

import json
import os
import sys
from dataclasses import asdict

import pytest
import safetensors.torch
import tiny_recipes
import torch

from experiments import train
from pixelar_lib import runtime, zoo
from pixelar_lib.evaluation import evaluate
from pixelar_lib.models import CategoricalPixelPredictor, PixelCNN


class Killed(BaseException):
    """Stands for the end of the process."""


def run(monkeypatch, folder, name):
    """Train a tiny recipe and return its record and the folder of assets."""
    tiny_recipes.arrange(monkeypatch, folder)
    monkeypatch.setattr(sys, "argv", ["train", name])
    train.main()
    assets = folder / "assets"
    return json.loads((assets / f"{name}.json").read_text()), assets


def without_times(record):
    runs = [{key: run[key] for key in run if key != "seconds"} for run in record["runs"]]
    return {**record, "runs": runs}


def test_record_and_weights_are_written_and_the_checkpoint_is_gone(tmp_path, monkeypatch, capsys):
    record, assets = run(monkeypatch, tmp_path, "tiny-mlp")
    files = ["SHA256SUMS", "tiny-mlp.json", "tiny-mlp.safetensors"]
    assert sorted(os.listdir(assets)) == files
    assert os.listdir(tmp_path / "checkpoints") == []
    recipe = json.loads(json.dumps(asdict(tiny_recipes.RECIPES["tiny-mlp"])))
    assert {key: record[key] for key in recipe} == recipe
    assert record["command"] == "python -m experiments.train tiny-mlp"
    assert record["machine"]["processes"] == 1
    (only,) = record["runs"]
    assert only["curve"]["steps"] == [*range(1, 13)] and only["seconds"] > 0
    assert f"test {only['test']['nats_per_pixel']:.4f} nats/pixel" in capsys.readouterr().out


def test_recorded_figures_are_those_of_the_stored_weights(tmp_path, monkeypatch):
    record, assets = run(monkeypatch, tmp_path, "tiny-mlp")
    with monkeypatch.context() as patch:
        patch.setattr(runtime, "ASSETS", assets)
        content = runtime.read_asset("tiny-mlp.safetensors")  # its hash is in the list, too
    stored = safetensors.torch.load(content)
    assert {value.dtype for value in stored.values()} == {torch.float16}
    model = zoo.build_model(record["model"], record["arguments"])
    zoo.load_weights(model, stored, "tiny-mlp")
    for split, part in [("validation", "validation"), ("test", "test"), ("test", "test_bundled")]:
        tokens = zoo.to_tokens(tiny_recipes.few_digits(split).images, model.num_bins)
        found = evaluate(model, tokens)
        assert record["runs"][0][part]["nats_per_pixel"] == pytest.approx(found.nats_per_pixel)
        assert record["runs"][0][part]["num_images"] == 20


@pytest.mark.parametrize(
    ("name", "model_class", "killed_step"),
    [
        ("tiny-mlp", CategoricalPixelPredictor, 2),  # before the first checkpoint
        ("tiny-mlp", CategoricalPixelPredictor, 8),
        ("tiny-binary", PixelCNN, 8),
        ("tiny-windows", train.FixedWindows, 20),  # in the second of two seeds
    ],
)
def test_killed_training_resumes_to_the_same_record_and_weights(
    tmp_path, monkeypatch, name, model_class, killed_step
):
    expected, assets = run(monkeypatch, tmp_path / "whole", name)

    def kill():
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        tiny_recipes.before_step(patch, model_class, killed_step, kill)
        run(patch, tmp_path / "broken", name)
    assert os.listdir(tmp_path / "broken" / "assets") == []
    record, resumed = run(monkeypatch, tmp_path / "broken", name)
    assert without_times(record) == without_times(expected)
    assert [only["seed"] for only in record["runs"]] == [*tiny_recipes.RECIPES[name].seeds]
    assert all(only["seconds"] > 0 for only in record["runs"])
    assert sorted(os.listdir(resumed)) == sorted(os.listdir(assets))
    for weights in assets.glob("*.safetensors"):
        assert (resumed / weights.name).read_bytes() == weights.read_bytes()


def test_weights_that_do_not_ship_are_not_written(tmp_path, monkeypatch):
    _, assets = run(monkeypatch, tmp_path, "tiny-binary")
    assert sorted(os.listdir(assets)) == ["SHA256SUMS", "tiny-binary.json"]


def test_unknown_name_is_answered_with_those_there_are(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, tmp_path, "no-such-recipe")
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert "no-such-recipe" in error and "tiny-mlp" in error
    assert os.listdir(tmp_path / "assets") == []
