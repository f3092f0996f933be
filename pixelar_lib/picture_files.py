"""Pictures in files: a folder of them, or many in one file of the format that MNIST has."""

import gzip
import math
import warnings
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

IDX_NAMES = ("images-idx3-ubyte", "images.idx3-ubyte")


def read_folder(folder: Path) -> tuple[dict[Path, np.ndarray], tuple[str, ...]]:
    """Read all pictures in a folder and in the folders below it.

    Args:
        folder: Where they are.

    Returns:
        Grey levels by file, each uint8 (H, W) of the size that more than half of them have; and
        sentences that say what was turned to grey, and which files were left out, and why.

    Raises:
        ValueError: If no size is that of more than half of the pictures.
    """
    read, left_out, in_colour = {}, {}, set()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            read[file], coloured = _read_picture(file)
            in_colour |= {file} if coloured else set()
        except _Unusable as reason:
            left_out[file] = str(reason)
    size = _usual_size(folder, [levels.shape for levels in read.values()])
    for file in [file for file, levels in read.items() if levels.shape != size]:
        del read[file]
        left_out[file] = f"of another size than {size[0]} x {size[1]}"
    reasons = {file.relative_to(folder): reason for file, reason in left_out.items()}
    return read, _notes(len(in_colour.intersection(read)), reasons)


def find_idx(folder: Path, begin: str, what: str) -> Path | None:
    """Return a file in MNIST's format, or None.

    Args:
        folder: Where to look.
        begin: Of its name, such as "train-".
        what: "images" or "labels".
    """
    kind = "idx3" if what == "images" else "idx1"
    names = (f"{begin}{what}{mark}{kind}-ubyte{end}" for mark in "-." for end in ("", ".gz"))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_idx(path: Path) -> np.ndarray:
    """Return the array in a file of MNIST's format: sizes of four bytes, then a byte a number.

    Args:
        path: The file, packed (.gz) or not.

    Returns:
        uint8 (N, H, W) from a file of images, (N,) from one of labels.

    Raises:
        ValueError: If it is truncated or something else.
    """
    content = path.read_bytes()
    try:
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged: {error}. Fetch it once more.") from error
    num_axes = 3 if "idx3" in path.name else 1
    begin = 4 + 4 * num_axes
    shape = np.frombuffer(content[4:begin].ljust(4 * num_axes, b"\0"), ">u4").tolist()
    if content[:4] != bytes((0, 0, 8, num_axes)) or len(content) - begin != math.prod(shape):
        raise ValueError(
            f"{path} is truncated, or is no file of bytes with {num_axes} axes in MNIST's format."
        )
    return np.frombuffer(content, np.uint8, offset=begin).reshape(shape).copy()


def grey_note(count: int) -> str:
    """Return a sentence that says how many pictures were in colour."""
    pictures = "1 picture in colour was" if count == 1 else f"{count} pictures in colour were"
    return f"{pictures} turned to grey."


class _Unusable(Exception):
    """Why a file is left out."""


def _read_picture(file: Path) -> tuple[np.ndarray, bool]:
    """Return the grey levels of a picture, uint8 (H, W), and whether it was in colour."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as picture:
                if getattr(picture, "n_frames", 1) > 1:
                    raise _Unusable("with several pictures in one file")
                picture = ImageOps.exif_transpose(picture)
                return _grey(picture)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise _Unusable("far too large") from None
    except (OSError, SyntaxError, ValueError, EOFError):
        raise _Unusable("no picture, or damaged") from None


def _grey(picture: Image.Image) -> tuple[np.ndarray, bool]:
    if picture.mode.startswith(("I", "F")):
        raise _Unusable("with more than 8 bits a pixel (save them with 8)")
    has_alpha = "A" in picture.getbands() or "transparency" in picture.info
    if has_alpha and picture.convert("RGBA").getextrema()[3][0] < 255:
        raise _Unusable("transparent in places (lay them on a background first)")
    picture = picture.convert("RGB")
    colours = np.asarray(picture)
    return np.asarray(picture.convert("L")), bool((colours != colours[..., :1]).any())


def _usual_size(folder: Path, sizes: list[tuple]) -> tuple[int, int]:
    """Return the size of more than half of the pictures."""
    common = Counter(sizes).most_common()
    if not common:
        return 1, 1
    if 2 * common[0][1] <= len(sizes):
        examples = ", ".join(f"{count} of {h} x {w}" for (h, w), count in common[:3])
        raise ValueError(
            f"the pictures in {folder} have {len(common)} sizes, and none is that of more than "
            f"half of them ({examples}). Crop or resize them to one size; nothing is resized here."
        )
    return common[0][0]


def _notes(num_in_colour: int, left_out: dict[Path, str]) -> tuple[str, ...]:
    notes = [grey_note(num_in_colour)] if num_in_colour else []
    for reason in dict.fromkeys(left_out.values()):
        names = [str(file) for file, why in left_out.items() if why == reason]
        some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        files = "1 file was" if len(names) == 1 else f"{len(names)} files were"
        notes.append(f"{files} left out, {reason}: {some}.")
    return tuple(notes)
