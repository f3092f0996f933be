"""The Pixel Lab's networks are torch's: weights, logits and receptive fields."""

import json

import pytest
import torch
from lab_engine import LAB, ask_lab, needs_node, run_lab

from experiments import export_lab
from pixelar_lib.context import neighbourhood, raster
from pixelar_lib.data import load_mnist
from pixelar_lib.models import CategoricalPixelPredictor, PixelCNN
from pixelar_lib.quantization import quantize
from pixelar_lib.zoo import load_pretrained

each_model = pytest.mark.parametrize("name", export_lab.MODELS)


def rounded(model):
    """Round a model's weights to float16, as shipped ones are."""
    model.load_state_dict({key: x.half().float() for key, x in model.state_dict().items()})
    return model.eval()


def small_models():
    """Return random networks: labels, other sizes, and widths that no product divides evenly."""
    torch.manual_seed(0)
    models = {
        "labels": PixelCNN(5, channels=7, dilations=(1, 2), num_classes=3),
        "wide": PixelCNN(256, channels=6, dilations=(3,)),
        "window": CategoricalPixelPredictor(3, 4, embedding_dim=3, hidden_size=9),
        "around": CategoricalPixelPredictor(
            4, embedding_dim=2, hidden_size=6, context=neighbourhood(2), num_classes=2
        ),
    }
    return {name: rounded(model) for name, model in models.items()}


SMALL = small_models()
each_small_model = pytest.mark.parametrize("name", SMALL)


def entry_of(script):
    """Return the entry that a script adds, which is JSON."""
    return json.loads(script.split("] = ", 1)[1].rstrip().removesuffix(";"))


def options(model, label, height, width):
    return {"height": height, "width": width} | ({} if label is None else {"label": label})


def predicted(model, images, label=None):
    """Return what torch predicts for all pixels: (N, H W, K)."""
    labels = None if label is None else torch.full((len(images),), label)
    with torch.inference_mode():
        return model(images, labels).flatten(2).transpose(1, 2)


def logits_job(name, model, images, label=None, pixels=None):
    """Return the job that predicts some or all pixels of images, one after the other."""
    size = images.shape[1:]
    pixels = [*range(size.numel())] if pixels is None else pixels
    job = {"job": "logits", "name": name, "images": images.flatten(1).tolist(), "pixels": pixels}
    return {**job, "options": options(model, label, *size)}


def some_label(model):
    """Return a label that a model takes: None for one without labels."""
    return None if model.num_classes is None else 1


def define(name):
    """Return the job that gives the lab a small model."""
    return {"job": "define", "name": name, "entry": export_lab.model_entry(SMALL[name])}


def test_exported_files_are_up_to_date():
    stale = "is not what experiments.export_lab writes; run it again"
    for path, text in export_lab.scripts().items():
        assert (LAB / path).read_text("utf8") == text, f"{path} {stale}"
    there = {path.relative_to(LAB).as_posix() for path in LAB.glob("*/*.js")}
    assert {path for path in there if not path.startswith("page/")} == set(export_lab.scripts())


@needs_node
@each_model
def test_weights_are_the_shipped_ones(name):
    [found] = run_lab({"job": "weights", "name": name}, load=[f"weights/{name}.js"])
    shipped = load_pretrained(name).state_dict()
    assert list(found) == list(shipped)
    for key, values in shipped.items():
        assert torch.equal(torch.tensor(found[key]), values.flatten()), key


def test_weights_that_float16_would_round_are_refused():
    with pytest.raises(ValueError, match="float16"):
        export_lab.model_entry(PixelCNN(2, channels=2, dilations=(1,)))


@needs_node
@each_model
def test_logits(name):
    """The lab sums in double precision, so it is nearer to torch's doubles than torch's floats."""
    model = load_pretrained(name)
    digits = quantize(load_mnist("test").images[:2], model.num_bins)
    noise = torch.randint(model.num_bins, (1, 28, 28), generator=torch.Generator().manual_seed(0))
    images = torch.cat([digits, noise])
    label = some_label(model)
    [found] = run_lab(logits_job(name, model, images, label), load=[f"weights/{name}.js"])
    found = torch.tensor(found, dtype=torch.float64)
    in_float32 = predicted(model, images, label).double()
    torch.testing.assert_close(found, in_float32, rtol=3e-6, atol=1e-4)
    torch.testing.assert_close(found, predicted(model.double(), images, label), rtol=0, atol=1e-9)


@needs_node
@each_small_model
def test_logits_of_small_models(name):
    model = SMALL[name]
    images = torch.randint(model.num_bins, (2, 7, 9), generator=torch.Generator().manual_seed(1))
    labels = range(model.num_classes) if model.num_classes else [None]
    jobs = [logits_job(name, model, images, label) for label in labels]
    for label, found in zip(labels, run_lab(define(name), *jobs)[1:], strict=True):
        expected = predicted(model, images, label)
        torch.testing.assert_close(torch.tensor(found), expected, rtol=0, atol=1e-5)


@needs_node
@each_small_model
def test_pixels_can_be_asked_for_in_any_order(name):
    model = SMALL[name]
    images = torch.randint(model.num_bins, (4, 6, 5), generator=torch.Generator().manual_seed(2))
    images[1] = images[0]
    images[2, :3] = images[1, :3]
    label = some_label(model)
    pixels = [0, 1, 2, 3, 17, 18, 7, 8, 29, 6, 17, 0, 1, 28, 28, 9]
    _, found = run_lab(define(name), logits_job(name, model, images, label, pixels))
    expected = predicted(model, images, label)[:, pixels]
    torch.testing.assert_close(torch.tensor(found), expected, rtol=0, atol=1e-5)


@needs_node
@each_small_model
def test_work_comes_in_pieces(name):
    """A PixelCNN has its vertical layers to run where a row begins; the last bits stay the same."""
    model = SMALL[name]
    tokens = torch.randint(model.num_bins, (30,), generator=torch.Generator().manual_seed(3))
    job = {"job": "pieces", "name": name, "tokens": tokens.tolist()}
    _, found = run_lab(define(name), {**job, "options": options(model, some_label(model), 6, 5)})
    layers = 1 + len(model.dilations) if isinstance(model, PixelCNN) else 0
    assert found == {"pieces": [layers, 0, 0, 0, 0] * 6, "isEqual": True}


@needs_node
def test_scripts_load_in_any_order_and_leave_one_name():
    jobs = [{"job": "globals"}, {"job": "weights", "name": "post-mlp-k16"}]
    answers = ask_lab(*jobs, load=["weights/post-mlp-k16.js"], backwards=True)
    assert answers[0] == {"result": ["PixelLab"]}
    assert "embedding.weight" in answers[1]["result"]


@needs_node
@each_model
def test_receptive_field(name):
    model = load_pretrained(name)
    places = [(0, 0), (5, 0), (5, 27), (14, 14), (27, 3)]
    job = {"job": "fields", "name": name, "places": places, "height": 28, "width": 28}
    [found] = run_lab(job, load=[f"weights/{name}.js"])
    for (row, column), field in zip(places, found, strict=True):
        expected = model.receptive_field(row, column, 28, 28)
        assert torch.equal(torch.tensor(field).bool(), expected.flatten()), (row, column)


@needs_node
def test_receptive_field_of_a_small_model():
    model = SMALL["labels"]
    places = [(row, column) for row in range(11) for column in range(13)]
    job = {"job": "fields", "name": "labels", "places": places, "height": 11, "width": 13}
    _, found = run_lab(define("labels"), job)
    expected = torch.stack([model.receptive_field(*place, 11, 13).flatten() for place in places])
    assert torch.equal(torch.tensor(found).bool(), expected)


REFUSED = [
    ("labels", {"options": {"height": 2, "width": 2}}, "give a label, 0 to 2"),
    ("labels", {"options": {"height": 2, "width": 2, "label": 3}}, "must be 0 to 2"),
    ("window", {"options": {"height": 2, "width": 2, "label": 0}}, "no labels"),
    ("window", {"options": {"height": 0, "width": 2}}, "height is 0; it must be at least 1"),
    ("window", {"options": {"height": 3, "width": 2}}, "3 x 2 has 6 pixels, not 4"),
    ("window", {"pixels": [4]}, "the pixel is 4; it must be 0 to 3"),
    ("wide", {"pixels": [-1]}, "the pixel is -1; it must be 0 to 3"),
    ("wide", {"pixels": [0.5]}, "the pixel is 0.5; it must be an integer"),
    ("window", {"images": [[0, 3, 0, 0]]}, "the token at pixel 1 is 3; it must be 0 to 2"),
    (
        "labels",
        {"images": [[9, 3, 0, 0]], "options": {"height": 2, "width": 2, "label": 0}},
        "the token at pixel 0 is 9; it must be 0 to 4",
    ),
    ("absent", {}, "weights/absent.js is not loaded"),
]


@needs_node
def test_wrong_arguments_are_refused():
    job = {"job": "logits", "images": [[0] * 4], "pixels": [3]}
    job |= {"options": {"height": 2, "width": 2}}
    jobs = [{**job, "name": name, **given} for name, given, _ in REFUSED]
    answers = ask_lab(*map(define, SMALL), *jobs)[len(SMALL) :]
    for (*_, says), answer in zip(REFUSED, answers, strict=True):
        assert says in answer["error"]


def test_contexts_are_exported_as_offsets():
    assert export_lab.context_entry(raster(3)) == {
        "wraps": True,
        "offsets": [[0, -3], [0, -2], [0, -1]],
    }
    around = {"wraps": False, "offsets": [[-1, -1], [-1, 0], [-1, 1], [0, -1]]}
    assert export_lab.context_entry(neighbourhood(1)) == around
