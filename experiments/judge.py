"""Judge what each shipped model draws, beside real test images: python -m experiments.judge

Reads the full MNIST, and writes records/measurements/drawings_judged.json below pixelar_lib/assets
after each row. A row is made again only where its model, the classifier or the protocol changed.
"""

import hashlib
import json
from dataclasses import asdict
from functools import cached_property

import torch

from experiments.assets import add_asset
from experiments.provenance import git_commit, machine
from pixelar_lib import quality, zoo
from pixelar_lib.classification import accuracy
from pixelar_lib.data import load_mnist
from pixelar_lib.digit_classifier import DigitClassifier
from pixelar_lib.models import PixelModel
from pixelar_lib.quantization import dequantize
from pixelar_lib.runtime import read_asset
from pixelar_lib.sampling import sample

RECORD = "records/measurements/drawings_judged.json"
REAL = "real test images"
NUM_IMAGES, NUM_NEAREST = 5_000, 1_000
NEIGHBOURS = 5
SEED = 0


def main() -> None:
    torch.set_num_threads(1)
    commit, classifier, before = git_commit(), zoo.load_classifier(), rows_before()
    rows = []
    for (num_bins, data), names in names_by_kind().items():
        kind = Kind(classifier, num_bins, data)
        for name in (REAL, *names):
            origin = origin_of(kind, name)
            row = next((row for row in before if row["origin"] == origin), None)
            if row is None:
                images = kind.test_images if name == REAL else drawings(name)
                labels = kind.test_labels if name == REAL else labels_for(zoo.load_pretrained(name))
                found = kind.judge(images, labels)
                row = {"name": name, "mnist": kind.mnist, **found, "origin": origin}
                row["commit"] = commit
                print(row, flush=True)
            rows.append(row)
            write(rows + [row for row in before if row["origin"] not in origins(rows)])
    write(rows)


def names_by_kind() -> dict[tuple, list]:
    """Return the shipped models of each kind of MNIST, a kind being K and a name in DATA_KINDS."""
    found = {}
    for name in zoo.list_pretrained():
        record = zoo.info(name)
        found.setdefault((record["num_bins"], record["data"]), []).append(name)
    return found


class Kind:
    """Real images of one kind of MNIST, and drawings judged beside them."""

    def __init__(self, classifier: DigitClassifier, num_bins: int, data: str) -> None:
        """Read the images only when they are needed."""
        self.classifier, self.num_bins, self.data = classifier, num_bins, data
        self.mnist = zoo.DATA_KINDS[data].description.format(num_bins=num_bins)

    @cached_property
    def train_images(self) -> torch.Tensor:
        return self._real("train")

    @cached_property
    def test_images(self) -> torch.Tensor:
        return self._real("test")[:NUM_IMAGES]

    @cached_property
    def test_labels(self) -> torch.Tensor:
        return shuffled(load_mnist("test", "full").labels)[:NUM_IMAGES]

    @cached_property
    def train_features(self) -> torch.Tensor:
        return self.classifier.read(self.train_images[:NUM_IMAGES]).features

    @cached_property
    def held_out_distances(self) -> torch.Tensor:
        """Of test images that are not among `test_images`."""
        return self.distances(self._real("test")[NUM_IMAGES:])

    def distances(self, images: torch.Tensor) -> torch.Tensor:
        """Return how far the first images are from their nearest training images."""
        return quality.nearest(images[:NUM_NEAREST], self.train_images).distance

    def judge(self, images: torch.Tensor, labels: torch.Tensor | None) -> dict:
        """Return all figures about some images; labels are what they are meant to show."""
        reading, distances = self.classifier.read(images), self.distances(images)
        meant = None if labels is None else asdict(accuracy(reading.labels, labels))
        return {
            "num_images": len(images),
            "agreement": meant,
            "confidence": quality.confidence(reading.probabilities),
            "class_entropy": quality.class_entropy(reading.labels),
            "frechet": quality.frechet_distance(reading.features, self.train_features),
            "coverage": quality.coverage(self.train_features, reading.features, NEIGHBOURS),
            "copying_z": quality.copying_z(distances, self.held_out_distances),
            "median_distance": float(distances.median()),
            "copies": int((distances == 0).sum()),
        }

    def _real(self, split: str) -> torch.Tensor:
        tokens = zoo.to_tokens(load_mnist(split, "full").images, self.num_bins, self.data)
        return shuffled(dequantize(tokens, self.num_bins))


def drawings(name: str) -> torch.Tensor:
    """Draw images, as many of each label where the model takes labels."""
    model = zoo.load_pretrained(name)
    generator = torch.Generator().manual_seed(SEED)
    tokens = sample(model, NUM_IMAGES, labels=labels_for(model), generator=generator)
    return dequantize(tokens, model.num_bins)


def labels_for(model: PixelModel) -> torch.Tensor | None:
    """Return the labels asked for, in turn."""
    return None if model.num_classes is None else torch.arange(NUM_IMAGES) % model.num_classes


def shuffled(some: torch.Tensor) -> torch.Tensor:
    """Return the rows in an order that is random, and the same each time.

    MNIST's own order is not: every tenth training image, from the first one on, makes another
    distribution than every tenth from the sixth one on.
    """
    return some[torch.randperm(len(some), generator=torch.Generator().manual_seed(SEED))]


def protocol() -> str:
    """Say how the figures come about."""
    return (
        f"{NUM_IMAGES:,} drawings a model (seed {SEED}, temperature 1, each label equally often "
        "where there are labels), beside as many test images and as many training images, chosen "
        "at random, all of the same kind of MNIST. Agreement, confidence, entropy of the classes "
        "(nats) and features are the classifier's. Frechet distance and coverage "
        f"(k = {NEIGHBOURS}) compare with the training images. Copying: for {NUM_NEAREST:,} of "
        "them, the nearest of all 50,000 training images, shifted by up to a pixel; Mann and "
        "Whitney's z against as many other test images."
    )


def origin_of(kind: Kind, name: str) -> str:
    """Return a hash of all that a row depends on."""
    weights = [zoo.CLASSIFIER] if name == REAL else [zoo.CLASSIFIER, name]
    parts = [
        protocol(),
        kind.mnist,
        *(read_asset(f"weights/{some}.safetensors") for some in weights),
    ]
    parts = [part.encode() if isinstance(part, str) else part for part in parts]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def origins(rows: list[dict]) -> set[str]:
    return {row["origin"] for row in rows}


def rows_before() -> list[dict]:
    """Return the rows of the record that is there, if there is one."""
    try:
        return zoo.judged()["rows"]
    except FileNotFoundError:
        return []


def write(rows: list[dict]) -> None:
    """Write the record."""
    record = {
        "protocol": protocol(),
        "rows": rows,
        "machine": machine(),
        "command": "python -m experiments.judge",
    }
    add_asset(RECORD, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
