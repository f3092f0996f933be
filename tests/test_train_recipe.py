"""The command that trains a recipe: what it writes, and that a break changes nothing."""

import json
import os
from dataclasses import asdict

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


def test_record_and_weights_are_written_and_the_checkpoint_is_gone(tmp_path, monkeypatch, capsys):
    record, assets = run(monkeypatch, tmp_path, "tiny-mlp")
    files = ["SHA256SUMS", record_file("tiny-mlp"), weights_file("tiny-mlp")]
    assert files_in(assets) == files
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


def test_a_conditional_model_goes_on_from_one_without_labels(tmp_path):
    start, model = tiny_recipes.start_model("tiny-grey"), tiny_recipes.start_model("tiny-labels")
    with pytest.MonkeyPatch.context() as patch:
        tiny_recipes.arrange(patch, tmp_path)
        train.start_from(model, "tiny-grey")
    tokens = zoo.to_tokens(tiny_recipes.few_digits("test").images, 16)
    labels = tiny_recipes.few_digits("test").labels
    without, given = evaluate(start, tokens), evaluate(model, tokens, labels)
    assert given.nats_per_pixel == pytest.approx(without.nats_per_pixel, rel=1e-9)


def test_two_tones_begin_as_paper_and_full_ink():
    start = tiny_recipes.start_model("tiny-grey")
    model = tiny_recipes.start_model("tiny-two-tones")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "load_pretrained", tiny_recipes.start_model)
        train.start_from(model, "tiny-grey")
    tokens = quantize(tiny_recipes.few_digits("test").images[:2], 2)
    with torch.no_grad():
        sixteen, two = start(15 * tokens).softmax(dim=1), model(tokens).softmax(dim=1)
    paper_and_ink = sixteen[:, [0, 15]] / sixteen[:, [0, 15]].sum(dim=1, keepdim=True)
    torch.testing.assert_close(two, paper_and_ink)


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
