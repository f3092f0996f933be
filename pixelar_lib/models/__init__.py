"""Pixel models: one architecture a file, one contract for all (`base.py`); VQ-VAE beside them."""

from pixelar_lib.models.base import PixelModel
from pixelar_lib.models.categorical_mlp import CategoricalPixelPredictor
from pixelar_lib.models.codebook import Codebook, perplexity, straight_through
from pixelar_lib.models.diagonal_bilstm import DiagonalBiLSTM
from pixelar_lib.models.modules import (
    Loadable,
    batches,
    check_initializable,
    evaluating,
    initialize,
    training_alone,
)
from pixelar_lib.models.pixelcnn import PixelCNN
from pixelar_lib.models.pointing_cnn import PointingPixelCNN
from pixelar_lib.models.raster_lstm import RasterLSTM
from pixelar_lib.models.state import State
from pixelar_lib.models.transformer import ImageGPT
from pixelar_lib.models.vqvae import VQVAE
from pixelar_lib.models.window import WindowModel

__all__ = [
    "VQVAE",
    "CategoricalPixelPredictor",
    "Codebook",
    "DiagonalBiLSTM",
    "ImageGPT",
    "Loadable",
    "PixelCNN",
    "PixelModel",
    "PointingPixelCNN",
    "RasterLSTM",
    "State",
    "WindowModel",
    "batches",
    "check_initializable",
    "evaluating",
    "initialize",
    "perplexity",
    "straight_through",
    "training_alone",
]
