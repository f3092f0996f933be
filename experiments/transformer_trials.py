"""Which transformer learns most in the same time? python -m experiments.transformer_trials

Trains each candidate for `transformer-k16` for less than a minute on one thread, evaluates it on
validation images, and writes records/measurements/transformer_trials.json below pixelar_lib/assets.
The time is the processor's: other programs may run beside it.
"""

import time
from dataclasses import dataclass, field

import torch

from experiments.trials import measure
from pixelar_lib.data import load_mnist
from pixelar_lib.evaluation import evaluate
from pixelar_lib.quantization import quantize
from pixelar_lib.training import fit
from pixelar_lib.zoo import build_model

NUM_VALIDATION = 1_000
FIT = {"batch_size": 8, "learning_rate": 4e-3, "warmup_steps": 100, "precision": "bfloat16"}


@dataclass(frozen=True)
class Trial:
    """One candidate.

    Attributes:
        change: What it is, in a few words.
        steps: Updates, so that all take about as long.
        arguments: Of the class.
        fit: Arguments of `training.fit` that differ from `FIT`.
        model: Class in `pixelar_lib.models`.
    """

    change: str
    steps: int
    arguments: dict = field(default_factory=dict)
    fit: dict = field(default_factory=dict)
    model: str = "ImageGPT"


def gpt(channels: int, num_blocks: int, heads: int, stem: str = "conv") -> dict:
    """Return arguments of an ImageGPT."""
    return {"channels": channels, "num_blocks": num_blocks, "heads": heads, "stem": stem}


TRIALS = [
    Trial("48 channels, two blocks, two heads", 400, gpt(48, 2, 2)),
    Trial("no convolution first", 420, gpt(48, 2, 2, "shift")),
    Trial("one head", 480, gpt(48, 2, 1)),
    Trial("64 channels", 340, gpt(64, 2, 2)),
    Trial("three blocks", 300, gpt(48, 3, 2)),
    Trial("half the learning rate", 400, gpt(48, 2, 2), {"learning_rate": 2e-3}),
    Trial("16 images in a step", 200, gpt(48, 2, 2), {"batch_size": 16}),
    Trial("32-bit products", 320, gpt(48, 2, 2), {"precision": "float32"}),
    Trial("a PixelCNN with attention", 400, {"attention_heads": 2}, model="PixelCNN"),
    Trial("a PixelCNN", 900, model="PixelCNN"),
]


def main() -> None:
    protocol = (
        "Each trained once on the first 50,000 training images; measured on "
        f"{NUM_VALIDATION:,} validation images. The standard error is over images, the time is "
        "the processor's."
    )
    measure("transformer_trials", protocol, TRIALS, run)


def run(trial: Trial) -> dict:
    """Train and evaluate one candidate."""
    model = build_model(trial.model, trial.arguments)
    train, validation = (load_mnist(split, "full").images for split in ("train", "validation"))
    settings = {**FIT, **trial.fit}
    begin = time.process_time()
    fit(
        model,
        quantize(train, model.num_bins).to(torch.uint8),
        steps=trial.steps,
        generator=torch.Generator().manual_seed(0),
        **settings,
    )
    seconds = time.process_time() - begin
    found = evaluate(model, quantize(validation[:NUM_VALIDATION], model.num_bins))
    return {
        "change": trial.change,
        "model": trial.model,
        "arguments": trial.arguments,
        "fit": settings,
        "parameters": model.num_parameters,
        "steps": trial.steps,
        "ms_per_step": round(1e3 * seconds / trial.steps, 1),
        "validation_nats_per_pixel": found.nats_per_pixel,
        "standard_error": found.standard_error,
    }


if __name__ == "__main__":
    main()
