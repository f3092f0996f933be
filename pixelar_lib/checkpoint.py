"""The state of a training on disk, so that a killed one goes on to the same result."""

import io
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import torch

from pixelar_lib import distributed
from pixelar_lib.models import PixelModel
from pixelar_lib.runtime import write_atomically


@dataclass
class History:
    """What a training recorded, one entry at each look.

    Attributes:
        steps: Steps done when the look was taken.
        training_loss: Mean training loss since the look before, nats per pixel, dropout on.
        held_out_loss: Nats per pixel on the held-out images, dropout off; empty without them.
        seconds: How long it took, breaks left out; two histories are equal whatever it is.
    """

    steps: list[int] = field(default_factory=list)
    training_loss: list[float] = field(default_factory=list)
    held_out_loss: list[float] = field(default_factory=list)
    seconds: float = field(default=0.0, compare=False)


@dataclass
class Checkpoint:
    """All that a training needs to go on after a break, and the file that holds it.

    Attributes:
        model: The model in training.
        optimizer: Its optimizer.
        generator: Draws the batches.
        history: Losses so far.
        recent: Training losses since the last look.
        recipe: What must be the same when the training goes on.
        path: The file.
    """

    model: PixelModel
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    history: History
    recent: list[float]
    recipe: dict
    path: Path

    def save(self, step: int) -> None:
        """Write the state, whole or not at all; of several processes the first one does.

        Args:
            step: Steps done.

        Raises:
            OSError: If the file cannot be written; the one before is then still there.
        """
        if distributed.rank() > 0:
            return
        content = {
            "architecture": _architecture(self.model),
            "recipe": self.recipe,
            "step": step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "dropout": _dropout_randomness(self.model.device)[0](),
            "history": asdict(self.history),
            "recent": self.recent,
        }
        buffer = io.BytesIO()  # torch's own writer hides which error the disk gave
        torch.save(content, buffer)
        write_atomically(self.path, lambda temporary: temporary.write_bytes(buffer.getvalue()))

    def load(self) -> int:
        """Put the file's state into model, optimizer, generator and history.

        Returns:
            Steps done.

        Raises:
            ValueError: If the file is damaged, or of another architecture or recipe.
            OSError: If it cannot be read.
        """
        file = io.BytesIO(distributed.from_first(self.path.read_bytes))
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
            parts = {name: dict(content[name]) for name in ("architecture", "recipe")}
        except Exception as error:  # torch raises many kinds for a damaged file
            raise ValueError(
                f"checkpoint {self.path} is truncated or no checkpoint ({error}). "
                "Delete it to train from the start."
            ) from error
        self._check_same("architecture", parts["architecture"], _architecture(self.model))
        self._check_same("recipe", parts["recipe"], self.recipe)
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.generator.set_state(content["generator"])
        _dropout_randomness(self.model.device)[1](content["dropout"])
        self.history.__dict__.update(content["history"])
        self.recent[:] = content["recent"]
        return content["step"]

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


def fingerprint(*tensors: torch.Tensor | None) -> int:
    """Return a number that tells one data set from another.

    Args:
        tensors: Of any shape and dtype, or None.

    Returns:
        Their CRC-32.
    """
    total = 0
    for tensor in tensors:
        if tensor is not None:
            total = zlib.crc32(tensor.cpu().contiguous().numpy(), total)
    return total


def _architecture(model: PixelModel) -> dict:
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    return {"structure": repr(model), **shapes}


def _dropout_randomness(device: torch.device) -> tuple[Callable, Callable]:
    """Return the functions that get and set the state which dropout draws from."""
    if device.type == "cpu":
        return torch.get_rng_state, torch.set_rng_state
    module = torch.get_device_module(device)  # torch.cuda or torch.mps
    return partial(module.get_rng_state, device), partial(module.set_rng_state, device=device)
