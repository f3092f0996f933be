"""The kinds of MNIST: what images are turned into before a model sees them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from pixelar_lib.optimization import check_choice
from pixelar_lib.quantization import binarize, quantize


@dataclass(frozen=True)
class DataKind:
    """A kind of MNIST; likelihoods can be compared within one kind only.

    Attributes:
        description: What it is, with {num_bins} for K.
        to_tokens: Function of images, K and a generator that returns the tokens of a step.
        is_random: Whether it draws other tokens from the same images at each step.
    """

    description: str
    to_tokens: Callable[[torch.Tensor, int, torch.Generator], torch.Tensor]
    is_random: bool = False


def _quantize(images, num_bins, generator) -> torch.Tensor:
    return quantize(images, num_bins)


def _binarize(images, num_bins, generator) -> torch.Tensor:
    return binarize(images, generator)


DATA_KINDS = {
    "grey": DataKind("{num_bins} grey levels", _quantize),
    "thresholded": DataKind("thresholded at 0.5", _quantize),
    "binarized": DataKind("dynamically binarised", _binarize, is_random=True),
}


def to_tokens(images: torch.Tensor, num_bins: int, data: str = "grey") -> torch.Tensor:
    """Turn images into the tokens that a model's figures were measured on.

    Args:
        images: uint8 or float, as for `quantize`.
        num_bins: K of the model.
        data: From the model's record (`info(name)["data"]`), a name in `DATA_KINDS`. Random
            ones draw the same noise each time.

    Returns:
        Tokens, long, of the same shape.

    Raises:
        TypeError, ValueError: As `quantize` does; ValueError if there is no such kind.
    """
    kind = DATA_KINDS[check_choice("data", data, DATA_KINDS)]
    return kind.to_tokens(images, num_bins, torch.Generator("cpu").manual_seed(0))
