"""Drawing one pixel at a time: what a model's layers keep, and when that may be trusted.

A model whose `predict` takes a `state` can be advanced by one pixel. Its layers are written once:
without a state they see whole pictures, with one they see the next place, and the state keeps
what they need of the places before (as in gpt-fast's cache of keys and values).
"""

import inspect
from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import nn

SMALL = (2, 6)  # the picture on which both forms of a model are compared
PIXELS_COMPARED = 12


class State(dict):
    """What the layers keep of the pixels before, by layer, and how far a drawing has come.

    Attributes:
        height: Rows of the images.
        width: Columns of the images.
        pixel: Flat index of the pixel to predict; -1 before the first.
        row: Its row.
        column: Its column.
    """

    def __init__(self, height: int, width: int) -> None:
        """Begin before the first pixel, with nothing kept."""
        super().__init__()
        self.height, self.width = height, width
        self.pixel = self.row = self.column = -1

    def advance(self, pixel: int) -> None:
        """Go on to the next pixel.

        Args:
            pixel: Its flat index: 0 at the first call, and one more at each call.

        Raises:
            ValueError: If a pixel is left out or repeated.
        """
        if pixel != self.pixel + 1:
            raise ValueError(
                f"pixel {pixel} was asked for, but {self.pixel + 1} is the next; a state goes "
                "through an image once, in reading order. Make a new one to start again."
            )
        self.pixel = pixel
        self.row, self.column = divmod(pixel, self.width)


def advancing(model: nn.Module, tokens: torch.Tensor, labels: torch.Tensor | None) -> Callable:
    """Return a function that predicts one pixel at a time by `predict` with a state.

    Args:
        model: A `PixelModel` whose `predict` takes a state.
        tokens: long (N, H, W), a buffer that the caller fills in reading order.
        labels: long (N,) or None.

    Returns:
        A function from a flat pixel index (0, 1, 2, ...) to logits (N, K).
    """
    state, model = State(*tokens.shape[1:]), light_copy(model)
    pixels = tokens.view(len(tokens), -1, 1, 1).unbind(dim=1)  # (N, 1, 1) each, seen as they grow

    def logits_of(pixel: int) -> torch.Tensor:
        state.advance(pixel)
        before = model.embed(pixels[max(pixel - 1, 0)])[:, 0, 0]  # (N, E)
        return model.predict(before if pixel else torch.zeros_like(before), labels, state)

    return logits_of


def light_copy(module: nn.Module) -> nn.Module:
    """Return a copy that shares all tensors, and does without torch's ceremony.

    Torch searches three dictionaries for each part it is asked for, and looks for hooks at each
    call; both take as long as a small product. Here parts are plain attributes, and a call is
    one of `forward`. The copy is for computing alone.
    """
    copy = object.__new__(_light_class(type(module)))
    parts = {name: part and light_copy(part) for name, part in module._modules.items()}
    vars(copy).update(vars(module), _modules=parts, **module._parameters, **module._buffers)
    vars(copy).update(parts)
    if type(module) is nn.Linear and module.bias is not None and "forward" not in vars(module):
        copy.__class__, copy.matrix = _LightLinear, module.weight.t().contiguous()
    return copy


class _LightLinear(nn.Linear):
    """Multiplies by a matrix that lies in memory as products of few rows want it."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim == 2:
            return torch.addmm(self.bias, x, self.matrix)
        return F.linear(x, self.weight, self.bias)


@lru_cache(maxsize=256)
def _light_class(original: type) -> type:
    return type(original.__name__, (original,), {"__call__": _call_forward})


def _call_forward(module: nn.Module, *arguments):
    return module.forward(*arguments)


@torch.no_grad()
def can_advance(model: nn.Module, forward: Callable, labels: torch.Tensor | None) -> bool:
    """Say whether advancing a model gives what its `forward` gives.

    No, where `forward` was overridden, where an overridden `predict` knows no state, where hooks
    watch a layer, and where the two differ on a small random picture, whatever was changed.

    Args:
        model: A `PixelModel`.
        forward: The `forward` that `advancing` stands for.
        labels: long (N,) or None; the first one is used.
    """
    if is_changed(model, "forward", forward) or is_hooked(model):
        return False
    if "state" not in inspect.signature(model.predict).parameters:
        return False
    generator = torch.Generator("cpu").manual_seed(0)
    size = 1, *(model.image_size or SMALL)
    tokens = torch.randint(model.num_bins, size, generator=generator, device="cpu")
    tokens, labels = tokens.to(model.device), None if labels is None else labels[:1]
    expected = model(tokens, labels).flatten(2)[..., :PIXELS_COMPARED]  # (1, K, P)
    logits_of = advancing(model, tokens, labels)
    try:
        found = torch.stack([logits_of(pixel) for pixel in range(expected.shape[2])], dim=2)
    except Exception:  # a part that was put in cannot be advanced, for whatever reason
        return False
    tolerance = max(1e-4, 16 * torch.finfo(expected.dtype).eps) * float(expected.abs().max())
    return torch.allclose(found, expected, rtol=0, atol=tolerance, equal_nan=True)


def is_changed(model: nn.Module, name: str, original: Callable) -> bool:
    """Say whether a method of a model is another than the original, in its class or in itself."""
    return name in vars(model) or getattr(type(model), name) is not original


def is_hooked(model: nn.Module) -> bool:
    """Say whether forward hooks watch a model or one of its parts."""
    return any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())
