"""Train the classifier that judges drawings: python -m experiments.train_classifier

It learns from the first 50,000 training images of MNIST, is looked at on the last 10,000, and
reads the test set once. Writes records/digit-classifier.json and
weights/digit-classifier.safetensors below pixelar_lib/assets. A killed training resumes.
"""

import json
from dataclasses import asdict

import torch

from experiments.assets import add_assets
from experiments.provenance import git_commit, machine
from experiments.train import CHECKPOINT_EVERY, checkpoint_of, round_to_float16, weights
from pixelar_lib.classification import accuracy
from pixelar_lib.data import load_mnist
from pixelar_lib.digit_classifier import DigitClassifier
from pixelar_lib.quantization import dequantize
from pixelar_lib.training import fit
from pixelar_lib.zoo import CLASSIFIER, to_tokens

ARGUMENTS = {"channels": 16, "num_features": 64, "dropout": 0.25}
FIT = {"steps": 16_000, "batch_size": 64, "replacement": False, "warmup_steps": 500}
SEED = 0
HELD_OUT_LOOKS = 2_000  # images of the validation set that the curve is measured on
KINDS = {
    "256 grey levels": (256, "grey"),
    "16 grey levels": (16, "grey"),
    "thresholded at 0.5": (2, "thresholded"),
    "dynamically binarised": (2, "binarized"),
}


def main() -> None:
    torch.set_num_threads(1)
    commit = git_commit()  # before: code may change while it runs
    model = DigitClassifier(**ARGUMENTS)
    train, validation = (load_mnist(split, "full") for split in ("train", "validation"))
    history = fit(
        model,
        train.images,
        train.labels,
        held_out=validation.images[:HELD_OUT_LOOKS],
        held_out_labels=validation.labels[:HELD_OUT_LOOKS],
        generator=torch.Generator().manual_seed(SEED),
        checkpoint=checkpoint_of(CLASSIFIER, SEED),
        checkpoint_every=CHECKPOINT_EVERY,
        **FIT,
    )
    model.load_state_dict(round_to_float16(model.state_dict()))
    curve = asdict(history)
    record = {
        "name": CLASSIFIER,
        "purpose": "Reads drawn digits, with 256 greys, with 16, or in black and white.",
        "arguments": ARGUMENTS,
        "fit": FIT,
        "seed": SEED,
        "seconds": round(curve.pop("seconds"), 3),
        "precision": curve.pop("precision"),
        "curve": curve,
        "validation_accuracy": accuracies(model, "validation"),
        "test_accuracy": accuracies(model, "test"),
        "parameters": model.num_parameters,
        "commit": commit,
        "machine": machine(),
        "command": "python -m experiments.train_classifier",
    }
    content = (json.dumps(record, indent=1) + "\n").encode()
    add_assets(
        {f"weights/{CLASSIFIER}.safetensors": weights(model), f"records/{CLASSIFIER}.json": content}
    )
    checkpoint_of(CLASSIFIER, SEED).unlink()
    print({kind: found["share"] for kind, found in record["test_accuracy"].items()})


def accuracies(model: DigitClassifier, split: str) -> dict:
    """Return the share of digits that are read as they were meant, for each kind of MNIST."""
    digits, found = load_mnist(split, "full"), {}
    for kind, (num_bins, data) in KINDS.items():
        images = dequantize(to_tokens(digits.images, num_bins, data), num_bins)
        found[kind] = asdict(accuracy(model.read(images).labels, digits.labels))
    return found


if __name__ == "__main__":
    main()
