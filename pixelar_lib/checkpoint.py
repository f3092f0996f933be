"""The state of a training on disk, so that a killed one goes on to the same result."""

import io
import pickle
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path

import torch
from torch import nn

from pixelar_lib import distributed
from pixelar_lib.runtime import check_writable, write_atomically

PARTS = ("model", "optimizer", "generator", "dropout", "history", "recent")
START_AFRESH = "Delete it, or name another file, to train from the start."


class Checkpoint:
    """A file that holds all that a training needs to go on after a break."""

    def __init__(self, path: str | Path, model: nn.Module, recipe: dict) -> None:
        """Remember what must be the same when the training goes on.

        Args:
            path: The file; it need not exist.
            model: The model in training.
            recipe: Settings, seed and data, as plain values.

        Raises:
            OSError: If the file cannot be written.
        """
        self.path = Path(path)
        self._same = {"architecture": architecture(model), "recipe": recipe}
        self._shapes = shapes(model.state_dict())
        if distributed.rank() == 0:
            check_writable(self.path)

    def write(self, step: int, parts: dict) -> None:
        """Write the state, whole or not at all; of several processes the first one does.

        Args:
            step: Steps done.
            parts: By the names in `PARTS`.

        Raises:
            OSError: If the file cannot be written; the one before is then still there.
        """
        if distributed.rank() > 0:
            return
        buffer = io.BytesIO()  # torch's own writer hides which error the disk gave
        torch.save({**self._same, "step": step, **parts}, buffer)
        write_atomically(self.path, lambda temporary: temporary.write_bytes(buffer.getvalue()))

    def read(self, steps: int) -> dict | None:
        """Return the step and the parts that the file holds, all of it checked.

        Args:
            steps: Steps of the whole training.

        Returns:
            The content; None if there is no file.

        Raises:
            ValueError: If the file is damaged, no checkpoint, or of another training.
            OSError: If it cannot be read.
        """
        if not distributed.from_first(self.path.exists):
            return None
        content = self._unpacked(distributed.from_first(self.path.read_bytes))
        for what, mine in self._same.items():
            self._check_same(what, content[what], mine)
        step = content["step"]
        if not isinstance(step, int) or not 1 <= step <= steps:
            raise ValueError(f"checkpoint {self.path} is at step {step} of {steps}. {START_AFRESH}")
        if shapes(content["model"]) != self._shapes:
            raise ValueError(f"checkpoint {self.path} has weights of another shape. {START_AFRESH}")
        for name, value in content["model"].items():
            if value.is_floating_point() and not value.isfinite().all():
                raise ValueError(
                    f"checkpoint {self.path} holds numbers that are not finite, in {name}. "
                    f"{START_AFRESH}"
                )
        return content

    def restore(self, saved: dict, restore: Callable[[dict], int]) -> int:
        """Call `restore` with what was read, and return the steps that it returns.

        Raises:
            ValueError: If a part is not what `fit` writes.
        """
        try:
            return restore(saved)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise ValueError(
                f"checkpoint {self.path} holds a part that does not fit ({error!r}). {START_AFRESH}"
            ) from error

    def _unpacked(self, data: bytes) -> dict:
        """Return what the file holds, its checksums and its parts checked."""
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                damaged = archive.testzip()
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError):
            damaged = "all of it"
        if damaged:
            raise ValueError(
                f"checkpoint {self.path} is truncated, damaged ({damaged}) or none at all. "
                f"{START_AFRESH}"
            )
        try:
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, KeyError, ValueError, EOFError) as error:
            # torch's own message advises to load the file anyway, which could run what is in it
            raise ValueError(
                f"checkpoint {self.path} holds more than numbers and names, so `fit` did not "
                f"write it. {START_AFRESH}"
            ) from error
        missing = {*PARTS, *self._same, "step"} - {*content} if isinstance(content, dict) else "all"
        if missing:
            raise ValueError(
                f"checkpoint {self.path} lacks {', '.join(sorted(missing))}: `fit` of this "
                f"version did not write it. {START_AFRESH}"
            )
        return content

    def _check_same(self, what: str, theirs: dict, mine: dict) -> None:
        differences = [
            f"{name} is {theirs.get(name)} there and {mine.get(name)} here"
            for name in theirs | mine
            if theirs.get(name) != mine.get(name)
        ]
        if differences:
            raise ValueError(
                f"checkpoint {self.path} is of another {what}: {'; '.join(differences)}. "
                "Use another file, or delete this one to train from the start."
            )


def shapes(state: dict) -> dict[str, str]:
    """Return the shape of each tensor of a state, by name."""
    return {name: str(tuple(value.shape)) for name, value in state.items()}


def architecture(model: nn.Module) -> dict:
    """Return what tells one architecture from another, by name, as plain values.

    That is the class of each part, its settings (numbers, names, contexts), and the shape of
    each tensor. Of torch's own layers, the settings are those that torch lists as constants.
    """
    found = {}
    for name, part in model.named_modules():
        settings = {key: value for key, value in vars(part).items() if not key.startswith("_")}
        if type(part).__module__.startswith("torch."):
            constants = getattr(type(part), "__constants__", ())
            settings = {key: settings[key] for key in constants if key in settings}
        settings.pop("training", None)
        found[name or "model"] = type(part).__qualname__
        for key, value in settings.items():
            if is_dataclass(value) or isinstance(value, bool | int | float | str | tuple | None):
                found[f"{name}.{key}".lstrip(".")] = str(value)
    return found | shapes(model.state_dict())


def fingerprint(*tensors: torch.Tensor | None) -> int:
    """Return a number that tells tensors from others: the CRC-32 of their shapes and contents.

    Args:
        tensors: Of any shape and dtype, or None.
    """
    total = 0
    for tensor in tensors:
        if tensor is None:
            total = zlib.crc32(b"none", total)
            continue
        plain = tensor.detach().cpu().contiguous()
        total = zlib.crc32(f"{plain.dtype} {tuple(plain.shape)}".encode(), total)
        total = zlib.crc32(plain.flatten().view(torch.uint8).numpy(), total)
    return total
