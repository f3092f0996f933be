"""Make the digits that ship with the library: python -m experiments.make_subset

Takes the full MNIST (PIXELAR_DATA names its folder) and writes
pixelar_lib/assets/digits/mnist-subset.npz.xz: the first 8,000 training images, the next 2,000 for
validation, and every fifth test image, with their labels.
"""

import io
import lzma

import numpy as np

from experiments.assets import add_asset
from pixelar_lib.data import load_mnist

PARTS = {  # split of the bundled set -> (split of the full set, part of it)
    "train": ("train", slice(8_000)),
    "validation": ("train", slice(8_000, 10_000)),
    "test": ("test", slice(None, None, 5)),
}


def main() -> None:
    arrays = {}
    for split, (full_split, part) in PARTS.items():
        digits = load_mnist(full_split, "full")
        arrays[f"{split}_images"] = digits.images[part].numpy()
        arrays[f"{split}_labels"] = digits.labels[part].numpy().astype(np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    content = lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME)
    add_asset("digits/mnist-subset.npz.xz", content)
    print(f"mnist-subset.npz.xz: {len(content):,} bytes")


if __name__ == "__main__":
    main()
