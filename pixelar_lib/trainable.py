"""What `training.fit` asks of a module, so that one loop trains models of any kind."""

from typing import Protocol

import torch
from torch import nn


class Trainable(Protocol):
    """A torch module that `fit` can train; a `PixelModel` is one, with images as its inputs.

    Inputs are any tensor whose first axis counts examples; labels are a tensor as long, or None.
    """

    def check_input(self, inputs: torch.Tensor, labels: torch.Tensor | None) -> None:
        """Raise unless these can be trained on."""

    def prepare(
        self, inputs: torch.Tensor, labels: torch.Tensor | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, ...]:
        """Return what a step computes its loss from, the whole randomness of the step included.

        Inputs and labels are those of the step, as `fit` was given them. All that is returned
        has one row for each of them, so that several processes can share it. All randomness is
        the generator's, and none of it depends on the weights, so that a training can be resumed.
        """

    def training_loss(self, *batch: torch.Tensor) -> torch.Tensor:
        """Return the loss of what `prepare` returned, a scalar: the mean over its rows."""

    def held_out_loss(self, inputs: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """Return the loss of each held-out example, (N,); inputs are as `fit` was given them."""


def check_trainable(model: nn.Module) -> None:
    """Raise a TypeError unless a module has the methods of `Trainable`."""
    needed = ("check_input", "prepare", "training_loss", "held_out_loss")
    if missing := [name for name in needed if not callable(getattr(model, name, None))]:
        raise TypeError(
            f"fit cannot train a {type(model).__name__}: it lacks {', '.join(missing)}. Give a "
            "PixelModel, or a module that has the methods of trainable.Trainable."
        )
