"""The command that trains a recipe: what it writes, and that a break changes nothing."""

import os
from dataclasses import replace

import pytest
import safetensors.torch
import tiny_recipes
import torch
from small_trainings import Killed
from tiny_recipes import files_in, record_file, run, weights_file, without_times

from experiments import train
from experiments.trainables import FixedWindows
from pixelar_lib import runtime, zoo
from pixelar_lib.classification import label_nll
from pixelar_lib.evaluation import evaluate
from pixelar_lib.models import CategoricalPixelPredictor, PixelCNN
from pixelar_lib.quantization import quantize
from pixelar_lib.training import fit


def test_record_and_weights_are_written_and_the_checkpoint_is_gone(tmp_path, monkeypatch, capsys):
    record, assets = run(monkeypatch, tmp_path, "tiny-mlp")
    files = ["SHA256SUMS", record_file("tiny-mlp"), weights_file("tiny-mlp")]
    assert files_in(assets) == files
    assert os.listdir(tmp_path / "checkpoints") == []
    recipe = train.plain(tiny_recipes.RECIPES["tiny-mlp"])
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
        content = runtime.read_asset(weights_file("tiny-mlp"))  # its hash is in the list, too
    stored = safetensors.torch.load(content)
    assert {value.dtype for value in stored.values()} == {torch.float16}
    model = zoo.build_model(record["model"], record["arguments"])
    zoo.load_weights(model, stored, "tiny-mlp")
    for part in ("validation", "test", "test_bundled", "test_200"):
        split = part.partition("_")[0]
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
        ("tiny-labels", PixelCNN, 8),
        ("tiny-windows", FixedWindows, 20),  # in the second of two seeds
        ("tiny-restart", CategoricalPixelPredictor, 16),  # with moved images
        ("tiny-restart", CategoricalPixelPredictor, 19),  # and after them
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
    assert files_in(resumed) == files_in(assets)
    for weights in (name for name in files_in(assets) if name.startswith("weights/")):
        assert (resumed / weights).read_bytes() == (assets / weights).read_bytes()


def test_joined_images_are_trained_on_and_nothing_is_held_out(tmp_path, monkeypatch):
    split = {name: tiny_recipes.few_digits(name).images for name in ("train", "validation")}
    seen = []

    def watched(model, inputs, *arguments, **options):
        seen.append((len(inputs), options["held_out"]))
        assert torch.equal(inputs, quantize(torch.cat([*split.values()]), 16))
        return fit(model, inputs, *arguments, **options)

    monkeypatch.setattr(train, "fit", watched)
    record, _ = run(monkeypatch, tmp_path, "tiny-joined")
    assert seen == [(40, None)]
    (only,) = record["runs"]
    assert "validation" not in only and only["test"]["num_images"] == 20
    assert only["curve"]["held_out_loss"] == []


def test_labels_reach_the_training_and_the_figures(tmp_path, monkeypatch):
    record, assets = run(monkeypatch, tmp_path, "tiny-labels")
    model = zoo.build_model(record["model"], record["arguments"])
    stored = safetensors.torch.load((assets / weights_file("tiny-labels")).read_bytes())
    zoo.load_weights(model, stored, "tiny-labels")
    digits = tiny_recipes.few_digits("test")
    tokens = zoo.to_tokens(digits.images, 16)
    (only,) = record["runs"]
    found = evaluate(model, tokens, digits.labels).nats_per_pixel
    wrong = evaluate(model, tokens, (digits.labels + 1) % 10).nats_per_pixel
    assert only["test"]["nats_per_pixel"] == pytest.approx(found, abs=1e-6)
    assert abs(wrong - found) > 1e-5
    right = label_nll(model, tokens).argmin(dim=1) == digits.labels
    assert only["test_accuracy"]["share"] == float(right.double().mean())
    assert only["test_accuracy"]["num_images"] == only["validation_accuracy"]["num_images"] == 20


def test_labels_that_the_model_does_not_have_are_refused_before_anything_is_written(
    tmp_path, monkeypatch
):
    with pytest.raises(ValueError, match="this model's labels must be 0 to 2"):
        run(monkeypatch, tmp_path, "tiny-few-labels")
    assert os.listdir(tmp_path / "assets") == []


def test_weights_that_do_not_ship_are_not_written(tmp_path, monkeypatch):
    _, assets = run(monkeypatch, tmp_path, "tiny-binary")
    assert files_in(assets) == ["SHA256SUMS", record_file("tiny-binary")]


def test_unknown_name_is_answered_with_those_there_are(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, tmp_path, "no-such-recipe")
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert "no-such-recipe" in error and "tiny-mlp" in error
    assert os.listdir(tmp_path / "assets") == []


def test_a_restart_begins_with_the_weights_and_the_losses_of_the_first_training(
    tmp_path, monkeypatch
):
    seen = []

    def watched(model, *arguments, **options):
        before = {key: value.clone() for key, value in model.state_dict().items()}
        seen.append((before, options, getattr(model, "moved", 0)))
        return fit(model, *arguments, **options)

    monkeypatch.setattr(train, "fit", watched)
    record, _ = run(monkeypatch, tmp_path / "both", "tiny-restart")
    first, assets = run(monkeypatch, tmp_path / "first", "tiny-mlp")
    (only,), (before,) = record["runs"], first["runs"]
    assert only["curve"]["steps"] == [*range(1, 21)]
    for losses in ("training_loss", "held_out_loss"):
        assert only["curve"][losses][:12] == before["curve"][losses]
    ended = safetensors.torch.load((assets / weights_file("tiny-mlp")).read_bytes())
    (_, one, _), (began, two, moved), (_, three, still), _ = seen
    assert {key.removeprefix("model.") for key in began} == ended.keys()
    assert all(torch.equal(began[f"model.{key}"].half(), value) for key, value in ended.items())
    assert [options["steps"] for options in (one, two, three)] == [12, 5, 3]
    assert [options["initialize"] for options in (one, two, three)] == [True, False, False]
    assert (moved, still) == (0.5, 0)
    assert two["learning_rate"] == 0.005 and two["batch_size"] == 5
    assert three["learning_rate"] == 0.01


def test_restarts_alone_end_as_all_trainings_in_a_row(tmp_path, monkeypatch):
    expected, assets = run(monkeypatch, tmp_path / "both", "tiny-restart")
    with monkeypatch.context() as patch:
        plain = replace(tiny_recipes.RECIPES["tiny-restart"], restarts=())
        patch.setitem(tiny_recipes.RECIPES, "tiny-restart", plain)
        first, ships = run(patch, tmp_path / "first", "tiny-restart")
    for module in (runtime, zoo):
        monkeypatch.setattr(module, "ASSETS", ships)
    unfinished = train.checkpoint_of("tiny-restart", 0)  # of another run of the whole recipe
    unfinished.write_bytes(b"1")
    record, _ = run(monkeypatch, tmp_path / "first", "tiny-restart", "--restart")
    assert unfinished.exists()
    file = weights_file("tiny-restart")
    assert (ships / file).read_bytes() == (assets / file).read_bytes()
    began = record.pop("first_training")
    origin = {key: first[key] for key in ("commit", "machine")}
    assert began == {**origin, "seconds": first["runs"][0]["seconds"]}
    assert without_times(record) == without_times(expected)
    assert record["runs"][0]["seconds"] > first["runs"][0]["seconds"]
    with pytest.raises(SystemExit, match="is not the result of its recipe's first training"):
        run(monkeypatch, tmp_path / "first", "tiny-restart", "--restart")


def test_a_restart_that_no_recipe_has_is_refused(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="tiny-mlp has no restart"):
        run(monkeypatch, tmp_path, "tiny-mlp", "--restart")
    assert os.listdir(tmp_path / "assets") == []
