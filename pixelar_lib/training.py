"""The only training loop: `fit` trains whatever keeps the protocol of `Trainable`."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm  # not tqdm.auto: its notebook bar ignores TQDM_DISABLE

from pixelar_lib import distributed
from pixelar_lib.checkpoint import Checkpoint, fingerprint
from pixelar_lib.models import check_initializable, training_alone
from pixelar_lib.models import initialize as draw_weights
from pixelar_lib.optimization import Settings, check_bool, pick_precision
from pixelar_lib.quantization import check_count
from pixelar_lib.runtime import pick_device, pick_generator
from pixelar_lib.trainable import Trainable, check_trainable
from pixelar_lib.training_state import History, Training

FITTING = threading.RLock()  # torch's global randomness serves one training at a time
FEW = 64  # inputs whose prepared batch tells one way of preparing from another


def fit(
    model: Trainable,
    inputs: torch.Tensor,
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
    held_out: torch.Tensor | None = None,
    held_out_labels: torch.Tensor | None = None,
    eval_every: int | None = None,
    generator: torch.Generator | None = None,
    initialize: bool | None = None,
    device: str | torch.device = "auto",
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
    progress: bool = True,
) -> History:
    """Train a model in place, by minimising its `training_loss`.

    Within `distributed.processes` all processes call it alike, and together train as one would.
    Anything that is refused is refused before the model's weights change. Trainings in several
    threads wait for each other; other threads must leave torch's global randomness alone.

    Args:
        model: A `PixelModel`, or another module that keeps the protocol of `Trainable`;
            afterwards it is on `device`, in the mode it had before.
        inputs: What the model trains on: for a `PixelModel` integer tokens (N, H, W), of which
            uint8 takes the least memory.
        labels: long (N,) for a conditional model, else None.
        steps: Number of updates.
        batch_size: Inputs in a step.
        replacement: Draw each step's inputs anew. False: shuffled epochs, each with all inputs.
        optimizer: "adamw" (Loshchilov and Hutter 2019) or "adam" (Kingma and Ba 2015).
        learning_rate: Largest step size.
        weight_decay: As the optimizer of torch defines it.
        schedule: "cosine" lets the rate fall to 0 over `steps`; "constant" keeps it.
        warmup_steps: Steps over which the rate first rises from 0.
        precision: "float32"; "bfloat16" for 16-bit products (`torch.autocast`), which are faster
            where the processor has instructions for them and much slower elsewhere (a warning
            says so); or "auto" for the faster of the two. Weights stay float32.
        held_out: Inputs (M, ...) to look at, never trained on.
        held_out_labels: long (M,) for a conditional model, else None.
        eval_every: Steps between two looks; default: at most 20 looks in all.
        generator: Seeds everything; default `seeded_generator()`.
        initialize: Whether to draw new weights first (`models.initialize`). Default: yes for a
            new model; one that was trained or loaded before has weights to lose, so there you
            choose: True starts afresh, False goes on from them.
        device: "auto", or as for `runtime.pick_device`.
        checkpoint: File that holds the training's state. Where it exists, training resumes
            from it, to the same result (if "auto" chooses alike); so name another for another.
        checkpoint_every: Steps between two writes of the checkpoint.
        progress: Show a progress bar (`TQDM_DISABLE=1` hides all of them).

    Returns:
        The recorded losses.

    Raises:
        TypeError: If inputs or labels are of the wrong type, a number of steps or inputs is not an
            integer, or a part of the model has parameters and nothing that draws them.
        ValueError: If an argument is out of range or does not fit the model, the model has
            weights to lose, or the checkpoint is damaged, or of another model, recipe or data.
        RuntimeError: If another thread is using the model.
        FloatingPointError: If the loss or its gradient is not finite; model and checkpoint
            keep the last good state.
        OSError: If the checkpoint cannot be read or written.
    """
    rate = learning_rate, weight_decay, schedule, warmup_steps
    settings = Settings(steps, batch_size, replacement, optimizer, *rate, precision, eval_every)
    initialize = None if initialize is None else check_bool("initialize", initialize)
    checkpoint_every = check_count("checkpoint_every", checkpoint_every)
    generator, device = pick_generator(generator), pick_device(device)
    path = None if checkpoint is None else Path(checkpoint).resolve()
    check_trainable(model)
    _check_data(model, inputs, labels, held_out, held_out_labels)
    origins = {vars(part).get("_trained_by") for part in model.modules()} - {None}
    goes_on = path is not None and origins == {path}  # the same call once more
    afresh = _starts_afresh(model, initialize, origins) if not goes_on else initialize is not False
    recipe = asdict(settings) | {"seed": generator.initial_seed(), "device": device.type}
    recipe |= _fingerprints(model, afresh, inputs, labels, held_out, held_out_labels)
    distributed.check_alike(recipe)
    file = None if path is None else Checkpoint(path, model, recipe)
    saved = file and file.read(settings.steps, goes_on)
    precision = distributed.from_first(partial(pick_precision, settings.precision, device))
    with training_alone(model), FITTING, _own_randomness(generator, device):
        order, chosen_at = _batches(len(inputs), settings, generator, saved)
        if afresh and saved is None:
            draw_weights(model.cpu())
        state = Training(model.to(device), settings, generator, device, precision)
        first = 0 if saved is None else file.restore(saved, state.restore)
        for part in model.modules():
            part._trained_by = path or "fit"
        loss_of = distributed.shared_loss(model)
        begin = time.perf_counter() - state.history.seconds
        for step in _steps(first, settings.steps, progress):
            batch = _batch(model, inputs, labels, chosen_at(step), generator)
            state.one_step(step, loss_of, batch)
            state.history.seconds = time.perf_counter() - begin
            if _is_due(step, settings.eval_every, settings.steps):
                state.look(step + 1, held_out, held_out_labels)
            if file and _is_due(step, checkpoint_every, settings.steps):
                file.write(step + 1, state.parts() | {"order": order})
    return state.history


def _is_due(step: int, every: int, steps: int) -> bool:
    """Say whether something is to be done after this step; after the last one, it is."""
    return (step + 1) % every == 0 or step + 1 == steps


def _starts_afresh(model: nn.Module, initialize: bool | None, origins: set) -> bool:
    """Say whether new weights are to be drawn, having checked that this loses none unasked."""
    if initialize is None:
        stepped = any(weights.grad is not None for weights in model.parameters())
        if origins or stepped or not all(weights.requires_grad for weights in model.parameters()):
            raise ValueError(
                "this model was trained or loaded before, or parts of it are frozen. Say "
                "initialize=False to go on from its weights, or initialize=True to draw new ones "
                "for all of it."
            )
    if initialize is not False:
        check_initializable(model)
    return initialize is not False


def _fingerprints(model, afresh, inputs, labels, held_out, held_out_labels) -> dict:
    """Return what tells data, the way it is prepared, and weights to go on from, from others."""
    few_labels = None if labels is None else labels[:FEW]
    prepared = model.prepare(inputs[:FEW], few_labels, torch.Generator("cpu").manual_seed(0))
    lengths = [len(part) for part in prepared] if isinstance(prepared, tuple) else []
    if not lengths or set(lengths) != {min(FEW, len(inputs))}:
        raise ValueError(
            f"{type(model).__name__}.prepare must return a tuple of tensors with a row for each "
            f"of the {min(FEW, len(inputs))} inputs that it was given."
        )
    return {
        "data": fingerprint(inputs, labels),
        "prepared": fingerprint(*prepared),
        "held_out": fingerprint(held_out, held_out_labels),
        "weights": None if afresh else fingerprint(*model.state_dict().values()),
    }


def _steps(first: int, steps: int, progress: bool) -> tqdm:
    shown = {} if progress and distributed.rank() == 0 else {"disable": True}
    return tqdm(range(first, steps), initial=first, total=steps, **shown)


@contextmanager
def _own_randomness(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """Seed torch's global randomness from the generator, with gradients on, whatever was set."""
    devices = [] if device.type == "cpu" else [device]
    gradients = torch.inference_mode(False), torch.enable_grad()
    with torch.random.fork_rng(devices, device_type=device.type), gradients[0], gradients[1]:
        torch.manual_seed(_draw_seed(generator))
        yield


def _draw_seed(generator: torch.Generator) -> int:
    return int(torch.randint(2**62, (), generator=generator, device="cpu"))


def _batches(num_inputs, settings, generator, saved) -> tuple[int | None, Callable]:
    """Return the seed that shuffles epochs, or None, and which inputs a step trains on.

    A training that goes on keeps the seed, since its generator may have gone on in between.
    """
    size = settings.batch_size
    if settings.replacement:
        return None, lambda step: torch.randint(
            num_inputs, (size,), generator=generator, device="cpu"
        )
    seed = _draw_seed(generator)
    seed = seed if saved is None else saved.get("order", seed)

    @lru_cache(maxsize=1)
    def order(epoch):
        own = torch.Generator("cpu").manual_seed(seed + epoch)
        return torch.randperm(num_inputs, generator=own, device="cpu")

    def batch_of(step):
        epoch, place = divmod(step, math.ceil(num_inputs / size))
        return order(epoch)[place * size :][:size]

    return seed, batch_of


def _batch(model, inputs, labels, chosen, generator) -> tuple:
    return model.prepare(inputs[chosen], None if labels is None else labels[chosen], generator)


def _check_data(model, inputs, labels, held_out, held_out_labels) -> None:
    if not isinstance(inputs, torch.Tensor) or not inputs.ndim:
        raise TypeError(f"inputs must be a tensor of examples, not {type(inputs).__name__}.")
    if not len(inputs):
        raise ValueError("there is nothing to train on: inputs has length 0.")
    model.check_input(inputs, labels)
    if held_out is not None:
        model.check_input(held_out, held_out_labels)
        if not len(held_out):
            raise ValueError("there is nothing to look at: held_out has length 0.")
    elif held_out_labels is not None:
        raise ValueError("held_out_labels are given, but no held_out.")
    if not any(weights.requires_grad for weights in model.parameters()):
        raise ValueError(f"{type(model).__name__} has no parameters to train.")
    if any(weights.is_inference() for weights in model.parameters()):
        raise ValueError("the model was built under torch.inference_mode; build it outside.")
