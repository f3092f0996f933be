"""The state of a training on disk, so that a killed one goes on to the same result."""

import io
import pickle
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from pathlib import Path

import torch
from torch import nn

from pixelar_lib import distributed
from pixelar_lib.context import Context
from pixelar_lib.runtime import check_writable, write_atomically

PARTS = ("model", "optimizer", "generator", "dropout", "history", "recent")
TORCHS = " (torch)"  # marks settings of torch's layers: another version may have others
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

    def read(self, steps: int, same_model: bool = False) -> dict | None:
        """Return the step and the parts that the file holds, all of it checked.

        Args:
            steps: Steps of the whole training.
            same_model: Whether this very training gave the model the weights that it has; then
                those that it began with are not known here, and not compared.

        Returns:
            The content; None if there is no file.

        Raises:
            ValueError: If the file is damaged, no checkpoint, or of another training.
            OSError: If it cannot be read.
        """
        if not distributed.from_first(self.path.exists):
            return None
        content = self._unpacked(distributed.from_first(self.path.read_bytes))
        if same_model:
            self._same["recipe"]["weights"] = content["recipe"].get("weights")
        for what, mine in self._same.items():
            self._check_same(what, content[what], mine)
        step = content["step"]
        if not isinstance(step, int) or not 1 <= step <= steps:
            raise ValueError(f"checkpoint {self.path} is at step {step} of {steps}. {START_AFRESH}")
        if shapes(content["model"]) != self._shapes:
            raise ValueError(f"checkpoint {self.path} has weights of another shape. {START_AFRESH}")
        for name, value in _tensors(content, ""):
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
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError):
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
        content = content if isinstance(content, dict) else {}
        kinds = {"step": object, "recent": list, "generator": torch.Tensor, "dropout": torch.Tensor}
        wrong = [
            name
            for name in ("step", *self._same, *PARTS)
            if not isinstance(content.get(name), kinds.get(name, dict)) or name not in content
        ]
        if wrong:
            raise ValueError(
                f"checkpoint {self.path} lacks {', '.join(wrong)}: `fit` of this version did not "
                f"write it. {START_AFRESH}"
            )
        return content

    def _check_same(self, what: str, theirs: dict, mine: dict) -> None:
        differences = [
            f"{name} is {theirs.get(name)} there and {mine.get(name)} here"
            for name in theirs | mine
            if theirs.get(name) != mine.get(name)
            and not (name.endswith(TORCHS) and None in (theirs.get(name), mine.get(name)))
        ]
        if not differences and [*theirs] != [*mine]:
            differences = ["its parts were built in another order"]
        if differences:
            raise ValueError(
                f"checkpoint {self.path} is of another {what}: {'; '.join(differences)}. "
                "Use another file, or delete this one to train from the start."
            )


def shapes(state: dict) -> list[tuple]:
    """Return name and shape of each tensor of a state, in its order; None for anything else."""
    return [(name, getattr(value, "shape", None)) for name, value in state.items()]


def _tensors(value, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield all tensors in nested dicts, each with a name."""
    if isinstance(value, torch.Tensor):
        yield name, value
    for key, part in value.items() if isinstance(value, dict) else ():
        yield from _tensors(part, f"{name}.{key}".lstrip("."))


def architecture(model: nn.Module) -> dict[str, str]:
    """Return what tells one architecture from another, by name, in the order of construction.

    That is the class of each part, its settings (numbers, names, functions, contexts), and the
    shape of each tensor.
    """
    found = {}
    for name, part in model.named_modules():
        found[name or "model"] = type(part).__qualname__
        mark = TORCHS if type(part).__module__.startswith("torch.") else ""
        for key, value in vars(part).items():
            text = None if key.startswith("_") or key == "training" else _plain(value)
            if text is not None:
                found[f"{name}.{key}".lstrip(".") + mark] = text
    for name, value in model.state_dict().items():
        if isinstance(value, torch.Tensor):
            found[name] = str(tuple(value.shape))
    return found


def _plain(value) -> str | None:
    """Return a setting as text that is the same in another process; None for what is no setting."""
    if value is None or isinstance(value, bool | int | float | str | torch.dtype):
        return str(value)
    if isinstance(value, list | tuple):
        return str([_plain(item) for item in value])
    if isinstance(value, dict):
        return str({str(key): _plain(item) for key, item in value.items()})
    if is_dataclass(value):
        fields = (f"{name}={_plain(part)}" for name, part in vars(value).items())
        return f"{type(value).__name__}({', '.join(fields)})"
    if isinstance(value, Context):
        return f"{type(value).__name__} {fingerprint(value.positions(8, 8))}"
    return getattr(value, "__qualname__", None)  # of a function or a class


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
