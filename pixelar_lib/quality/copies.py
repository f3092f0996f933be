"""Are drawn images copies of images that exist already?"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from pixelar_lib.quantization import check_count, quantize

FEWEST_DISTANCES = 20  # below, the normal distribution is no good guide to Mann and Whitney's U
IMAGES_PER_CHUNK = 64  # so that what is compared at a time stays below 50 MB
AMONG_PER_CHUNK = 2048


@dataclass(frozen=True)
class Nearest:
    """The nearest image of each image.

    Attributes:
        index: long (N,), its place in `among`; of several at the same distance, the first.
        distance: float64 (N,), root mean squared difference of grey over the H W pixels, in
            greys of 0 (black) to 1 (white); 0 means a copy.
    """

    index: torch.Tensor
    distance: torch.Tensor


def nearest(images: torch.Tensor, among: torch.Tensor, shift: int = 1) -> Nearest:
    """Find for each image the nearest one among others, shifted by a pixel or so or not at all.

    All pairs are compared, with integers, so that the answer is exact. Beyond its edges an image
    counts as black on all sides; so nothing is gained by pushing a stroke out of the picture.

    Args:
        images: (N, H, W), uint8 levels or float intensities 0 to 1, each the level
            round(255 x), as for `quantize`.
        among: (M, H, W), the images to search, of either kind; M at least 1.
        shift: An image may move by so many pixels up or down and left or right, at least 0.

    Returns:
        Index and distance of the nearest one, on the CPU.

    Raises:
        TypeError: If one is not a tensor of intensities, or shift is not an integer.
        ValueError: If a shape is wrong, the sizes differ, there is nothing to search, an
            intensity is outside 0 to 1, or shift is negative.
    """
    shift = check_count("shift", shift, 0)
    levels, others = _levels("images", images), _levels("among", among)
    if levels.shape[1:] != others.shape[1:]:
        raise ValueError(
            f"images are {_size(levels)} pixels and those among which to search {_size(others)}; "
            "give both the same size."
        )
    if not len(others):
        raise ValueError("there is no image to search: among has length 0.")
    parts = [_search(some, others, shift) for some in levels.split(IMAGES_PER_CHUNK)]
    index, squared = (torch.cat(found) for found in zip(*parts, strict=True))
    return Nearest(index, (squared / max(levels[0:1].numel(), 1)).sqrt() / 255)


def _search(images: torch.Tensor, among: torch.Tensor, shift: int) -> tuple:
    """Return the index of the nearest image of each, and the squared distance in levels."""
    images = images.double()  # holds all integers up to 2^53, and these stay below
    moved = _moved(images, shift)  # (N, S, H, W)
    num_moves, moved = moved.shape[1], moved.flatten(0, 1).flatten(1)  # (N S, H W)
    own = images.square().sum(dim=(1, 2))
    least, index = torch.full_like(own, torch.inf), torch.zeros_like(own, dtype=torch.long)
    for start in range(0, len(among), AMONG_PER_CHUNK):
        others = among[start : start + AMONG_PER_CHUNK].flatten(1).double()  # (C, H W)
        overlap = (moved @ others.t()).unflatten(0, (-1, num_moves)).amax(dim=1)  # (N, C)
        squared = own[:, None] + others.square().sum(dim=1) - 2 * overlap
        place = squared.argmin(dim=1)
        found = squared.gather(1, place[:, None])[:, 0]
        index = torch.where(found < least, start + place, index)
        least = torch.minimum(found, least)
    return index, least


def _moved(images: torch.Tensor, shift: int) -> torch.Tensor:
    """Return images (N, H, W) moved by each allowed shift, (N, S, H, W), with zeros beyond."""
    height, width = images.shape[1:]
    padded = F.pad(images, (shift,) * 4)
    steps = range(2 * shift + 1)
    moved = [padded[:, i : i + height, j : j + width] for i in steps for j in steps]
    return torch.stack(moved, dim=1)


def _levels(name: str, images: torch.Tensor) -> torch.Tensor:
    levels = quantize(images, 256).to("cpu", torch.uint8)  # with 256 bins each level is a token
    if levels.ndim != 3:
        raise ValueError(f"{name} must have shape (N, H, W), not {tuple(levels.shape)}.")
    return levels


def _size(images: torch.Tensor) -> str:
    return " x ".join(map(str, images.shape[1:]))


def copying_z(drawn: torch.Tensor, held_out: torch.Tensor) -> float:
    """Tell whether drawn images lie nearer to the training images than other real images do.

    It is the test of Meehan et al., A Non-Parametric Test to Detect Data-Copying in Generative
    Models, 2020, in its simple form: over all images at once, not in each cell of a partition. So
    a model that copies a few images and is far from most can pass unnoticed.

    Args:
        drawn: float (N,), distance of each drawn image to its nearest training image, as from
            `nearest`; N at least 20.
        held_out: float (M,), the same of real images that were not trained on; M at least 20.

    Returns:
        Mann and Whitney's U as a z score: far below 0 the model copies, near 0 it does not, far
        above 0 its images are unlike the training images. It grows with the square root of N.

    Raises:
        TypeError, ValueError: If they are not such tensors.
    """
    for name, some in (("drawn", drawn), ("held_out", held_out)):
        if not isinstance(some, torch.Tensor) or not some.is_floating_point():
            raise TypeError(f"{name} must be a tensor of distances, float.")
        if some.ndim != 1 or len(some) < FEWEST_DISTANCES or bool(some.isnan().any()):
            raise ValueError(
                f"{name} must be at least {FEWEST_DISTANCES} distances (N,), none of them NaN, "
                f"not {tuple(some.shape)}."
            )
    both = torch.cat([drawn.double(), held_out.double()])
    _, places, ties = both.unique(return_inverse=True, return_counts=True)
    last = ties.cumsum(dim=0).double()
    ranks = (last - (ties.double() - 1) / 2)[places]  # equal ones share their mean rank
    n, m = len(drawn), len(held_out)
    u = float(ranks[:n].sum()) - n * (n + 1) / 2  # pairs in which the drawn one lies further away
    tied = float((ties.double() ** 3 - ties).sum()) / ((n + m) * (n + m - 1))
    variance = n * m / 12 * (n + m + 1 - tied)
    return (u - n * m / 2) / math.sqrt(variance) if variance > 0 else 0.0
