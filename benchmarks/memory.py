"""How much memory a training takes above its images; a process of its own: -m benchmarks.memory."""

import argparse
import json
from pathlib import Path

import torch

from pixelar_lib.data import load_mnist
from pixelar_lib.models import CategoricalPixelPredictor
from pixelar_lib.quantization import quantize
from pixelar_lib.training import fit

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_of_training(source: str, steps: int = 500) -> dict:
    """Train for a while on all training images.

    Args:
        source: "full" or "bundled", as for `load_mnist`.
        steps: Steps of the training.

    Returns:
        The peak of the memory above what it was with the images loaded, in MiB, or None where
        the system does not tell (only Linux does); the numbers of images and windows.
    """
    splits = [load_mnist(split, source).images for split in ("train", "validation")]
    tokens = torch.cat([quantize(part, 16).to(torch.uint8) for part in splits])
    del splits
    model = CategoricalPixelPredictor(dropout=0.0)
    # Torch reads its compiler's sources when the first optimizer is built: no part of a training.
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    figures = {"num_images": len(tokens), "windows": tokens.numel(), "mebibytes": None}
    if CLEAR.exists():
        CLEAR.write_text("5")  # the peak counts from here
        before = kibibytes("VmRSS")
    fit(model, tokens, steps=steps, device="cpu", progress=False)
    if CLEAR.exists():
        figures["mebibytes"] = round((kibibytes("VmHWM") - before) / 1024)
    return figures


def kibibytes(name: str) -> int:
    """Return one entry of this process's status, in KiB."""
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", choices=["full", "bundled"])
    print(json.dumps(peak_of_training(parser.parse_args().source)))
