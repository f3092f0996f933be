"""Draw what stands in the Pixel Lab's places without scripts: python -m experiments.draw_stills

Writes book/_static/lab/stills/: digits of the data set only, no model's drawings.
"""

from pathlib import Path

import torch

from experiments.draw_landing import save
from pixelar_lib.context import neighbourhood
from pixelar_lib.data import load_mnist
from pixelar_lib.models import CategoricalPixelPredictor
from pixelar_lib.plotting import context_picture
from pixelar_lib.quantization import dequantize, quantize

STILLS = Path(__file__).parent.parent / "book" / "_static" / "lab" / "stills"
TONES = (256, 16, 8, 4, 3, 2)
ROW, COLUMN = 13, 17  # the pixel that the book follows


def main() -> None:
    STILLS.mkdir(exist_ok=True)
    seven = load_mnist("test").images[0]
    save(STILLS / "tones.png", torch.stack([dequantize(quantize(seven, k), k) for k in TONES]))
    save(STILLS / "train.png", load_mnist("train").images[:12] / 255)
    window = CategoricalPixelPredictor(context=neighbourhood(3))
    seen = window.receptive_field(ROW, COLUMN, *seven.shape)
    figure = context_picture(seven, [seen], ["a neighbourhood of radius 3"], ROW, COLUMN)
    figure.savefig(STILLS / "sight.png", metadata={"Software": None})


if __name__ == "__main__":
    main()
