"""Training in several processes, which torchrun starts; without it, nothing here has any effect.

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


def all_rows(share: torch.Tensor) -> torch.Tensor:
    """Put the shares of all processes together, in the order of their ranks.

    Args:
        share: Rows of this process; the others may have more or fewer.

    Returns:
        The rows of all of them, on this process's device, without gradients.
    """
    if num_processes() == 1:
        return share.detach()
    shares = [None] * num_processes()
    dist.all_gather_object(shares, share.detach().cpu())
    return torch.cat(shares).to(share.device)


def check_alike(recipe: dict) -> None:
    """Raise unless all processes train by the same recipe.

    Args:
        recipe: Of this process.

    Raises:
        ValueError: If they differ.
    """
    if num_processes() == 1:
        return
    recipes = [None] * num_processes()
    dist.all_gather_object(recipes, recipe)
    if any(other != recipe for other in recipes):
        raise ValueError(f"the processes must train alike, but their recipes are {recipes}.")


def shared_loss(model: nn.Module) -> Callable[..., torch.Tensor]:
    """Return the model's `training_loss`, or what computes this process's share of it.

    Args:
        model: A `Trainable`, on its device.

    Returns:
        A function of the prepared batch, the whole of it, whatever the share.

    Raises:
        ValueError: When called, if a batch has fewer rows than there are processes.
    """
    if num_processes() == 1:
        return model.training_loss
    return _share_of(DistributedDataParallel(_Loss(model)))


class _Loss(nn.Module):
    """What DistributedDataParallel wraps: a module that is called for the loss."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *batch: torch.Tensor) -> torch.Tensor:
        return self.model.training_loss(*batch)


def _share_of(loss_of: nn.Module) -> Callable[..., torch.Tensor]:
    """Return a function that gives the module this process's rows of a batch, and weighs them."""

    def loss(*batch: torch.Tensor) -> torch.Tensor:
        size, number = len(batch[0]), num_processes()
        if size < number:
            raise ValueError(f"a batch of {size} cannot be shared by {number} processes.")
        share = slice(size * rank() // number, size * (rank() + 1) // number)
        found = loss_of(*(part[share] for part in batch))
        return found * ((share.stop - share.start) * number / size)  # shares may differ by one

    return loss


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
