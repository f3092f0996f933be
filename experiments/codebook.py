"""What does it take to use all codes? python -m experiments.codebook

Trains a VQ-VAE with and without the revival of dead codes, measures both on validation images,
and writes records/measurements/codebook.json below pixelar_lib/assets.
"""

import torch

from experiments.trials import measure
from experiments.vqvae_recipes import AUTOENCODER_FIT, RECIPES
from pixelar_lib.data import load_mnist
from pixelar_lib.models import VQVAE, perplexity
from pixelar_lib.models.vqvae import PIXEL_VARIANCE
from pixelar_lib.training import fit

NAME = "vqvae-7x7x128"
STEPS = 2_000


def main() -> None:
    protocol = (
        f"The recipe of {NAME} for {STEPS:,} steps, once each, on one thread; measured on the "
        "10,000 validation images."
    )
    measure("codebook", protocol, (True, False), run)


def run(revive: bool) -> dict:
    """Train one, and say how many codes it uses and what it loses."""
    model = VQVAE(**RECIPES[NAME].autoencoder, revive=revive)
    train, validation = (load_mnist(split, "full").images for split in ("train", "validation"))
    generator = torch.Generator().manual_seed(0)
    settings = {**AUTOENCODER_FIT, "steps": STEPS}
    fit(model, train, generator=generator, progress=False, **settings)
    tokens, errors = model.encode(validation), model.held_out_loss(validation, None)
    return {
        "revive": revive,
        "fit": settings,
        "codes_used": len(tokens.unique()),
        "perplexity": perplexity(tokens, model.num_codes),
        "error_over_variance": float(errors.mean()),
        "squared_error": float(errors.mean()) * PIXEL_VARIANCE,
    }


if __name__ == "__main__":
    main()
