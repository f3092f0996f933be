"""The state of a training on disk, so that a killed one goes on to the same result."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from pixelar_lib.models import PixelModel
from pixelar_lib.runtime import write_atomically


@dataclass
class History:
    """What a training recorded, one entry at each look.

    Attributes:
        steps: Steps done when the look was taken.
        training_loss: Mean training loss since the look before, nats per pixel, dropout on.
        held_out_loss: Nats per pixel on the held-out images, dropout off; empty without them.
    """

    steps: list[int] = field(default_factory=list)
    training_loss: list[float] = field(default_factory=list)
    held_out_loss: list[float] = field(default_factory=list)


@dataclass
class Checkpoint:
    """All that a training needs to go on after a break, and the file that holds it.

    Attributes:
        model: The model in training.
        optimizer: Its optimizer.
        generator: Draws the batches.
        history: Losses so far.
        recipe: What must be the same when the training goes on.
        path: The file.
    """

    model: PixelModel
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    history: History
    recipe: dict
    path: Path

    def save(self, step: int) -> None:
        """Write the state, whole or not at all.

        Args:
            step: Steps done.

        Raises:
            OSError: If the file cannot be written; the one before is then still there.
        """
        content = {
            "architecture": _architecture(self.model),
            "recipe": self.recipe,
            "step": step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "dropout": _dropout_state(self.model.device),
            "history": asdict(self.history),
        }
        write_atomically(self.path, lambda temporary: torch.save(content, temporary))

    def load(self) -> int:
        """Put the file's state into model, optimizer, generator and history.

        Returns:
            Steps done.

        Raises:
            ValueError: If the file is damaged, or of another architecture or recipe.
        """
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise ValueError(
                f"checkpoint {self.path} is truncated or no checkpoint ({error}). "
                "Delete it to train from the start."
            ) from error
        for key, mine in (("architecture", _architecture(self.model)), ("recipe", self.recipe)):
            if content.get(key) != mine:
                raise ValueError(
                    f"checkpoint {self.path} is of another {key}: it holds {content.get(key)}, "
                    f"but this training has {mine}. Use another file, or delete this one."
                )
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.generator.set_state(content["generator"])
        _set_dropout_state(self.model.device, content["dropout"])
        self.history.__dict__.update(content["history"])
        return content["step"]


def _architecture(model: PixelModel) -> dict:
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    context = repr(getattr(model, "context", None))
    return {"class": type(model).__name__, "context": context, "shapes": shapes}


def _dropout_state(device: torch.device) -> torch.Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_dropout_state(device: torch.device, state: torch.Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
