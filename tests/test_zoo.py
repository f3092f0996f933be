"""The models that ship: whole records, figures that come out again, and files that are intact."""

import json
import math
import re
import statistics
from pathlib import Path

import pytest
import safetensors.torch
import torch
from reader_settings import SETTINGS
from small_trainings import seeded

from experiments.assets import add_asset
from experiments.recipes import RECIPES, Recipe
from experiments.train import plain
from pixelar_lib import runtime, zoo
from pixelar_lib.context import neighbourhood, raster
from pixelar_lib.data import Digits, load_mnist, missing_files
from pixelar_lib.evaluation import PixelFrequencyBaseline, evaluate
from pixelar_lib.models import CategoricalPixelPredictor, PixelCNN, PixelModel
from pixelar_lib.quantization import binarize, quantize
from pixelar_lib.sampling import sample

ROOT = Path(__file__).parent.parent
NAME = "post-mlp-k16"
KINDS = {
    "k16": "16 grey levels",
    "k256": "256 grey levels",
    "k2": "thresholded at 0.5",
    "binary": "dynamically binarised",
}
# sort of a published figure -> what the table says that holds it
SORTS = {
    "exact": "exact likelihoods",
    "ensemble": "an ensemble over orders",
    "upper bound": "upper bounds",
    "dequantised": "upper bounds of dequantised flows",
}
SPLITS = {"validation": 10_000, "test": 10_000, "test_bundled": 2_000}
FEW = 200  # images that the figure "test_200" was measured on, for everybody to compare

each_model = pytest.mark.parametrize("name", zoo.list_pretrained())
each_record = pytest.mark.parametrize("name", zoo.results())


def rewrite_record(name, **changes):
    """Replace parts of a record, with the hash that belongs to it."""
    record = {**zoo.results()[name], **changes}
    add_asset(f"records/trainings/{name}.json", json.dumps(record).encode())


def log_num_bins(name):
    """Return log K, what guessing costs a pixel."""
    record = zoo.results()[name]
    return math.log(zoo.build_model(record["model"], record["arguments"]).num_bins)


# Records


@each_record
def test_record_is_that_of_its_recipe(name):
    record = zoo.results()[name]
    assert record["name"] == name
    assert record["command"] == f"python -m experiments.train {name}"
    recipe, usual = (plain(some) for some in (RECIPES[name], Recipe("A test.")))
    # A field that came later was not used, and has its usual value.
    assert {key: record.get(key, usual[key]) for key in recipe} == recipe


@each_record
def test_record_says_where_it_comes_from(name):
    record = zoo.results()[name]
    assert re.fullmatch("[0-9a-f]{40}(-dirty)?", record["commit"])
    assert {"cpu", "cores", "device", "torch", "python"} <= record["machine"].keys()
    assert all(record["machine"].values())
    model = zoo.build_model(record["model"], record["arguments"])
    assert record["parameters"] == model.num_parameters


def test_minutes_of_one_core_count_the_threads_of_each_training():
    record = {"runs": [{"seconds": 600.0}], "machine": {"threads": 3, "processes": 2}}
    assert zoo.core_minutes(record) == pytest.approx(60)
    record["first_training"] = {"seconds": 480.0, "machine": {"threads": 1}}
    assert zoo.core_minutes(record) == pytest.approx(2 * 6 + 8)
    assert zoo.core_minutes({**record, "runs": [{"seconds": None}]}) is None


@each_record
def test_record_has_a_whole_run_for_each_seed(name):
    record, log_k = zoo.results()[name], log_num_bins(name)
    assert [run["seed"] for run in record["runs"]] == record["seeds"]
    for run in record["runs"]:
        assert run["seconds"] is None or run["seconds"] > 0
        curve = run["curve"]
        held_out = curve["held_out_loss"]
        assert len(curve["steps"]) == len(curve["training_loss"]) > 1
        assert len(held_out) == (0 if record.get("joined_split") else len(curve["steps"]))
        assert curve["steps"][-1] == RECIPES[name].steps
        assert all(0 < loss < log_k for loss in held_out)


@each_record
def test_record_keeps_validation_test_and_bundled_test_apart(name):
    log_k = log_num_bins(name)
    record = zoo.results()[name]
    splits = {**SPLITS, "test_200": FEW} if record["ships_weights"] else {**SPLITS}
    if record.get("joined_split"):  # it was trained on them
        del splits[record["joined_split"]]
        assert record["joined_split"] not in record["runs"][0]
    for run in record["runs"]:
        for split, num_images in splits.items():
            figures = run[split]
            assert (figures["num_images"], figures["pixels_per_image"]) == (num_images, 784)
            nats = figures["nats_per_pixel"]
            most = 0.02 if num_images == FEW else 0.01
            assert 0 < figures["standard_error"] < most < nats < log_k
            assert figures["bits_per_dim"] == pytest.approx(nats / math.log(2))
            assert figures["nats_per_image"] == pytest.approx(nats * 784)
        assert len({run[split]["nats_per_pixel"] for split in splits}) == len(splits)


def test_record_of_a_conditional_model_has_its_accuracy_on_validation_and_test_images():
    conditional = [
        name for name, record in zoo.results().items() if "num_classes" in record["arguments"]
    ]
    for name in conditional:
        for run in zoo.results()[name]["runs"]:
            for part in ("validation_accuracy", "test_accuracy"):
                found = run[part]
                assert found["num_images"] == 10_000
                least = 0.97 if zoo.results()[name]["ships_weights"] else 0.6
                assert least < found["low"] < found["share"] < found["high"] < 1


def test_the_posts_own_run_lies_within_two_standard_deviations_of_its_recipe():
    runs = zoo.results()["post-recipe"]["runs"]
    nats = [run["test"]["nats_per_pixel"] for run in runs]
    assert len(nats) == 5
    assert abs(0.5118 - statistics.mean(nats)) < 2 * statistics.stdev(nats)


def test_all_images_beat_255_of_them_in_as_many_steps():
    few, all_images = (zoo.results()[name] for name in ("post-recipe", "post-recipe-all-images"))
    assert few["fit"]["steps"] == all_images["fit"]["steps"]
    assert few["parameters"] == all_images["parameters"]
    best = min(run["test"]["nats_per_pixel"] for run in few["runs"])
    assert all(run["test"]["nats_per_pixel"] < best - 0.005 for run in all_images["runs"])


# What others have published, and how fast the models draw


@pytest.mark.parametrize("entry", zoo.published(), ids=lambda entry: entry["model"])
def test_published_figure_has_a_kind_a_unit_and_a_source(entry):
    assert entry["mnist"] in KINDS.values()
    assert entry["figure"] in SORTS
    assert ("bits_per_dim" in entry) != ("nats_per_image" in entry)
    assert entry["source"]
    if entry["cite"] is not None:
        assert f"{{{entry['cite']}," in (ROOT / "book" / "references.bib").read_text("utf8")


def test_page_of_results_cites_every_source_that_has_an_entry():
    page = (ROOT / "notebooks" / "91_results.ipynb").read_text("utf8")
    for entry in zoo.published():
        assert entry["cite"] is None or entry["cite"] in page
        assert entry["source"] in page


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("kind", KINDS.values())
def test_published_figures_stand_in_tables_by_kind_and_by_sort(kind, sort):
    """A bound is no likelihood, and no figure of one kind of data stands beside another."""
    chosen = [
        entry for entry in zoo.published() if (entry["mnist"], entry["figure"]) == (kind, sort)
    ]
    tables = re.findall(f"<caption>{kind}, {SORTS[sort]}</caption>.*?</table>", shown_by_results())
    assert len(tables) == bool(chosen)
    for table in tables:
        ours = [name for name in zoo.list_pretrained() if zoo.info(name)["mnist"] == kind]
        assert table.count("<tr>") == 1 + len(chosen) + len(ours)
        for entry in chosen:
            figure = str(entry.get("bits_per_dim", entry.get("nats_per_image")))
            assert all(part in table for part in (entry["model"], entry["source"], figure))


def shown_by_results():
    """Return the tables that the page of results shows."""
    page = json.loads((ROOT / "notebooks" / "91_results.ipynb").read_text("utf8"))
    outputs = [output for cell in page["cells"] for output in cell.get("outputs", [])]
    return "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)


def test_figures_nobody_checked_are_printed_nowhere():
    pages = [
        *(ROOT / "book").glob("*.md"),
        *(ROOT / "notebooks").glob("*.ipynb"),
        ROOT / "README.md",
    ]
    for page in pages:
        for figure in ("77.58", "79.20", "81.30", "88.04", "88.86", "76.93", "77.87"):
            assert figure not in page.read_text("utf8"), page.name


def test_drawing_times_are_those_of_the_models_that_ship():
    record = json.loads(runtime.read_asset("records/measurements/drawing.json"))
    assert [*record["seconds"]] == zoo.list_pretrained()
    assert all(0 < one < many for one, many in record["seconds"].values())
    assert {"cpu", "cores", "threads"} <= record["machine"].keys() and record["commit"]


# Models


def test_list_holds_the_names_that_the_book_relies_on_and_only_models_with_weights():
    names = zoo.list_pretrained()
    assert {"post-mlp-k16", "neighbourhood-mlp-k16"} <= set(names) and names == sorted(names)
    ships = {name for name, record in zoo.results().items() if record["ships_weights"]}
    assert set(names) == ships
    files = {file.stem for file in (runtime.ASSETS / "weights").iterdir()}
    with_priors = {name for name, record in zoo.vqvae_results().items() if record["ships_weights"]}
    with_priors |= {f"{name}-prior" for name in with_priors}
    assert ships == files - {zoo.CLASSIFIER} - with_priors


def labels_for(model, digits):
    """Return the labels of digits for a conditional model, None for another."""
    return None if model.num_classes is None else digits.labels


def assert_figure_comes_out_again(name, digits, figure):
    model, info = zoo.load_pretrained(name), zoo.info(name)
    tokens = zoo.to_tokens(digits.images, model.num_bins, info["data"])
    measured = evaluate(model, tokens, labels_for(model, digits))
    recorded = info["runs"][0][figure]
    assert measured.num_images == recorded["num_images"]
    assert measured.nats_per_pixel == pytest.approx(recorded["nats_per_pixel"], abs=1e-5)
    assert measured.standard_error == pytest.approx(recorded["standard_error"], abs=1e-5)


@each_model
def test_recorded_figure_comes_out_again_on_a_few_test_images(name):
    digits = load_mnist("test")
    few = Digits(digits.images[:FEW], digits.labels[:FEW])
    assert_figure_comes_out_again(name, few, "test_200")


@pytest.mark.slow  # a minute for all
@each_model
def test_recorded_figure_comes_out_again_on_the_bundled_test_images(name):
    assert_figure_comes_out_again(name, load_mnist("test"), "test_bundled")


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_files()), reason="needs the full MNIST, see PIXELAR_DATA")
@pytest.mark.parametrize("name", ["post-mlp-k16", "neighbourhood-mlp-k16"])  # seconds, not minutes
def test_recorded_figure_comes_out_again_on_all_test_images(name):
    assert_figure_comes_out_again(name, load_mnist("test", "full"), "test")


@each_model
def test_model_keeps_the_contract_on_digits(name):
    model = zoo.load_pretrained(name)
    assert isinstance(model, PixelModel) and not model.training
    assert model.device == torch.device("cpu")
    tokens = quantize(load_mnist("test").images[:1], model.num_bins)
    place = torch.arange(784).view(28, 28)
    changed = [
        torch.where(place < pixel, tokens, (tokens + 1) % model.num_bins)
        for pixel in range(0, 784, 87)  # on a diagonal
    ]
    labels = None if model.num_classes is None else torch.full((len(changed) + 1,), 7)
    with torch.no_grad():
        logits = model(torch.cat([tokens, *changed]), labels)
    assert logits.shape == (len(changed) + 1, model.num_bins, 28, 28)
    assert logits.dtype == torch.float32 and logits.isfinite().all()
    for number, pixel in enumerate(range(0, 784, 87), start=1):
        before = place <= pixel  # the prediction for the pixel itself sees nothing that changed
        torch.testing.assert_close(logits[number][:, before], logits[0][:, before])
    drawn = sample(model, 2, labels=None if labels is None else labels[:2])
    assert drawn.shape == (2, 28, 28) and 0 <= drawn.min() <= drawn.max() < model.num_bins


@each_model
def test_weights_are_stored_as_float16_and_loaded_as_float32(name):
    stored = safetensors.torch.load(runtime.read_asset(f"weights/{name}.safetensors"))
    model = zoo.load_pretrained(name)
    for key, value in model.state_dict().items():
        assert stored[key].dtype == torch.float16 and value.dtype == torch.float32
        assert torch.equal(value, stored[key].float())  # so the figures are those of these weights
    assert len(stored) == len(model.state_dict())


@each_model
def test_info_tells_what_the_model_is_and_how_good(name):
    info = zoo.info(name)
    model = zoo.load_pretrained(name)
    assert info["num_bins"] == model.num_bins
    assert info["mnist"] == KINDS[name.rsplit("-")[-1]]
    assert info["runs"] == zoo.results()[name]["runs"]
    assert info["parameters"] == model.num_parameters


def test_each_call_returns_a_model_of_its_own():
    first, second = zoo.load_pretrained(NAME), zoo.load_pretrained(NAME)
    with torch.no_grad():
        first.embedding.weight.zero_()
    assert second.embedding.weight.any()


def test_changing_a_record_changes_no_other():
    zoo.results()[NAME]["runs"].clear()
    assert zoo.results()[NAME]["runs"]


# The tokens that figures are measured on


# name of the kind -> K, and the tokens of images under the noise of `to_tokens`
TOKENS = {
    "grey": (16, lambda images, noise: quantize(images, 16)),
    "thresholded": (2, lambda images, noise: (images >= 128).long()),
    "binarized": (2, lambda images, noise: binarize(images, noise)),
}


@pytest.mark.parametrize("data", zoo.DATA_KINDS)
def test_tokens_of_each_kind_of_data_are_the_same_each_time(data):
    images = load_mnist("test").images[:3]
    num_bins, expected = TOKENS[data]
    tokens = zoo.to_tokens(images, num_bins, data)
    assert tokens.dtype == torch.long and tokens.unique().tolist() == [*range(num_bins)]
    assert torch.equal(tokens, expected(images, seeded(0)))
    assert torch.equal(tokens, zoo.to_tokens(images, num_bins, data))
    again = zoo.DATA_KINDS[data].to_tokens(images, num_bins, seeded(1))
    assert zoo.DATA_KINDS[data].is_random != torch.equal(again, tokens)


def test_tokens_are_of_grey_levels_unless_told():
    images = load_mnist("test").images[:3]
    assert torch.equal(zoo.to_tokens(images, 8), zoo.to_tokens(images, 8, "grey"))


@pytest.mark.parametrize("data", ["shifted", "", None, 2])
def test_tokens_of_an_unknown_kind_are_refused(data):
    with pytest.raises(ValueError, match=rf"data {data!r} does not exist.*'binarized'"):
        zoo.to_tokens(load_mnist("test").images[:1], 2, data)


def test_every_kind_is_described_and_every_record_is_of_one():
    described = {kind.description.format(num_bins=16) for kind in zoo.DATA_KINDS.values()}
    assert described == {KINDS["k16"], KINDS["k2"], KINDS["binary"]}
    assert {record["data"] for record in zoo.results().values()} == {*zoo.DATA_KINDS}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", [NAME, "pixelcnn-k16"])
def test_a_loaded_model_is_the_same_whatever_a_reader_has_set(name, setting):
    expected = zoo.load_pretrained(name).state_dict()
    with SETTINGS[setting]():
        model = zoo.load_pretrained(name)
    assert not model.training and model.device == torch.device("cpu")
    assert model.state_dict().keys() == expected.keys()
    for key, value in model.state_dict().items():
        assert value.dtype == torch.float32 and torch.equal(value, expected[key])


# Building a model from its record


def test_build_model_with_each_kind_of_context():
    ten = zoo.build_model("CategoricalPixelPredictor", {})
    assert ten.context == raster(10) and ten.num_parameters == 152_624  # like the post's
    arguments = {"neighbourhood": 2, "embedding_dim": 4, "num_bins": 8}
    near = zoo.build_model("CategoricalPixelPredictor", arguments)
    assert near.context == neighbourhood(2) and near.num_bins == 8
    assert arguments == {"neighbourhood": 2, "embedding_dim": 4, "num_bins": 8}  # left alone


@pytest.mark.parametrize("name", ["NoSuchModel", "evaluating", "base", "torch"])
def test_build_model_knows_only_models(name):
    with pytest.raises(ValueError, match=f"no model class is called '{name}'"):
        zoo.build_model(name, {})


# What can go wrong


@pytest.mark.parametrize("function", [zoo.load_pretrained, zoo.info])
@pytest.mark.parametrize("name", ["no-such-model", "", "post-recipe"])
def test_unknown_name_is_answered_with_those_there_are(function, name):
    with pytest.raises(ValueError, match=f"no model is called '{name}'.*{NAME}"):
        function(name)


def test_a_record_without_weights_is_no_model(assets):
    rewrite_record(NAME, ships_weights=False)
    assert NAME in zoo.results() and NAME not in zoo.list_pretrained()
    with pytest.raises(ValueError, match="no model is called"):
        zoo.load_pretrained(NAME)


def truncate(content):
    return content[:-100]


def flip_a_bit(content):
    return content[:-1] + bytes([content[-1] ^ 1])


def empty(content):
    return b""


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty])
@pytest.mark.parametrize("file", [f"weights/{NAME}.safetensors", f"records/trainings/{NAME}.json"])
def test_a_damaged_file_is_refused(assets, damage, file):
    file = assets / file
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=rf"{re.escape(file.name)}.*truncated or altered"):
        zoo.load_pretrained(NAME)


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty])
@pytest.mark.parametrize(
    "file", [f"weights/{zoo.CLASSIFIER}.safetensors", f"records/{zoo.CLASSIFIER}.json"]
)
def test_a_damaged_classifier_is_refused(assets, damage, file):
    file = assets / file
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=rf"{re.escape(file.name)}.*truncated or altered"):
        zoo.load_classifier()


def test_missing_weights_are_refused(assets):
    (assets / f"weights/{NAME}.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="missing"):
        zoo.load_pretrained(NAME)


def test_weights_of_another_architecture_are_refused(assets):
    other = runtime.read_asset("weights/neighbourhood-mlp-k16.safetensors")
    add_asset(f"weights/{NAME}.safetensors", other)
    with pytest.raises(ValueError, match=f"weights '{NAME}' are of another architecture"):
        zoo.load_pretrained(NAME)


def test_load_weights_wants_every_tensor_and_no_other():
    model = CategoricalPixelPredictor(4)
    state = model.state_dict()
    first = next(iter(state))
    without = {key: value for key, value in state.items() if key != first}
    for wrong in (without, {**state, "more": torch.zeros(1)}, {**state, first: torch.zeros(2)}):
        with pytest.raises(ValueError, match="another architecture"):
            zoo.load_weights(model, wrong, "some weights")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_bins": 4, "channels": 8}, r"size mismatch for embedding.weight.*\[3, 8\].*\[4, 8\]"),
        ({"num_bins": 3, "channels": 16}, r"size mismatch for vertical.weight"),
        ({"num_bins": 3, "channels": 8, "dilations": (1,)}, r"Unexpected key.*blocks.1"),
        ({"num_bins": 3, "channels": 8, "num_classes": 10}, r"Missing key.*label_embedding"),
    ],
)
def test_weights_with_another_k_width_depth_or_labels_are_refused(arguments, message):
    state = PixelCNN(3, 8).state_dict()
    with pytest.raises(ValueError, match=f"(?s)'mine' are of another architecture.*{message}"):
        zoo.load_weights(PixelCNN(**arguments), state, "mine")


def test_weights_for_another_image_size_are_refused():
    baselines = [
        PixelFrequencyBaseline(torch.zeros(1, *size).long(), 3) for size in ((2, 2), (3, 3))
    ]
    with pytest.raises(ValueError, match=r"(?s)another architecture.*size mismatch"):
        zoo.load_weights(baselines[0], baselines[1].state_dict(), "mine")


def test_load_weights_turns_float16_into_float32():
    model, other = CategoricalPixelPredictor(4), CategoricalPixelPredictor(4)
    zoo.load_weights(model, {key: value.half() for key, value in other.state_dict().items()}, "x")
    for key, value in model.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, other.state_dict()[key].half().float())
