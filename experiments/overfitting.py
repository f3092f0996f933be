"""Train a conditional model on few images for too long: python -m experiments.overfitting

Writes records/measurements/overfitting.json below pixelar_lib/assets: at each look, what held-out
images cost and how often Bayes' rule finds their label.
"""

import json

import torch

from experiments.assets import add_asset
from experiments.provenance import git_commit, machine
from experiments.recipes import PIXELCNN_FIT
from experiments.trainables import Wrapped
from pixelar_lib.classification import accuracy, label_nll
from pixelar_lib.data import Digits, load_mnist
from pixelar_lib.models import PixelCNN
from pixelar_lib.quantization import quantize
from pixelar_lib.training import fit

RECORD = "records/measurements/overfitting.json"
NUM_TRAIN, NUM_HELD_OUT = 1_000, 500
ARGUMENTS = {"num_bins": 16, "channels": 32, "num_classes": 10}
FIT = {**PIXELCNN_FIT, "steps": 3_600, "eval_every": 200, "schedule": "constant"}
FIT["learning_rate"] = 2e-3
SEED = 0


class Classifying(Wrapped):
    """A conditional model in training that classifies the held-out images at each look."""

    def __init__(self, model: PixelCNN) -> None:
        super().__init__(model)
        self.accuracies = []

    def held_out_loss(self, tokens, labels=None):
        costs = label_nll(self.model, tokens)
        self.accuracies.append(accuracy(costs.argmin(dim=1), labels).share)
        return costs.gather(1, labels[:, None])[:, 0] / tokens[0].numel()


def main() -> None:
    torch.set_num_threads(1)
    commit = git_commit()
    train, held_out = some("train", NUM_TRAIN), some("validation", NUM_HELD_OUT)
    model = PixelCNN(**ARGUMENTS)
    learner = Classifying(model)
    history = fit(
        learner,
        quantize(train.images, model.num_bins),
        train.labels,
        held_out=quantize(held_out.images, model.num_bins),
        held_out_labels=held_out.labels,
        generator=torch.Generator().manual_seed(SEED),
        **FIT,
    )
    record = {
        "protocol": f"One training on {NUM_TRAIN:,} random training images, without dropout; "
        f"looked at on {NUM_HELD_OUT:,} random validation images.",
        "arguments": ARGUMENTS,
        "fit": FIT,
        "seed": SEED,
        "steps": history.steps,
        "training_loss": history.training_loss,
        "held_out_loss": history.held_out_loss,
        "accuracy": learner.accuracies,
        "num_held_out": NUM_HELD_OUT,
        "seconds": round(history.seconds, 1),
        "commit": commit,
        "machine": machine(),
        "command": "python -m experiments.overfitting",
    }
    add_asset(RECORD, (json.dumps(record, indent=1) + "\n").encode())


def some(split: str, number: int) -> Digits:
    """Return so many images of a split, chosen at random."""
    digits = load_mnist(split, "full")
    order = torch.randperm(len(digits.labels), generator=torch.Generator().manual_seed(SEED))
    return Digits(digits.images[order[:number]], digits.labels[order[:number]])


if __name__ == "__main__":
    main()
