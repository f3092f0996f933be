"""Numbers about data and models, against values worked out by hand or by slow loops."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models_under_test import MODELS, build, labels_for, some_tokens
from torch import nn

from pixelar_lib.analysis import (
    Reliability,
    context_length_losses,
    entropy,
    loss_by_position,
    quantization_error,
    receptive_field,
    reliability,
    reliability_table,
    token_frequencies,
    trace_images,
)
from pixelar_lib.data import load_mnist
from pixelar_lib.evaluation import KGramBaseline, UniformBaseline, evaluate, nll
from pixelar_lib.models import PixelModel
from pixelar_lib.quantization import quantize

each_model = pytest.mark.parametrize("name", MODELS)
about_images = pytest.mark.parametrize(
    "function", [trace_images, loss_by_position, reliability_table]
)


class TableModel(PixelModel):
    """The prediction depends on the pixel before alone: row `token` of a table, row K at first."""

    def __init__(self, table):
        super().__init__(len(table[0]))
        self.probabilities = nn.Parameter(torch.tensor(table))

    def forward(self, tokens, labels=None):
        self.check_input(tokens, labels)
        before = nn.functional.pad(tokens.flatten(1), (1, 0), value=self.num_bins)[:, :-1]
        return self.probabilities.log()[before].transpose(1, 2).unflatten(2, tokens.shape[1:])


# Entropy


@pytest.mark.parametrize(
    ("probabilities", "bits"),
    [([1.0, 0, 0, 0], 0), ([0.25] * 4, 2), ([0.5, 0.25, 0.25, 0], 1.5), ([0.5, 0.5, 0, 0], 1)],
)
def test_entropy_by_hand(probabilities, bits):
    assert float(entropy(torch.tensor(probabilities))) == pytest.approx(bits * math.log(2))


def test_entropy_of_many_distributions_at_once():
    probabilities = torch.rand(3, 4, 5).softmax(dim=-1)
    slow = [[-sum(float(p) * math.log(p) for p in row) for row in rows] for rows in probabilities]
    torch.testing.assert_close(entropy(probabilities), torch.tensor(slow))


@given(st.lists(st.floats(-30, 30), min_size=2, max_size=20))
def test_entropy_lies_between_0_and_log_k(logits):
    value = float(entropy(torch.tensor(logits, dtype=torch.float64).softmax(dim=0)))
    assert -1e-9 <= value <= math.log(len(logits)) + 1e-9


# Frequencies and distortion


def test_token_frequencies_by_hand():
    frequencies = token_frequencies(torch.tensor([[[0, 3], [3, 1]], [[0, 0], [0, 0]]]), 4)
    assert frequencies.dtype == torch.float64
    assert frequencies.tolist() == [5 / 8, 1 / 8, 0, 2 / 8]


@pytest.mark.parametrize(
    ("tokens", "error", "message"),
    [
        (torch.zeros(3), TypeError, "integer"),
        (torch.tensor([4]), ValueError, "3"),
        (torch.tensor([-1]), ValueError, "3"),
        (torch.zeros(0, dtype=torch.long), ValueError, "no tokens"),
    ],
)
def test_token_frequencies_of_unusable_tokens(tokens, error, message):
    with pytest.raises(error, match=message):
        token_frequencies(tokens, 4)


def test_quantization_error_by_hand():
    black_and_white = torch.tensor([[0, 255]], dtype=torch.uint8)  # with K = 2: greys 1/4, 3/4
    assert quantization_error(black_and_white, 2) == pytest.approx(255 / 4)
    assert quantization_error(black_and_white / 255, 2) == pytest.approx(255 / 4)
    one_right = torch.tensor([[0, 0, 0, 191]], dtype=torch.uint8)  # 191 is 0.25 from 191.25
    assert quantization_error(one_right, 2) == pytest.approx(
        math.sqrt((3 * 63.75**2 + 0.25**2) / 4)
    )


def test_quantization_error_of_real_digits_halves_with_each_doubling():
    images = load_mnist("test").images[:50]
    errors = [quantization_error(images, num_bins) for num_bins in (2, 4, 8, 16, 32, 64)]
    for coarse, fine in pairwise(errors):
        assert 1.8 < coarse / fine < 2.4


@pytest.mark.parametrize(
    ("images", "num_bins", "error"),
    [
        (torch.zeros(2, 2, dtype=torch.uint8), 1, ValueError),
        (torch.zeros(2, 2, dtype=torch.uint8), 257, ValueError),
        ([[0, 255]], 16, TypeError),
    ],
)
def test_quantization_error_of_unusable_input(images, num_bins, error):
    with pytest.raises(error):
        quantization_error(images, num_bins)


# Longer contexts


def test_context_length_losses_are_those_of_one_k_gram_model_each():
    tokens, held_out = some_tokens(20, (3, 4), 3), some_tokens(7, (3, 4), 3, seed=1)
    losses = context_length_losses(tokens, held_out, 3, longest=3)
    assert len(losses) == 4
    for k in (1, 2, 3):
        model = KGramBaseline(tokens, 3, k)
        assert losses[k] == pytest.approx(evaluate(model, held_out).nats_per_pixel, abs=1e-5)
    shares = (torch.bincount(tokens.flatten(), minlength=3) + 4 / 3) / (tokens.numel() + 4)
    without_context = -shares.log()[held_out].mean()
    assert losses[0] == pytest.approx(float(without_context), abs=1e-5)


def test_context_length_losses_fall_where_the_context_tells():
    stripes = (torch.arange(8) // 2 % 2).expand(50, 4, 8)  # 0 0 1 1 0 0 1 1: two pixels tell
    losses = context_length_losses(stripes, stripes, 2, longest=3)
    assert losses[0] == pytest.approx(math.log(2), abs=0.01)
    assert losses[1] > 0.6  # after a single pixel both are as likely
    assert losses[2] < 0.1


def test_context_length_losses_need_a_context():
    tokens = some_tokens(2, (3, 4), 3)
    with pytest.raises(ValueError, match="at least 1"):
        context_length_losses(tokens, tokens, 3, longest=0)
    with pytest.raises(TypeError):
        context_length_losses(tokens.float(), tokens, 3, longest=1)


# What a model thinks of given images


@each_model
def test_trace_of_given_images_agrees_with_their_losses(name):
    model = build(name)
    tokens = some_tokens(3, (4, 5), model.num_bins)
    labels = labels_for(model, 3)
    trace = trace_images(model, tokens, labels)
    assert torch.equal(trace_images(model, tokens.to(torch.uint8), labels).tokens, tokens)
    assert torch.equal(trace.tokens, tokens)
    losses = nll(model, tokens, labels)
    torch.testing.assert_close(trace.chosen_probability, losses.neg().exp(), atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        expected = entropy(model(tokens, labels).softmax(dim=1).movedim(1, -1))
    torch.testing.assert_close(trace.entropy, expected, atol=1e-5, rtol=1e-4)


@each_model
def test_loss_by_position_averages_to_the_loss(name):
    model = build(name)
    tokens, labels = some_tokens(5, (4, 5), model.num_bins), labels_for(model, 5)
    where = loss_by_position(model, tokens, labels)
    assert where.shape == (4, 5)
    assert float(where.mean()) == pytest.approx(
        evaluate(model, tokens, labels).nats_per_pixel, abs=1e-5
    )
    one_by_one = [
        nll(model, tokens[[n]], None if labels is None else labels[[n]])[0] for n in range(5)
    ]
    slow = torch.stack(one_by_one).mean(dim=0)
    torch.testing.assert_close(where, slow, atol=1e-5, rtol=1e-4)


def test_loss_by_position_by_hand():
    model = TableModel([[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]])  # after 0, after 1, at first
    where = loss_by_position(model, torch.tensor([[[0, 0], [1, 0]], [[1, 1], [0, 1]]]))
    expected = [
        [-(math.log(0.9) + math.log(0.1)) / 2, -(math.log(0.5) + math.log(0.75)) / 2],
        [-(math.log(0.5) + math.log(0.25)) / 2, -(math.log(0.25) + math.log(0.5)) / 2],
    ]
    torch.testing.assert_close(where, torch.tensor(expected))


# Receptive field


@each_model
def test_receptive_field_by_gradient_is_the_one_that_the_model_states(name):
    model = build(name)
    if type(model).embed is PixelModel.embed:
        with pytest.raises(NotImplementedError, match="embed"):
            receptive_field(model, 1, 1, 4, 5)
        return
    for row, column in ((0, 0), (0, 4), (2, 0), (3, 4)):
        if model.num_classes is None:
            field = receptive_field(model, row, column, 4, 5)
            assert torch.equal(field, model.receptive_field(row, column, 4, 5))


def test_receptive_field_leaves_the_model_and_the_random_state_alone():
    model = build("post").train()
    model.layers[2].eval()  # one dropout layer off, the other on
    modes = [module.training for module in model.modules()]
    state = torch.get_rng_state()
    receptive_field(model, 2, 3, 4, 5)
    with pytest.raises(ValueError, match=r"pixel \(4, 3\) is outside an image of 4 x 5"):
        receptive_field(model, 4, 3, 4, 5)
    without_embedding = build("uniform").train()
    with pytest.raises(NotImplementedError):
        receptive_field(without_embedding, 2, 3, 4, 5)
    assert without_embedding.training
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


# Calibration


def test_expected_calibration_error_by_hand():
    table = Reliability(
        torch.tensor([0.55, 0.95]), torch.tensor([0.75, 0.9]), torch.tensor([100, 300])
    )
    assert table.expected_calibration_error == pytest.approx((100 * 0.2 + 300 * 0.05) / 400)


def test_reliability_table_by_hand():
    model = TableModel([[0.85, 0.15], [0.35, 0.65], [0.55, 0.45]])  # after 0, after 1, at first
    tokens = torch.tensor([[[0, 0, 1, 1, 0]], [[1, 1, 1, 0, 0]]])
    # at first: 0.55 for token 0, right once in two; after 1: 0.65 for token 1, right three times
    # in five; after 0: 0.85 for token 0, right twice in three
    table = reliability_table(model, tokens)
    assert table.count.tolist() == [2, 5, 3]
    torch.testing.assert_close(table.confidence.float(), torch.tensor([0.55, 0.65, 0.85]))
    torch.testing.assert_close(table.accuracy, torch.tensor([1 / 2, 3 / 5, 2 / 3]).double())
    gaps = 2 * 0.05 + 5 * 0.05 + 3 * (0.85 - 2 / 3)
    assert table.expected_calibration_error == pytest.approx(gaps / 10, abs=1e-6)


def test_reliability_by_hand():
    confidence = torch.tensor([[0.1, 0.15, 1.0], [0.55, 0.95, 0.97]])
    right = torch.tensor([[True, False, True], [False, True, False]])
    found = reliability(confidence, right, 5)
    assert found.count.tolist() == [2, 1, 3]
    torch.testing.assert_close(found.accuracy, torch.tensor([1 / 2, 0, 2 / 3]).double())
    torch.testing.assert_close(found.confidence.float(), torch.tensor([0.125, 0.55, 2.92 / 3]))


@pytest.mark.parametrize("shapes", [((0,), (0,)), ((3,), (4,)), ((2, 3), (3, 2))])
def test_reliability_refuses_what_does_not_fit(shapes):
    confidence, right = torch.rand(shapes[0]), torch.rand(shapes[1]) > 0.5
    with pytest.raises(ValueError, match="must have one shape, and not be empty"):
        reliability(confidence, right)


@each_model
@pytest.mark.parametrize("num_groups", [1, 4, 10])
def test_reliability_table_agrees_with_a_slow_count(name, num_groups):
    model = build(name)
    tokens = some_tokens(70, (4, 5), model.num_bins)  # more than are predicted at a time
    labels = labels_for(model, 70)
    table = reliability_table(model, tokens, labels, num_groups)
    with torch.no_grad():
        confidence, guess = model(tokens, labels).softmax(dim=1).max(dim=1)
    right, groups = (guess == tokens).flatten().tolist(), {}
    for value, hit in zip(confidence.flatten().tolist(), right, strict=True):
        groups.setdefault(min(int(value * num_groups), num_groups - 1), []).append((value, hit))
    rows = [groups[number] for number in sorted(groups)]
    assert int(table.count.sum()) == tokens.numel()
    assert table.count.tolist() == [len(row) for row in rows]
    for number, row in enumerate(rows):
        values, hits = zip(*row, strict=True)
        assert float(table.confidence[number]) == pytest.approx(sum(values) / len(row), abs=1e-5)
        assert float(table.accuracy[number]) == pytest.approx(sum(hits) / len(row))


def test_certainty_belongs_to_the_last_group():
    certain = TableModel([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    table = reliability_table(certain, torch.zeros(2, 2, 2, dtype=torch.long))
    assert table.count.tolist() == [8]
    assert table.confidence.tolist() == [1] and table.accuracy.tolist() == [1]
    assert table.expected_calibration_error == 0


def test_a_blind_guess_among_equals_is_calibrated():
    images = some_tokens(200, (4, 5), 4)
    table = reliability_table(UniformBaseline(4), images)
    assert table.confidence.tolist() == [0.25]
    assert table.expected_calibration_error < 0.03


# Errors


@about_images
def test_tokens_must_fit_the_model(function):
    model = build("post")
    for wrong in (torch.full((2, 4, 5), 3), torch.full((2, 4, 5), -1), some_tokens(2, (5,), 3)):
        with pytest.raises(ValueError):
            function(model, wrong)
    with pytest.raises(TypeError):
        function(model, torch.zeros(2, 4, 5))
    with pytest.raises(ValueError):
        function(model, some_tokens(0, (4, 5), 3))


@about_images
def test_labels_must_fit_the_model(function):
    tokens = some_tokens(2, (4, 5), 3)
    with pytest.raises(ValueError, match="no labels"):
        function(build("post"), tokens, torch.zeros(2, dtype=torch.long))
    conditional = build("conditional toy")
    for wrong, error in (
        (None, ValueError),
        (torch.zeros(3, dtype=torch.long), ValueError),
        (torch.tensor([0, 3]), ValueError),
        ([0, 1], TypeError),
    ):
        with pytest.raises(error, match="labels"):
            function(conditional, tokens, wrong)


@pytest.mark.parametrize(("num_groups", "error"), [(0, ValueError), (2.5, TypeError)])
def test_reliability_table_needs_a_number_of_groups(num_groups, error):
    with pytest.raises(error, match="num_groups"):
        reliability_table(build("post"), some_tokens(2, (4, 5), 3), num_groups=num_groups)


@about_images
@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_the_model_is_restored(function, training):
    model = build("post").train(training)
    function(model, some_tokens(2, (4, 5), 3))
    assert model.training is training


def test_a_counting_model_is_surer_of_paper_than_of_half_tones():
    tokens = quantize(load_mnist("train").images[:300], 16)
    trace = trace_images(KGramBaseline(tokens, 16, 2), tokens[:20])
    paper, half_tone = tokens[:20] == 0, (tokens[:20] > 3) & (tokens[:20] < 12)
    chosen = trace.chosen_probability
    assert chosen[paper].mean() > 0.8 > chosen[half_tone].mean()
