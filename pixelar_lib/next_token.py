"""From the logits of one pixel to its token: temperature, top-k, nucleus, and the draw."""

import torch

from pixelar_lib.quantization import check_count


def next_token_distribution(
    logits: torch.Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> torch.Tensor:
    """Return the distribution that `sample` draws from, given a model's logits.

    Args:
        logits: float (..., K).
        temperature: Divides the logits; 0 puts everything on the (first) largest.
        top_k: Keep the k likeliest tokens only, 1 to K.
        top_p: Keep the fewest tokens that together have this probability, above 0 to 1.

    Returns:
        Probabilities, float32 or float64 (..., K), summing to 1.

    Raises:
        ValueError: If an argument is out of range.
    """
    check_truncation(temperature, top_k, top_p, logits.shape[-1])
    if logits.dtype in (torch.bfloat16, torch.float16):
        logits = logits.float()  # sums of 16-bit probabilities miss 1 by up to a percent
    if temperature == 0:
        likeliest = logits.argmax(dim=-1, keepdim=True)
        return torch.zeros_like(logits).scatter_(-1, likeliest, 1.0)
    if temperature != 1:
        logits = logits - logits.amax(dim=-1, keepdim=True)  # a tiny one must not overflow,
        logits = logits / max(temperature, torch.finfo(logits.dtype).tiny)  # nor vanish: 0 / 0
    probabilities = logits.softmax(dim=-1)
    if top_k is not None:
        kept = probabilities.topk(top_k, dim=-1).indices
        probabilities = probabilities * torch.zeros_like(logits).scatter_(-1, kept, 1.0)
        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)
    if top_p is not None:
        ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(dim=-1) - ordered  # what the likelier tokens have together
        least = torch.finfo(logits.dtype).tiny  # a smaller top_p would be 0, and keep nothing
        kept = torch.where(before < max(top_p, least), ordered, 0.0)
        probabilities = torch.zeros_like(logits).scatter_(-1, order, kept)
        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)
    return probabilities


def draw(probabilities: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Draw one token from each distribution: the first whose cumulative probability exceeds u.

    Args:
        probabilities: float (N, K), each row summing to 1.
        uniform: float (N,), numbers from 0 to below 1.

    Returns:
        long (N,); never a token of probability 0.
    """
    tokens = (probabilities.cumsum(dim=1) <= uniform[:, None]).sum(dim=1)
    if int(tokens.max()) == probabilities.shape[1]:  # rounding left the last sum just below u
        places = torch.arange(probabilities.shape[1], device=probabilities.device)
        tokens = torch.minimum(tokens, (places * (probabilities > 0)).amax(dim=1))
    return tokens


def check_truncation(
    temperature: float, top_k: int | None, top_p: float | None, num_bins: int
) -> None:
    """Raise unless these arguments of `next_token_distribution` fit K tokens.

    Args:
        temperature: Should be at least 0, and finite.
        top_k: Should be None, or 1 to K.
        top_p: Should be None, or above 0 to 1.
        num_bins: K.

    Raises:
        TypeError: If top_k is not an integer.
        ValueError: If one is out of range.
    """
    if not 0 <= temperature < float("inf"):
        raise ValueError(
            f"temperature is {temperature}; it must be a number of at least 0 "
            "(0 means: always the likeliest token)."
        )
    if top_k is not None:
        check_count("top_k", top_k, most=num_bins)
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is {top_p}; it must be above 0 and at most 1.")
