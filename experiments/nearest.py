"""Measure how far drawn digits lie from all training images, beside real digits.

python -m experiments.nearest reads the full MNIST (see data.load_mnist for where) and writes
records/measurements/nearest.json below pixelar_lib/assets.
"""

import json

import torch

from experiments.assets import add_asset
from experiments.provenance import git_commit, machine
from pixelar_lib.data import load_mnist
from pixelar_lib.quality import nearest
from pixelar_lib.quantization import quantize
from pixelar_lib.sampling import sample
from pixelar_lib.zoo import load_pretrained

MODEL, NUM_BINS = "pixelcnn-k16", 16
NUM_IMAGES = 1_000
QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)


def main() -> None:
    torch.set_num_threads(1)
    commit = git_commit()
    train = grey(quantize(load_mnist("train", "full").images, NUM_BINS))
    test = quantize(load_mnist("test", "full").images, NUM_BINS)
    generator = torch.Generator().manual_seed(0)
    drawings = sample(load_pretrained(MODEL), NUM_IMAGES, generator=generator)
    record = {
        "protocol": f"{NUM_IMAGES:,} drawings of {MODEL} (seed 0), and as many test images, "
        "evenly spread; the nearest training image of each, both in 16 greys from 0 to 1. Root "
        "mean squared difference; an image may move by a pixel in each direction.",
        "quantiles": QUANTILES,
        "among": len(train),
        "drawings": distances(drawings, train),
        "test digits": distances(test[:: len(test) // NUM_IMAGES], train),
        "commit": commit,
        "machine": machine(),
        "command": "python -m experiments.nearest",
    }
    add_asset("records/measurements/nearest.json", (json.dumps(record, indent=1) + "\n").encode())


def grey(tokens: torch.Tensor) -> torch.Tensor:
    """Return uint8 levels in which token 0 is exactly black, and the last one white."""
    return (tokens * 255 // (NUM_BINS - 1)).to(torch.uint8)


def distances(tokens: torch.Tensor, train: torch.Tensor) -> dict:
    """Return the quantiles of the distances, and how many are copies."""
    found = nearest(grey(tokens), train).distance
    marks = found.quantile(torch.tensor(QUANTILES, dtype=found.dtype))
    return {
        "images": len(found),
        "copies": int((found == 0).sum()),
        "distance": [round(mark, 4) for mark in marks.tolist()],
    }


if __name__ == "__main__":
    main()
