"""The Pixel Lab trains as torch does: gradients, Adam, losses; and its digits are the bundled."""

import math

import pytest
import torch
from lab_engine import LAB, ask_lab, needs_node, run_lab
from test_lab_models import entry_of

from pixelar_lib.context import neighbourhood, raster
from pixelar_lib.data import load_mnist
from pixelar_lib.evaluation import KGramBaseline, PixelFrequencyBaseline, evaluate
from pixelar_lib.models import CategoricalPixelPredictor
from pixelar_lib.quantization import dequantize, quantize

DIGITS = ["digits/train.js", "digits/held_out.js", "digits/test.js"]
CONTEXTS = {"neighbourhood": neighbourhood, "raster": raster}
RATES = [0.01, 0.003, 0.02, 0.01]


def small_network(kind, size):
    """Return a network, digits, and some pixels of them, windows repeated."""
    torch.manual_seed(0)
    context = CONTEXTS[kind](size)
    arguments = {"embedding_dim": 3, "hidden_size": 7, "dropout": 0.0, "context": context}
    model = CategoricalPixelPredictor(5, **arguments).double()
    tokens = quantize(load_mnist("train").images[:3], 5)
    places = torch.randint(tokens.numel(), (200,), generator=torch.Generator().manual_seed(1))
    return model, tokens, places


def loss_at(model, tokens, places):
    """Return torch's mean loss of the pixels at places, counted through all images."""
    return model.nll(tokens).flatten()[places].mean()


def gradients_job(kind, size, model, tokens, places, rates):
    weights = {key: values.flatten().tolist() for key, values in model.state_dict().items()}
    job = {"job": "gradients", "weights": weights, "context": [kind, size], "rates": rates}
    return {**job, "numBins": 5, "tokens": tokens.flatten().tolist(), "places": places.tolist()}


@needs_node
@pytest.mark.parametrize(("kind", "size"), [("neighbourhood", 2), ("raster", 4)])
def test_gradients_and_adam(kind, size):
    model, tokens, places = small_network(kind, size)
    [found] = run_lab(gradients_job(kind, size, model, tokens, places, RATES))
    optimizer = torch.optim.Adam(model.parameters())
    for step, rate in enumerate(RATES):
        optimizer.zero_grad()
        loss = loss_at(model, tokens, places)
        loss.backward()
        assert math.isclose(found["losses"][step], loss.item(), rel_tol=1e-9)
        if step == 0:
            for key, parameter in model.named_parameters():
                gradient = torch.tensor(found["gradients"][key], dtype=torch.float64)
                expected = parameter.grad.flatten()
                assert float((gradient - expected).norm() / expected.norm()) < 1e-9, key
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
    for key, parameter in model.state_dict().items():
        weights = torch.tensor(found["weights"][key], dtype=torch.float64)
        torch.testing.assert_close(weights, parameter.flatten(), rtol=1e-7, atol=1e-9)


@needs_node
def test_exact_losses():
    """A held-out loss, and the baselines, are those that the library works out."""
    train, held_out = (quantize(load_mnist(s).images[:n], 16) for s, n in DIGITS_OF.values())
    train, held_out = train[:300], held_out[:50]
    model, _, _ = small_network("raster", 4)
    weights = {key: values.flatten().tolist() for key, values in model.state_dict().items()}
    job = {"job": "losses", "weights": weights, "context": ["raster", 4], "numBins": 5}
    job |= {"images": [len(train), len(held_out)]}
    [found] = run_lab(job, load=DIGITS)
    coarse = held_out * 5 // 16
    expected = [
        evaluate(model, coarse).nats_per_pixel,
        math.log(16),
        evaluate(PixelFrequencyBaseline(train, 16), held_out).nats_per_pixel,
        evaluate(KGramBaseline(train, 16, 1), held_out).nats_per_pixel,
        evaluate(KGramBaseline(train, 16, 3), held_out).nats_per_pixel,
    ]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


DIGITS_OF = {"train": ("train", 2000), "held_out": ("validation", 300)}


@needs_node
def test_digits_are_the_bundled_ones():
    *packed, levels = run_lab(
        *({"job": "digits", "name": name} for name in DIGITS_OF),
        {"job": "levels", "name": "test", "bins": [2, 16, 17, 256]},
        load=DIGITS,
    )
    for found, (split, count) in zip(packed, DIGITS_OF.values(), strict=True):
        digits = load_mnist(split)
        assert found["tokens"] == quantize(digits.images[:count], 16).flatten().tolist()
        assert found["labels"] == "".join(map(str, digits.labels[:count].tolist()))
    digits = load_mnist("test")
    first = torch.stack([digits.images[digits.labels == label][0] for label in range(10)])
    assert levels["labels"] == "0123456789"
    for num_bins, tokens in levels["tokens"].items():
        expected = quantize(first, int(num_bins)).flatten()
        assert tokens == expected.tolist()
        greys = dequantize(expected, int(num_bins)).tolist()
        assert max(abs(a - b) for a, b in zip(levels["greys"][num_bins], greys, strict=True)) < 1e-7


@needs_node
def test_training_learns():
    """A hundred steps are enough to know more than how often each pixel is which grey."""
    job = {"job": "train", "context": ["neighbourhood", 2], "steps": 100, "images": 5}
    short = {**job, "steps": 2}
    first, again, other = run_lab(job, short, {**short, "seed": 1}, load=DIGITS)
    assert first["parameters"] <= 20_000 < first["parameters"] * 1.1
    assert first["losses"][0] > 2.5
    assert first["heldOut"] < 0.6 < first["frequencies"]
    assert first["losses"][:2] == again["losses"]
    assert first["losses"][0] != other["losses"][0]


@needs_node
@pytest.mark.slow  # some seconds of training, and as many of looking at what it brought
def test_training_reaches_the_posts_recipe():
    """The post's ten pixels and its loss, from 2,000 digits; the same steps on each machine."""
    job = {"job": "train", "context": ["raster", 10], "steps": 1500, "images": 300}
    [found] = run_lab(job, load=DIGITS)
    assert found["heldOut"] < 0.51


@needs_node
def test_wrong_arguments_are_refused():
    model, tokens, places = small_network("raster", 4)
    job = gradients_job("raster", 4, model, tokens[:1, :, :27], places[:1], [])
    train = {"job": "train", "steps": 1, "images": 1}
    answers = ask_lab(
        job,
        gradients_job("raster", 4, model, tokens[:1] + 1, places[:1], []),
        {**train, "context": ["raster", 0]},
        {**train, "context": ["neighbourhood", 1.5]},
        {"job": "levels", "name": "test", "bins": [1]},
        load=DIGITS,
    )
    for answer, says in zip(
        answers,
        [
            "756 tokens are no whole number of images of 28 x 28",
            "is 5; it must be 0 to 4",
            "k is 0; it must be at least 1",
            "the radius is 1.5; it must be an integer",
            "K is 1; it must be 2 to 256",
        ],
        strict=True,
    ):
        assert says in answer["error"]


def test_size_of_what_is_loaded():
    """The first drawing needs at most half a megabyte: the code, and the post's network."""
    code = sum(path.stat().st_size for path in LAB.glob("*.js"))
    assert code + (LAB / "weights" / "post-mlp-k16.js").stat().st_size < 500_000
    assert entry_of((LAB / "digits" / "test.js").read_text("utf8"))["count"] == 10
