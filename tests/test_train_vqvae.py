"""The command that trains autoencoders and priors: what it writes, and that it resumes."""

import json
import math
import sys
from dataclasses import replace

import pytest
import safetensors.torch
import tiny_recipes
import torch
from small_trainings import Killed
from tiny_recipes import files_in

from experiments import train, train_vqvae
from experiments.vqvae_recipes import VQVAERecipe
from pixelar_lib import runtime, zoo
from pixelar_lib.evaluation import evaluate
from pixelar_lib.models import VQVAE, PixelCNN, perplexity

FIT = {"steps": 12, "batch_size": 5, "learning_rate": 0.01}
TINY = VQVAERecipe(
    "A test.",
    {"num_codes": 6, "grid": 3, "channels": 4, "code_size": 3},
    FIT,
    "PixelCNN",
    {"num_bins": 6, "num_classes": 10, "channels": 4, "dilations": [1], "dropout": 0.25},
    FIT,
    ships_weights=True,
)
RECORD = "records/autoencoders/tiny.json"
WEIGHTS = ["weights/tiny-prior.safetensors", "weights/tiny.safetensors"]


def run(patch, folder, *options, recipe=TINY):
    """Train a tiny one on a few digits and return its record and the folder of assets."""
    tiny_recipes.arrange(patch, folder)
    patch.setattr(train, "CHECKPOINTS", folder / "checkpoints")
    patch.setattr(train_vqvae, "CHECKPOINT_EVERY", 3)
    patch.setattr(train_vqvae, "load_mnist", tiny_recipes.few_digits)
    patch.setattr(train_vqvae, "RECIPES", {"tiny": recipe})
    patch.setattr(sys, "argv", ["train_vqvae", "tiny", *options])
    threads = torch.get_num_threads()
    try:
        train_vqvae.main()
    finally:
        torch.set_num_threads(threads)
    return json.loads((folder / "assets" / RECORD).read_text()), folder / "assets"


def test_record_and_weights_belong_together(tmp_path, monkeypatch):
    record, assets = run(monkeypatch, tmp_path)
    assert files_in(assets) == ["SHA256SUMS", RECORD, *WEIGHTS]
    assert not [*(tmp_path / "checkpoints").iterdir()]
    for module in (runtime, zoo):
        monkeypatch.setattr(module, "ASSETS", assets)
    assert zoo.vqvae_results() == {"tiny": record} and zoo.list_pretrained() == []
    autoencoder, prior = zoo.load_vqvae("tiny")
    for file, model in zip(WEIGHTS, (prior, autoencoder), strict=True):
        stored = safetensors.torch.load((assets / file).read_bytes())
        assert {value.dtype for value in stored.values()} == {torch.float16}
        assert not model.training
    assert isinstance(autoencoder, VQVAE) and isinstance(prior, PixelCNN)
    assert record["parameters"] == autoencoder.num_parameters
    assert record["prior_parameters"] == prior.num_parameters
    for part in ("autoencoder", "prior"):
        assert record["runs"][part]["curve"]["steps"][-1] == 12
    for split, where in train_vqvae.SPLITS.items():
        digits = tiny_recipes.few_digits(*where)
        assert_figures_are_those_of(record[split], autoencoder, prior, digits)


def assert_figures_are_those_of(found, autoencoder, prior, digits):
    tokens = autoencoder.encode(digits.images)
    squares = (autoencoder.decode(tokens) - digits.images / 255).double().square()
    errors = squares.mean(dim=(1, 2))
    cost = evaluate(prior, tokens, digits.labels)
    assert found["num_images"] == 20 and found["codes_per_image"] == 9
    assert found["squared_error"] == pytest.approx(float(errors.mean()), rel=1e-5)
    expected = float(errors.std()) / math.sqrt(20)
    assert found["squared_error_standard_error"] == pytest.approx(expected, rel=1e-4)
    assert found["error_over_variance"] == pytest.approx(found["squared_error"] / 0.09517)
    assert found["perplexity"] == perplexity(tokens, 6)
    assert found["codes_used"] == len(tokens.unique())
    assert found["uniform_nats_per_image"] == pytest.approx(9 * math.log(6))
    assert found["prior_nats_per_code"] == pytest.approx(cost.nats_per_pixel)
    assert found["prior_nats_per_image"] == pytest.approx(9 * cost.nats_per_pixel)
    assert found["prior_standard_error"] == pytest.approx(9 * cost.standard_error)


@pytest.mark.parametrize("model_class", [VQVAE, PixelCNN])
def test_killed_training_resumes_to_the_same_weights(tmp_path, monkeypatch, model_class):
    def kill():
        raise Killed

    expected, assets = run(monkeypatch, tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        tiny_recipes.before_step(patch, model_class, 8, kill)
        run(patch, tmp_path / "broken")
    record, resumed = run(monkeypatch, tmp_path / "broken")
    for file in WEIGHTS:
        assert (resumed / file).read_bytes() == (assets / file).read_bytes()
    for part in ("autoencoder", "prior"):
        expected["runs"][part].pop("seconds"), record["runs"][part].pop("seconds")
    assert record == expected


def test_a_prior_alone_is_trained_on_the_autoencoder_that_ships(tmp_path, monkeypatch):
    expected, assets = run(monkeypatch, tmp_path)
    weights = [(assets / file).read_bytes() for file in WEIGHTS]
    for module in (runtime, zoo):
        monkeypatch.setattr(module, "ASSETS", assets)
    monkeypatch.setattr(train_vqvae, "train_autoencoder", None)
    unfinished = train.checkpoint_of("tiny", 0)  # of another run of the whole recipe
    unfinished.write_bytes(b"1")
    for _ in range(2):
        record, _ = run(monkeypatch, tmp_path, "--prior")
        assert unfinished.exists()
        began = record.pop("autoencoder_training")
        assert began == {key: expected[key] for key in ("commit", "machine")}
        assert [(assets / file).read_bytes() for file in WEIGHTS] == weights
        for one in (record, expected):
            one["runs"]["prior"].pop("seconds", None)
        assert record == expected
    other = replace(TINY, seed=1)
    with pytest.raises(SystemExit, match="no autoencoder of the recipe tiny ships"):
        run(monkeypatch, tmp_path, "--prior", recipe=other)
