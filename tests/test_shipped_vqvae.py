"""The autoencoders and priors that were trained: whole records, and figures that come out again."""

import json
import math
import re
from dataclasses import asdict

import pytest
import torch
from small_trainings import seeded

from experiments.assets import add_asset
from experiments.vqvae_recipes import RECIPES
from pixelar_lib import runtime, zoo
from pixelar_lib.classification import accuracy
from pixelar_lib.data import load_mnist, missing_files
from pixelar_lib.evaluation import evaluate
from pixelar_lib.models import PixelModel, perplexity
from pixelar_lib.models.vqvae import PIXEL_VARIANCE
from pixelar_lib.sampling import sample

NAME = "vqvae-7x7x128"
SPLITS = {"validation": 10_000, "test": 10_000, "test_bundled": 2_000}

each_record = pytest.mark.parametrize("name", RECIPES)


@pytest.fixture(scope="module")
def shipped():
    return zoo.load_vqvae(NAME)


# Records


def test_there_is_a_record_for_each_recipe():
    assert {*zoo.vqvae_results()} == {*RECIPES}


@each_record
def test_record_is_that_of_its_recipe(name):
    record = zoo.vqvae_results()[name]
    assert record["name"] == name
    assert record["command"] == f"python -m experiments.train_vqvae {name}"
    recipe = json.loads(json.dumps(asdict(RECIPES[name])))
    assert {key: record[key] for key in recipe} == recipe
    assert name == "vqvae-{grid}x{grid}x{num_codes}".format(**record["autoencoder"])


@each_record
def test_record_says_where_it_comes_from_and_how_it_went(name):
    record = zoo.vqvae_results()[name]
    assert re.fullmatch("[0-9a-f]{40}", record["commit"]) and all(record["machine"].values())
    for part, settings in (("autoencoder", "autoencoder_fit"), ("prior", "prior_fit")):
        run = record["runs"][part]
        curve = run["curve"]
        assert run["seconds"] > 0 and curve["steps"][-1] == record[settings]["steps"]
        assert len(curve["steps"]) == len(curve["training_loss"]) == len(curve["held_out_loss"])
        assert curve["held_out_loss"][-1] < curve["held_out_loss"][0]


@each_record
def test_record_keeps_validation_test_and_bundled_test_apart(name):
    record = zoo.vqvae_results()[name]
    grid, num_codes = record["autoencoder"]["grid"], record["autoencoder"]["num_codes"]
    for split, number in SPLITS.items():
        found = record[split]
        assert found["num_images"] == number and found["codes_per_image"] == grid**2
        assert found["error_over_variance"] == pytest.approx(
            found["squared_error"] / PIXEL_VARIANCE
        )
        assert 0 < found["squared_error_standard_error"] < 0.1 * found["squared_error"]
        assert 1 < found["perplexity"] <= found["codes_used"] <= num_codes
        assert found["uniform_nats_per_image"] == pytest.approx(grid**2 * math.log(num_codes))
        assert 0 < found["prior_nats_per_image"] < found["uniform_nats_per_image"]
        codes = found["prior_nats_per_code"] * grid**2
        assert found["prior_nats_per_image"] == pytest.approx(codes)
    assert len({record[split]["squared_error"] for split in SPLITS}) == 3


def test_more_codes_cost_more_and_lose_less_but_for_the_largest_codebook():
    """The rate-distortion table: in as many steps, 512 codes learn no more than 128 do."""
    rows = [zoo.vqvae_results()[name]["test"] for name in RECIPES]
    losses = [row["error_over_variance"] for row in rows]
    costs = [row["prior_nats_per_image"] for row in rows]
    assert losses[:3] == sorted(losses[:3], reverse=True) and costs == sorted(costs)
    assert losses[3] == pytest.approx(losses[2], abs=0.003)


def test_all_four_differ_in_their_codes_alone():
    records = [*zoo.vqvae_results().values()]
    for field in ("autoencoder_fit", "prior", "prior_fit", "seed"):
        assert all(record[field] == records[0][field] for record in records)
    for record in records:
        assert {*record["autoencoder"]} == {"num_codes", "grid"}
        others = {**record["prior_arguments"], "num_bins": None}
        assert others == {**records[0]["prior_arguments"], "num_bins": None}


def test_the_codes_lose_little_are_all_in_use_and_cost_half_of_what_guessing_does():
    test = zoo.vqvae_results()[NAME]["test"]
    assert test["error_over_variance"] <= 0.030 and test["perplexity"] >= 100
    assert test["prior_nats_per_image"] < 0.5 * test["uniform_nats_per_image"]


# Models


def test_what_loads_is_what_was_recorded(shipped):
    autoencoder, prior = shipped
    record = zoo.vqvae_results()[NAME]
    assert isinstance(prior, PixelModel) and not isinstance(autoencoder, PixelModel)
    assert not autoencoder.training and not prior.training
    assert (autoencoder.num_codes, autoencoder.grid) == (128, 7) == (prior.num_bins, 7)
    assert autoencoder.num_parameters == record["parameters"]
    assert prior.num_parameters == record["prior_parameters"] and prior.num_classes == 10
    for model in shipped:
        for value in model.state_dict().values():
            assert value.dtype == torch.float32 and torch.equal(value, value.half().float())


def test_recorded_figures_come_out_again_on_the_bundled_test_images(shipped):
    autoencoder, prior = shipped
    digits, recorded = load_mnist("test"), zoo.vqvae_results()[NAME]["test_bundled"]
    tokens = autoencoder.encode(digits.images)
    error = float((autoencoder.decode(tokens) - digits.images / 255).square().mean())
    assert error == pytest.approx(recorded["squared_error"], rel=1e-4)
    assert perplexity(tokens, 128) == pytest.approx(recorded["perplexity"], rel=1e-4)
    few = evaluate(prior, tokens[:500], digits.labels[:500])
    assert abs(few.nats_per_image - recorded["prior_nats_per_image"]) < 3 * (
        few.standard_error * 49 + recorded["prior_standard_error"]
    )


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_files()), reason="needs the full MNIST, see PIXELAR_DATA")
def test_recorded_figures_come_out_again_on_all_test_images(shipped):
    autoencoder, prior = shipped
    digits, recorded = load_mnist("test", "full"), zoo.vqvae_results()[NAME]["test"]
    tokens = autoencoder.encode(digits.images)
    error = float(autoencoder.held_out_loss(digits.images, None).mean())
    assert error == pytest.approx(recorded["error_over_variance"], rel=1e-4)
    cost = evaluate(prior, tokens, digits.labels)
    assert cost.nats_per_image == pytest.approx(recorded["prior_nats_per_image"], rel=1e-4)


def test_drawings_are_read_as_the_labels_asked_for(shipped):
    autoencoder, prior = shipped
    labels = torch.arange(500) % 10
    tokens = sample(prior, 500, labels=labels, image_size=7, generator=seeded(3))
    assert tokens.shape == (500, 7, 7) and perplexity(tokens, 128) > 80
    read = zoo.load_classifier().read(autoencoder.decode(tokens)).labels
    assert accuracy(read, labels).high >= 0.92


def test_codes_that_no_model_chose_are_not_read_as_digits(shipped):
    """Drawings come from the prior: codes drawn one by one, as frequent as they are, make none."""
    autoencoder, _ = shipped
    tokens = autoencoder.encode(load_mnist("validation").images).flatten()
    labels = torch.arange(300) % 10
    drawn = tokens[torch.randint(len(tokens), (300, 7, 7), generator=seeded(0))]
    read = zoo.load_classifier().read(autoencoder.decode(drawn)).labels
    assert accuracy(read, labels).high < 0.3


# What can go wrong


def test_it_is_no_pixel_model():
    assert not {*zoo.vqvae_results()} & {*zoo.list_pretrained()} and NAME not in zoo.results()
    with pytest.raises(ValueError, match="no model is called"):
        zoo.load_pretrained(NAME)


@pytest.mark.parametrize("name", ["pixelcnn-k16", f"{NAME}-prior", "vqvae-7x7x32", "", None])
def test_unknown_name_is_answered_with_those_there_are(name):
    if name in RECIPES and RECIPES[name].ships_weights:
        pytest.skip("its weights ship")
    with pytest.raises(ValueError, match=f"no VQ-VAE is called {name!r}.*{NAME}"):
        zoo.load_vqvae(name)


def test_a_checkpoint_of_one_in_the_place_of_the_other_is_refused(assets):
    files = [f"weights/{name}.safetensors" for name in (NAME, f"{NAME}-prior")]
    contents = [runtime.read_asset(file) for file in files]
    add_asset(files[0], contents[1])
    with pytest.raises(ValueError, match=rf"'{NAME}' are of another architecture than this VQVAE"):
        zoo.load_vqvae(NAME)
    add_asset(files[0], contents[0])
    add_asset(files[1], contents[0])
    with pytest.raises(ValueError, match=f"'{NAME}-prior' are of another.*RasterLSTM"):
        zoo.load_vqvae(NAME)


@pytest.mark.parametrize(
    ("field", "change", "words"),
    [
        ("autoencoder", {"num_codes": 64}, r"size mismatch for codebook.vectors"),
        ("autoencoder", {"grid": 3}, r"architecture than this VQVAE"),
        ("prior_arguments", {"num_bins": 64}, r"size mismatch for embedding.weight"),
    ],
)
def test_a_codebook_of_another_size_is_refused(assets, field, change, words):
    record = zoo.vqvae_results()[NAME]
    record[field] |= change
    add_asset(f"records/autoencoders/{NAME}.json", json.dumps(record).encode())
    with pytest.raises(ValueError, match=f"(?s)another architecture.*{words}|{words}"):
        zoo.load_vqvae(NAME)


@pytest.mark.parametrize(
    "file",
    [
        f"weights/{NAME}.safetensors",
        f"weights/{NAME}-prior.safetensors",
        f"records/autoencoders/{NAME}.json",
    ],
)
def test_a_damaged_file_is_refused(assets, file):
    content = (assets / file).read_bytes()
    for damaged in (content[:-100], content[:-1] + bytes([content[-1] ^ 1]), b""):
        (assets / file).write_bytes(damaged)
        with pytest.raises(ValueError, match="truncated or altered"):
            zoo.load_vqvae(NAME)
    (assets / file).unlink()
    if file.startswith("weights"):
        with pytest.raises(FileNotFoundError, match="missing"):
            zoo.load_vqvae(NAME)
