"""Intensities to tokens and back: K equal bins over the 256 grey levels of a pixel.

The idea is from the post "Generating Pixels One by One" (section "The 'Pixel as Token'
Approach"); the rule here is in integers, so that white never becomes the start token.
"""

import operator

import torch

MIN_BINS, MAX_BINS = 2, 256
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def quantize(images: torch.Tensor, num_bins: int) -> torch.Tensor:
    """Turn intensities into tokens: floor(v K / 256) for a grey level v of 0 to 255.

    Args:
        images: uint8 of any shape, levels 0 to 255; or float16, float32 or float64 of any
            shape, intensities 0 to 1, each the level round(255 x).
        num_bins: K, the number of bins, 2 to 256.

    Returns:
        long tensor of the same shape, tokens 0 to K - 1.

    Raises:
        TypeError: If images is not a tensor, or of another dtype; if K is not an integer.
        ValueError: If K is outside 2 to 256, or an intensity is outside 0 to 1 or NaN.
    """
    num_bins = check_num_bins(num_bins)
    return grey_levels(images).long().mul_(num_bins).floor_divide_(256)


def dequantize(tokens: torch.Tensor, num_bins: int) -> torch.Tensor:
    """Turn tokens into grey: the middle of the bin, (token + 1/2) / K.

    Args:
        tokens: integer tensor of any shape, tokens 0 to K - 1.
        num_bins: K, the number of bins, 2 to 256.

    Returns:
        float32 tensor of the same shape, intensities between 0 and 1.

    Raises:
        TypeError: If tokens is not an integer tensor; if K is not an integer.
        ValueError: If K is outside 2 to 256 or a token outside 0 to K - 1.
    """
    num_bins = check_num_bins(num_bins)
    check_tokens(tokens, num_bins)
    return (tokens.float() + 0.5) / num_bins


def binarize(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Draw black or white for each pixel: white with the probability of its grey, v / 255.

    Called again it draws again ("dynamic binarisation"; Salakhutdinov and Murray 2008).

    Args:
        images: uint8 or float of any shape, as for `quantize`.
        generator: Draws one uniform number a pixel, on the CPU.

    Returns:
        long tensor of the same shape, 0 (black) or 1 (white), on the CPU.

    Raises:
        TypeError, ValueError: As `quantize` does.
    """
    levels = grey_levels(images).cpu()
    noise = torch.rand(levels.shape, generator=generator, dtype=torch.float32, device="cpu")
    return (noise * 255 < levels).long()


def grey_levels(images: torch.Tensor, size: tuple[int, int] | None = None) -> torch.Tensor:
    """Return images as grey levels, having checked them.

    Args:
        images: uint8 or float of any shape, as for `quantize`.
        size: The (H, W) that images (N, H, W) must have; None where any shape will do.

    Returns:
        uint8 tensor of the same shape, levels 0 to 255.

    Raises:
        TypeError, ValueError: As `quantize` does; ValueError if the size is another.
    """
    if not isinstance(images, torch.Tensor):
        raise TypeError(f"images must be a torch.Tensor, not {type(images).__name__}.")
    if size is not None and (images.ndim != 3 or images.shape[1:] != size):
        raise ValueError(
            f"images must have shape (N, {size[0]}, {size[1]}), not {tuple(images.shape)}."
        )
    if images.dtype == torch.uint8:
        return images
    if images.dtype not in (torch.float16, torch.float32, torch.float64):
        raise TypeError(
            f"images have dtype {images.dtype}; give uint8 levels (0 to 255) or float16, "
            "float32 or float64 intensities (0 to 1)."
        )
    if images.numel() and not bool(((images >= 0) & (images <= 1)).all()):  # NaN fails too
        raise ValueError(f"float images must lie in 0 to 1, but {_what_is_wrong(images)}")
    return torch.round(images.float() * 255).to(torch.uint8)


def shade_nll(
    images: torch.Tensor, num_bins: int, counts: torch.Tensor | None = None
) -> torch.Tensor:
    """Return what it costs to name the level of each pixel once its token is known.

    By the chain rule, p(level) = p(token) p(level | token). Added to a model's surprise at the
    token, this makes models with different K comparable: all then describe the same 256 levels.

    Args:
        images: uint8 or float of any shape, as for `quantize`.
        num_bins: K, the number of bins, 2 to 256.
        counts: integer (256,), how often each level occurs in the training images. Each counts
            once more, so that none is impossible. Default: all levels of a bin are equally likely.

    Returns:
        float32 tensor of the same shape, nats.

    Raises:
        TypeError: As `quantize` does, or if counts is not an integer tensor.
        ValueError: As `quantize` does, or if counts are not 256 numbers of at least 0.
    """
    weights = torch.ones(MAX_BINS, dtype=torch.float64, device="cpu")
    if counts is not None:
        weights += _checked_counts(counts).cpu()
    levels = torch.arange(MAX_BINS, dtype=torch.uint8, device="cpu")
    tokens = quantize(levels, num_bins)
    totals = torch.zeros_like(weights).index_add_(0, tokens, weights)  # of each bin
    costs = (totals[tokens] / weights).log().float()
    found = grey_levels(images).long()
    return costs.to(found.device)[found]


def check_num_bins(num_bins: int) -> int:
    """Return `num_bins` as an int, having checked that grey levels can be cut into as many.

    Args:
        num_bins: K, the number of bins, 2 to 256.

    Returns:
        K.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is out of range.
    """
    return check_count("num_bins", num_bins, MIN_BINS, MAX_BINS)


def check_count(name: str, value: int, least: int = 1, most: int | None = None) -> int:
    """Return `value` as an int, having checked its range.

    Args:
        name: What to call it in an error.
        value: What was given: an int, or another integer such as NumPy's.
        least: The smallest that is allowed.
        most: The largest; default: no limit.

    Returns:
        The value.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is out of range.
    """
    try:
        count = operator.index(value)
    except TypeError:
        count = None
    if count is None or isinstance(value, bool) or getattr(value, "dtype", None) is torch.bool:
        raise TypeError(f"{name} must be an int, not {type(value).__name__}.")
    if count < least or (most is not None and count > most):
        allowed = f"at least {least}" if most is None else f"{least} to {most}"
        raise ValueError(f"{name} is {count}; it must be {allowed}.")
    return count


def check_tokens(tokens: torch.Tensor, num_bins: int) -> None:
    """Raise unless `tokens` is an integer tensor with values from 0 to K - 1.

    Args:
        tokens: integer tensor of any shape.
        num_bins: K, the number of values a token can have, at least 2; a codebook may have
            more than the 256 that grey levels can be cut into.

    Raises:
        TypeError: If tokens is not an integer tensor; if K is not an integer.
        ValueError: If a token is out of range, or K below 2.
    """
    num_bins = check_count("num_bins", num_bins, MIN_BINS)
    check_integers(tokens)
    if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < num_bins:
        raise ValueError(
            f"tokens range from {int(tokens.min())} to {int(tokens.max())}; with "
            f"{num_bins} bins they must be 0 to {num_bins - 1}. Were they made with another K?"
        )


def check_integers(tokens: torch.Tensor) -> None:
    """Raise unless `tokens` is an integer tensor.

    Args:
        tokens: Should be a tensor of any shape, uint8, int8, int16, int32 or int64 (long).

    Raises:
        TypeError: If it is not.
    """
    if not isinstance(tokens, torch.Tensor):
        raise TypeError(f"tokens must be a torch.Tensor, not {type(tokens).__name__}.")
    if tokens.dtype not in INTEGERS:
        raise TypeError(
            f"tokens have dtype {tokens.dtype}, which is none of the integers long, int32, int16, "
            "int8 or uint8; quantize(images, num_bins) makes tokens from intensities."
        )


def _checked_counts(counts: torch.Tensor) -> torch.Tensor:
    if not isinstance(counts, torch.Tensor) or counts.dtype not in INTEGERS:
        raise TypeError("counts must be an integer tensor.")
    if counts.shape != (MAX_BINS,) or int(counts.min()) < 0:
        raise ValueError(
            f"counts must be {MAX_BINS} numbers of at least 0, one a level, as "
            "torch.bincount(images.flatten(), minlength=256) gives them."
        )
    return counts


def _what_is_wrong(images: torch.Tensor) -> str:
    if bool(images.isnan().any()):
        return "some value is NaN: look where it comes from, such as a division by 0."
    smallest, largest = float(images.min()), float(images.max())
    advice = "Rescale them to 0 (black) to 1 (white)."
    if smallest >= 0 and largest < 1.01:
        advice = "Take away the rounding error with clamp(0, 1)."
    elif smallest >= 0 and largest <= 255:
        advice = "Divide 8-bit levels by 255."
        if largest < 128:
            advice = "Divide by the level of white, so that it becomes 1."
    return f"some value does not (smallest {smallest:.15g}, largest {largest:.15g}). {advice}"
