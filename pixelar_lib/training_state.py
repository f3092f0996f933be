"""A training in progress: what changes from step to step, and what it records."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial

import torch
from torch import nn

from pixelar_lib import distributed
from pixelar_lib.models import evaluating
from pixelar_lib.optimization import OPTIMIZERS, PRECISIONS, Settings
from pixelar_lib.trainable import Trainable


@dataclass
class History:
    """What a training recorded, one entry at each look.

    Attributes:
        steps: Steps done when the look was taken.
        training_loss: Mean training loss since the look before, dropout on; of a `PixelModel`
            in nats per pixel.
        held_out_loss: The same on the held-out images, dropout off; empty without them.
        seconds: How long it took, breaks left out; two histories are equal whatever it is.
        precision: Of the products, as chosen; of a resumed training, in its last part.
    """

    steps: list[int] = field(default_factory=list)
    training_loss: list[float] = field(default_factory=list)
    held_out_loss: list[float] = field(default_factory=list)
    seconds: float = field(default=0.0, compare=False)
    precision: str = field(default="float32", compare=False)


class Training:
    """A model in training: everything that changes from step to step.

    Attributes:
        history: The recorded losses.
    """

    def __init__(
        self,
        model: Trainable,
        settings: Settings,
        generator: torch.Generator,
        device: torch.device,
        precision: str,
    ) -> None:
        """Begin before the first step, with the weights that the model has."""
        self.model, self.settings, self.generator, self.device = model, settings, generator, device
        self.optimizer = OPTIMIZERS[settings.optimizer](
            model.parameters(), weight_decay=settings.weight_decay, fused=True
        )
        self.history = History(precision=precision)
        self.recent = []  # losses since the last look

    def one_step(self, step: int, loss_of: Callable, batch: tuple[torch.Tensor, ...]) -> None:
        """Update the weights once.

        Args:
            step: 0 to `settings.steps` - 1.
            loss_of: From `distributed.shared_loss`.
            batch: What the model has prepared.

        Raises:
            FloatingPointError: If loss or gradient are not finite; no weight has changed then.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate_at(step)
        distributed.seed_step(self.generator.initial_seed(), step)
        with self._autocast():
            loss = loss_of(*(part.to(self.device) for part in batch))
        self.optimizer.zero_grad()
        loss.backward()
        mean = distributed.batch_mean(loss)
        _check_finite(mean, self.model, step)
        self.optimizer.step()
        self.recent.append(mean)

    def _autocast(self):
        if self.history.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, PRECISIONS[self.history.precision])

    def look(self, step: int, held_out: torch.Tensor | None, labels: torch.Tensor | None) -> None:
        """Record the losses after so many steps; held-out inputs and labels are as for `fit`."""
        self.history.steps.append(step)
        self.history.training_loss.append(sum(self.recent) / len(self.recent))
        self.recent.clear()
        if held_out is not None:
            with evaluating(self.model):
                losses = self.model.held_out_loss(held_out, labels)
            self.history.held_out_loss.append(float(losses.mean()))

    def parts(self) -> dict:
        """Return what a checkpoint holds, by the names in `checkpoint.PARTS`."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "dropout": _dropout_randomness(self.device)[0](),
            "history": asdict(self.history),
            "recent": self.recent,
        }

    def restore(self, saved: dict) -> int:
        """Go back to what a checkpoint holds; return the steps that it had done."""
        history = History(**saved["history"] | {"precision": self.history.precision})
        numbers = [*history.steps, *history.training_loss, *history.held_out_loss, *saved["recent"]]
        if not all(isinstance(number, int | float) for number in (*numbers, history.seconds)):
            raise TypeError("losses, steps and seconds must be numbers")
        _check_optimizer_state(self.model, saved["optimizer"]["state"])
        self.history = history
        self.optimizer.load_state_dict(saved["optimizer"])
        self.generator.set_state(saved["generator"])
        _dropout_randomness(self.device)[1](saved["dropout"])
        self.recent = saved["recent"]
        self.model.load_state_dict(saved["model"])  # last: what is refused changes no weight
        return saved["step"]


def _check_optimizer_state(model: nn.Module, state: dict) -> None:
    """Raise unless there is something of the right shape for each parameter, by its number."""
    for number, weights in enumerate(model.parameters()):
        shapes = [value.shape for value in state.get(number, {}).values()]
        if not all(shape in (weights.shape, ()) for shape in shapes):
            raise ValueError(f"the optimizer's state of parameter {number} has another shape")


def _check_finite(loss: float, model: nn.Module, step: int) -> None:
    norm = float(nn.utils.clip_grad_norm_(model.parameters(), math.inf))  # clips nothing
    if not math.isfinite(loss + norm):
        raise FloatingPointError(
            f"at step {step + 1} the loss is {loss} and the length of its gradient {norm}; the "
            "weights are as after the step before. Train with a smaller learning rate or a "
            "longer warm-up."
        )


def _dropout_randomness(device: torch.device) -> tuple[Callable, Callable]:
    """Return the functions that get and set the state which dropout draws from."""
    if device.type == "cpu":
        return torch.get_rng_state, torch.set_rng_state
    module = torch.get_device_module(device)  # torch.cuda or torch.mps
    return partial(module.get_rng_state, device), partial(module.set_rng_state, device=device)
