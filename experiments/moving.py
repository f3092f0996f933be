"""More digits from those there are: slanted, turned, stretched and bent a little, at random.

A digit of MNIST fills a box of 20 x 20 pixels, which lies so that the centre of the digit's mass
is the centre of the picture (LeCun et al. 1998). So most begin and end with a whole row of pixels,
and models know it: half a pixel further down, a digit costs a PixelCNN a third more, though a
whole pixel hardly matters. That is why each is framed anew. Simard et al., Best Practices for
Convolutional Neural Networks Applied to Visual Document Analysis, 2003, bent digits to train
classifiers.
"""

import torch
import torch.nn.functional as F

BOX = 20  # pixels, the longer side of each digit
TURN, STRETCH, SLANT = 0.12, 0.08, 0.15  # at most: radians, log of the factor, tangent
BEND, BENDS = 0.06, 4  # at most, in half pictures, at each of 4 x 4 points
FINE = 4  # points a pixel and direction, whose mean it is
CONTRAST = 3.0  # edges between pixels become as sharp as they were


def move(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return other digits, each made from one image.

    Args:
        images: Grey levels, uint8 (N, H, W), at least 20 x 20, ink bright; not blank.
        generator: Decides how each is moved.

    Returns:
        uint8 (N, H, W).
    """
    height, width = images.shape[1:]
    digits = Slanted(images, generator)
    middle, half = digits.frame(2 * height)
    places = middle[:, None, None] + half[:, None, None, None] * lattice(FINE * BOX)
    boxes = F.avg_pool2d(digits.ink(places)[:, None], FINE)[:, 0]  # (N, 20, 20)
    page = boxes.new_zeros(images.shape)
    corners = zip(corner(boxes.sum(2), height), corner(boxes.sum(1), width), strict=True)
    for paper, box, (top, left) in zip(page, boxes, corners, strict=True):
        paper[top : top + BOX, left : left + BOX] = box
    return (page * 255).round().to(torch.uint8)


class Slanted:
    """Images with their paper bent at random, and ink that can be read at any place."""

    def __init__(self, images: torch.Tensor, generator: torch.Generator) -> None:
        """Draw how uint8 images (N, H, W) are bent."""

        def some(most: torch.Tensor | float, *size: int) -> torch.Tensor:
            return (2 * torch.rand(len(images), *size, generator=generator) - 1) * most

        turn, stretch, slant = some(torch.tensor([TURN, STRETCH, SLANT]), 3).unbind(1)
        self.bends = some(BEND, 2, BENDS, BENDS)
        cos, sin, wide, high = turn.cos(), turn.sin(), (-stretch).exp(), stretch.exp()
        rows = [cos * wide, (slant * cos - sin) * wide], [sin * high, (cos + slant * sin) * high]
        self.slopes = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=1)  # (N, 2, 2)
        self.images = images[:, None].float()

    def ink(self, places: torch.Tensor) -> torch.Tensor:
        """Return the ink, 0 to 1, at (x, y) from -1 to 1: float (N, h, w, 2) into (N, h, w)."""
        bent = F.grid_sample(
            self.bends, places, mode="bicubic", padding_mode="border", align_corners=True
        ).movedim(1, -1)
        before = places @ self.slopes.transpose(1, 2)[:, None] + bent
        found = F.grid_sample(self.images, before, mode="bicubic", align_corners=False)[:, 0]
        return ((found / 255 - 0.5) * CONTRAST + 0.5).clamp(0, 1)

    def frame(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the smallest squares around the ink: middle (N, 2), half a side (N,)."""
        seen = self.ink(lattice(size).expand(len(self.images), -1, -1, -1)) > 0.5
        line = lattice(size)[0, :, 0]
        inked = torch.stack([seen.any(dim=1), seen.any(dim=2)], dim=1)  # columns, rows
        low = torch.where(inked, line, 9.0).amin(dim=-1) - 1 / size
        high = torch.where(inked, line, -9.0).amax(dim=-1) + 1 / size
        return (low + high) / 2, ((high - low) / 2).amax(dim=-1)


def lattice(size: int) -> torch.Tensor:
    """Return the places (x, y) of size x size pixels, from -1 to 1: float (size, size, 2)."""
    line = (torch.arange(size) + 0.5) * 2 / size - 1
    return torch.stack([line.expand(size, size), line[:, None].expand(size, size)], dim=-1)


def corner(mass: torch.Tensor, size: int) -> list[int]:
    """Return where a box begins: its mass (N, 20), row by row, has its centre in the picture's."""
    centre = mass @ (torch.arange(BOX) + 0.5) / mass.sum(dim=1)
    begins = (size / 2 + 0.5 - centre).round()  # MNIST's own pictures lie half a pixel off
    return begins.long().clamp(0, size - BOX).tolist()
