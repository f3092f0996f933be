"""What does attention buy for the same minutes? python -m experiments.attention_budget

Trains four networks on one thread, each for about as long, looks at validation images on the way,
and writes records/measurements/attention_budget.json below pixelar_lib/assets. Seconds are the
processor's, so that other programs may run beside it; the looks are not counted.
"""

import time

import torch

from experiments.trainables import Wrapped
from experiments.transformer_trials import FIT, Trial, gpt
from experiments.trials import measure
from pixelar_lib.data import load_mnist
from pixelar_lib.evaluation import evaluate
from pixelar_lib.models import PixelModel
from pixelar_lib.quantization import quantize
from pixelar_lib.training import fit
from pixelar_lib.zoo import build_model

LOOKS, HELD_OUT, NUM_VALIDATION = 8, 200, 2_000

TRIALS = [
    Trial("ImageGPT, plain", 1_050, gpt(64, 2, 2, "shift")),
    Trial("ImageGPT, a convolution first", 1_000, gpt(64, 2, 2)),
    Trial("PixelCNN", 2_600, model="PixelCNN"),
    Trial("PixelCNN, one block of attention", 1_150, {"attention_heads": 2}, model="PixelCNN"),
]


class Clocked(Wrapped):
    """Notes at each look how many seconds of training there were before it."""

    def __init__(self, model: PixelModel) -> None:
        super().__init__(model)
        self.begin, self.seconds = None, []

    def training_loss(self, *batch):
        if self.begin is None:  # what comes before the first step is no training
            self.begin = time.process_time()
        return super().training_loss(*batch)

    def held_out_loss(self, inputs, labels=None):
        now = time.process_time()
        self.seconds.append(round(now - self.begin, 2))
        found = super().held_out_loss(inputs, labels)
        self.begin += time.process_time() - now
        return found


def main() -> None:
    protocol = (
        "Each trained once on the first 50,000 training images; measured on "
        f"{HELD_OUT} validation images on the way and on {NUM_VALIDATION:,} at the end. The "
        "standard error is over images, the seconds are the processor's."
    )
    measure("attention_budget", protocol, TRIALS, run)


def run(trial: Trial) -> dict:
    """Train one network, with its curve, and evaluate it."""
    model = build_model(trial.model, trial.arguments)
    train, validation = (load_mnist(split, "full").images for split in ("train", "validation"))
    validation = quantize(validation[:NUM_VALIDATION], model.num_bins)
    clocked, settings = Clocked(model), {**FIT, **trial.fit}
    history = fit(
        clocked,
        quantize(train, model.num_bins).to(torch.uint8),
        steps=trial.steps,
        held_out=validation[:HELD_OUT],
        eval_every=-(-trial.steps // LOOKS),
        generator=torch.Generator().manual_seed(0),
        **settings,
    )
    found = evaluate(model, validation)
    return {
        "change": trial.change,
        "model": trial.model,
        "arguments": trial.arguments,
        "fit": settings,
        "parameters": model.num_parameters,
        "steps": trial.steps,
        "seconds": clocked.seconds,
        "held_out_nats_per_pixel": history.held_out_loss,
        "validation_nats_per_pixel": found.nats_per_pixel,
        "standard_error": found.standard_error,
    }


if __name__ == "__main__":
    main()
