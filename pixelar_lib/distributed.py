"""Training in several processes, which torchrun starts; without it nothing here does anything.

Every process draws the same batches from the same seed and computes its share of each.
DistributedDataParallel averages the gradients (Li et al., PyTorch Distributed, 2020), so all of
them take the same steps and have the same weights. The first one writes.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pixelar_lib.runtime import pick_device

BACKENDS = {"cpu": "gloo", "cuda": "nccl"}
PATIENCE = timedelta(minutes=10)  # how long a process waits for the others before it gives up


@contextmanager
def processes() -> Iterator[None]:
    """Join the processes that torchrun started; each takes the GPU of its local rank.

    Raises:
        ValueError: If the device is neither a CPU nor a CUDA GPU, or GPUs are too few.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield
        return
    kind = pick_device().type
    if kind not in BACKENDS:
        raise ValueError(f"several processes cannot share a training on {kind}; use cpu or cuda.")
    if kind == "cuda":
        torch.cuda.set_device(pick_device(f"cuda:{os.environ['LOCAL_RANK']}"))
    dist.init_process_group(BACKENDS[kind], timeout=PATIENCE)
    yield
    dist.destroy_process_group()  # not after an error: it could wait for a process that is gone


def num_processes() -> int:
    """Return how many processes train together: 1 without torchrun."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process; 0 is the one that writes."""
    return dist.get_rank() if num_processes() > 1 else 0


def from_first(get: Callable):
    """Call `get` in the first process alone, and return its result in all of them."""
    box = [get() if rank() == 0 else None]
    if num_processes() > 1:
        dist.broadcast_object_list(box)
    return box[0]


def shared_loss(model: nn.Module, recipe: dict) -> Callable:
    """Return the model's `training_loss`, or what computes this process's share of it.

    Args:
        model: A `PixelModel`, on its device.
        recipe: What must be the same in all processes.

    Returns:
        A function of (tokens, labels, generator), the whole batch, whatever the share.

    Raises:
        ValueError: If the processes have different recipes; when called, if a batch has fewer
            images than there are processes.
    """
    if num_processes() == 1:
        return model.training_loss
    recipes = [None] * num_processes()
    dist.all_gather_object(recipes, recipe)
    if any(other != recipe for other in recipes):
        raise ValueError(f"the processes must train alike, but their recipes are {recipes}.")
    return DistributedDataParallel(_Share(model))


class _Share(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens, labels, generator) -> torch.Tensor:
        size, number = len(tokens), num_processes()
        if size < number:
            raise ValueError(f"a batch of {size} cannot be shared by {number} processes.")
        share = slice(size * rank() // number, size * (rank() + 1) // number)
        loss = self.model.training_loss(tokens, labels, generator, share)
        return loss * ((share.stop - share.start) * number / size)  # shares may differ by one


def batch_mean(loss: torch.Tensor) -> float:
    """Return the loss of the whole batch, from what `shared_loss` gave in each process."""
    total = loss.detach().clone()
    if num_processes() > 1:
        dist.all_reduce(total)
    return total.item() / num_processes()


def seed_step(seed: int, step: int) -> None:
    """Let dropout silence other units in each process, and the same ones after a break."""
    if num_processes() > 1:
        torch.manual_seed(hash((seed, step, rank())))
