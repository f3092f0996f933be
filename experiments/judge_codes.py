"""Judge what is drawn as codes, beside real digits: python -m experiments.judge_codes

Beside them stand real test images and their reconstructions, so that what the codes lose can be
told from what the prior gets wrong. Reads the full MNIST, and writes
records/measurements/judge_codes.json below pixelar_lib/assets.
"""

from functools import lru_cache

import torch

from experiments.judge import NEIGHBOURS, NUM_IMAGES, NUM_NEAREST, REAL, SEED, Kind, shuffled
from experiments.trials import measure
from pixelar_lib import zoo
from pixelar_lib.data import load_mnist
from pixelar_lib.sampling import sample

NAME = "vqvae-7x7x128"
RECONSTRUCTED, DRAWN = "reconstructions of the same test images", NAME


def main() -> None:
    protocol = (
        f"As for drawings_judged.json, with 256 grey levels: {NUM_IMAGES:,} images a row, the "
        f"drawings with seed {SEED}, temperature 1 and each label equally often. Frechet distance "
        f"and coverage (k = {NEIGHBOURS}) compare with as many training images; copying looks at "
        f"{NUM_NEAREST:,} images."
    )
    measure("judge_codes", protocol, (REAL, RECONSTRUCTED, DRAWN), run)


def run(name: str) -> dict:
    """Return all figures about real images, reconstructions or drawings."""
    images, labels = images_of(name)
    return {"name": name, **kind().judge(images, labels)}


@lru_cache(maxsize=1)
def kind() -> Kind:
    """Return the real images that all rows are compared with; read once."""
    return Kind(zoo.load_classifier(), 256, "grey")


def images_of(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a row judges, float (N, 28, 28), and which digits it is meant to show."""
    autoencoder, prior = zoo.load_vqvae(NAME)
    if name == DRAWN:
        labels = torch.arange(NUM_IMAGES) % prior.num_classes
        generator = torch.Generator().manual_seed(SEED)
        size = autoencoder.grid
        tokens = sample(prior, NUM_IMAGES, labels=labels, image_size=size, generator=generator)
        return autoencoder.decode(tokens), labels
    if name == REAL:
        return kind().test_images, kind().test_labels
    images = shuffled(load_mnist("test", "full").images)[:NUM_IMAGES]
    return autoencoder.decode(autoencoder.encode(images)), kind().test_labels


if __name__ == "__main__":
    main()
