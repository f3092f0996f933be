"""Which earlier pixels a prediction may see, and windows over many images at once.

A context lists, for each pixel, the earlier pixels that the model looks at. `raster` is the
sliding window of the post (section "The Heart of Autoregression: Context Windows");
`neighbourhood` is the causal square around the pixel.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache

import torch

from pixelar_lib.quantization import INTEGERS, check_count, check_integers

OUTSIDE = -1  # marks a position before or beside the image: the start token stands there
LABEL = -2  # marks the place in a window where the token of the image's label stands


class Context(ABC):
    """Which earlier pixels a prediction sees; `raster` and `neighbourhood` make one.

    Attributes:
        length: The number of pixels in the window.
    """

    length: int

    @abstractmethod
    def positions(self, height: int, width: int) -> torch.Tensor:
        """Return for each pixel the flat indices of its context, in reading order.

        Args:
            height: Rows of the image.
            width: Columns of the image.

        Returns:
            long (height * width, length) on the CPU, -1 where a position is outside the image.
        """


@dataclass(frozen=True)
class Raster(Context):
    """The k pixels before, in reading order, wrapping over the end of a row.

    Attributes:
        length: k, the number of pixels in the window.
    """

    length: int

    def positions(self, height: int, width: int) -> torch.Tensor:
        """Return for each pixel the k flat indices before its own, as `Context.positions`."""
        pixels = torch.arange(height * width, device="cpu")[:, None]
        return (pixels + torch.arange(-self.length, 0, device="cpu")).clamp(min=OUTSIDE)


@dataclass(frozen=True)
class Neighbourhood(Context):
    """The causal pixels at most `radius` rows up and `radius` columns to either side.

    Attributes:
        radius: r, in pixels; the window holds 2 r (r + 1) pixels.
    """

    radius: int

    @property
    def length(self) -> int:
        """The number of pixels in the window, 2 r (r + 1)."""
        return 2 * self.radius * (self.radius + 1)

    def positions(self, height: int, width: int) -> torch.Tensor:
        """Return for each pixel the flat indices around and before it, as `Context.positions`."""
        reach = range(-self.radius, self.radius + 1)
        offsets = [(y, x) for y in reach for x in reach if (y, x) < (0, 0)]
        up, aside = torch.tensor(offsets, device="cpu").unbind(1)
        pixels = torch.arange(height * width, device="cpu")[:, None]
        rows, columns = pixels // width + up, pixels % width + aside  # (H W, length)
        inside = (rows >= 0) & (columns >= 0) & (columns < width)
        return torch.where(inside, rows * width + columns, OUTSIDE)


def raster(k: int) -> Raster:
    """Return the context of the k pixels before, in reading order, as in the post.

    Args:
        k: Number of pixels, at least 1.

    Returns:
        The context; `.length` is k.

    Raises:
        TypeError: If k is not an integer.
        ValueError: If k is below 1.
    """
    return Raster(check_count("k", k))


def neighbourhood(radius: int) -> Neighbourhood:
    """Return the context of the causal pixels within `radius` rows and columns.

    Args:
        radius: In pixels, at least 1. Radius 3 sees 24 pixels.

    Returns:
        The context; `.length` is 2 r (r + 1).

    Raises:
        TypeError: If the radius is not an integer.
        ValueError: If the radius is below 1.
    """
    return Neighbourhood(check_count("radius", radius))


def windows(
    tokens: torch.Tensor,
    context: Context,
    start_token: int,
    pixels: torch.Tensor | None = None,
) -> torch.Tensor:
    """Gather the context windows of many pixels at once.

    Args:
        tokens: integer (N, H, W).
        context: Which pixels each window holds.
        start_token: The token that stands at positions outside the image (K in this book).
        pixels: integer (N, M), flat indices of the pixels whose windows you want, M for each
            image. Default: all H W of them.

    Returns:
        long (N, M, context.length); the last entry of a raster window is the pixel just
        before.

    Raises:
        TypeError: If tokens or pixels is not an integer tensor, start_token not an integer, or
            context not a context.
        ValueError: If the shapes do not fit or a pixel is outside the image.
    """
    _check_images(tokens)
    check_context(context)
    start_token = check_count("start_token", start_token, least=0)
    num_images, height, width = tokens.shape
    table = positions(context, height, width).to(tokens.device)
    if pixels is not None:
        _check_pixels(pixels, num_images, height * width)
        table = table[pixels.to(tokens.device).long()]  # (N, M, length)
    index = table.clamp(min=0).expand(num_images, -1, -1).flatten(1)  # (N, M length)
    gathered = tokens.flatten(1).gather(1, index).long().unflatten(1, table.shape[-2:])
    return gathered.masked_fill_(table == OUTSIDE, start_token)


def targets(tokens: torch.Tensor, pixels: torch.Tensor | None = None) -> torch.Tensor:
    """Return the tokens that the windows of the same pixels are to predict.

    Args:
        tokens: integer (N, H, W).
        pixels: integer (N, M), flat indices as in `windows`. Default: all H W of them.

    Returns:
        long (N, M).

    Raises:
        TypeError: If tokens or pixels is not an integer tensor.
        ValueError: If the shapes do not fit or a pixel is outside the image.
    """
    _check_images(tokens)
    flat = tokens.flatten(1)
    if pixels is None:
        return flat.long()
    _check_pixels(pixels, *flat.shape)
    return flat.gather(1, pixels.to(tokens.device).long()).long()


@lru_cache(maxsize=32)
def positions(context: Context, height: int, width: int) -> torch.Tensor:
    """Return `context.positions(height, width)`, computed once and kept; do not write to it.

    Args:
        context: Which pixels a window holds.
        height: Rows of the image.
        width: Columns of the image.

    Returns:
        long (height * width, context.length) on the CPU, -1 where a position is outside the
        image.
    """
    with torch.inference_mode(False), torch.device("cpu"):  # else the caller's modes are kept too
        return context.positions(height, width)


def flat_index(row: int, column: int, height: int, width: int) -> int:
    """Return the place of a pixel in reading order, from 0: row * width + column.

    Raises:
        ValueError: If the pixel is outside an image of that height and width.
    """
    if not (0 <= row < height and 0 <= column < width):
        raise ValueError(f"pixel ({row}, {column}) is outside an image of {height} x {width}.")
    return row * width + column


def height_and_width(image_size: int | tuple[int, int]) -> tuple[int, int]:
    """Return (H, W) from an int, H = W, or from a pair; ValueError for anything else."""
    sides = image_size if isinstance(image_size, tuple | list) else (image_size, image_size)
    try:
        height, width = (check_count("a side", side) for side in sides)
    except (TypeError, ValueError):
        raise ValueError(
            f"image_size is {image_size!r}; give an int or a pair (H, W), each at least 1."
        ) from None
    return height, width


def check_context(context: Context) -> None:
    """Raise unless `context` is one.

    Args:
        context: Should come from `raster` or `neighbourhood`.

    Raises:
        TypeError: If it is not a context.
    """
    if not isinstance(context, Context):
        raise TypeError(f"context is {context!r}; make one with raster or neighbourhood.")


def _check_images(tokens: torch.Tensor) -> None:
    check_integers(tokens)
    if tokens.ndim != 3:
        raise ValueError(f"tokens must have shape (N, H, W), not {tuple(tokens.shape)}.")


def _check_pixels(pixels: torch.Tensor, num_images: int, num_pixels: int) -> None:
    if not isinstance(pixels, torch.Tensor) or pixels.dtype not in INTEGERS:
        raise TypeError("pixels must be an integer tensor of flat indices, row * width + column.")
    if pixels.ndim != 2 or len(pixels) != num_images:
        raise ValueError(
            f"pixels must have shape ({num_images}, M), M pixels for each of the "
            f"{num_images} images, not {tuple(pixels.shape)}."
        )
    if pixels.numel() and not 0 <= int(pixels.min()) <= int(pixels.max()) < num_pixels:
        raise ValueError(f"pixels must be flat indices from 0 to {num_pixels - 1}.")
