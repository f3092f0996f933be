"""Draw the pictures on the landing page: python -m experiments.draw_landing

Writes book/_static/drawn.png and book/_static/finished.png: the first images that the shipped
neighbourhood model draws under seed 0, none of them picked.
"""

from pathlib import Path

import matplotlib.image
import torch
import torch.nn.functional as F

from pixelar_lib.data import load_mnist
from pixelar_lib.quantization import dequantize, quantize
from pixelar_lib.sampling import UNKNOWN, sample
from pixelar_lib.zoo import load_pretrained

STATIC = Path(__file__).parent.parent / "book" / "_static"
COLUMNS, SCALE, GAP = 10, 3, 2


def main() -> None:
    model = load_pretrained("neighbourhood-mlp-k16")
    save(STATIC / "drawn.png", dequantize(sample(model, 2 * COLUMNS), model.num_bins))

    tokens = quantize(load_mnist("test").images[:COLUMNS], model.num_bins)
    top_half = tokens.clone()
    top_half[:, 14:] = UNKNOWN
    finished = sample(model, COLUMNS, known=top_half)
    rows = torch.cat([top_half.clamp(min=0), finished])
    save(STATIC / "finished.png", dequantize(rows, model.num_bins))


def save(path: Path, images: torch.Tensor) -> None:
    """Write (N, H, W) greys as a picture of N / COLUMNS rows, tiles apart by a grey gap."""
    large = images.repeat_interleave(SCALE, 1).repeat_interleave(SCALE, 2)
    tiles = F.pad(large, (GAP,) * 4, value=0.5)  # (N, h, w)
    rows = [torch.cat(list(row), dim=1) for row in tiles.split(COLUMNS)]
    matplotlib.image.imsave(path, torch.cat(rows).numpy(), cmap="gray", vmin=0, vmax=1)


if __name__ == "__main__":
    main()
