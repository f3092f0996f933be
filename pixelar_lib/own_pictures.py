"""The reader's own pictures: a folder, an array, or files in the format of MNIST."""

import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from pixelar_lib.picture_files import IDX_NAMES, find_idx, grey_note, read_folder, read_idx
from pixelar_lib.quantization import check_count, grey_levels
from pixelar_lib.runtime import seeded_generator

FEWEST = 20  # pictures: some to train on, some to judge by
GREY_WEIGHTS = (0.299, 0.587, 0.114)  # of red, green, blue: ITU-R BT.601, as in Pillow


@dataclass(frozen=True)
class Pictures:
    """Pictures of one size, and what was done to get them.

    Attributes:
        images: uint8 (N, H, W), grey levels from 0 (black) to 255 (white).
        labels: long (N,), or None where nothing says what a picture shows.
        classes: What each label stands for; empty without labels.
        notes: Sentences about what was changed or left out, each with its reason.
    """

    images: torch.Tensor
    labels: torch.Tensor | None = None
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of pictures, N."""
        return len(self.images)

    def split(self, num_held_out: int, seed: int = 0) -> tuple["Pictures", "Pictures"]:
        """Shuffle, and put some pictures aside to judge a model by.

        Args:
            num_held_out: How many to put aside, 1 to N - 1.
            seed: Of the shuffling.

        Returns:
            The pictures to train on, and those held out.

        Raises:
            TypeError: If a number is not an integer.
            ValueError: If num_held_out is out of range.
        """
        check_count("num_held_out", num_held_out, most=len(self) - 1)
        order = torch.randperm(len(self), generator=seeded_generator(seed), device="cpu")
        parts = order[num_held_out:], order[:num_held_out]
        return tuple(
            replace(
                self,
                images=self.images[part],
                labels=None if self.labels is None else self.labels[part],
            )
            for part in parts
        )


def load_own(source: str | Path | np.ndarray | torch.Tensor, shrink: int = 1) -> Pictures:
    """Load pictures that are not MNIST. What was changed is noted, and nothing is resized unasked.

    Colour is turned to grey by the usual weights of red, green and blue. In a folder, files
    that cannot be used are left out, and so are pictures of another size than most.

    Args:
        source: One of these:
            a folder of image files; in folders of their own, the folder's name is the label;
            a folder with files named as MNIST's, of which the training images are read;
            one file in that format, such as `t10k-images-idx3-ubyte.gz`, with or without a file
            of labels beside it;
            an `.npz` file with an array `images` (or one array only) and perhaps `labels`, or
            an `.npy` file;
            an array or tensor: uint8 levels 0 to 255, or floats 0 to 1, of shape (N, H, W), or
            (N, H, W, 3) in colour.
        shrink: Side of the squares that become one pixel each, their mean; 16 brings pictures
            that were saved in Pixel Lab back to 28 x 28.

    Returns:
        The pictures.

    Raises:
        TypeError: If the source, or the type of its numbers, is none of these; or if shrink is
            not an integer.
        FileNotFoundError: If there is no such file or folder.
        ValueError: If a file is damaged, fewer than 20 pictures can be used, no size is that
            of more than half of them, shrink does not divide it, or all pixels of all pictures
            are alike.
    """
    shrink = check_count("shrink", shrink)
    name = "the array" if isinstance(source, np.ndarray | torch.Tensor) else source
    return _checked(_shrunk(_load(source), shrink), name)


def _load(source: str | Path | np.ndarray | torch.Tensor) -> Pictures:
    if isinstance(source, np.ndarray | torch.Tensor):
        return _from_array(source)
    if not isinstance(source, str | Path):
        raise TypeError(
            f"source is a {type(source).__name__}; give the path of a folder or file, or an array."
        )
    path = Path(source).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; look for a slip in its name.")
    if path.is_dir():
        idx = find_idx(path, "train-", "images")
        return _from_idx(idx) if idx else _from_folder(path)
    if path.suffix in (".npz", ".npy"):
        return _from_numpy(path)
    if any(name in path.name for name in IDX_NAMES):
        return _from_idx(path)
    raise ValueError(
        f"{path.name} is none of the files that hold many pictures: an .npz or .npy file, or one "
        "named as MNIST's, such as train-images-idx3-ubyte.gz. For pictures in files of their own, "
        "give the folder they are in."
    )


def _shrunk(pictures: Pictures, side: int) -> Pictures:
    """Replace each square of so many pixels by its mean."""
    if side == 1 or not len(pictures):
        return pictures
    height, width = pictures.images.shape[1:]
    if height % side or width % side:
        raise ValueError(
            f"pictures of {height} x {width} pixels cannot be cut into squares of {side} x {side}; "
            "choose a shrink that divides both."
        )
    squares = pictures.images.unflatten(2, (-1, side)).unflatten(1, (-1, side))
    means = squares.sum(dim=(2, 4), dtype=torch.long).double() / side**2
    note = f"Squares of {side} x {side} pixels became one pixel each."
    return replace(pictures, images=means.round().to(torch.uint8), notes=(*pictures.notes, note))


def _checked(pictures: Pictures, source: object) -> Pictures:
    """Return pictures that can be trained on, or say why these cannot."""
    images = pictures.images
    if len(images) < FEWEST:
        count = f"{source} holds {len(images)} pictures that can be used; {FEWEST} are the least."
        raise ValueError(" ".join([count, *pictures.notes]))
    if bool((images == images[0, 0, 0]).all()):
        raise ValueError(
            f"all pixels of all pictures in {source} have the level {int(images[0, 0, 0])}; there "
            "is nothing to learn. Floats must lie in 0 to 1, whole numbers in 0 to 255."
        )
    return pictures


def _from_array(array: np.ndarray | torch.Tensor) -> Pictures:
    with torch.inference_mode(False):
        images = torch.as_tensor(array if torch.is_tensor(array) else np.ascontiguousarray(array))
        images = images.detach().cpu().clone()
    if images.dtype == torch.bool:
        raise TypeError("the array holds True and False; give uint8 levels, such as 0 and 255.")
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    in_colour = images.ndim == 4 and images.shape[3] == 3
    if not (images.ndim == 3 or in_colour) or 0 in images.shape[1:]:
        raise ValueError(
            f"the array has shape {tuple(images.shape)}; give (N, H, W), or (N, H, W, 3) in colour."
        )
    levels = grey_levels(images)  # of each colour, too
    if in_colour:
        levels = levels.double() @ torch.tensor(GREY_WEIGHTS, dtype=torch.float64)
    notes = (grey_note(len(images)),) if in_colour else ()
    return Pictures(levels.round().to(torch.uint8), notes=notes)


def _from_numpy(path: Path) -> Pictures:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):  # an .npy file
            arrays = {"images": loaded}
        else:
            with loaded:
                arrays = dict(loaded)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} cannot be read as numbers: {error}.") from error
    images = arrays.pop("images", None)
    labels = arrays.pop("labels", None)
    if images is None:
        if len(arrays) != 1:
            raise ValueError(f"{path} holds {sorted(arrays)}; call the array of pictures 'images'.")
        images = arrays.popitem()[1]
    return _with_labels(_from_array(images), labels, path)


def _from_idx(path: Path) -> Pictures:
    labels = find_idx(path.parent, path.name.split("images")[0], "labels")
    found = Pictures(torch.from_numpy(read_idx(path)))
    return _with_labels(found, None if labels is None else read_idx(labels), path)


def _from_folder(folder: Path) -> Pictures:
    read, notes = read_folder(folder)
    images = np.stack([*read.values()]) if read else np.zeros((0, 1, 1), np.uint8)
    found = Pictures(torch.from_numpy(images), notes=notes)
    below = [file.relative_to(folder).parts for file in read]
    in_folders = all(len(parts) > 1 for parts in below)
    beside = sum(len(parts) == 1 for parts in below)
    if 0 < beside < len(below):
        some = "1 picture lies" if beside == 1 else f"{beside} pictures lie"
        note = f"{some} beside the folders, so the folders' names were not taken for labels."
        found = replace(found, notes=(*notes, note))
    names = np.array([parts[0] for parts in below]) if in_folders else None
    return _with_labels(found, names, folder)


def _with_labels(pictures: Pictures, labels: np.ndarray | None, source: Path) -> Pictures:
    if labels is None:
        return pictures
    if labels.shape != (len(pictures),):
        raise ValueError(
            f"{source} holds {len(pictures)} pictures and labels of shape {labels.shape}; there "
            "must be one label a picture."
        )
    names, numbers = np.unique(labels, return_inverse=True)
    classes = tuple(str(name) for name in names)
    return replace(pictures, labels=torch.from_numpy(numbers).long(), classes=classes)
