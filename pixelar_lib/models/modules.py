"""What is done with any torch module: switch its mode, draw its weights, feed it in batches."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from pixelar_lib.quantization import check_count

SWITCHING = threading.RLock()  # held for the moment in which a thread switches modes


class Loadable(nn.Module):
    """A module that remembers that weights were loaded into it."""

    def load_state_dict(self, *arguments, **keywords):
        """Load weights, as torch does; `fit` draws no new ones in their place unasked."""
        result = super().load_state_dict(*arguments, **keywords)
        self._trained_by = "load_state_dict"
        return result


class Use:
    """Who is using a module just now; a copy of the module is used by nobody."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self.trainer, self.evaluations, self.mode = None, 0, None

    def __deepcopy__(self, memo: dict) -> "Use":
        return Use()

    def __reduce__(self) -> tuple:
        return Use, ()


def _uses(model: nn.Module) -> list[tuple[nn.Module, Use]]:
    """Return the parts of a model with their uses, unless another thread trains one of them."""
    found = [(part, vars(part).get("_use") or Use()) for part in model.modules()]
    if {use.trainer for _, use in found} - {None, threading.get_ident()}:
        raise RuntimeError(
            "another thread is training this model; wait for it, or use a copy.deepcopy of it."
        )
    for part, use in found:
        part._use = use
    return found


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch a model to evaluation, without gradients; afterwards restore what was.

    Several threads may do so at once: the first one switches a part, the last one restores it.

    Args:
        model: Any module; each of its parts gets back its own mode.

    Raises:
        RuntimeError: If another thread is training the model.
    """
    with SWITCHING:
        uses = _uses(model)
        for part, use in uses:
            if not use.evaluations:
                use.mode = part.training
            use.evaluations += 1
        model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        with SWITCHING:
            for part, use in uses:
                use.evaluations -= 1
                if not use.evaluations:
                    part.training = use.mode


@contextmanager
def training_alone(model: nn.Module) -> Iterator[None]:
    """Switch a model to training, for this thread alone; afterwards restore what was.

    Args:
        model: Any module; each of its parts gets back its own mode.

    Raises:
        RuntimeError: If another thread is training or evaluating the model, or a part of it.
    """
    with SWITCHING:
        uses = _uses(model)
        if any(use.evaluations for _, use in uses):
            raise RuntimeError("this model is being evaluated; train it afterwards, or a copy.")
        for _, use in uses:
            use.trainer = threading.get_ident()
        modes = [(part, part.training) for part in model.modules()]
    try:
        model.train()
        yield
    finally:
        with SWITCHING:
            for _, use in uses:
                use.trainer = None
            for part, mode in modes:
                part.training = mode


def initialize(module: nn.Module) -> None:
    """Draw new random weights for a module and all that is below it.

    A module that has a `reset_parameters` of its own answers for everything below it, so that a
    model can choose its initialisation; within it, call `initialize` on the parts that need none.
    What is no parameter (a buffer, such as a running average) keeps its value.

    Args:
        module: Any module.

    Raises:
        TypeError: If a part has parameters of its own and nothing that draws them. Then
            nothing has been drawn.
    """
    check_initializable(module)
    _initialize(module)


def _initialize(module: nn.Module) -> None:
    answers = _answers_for_all(module)
    for child in [] if answers else module.children():
        _initialize(child)
    if hasattr(module, "reset_parameters"):
        module.reset_parameters()
    elif hasattr(module, "_reset_parameters"):  # torch's attention: it refines its children's
        module._reset_parameters()


def _answers_for_all(module: nn.Module) -> bool:
    """Say whether a module has a `reset_parameters` that is not torch's, which knows no parts."""
    method = getattr(module, "reset_parameters", None)
    return method is not None and not method.__module__.startswith("torch.")


def check_initializable(module: nn.Module) -> None:
    """Raise unless `initialize` can draw all weights of a module.

    Args:
        module: Any module.

    Raises:
        TypeError: If a part has parameters of its own and nothing that draws them.
    """
    if _answers_for_all(module):
        return
    name = type(module).__name__
    draws = hasattr(module, "reset_parameters") or hasattr(module, "_reset_parameters")
    if [*module.parameters(recurse=False)] and not draws:
        raise TypeError(
            f"{name} has parameters of its own and no reset_parameters() that draws them; "
            "define it, or train with initialize=False."
        )
    if is_parametrized(module):
        raise TypeError(
            f"the weights of {name} are computed from others (torch.nn.utils.parametrize), which "
            "reset_parameters() does not draw; define one that does, or train with "
            "initialize=False."
        )
    for child in module.children():
        check_initializable(child)


def check_dropout(dropout: float) -> float:
    """Return `dropout` if it is a share from 0 to below 1, else raise a ValueError."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}; choose a share from 0 to below 1.")
    return dropout


def batches(
    size: int, device: torch.device, *tensors: torch.Tensor | None
) -> Iterator[tuple[torch.Tensor | None, ...]]:
    """Yield tensors a few rows at a time, on a device.

    Args:
        size: Rows in a batch; the last one may have fewer.
        device: Where the batches are wanted.
        tensors: The first of length N at least 1; the others of the same length, or None.

    Yields:
        The same rows of each tensor; None for None.
    """
    size = check_count("the batch size of an evaluation", size)
    for start in range(0, len(tensors[0]), size):
        rows = slice(start, start + size)
        yield tuple(None if tensor is None else tensor[rows].to(device) for tensor in tensors)
