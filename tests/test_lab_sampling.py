"""The Pixel Lab draws what `sample` draws, pixel by pixel, from the same seed."""

import pytest
import torch
from lab_engine import ask_lab, needs_node, run_lab
from test_lab_models import SMALL, define

from experiments import export_lab
from pixelar_lib.data import load_mnist
from pixelar_lib.next_token import draw, next_token_distribution
from pixelar_lib.quantization import quantize
from pixelar_lib.runtime import seeded_generator
from pixelar_lib.sampling import UNKNOWN, sample_with_trace
from pixelar_lib.zoo import load_pretrained

pytestmark = needs_node

NEAR = 1e-5  # a uniform number that near to a border may fall on either side of it
MOST_TIES = 1e-4  # of all pixels
KEYS = {"temperature": "temperature", "top_k": "topK", "top_p": "topP", "seed": "seed"}


def python_and_lab(name, model, num_images, seeds, known=None, labels=None, **choice):
    """Draw with both under some seeds: traces, and the lab's answers."""
    if labels is None and model.num_classes is not None:
        labels = torch.arange(num_images) % model.num_classes
    traces, jobs = [], []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        given = {"known": known, "labels": labels, "generator": generator}
        traces.append(sample_with_trace(model, num_images, **given, **choice))
        options = {KEYS[key]: value for key, value in {**choice, "seed": seed}.items()}
        options |= {} if known is None else {"known": known.flatten().tolist()}
        options |= {} if labels is None else {"labels": labels.tolist()}
        options |= dict(zip(("height", "width"), traces[-1].tokens.shape[1:], strict=True))
        job = {"job": "draw", "name": name, "numImages": num_images, "options": options}
        jobs.append({**job, "expected": traces[-1].tokens.flatten(1).tolist()})
    if name in SMALL:
        return traces, run_lab(define(name), *jobs)[1:]
    return traces, run_lab(*jobs, load=[f"weights/{name}.js"])


def assert_equal_drawings(traces, answers):
    """Assert that tokens and traces agree, up to ties, and that these are few."""
    ties = [other for answer in answers for other in answer["others"]]
    assert [tie for tie in ties if tie["margin"] >= NEAR] == []
    for tie in ties:
        print(f"a tie: {tie}")
    near, pixels = sum(answer["near"] for answer in answers), sum(t.tokens.numel() for t in traces)
    print(f"{len(ties)} ties, {near} uniform numbers near a border, {pixels} pixels")
    assert len(ties) <= MOST_TIES * pixels
    for trace, answer in zip(traces, answers, strict=True):
        same = torch.ones(trace.tokens.shape, dtype=torch.bool).flatten(1)
        for tie in answer["others"]:
            same[tie["image"], tie["pixel"]] = False
        for found, expected in [
            (answer["tokens"], trace.tokens),
            (answer["chosenProbability"], trace.chosen_probability),
            (answer["entropy"], trace.entropy),
        ]:
            found = torch.tensor(found, dtype=expected.dtype)[same]
            torch.testing.assert_close(found, expected.flatten(1)[same], rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name.startswith("pixelcnn") else [])
        for name in export_lab.MODELS
    ],
)
def test_twenty_seeds(name):
    model = load_pretrained(name)
    assert_equal_drawings(*python_and_lab(name, model, 1, [*range(19), 2**31 + 5]))


def test_pixelcnn():
    """A few images at once share one stream of random numbers."""
    name = "pixelcnn-k16"
    assert_equal_drawings(*python_and_lab(name, load_pretrained(name), 3, [1]))


CHOICES = [
    {"temperature": 0},
    {"temperature": 0.6},
    {"temperature": 1.7, "top_k": 3},
    {"top_p": 0.9},
    {"temperature": 1.3, "top_k": 3, "top_p": 0.8},
    {"temperature": 1e-45, "top_k": 16},
]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_temperature_and_truncation(choice):
    name = "neighbourhood-mlp-k16"
    assert_equal_drawings(*python_and_lab(name, load_pretrained(name), 1, [0, 1], **choice))


@pytest.mark.parametrize("name", export_lab.MODELS)
def test_known_pixels(name):
    """Cut off at a row, and with a hole; what is known later uses its random numbers up, too."""
    model = load_pretrained(name)
    known = quantize(load_mnist("test").images[:2], model.num_bins)
    known[0, 14:] = UNKNOWN
    known[1, 8:12, 5:20] = UNKNOWN
    assert_equal_drawings(*python_and_lab(name, model, 2, [3], known=known, top_p=0.95))


@pytest.mark.parametrize("name", SMALL)
def test_small_models_with_labels(name):
    model = SMALL[name]
    known = torch.full((7, 5), UNKNOWN)
    known[1, 2], known[6, 4] = 0, 1
    found = python_and_lab(name, model, 6, [0, 1], known=known, temperature=0.3)
    assert_equal_drawings(*found)


DISTRIBUTIONS = [
    ([0.0, 0.0, 0.0, 0.0], {}),
    ([1.0, 3.0, 3.0, 2.0], {"temperature": 0}),
    ([1.0, 3.0, 3.0, 2.0], {"temperature": 0, "top_k": 2, "top_p": 0.3}),
    ([0.0, 0.0, 0.0, 0.0], {"top_p": 0.5}),
    ([0.0, 0.0, 0.0, 0.0], {"top_p": 1.0}),
    ([0.0, 1.0, 2.0, 3.0], {"top_p": 1e-45}),
    ([0.0, 1.0, 2.0, 3.0], {"top_k": 1}),
    ([0.0, 1.0, 2.0, 3.0], {"top_k": 4, "temperature": 0.1}),
    ([0.0, 5.0, 5.0, 3.0], {"top_k": 3, "top_p": 0.5}),
    ([0.0, 1.0, 2.0, 3.0], {"top_k": 2, "top_p": 0.7}),
    ([-1e30, 0.0, 1e30, 0.0], {"temperature": 1e30}),
    ([-200.0, 0.0, 0.0, -200.0], {}),
]


def test_distributions():
    uniforms = [0.0, 0.25, 0.5, 0.75, 1 - 2**-24, 0.1, 0.6180339]
    jobs = []
    for logits, choice in DISTRIBUTIONS:
        options = {KEYS[key]: value for key, value in choice.items()}
        jobs.append({"job": "distribution", "logits": logits, "options": options})
    answers = run_lab(*({**job, "uniforms": uniforms} for job in jobs))
    for (logits, choice), found in zip(DISTRIBUTIONS, answers, strict=True):
        expected = next_token_distribution(torch.tensor(logits), **choice)
        probabilities = torch.tensor(found["probabilities"], dtype=torch.float32)
        torch.testing.assert_close(probabilities, expected, rtol=0, atol=1e-7)
        drawn = draw(expected.expand(len(uniforms), -1), torch.tensor(uniforms)).tolist()
        for one, token in zip(found["drawn"], drawn, strict=True):
            assert one["token"] == token or 0 < one["margin"] < 1e-40  # what float32 cannot hold


def test_margins():
    """Half, a quarter, a quarter: the borders are known, and so are the cuts."""
    logits = torch.tensor([0.5, 0.25, 0.25]).double().log().tolist()
    job = {"job": "distribution", "logits": logits, "options": {}, "uniforms": [0.25, 0.625, 0.875]}
    answers = run_lab(
        job,
        {**job, "options": {"topK": 1}},
        {**job, "options": {"topK": 2}},
        {**job, "options": {"topP": 0.75001}},
        {**job, "options": {"temperature": 0}},
    )
    margins = [one["margin"] for one in answers[0]["drawn"]]
    torch.testing.assert_close(margins, [0.25, 0.125, 0.125], rtol=0, atol=1e-12)
    assert answers[0]["margin"] is None  # Infinity: nothing is cut off
    cuts = [float(answer["margin"]) for answer in answers[1:]]
    torch.testing.assert_close(cuts, [0.5, 0.0, 0.00001, 0.5], rtol=0, atol=1e-12)
    assert [one["margin"] for one in answers[1]["drawn"]] == [None] * 3  # there is no other token
    [uncertain] = run_lab({**job, "uniforms": [0.5]})
    assert uncertain["drawn"][0]["margin"] < 1e-12


REFUSED = [
    ({"temperature": -1}, "temperature is -1; it must be a number of at least 0"),
    ({"temperature": "hot"}, "temperature is hot"),
    ({"topK": 0}, "topK is 0; it must be 1 to 3"),
    ({"topK": 4}, "topK is 4; it must be 1 to 3"),
    ({"topK": 1.5}, "topK is 1.5; it must be an integer"),
    ({"topP": 0}, "topP is 0; it must be above 0 and at most 1"),
    ({"topP": 1.01}, "topP is 1.01"),
    ({"known": [-1] * 5}, "2 x 2 has 4 pixels, not 5"),
    ({"known": [0, 1, 2, 3]}, "known holds 3 at pixel 3; it must hold tokens 0 to 2, or -1"),
    ({"known": [0, 0.5, 0, 0]}, "known holds 0.5 at pixel 1"),
    ({"labels": [0]}, "this model has no labels"),
    ({"seed": 0.5}, "the seed is 0.5; it must be an integer"),
    ({"numImages": 0}, "the number of images is 0; it must be at least 1"),
    ({"labels": [0, 1]}, "there are 2 labels for 1 images"),
]


def test_wrong_arguments_are_refused():
    jobs = []
    for given, _ in REFUSED:
        options = {"height": 2, "width": 2, **given}
        number = options.pop("numImages", 1)
        jobs.append({"job": "refuse", "name": "window", "numImages": number, "options": options})
    for (_, says), answer in zip(REFUSED, ask_lab(define("window"), *jobs)[1:], strict=True):
        assert says in answer["error"]


def test_the_seed_of_a_notebook():
    """Seed 1 on the page is `seeded_generator(1)` in Python."""
    [answer] = run_lab({"job": "integers", "seed": 1, "count": 784})
    noise = torch.rand(1, 784, generator=seeded_generator(1))
    assert torch.equal(torch.tensor(answer)[None] * 2**-24, noise)
