"""Which pixels of an image are given, and which are to be drawn."""

import torch

from pixelar_lib.context import height_and_width
from pixelar_lib.models import PixelModel
from pixelar_lib.quantization import INTEGERS, check_count

DEFAULT_IMAGE_SIZE = (28, 28)
UNKNOWN = -1  # marks in `known` the pixels to draw


def known_pixels(
    model: PixelModel,
    num_images: int,
    known: torch.Tensor | None = None,
    image_size: int | tuple[int, int] | None = None,
) -> torch.Tensor:
    """Return the tokens to keep, with -1 wherever a pixel is to be drawn.

    Args:
        model: Its `image_size` is taken where nothing else tells the size.
        num_images: N.
        known: integer (N, H, W) or (H, W), -1 where to draw; so uint8, which has no -1, leaves
            nothing to draw. Default: all pixels are drawn.
        image_size: H = W, or (H, W). Default: that of `known`, else of the model, else 28.

    Returns:
        long (N, H, W), on the CPU.

    Raises:
        TypeError: If known is not an integer tensor, or num_images not an integer.
        ValueError: If a shape or a value does not fit.
    """
    num_images = check_count("num_images", num_images)
    size = None if image_size is None else height_and_width(image_size)
    if known is None:
        size = size or model.image_size or DEFAULT_IMAGE_SIZE
        return torch.full((num_images, *size), UNKNOWN, dtype=torch.long, device="cpu")
    if not isinstance(known, torch.Tensor) or known.dtype not in INTEGERS:
        raise TypeError(
            "known must be an integer tensor, such as a long tensor of tokens, with -1 where to "
            "draw."
        )
    if known.ndim == 2:
        known = known.expand(num_images, -1, -1)
    if known.ndim != 3 or len(known) != num_images or not known.numel():
        raise ValueError(
            f"known must have shape (H, W) or ({num_images}, H, W), not {tuple(known.shape)}."
        )
    if size is not None and size != tuple(known.shape[1:]):
        raise ValueError(f"image_size is {size}, but known is {tuple(known.shape[1:])}.")
    if not UNKNOWN <= int(known.min()) <= int(known.max()) < model.num_bins:
        raise ValueError(
            f"known must hold tokens 0 to {model.num_bins - 1}, or -1 where to draw; "
            f"it ranges from {int(known.min())} to {int(known.max())}."
        )
    return known.long().cpu().contiguous()
