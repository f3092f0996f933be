"""What is measured of codes beside their training: on a few digits, and as it is recorded."""

import json
import math
import re
from functools import lru_cache

import pytest
import tiny_recipes
import torch
from test_judge import RANGES

from experiments import codebook, judge, judge_codes
from experiments.judge_codes import DRAWN, RECONSTRUCTED
from experiments.vqvae_recipes import VQVAERecipe
from pixelar_lib import data, runtime, zoo
from pixelar_lib.digit_classifier import DigitClassifier
from pixelar_lib.models import VQVAE, PixelCNN


def recorded(name):
    return json.loads(runtime.read_asset(f"records/measurements/{name}.json"))


@pytest.fixture
def written(monkeypatch):
    """What an experiment writes, kept here."""
    kept = {}
    monkeypatch.setattr("experiments.trials.add_asset", kept.__setitem__)
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    return kept


# Revival


def test_the_codebook_is_trained_with_and_without_revival(written, monkeypatch):
    recipe = VQVAERecipe("A test.", {"num_codes": 40, "grid": 3, "channels": 4, "code_size": 3})
    monkeypatch.setattr(codebook, "RECIPES", {codebook.NAME: recipe})
    monkeypatch.setattr(codebook, "STEPS", 5)
    monkeypatch.setattr(codebook, "AUTOENCODER_FIT", {"batch_size": 4})
    monkeypatch.setattr(codebook, "load_mnist", tiny_recipes.few_digits)
    codebook.main()
    rows = json.loads(written["records/measurements/codebook.json"])["rows"]
    assert [row["revive"] for row in rows] == [True, False]
    for row in rows:
        assert row["fit"] == {"batch_size": 4, "steps": 5}
        assert 1 <= row["perplexity"] <= row["codes_used"] <= 40
        assert row["squared_error"] == pytest.approx(row["error_over_variance"] * 0.09517)


def test_without_revival_most_codes_lie_idle_and_more_is_lost():
    care, none = recorded("codebook")["rows"]
    assert care["revive"] and not none["revive"] and care["fit"] == none["fit"]
    assert care["codes_used"] == 128 and none["codes_used"] < 64
    assert care["perplexity"] > 2 * none["perplexity"]
    assert none["error_over_variance"] > 1.1 * care["error_over_variance"]


# Drawings


def few(split, source):
    digits = data.load_mnist(split)
    return data.Digits(digits.images[:120], digits.labels[:120])


def tiny_models(name):
    assert name == "vqvae-7x7x128"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return VQVAE(6, 3, channels=4, code_size=3).eval(), PixelCNN(6, 4, (1,), 10).eval()


def tiny_classifier():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DigitClassifier(channels=2, num_features=4).eval()


def test_real_digits_reconstructions_and_drawings_are_judged_alike(written, monkeypatch):
    for module in (judge, judge_codes):
        monkeypatch.setattr(module, "NUM_IMAGES", 40)
        monkeypatch.setattr(module, "NUM_NEAREST", 20)
        monkeypatch.setattr(module, "load_mnist", few)
    monkeypatch.setattr(judge_codes, "kind", lru_cache(judge_codes.kind.__wrapped__))
    monkeypatch.setattr(zoo, "load_vqvae", tiny_models)
    monkeypatch.setattr(zoo, "load_classifier", tiny_classifier)
    judge_codes.main()
    rows = json.loads(written["records/measurements/judge_codes.json"])["rows"]
    assert [row["name"] for row in rows] == [judge.REAL, RECONSTRUCTED, DRAWN]
    for row in rows:
        assert row["num_images"] == 40
        for name, (least, most) in RANGES.items():
            assert least <= row[name] <= most
    images, labels = judge_codes.images_of(judge.REAL)
    rebuilt, same = judge_codes.images_of(RECONSTRUCTED)
    autoencoder, _ = tiny_models("vqvae-7x7x128")
    tokens = autoencoder.encode(images)
    assert torch.equal(rebuilt, autoencoder.decode(tokens)) and torch.equal(same, labels)
    drawn, asked = judge_codes.images_of(DRAWN)
    assert drawn.shape == (40, 28, 28) and asked.bincount().tolist() == [4] * 10


def test_drawings_reach_what_the_course_set_out_for():
    record = recorded("judge_codes")
    rows = {row["name"]: row for row in record["rows"]}
    assert [*rows] == [judge.REAL, RECONSTRUCTED, DRAWN]
    assert re.fullmatch("[0-9a-f]{40}", record["commit"])
    for row in rows.values():
        assert row["num_images"] == 5_000 and row["copies"] == 0
        assert row["class_entropy"] > 0.97 * math.log(10)
    assert rows[DRAWN]["agreement"]["share"] >= 0.92
    shares = [rows[name]["agreement"]["share"] for name in (DRAWN, RECONSTRUCTED, judge.REAL)]
    assert shares == sorted(shares)
