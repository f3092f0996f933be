"""Drawing follows the model's distribution, and keeps what is known."""

import math
import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models_under_test import (
    MODELS,
    ToyModel,
    all_images,
    build,
    labels_for,
    pixel_probabilities,
    some_tokens,
)
from small_trainings import seeded

from pixelar_lib import sampling
from pixelar_lib.models import VQVAE, CategoricalPixelPredictor, PixelModel
from pixelar_lib.sampling import draw, next_token_distribution, sample, sample_with_trace

SIZE = (4, 5)
each_model = pytest.mark.parametrize("name", MODELS)


def sharp_model(num_classes=None):
    """Return a tiny model (K = 2) whose predictions differ much from pixel to pixel."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = ToyModel(2, num_classes)
        with torch.no_grad():
            model.head.weight.mul_(4)
    return model


# Draws follow the enumerated distribution


def p_value(images, expected):
    """Return the p-value of Pearson's chi-squared test.

    Args:
        images: long (N, 2, 2), tokens 0 and 1.
        expected: float64 (16,), the probability of each image in the order of `all_images`.
    """
    numbers = (images.flatten(1) * torch.tensor([8, 4, 2, 1])).sum(dim=1)
    observed = torch.bincount(numbers, minlength=16).double()
    assert int(observed[expected == 0].sum()) == 0, "an impossible image was drawn"
    possible = expected > 0
    expected = expected[possible] * len(images)
    assert expected.min() > 5, "too few draws for the test"
    statistic = ((observed[possible] - expected) ** 2 / expected).sum()
    degrees = torch.tensor((len(expected) - 1) / 2, dtype=torch.float64)
    return float(torch.special.gammaincc(degrees, statistic / 2))


def expected_probabilities(model, known=None, label=None):
    """Return the probability of each of the 16 images of 2 x 2 pixels.

    Known pixels cost nothing: each drawn pixel is drawn given those before it.
    """
    images = all_images(2, (2, 2))
    probabilities = pixel_probabilities(model, images, label)
    if known is not None:
        probabilities[(known != -1).expand(16, -1, -1)] = 1
        agrees = ((images == known) | (known == -1)).flatten(1).all(dim=1)
        probabilities[~agrees] = 0
    return probabilities.flatten(1).prod(dim=1)


PREFIX = torch.tensor([[1, 0], [-1, -1]])
SCATTERED = torch.tensor([[-1, 1], [-1, 0]])  # (1, 1) comes after what is drawn


@pytest.mark.parametrize("known", [None, PREFIX, SCATTERED], ids=["free", "prefix", "scattered"])
@pytest.mark.parametrize("label", [None, 0, 1])
def test_draws_follow_the_enumerated_distribution(known, label):
    model = sharp_model(num_classes=None if label is None else 2)
    expected = expected_probabilities(model, known, label)
    assert float(expected.sum()) == pytest.approx(1, abs=1e-6)
    labels = None if label is None else torch.full((20_000,), label)
    images = sample(
        model, 20_000, known=known, labels=labels, image_size=(2, 2), generator=seeded()
    )
    assert p_value(images, expected) > 1e-3


@pytest.mark.parametrize("known", [None, PREFIX], ids=["free", "prefix"])
def test_the_same_test_rejects_another_temperature(known):
    model = sharp_model()
    images = sample(
        model, 20_000, temperature=1.2, known=known, image_size=(2, 2), generator=seeded()
    )
    assert p_value(images, expected_probabilities(model, known)) < 1e-6


def test_a_prefix_gives_the_conditional_distribution():
    model = sharp_model()
    joint = expected_probabilities(model)
    begins = (all_images(2, (2, 2)).flatten(1)[:, :2] == torch.tensor([1, 0])).all(dim=1)
    conditional = torch.where(begins, joint, 0) / joint[begins].sum()
    torch.testing.assert_close(expected_probabilities(model, PREFIX), conditional)


# Completion


@each_model
@pytest.mark.parametrize("temperature", [0, 1, 3])
def test_completion_never_changes_a_known_pixel(name, temperature):
    model = build(name)
    tokens = some_tokens(6, SIZE, 3, seed=1)
    hidden = some_tokens(6, SIZE, 2, seed=2).bool()
    known = tokens.masked_fill(hidden, -1)
    before = known.clone()
    images = sample(
        model, 6, temperature=temperature, known=known, labels=labels_for(model, 6), top_k=1
    )
    assert torch.equal(images[~hidden], tokens[~hidden])
    assert bool(((images >= 0) & (images < 3)).all())
    assert torch.equal(known, before)


def test_one_known_image_serves_all_and_its_layout_does_not_matter():
    model = build("post")
    known = torch.full((5, 4), -1)
    known[0, 1] = 2
    whole = sample(model, 3, known=known.T.contiguous(), generator=seeded())
    assert torch.equal(sample(model, 3, known=known.T, generator=seeded()), whole)
    batch = known.T.expand(3, -1, -1)
    assert torch.equal(sample(model, 3, known=batch, generator=seeded()), whole)
    assert (whole[:, 1, 0] == 2).all()


def test_pixels_before_a_known_one_do_not_know_it():
    model = build("post")
    free = sample(model, 4, image_size=SIZE, generator=seeded())
    known = torch.full(SIZE, -1)
    known[3, 4] = 1
    finished = sample(model, 4, known=known, generator=seeded())
    assert torch.equal(finished.flatten(1)[:, :-1], free.flatten(1)[:, :-1])


# The same noise, the same image


@each_model
def test_chunks_do_not_change_the_images(name, monkeypatch):
    model = build(name)
    labels, known = labels_for(model, 7), torch.full((7, *SIZE), -1)
    known[::2, 1, 1] = 2

    def drawn():
        return sample_with_trace(model, 7, labels=labels, known=known, generator=seeded())

    whole = drawn()
    for size in (1, 3, 7):
        monkeypatch.setattr(sampling, "IMAGES_PER_CHUNK", size)
        part = drawn()
        assert torch.equal(part.tokens, whole.tokens)
        torch.testing.assert_close(part.chosen_probability, whole.chosen_probability)
        torch.testing.assert_close(part.entropy, whole.entropy)


@each_model
def test_asking_for_more_images_changes_none_of_the_first(name):
    model = build(name)
    labels = labels_for(model, 7)
    few, many = (
        sample(
            model,
            count,
            labels=None if labels is None else labels[:count],
            image_size=SIZE,
            generator=seeded(),
        )
        for count in (3, 7)
    )
    assert torch.equal(many[:3], few)


def test_incremental_state_does_not_change_the_images():
    model = build("post")
    fast = sample(model, 5, image_size=SIZE, generator=seeded())
    model.incremental_logits = lambda *arguments: PixelModel.incremental_logits(model, *arguments)
    assert torch.equal(sample(model, 5, image_size=SIZE, generator=seeded()), fast)


def test_noise_is_one_uniform_number_a_pixel_from_the_generator():
    model = build("uniform", num_bins=4)
    images = sample(model, 3, image_size=SIZE, generator=seeded(5))
    expected = (torch.rand(3, 20, generator=seeded(5)) * 4).floor().long().view(3, *SIZE)
    assert torch.equal(images, expected)


def test_default_seed_is_moved_by_its_variable(monkeypatch):
    model = build("post")
    monkeypatch.delenv("PIXELAR_SEED_OFFSET", raising=False)
    first = sample(model, 2, image_size=SIZE)
    assert torch.equal(sample(model, 2, image_size=SIZE), first)
    assert torch.equal(sample(model, 2, image_size=SIZE, generator=seeded(0)), first)
    monkeypatch.setenv("PIXELAR_SEED_OFFSET", "1")
    moved = sample(model, 2, image_size=SIZE)
    assert torch.equal(moved, sample(model, 2, image_size=SIZE, generator=seeded(1)))
    assert not torch.equal(moved, first)


def test_global_randomness_is_neither_used_nor_changed():
    model = build("post").train()  # dropout would draw from it
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first = sample(model, 2, image_size=SIZE, generator=seeded())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(8)
    assert torch.equal(sample(model, 2, image_size=SIZE, generator=seeded()), first)


@pytest.mark.parametrize(
    ("model", "arguments", "size"),
    [
        (build("uniform"), {}, (28, 28)),
        (build("uniform"), {"image_size": 3}, (3, 3)),
        (build("uniform"), {"image_size": [2, 3]}, (2, 3)),
        (build("uniform"), {"image_size": torch.Size([2, 3])}, (2, 3)),
        (build("frequencies"), {}, SIZE),
        (build("uniform"), {"known": torch.full((2, 6), -1)}, (2, 6)),
        (build("uniform"), {"known": torch.full((2, 6), -1), "image_size": (2, 6)}, (2, 6)),
    ],
)
def test_image_size_comes_from_known_else_the_model_else_28(model, arguments, size):
    trace = sample_with_trace(model, 2, **arguments)
    for part in (trace.tokens, trace.chosen_probability, trace.entropy):
        assert part.shape == (2, *size)
    assert trace.tokens.dtype == torch.long
    assert trace.chosen_probability.dtype == trace.entropy.dtype == torch.float32


# The trace


@each_model
@pytest.mark.parametrize(
    "how",
    [{}, {"temperature": 0.7}, {"temperature": 0}, {"top_k": 2}, {"top_p": 0.6, "top_k": 2}],
    ids=str,
)
def test_trace_equals_recomputation_from_forward(name, how):
    model = build(name)
    labels, known = labels_for(model, 4), torch.full(SIZE, -1)
    known[1, :3] = torch.tensor([2, 0, 1])
    trace = sample_with_trace(model, 4, known=known, labels=labels, generator=seeded(), **how)
    with torch.no_grad():
        logits = model(trace.tokens, labels).movedim(1, -1)  # (N, H, W, K)
    distribution = next_token_distribution(logits, **how)
    chosen = distribution.gather(-1, trace.tokens[..., None])[..., 0]
    entropy = -(distribution * distribution.clamp(min=1e-30).log()).sum(dim=-1)
    torch.testing.assert_close(trace.chosen_probability, chosen, rtol=0, atol=1e-5)
    torch.testing.assert_close(trace.entropy, entropy, rtol=0, atol=1e-5)
    assert not trace.entropy.signbit().any()  # it would print as -0.00
    drawn = (known == -1).expand(4, -1, -1)
    assert bool((trace.chosen_probability[drawn] > 0).all())


def test_sample_returns_the_tokens_of_the_trace():
    model, how = build("post"), {"temperature": 0.8, "top_p": 0.9, "image_size": SIZE}
    trace = sample_with_trace(model, 3, generator=seeded(), **how)
    assert torch.equal(sample(model, 3, generator=seeded(), **how), trace.tokens)


# The distribution that is drawn from

LOGITS = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, [0.5, 0.3, 0.15, 0.05]),
        ({"top_k": 4}, [0.5, 0.3, 0.15, 0.05]),
        ({"top_k": 2}, [0.625, 0.375, 0, 0]),
        ({"top_k": 1}, [1, 0, 0, 0]),
        ({"top_p": 1.0}, [0.5, 0.3, 0.15, 0.05]),
        ({"top_p": 0.9}, [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0]),
        ({"top_p": 0.79}, [0.625, 0.375, 0, 0]),
        ({"top_p": 0.01}, [1, 0, 0, 0]),
        ({"top_k": 2, "top_p": 0.6}, [1, 0, 0, 0]),  # 0.625 of what top-k left suffices
        ({"top_k": 3, "top_p": 0.6}, [0.625, 0.375, 0, 0]),
        ({"temperature": 0}, [1, 0, 0, 0]),
        ({"temperature": 0, "top_k": 3, "top_p": 0.9}, [1, 0, 0, 0]),
        ({"temperature": 0.5}, [0.25 / 0.365, 0.09 / 0.365, 0.0225 / 0.365, 0.0025 / 0.365]),
        ({"temperature": 1e-30}, [1, 0, 0, 0]),
        ({"temperature": 1e-320}, [1, 0, 0, 0]),
        ({"temperature": 1e30}, [0.25, 0.25, 0.25, 0.25]),
    ],
    ids=str,
)
def test_distribution_by_hand(how, expected):
    for order in ([0, 1, 2, 3], [2, 0, 3, 1]):
        distribution = next_token_distribution(LOGITS[order].repeat(2, 1), **how)
        wanted = torch.tensor(expected, dtype=torch.float32)[order].expand(2, -1)
        torch.testing.assert_close(distribution, wanted)


def test_temperature_zero_takes_the_first_of_equal_tokens():
    tied = torch.tensor([0.0, 1.0, 1.0])
    assert next_token_distribution(tied, 0).tolist() == [0, 1, 0]
    assert next_token_distribution(tied, 1e-40).tolist() == [0, 0.5, 0.5]


def test_impossible_tokens_stay_impossible():
    logits = torch.tensor([-math.inf, 0.0, 0.0])
    for temperature in (0, 1e-40, 1, 1e30):
        distribution = next_token_distribution(logits, temperature)
        assert distribution[0] == 0 and float(distribution.sum()) == pytest.approx(1)


def test_temperature_zero_draws_the_argmax_of_forward():
    model = build("post")
    images = sample(model, 2, temperature=0, image_size=SIZE)
    assert torch.equal(images, model(images).argmax(dim=1))


def test_top_k_draws_only_the_likeliest_tokens():
    model = build("post", num_bins=6)
    images = sample(model, 20, top_k=2, temperature=5, image_size=SIZE)
    ranks = (-model(images)).argsort(dim=1).argsort(dim=1).gather(1, images[:, None])
    assert ranks.unique().tolist() == [0, 1]


# One draw

ALMOST_ONE = 1 - 2**-24  # the largest float32 below 1


@pytest.mark.parametrize(
    ("probabilities", "uniform", "token"),
    [
        ([0.25, 0.25, 0.5], 0.0, 0),
        ([0.25, 0.25, 0.5], 0.2499, 0),
        ([0.25, 0.25, 0.5], 0.25, 1),
        ([0.25, 0.25, 0.5], 0.5, 2),
        ([0.25, 0.25, 0.5], ALMOST_ONE, 2),
        ([0.0, 1.0, 0.0], 0.0, 1),
        ([0.0, 1.0, 0.0], ALMOST_ONE, 1),
        ([0.5, 0.0, 0.5], 0.5, 2),
        ([0.5, 0.4999, 0.0, 0.0], ALMOST_ONE, 1),  # rounding left the sum below u
        ([1.0, 0.0], ALMOST_ONE, 0),
    ],
)
def test_draw_takes_the_first_token_whose_sum_exceeds_u(probabilities, uniform, token):
    drawn = draw(
        torch.tensor([probabilities, [1.0] + [0.0] * (len(probabilities) - 1)]),
        torch.tensor([uniform, uniform]),
    )
    assert drawn.tolist() == [token, 0]


@given(st.lists(st.sampled_from([0.0, 1e-9, 0.1, 1.0]), min_size=2, max_size=9), st.floats(0, 1))
def test_draw_never_takes_an_impossible_token(weights, uniform):
    weights[len(weights) // 2] += 0.5
    probabilities = torch.tensor([weights]) / sum(weights)
    uniform = torch.tensor([uniform]).clamp(max=ALMOST_ONE)
    token = int(draw(probabilities, uniform))
    assert probabilities[0, token] > 0
    assert float(probabilities[0, :token].sum()) <= float(uniform) + 1e-6


# Arguments


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"num_images": 0}, ValueError, "num_images is 0; it must be at least 1"),
        ({"num_images": 1.5}, TypeError, "num_images must be an int, not float"),
        ({"temperature": -0.1}, ValueError, r"temperature is -0.1; .* at least 0 \(0 means"),
        ({"temperature": math.nan}, ValueError, "temperature is nan"),
        ({"temperature": math.inf}, ValueError, "temperature is inf"),
        ({"top_k": 0}, ValueError, "top_k is 0; it must be 1 to 3"),
        ({"top_k": 4}, ValueError, "top_k is 4"),
        ({"top_k": 1.5}, TypeError, "top_k must be an int, not float"),
        ({"top_p": 0}, ValueError, "top_p is 0; it must be above 0 and at most 1"),
        ({"top_p": 1.1}, ValueError, "top_p is 1.1"),
        ({"top_p": math.nan}, ValueError, "top_p is nan"),
        ({"known": [[0]]}, TypeError, "long tensor of tokens, with -1 where to draw"),
        ({"known": torch.zeros(4, 5)}, TypeError, "long tensor of tokens"),
        ({"known": torch.full((4,), -1)}, ValueError, r"\(H, W\) or \(2, H, W\), not \(4,\)"),
        ({"known": torch.full((3, 4, 5), -1)}, ValueError, r"not \(3, 4, 5\)"),
        ({"known": torch.full((0, 5), -1)}, ValueError, r"not \(2, 0, 5\)"),
        ({"known": torch.full((4, 5), 3)}, ValueError, "tokens 0 to 2, or -1 .* from 3 to 3"),
        ({"known": torch.full((4, 5), -2)}, ValueError, "from -2 to -2"),
        (
            {"known": torch.full((4, 5), -1), "image_size": 28},
            ValueError,
            r"image_size is \(28, 28\), but known is \(4, 5\)",
        ),
        ({"image_size": 0}, ValueError, "give an int or a pair"),
        ({"image_size": (4, 0)}, ValueError, r"\(4, 0\); give an int or a pair .* at least 1"),
        ({"image_size": (1, 4, 5)}, ValueError, r"\(1, 4, 5\); give an int"),
        ({"image_size": 2.5}, ValueError, "image_size is 2.5"),
        ({"image_size": "28"}, ValueError, "image_size is '28'"),
        ({"labels": torch.tensor([0, 1])}, ValueError, "has no labels"),
        ({"generator": 42}, TypeError, "generator is 42; give a torch.Generator"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(arguments, error, message):
    arguments = {"num_images": 2, **arguments}
    for use in (sample, sample_with_trace):
        with pytest.raises(error, match=message):
            use(build("post"), **arguments)


@pytest.mark.parametrize("model", [VQVAE(), torch.nn.Linear(2, 2), "pixelcnn-k16"])
def test_only_pixel_models_draw(model):
    with pytest.raises(TypeError, match=rf"model is a {type(model).__name__}; sample draws"):
        sample(model, 2)


def test_conditional_model_needs_a_label_for_each_image():
    model = build("conditional toy")
    with pytest.raises(ValueError, match="conditional: give labels"):
        sample(model, 2, image_size=SIZE)
    with pytest.raises(ValueError, match=r"shape \(2,\), not \(3,\)"):
        sample(model, 2, image_size=SIZE, labels=torch.tensor([0, 1, 2]))


def test_model_of_one_image_size_refuses_another():
    model = build("frequencies")
    with pytest.raises(ValueError, match=r"built for images of \(4, 5\)"):
        sample(model, 2, image_size=28)
    with pytest.raises(ValueError, match=r"built for images of \(4, 5\)"):
        sample(model, 2, known=torch.full((5, 4), -1))


@pytest.mark.parametrize("temperature", [0, 1])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_logits_that_are_not_finite_are_refused(temperature, value):
    model = CategoricalPixelPredictor(3)
    with torch.no_grad():
        model.layers[-1].bias[1] = value
    with pytest.raises(FloatingPointError, match="the logits are not finite; train the model"):
        sample(model, 2, temperature=temperature, image_size=SIZE)


def test_a_few_images_are_drawn_on_one_thread_and_the_setting_comes_back(monkeypatch):
    model, threads, before = build("pixelcnn"), [], torch.get_num_threads()
    original = sampling._draw

    def watched(*arguments):
        threads.append(torch.get_num_threads())
        return original(*arguments)

    monkeypatch.setattr(sampling, "_draw", watched)
    torch.set_num_threads(2)
    try:
        for num_images in (1, 64, 65):
            sample(model, num_images, image_size=2)
        assert threads == [1, 1, 2] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_drawings_that_overlap_give_each_thread_its_setting_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    inside, leave = threading.Event(), threading.Event()

    def draw():
        with sampling._threads_for(1):
            inside.set()
            leave.wait()

    other = threading.Thread(target=draw)
    try:
        with sampling._threads_for(1):  # it ends while the other one goes on
            other.start()
            inside.wait()
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        leave.set()
        other.join()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
