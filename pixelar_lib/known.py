"""Which pixels of an image are given, and which are to be drawn."""

import torch

from pixelar_lib.models import PixelModel

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
        known: long (N, H, W) or (H, W), -1 where to draw; default: all pixels are drawn.
        image_size: H = W, or (H, W). Default: that of `known`, else of the model, else 28.

    Returns:
        long (N, H, W), on the CPU.

    Raises:
        TypeError: If known is no long tensor.
        ValueError: If a shape or a value does not fit.
    """
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    if size is not None:
        _check_size(size)
    if known is None:
        return torch.full((num_images, *(size or model.image_size or DEFAULT_IMAGE_SIZE)), UNKNOWN)
    if not isinstance(known, torch.Tensor) or known.dtype != torch.long:
        raise TypeError("known must be a long tensor of tokens, with -1 where to draw.")
    if known.ndim == 2:
        known = known.expand(num_images, -1, -1)
    if known.ndim != 3 or len(known) != num_images or not known.numel():
        raise ValueError(
            f"known must have shape (H, W) or ({num_images}, H, W), not {tuple(known.shape)}."
        )
    if size is not None and tuple(size) != tuple(known.shape[1:]):
        raise ValueError(f"image_size is {size}, but known is {tuple(known.shape[1:])}.")
    if not UNKNOWN <= int(known.min()) <= int(known.max()) < model.num_bins:
        raise ValueError(
            f"known must hold tokens 0 to {model.num_bins - 1}, or -1 where to draw; "
            f"it ranges from {int(known.min())} to {int(known.max())}."
        )
    return known.cpu().contiguous()


def _check_size(size) -> None:
    is_pair = isinstance(size, tuple | list) and len(size) == 2
    if not is_pair or not all(isinstance(side, int) and side >= 1 for side in size):
        raise ValueError(f"image_size is {size!r}; give an int or a pair (H, W), each at least 1.")
