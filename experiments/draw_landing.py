"""Draw the pictures on the landing page: python -m experiments.draw_landing

Writes book/_static/drawn.png and book/_static/finished.png: the first images that the shipped
PixelCNN draws with seed 0, not cherry-picked. And preview.png, the card that messengers show
beside a link to the book.
"""

from pathlib import Path

import matplotlib.image
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from pixelar_lib.data import load_mnist
from pixelar_lib.quantization import dequantize, quantize
from pixelar_lib.sampling import UNKNOWN, sample
from pixelar_lib.zoo import load_pretrained

STATIC = Path(__file__).parent.parent / "book" / "_static"
COLUMNS, SCALE, GAP = 6, 4, 2
DRAWN = 4 * COLUMNS


def main() -> None:
    model = load_pretrained("pixelcnn-k16")
    save(STATIC / "drawn.png", dequantize(sample(model, DRAWN), model.num_bins))

    tokens = quantize(load_mnist("test").images[:COLUMNS], model.num_bins)
    top_half = tokens.clone()
    top_half[:, 14:] = UNKNOWN
    finished = sample(model, COLUMNS, known=top_half)
    rows = torch.cat([top_half.clamp(min=0), finished])
    save(STATIC / "finished.png", dequantize(rows, model.num_bins))
    save_preview(STATIC / "preview.png", STATIC / "finished.png")


def save(path: Path, images: torch.Tensor) -> None:
    """Write (N, H, W) greys as a picture of N / COLUMNS rows, with a grey gap between tiles."""
    large = images.repeat_interleave(SCALE, 1).repeat_interleave(SCALE, 2)
    tiles = F.pad(large, (GAP,) * 4, value=0.5)  # (N, h, w)
    rows = [torch.cat(list(row), dim=1) for row in tiles.split(COLUMNS)]
    matplotlib.image.imsave(path, torch.cat(rows).numpy(), cmap="gray", vmin=0, vmax=1)


def save_preview(path: Path, picture: Path) -> None:
    """Write a card of 1200 x 630 pixels with the book's title above a picture."""
    figure = plt.figure(figsize=(12, 6.3), dpi=100, facecolor="#14213d")
    figure.text(0.07, 0.74, "Generating Pixels One by One", color="white", fontsize=44)
    words = "Autoregressive image models, from the ground up"
    figure.text(0.07, 0.62, words, color="#f4a825", fontsize=26)
    axes = figure.add_axes((0.07, 0.08, 0.86, 0.46))
    axes.imshow(matplotlib.image.imread(picture), interpolation="nearest")
    axes.axis("off")
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
