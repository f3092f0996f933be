"""Checkers of chapter 4, The model."""

import math
from collections.abc import Callable
from itertools import combinations

import torch
import torch.nn.functional as F

from pixelar_lib.context import neighbourhood
from pixelar_lib.exercises.checker import checker, expect
from pixelar_lib.models import CategoricalPixelPredictor, PixelModel


@checker
def check_first_loss(first_loss: Callable[[int], float]) -> str:
    """Check a function from K to the loss of an untrained network, in nats per pixel.

    Args:
        first_loss: Takes K, returns the expected loss.
    """
    for num_bins in (256, 16, 2):
        loss, right = float(first_loss(num_bins)), math.log(num_bins)
        expect(
            abs(loss - math.log2(num_bins)) > 1e-3,
            f"For K = {num_bins} that is the loss in bits. For nats, take the natural logarithm.",
        )
        expect(
            abs(loss - math.log(num_bins + 1)) > 1e-3,
            "You counted the start token. The network never predicts it, so it has K outputs.",
        )
        expect(
            abs(loss - 1 / num_bins) > 1e-3,
            "That is the probability that each token gets. The loss is the surprise, -log of it.",
        )
        expect(
            abs(loss - right) < 1e-2,
            f"For K = {num_bins} you predict {loss:.3f}. An untrained network gives all K tokens "
            "about the same probability. What is -log of that?",
        )
    return "An untrained network is about as good as a blind guess: log K nats per pixel."


@checker
def check_softmax(softmax: Callable[[torch.Tensor], torch.Tensor]) -> str:
    """Check a function from logits to probabilities, also where the logits are huge.

    Args:
        softmax: Takes logits, float (..., K); returns probabilities of the same shape, each
            row along the last direction a distribution.
    """
    small = torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.0, 0.0, 0.0, 3.0]])
    answer = softmax(small)
    expect(
        answer.shape == small.shape,
        f"Logits of shape {tuple(small.shape)} became {tuple(answer.shape)}. The shape should "
        "stay: sum with keepdim=True.",
    )
    expect(
        torch.allclose(answer.sum(dim=-1), torch.ones(2)),
        "Each row should sum to 1. Divide by the sum over the last direction, dim=-1.",
    )
    expect(
        torch.allclose(answer, small.softmax(dim=-1)),
        "That is not exp of each logit, over their sum.",
    )
    large = torch.tensor([1000.0, 1002.0, -1000.0])
    expect(
        torch.allclose(softmax(large), large.softmax(dim=-1), atol=1e-3),
        f"For the logits {large.tolist()} you return {softmax(large).tolist()}. exp(1000) is more "
        "than a float can hold: subtract the largest logit first.",
    )
    rows = torch.tensor([[0.0, 1.0], [1000.0, 1001.0]])
    expect(
        torch.allclose(softmax(rows), rows.softmax(dim=-1), atol=1e-3),
        "One row is right, but beside a row of huge logits a row of small ones is lost. Subtract "
        "from each row its own maximum: amax(dim=-1, keepdim=True).",
    )
    return "Only differences matter, so you may move the largest logit to 0, and nothing overflows."


_HINTS = {
    "start": "One row of the embedding is missing: the start token has a row, too.",
    "biases": "The biases are missing. Each output of a layer has one.",
    "window": "The first layer sees all vectors of the window laid end to end, not one of them.",
    "outputs": "The last layer has K outputs, since the start token is never predicted.",
}
_SLIPS = [slips for size in range(1, 5) for slips in combinations(_HINTS, size)]  # fewest first


def _count(K: int, k: int, d: int, h: int, slips: tuple[str, ...]) -> int:
    """Return what somebody counts who makes these mistakes."""
    first, last = d if "window" in slips else k * d, K + ("outputs" in slips)
    biases = 0 if "biases" in slips else h + h + last
    return (K + ("start" not in slips)) * d + first * h + h * h + h * last + biases


@checker
def check_parameter_count(count_parameters: Callable[[int, int, int, int], int]) -> str:
    """Check a formula for the number of parameters against networks that are built.

    Args:
        count_parameters: Takes K, k (tokens in a window), d (numbers in an embedding) and h
            (width of the hidden layers); returns how many parameters the network has.
    """
    for K, k, d, h in ((16, 10, 32, 256), (16, 24, 16, 256), (2, 3, 4, 5), (256, 28, 8, 32)):
        with torch.random.fork_rng(devices=[]):
            model = CategoricalPixelPredictor(K, k, embedding_dim=d, hidden_size=h)
        answer, right = int(count_parameters(K, k, d, h)), model.num_parameters
        network = f"K = {K}, k = {k}, d = {d}, h = {h}"
        slips = next((slips for slips in _SLIPS if answer == _count(K, k, d, h, slips)), ())
        expect(not slips, " ".join([f"For {network}:", *(_HINTS[slip] for slip in slips)]))
        expect(
            answer == right,
            f"For {network} you count {answer:,}, which is {abs(answer - right):,} too "
            f"{'many' if answer > right else 'few'}. Add up the embedding and three layers, and "
            "ask of each layer: how many inputs, how many outputs?",
        )
    return "Most of them sit in the two hidden layers. A longer window costs d h for each token."


class _Cheat(PixelModel):
    """An honest model that adds, in some columns, what stands `ahead` places later."""

    def __init__(self, honest: PixelModel, ahead: int, columns: slice) -> None:
        super().__init__(honest.num_bins)
        self.honest, self.ahead, self.columns = honest, ahead, columns

    def forward(self, tokens: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        later = tokens.flatten(1).roll(-self.ahead, dims=1).view_as(tokens)
        leak = F.one_hot(later, self.num_bins).movedim(-1, 1)  # (N, K, H, W)
        logits = self.honest(tokens, labels).clone()
        logits[..., self.columns] += leak[..., self.columns]
        return logits


@checker
def check_looks_ahead(looks_ahead: Callable[[PixelModel, torch.Tensor], bool]) -> str:
    """Check a test for causality: it must pass honest models and catch those that cheat.

    Args:
        looks_ahead: Takes a model and tokens, long (1, H, W); returns whether the prediction
            for some pixel depends on that pixel or on a later one.
    """
    generator = torch.Generator().manual_seed(4)
    tokens = torch.randint(4, (1, 4, 4), generator=generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        honest = CategoricalPixelPredictor(4, embedding_dim=4, context=neighbourhood(1)).eval()
    expect(
        not looks_ahead(honest, tokens),
        "You accuse an honest model. The logits of later pixels may change when you change a "
        "token; compare only those at the pixel itself.",
    )
    everywhere, edge = slice(None), slice(3, None)
    expect(
        looks_ahead(_Cheat(honest, 1, everywhere), tokens),
        "You missed a model that sees the next pixel. Change the tokens (does each really become "
        "another one?) and compare the logits before and after.",
    )
    expect(
        looks_ahead(_Cheat(honest, 0, everywhere), tokens),
        "You missed a model that sees the very pixel it predicts. Change that one, too.",
    )
    expect(
        looks_ahead(_Cheat(honest, 4, everywhere), tokens),
        "You missed a model that sees the pixel below. Change all later tokens, not only the next.",
    )
    expect(
        looks_ahead(_Cheat(honest, 1, edge), tokens),
        "You missed a model that looks ahead in the last column only. Test every pixel.",
    )
    return "Your test catches all four cheats and clears the honest model."
