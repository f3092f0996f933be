"""Real MNIST digits: the bundled subset (default, offline) or the full set through torchvision.

MNIST is by Yann LeCun, Léon Bottou, Yoshua Bengio and Patrick Haffner (Gradient-Based
Learning Applied to Document Recognition, 1998); its notice and licence are in
`assets/MNIST-LICENSE.txt`.
"""

import io
import lzma
import os
import tempfile
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch

from pixelar_lib.runtime import read_asset, read_verified

SPLITS = ("train", "validation", "test")
NUM_TRAINING_IMAGES = 50_000  # of the 60,000; the last 10,000 are for validation
FULL_FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@dataclass(frozen=True)
class Digits:
    """Digits and what they show.

    Attributes:
        images: uint8 (N, 28, 28), grey levels from 0 (black paper) to 255 (white ink).
        labels: long (N,), the digit 0 to 9 that each image shows.
    """

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        """Return the number of images, N."""
        return len(self.images)


def load_mnist(split: str, source: str = "bundled", root: str | Path | None = None) -> Digits:
    """Load one split of MNIST.

    Args:
        split: "train", "validation" or "test".
        source: "bundled" (default; part of this library, needs no network): the first 8,000
            training images, the next 2,000, and every fifth test image. "full": the first
            50,000 training images, the last 10,000, and the 10,000 test images. So the bundled
            validation images are training images of "full": judge no model on them that was
            trained on those, such as the ones in `zoo`.
        root: For "full": the folder that holds `MNIST/raw`, as torchvision lays it out.
            Default: the environment variable `PIXELAR_DATA`, else a cache folder in your home.
            Missing files are downloaded into it.

    Returns:
        The images and labels of that split.

    Raises:
        ValueError: If split or source has no such name, if a root is given for the bundled
            digits, or if a file is truncated or altered.
        FileNotFoundError: If the full set is neither there nor can be downloaded.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} does not exist; choose one of {SPLITS}.")
    if source == "bundled":
        if root is not None:
            raise ValueError("root is for source='full'; the bundled digits need none.")
        return _load_bundled(split)
    if source == "full":
        return _load_full(split, find_root(root))
    raise ValueError(f"source {source!r} does not exist; choose 'bundled' or 'full'.")


def find_root(root: str | Path | None = None) -> Path:
    """Return the folder of the full set; it need not be there yet.

    Args:
        root: As for `load_mnist`.

    Returns:
        `root`, else what `PIXELAR_DATA` names, else a cache folder in your home.

    Raises:
        FileNotFoundError: If it is below a home folder, and there is none.
    """
    root = root or os.environ.get("PIXELAR_DATA") or "~/.cache/pixelar_lib"
    try:
        return Path(root).expanduser()
    except RuntimeError as error:
        raise FileNotFoundError(
            f"there is no home folder for {root}; set root= or PIXELAR_DATA to another folder."
        ) from error


def _load_bundled(split: str) -> Digits:
    archive = np.load(io.BytesIO(lzma.decompress(read_asset("mnist-subset.npz.xz"))))
    images, labels = archive[f"{split}_images"], archive[f"{split}_labels"]
    return Digits(torch.from_numpy(images), torch.from_numpy(labels).long())


def _load_full(split: str, root: Path) -> Digits:
    from torchvision.datasets.mnist import read_image_file, read_label_file  # slow to import

    raw = root / "MNIST" / "raw"
    if not all((raw / name).is_file() for name in FULL_FILES):
        _download(root)
    begin = "t10k" if split == "test" else "train"
    images, labels = (raw / f"{begin}-{part}-ubyte" for part in ("images-idx3", "labels-idx1"))
    for file in (images, labels):
        read_verified(file, FULL_FILES[file.name])  # torchvision checks only what it downloads
    part = {
        "train": slice(NUM_TRAINING_IMAGES),
        "validation": slice(NUM_TRAINING_IMAGES, None),
        "test": slice(None),
    }[split]
    return Digits(read_image_file(images)[part].clone(), read_label_file(labels)[part].clone())


def _download(root: Path) -> None:
    """Download the four files beside their place, check them, then move them there."""
    from torchvision.datasets import MNIST

    raw = root / "MNIST" / "raw"
    try:
        raw.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as temporary:
            MNIST(temporary, train=True, download=True)
            for name, sha256 in FULL_FILES.items():
                file = Path(temporary) / "MNIST" / "raw" / name
                read_verified(file, sha256)
                os.replace(file, raw / name)
    except (OSError, RuntimeError, HTTPException) as error:
        raise FileNotFoundError(
            f"the full MNIST is not in {raw}, and downloading it there failed ({error}). Check "
            "the network, the disk space and whether the folder can be written; or set root= or "
            "PIXELAR_DATA to a folder that holds MNIST/raw; or use source='bundled', which "
            "needs no network."
        ) from error
