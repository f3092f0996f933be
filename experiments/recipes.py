"""What is trained, how, and under which seeds: one entry a record in pixelar_lib/assets.

A recipe trains on the first 50,000 training images of MNIST (or some of them), is looked at on
the last 10,000, and reads the test set once. Where `joined_split` says so, it trains on all
60,000, and nothing is looked at before the test set.
"""

from dataclasses import dataclass, field, replace

from pixelar_lib.zoo import DATA_KINDS


@dataclass(frozen=True)
class Recipe:
    """One training.

    Attributes:
        purpose: What the record is for, in a sentence.
        model: Class in `pixelar_lib.models`.
        arguments: Of its constructor; `neighbourhood` names the radius of that context. A model
            with `num_classes` trains on the labels, too.
        fit: Arguments of `training.fit`.
        moved: Share of the images of a step that `moving.move` makes other digits of.
        restarts: What changes in further trainings, each of which begins with the weights that
            the one before ended with (Loshchilov and Hutter, SGDR, 2017). `fit` has the settings
            that differ; other attributes of the recipe are given whole. It must remain the same
            model, but for its dropout.
        windows_per_image: Windows a step draws from each image, where the model reads windows.
        data: Name in `zoo.DATA_KINDS` of what images are turned into.
        joined_split: "validation" where its images are trained on, too, after everything was
            chosen on them. Then nothing is held out, and the record has no figures for them.
        num_windows: Fixed windows to train on, those of the first images in random order, as
            in the post; None draws windows anew at each step.
        seeds: One run each.
        ships_weights: Whether the (first) model is part of the library.
    """

    purpose: str
    model: str = "CategoricalPixelPredictor"
    arguments: dict = field(default_factory=dict)
    fit: dict = field(default_factory=dict)
    moved: float = 0.0
    restarts: tuple[dict, ...] = ()
    windows_per_image: int = 8
    data: str = "grey"
    joined_split: str | None = None
    num_windows: int | None = None
    seeds: tuple[int, ...] = (0,)
    ships_weights: bool = False

    @property
    def trainings(self) -> list["Recipe"]:
        """The first training and those that follow it, each as a recipe of its own."""
        first = replace(self, restarts=())
        following = [
            {**restart, "fit": {**self.fit, **restart["fit"]}} for restart in self.restarts
        ]
        return [first, *(replace(first, **changes) for changes in following)]

    @property
    def redraws(self) -> bool:
        """Whether each step makes other tokens of its images."""
        return DATA_KINDS[self.data].is_random or self.moved > 0

    @property
    def steps(self) -> int:
        """Updates in all."""
        return sum(training.fit["steps"] for training in self.trainings)


# The post's 15 epochs over 200,000 windows, 512 at a time: 391 updates an epoch.
POST_FIT = {
    "steps": 15 * 391,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "weight_decay": 1e-5,
    "schedule": "constant",
}

# Small batches and many steps: on a CPU a step costs what its images cost.
PIXELCNN_FIT = {
    "batch_size": 8,
    "learning_rate": 4e-3,
    "warmup_steps": 500,
    "precision": "bfloat16",
}

RECIPES = {
    "post-recipe": Recipe(
        purpose="The post's recipe: 200,000 windows of 255 random images, 15 epochs.",
        fit={**POST_FIT, "batch_size": 512, "replacement": False},
        num_windows=200_000,
        seeds=(0, 1, 2, 3, 4),
    ),
    "post-recipe-all-images": Recipe(
        purpose="The post's network and number of steps, with windows from all images.",
        fit={**POST_FIT, "batch_size": 256},
        windows_per_image=2,
    ),
    "post-mlp-k16": Recipe(
        purpose="The post's network and its ten pixels of context, trained longer on all images.",
        arguments={"dropout": 0.0},
        fit={"steps": 30_000, "learning_rate": 4e-3, "warmup_steps": 400},
        ships_weights=True,
    ),
    "post-mlp-k16-long": Recipe(
        purpose="The same, to see what five times as many steps bring.",
        arguments={"dropout": 0.0},
        fit={"steps": 150_000, "learning_rate": 4e-3, "warmup_steps": 400},
    ),
    "neighbourhood-mlp-k16": Recipe(
        purpose="The same network, but its 24 pixels are those around the predicted one.",
        arguments={"dropout": 0.0, "embedding_dim": 16, "neighbourhood": 3},
        fit={"steps": 30_000, "learning_rate": 4e-3, "warmup_steps": 400},
        ships_weights=True,
    ),
    "post-mlp-labels": Recipe(
        purpose="The same as post-mlp-k16 with a label, to see what the label is worth.",
        arguments={"dropout": 0.0, "num_classes": 10},
        fit={"steps": 30_000, "learning_rate": 4e-3, "warmup_steps": 400},
    ),
    "neighbourhood-mlp-labels": Recipe(
        purpose="The same as neighbourhood-mlp-k16 with a label.",
        arguments={"dropout": 0.0, "embedding_dim": 16, "neighbourhood": 3, "num_classes": 10},
        fit={"steps": 30_000, "learning_rate": 4e-3, "warmup_steps": 400},
    ),
    "pixelcnn-k16": Recipe(
        purpose="A PixelCNN, whose context is all pixels before.",
        model="PixelCNN",
        fit={"steps": 45_000, **PIXELCNN_FIT},
        ships_weights=True,
    ),
    "pixelcnn-k16-long": Recipe(
        purpose="The same for twice as long, with dropout, and on all 60,000 images.",
        model="PixelCNN",
        arguments={"dropout": 0.1},
        fit={"steps": 90_000, **PIXELCNN_FIT},
        joined_split="validation",
    ),
    "pixelcnn-k16-wide": Recipe(
        purpose="A wider PixelCNN, to see what more parameters bring.",
        model="PixelCNN",
        arguments={"channels": 64},
        fit={"steps": 43_000, **PIXELCNN_FIT},
    ),
    "pixelcnn-k16-moved": Recipe(
        purpose="The same, going on with digits moved at random, to see what they bring.",
        model="PixelCNN",
        fit={"steps": 45_000, **PIXELCNN_FIT},
        restarts=(  # on a machine whose 16-bit products were slower
            {"fit": {"steps": 16_000, "learning_rate": 3e-3, "precision": "float32"}, "moved": 0.5},
            {"fit": {"steps": 6_000, "learning_rate": 1.5e-3, "precision": "float32"}},
        ),
    ),
    "pixelcnn-cond-k16": Recipe(
        purpose="The same PixelCNN with a label: it can be asked for a digit.",
        model="PixelCNN",
        arguments={"num_classes": 10, "dropout": 0.1},
        fit={"steps": 75_000, **PIXELCNN_FIT},
        restarts=(
            {
                "fit": {"steps": 27_000, "learning_rate": 3e-3},
                "arguments": {"num_classes": 10},  # without dropout
                "moved": 0.5,
            },
            {
                "fit": {"steps": 9_000, "learning_rate": 1.5e-3},
                "arguments": {"num_classes": 10},
            },
        ),
        ships_weights=True,
    ),
    "transformer-k16": Recipe(
        purpose="A small ImageGPT with a convolution first: attention over all pixels before.",
        model="ImageGPT",
        arguments={"channels": 64, "num_blocks": 2, "heads": 2, "stem": "conv"},
        fit={"steps": 19_000, **PIXELCNN_FIT},
        ships_weights=True,
    ),
    "pixelcnn-k256": Recipe(
        purpose="A PixelCNN that can point, on all 256 grey levels.",
        model="PointingPixelCNN",
        arguments={"num_bins": 256},
        fit={"steps": 50_000, **PIXELCNN_FIT},
        restarts=(  # on a machine whose 16-bit products were slower
            {"fit": {"steps": 21_000, "learning_rate": 2.5e-3, "precision": "float32"}},
        ),
        ships_weights=True,
    ),
    "pixelcnn-k256-plain": Recipe(
        purpose="The same without pointing, to see what pointing brings in a long training.",
        model="PixelCNN",
        arguments={"num_bins": 256},
        fit={"steps": 40_000, **PIXELCNN_FIT},
    ),
    "pixelcnn-k2": Recipe(
        purpose="The same PixelCNN on digits in black and white, thresholded at 0.5.",
        model="PixelCNN",
        arguments={"num_bins": 2, "dropout": 0.1},
        fit={"steps": 60_000, **PIXELCNN_FIT},
        restarts=(
            {
                "fit": {"steps": 44_000, "learning_rate": 3e-3},
                "arguments": {"num_bins": 2},  # without dropout
                "moved": 1.0,
            },
            {
                "fit": {"steps": 11_000, "learning_rate": 1.5e-3},
                "arguments": {"num_bins": 2},
            },
        ),
        data="thresholded",
        ships_weights=True,
    ),
    "pixelcnn-binary": Recipe(
        purpose="A wider PixelCNN on digits whose black and white are drawn anew at each step.",
        model="PixelCNN",
        arguments={"num_bins": 2, "channels": 64},
        fit={"steps": 60_000, **PIXELCNN_FIT},
        restarts=({"fit": {"steps": 40_000, "learning_rate": 2e-3}},),
        data="binarized",
        ships_weights=True,
    ),
    "rnn-k16": Recipe(
        purpose="One LSTM cell that reads the picture in raster order.",
        model="RasterLSTM",
        fit={"steps": 36_000, **PIXELCNN_FIT, "learning_rate": 6e-3},
        ships_weights=True,
    ),
    "diagonal-bilstm-k2": Recipe(
        purpose="A small Diagonal BiLSTM on digits in black and white, thresholded at 0.5.",
        model="DiagonalBiLSTM",
        arguments={"num_bins": 2, "hidden_size": 16, "num_layers": 5},
        fit={
            "steps": 20_000,
            **PIXELCNN_FIT,
            "warmup_steps": 200,
            "batch_size": 16,
            "learning_rate": 8e-3,
        },
        data="thresholded",
    ),
    "pixelcnn-k2-small": Recipe(
        purpose="A PixelCNN with as many parameters, trained for about as long.",
        model="PixelCNN",
        arguments={"num_bins": 2, "channels": 25},
        fit={"steps": 100_000, **PIXELCNN_FIT},
        data="thresholded",
    ),
}
