"""Real MNIST digits, bundled or the full set, local or downloaded; and the reader's own pictures.

MNIST is by Yann LeCun, Léon Bottou, Yoshua Bengio and Patrick Haffner (Gradient-Based
Learning Applied to Document Recognition, 1998); its notice and licence are in
`assets/digits/MNIST-LICENSE.txt`.
"""

import gzip
import io
import lzma
import os
import zlib
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import torch

from pixelar_lib.own_pictures import Pictures, load_own
from pixelar_lib.runtime import check_sha256, check_writable, read_asset, write_atomically

__all__ = ["Digits", "Pictures", "find_root", "load_mnist", "load_own", "missing_files"]

BUNDLED = "digits/mnist-subset.npz.xz"
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
        root: For "full": the folder that holds the files, in `MNIST/raw` as torchvision lays
            them out, in `raw`, or directly; packed (.gz) or not. Default: the environment
            variable `PIXELAR_DATA`, else a cache folder in your home. Where the files of this
            split are not there, all that is missing is downloaded into `MNIST/raw`.

    Returns:
        The images and labels of that split.

    Raises:
        ValueError: If split or source has no such name, if a root is given for the bundled
            digits, or if a file is truncated or altered.
        FileNotFoundError: If a file of the full set is neither there nor can be downloaded.
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


def missing_files(root: str | Path | None = None) -> list[str]:
    """Return which files of the full set are not there; none where it is there, whole.

    Args:
        root: As for `load_mnist`.

    Returns:
        Names out of the four of MNIST; all others are there, their sha256 checked.

    Raises:
        ValueError: If a file is truncated or altered.
        FileNotFoundError: As `find_root` does.
    """
    root = find_root(root)
    missing = [name for name in FULL_FILES if not _find(root, name)]
    for name in FULL_FILES:
        if name not in missing:
            _read(root, name)
    return missing


def _load_bundled(split: str) -> Digits:
    archive = np.load(io.BytesIO(lzma.decompress(read_asset(BUNDLED))))
    return _digits(archive[f"{split}_images"], archive[f"{split}_labels"])


def _load_full(split: str, root: Path) -> Digits:
    begin = "t10k" if split == "test" else "train"
    names = [f"{begin}-{part}-ubyte" for part in ("images-idx3", "labels-idx1")]
    missing = [name for name in FULL_FILES if not _find(root, name)]
    if not set(names).isdisjoint(missing):
        _download(root, missing)
    part = {
        "train": slice(NUM_TRAINING_IMAGES),
        "validation": slice(NUM_TRAINING_IMAGES, None),
        "test": slice(None),
    }[split]
    return _digits(*(_array(_read(root, name))[part].copy() for name in names))


def _digits(images: np.ndarray, labels: np.ndarray) -> Digits:
    with torch.inference_mode(False):  # a tensor made in that mode could never be trained on
        return Digits(torch.from_numpy(images), torch.from_numpy(labels).long())


def _find(root: Path, name: str) -> Path | None:
    """Return where a file of the full set is: in any folder and under any name it comes in."""
    dotted = name.replace("-idx", ".idx")
    names = (name, f"{name}.gz", dotted, f"{dotted}.gz")
    files = (folder / n for folder in (root / "MNIST" / "raw", root / "raw", root) for n in names)
    return next((file for file in files if file.is_file()), None)


def _read(root: Path, name: str) -> bytes:
    """Return a file of the full set, unpacked; torchvision checks only what it downloads."""
    file = _find(root, name)
    content = _unpacked(file.read_bytes())
    advice = "Delete it, and it is downloaded again."
    return check_sha256(content, FULL_FILES[name], file, advice)


def _array(content: bytes) -> np.ndarray:
    """Return the array in an IDX file, uint8; its sha256 vouches for the header."""
    num_axes = content[3]
    shape = np.frombuffer(content, ">u4", num_axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * num_axes).reshape(shape)


def _unpacked(content: bytes) -> bytes:
    """Return what a .gz file holds; anything else, and a damaged one, as it is."""
    with suppress(OSError, EOFError, zlib.error):
        return gzip.decompress(content)
    return content


def _download(root: Path, missing: list[str]) -> None:
    """Download what is missing into MNIST/raw; each file gets its name when it is checked."""
    raw = root / "MNIST" / "raw"
    try:
        check_writable(raw / missing[0])
        for name in missing:
            content = _fetch(name)
            write_atomically(raw / name, lambda file, content=content: file.write_bytes(content))
    except OSError as error:
        for folder in (raw, raw.parent):
            with suppress(OSError):  # only an empty one goes
                folder.rmdir()
        raise FileNotFoundError(
            f"the full MNIST in {root} lacks {', '.join(missing)}, and downloading into {raw} "
            f"failed ({error}). Check the network, the disk space and whether the folder can be "
            "written; or put the files there by hand, packed (.gz) or not; or set root= or "
            "PIXELAR_DATA to a folder that holds them; or use source='bundled', which needs no "
            "network."
        ) from error


def _fetch(name: str) -> bytes:
    """Return a file of the full set from the first of torchvision's mirrors that has it whole."""
    from torchvision.datasets import MNIST  # slow to import

    problems = []
    for mirror in MNIST.mirrors:
        url = f"{mirror}{name}.gz"
        try:
            with urlopen(url, timeout=60) as reply:
                content = _unpacked(reply.read())
            return check_sha256(content, FULL_FILES[name], "what came", "Nothing of it is kept.")
        except (OSError, ValueError, HTTPException) as error:
            problems.append(f"{url}: {error}")
    raise OSError("; ".join(problems))
