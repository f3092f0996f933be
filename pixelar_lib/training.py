"""The only training loop: `fit` trains any model that keeps the contract of `PixelModel`."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm  # not tqdm.auto: its notebook bar ignores TQDM_DISABLE

from pixelar_lib import distributed
from pixelar_lib.checkpoint import Checkpoint, History, fingerprint
from pixelar_lib.evaluation import evaluate
from pixelar_lib.models import PixelModel, restoring_modes
from pixelar_lib.optimization import OPTIMIZERS, PRECISIONS, checked_recipe, learning_rate_at
from pixelar_lib.quantization import check_count
from pixelar_lib.runtime import pick_device, pick_generator


def fit(
    model: PixelModel,
    tokens: torch.Tensor,
    labels: torch.Tensor | None = None,
    *,
    steps: int,
    batch_size: int = 256,
    replacement: bool = True,
    optimizer: str = "adamw",
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    schedule: str = "cosine",
    warmup_steps: int = 0,
    precision: str = "float32",
    transform: Callable[[torch.Tensor, torch.Generator], torch.Tensor] | None = None,
    held_out: torch.Tensor | None = None,
    held_out_labels: torch.Tensor | None = None,
    look_every: int | None = None,
    generator: torch.Generator | None = None,
    initialize: bool = True,
    device: str | torch.device = "auto",
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
    progress: bool = True,
) -> History:
    """Train a model from scratch, in place, by minimising its `training_loss`.

    Within `distributed.processes` all processes call it alike, and together train as one would.

    Args:
        model: Keeps the contract; afterwards it is on `device`, in the mode it had before.
        tokens: integer (N, H, W), the training images; uint8 saves memory. With `transform`:
            whatever images it makes tokens of.
        labels: long (N,) for a conditional model, else None.
        steps: Number of updates.
        batch_size: Images in a step.
        replacement: Draw each step's images anew. False: shuffled epochs, each with all images.
        optimizer: "adamw" (Loshchilov and Hutter 2019) or "adam" (Kingma and Ba 2015).
        learning_rate: Largest step size.
        weight_decay: As the optimizer of torch defines it.
        schedule: "cosine" lets the rate fall to 0 over `steps`; "constant" keeps it.
        warmup_steps: Steps over which the rate first rises from 0.
        precision: "float32", or "bfloat16" for 16-bit products (`torch.autocast`): faster where
            the processor has instructions for them, slower elsewhere. Weights stay float32.
        transform: Turns the images of each step into tokens, given the generator: for example
            `quantization.binarize`, which draws new ones at each look.
        held_out: integer (M, H, W), images to look at, never trained on.
        held_out_labels: long (M,) for a conditional model, else None.
        look_every: Steps between two looks; default: at most 20 looks in all.
        generator: Seeds everything; default `seeded_generator()`.
        initialize: Draw new random weights first (each part's `reset_parameters`). False
            goes on from those the model has.
        device: "auto", or as for `runtime.pick_device`.
        checkpoint: File that holds the training's state. Where it exists, training resumes
            from it, to the same result as without a break; so name another for another one.
        checkpoint_every: Steps between two writes of the checkpoint.
        progress: Show a progress bar (`TQDM_DISABLE=1` hides all of them).

    Returns:
        The recorded losses.

    Raises:
        TypeError: If tokens or labels are no integer tensors, a number of steps or images is
            no integer, or a part of the model has parameters and no `reset_parameters`.
        ValueError: If an argument is out of range or does not fit the model, or the checkpoint
            is damaged, or of another model, recipe, seed or data set.
        FloatingPointError: If the loss or its gradient is not finite; model and checkpoint
            keep the last good state.
        OSError: If the checkpoint cannot be read or written.
    """
    _check_data(model, tokens, labels, transform, held_out, held_out_labels)
    settings = (steps, batch_size, optimizer, learning_rate, weight_decay, schedule, warmup_steps)
    recipe = checked_recipe(*settings, precision)
    look_every = math.ceil(steps / 20) if look_every is None else look_every
    check_count("look_every", look_every)
    check_count("checkpoint_every", checkpoint_every)
    generator, device = pick_generator(generator), pick_device(device)
    tokens = tokens if transform else tokens.to(torch.uint8)  # 0 to 255 fits, whatever K
    recipe |= {"replacement": replacement, "seed": generator.initial_seed()}
    recipe |= {"transform": getattr(transform, "__name__", None), "look_every": look_every}
    recipe |= {"device": device.type, **_fingerprints(tokens, labels, held_out, held_out_labels)}
    history, losses = History(), []
    with restoring_modes(model), _own_randomness(generator, device):
        chosen_at = _batches(len(tokens), batch_size, replacement, generator)
        if initialize:
            _initialize(model.cpu())
        model.to(device).train()
        update = OPTIMIZERS[optimizer](model.parameters(), weight_decay=weight_decay, fused=True)
        path = Path(checkpoint or ".")
        state = Checkpoint(model, update, generator, history, losses, recipe, path)
        first = state.load() if checkpoint and distributed.from_first(path.exists) else 0
        loss_of = distributed.shared_loss(model, recipe)
        begin = time.perf_counter() - history.seconds
        for step in _steps(first, steps, progress):
            for group in update.param_groups:
                group["lr"] = learning_rate_at(step, steps, learning_rate, schedule, warmup_steps)
            batch = _batch(tokens, labels, chosen_at(step), transform, device, generator)
            losses.append(_one_step(model, loss_of, update, step, batch, precision, generator))
            history.seconds = time.perf_counter() - begin
            if (step + 1) % look_every == 0 or step + 1 == steps:
                _look(history, step + 1, losses, model, held_out, held_out_labels)
                losses.clear()
            if checkpoint and ((step + 1) % checkpoint_every == 0 or step + 1 == steps):
                state.save(step + 1)
    return history


def _fingerprints(tokens, labels, held_out, held_out_labels) -> dict:
    return {"data": fingerprint(tokens, labels), "held_out": fingerprint(held_out, held_out_labels)}


def _steps(first: int, steps: int, progress: bool) -> tqdm:
    shown = {} if progress and distributed.rank() == 0 else {"disable": True}
    return tqdm(range(first, steps), initial=first, total=steps, **shown)


@contextmanager
def _own_randomness(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """Seed torch's global randomness from the generator; give back what was afterwards."""
    devices = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(devices, device_type=device.type):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        yield


def _initialize(model: nn.Module) -> None:
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        elif [*module.parameters(recurse=False)]:
            raise TypeError(
                f"{type(module).__name__} has parameters of its own and no reset_parameters() "
                "that draws them; define it, or train with initialize=False."
            )


def _batches(num_images, batch_size, replacement, generator) -> Callable[[int], torch.Tensor]:
    """Return which images a step trains on, as a function of the step."""
    if replacement:
        return lambda step: torch.randint(num_images, (batch_size,), generator=generator)
    seed = int(torch.randint(2**62, (), generator=generator))

    @lru_cache(maxsize=1)
    def order(epoch):
        return torch.randperm(num_images, generator=torch.Generator().manual_seed(seed + epoch))

    def batch_of(step):
        epoch, place = divmod(step, math.ceil(num_images / batch_size))
        return order(epoch)[place * batch_size :][:batch_size]

    return batch_of


def _batch(tokens, labels, chosen, transform, device, generator) -> tuple:
    batch = tokens[chosen] if transform is None else transform(tokens[chosen], generator)
    return batch.to(device).long(), None if labels is None else labels[chosen].to(device)


def _one_step(model, loss_of, optimizer, step, batch, precision, generator) -> float:
    distributed.seed_step(generator.initial_seed(), step)
    reduced = precision != "float32"
    with torch.autocast(model.device.type, PRECISIONS[precision]) if reduced else nullcontext():
        loss = loss_of(*batch, generator)
    optimizer.zero_grad()
    loss.backward()
    mean = distributed.batch_mean(loss)
    _check_finite(mean, model, step)
    optimizer.step()
    return mean


def _look(history, step, losses, model, held_out, labels) -> None:
    history.steps.append(step)
    history.training_loss.append(sum(losses) / len(losses))
    if held_out is not None:
        history.held_out_loss.append(evaluate(model, held_out, labels).nats_per_pixel)


def _check_finite(loss: float, model: nn.Module, step: int) -> None:
    norm = float(nn.utils.clip_grad_norm_(model.parameters(), math.inf))  # clips nothing
    if not math.isfinite(loss + norm):
        raise FloatingPointError(
            f"at step {step + 1} the loss is {loss} and the length of its gradient {norm}; the "
            "weights are as after the step before. Train with a smaller learning rate or a "
            "longer warm-up."
        )


def _check_data(model, tokens, labels, transform, held_out, held_out_labels) -> None:
    if not len(tokens):
        raise ValueError("there is no image to train on: tokens has length 0.")
    if transform is None:
        model.check_input(tokens, labels)
    else:
        few = transform(tokens[:8], torch.Generator())
        model.check_input(few, None if labels is None else labels[:8])
        model.check_input(few[:1].expand(len(tokens), -1, -1), labels)  # all the labels
    if held_out is not None:
        model.check_input(held_out, held_out_labels)
        if not len(held_out):
            raise ValueError("there is no image to look at: held_out has length 0.")
    if not model.num_parameters:
        raise ValueError(f"{type(model).__name__} has no parameters to train.")
