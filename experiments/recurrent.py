"""Which recurrent network learns fastest on a CPU? python -m experiments.recurrent

Trains each for about the same time on one thread, measures it on validation images, and writes
records/measurements/recurrent.json below pixelar_lib/assets. PixelCNN beside them is the yardstick.
"""

from dataclasses import dataclass, field
from time import process_time

import torch

from experiments.recipes import PIXELCNN_FIT
from experiments.trials import measure
from pixelar_lib.data import load_mnist
from pixelar_lib.evaluation import evaluate
from pixelar_lib.quantization import quantize
from pixelar_lib.training import fit
from pixelar_lib.zoo import build_model

NUM_VALIDATION = 1_000


@dataclass(frozen=True)
class Trial:
    """One network: what it is, for so many updates."""

    model: str
    steps: int
    arguments: dict = field(default_factory=dict)
    fit: dict = field(default_factory=dict)


TRIALS = [
    Trial("RasterLSTM", 2_000, fit={"learning_rate": 6e-3}),
    Trial("RasterLSTM", 2_000, {"stem": False}, {"learning_rate": 6e-3}),
    Trial("DiagonalBiLSTM", 300, fit={"batch_size": 16, "learning_rate": 8e-3}),
    Trial("PixelCNN", 800),
]


def main() -> None:
    protocol = (
        "Each trained once, on one thread, on the first 50,000 training images, for as "
        f"many steps as take about a minute; measured on {NUM_VALIDATION:,} validation images. "
        "The standard error is over images."
    )
    measure("recurrent", protocol, TRIALS, run)


def run(trial: Trial) -> dict:
    """Train and evaluate one network."""
    model = build_model(trial.model, trial.arguments)
    train, validation = (load_mnist(split, "full").images for split in ("train", "validation"))
    settings = {**PIXELCNN_FIT, "warmup_steps": 100, **trial.fit}
    began = process_time()
    fit(
        model,
        quantize(train, model.num_bins).to(torch.uint8),
        steps=trial.steps,
        generator=torch.Generator().manual_seed(0),
        progress=False,
        **settings,
    )
    seconds = process_time() - began
    found = evaluate(model, quantize(validation[:NUM_VALIDATION], model.num_bins))
    return {
        "model": trial.model,
        "arguments": trial.arguments,
        "fit": settings,
        "parameters": model.num_parameters,
        "steps": trial.steps,
        "processor_seconds": round(seconds, 1),
        "ms_per_step": round(1e3 * seconds / trial.steps, 1),
        "validation_bits_per_dim": found.bits_per_dim,
        "validation_nats_per_pixel": found.nats_per_pixel,
        "standard_error": found.standard_error,
    }


if __name__ == "__main__":
    main()
