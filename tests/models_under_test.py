"""The models that the contract's tests run on. A new model joins by one line in MODELS."""

import itertools

import torch
from torch import nn
from two_convolutions import TwoConvolutions

from pixelar_lib.context import neighbourhood
from pixelar_lib.evaluation import (
    KGramBaseline,
    PixelFrequencyBaseline,
    UniformBaseline,
    nll,
)
from pixelar_lib.models import (
    CategoricalPixelPredictor,
    DiagonalBiLSTM,
    ImageGPT,
    PixelCNN,
    PixelModel,
    PointingPixelCNN,
    RasterLSTM,
)


class ToyModel(PixelModel):
    """Logits from the mean of all pixels before; all else is the base class's default."""

    def __init__(self, num_bins, num_classes=None, shift=1):
        super().__init__(num_bins, num_classes)
        self.shift = shift  # 0 would let a pixel see itself
        self.embedding = nn.Embedding(num_bins, 5)
        self.labels = nn.Embedding(num_classes or 1, 5)
        self.head = nn.Linear(5, num_bins)

    def embed(self, tokens):
        return self.embedding(tokens)

    def predict(self, embedded, labels=None):
        flat = embedded.flatten(1, 2)  # (N, H W, E)
        means = flat.cumsum(dim=1) / torch.arange(1, flat.shape[1] + 1)[:, None]
        before = nn.functional.pad(means, (0, 0, self.shift, 0))[:, : flat.shape[1]]
        if labels is None:
            labels = torch.zeros(len(flat), dtype=torch.long)
        logits = self.head(torch.tanh(before + self.labels(labels)[:, None]))
        return logits.transpose(1, 2).unflatten(2, embedded.shape[1:3])


def some_tokens(num_images, size, num_bins, seed=0):
    """Return random tokens (num_images, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(num_bins, (num_images, *size), generator=generator)


# name -> function of (num_bins, (height, width)) that builds the model
MODELS = {
    "post": lambda num_bins, size: CategoricalPixelPredictor(num_bins),
    "neighbourhood": lambda num_bins, size: CategoricalPixelPredictor(
        num_bins, context=neighbourhood(2)
    ),
    "conditional post": lambda num_bins, size: CategoricalPixelPredictor(num_bins, num_classes=3),
    "uniform": lambda num_bins, size: UniformBaseline(num_bins),
    "frequencies": lambda num_bins, size: PixelFrequencyBaseline(
        some_tokens(9, size, num_bins), num_bins
    ),
    "k-gram": lambda num_bins, size: KGramBaseline(some_tokens(9, size, num_bins), num_bins, k=3),
    "pixelcnn": lambda num_bins, size: PixelCNN(num_bins, channels=8),
    "short-sighted pixelcnn": lambda num_bins, size: PixelCNN(num_bins, 8, dilations=(1, 3)),
    "conditional pixelcnn": lambda num_bins, size: PixelCNN(num_bins, 8, num_classes=3),
    "raster lstm": lambda num_bins, size: RasterLSTM(num_bins, 8, 12),
    "raster lstm without a stem": lambda num_bins, size: RasterLSTM(num_bins, 8, 12, stem=False),
    "conditional raster lstm": lambda num_bins, size: RasterLSTM(num_bins, 8, 12, num_classes=3),
    "diagonal bilstm": lambda num_bins, size: DiagonalBiLSTM(num_bins, 6, num_layers=2),
    "conditional diagonal bilstm": lambda num_bins, size: DiagonalBiLSTM(
        num_bins, 6, num_layers=2, num_classes=3
    ),
    "pointing pixelcnn": lambda num_bins, size: PointingPixelCNN(num_bins, channels=8),
    "pixelcnn with attention": lambda num_bins, size: PixelCNN(num_bins, 8, attention_heads=2),
    "short-sighted pixelcnn with attention": lambda num_bins, size: PixelCNN(
        num_bins, 8, dilations=(1, 3), attention_heads=1
    ),
    "imagegpt": lambda num_bins, size: ImageGPT(num_bins, 8, 2, heads=2, image_size=size),
    "imagegpt with a stem": lambda num_bins, size: ImageGPT(
        num_bins, 8, 2, heads=4, stem="conv", image_size=size
    ),
    "conditional imagegpt": lambda num_bins, size: ImageGPT(
        num_bins, 8, 1, heads=1, image_size=size, num_classes=3
    ),
    "toy": lambda num_bins, size: ToyModel(num_bins),
    "two convolutions": lambda num_bins, size: TwoConvolutions(num_bins),
    "conditional toy": lambda num_bins, size: ToyModel(num_bins, num_classes=3),
}


def build(name, num_bins=3, size=(4, 5)):
    """Build a model with the same random weights in every run, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MODELS[name](num_bins, size).eval()


def labels_for(model, num_images):
    """Return labels for a conditional model, None for another."""
    if model.num_classes is None:
        return None
    return torch.arange(num_images) % model.num_classes


def all_images(num_bins, size):
    """Return every image of that size, (K ** (H W), H, W)."""
    flat = itertools.product(range(num_bins), repeat=size[0] * size[1])
    return torch.tensor([*flat]).view(-1, *size)


def pixel_probabilities(model, images, label=None):
    """Return the probability of each pixel given those before it, float64 (N, H, W)."""
    labels = None if label is None else torch.full((len(images),), label)
    return nll(model, images, labels).double().neg().exp()
