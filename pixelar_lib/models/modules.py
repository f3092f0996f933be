"""What is done with any torch module: switch its mode, draw its weights, feed it in batches."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

SWITCHING = threading.Lock()  # held for the moment in which a thread switches modes


class Use:
    """Who is using a module just now; a copy of the module is used by nobody."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self.trainer, self.evaluations, self.modes = None, 0, []

    def __deepcopy__(self, memo: dict) -> "Use":
        return Use()

    def __reduce__(self) -> tuple:
        return Use, ()


def _use_of(module: nn.Module) -> Use:
    return vars(module).setdefault("_use", Use())


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch a model to evaluation, without gradients; afterwards restore what was.

    Several threads may do so at once: the first one switches, the last one restores.

    Args:
        model: Any module; each of its parts gets back its own mode.

    Raises:
        RuntimeError: If another thread is training the model.
    """
    with SWITCHING:
        _check_free(model)
        use = _use_of(model)
        if not use.evaluations:
            use.modes = [(part, part.training) for part in model.modules()]
            model.eval()
        use.evaluations += 1
    try:
        with torch.no_grad():
            yield
    finally:
        with SWITCHING:
            use.evaluations -= 1
            if not use.evaluations:
                _restore(use)


@contextmanager
def training_alone(model: nn.Module) -> Iterator[None]:
    """Switch a model to training, for this thread alone; afterwards restore what was.

    Args:
        model: Any module; each of its parts gets back its own mode.

    Raises:
        RuntimeError: If another thread is training or evaluating the model.
    """
    with SWITCHING:
        _check_free(model)
        uses = [_use_of(part) for part in model.modules()]
        if any(use.evaluations for use in uses):
            raise RuntimeError("this model is being evaluated; train it afterwards, or a copy.")
        for use in uses:
            use.trainer = threading.get_ident()
        modes = [(part, part.training) for part in model.modules()]
    try:
        model.train()
        yield
    finally:
        with SWITCHING:
            for use in uses:
                use.trainer = None
            for part, mode in modes:
                part.training = mode


def _restore(use: Use) -> None:
    for part, mode in use.modes:
        part.training = mode
    use.modes = []


def _check_free(model: nn.Module) -> None:
    trainers = {_use_of(part).trainer for part in model.modules()}
    if trainers - {None, threading.get_ident()}:
        raise RuntimeError(
            "another thread is training this model; wait for it, or use a copy.deepcopy of it."
        )


def initialize(module: nn.Module) -> None:
    """Draw new random weights for a module and all that is below it.

    A module that has `reset_parameters` answers for everything below it, so that a model can
    choose its own initialisation; within it, call `initialize` on the parts that need none.

    Args:
        module: Any module.

    Raises:
        TypeError: If a part has parameters of its own and nothing that draws them. Then
            nothing has been drawn.
    """
    check_initializable(module)
    _initialize(module)


def _initialize(module: nn.Module) -> None:
    if hasattr(module, "reset_parameters"):
        module.reset_parameters()
        return
    for child in module.children():
        _initialize(child)
    if hasattr(module, "_reset_parameters"):  # torch's attention: it refines its children's
        module._reset_parameters()


def check_initializable(module: nn.Module) -> None:
    """Raise unless `initialize` can draw all weights of a module.

    Args:
        module: Any module.

    Raises:
        TypeError: If a part has parameters of its own and nothing that draws them.
    """
    if hasattr(module, "reset_parameters"):
        return
    if [*module.parameters(recurse=False)] and not hasattr(module, "_reset_parameters"):
        raise TypeError(
            f"{type(module).__name__} has parameters of its own and no reset_parameters() "
            "that draws them; define it, or train with initialize=False."
        )
    for child in module.children():
        check_initializable(child)


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
    for start in range(0, len(tensors[0]), size):
        rows = slice(start, start + size)
        yield tuple(None if tensor is None else tensor[rows].to(device) for tensor in tensors)
