"""Measure on a short budget what each choice in the PixelCNN's training brings.

python -m experiments.ablations trains each variant on one thread, evaluates it on validation
images, and writes records/measurements/ablations.json below pixelar_lib/assets. The steps were set
to take about as long as the first variant's; the record says how long each one took.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from experiments.recipes import PIXELCNN_FIT
from experiments.trainables import Wrapped
from experiments.trials import measure
from pixelar_lib.data import load_mnist
from pixelar_lib.evaluation import evaluate
from pixelar_lib.models import PixelCNN, PixelModel
from pixelar_lib.models.causal_conv import SIDE, VerticalConv
from pixelar_lib.quantization import quantize
from pixelar_lib.training import fit

NUM_VALIDATION = 2_000


@dataclass(frozen=True)
class Trial:
    """One variant.

    Attributes:
        change: What differs from the first trial, in a few words.
        steps: Updates.
        arguments: Of `PixelCNN`.
        fit: Arguments of `training.fit` that differ.
        rebuild: Changes the model, or wraps it.
        learner: Wraps the model in training alone.
        seed: Of the only run.
    """

    change: str
    steps: int
    arguments: dict = field(default_factory=dict)
    fit: dict = field(default_factory=dict)
    rebuild: Callable[[PixelModel], PixelModel] = lambda model: model
    learner: Callable[[PixelModel], nn.Module] = lambda model: model
    seed: int = 0


class Averaging(PixelModel):
    """Trains one model, and predicts with a running average of its weights."""

    def __init__(self, model: PixelModel, decay: float = 0.995) -> None:
        super().__init__(model.num_bins)
        self.model = model
        self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
        self.average.requires_grad_(False)

    def training_loss(self, tokens, labels=None):
        self.average.update_parameters(self.model)  # the first time, it copies
        return self.model.training_loss(tokens, labels)

    def forward(self, tokens, labels=None):
        return self.average(tokens)


class FullPrecision(nn.Linear):
    """A layer that 16 bits are too coarse for: its outputs are places on the grey scale."""

    def forward(self, hidden):
        with torch.autocast(hidden.device.type, enabled=False):
            return super().forward(hidden.float())


class Mixture(PixelModel):
    """Predicts with a few logistics over the grey scale (Salimans et al., PixelCNN++, 2017)."""

    def __init__(self, model: PixelCNN, components: int = 5) -> None:
        super().__init__(model.num_bins)
        self.model = model
        model.head[3] = FullPrecision(model.head[3].in_features, 3 * components)
        edges = torch.linspace(-1, 1, model.num_bins + 1)
        edges[0], edges[-1] = -100, 100  # the outer bins take the tails
        self.register_buffer("edges", edges)

    def training_loss(self, tokens, labels=None):
        return -self.log_probabilities(tokens, tokens[:, None]).mean()

    def forward(self, tokens, labels=None):
        return self.log_probabilities(tokens, torch.arange(self.num_bins)[None, :, None, None])

    def log_probabilities(self, tokens, bins):
        """Return the log-probability of M bins at each pixel, (N, M, H, W)."""
        found = self.model(tokens)[:, :, None]  # (N, 3 components, 1, H, W)
        weight, middle, inverse_scale = found.chunk(3, dim=1)
        inverse_scale = (inverse_scale + 1).clamp(max=7).exp()
        low, high = ((self.edges[bins + up][:, None] - middle) * inverse_scale for up in (0, 1))
        # sigmoid(high) - sigmoid(low), where it may be tiny
        inside = F.logsigmoid(high) + F.logsigmoid(-low) + (-torch.expm1(low - high)).log()
        return (weight.log_softmax(dim=1) + inside).logsumexp(dim=1)


class Depthwise(VerticalConv):
    """A vertical convolution in two steps: each channel by itself, then across them."""

    def __init__(self, channels: int, dilation: int) -> None:
        size = 2, 2 * SIDE + 1  # as a block's; its own constructor knows no groups
        nn.Conv2d.__init__(self, channels, channels, size, dilation=dilation, groups=channels)
        self.across = nn.Linear(channels, channels)

    def forward(self, x, state=None):
        return self.across(super().forward(x, state))

    def reset_parameters(self):
        super().reset_parameters()
        if hasattr(self, "across"):  # torch's constructor calls this before it is there
            self.across.reset_parameters()


def with_depthwise(model: PixelCNN) -> PixelCNN:
    """Split the vertical convolution of each block."""
    for block in model.blocks:
        block.vertical = Depthwise(block.vertical.in_channels, block.vertical.dilation[0])
    return model.to(memory_format=torch.channels_last)


def with_plain_memory(model: PixelCNN) -> PixelCNN:
    """Keep weights and the convolutions' inputs in torch's plain order, not channels last."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer._conv_forward = partial(_plain_conv, layer._conv_forward)
    return model.to(memory_format=torch.contiguous_format)


def _plain_conv(conv, padded, *weights):  # after the padding, which lays out its result anew
    return conv(padded.contiguous(), *weights)  # (N, C, H, W), in memory, too


class Shifted(Wrapped):
    """Trains on images shifted by at most a pixel each way, all images of a step alike."""

    def prepare(self, tokens, labels, generator):
        down, right = torch.randint(-1, 2, (2,), generator=generator).tolist()
        return super().prepare(tokens.roll((down, right), dims=(1, 2)), labels, generator)


TRIALS = [
    Trial("nothing", 1000),
    Trial("nothing, second seed", 1000, seed=1),
    Trial("nothing, third seed", 1000, seed=2),
    Trial("32-bit products", 530, fit={"precision": "float32"}),
    Trial("plain memory order, not channels last", 750, rebuild=with_plain_memory),
    Trial("32 images in a step, not 8", 235, fit={"batch_size": 32, "warmup_steps": 30}),
    Trial("4 images in a step", 1700, fit={"batch_size": 4}),
    Trial("half the learning rate", 1000, fit={"learning_rate": 2e-3}),
    Trial("twice the learning rate", 1000, fit={"learning_rate": 8e-3}),
    Trial("ten times the weight decay", 1000, fit={"weight_decay": 0.1}),
    Trial("a constant learning rate", 1000, fit={"schedule": "constant"}),
    Trial("no warm-up", 1000, fit={"warmup_steps": 0}),
    Trial("an average of the weights", 1000, rebuild=Averaging),
    Trial("images shifted by up to a pixel", 1000, learner=Shifted),
    Trial("32 channels, not 48", 1780, arguments={"channels": 32}),
    Trial("64 channels", 640, arguments={"channels": 64}),
    Trial("no dilation: less reach", 1000, arguments={"dilations": (1,) * 6}),
    Trial("depthwise convolutions", 510, rebuild=with_depthwise),
    Trial("nothing", 840, arguments={"num_bins": 256}),
    Trial("a mixture of logistics", 950, {"num_bins": 256}, rebuild=Mixture),
]


def main() -> None:
    protocol = (
        "Each trained once on the first 50,000 training images; "
        f"measured on {NUM_VALIDATION:,} validation images. The standard error is over images."
    )
    measure("ablations", protocol, TRIALS, run)


def run(trial: Trial) -> dict:
    """Train and evaluate one variant."""
    model = trial.rebuild(PixelCNN(**trial.arguments))
    train, validation = (load_mnist(split, "full").images for split in ("train", "validation"))
    settings = {**PIXELCNN_FIT, "warmup_steps": 100, **trial.fit}
    history = fit(
        trial.learner(model),
        quantize(train, model.num_bins).to(torch.uint8),
        steps=trial.steps,
        initialize=True,  # the average of weights is frozen, and copied at the first step
        generator=torch.Generator().manual_seed(trial.seed),
        **settings,
    )
    found = evaluate(model, quantize(validation[:NUM_VALIDATION], model.num_bins))
    return {
        "change": trial.change,
        "num_bins": model.num_bins,
        "seed": trial.seed,
        "arguments": trial.arguments,
        "fit": settings,
        "parameters": model.num_parameters,
        "steps": trial.steps,
        "ms_per_step": round(1e3 * history.seconds / trial.steps, 1),
        "validation_nats_per_pixel": found.nats_per_pixel,
        "standard_error": found.standard_error,
    }


if __name__ == "__main__":
    main()
