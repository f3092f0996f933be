"""Bayes' rule over a conditional model's likelihoods, against sums by hand."""

import math

import pytest
import torch
from models_under_test import build, some_tokens

from pixelar_lib.classification import accuracy, label_nll, marginal_nll, posterior
from pixelar_lib.evaluation import nll

COSTS = torch.tensor([[1.0, 2.0, 4.0], [800.0, 803.0, 801.0]], dtype=torch.float64)


@pytest.mark.parametrize("name", ["conditional pixelcnn"])
def test_costs_are_those_of_each_label_by_itself(name):
    model, tokens = build(name), some_tokens(2, (3, 4), 3)
    costs = label_nll(model, tokens)
    assert costs.shape == (2, model.num_classes) and costs.dtype == torch.float64
    for label in range(model.num_classes):
        alone = nll(model, tokens, torch.full((2,), label)).double().sum(dim=(1, 2))
        torch.testing.assert_close(costs[:, label], alone)


def test_a_model_without_labels_has_none_to_tell_apart():
    with pytest.raises(ValueError, match="has no labels to tell apart"):
        label_nll(build("pixelcnn"), some_tokens(2, (3, 4), 3))
    with pytest.raises(TypeError, match=r"must be a torch.Tensor, not list"):
        label_nll(build("conditional pixelcnn"), [[1]])


def test_posterior_is_bayes_rule():
    found = posterior(COSTS)
    joint = [[math.exp(-(cost - min(row))) for cost in row] for row in COSTS.tolist()]
    right = [[one / sum(row) for one in row] for row in joint]
    torch.testing.assert_close(found, torch.tensor(right, dtype=torch.float64))


def test_a_mixture_costs_at_most_log_l_more_than_its_best_label():
    found = marginal_nll(COSTS)
    by_hand = -math.log(sum(math.exp(-cost) for cost in (1, 2, 4)) / 3)
    assert float(found[0]) == pytest.approx(by_hand)
    assert ((found - COSTS.min(dim=1).values) < math.log(3)).all()


@pytest.mark.parametrize(
    ("right", "number", "low", "high"),
    [(985, 1000, 0.9754, 0.9909), (10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775)],
)
def test_wilson_interval(right, number, low, high):
    """Known values: where all of n are right, the lower end is n / (n + z^2)."""
    labels = torch.zeros(number, dtype=torch.long)
    found = accuracy((torch.arange(number) >= right).long(), labels)
    assert found.share == right / number and found.num_images == number
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize("lengths", [(0, 0), (2, 3)])
def test_accuracy_refuses_what_cannot_be_compared(lengths):
    found, labels = (torch.zeros(length, dtype=torch.long) for length in lengths)
    with pytest.raises(ValueError, match="must have the same length, at least 1"):
        accuracy(found, labels)
