"""How many bins does a pixel need? python -m experiments.bins

Trains two kinds of network for each number of bins K on one thread, for as many steps each,
and evaluates them on all validation images. Writes records/measurements/bins.json below
pixelar_lib/assets, and beside it bins.npz with some drawings of each. Resumable, as `trials` says.
"""

import io
import math
import time
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from experiments.assets import add_asset
from experiments.recipes import PIXELCNN_FIT
from experiments.trials import CHECKPOINTS, measure
from pixelar_lib.data import load_mnist
from pixelar_lib.evaluation import nll
from pixelar_lib.quantization import dequantize, quantize, shade_nll
from pixelar_lib.sampling import sample
from pixelar_lib.training import fit
from pixelar_lib.zoo import build_model

ALL_BINS = (2, 4, 8, 16, 32, 64, 128, 256)
SEEDS = {"CategoricalPixelPredictor": (0, 1, 2), "PixelCNN": (0,)}
ARGUMENTS = {
    "CategoricalPixelPredictor": {"dropout": 0.0, "embedding_dim": 16, "neighbourhood": 3},
    "PixelCNN": {},
}
FITS = {
    "CategoricalPixelPredictor": {"steps": 4_000, "learning_rate": 4e-3, "warmup_steps": 400},
    "PixelCNN": {"steps": 4_000, **PIXELCNN_FIT},
}
NUM_DRAWN = 6


@dataclass(frozen=True)
class Trial:
    """One network: its class in `pixelar_lib.models`, its number of bins, its seed."""

    model: str
    num_bins: int
    seed: int


TRIALS = [
    Trial(model, num_bins, seed)
    for model, seeds in SEEDS.items()
    for num_bins in ALL_BINS
    for seed in seeds
]


def main() -> None:
    protocol = (
        "Each trained on the first 50,000 training images, for as many steps as the others of its "
        "kind; measured on the 10,000 validation images. A level "
        "costs its token and its shade; shades of a bin are either equally likely or as frequent "
        "as in the images trained on. Standard errors are over images; the time is the processor's."
    )
    measure("bins", protocol, TRIALS, run)
    files = {trial: drawing_file(trial) for trial in TRIALS if trial.seed == 0}
    drawn = {f"{trial.model}-{trial.num_bins}": np.load(file) for trial, file in files.items()}
    content = io.BytesIO()
    np.savez_compressed(content, **drawn)
    add_asset("records/measurements/bins.npz", content.getvalue())
    for file in files.values():
        file.unlink()


def run(trial: Trial) -> dict:
    """Train and evaluate one network."""
    arguments = {"num_bins": trial.num_bins, **ARGUMENTS[trial.model]}
    model, settings = build_model(trial.model, arguments), FITS[trial.model]
    tokens = quantize(images_of("train"), trial.num_bins).to(torch.uint8)
    begin = time.process_time()
    fit(model, tokens, generator=torch.Generator().manual_seed(trial.seed), **settings)
    seconds = time.process_time() - begin
    if trial.seed == 0:
        CHECKPOINTS.mkdir(exist_ok=True)
        drawn = sample(model, NUM_DRAWN, generator=torch.Generator().manual_seed(0))
        np.save(drawing_file(trial), drawn.to(torch.uint8).numpy())
    return {
        "model": trial.model,
        "num_bins": trial.num_bins,
        "seed": trial.seed,
        "arguments": arguments,
        "fit": settings,
        "parameters": model.num_parameters,
        "seconds": round(seconds, 1),
        **figures(model, trial.num_bins),
    }


def figures(model, num_bins: int) -> dict:
    """Return what tokens and levels of the validation images cost, in bits per pixel."""
    images, seen = images_of("validation"), images_of("train")
    counts = torch.bincount(seen.flatten(), minlength=256)
    tokens = quantize(images, num_bins)
    token = nll(model, tokens).double().cpu().flatten(1).mean(dim=1) / math.log(2)  # (N,)
    shade, even = (
        shade_nll(images, num_bins, some).double().flatten(1).mean(dim=1) / math.log(2)
        for some in (counts, None)
    )
    wrong = (dequantize(tokens, num_bins) - images / 255).square().mean()
    return {
        "token_bits": float(token.mean()),
        "token_standard_error": standard_error(token),
        "shade_bits": float(shade.mean()),
        "even_shade_bits": float(even.mean()),
        "level_bits": float((token + shade).mean()),
        "level_standard_error": standard_error(token + shade),
        "distortion": float(wrong),
    }


def standard_error(values: torch.Tensor) -> float:
    """Return the standard error of the mean of independent values."""
    return float(values.std() / math.sqrt(len(values)))


def drawing_file(trial: Trial):
    """Return where a trial keeps its drawings until all are there."""
    return CHECKPOINTS / f"bins-{trial.model}-{trial.num_bins}.npy"


@cache
def images_of(split: str) -> torch.Tensor:
    """Return all images of a split of the full set."""
    return load_mnist(split, "full").images


if __name__ == "__main__":
    main()
