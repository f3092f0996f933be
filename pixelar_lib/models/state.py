"""Drawing one pixel at a time: what a model's layers keep, and when that may be trusted.

A model whose `predict` takes a `state` can be advanced by one pixel. Its layers are written once:
without a state they see whole pictures, with one they see the next place, and the state keeps
what they need of the places before (as in gpt-fast's cache of keys and values).
"""

import copy
import inspect
from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import nn

SMALL = (2, 6)  # the picture on which both forms of a model are compared
KNOWN = ("torch.nn.", "pixelar_lib.")  # where parts come from that tests hold to the rule


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
    light = object.__new__(_light_class(type(module)))
    parts = {
        name: None if part is None else light_copy(part) for name, part in module._modules.items()
    }
    vars(light).update(vars(module), _modules=parts, **module._parameters, **module._buffers)
    vars(light).update(parts)
    if type(module) is nn.Linear and module.bias is not None and "forward" not in vars(module):
        light.__class__, light.matrix = _LightLinear, module.weight.t().contiguous()
    return light


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
def can_advance(
    model: nn.Module, forward: Callable, size: tuple[int, int], labels: torch.Tensor | None
) -> bool:
    """Say whether advancing a model gives what its `forward` gives.

    No, where `forward` was overridden, where an overridden `predict` knows no state, where hooks
    watch a part, and where the two differ on random pictures: a small one where all parts are
    torch's and ours, and one of the whole size where some are not.

    Args:
        model: A `PixelModel`.
        forward: The `forward` that `advancing` stands for.
        size: (H, W) of the images to draw.
        labels: long (N,) or None; the first ones are used.
    """
    if is_changed(model, forward=forward) or is_hooked(model):
        return False
    if "state" not in inspect.signature(model.predict).parameters:
        return False
    if next((tensor.dtype for tensor in model.parameters()), torch.float32).itemsize < 4:
        model = copy.deepcopy(model).float()  # 16 bits are too coarse to tell two networks apart
    known = all(_is_known(part) for part in model.modules())
    num_pixels = SMALL[0] * SMALL[1] if known else size[0] * size[1]
    size = model.image_size or (SMALL if known else size)
    tokens, labels = _random_pictures(model, size, labels)
    expected = model(tokens, labels).softmax(dim=1).flatten(2)[..., :num_pixels]  # (2, K, P)
    try:
        logits_of = advancing(model, tokens, labels)
        found = torch.stack([logits_of(pixel) for pixel in range(expected.shape[2])], dim=2)
    except Exception:  # a part that was put in cannot be advanced, for whatever reason
        return False
    return torch.allclose(found.softmax(dim=1), expected, rtol=0, atol=1e-4, equal_nan=True)


def _is_known(part: nn.Module) -> bool:
    """Say whether a part is of torch's or ours, and none of its methods was exchanged."""
    exchanged = (name for name in vars(part) if callable(getattr(type(part), name, None)))
    return type(part).__module__.startswith(KNOWN) and not any(exchanged)


def _random_pictures(
    model: nn.Module, size: tuple[int, int], labels: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return two pictures, tokens and labels, on the model's device."""
    generator = torch.Generator("cpu").manual_seed(0)
    shape = 2, *size
    tokens = torch.randint(model.num_bins, shape, generator=generator, device="cpu")
    if labels is not None:
        labels = labels[[0, -1]]
    return tokens.to(model.device), labels


def is_changed(model: nn.Module, **originals: Callable) -> bool:
    """Say whether a method of a model is another than the original, in its class or in itself."""
    called_otherwise = type(model).__call__ is not nn.Module.__call__
    return called_otherwise or any(
        name in vars(model) or getattr(type(model), name) is not original
        for name, original in originals.items()
    )


def is_hooked(model: nn.Module) -> bool:
    """Say whether forward hooks watch a model, one of its parts, or all modules there are."""
    everywhere = nn.modules.module
    return bool(everywhere._global_forward_hooks or everywhere._global_forward_pre_hooks) or any(
        part._forward_hooks or part._forward_pre_hooks for part in model.modules()
    )
