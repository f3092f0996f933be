"""Numbers about data and models: entropy, distortion, calibration, where the loss sits."""

from dataclasses import dataclass

import torch

from pixelar_lib.context import flat_index, targets, windows
from pixelar_lib.evaluation import KGramBaseline, nll
from pixelar_lib.models import PixelModel, batches, evaluating
from pixelar_lib.quantization import check_count, check_tokens, dequantize, quantize
from pixelar_lib.sampling import Trace, sample_with_trace


def entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Return the entropy of distributions: 0 when one token is certain, log K when all are alike.

    Args:
        probabilities: float (..., K), each row summing to 1.

    Returns:
        float (...), nats.
    """
    return torch.special.entr(probabilities).sum(dim=-1)


def token_frequencies(tokens: torch.Tensor, num_bins: int) -> torch.Tensor:
    """Return how often each token occurs, whatever its position.

    Args:
        tokens: integer tensor of any shape, 0 to K - 1.
        num_bins: K.

    Returns:
        float64 (K,), summing to 1.

    Raises:
        TypeError: If tokens is not an integer tensor.
        ValueError: If a token is out of range or there is none.
    """
    check_tokens(tokens, num_bins)
    if not tokens.numel():
        raise ValueError("there are no tokens to count.")
    return torch.bincount(tokens.flatten(), minlength=num_bins).double() / tokens.numel()


def quantization_error(images: torch.Tensor, num_bins: int) -> float:
    """Return how far, on average, a pixel moves when it is quantized and turned back.

    Args:
        images: uint8 levels or float intensities of any shape, as for `quantize`.
        num_bins: K, 2 to 256.

    Returns:
        Root mean squared difference, in grey levels of 0 to 255.

    Raises:
        TypeError: If images is not a tensor of intensities.
        ValueError: If K is out of range.
    """
    back = dequantize(quantize(images, num_bins), num_bins).double() * 255
    levels = quantize(images, 256)  # with 256 bins each level is a token
    return float((back - levels).square().mean().sqrt())


def context_length_losses(
    tokens: torch.Tensor, held_out: torch.Tensor, num_bins: int, longest: int
) -> list[float]:
    """Return how well counting predicts a pixel from the k pixels before it, for k = 0, 1, ...

    Args:
        tokens: long (N, H, W), the images whose runs are counted.
        held_out: long (M, H, W), the images to predict.
        num_bins: K.
        longest: The largest k, at least 1.

    Returns:
        longest + 1 numbers, for each k the mean negative log-likelihood on the held-out
        images, nats per pixel. It is an upper bound on the entropy of a pixel given the k
        pixels before it.

    Raises:
        TypeError, ValueError: As `KGramBaseline` and `context.windows` do.
    """
    model = KGramBaseline(tokens, num_bins, longest)
    contexts = windows(held_out, model.context, model.start_token)  # (M, H W, longest)
    following = targets(held_out)[..., None]  # (M, H W, 1)
    return [
        float(-estimate.gather(-1, following).double().log().mean())
        for estimate in model.estimates(contexts)
    ]


def trace_images(
    model: PixelModel, tokens: torch.Tensor, labels: torch.Tensor | None = None
) -> Trace:
    """Return what a model thinks of each pixel of given images, as `sample_with_trace` does.

    Args:
        model: Keeps the contract of `PixelModel`.
        tokens: long (N, H, W).
        labels: long (N,) for a conditional model, else None.

    Returns:
        The tokens, the probability of each, and the entropy of each prediction in nats.

    Raises:
        TypeError: If tokens or labels are not integer tensors.
        ValueError: If tokens or labels do not fit the model.
    """
    model.check_input(tokens, labels)  # no -1 here: nothing is to be drawn
    return sample_with_trace(model, len(tokens), known=tokens, labels=labels)


def loss_by_position(
    model: PixelModel, tokens: torch.Tensor, labels: torch.Tensor | None = None
) -> torch.Tensor:
    """Return where in the image the loss sits.

    Args:
        model: Keeps the contract of `PixelModel`.
        tokens: long (N, H, W).
        labels: long (N,) for a conditional model, else None.

    Returns:
        float (H, W), mean nats of each position; its mean is the model's nats per pixel.

    Raises:
        TypeError: If tokens or labels are not integer tensors.
        ValueError: If tokens or labels do not fit the model.
    """
    return nll(model, tokens, labels).mean(dim=0)


def receptive_field(
    model: PixelModel, row: int, column: int, height: int, width: int
) -> torch.Tensor:
    """Measure by gradient which pixels the prediction at (row, column) depends on.

    Args:
        model: Keeps the contract and implements `embed` and `predict`.
        row: Row of the predicted pixel.
        column: Column of the predicted pixel.
        height: Rows of the image.
        width: Columns of the image.

    Returns:
        bool (height, width), where the gradient is not zero for some image of random tokens.

    Raises:
        ValueError: If the pixel is outside the image.
    """
    flat_index(row, column, height, width)
    generator = torch.Generator("cpu").manual_seed(0)
    size = 16, height, width
    tokens = torch.randint(model.num_bins, size, generator=generator, device="cpu")
    weights = torch.rand(model.num_bins, generator=generator, dtype=torch.float32, device="cpu")
    weights = weights.to(model.device)
    with evaluating(model), torch.enable_grad():
        embedded = model.embed(tokens.to(model.device)).detach().requires_grad_()
        logits = model.predict(embedded)[:, :, row, column]  # (16, K)
        (gradient,) = torch.autograd.grad((logits * weights).sum(), embedded)
    return (gradient != 0).any(dim=-1).any(dim=0).cpu()


@dataclass(frozen=True)
class Reliability:
    """How far a model's confidence can be trusted, in groups of similar confidence.

    Attributes:
        confidence: float (G,), mean predicted probability of the likeliest token.
        accuracy: float (G,), how often that token was right.
        count: long (G,), predictions in the group; groups without any are left out.
    """

    confidence: torch.Tensor
    accuracy: torch.Tensor
    count: torch.Tensor

    @property
    def expected_calibration_error(self) -> float:
        """Mean gap between confidence and accuracy, weighted by count, 0 to 1."""
        gap = (self.confidence - self.accuracy).abs()
        return float((gap * self.count).sum() / self.count.sum())


def reliability_table(
    model: PixelModel,
    tokens: torch.Tensor,
    labels: torch.Tensor | None = None,
    num_groups: int = 10,
) -> Reliability:
    """Compare how sure a model is of its likeliest token with how often it is right.

    Args:
        model: Keeps the contract of `PixelModel`.
        tokens: long (N, H, W).
        labels: long (N,) for a conditional model, else None.
        num_groups: Equal steps of confidence between 0 and 1.

    Returns:
        Confidence, accuracy and count of each group that has any prediction. The method is
        that of Guo et al., On Calibration of Modern Neural Networks, 2017.

    Raises:
        TypeError: If tokens or labels are not integer tensors, or num_groups is not an integer.
        ValueError: If there is no image, tokens or labels do not fit the model, or num_groups
            is below 1.
    """
    model.check_input(tokens, labels)
    if not len(tokens):
        raise ValueError("there is no image to predict: tokens has length 0.")
    check_count("num_groups", num_groups)
    confidences, rights = [], []
    with evaluating(model):
        for some, some_labels in batches(model.eval_batch_size, model.device, tokens, labels):
            confidence, guess = model(some, some_labels).softmax(dim=1).max(dim=1)
            confidences.append(confidence.cpu())
            rights.append((guess == some).cpu())
    return reliability(torch.cat(confidences), torch.cat(rights), num_groups)


def reliability(confidence: torch.Tensor, right: torch.Tensor, num_groups: int = 10) -> Reliability:
    """Compare how sure guesses were with how often they were right.

    Args:
        confidence: float, of any shape but empty: the probability given to each guess, 0 to 1.
        right: bool, of the same shape: whether the guess was right.
        num_groups: Equal steps of confidence between 0 and 1.

    Returns:
        Confidence, accuracy and count of each group that has any guess.

    Raises:
        TypeError, ValueError: If num_groups is no count, or a shape does not fit.
    """
    check_count("num_groups", num_groups)
    if confidence.shape != right.shape or not confidence.numel():
        raise ValueError(
            f"confidence {tuple(confidence.shape)} and right {tuple(right.shape)} must have one "
            "shape, and not be empty."
        )
    confidence, right = confidence.flatten().double(), right.flatten().double()
    group = (confidence * num_groups).long().clamp(max=num_groups - 1)
    count = torch.bincount(group, minlength=num_groups)
    mean_confidence, accuracy = (
        torch.bincount(group, values, minlength=num_groups)[count > 0] / count[count > 0]
        for values in (confidence, right)
    )
    return Reliability(mean_confidence, accuracy, count[count > 0])
