"""Pixel models: one architecture a file, one contract for all (`base.py`)."""

from pixelar_lib.models.base import PixelModel, evaluating, restoring_modes
from pixelar_lib.models.categorical_mlp import CategoricalPixelPredictor
from pixelar_lib.models.pixelcnn import PixelCNN
from pixelar_lib.models.window import WindowModel

__all__ = [
    "CategoricalPixelPredictor",
    "PixelCNN",
    "PixelModel",
    "WindowModel",
    "evaluating",
    "restoring_modes",
]
