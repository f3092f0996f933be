"""Which digit is each test image, by Bayes' rule? python -m experiments.bayes

Reads the full MNIST test set, and writes records/measurements/bayes.json below pixelar_lib/assets:
how often the answer is right, how sure it is, and which images it gets wrong.
"""

import json
from dataclasses import asdict

import torch

from experiments.assets import add_asset
from experiments.provenance import git_commit, machine
from pixelar_lib import zoo
from pixelar_lib.analysis import reliability
from pixelar_lib.classification import accuracy, label_nll, marginal_nll, posterior
from pixelar_lib.data import load_mnist

NAME = "pixelcnn-cond-k16"
RECORD = "records/measurements/bayes.json"


def main() -> None:
    torch.set_num_threads(1)
    commit, recorded, digits = git_commit(), zoo.info(NAME), load_mnist("test", "full")
    tokens = zoo.to_tokens(digits.images, recorded["num_bins"], recorded["data"])
    costs = label_nll(zoo.load_pretrained(NAME), tokens)
    record = {
        "protocol": f"{NAME} on {len(tokens):,} test images: ten likelihoods each, and Bayes' "
        "rule with all labels equally frequent.",
        **summary(costs, digits.labels),
        "commit": commit,
        "machine": machine(),
        "command": "python -m experiments.bayes",
    }
    add_asset(RECORD, (json.dumps(record, indent=1) + "\n").encode())


def summary(costs: torch.Tensor, labels: torch.Tensor) -> dict:
    """Return what the costs of images, (N, L), say of a model as a classifier."""
    probability, found = posterior(costs).max(dim=1)
    own = costs.gather(1, labels[:, None])[:, 0]
    worth = marginal_nll(costs) - own
    wrong = (found != labels).nonzero()[:, 0]
    table = reliability(probability, found == labels)
    return {
        "accuracy": asdict(accuracy(found, labels)),
        "worth": {"mean": float(worth.mean()), "largest": float(worth.max())},
        "calibration": {
            "confidence": table.confidence.tolist(),
            "accuracy": table.accuracy.tolist(),
            "count": table.count.tolist(),
            "expected_error": table.expected_calibration_error,
        },
        "mistakes": [
            {"image": image, "label": int(labels[image]), "found": int(found[image])}
            | {"probability": float(probability[image])}
            for image in wrong.tolist()
        ],
    }


if __name__ == "__main__":
    main()
