"""The autoencoders of the rate-distortion table, each with the model that draws its codes.

All four are trained alike, on the first 50,000 training images of MNIST, and are looked at on the
last 10,000. They differ in the number of codes an image and in the size of the codebook alone.
"""

from dataclasses import dataclass, field

# Small batches and many steps: on a CPU a step costs what its images cost.
AUTOENCODER_FIT = {
    "steps": 5_000,
    "batch_size": 16,
    "learning_rate": 4e-3,
    "warmup_steps": 100,
    "precision": "bfloat16",
}
# Tried on validation images of vqvae-7x7x128: this LSTM draws as fast as a PixelCNN of two blocks,
# and more of its digits are read as asked; a PixelCNN of four blocks takes twice as long.
PRIOR_FIT = {
    "steps": 20_000,
    "batch_size": 32,
    "learning_rate": 6e-3,
    "warmup_steps": 200,
    "precision": "bfloat16",
}
PRIOR = {"num_classes": 10, "channels": 32, "hidden_size": 96, "dropout": 0.0}


@dataclass(frozen=True)
class VQVAERecipe:
    """An autoencoder, and a prior over its codes.

    Attributes:
        purpose: What the record is for, in a sentence.
        autoencoder: Arguments of `VQVAE`.
        autoencoder_fit: Arguments of `training.fit` for it.
        prior: Class in `pixelar_lib.models` of the model that draws codes.
        prior_arguments: Of its constructor; `num_bins` is the size of the codebook.
        prior_fit: Arguments of `training.fit` for it.
        seed: Of both trainings.
        ships_weights: Whether both models are part of the library.
    """

    purpose: str
    autoencoder: dict
    autoencoder_fit: dict = field(default_factory=lambda: AUTOENCODER_FIT)
    prior: str = "RasterLSTM"
    prior_arguments: dict = field(default_factory=dict)
    prior_fit: dict = field(default_factory=lambda: PRIOR_FIT)
    seed: int = 0
    ships_weights: bool = False


def recipe(purpose: str, num_codes: int, grid: int, **changes) -> VQVAERecipe:
    """Return the recipe of `grid` x `grid` codes, each one of `num_codes`."""
    prior = {"num_bins": num_codes, **PRIOR}
    return VQVAERecipe(
        purpose, {"num_codes": num_codes, "grid": grid}, prior_arguments=prior, **changes
    )


RECIPES = {
    "vqvae-3x3x20": recipe("As few codes as can tell digits apart.", 20, 3),
    "vqvae-7x7x32": recipe("Many places, few codes.", 32, 7),
    "vqvae-7x7x128": recipe("What chapter 12 draws with.", 128, 7, ships_weights=True),
    "vqvae-7x7x512": recipe("Many places, many codes.", 512, 7),
}
