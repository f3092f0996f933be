"""The sweeps over knobs train what they say, and compare like with like."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import tiny_recipes
import torch

from experiments import knobs, trials
from experiments.window_variants import OneHot, WithPosition, with_depth
from pixelar_lib import runtime
from pixelar_lib.context import neighbourhood, raster

WINDOW = {"context_length": 4, "hidden_size": 8, "dropout": 0.0}


@pytest.fixture
def digits(monkeypatch, tmp_path):
    """Let the sweep see a few digits, write to a folder, and take few steps."""
    found = {}
    knobs.tokens_of.cache_clear()
    for module in (knobs, trials):
        monkeypatch.setattr(module, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(trials, "add_asset", found.__setitem__)
    monkeypatch.setattr(knobs, "load_mnist", lambda split, _: tiny_recipes.few_digits(split))
    monkeypatch.setattr(knobs, "FIT", {**knobs.FIT, "steps": 3, "warmup_steps": 1})
    monkeypatch.setattr(knobs, "PACE_STEPS", 2)
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    yield found
    knobs.tokens_of.cache_clear()


def small(setting):
    """Return a setting that trains at once."""
    arguments = {**setting.arguments, "embedding_dim": 4, "hidden_size": 8}
    return replace(setting, arguments=arguments)


def test_each_setting_is_compared_with_its_own_reference(digits, monkeypatch, tmp_path):
    chosen = [s for s in knobs.SETTINGS if s.knob in ("base", "position")]
    chosen[1:1] = knobs.also_in_time([knobs.raster(10), knobs.raster(28)])
    monkeypatch.setattr(knobs, "SETTINGS", [small(setting) for setting in chosen])
    monkeypatch.setattr(knobs, "TRIALS", [(s, seed) for s in knobs.SETTINGS for seed in (0, 1)])
    knobs.main()
    rows = json.loads(digits["records/measurements/knobs.json"])["rows"]
    bits = {(r["knob"], r["value"], r["equal_time"], r["seed"]): r["bits"] for r in rows}
    assert len(bits) == len(rows) == 2 * len(chosen)
    for row in rows:
        reference = bits[*row["against"], False, row["seed"]]
        assert math.isclose(row["difference"], row["bits"] - reference, abs_tol=1e-12)
        assert row["equal_time"] or row["fit"]["steps"] == 3
    against = {(r["knob"], r["value"]): tuple(r["against"]) for r in rows}
    assert against["position", "raster 10"] == ("context", "raster 10")
    assert against["position", "raster 28"] == ("context", "raster 28")
    assert against["position", "radius 3"] == against["context", "raster 10"] == ("base", "base")
    assert bits["base", "base", False, 0] != bits["base", "base", False, 1]
    assert not list((tmp_path / "checkpoints").iterdir())


def test_fewer_images_are_the_first_ones(digits, monkeypatch):
    seen = []
    monkeypatch.setattr(knobs, "fit", lambda model, tokens, **settings: seen.append(tokens))
    (setting,) = [s for s in knobs.SETTINGS if (s.knob, s.value) == ("images", 1_000)]
    knobs.train(small(replace(setting, num_images=7)), knobs.FIT, 0)
    assert torch.equal(seen[0], knobs.tokens_of("train")[:7])


def test_equal_time_means_steps_in_proportion_to_the_pace(digits, monkeypatch):
    def paced(setting, settings, seed):
        assert settings["steps"] == knobs.PACE_STEPS
        return None, 2.0 if setting.knob == "base" else 0.5

    monkeypatch.setattr(knobs, "train", paced)
    monkeypatch.setattr(knobs, "FIT", {**knobs.FIT, "steps": 1_000})
    steps = knobs.steps_in_time(knobs.raster(10))
    assert type(steps) is int and steps == 4_000


def test_what_a_process_pays_once_does_not_count_as_pace(digits, monkeypatch):
    seconds = iter([20.0, 1.0, 0.5])
    monkeypatch.setattr(knobs, "train", lambda *_: (None, next(seconds)))
    monkeypatch.setattr(knobs, "FIT", {**knobs.FIT, "steps": 1_000})
    assert knobs.steps_in_time(knobs.raster(10)) == 2_000


def test_settings_differ_from_the_base_in_one_thing():
    named = {(s.knob, s.value): s for s in reversed(knobs.SETTINGS)}
    for place, setting in enumerate(knobs.SETTINGS[1:], 1):
        reference = named[setting.against]
        assert not reference.equal_time and knobs.SETTINGS.index(reference) < place
        other_arguments = {k: v for k, v in setting.arguments.items() if k not in ("neighbourhood",
                           "context_length") and knobs.BASE.get(k) != v}  # fmt: skip
        differ = [
            setting.arguments.get("neighbourhood") != reference.arguments.get("neighbourhood"),
            bool(other_arguments),
            len({*setting.fit.items()} ^ {*reference.fit.items()}) > 0,
            setting.num_images != reference.num_images,
            setting.network is not reference.network,
        ]
        assert sum(differ) == 1, setting
        assert len({*setting.fit.items()} - {*reference.fit.items()}) <= 1


def test_one_hot_tokens_stay_as_they_are(digits):
    setting = knobs.Setting("embedding", "one-hot", {"neighbourhood": 1, "hidden_size": 8},
                            network=OneHot)  # fmt: skip
    model, _ = knobs.train(setting, knobs.FIT, 0)
    assert torch.equal(model.embedding.weight, torch.eye(knobs.NUM_BINS + 1))
    assert model.layers[0].in_features == 4 * (knobs.NUM_BINS + 1)


@pytest.mark.parametrize("context", [raster(10), neighbourhood(2)])
def test_position_is_seen_and_nothing_later(context):
    model = WithPosition(4, context=context, hidden_size=16, dropout=0.0).double().eval()
    with torch.no_grad():
        logits = model(torch.zeros(1, 28, 28, dtype=torch.long))[0]  # (K, 28, 28)
        assert not torch.allclose(logits[:, 14, 14], logits[:, 14, 15])
        assert not torch.allclose(logits[:, 14, 14], logits[:, 15, 14])
        changed = torch.zeros(1, 28, 28, dtype=torch.long)
        changed[0, 14, 14:] = 3
        changed[0, 15:] = 3
        before = model(changed)[0].flatten(1)[:, : 14 * 28 + 15]
    assert torch.equal(before, logits.flatten(1)[:, : 14 * 28 + 15])


def test_position_trains_on_what_it_scores():
    model = WithPosition(4, **WINDOW)
    tokens = torch.randint(4, (3, 28, 28), generator=torch.Generator().manual_seed(0))
    pixels = torch.arange(784).expand(3, -1)
    loss = model.training_loss(tokens, pixels)
    torch.testing.assert_close(loss, model.nll(tokens).mean())


def test_each_network_computes_its_first_layer_as_fast_as_the_base_does():
    for setting in knobs.SETTINGS:
        model, used = knobs.build(setting), []
        predict = model.key_predictor()
        assert predict != model.predict_windows, setting
        model.key_predictor = lambda use=(used.append, predict): use[0](1) or use[1]
        tokens = torch.zeros(1, 28, 28, dtype=torch.long)
        model.training_loss(tokens, torch.tensor([[0, 783]])).backward()
        assert used, setting


@pytest.mark.parametrize("num_hidden", [1, 2, 3, 4])
def test_depth_counts_hidden_layers(num_hidden):
    model = with_depth(num_hidden, 4, **WINDOW)
    linear = [layer for layer in model.layers if isinstance(layer, torch.nn.Linear)]
    assert len(linear) == num_hidden + 1
    assert len({id(layer.weight) for layer in linear}) == len(linear)
    tokens = torch.zeros(1, 3, 3, dtype=torch.long)
    assert model(tokens).shape == (1, 4, 3, 3)
    model.eval()
    windows = torch.randint(5, (50, 4), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.key_predictor()(windows), model.predict_windows(windows))


@pytest.mark.skipif(
    not (runtime.ASSETS / "records/measurements/knobs.json").exists(), reason="not measured yet"
)
def test_the_record_that_ships_is_of_these_trials():
    rows = json.loads(runtime.read_asset("records/measurements/knobs.json"))["rows"]
    assert len(rows) == len(knobs.TRIALS)
    for row, (setting, seed) in zip(rows, knobs.TRIALS, strict=True):
        expected = {"knob": setting.knob, "value": setting.value, "seed": seed,
                    "equal_time": setting.equal_time, "num_images": setting.num_images}  # fmt: skip
        assert {name: row[name] for name in expected} == expected
        settings = {**knobs.FIT, **setting.fit}
        if setting.equal_time:
            settings["steps"] = row["fit"]["steps"]
        assert row["fit"] == settings
    assert np.isfinite([row["difference_standard_error"] for row in rows]).all()
