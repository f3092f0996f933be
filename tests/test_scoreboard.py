"""The scoreboard's differences and multiplications: of tiny models, and as they are recorded."""

import json
import math
import re

import pytest
import tiny_recipes
import torch
from models_under_test import build, some_tokens
from torch import nn

from experiments import scoreboard, trials
from experiments.recipes import RECIPES, Recipe
from experiments.train import learner_for
from pixelar_lib import runtime, zoo
from pixelar_lib.data import Digits
from pixelar_lib.evaluation import evaluate
from pixelar_lib.models import ImageGPT, WindowModel

PIXELS = 28 * 28
SMALL = {"context_length": 4, "embedding_dim": 4, "hidden_size": 16, "dropout": 0.0}


def weights_used(model):
    """Return how many weights a model multiplies with at each place: all but tables and biases."""
    tables = {
        id(part.weight) for part in model.modules() if isinstance(part, nn.Embedding | nn.LayerNorm)
    }
    return sum(
        weights.numel()
        for weights in model.parameters()
        if weights.ndim > 1 and id(weights) not in tables
    )


def by_hand(recipe):
    """Return the multiplications of a step's forward pass of a model of whole images."""
    model = zoo.build_model(recipe.model, recipe.arguments)
    at_a_place = weights_used(model)
    if isinstance(model, ImageGPT):  # a place asks all places, and takes from all of them
        at_a_place += len(model.blocks) * 2 * PIXELS * model.embedding.embedding_dim
    return recipe.fit.get("batch_size", 256) * PIXELS * at_a_place


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(scoreboard, "load_mnist", tiny_recipes.few_digits)
    monkeypatch.setattr(scoreboard, "COUNTED_STEPS", 2)
    yield
    scoreboard.bits.cache_clear()


# Multiplications


@pytest.mark.parametrize(
    ("model", "arguments"),
    [
        ("PixelCNN", {"channels": 4, "dilations": [1, 2]}),
        ("PointingPixelCNN", {"channels": 4, "dilations": [1, 2]}),
        ("RasterLSTM", {"channels": 4, "hidden_size": 6}),
        ("DiagonalBiLSTM", {"hidden_size": 3, "num_layers": 1}),
        ("ImageGPT", {"channels": 4, "num_blocks": 2, "heads": 2, "stem": "conv"}),
    ],
)
@pytest.mark.parametrize("data", ["grey", "binarized"])
def test_every_weight_multiplies_once_at_each_place(few, model, arguments, data):
    arguments = {**arguments, "num_bins": 2}
    recipe = Recipe("A test.", model, arguments, {"batch_size": 3}, data=data)
    assert scoreboard.multiplications_per_step(recipe) == by_hand(recipe) > 0


def test_fixed_windows_go_through_all_layers_each():
    digits = tiny_recipes.few_digits("train")
    recipe = Recipe("A test.", arguments=SMALL, fit={"batch_size": 7}, num_windows=1000)
    model = zoo.build_model(recipe.model, recipe.arguments)
    learner, pairs = learner_for(model, recipe, digits, torch.Generator().manual_seed(0))
    with scoreboard.Multiplications() as counter:
        learner.training_loss(*learner.prepare(pairs[:7], None, None))
    assert counter.total == 7 * (4 * 4 * 16 + 16 * 16 + 16 * 16)


def test_equal_windows_count_once():
    recipe = Recipe("A test.", arguments=SMALL)
    model = zoo.build_model(recipe.model, recipe.arguments)
    assert isinstance(model, WindowModel)
    blank = Digits(torch.zeros(5, 28, 28, dtype=torch.uint8), torch.zeros(5, dtype=torch.long))
    learner, tokens = learner_for(model, recipe, blank, torch.Generator())
    inner = torch.full((5, 8), 400)  # their windows do not reach an edge
    with scoreboard.Multiplications() as counter:
        learner.training_loss(tokens, inner)
    table = 4 * 17 * 4 * 16  # places, tokens, embedding, hidden
    assert counter.total == table + 16 * 16 + 16 * 16


@pytest.mark.parametrize("name", ["post", "pixelcnn", "raster lstm", "diagonal bilstm", "imagegpt"])
def test_forward_and_backward_take_about_three_times_the_products_of_forward(name):
    model = build(name, num_bins=4).double()
    batch = model.prepare(some_tokens(6, (4, 5), 4), None, torch.Generator().manual_seed(0))
    forward, both = scoreboard.Multiplications(), scoreboard.Multiplications()
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        with forward:
            model.training_loss(*batch)
        with both:
            model.training_loss(*batch).backward()
    assert both.total / forward.total == pytest.approx(scoreboard.FORWARD_AND_BACKWARD, rel=0.07)


# Differences


def test_what_is_hard_about_an_image_drops_out():
    noise = torch.Generator().manual_seed(0)
    hard = torch.randn(1000, generator=noise, dtype=torch.float64)
    gap = 0.01 * torch.randn(1000, generator=noise, dtype=torch.float64) + 0.02
    found = scoreboard.difference(hard, hard + gap)
    assert found["bits_per_dim"] == pytest.approx(float(gap.mean())) and found["num_images"] == 1000
    assert found["standard_error"] == pytest.approx(0.01 / math.sqrt(1000), rel=0.1)


def arrange(patch, models):
    """Let the zoo hold these models: by name the kind, a seed, and the recorded bits."""
    recipes = {"tiny-labels": tiny_recipes.RECIPES["tiny-labels"]}
    recipes |= {name: recipe_of(kind) for name, (kind, _, _) in models.items()}
    records = {
        name: {
            "ships_weights": models[name][2] is not None if name in models else True,
            "runs": [{"test": {"bits_per_dim": models.get(name, (0, 0, 0.1))[2]}}],
        }
        for name in recipes
    }
    patch.setattr(scoreboard, "RECIPES", recipes)
    patch.setattr(zoo, "results", lambda: records)
    shipped = [name for name, record in records.items() if record["ships_weights"]]
    patch.setattr(zoo, "list_pretrained", lambda: shipped)
    info = {
        name: {"mnist": recipe.data + recipe.model[:2], "data": recipe.data}
        for name, recipe in recipes.items()
    }
    patch.setattr(zoo, "info", info.get)
    patch.setattr(zoo, "load_pretrained", lambda name: loaded(recipes[name], len(name)))
    return recipes


def recipe_of(kind):
    arguments = SMALL | ({"num_bins": 2} if kind == "binarized" else {})
    restarts = ({"fit": {"steps": 3}},) if kind == "binarized" else ()
    fit = {"steps": 5, "batch_size": 4}
    return Recipe("A test.", arguments=arguments, fit=fit, restarts=restarts, data=kind)


def loaded(recipe, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return zoo.build_model(recipe.model, recipe.arguments).eval()


MODELS = {
    "best": ("grey", 1, 0.2),
    "middle": ("grey", 2, 0.3),
    "worse-one": ("grey", 3, 0.4),
    "unshipped": ("grey", 4, None),
    "drawn": ("binarized", 5, 0.2),
    "other-drawn": ("binarized", 6, 0.3),
}


def test_the_record_has_a_row_for_each_training_and_a_difference_for_each_pair(
    few, monkeypatch, tmp_path
):
    written = {}
    recipes = arrange(monkeypatch, MODELS)
    monkeypatch.setattr(trials, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(trials, "add_asset", written.__setitem__)
    threads = torch.get_num_threads()
    scoreboard.main()
    torch.set_num_threads(threads)
    rows = json.loads(written["records/measurements/scoreboard.json"])["rows"]
    assert [row["name"] for row in rows] == [*recipes]
    pairs = {row["name"]: row.get("ahead_of") for row in rows}
    assert pairs == {
        **{"best": "middle", "middle": "worse-one", "worse-one": None, "unshipped": None},
        **{"drawn": "other-drawn", "other-drawn": None, "tiny-labels": None},
    }
    digits = tiny_recipes.few_digits("test")
    for row in rows:
        per_step, steps = row["multiplications_per_step"], recipes[row["name"]].steps
        assert row["multiplications"] == pytest.approx(3 * steps * per_step, abs=3 * steps)
        if pairs[row["name"]]:
            kind = recipes[row["name"]].data
            costs = [
                evaluate(model, zoo.to_tokens(digits.images, model.num_bins, kind)).bits_per_dim
                for model in map(zoo.load_pretrained, (row["name"], row["ahead_of"]))
            ]
            assert row["bits_per_dim"] == pytest.approx(costs[1] - costs[0], abs=1e-6)
            assert row["num_images"] == 20 and 0 < row["standard_error"] < 1


def test_a_conditional_model_is_told_the_labels(few, monkeypatch):
    arrange(monkeypatch, {})
    digits = tiny_recipes.few_digits("test")
    model = zoo.load_pretrained("tiny-labels")
    expected = evaluate(model, zoo.to_tokens(digits.images, 16), digits.labels).bits_per_dim
    assert float(scoreboard.bits("tiny-labels").mean()) == pytest.approx(expected)
    assert scoreboard.multiplications_per_step(tiny_recipes.RECIPES["tiny-labels"]) > 0


# What is recorded


def recorded():
    """Return the record, or nothing where it was not made yet."""
    try:
        return json.loads(runtime.read_asset(trials.record_file("scoreboard")))
    except FileNotFoundError:
        return {"rows": []}


needs_record = pytest.mark.skipif(
    not recorded()["rows"], reason="python -m experiments.scoreboard was not run yet"
)
each_row = pytest.mark.parametrize("row", recorded()["rows"], ids=lambda row: row["name"])


@needs_record
def test_all_trainings_are_recorded_and_by_committed_code():
    assert [row["name"] for row in recorded()["rows"]] == [*zoo.results()]
    assert re.fullmatch("[0-9a-f]{40}", recorded()["commit"])


@each_row
def test_recorded_multiplications_are_those_of_the_recipe(row):
    recipe, per_step = RECIPES[row["name"]], row["multiplications_per_step"]
    steps = recipe.steps
    assert row["multiplications"] == pytest.approx(3 * steps * per_step, abs=3 * steps)
    model = zoo.build_model(recipe.model, recipe.arguments)
    if not isinstance(model, WindowModel):
        assert per_step == by_hand(recipe)
    else:  # at most, every window goes through all layers
        windows = recipe.fit.get("batch_size", 256)
        windows *= 1 if recipe.num_windows else recipe.windows_per_image
        assert 0.1 < per_step / (windows * weights_used(model)) <= 1


@each_row
def test_recorded_differences_are_those_of_the_records_of_trainings(row):
    results = zoo.results()
    assert row.get("ahead_of") == scoreboard.next_behind(row["name"])
    if "ahead_of" in row:
        ahead, behind = (results[row[key]]["runs"][0]["test"] for key in ("name", "ahead_of"))
        expected = behind["bits_per_dim"] - ahead["bits_per_dim"]
        assert row["bits_per_dim"] == pytest.approx(expected, abs=2e-5)
        assert row["num_images"] == 10_000
        apart = math.hypot(ahead["standard_error"], behind["standard_error"]) / math.log(2)
        assert 0 < row["standard_error"] < apart  # that is what pairing is for
