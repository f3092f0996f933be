"""Bayes' rule: a model that can be asked for a class can tell which class an image is of.

Sources: Fetaya et al., Understanding the Limitations of Conditional Generative Models, 2020;
Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927 (the interval).
"""

import math
from dataclasses import dataclass

import torch

from pixelar_lib.evaluation import nll
from pixelar_lib.models import PixelModel
from pixelar_lib.quantization import check_integers

NORMAL_95 = 1.959964  # 95 % of a normal distribution lie within so many standard deviations


@dataclass(frozen=True)
class Accuracy:
    """How many of N labels were found, with Wilson's interval of 95 %.

    Attributes:
        share: Of labels that were found, 0 to 1.
        low: Lower end of the interval.
        high: Upper end.
        num_images: N.
    """

    share: float
    low: float
    high: float
    num_images: int


def label_nll(model: PixelModel, tokens: torch.Tensor) -> torch.Tensor:
    """Return what each image costs under each label.

    Args:
        model: A conditional model with L labels.
        tokens: long (N, H, W), 0 to K - 1, N at least 1.

    Returns:
        float64 (N, L), nats per image, on the CPU.

    Raises:
        TypeError: If tokens are not integers.
        ValueError: If the model has no labels, or the tokens do not fit it.
    """
    if model.num_classes is None:
        raise ValueError(
            f"this {type(model).__name__} has no labels to tell apart; build it with num_classes."
        )
    check_integers(tokens)
    columns = []
    for label in range(model.num_classes):
        labels = torch.full((len(tokens),), label, device=tokens.device)
        columns.append(nll(model, tokens, labels).double().sum(dim=(1, 2)))
    return torch.stack(columns, dim=1)


def posterior(costs: torch.Tensor) -> torch.Tensor:
    """Return the probability of each label given the image, all labels being equally frequent.

    Args:
        costs: float (N, L), nats per image, from `label_nll`.

    Returns:
        Of the same shape; each row sums to 1.
    """
    return (-costs).softmax(dim=1)


def marginal_nll(costs: torch.Tensor) -> torch.Tensor:
    """Return what images cost without their labels, all labels being equally frequent.

    Args:
        costs: float (N, L), nats per image, from `label_nll`.

    Returns:
        float (N,), nats per image: of the mixture of all labels, each of weight 1 / L.
    """
    return math.log(costs.shape[1]) - (-costs).logsumexp(dim=1)


def accuracy(found: torch.Tensor, labels: torch.Tensor) -> Accuracy:
    """Return how often the label that was found is the true one.

    Args:
        found: long (N,), N at least 1.
        labels: long (N,), the true ones.

    Returns:
        The share and its interval.

    Raises:
        ValueError: If the lengths differ or there is no image.
    """
    if found.shape != labels.shape or not len(labels):
        raise ValueError(
            f"labels found {tuple(found.shape)} and true labels {tuple(labels.shape)} must have "
            "the same length, at least 1."
        )
    number, share = len(labels), float((found == labels).double().mean())
    z2 = NORMAL_95**2 / number
    middle = (share + z2 / 2) / (1 + z2)
    half = NORMAL_95 * math.sqrt(share * (1 - share) / number + z2 / number / 4) / (1 + z2)
    return Accuracy(share, max(middle - half, 0.0), min(middle + half, 1.0), number)
