"""Likelihoods against values worked out by hand, and the baselines against slow counts."""

import math
import statistics
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models_under_test import build, labels_for, some_tokens

from pixelar_lib.evaluation import (
    KGramBaseline,
    PixelFrequencyBaseline,
    UniformBaseline,
    bits_per_dim,
    evaluate,
    nll,
)
from pixelar_lib.models import PixelModel


class FixedModel(PixelModel):
    """The same probabilities at every pixel."""

    def __init__(self, probabilities):
        super().__init__(len(probabilities))
        self.probabilities = torch.tensor(probabilities)

    def forward(self, tokens, labels=None):
        num_images, height, width = tokens.shape
        return self.probabilities.log()[None, :, None, None].expand(num_images, -1, height, width)


# By hand: tokens 0, 1, 2 cost log 2, log 4, log 4 nats, which is 1, 2, 2 bits

BY_HAND = FixedModel([0.5, 0.25, 0.25])
TWO_IMAGES = torch.tensor([[[0, 0, 0, 0]], [[0, 1, 2, 1]]])  # 1 and 1.75 bits a pixel


def test_nll_by_hand():
    losses = nll(BY_HAND, TWO_IMAGES)
    assert losses.shape == (2, 1, 4) and losses.dtype == torch.float32
    expected = torch.tensor([[[1.0, 1, 1, 1]], [[1, 2, 2, 2]]]) * math.log(2)
    torch.testing.assert_close(losses, expected)


def test_every_unit_by_hand():
    likelihood = evaluate(BY_HAND, TWO_IMAGES)
    assert likelihood.bits_per_dim == pytest.approx(1.375)
    assert likelihood.nats_per_pixel == pytest.approx(1.375 * math.log(2))
    assert likelihood.nats_per_image == pytest.approx(4 * 1.375 * math.log(2))
    assert likelihood.perplexity == pytest.approx(2**1.375)
    assert (likelihood.pixels_per_image, likelihood.num_images) == (4, 2)
    assert bits_per_dim(BY_HAND, TWO_IMAGES) == likelihood.bits_per_dim


def test_standard_error_is_that_of_the_mean_over_images():
    model, tokens = build("post"), some_tokens(7, (4, 5), 3)
    means = [float(image.double().mean()) for image in nll(model, tokens)]
    likelihood = evaluate(model, tokens)
    assert likelihood.nats_per_pixel == pytest.approx(statistics.mean(means))
    assert likelihood.standard_error == pytest.approx(statistics.stdev(means) / math.sqrt(7))


def test_standard_error_of_one_image_is_unknown():
    assert math.isnan(evaluate(BY_HAND, TWO_IMAGES[:1]).standard_error)


@pytest.mark.parametrize("name", ["post", "conditional toy", "k-gram"])
def test_number_of_images_at_a_time_does_not_matter(name):
    model, tokens = build(name), some_tokens(7, (4, 5), 3)
    labels = labels_for(model, 7)
    whole = nll(model, tokens, labels)
    for size in (1, 3, 7):
        model.eval_batch_size = size
        torch.testing.assert_close(nll(model, tokens, labels), whole)


def test_bytes_and_longs_cost_the_same():
    model, tokens = build("post"), some_tokens(3, (4, 5), 3)
    assert evaluate(model, tokens.byte()) == evaluate(model, tokens)


@pytest.mark.parametrize("use", [nll, evaluate, bits_per_dim])
def test_evaluation_refuses_what_does_not_fit(use):
    tokens = some_tokens(2, (4, 5), 3)
    for model, arguments, error, message in [
        (build("post"), (tokens[:0],), ValueError, "no image to evaluate: tokens has length 0"),
        (build("post"), (tokens + 1,), ValueError, "must be 0 to 2"),
        (build("post"), (tokens.float(),), TypeError, "quantize"),
        (build("post"), (tokens[0],), ValueError, r"tokens\[None\]"),
        (build("post"), (tokens, torch.tensor([0, 1])), ValueError, "has no labels"),
        (build("conditional toy"), (tokens,), ValueError, "conditional: give labels"),
        (build("frequencies", 3, (5, 4)), (tokens,), ValueError, r"images of \(5, 4\)"),
    ]:
        with pytest.raises(error, match=message):
            use(model, *arguments)


# Baselines


@pytest.mark.parametrize("num_bins", [2, 16, 256])
def test_uniform_baseline_costs_log_k(num_bins):
    likelihood = evaluate(UniformBaseline(num_bins), some_tokens(3, (28, 28), num_bins))
    assert likelihood.nats_per_pixel == pytest.approx(math.log(num_bins))
    assert likelihood.bits_per_dim == pytest.approx(math.log2(num_bins))
    assert likelihood.nats_per_image == pytest.approx(784 * math.log(num_bins))
    assert likelihood.perplexity == pytest.approx(num_bins)
    assert likelihood.standard_error == pytest.approx(0)


def test_frequencies_by_hand():
    tokens = torch.tensor([[[0, 1]], [[0, 1]], [[1, 1]]])
    probabilities = PixelFrequencyBaseline(tokens, 2, smoothing=0.5)(tokens[:1])[0].exp()
    expected = torch.tensor([[2.5 / 4, 0.5 / 4], [1.5 / 4, 3.5 / 4]])  # (K, pixels)
    torch.testing.assert_close(probabilities[:, 0], expected)


def test_frequencies_beat_the_uniform_guess_on_their_own_images():
    tokens = some_tokens(5, (4, 5), 3)
    assert bits_per_dim(PixelFrequencyBaseline(tokens, 3, 0.1), tokens) < math.log2(3)


def slow_k_gram(images, num_bins, k, smoothing, window):
    """Return the distribution after a window of k tokens, counted one pixel at a time."""
    distribution = [1 / num_bins] * num_bins
    for length in range(k + 1):
        run = tuple(window[k - length :])
        followers = Counter()
        for image in images:
            padded = [num_bins] * k + [token for row in image for token in row]
            for end in range(k, len(padded)):
                if tuple(padded[end - length : end]) == run:
                    followers[padded[end]] += 1
        total = sum(followers.values())
        distribution = [
            (followers[token] + smoothing * distribution[token]) / (total + smoothing)
            for token in range(num_bins)
        ]
    return distribution


@given(
    st.integers(2, 4),
    st.integers(1, 3),
    st.sampled_from([0.25, 4.0]),
    st.lists(st.integers(0, 4), min_size=3, max_size=3),
    st.integers(0, 1000),
)
def test_k_gram_equals_slow_counts_and_sums_to_one(num_bins, k, smoothing, tail, seed):
    images = some_tokens(2, (2, 3), num_bins, seed)
    window = [min(token, num_bins) for token in tail[:k]]
    model = KGramBaseline(images, num_bins, k, smoothing)
    probabilities = model.predict_windows(torch.tensor(window)).exp()
    expected = slow_k_gram(images.tolist(), num_bins, k, smoothing, window)
    torch.testing.assert_close(probabilities, torch.tensor(expected))
    assert float(probabilities.sum()) == pytest.approx(1)


def test_estimates_are_those_of_shorter_models():
    images = some_tokens(4, (3, 4), 3)
    contexts = some_tokens(1, (5, 3), 4)[0]  # 5 windows of 3 tokens, start tokens among them
    estimates = [*KGramBaseline(images, 3, 3).estimates(contexts)]
    assert len(estimates) == 4
    for k in (1, 2, 3):
        shorter = KGramBaseline(images, 3, k).predict_windows(contexts[:, -k:]).exp()
        torch.testing.assert_close(estimates[k], shorter)


def test_unseen_run_falls_back_on_the_shorter_one():
    images = torch.tensor([[[0, 1, 0, 1, 0, 1]]])  # 1 never follows 1
    unseen, shorter = torch.tensor([1, 1]), torch.tensor([0, 1])
    *_, order_1, order_2 = KGramBaseline(images, 2, 2).estimates(unseen)
    assert torch.equal(order_1, order_2)
    *_, order_1, order_2 = KGramBaseline(images, 2, 2).estimates(shorter)
    assert not torch.equal(order_1, order_2)


def test_longer_runs_predict_a_periodic_image_better():
    images = torch.tensor([0, 0, 1]).repeat(4, 8).view(4, 4, 6)
    losses = [bits_per_dim(KGramBaseline(images, 2, k, 0.1), images) for k in (1, 2)]
    assert losses[1] < losses[0] - 0.3


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"tokens": torch.zeros(2, 3, dtype=torch.long)}, ValueError, r"not tokens \(2, 3\)"),
        ({"tokens": torch.zeros(0, 3, 3, dtype=torch.long)}, ValueError, r"not tokens \(0, 3, 3\)"),
        ({"tokens": torch.zeros(2, 3, 3)}, TypeError, "torch.float32"),
        ({"tokens": [[[0]]]}, TypeError, "not list"),
        ({"num_bins": 2}, ValueError, "with 2 bins they must be 0 to 1"),
        ({"smoothing": 0}, ValueError, "smoothing is 0; it must be finite and above 0"),
        ({"smoothing": -1.0}, ValueError, "smoothing is -1.0"),
        ({"smoothing": math.nan}, ValueError, "smoothing is nan"),
        ({"smoothing": math.inf}, ValueError, "smoothing is inf"),
    ],
)
def test_baselines_refuse_bad_arguments(arguments, error, message):
    arguments = {"tokens": some_tokens(20, (4, 5), 3), "num_bins": 3, **arguments}
    with pytest.raises(error, match=message):
        PixelFrequencyBaseline(**arguments)
    with pytest.raises(error, match=message):
        KGramBaseline(**arguments, k=2)


def test_k_gram_refuses_runs_that_do_not_fit():
    tokens = some_tokens(2, (4, 5), 3)
    with pytest.raises(ValueError, match="k is 0; it must be at least 1"):
        KGramBaseline(tokens, 3, 0)
    with pytest.raises(ValueError, match=r"k = 7 is too long: .* Choose a smaller one"):
        KGramBaseline(tokens, 256, 7)
    KGramBaseline(tokens, 256, 6)
