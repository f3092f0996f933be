"""Time the post's algorithm and the library in turn, and write a record: make bench.

Both sides run in one process, on the same weights and images, several times in turn. What
counts is the ratio of a pair; printed are the medians, and the smallest and largest ratio.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F

from benchmarks.reference import draw_one_by_one, train_epochs, windows_one_by_one
from experiments.assets import add_asset
from experiments.provenance import git_commit, machine
from pixelar_lib.context import raster, targets, windows
from pixelar_lib.data import load_mnist, missing_files
from pixelar_lib.evaluation import evaluate
from pixelar_lib.models import CategoricalPixelPredictor, evaluating
from pixelar_lib.quantization import quantize
from pixelar_lib.runtime import write_atomically
from pixelar_lib.sampling import sample
from pixelar_lib.training import fit
from pixelar_lib.zoo import load_pretrained, load_vqvae

RECORD = Path(__file__).parent / "record.json"
NUM_WINDOWS = 200_000
EPOCHS = 15
# Chosen on the validation images: ends well below the loss of the reference.
FAST_FIT = {"steps": 200, "learning_rate": 4e-3, "warmup_steps": 20}
NUM_DRAWN = 1024
BATCH = 64  # images that a model with a state draws at once
WITH_STATE = ("pixelcnn-k16", "rnn-k16", "transformer-k16")  # kept: activations, cell, keys
FORWARDS = 4  # pixels that are drawn without the state; each takes as long as any other
SQUARE = 2048  # rows and columns of the largest matrices that are multiplied
PRODUCTS = 1_000_000_000  # multiplications in one timing of a matrix product


def main() -> None:
    """Run all timings, print them, write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of the reference (15)")
    parser.add_argument("--ship", action="store_true", help="write the record the book shows")
    arguments = parser.parse_args()
    source = "bundled" if missing_files() else "full"
    tokens = {split: load_tokens(split, source) for split in ("train", "validation", "test")}
    record = {"source": source, "machine": machine(), "commit": git_commit()}
    record["command"] = " ".join(["python -m benchmarks", *sys.argv[1:]])
    record["matrix_products"] = products()
    print(json.dumps({**record["machine"], **record["matrix_products"]["gigaflops"]}, indent=1))
    record["memory"] = memory_of_training(source)
    print(f"training on all images: {record['memory']['mebibytes']} MiB above them")
    record["busy"] = in_own_process("benchmarks.busy")
    for row in record["busy"]["rows"]:
        print("beside a busy process, drawing {images}: {slowdown} times as long".format(**row))
    record["work"] = []
    for row in rows(tokens, arguments.epochs):
        record["work"].append(row)
        print(line(row), flush=True)
    text = json.dumps(record, indent=1) + "\n"
    if arguments.ship:
        add_asset("records/measurements/benchmark.json", text.encode())
    else:
        write_atomically(RECORD, lambda path: path.write_text(text, encoding="utf8"))


def load_tokens(split: str, source: str) -> torch.Tensor:
    """Return the images of a split as tokens, uint8 (N, 28, 28)."""
    return quantize(load_mnist(split, source).images, 16).to(torch.uint8)


def rows(tokens: dict, epochs: int) -> Iterator[dict]:
    """Yield the timings of each work, one after the other."""
    train, test = tokens["train"], tokens["test"]
    trained, untrained = load_pretrained("post-mlp-k16"), untrained_network()

    yield in_turn(
        f"cutting {NUM_WINDOWS:,} windows",
        lambda: windows_one_by_one(train[:256].long(), 10, 16, NUM_WINDOWS),
        lambda: windows_at_once(train[:256]),
        repeats=5,
    )
    yield training(tokens, epochs)
    for name, model in (("trained", trained), ("random", untrained)):
        row = in_turn(
            f"drawing an image, {NUM_DRAWN:,} at once, {name} weights",
            lambda model=model: [draw_one_by_one(model) for _ in range(8)],
            lambda model=model: sample(model, NUM_DRAWN),
            repeats=5,
            units=(8, NUM_DRAWN),
        )
        if name == "random":  # trained weights repeat windows, and skip products
            row["limit"] = products()["seconds_per_image"]  # as the machine is just now
            row["share_of_limit"] = row["limit"] / row["library"]
        yield row
        yield in_turn(
            f"drawing one image, {name} weights",
            lambda model=model: draw_one_by_one(model),
            lambda model=model: sample(model, 1),
            repeats=15,
        )
    yield evaluating_all(trained, test)
    for name in WITH_STATE:
        yield drawing_with_state(name)
    yield drawing_by_codes()


def in_turn(
    name: str, reference: Callable, library: Callable, repeats: int, units: tuple = (1, 1)
) -> dict:
    """Time both sides in turn, after one untimed call each.

    Args:
        name: Of the work.
        reference: Does it as the post does.
        library: Does it as the library does.
        repeats: Pairs of timings.
        units: How many pieces of work a call of each side does.

    Returns:
        Seconds per piece of work, all and their medians, and the ratios.
    """
    seconds = {"reference": [], "library": []}
    for repeat in range(-1, repeats):
        for side, work, unit in zip(seconds, (reference, library), units, strict=True):
            begin = time.perf_counter()
            work()
            if repeat >= 0:
                seconds[side].append((time.perf_counter() - begin) / unit)
    return summary(name, seconds)


def summary(name: str, seconds: dict) -> dict:
    """Return medians and ratios of paired timings."""
    ratios = [a / b for a, b in zip(seconds["reference"], seconds["library"], strict=True)]
    return {
        "name": name,
        "reference": statistics.median(seconds["reference"]),
        "library": statistics.median(seconds["library"]),
        "ratio": statistics.median(ratios),
        "smallest_ratio": min(ratios),
        "largest_ratio": max(ratios),
        "seconds": seconds,
    }


def untrained_network() -> CategoricalPixelPredictor:
    """Return the post's network with random weights: hardly two of its windows are alike."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CategoricalPixelPredictor().eval()


def windows_at_once(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut the windows that `windows_one_by_one` cuts."""
    contexts = windows(images, raster(10), 16).flatten(0, 1)
    return contexts[:NUM_WINDOWS], targets(images).flatten()[:NUM_WINDOWS]


def training(tokens: dict, epochs: int, repeats: int = 3) -> dict:
    """Time a training by the post's recipe and by `fit`, each from its own seed."""
    seconds, losses = {"reference": [], "library": []}, {"reference": [], "library": []}

    def by_reference(model, seed):
        torch.manual_seed(seed)
        chosen = tokens["train"][torch.randperm(len(tokens["train"]))[:256]].long()
        pairs = windows_one_by_one(chosen, 10, 16, NUM_WINDOWS)
        return lambda: train_epochs(model, *pairs, epochs=epochs)

    def by_library(model, seed):
        generator = torch.Generator().manual_seed(seed)
        return lambda: fit(
            model, tokens["train"], **FAST_FIT, generator=generator, device="cpu", progress=False
        )

    for seed in range(repeats):
        models = {"reference": untrained_network(), "library": CategoricalPixelPredictor(dropout=0)}
        for (side, model), prepare in zip(models.items(), (by_reference, by_library), strict=True):
            train = prepare(model, seed)
            begin = time.perf_counter()
            train()
            seconds[side].append(time.perf_counter() - begin)
            losses[side].append(evaluate(model, tokens["validation"]).nats_per_pixel)
    return {**summary(f"training, the post's {epochs} epochs", seconds), "losses": losses}


def evaluating_all(model: CategoricalPixelPredictor, test: torch.Tensor) -> dict:
    """Time the exact likelihood of all test images, in batches and by `evaluate`."""
    figures = {}

    def in_batches():
        with evaluating(model):
            parts = [
                F.cross_entropy(model(part.long()), part.long(), reduction="none").double().mean()
                for part in test.split(8)
            ]
        figures["reference"] = float(torch.stack(parts).mean())

    def by_library():
        figures["library"] = evaluate(model, test).nats_per_pixel

    row = in_turn(f"evaluating {len(test):,} images", in_batches, by_library, repeats=2)
    return {**row, "nats_per_pixel": figures}


def drawing_with_state(name: str) -> dict:
    """Time a pixel of a batch: by a forward pass over whole images, and by the model's state."""
    model = load_pretrained(name)
    tokens = torch.zeros(BATCH, 28, 28, dtype=torch.long)

    def forward_for_each_pixel():
        with evaluating(model):
            for column in range(FORWARDS):
                model(tokens)[:, :, 0, column].softmax(dim=1)

    work = f"drawing a pixel of {BATCH} images, {name}"
    sides = forward_for_each_pixel, lambda: sample(model, BATCH)
    return in_turn(work, *sides, repeats=3, units=(FORWARDS, 784))


def drawing_by_codes() -> dict:
    """Time a batch of digits with labels: pixel by pixel, and as codes that become pictures."""
    pixels = load_pretrained("pixelcnn-cond-k16")
    autoencoder, prior = load_vqvae("vqvae-7x7x128")
    labels = torch.arange(BATCH) % 10

    def by_codes():
        autoencoder.decode(sample(prior, BATCH, labels=labels, image_size=autoencoder.grid))

    work = f"drawing {BATCH} images, pixels or codes"
    return in_turn(work, lambda: sample(pixels, BATCH, labels=labels), by_codes, repeats=3)


def products() -> dict:
    """Measure this machine's rate of matrix products, and what they cost a drawn image."""
    rates = {}
    for rows, inner, columns in ((SQUARE,) * 3, (NUM_DRAWN, 256, 256), (NUM_DRAWN, 256, 16)):
        left, right = torch.randn(rows, inner), torch.randn(inner, columns)
        repeats = max(3, PRODUCTS // (rows * inner * columns))
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            for _ in range(repeats):
                left @ right
            times.append((time.perf_counter() - begin) / repeats)
        rates[rows, inner, columns] = min(times[1:])
    gigaflops = {
        " x ".join(map(str, shape)): round(2 * shape[0] * shape[1] * shape[2] / seconds / 1e9, 1)
        for shape, seconds in rates.items()
    }
    a_step = rates[NUM_DRAWN, 256, 256] + rates[NUM_DRAWN, 256, 16]
    return {"gigaflops": gigaflops, "seconds_per_image": a_step * 784 / NUM_DRAWN}


def memory_of_training(source: str) -> dict:
    """Measure, in a process of its own, how much memory a training takes above its images."""
    return in_own_process("benchmarks.memory", source)


def in_own_process(module: str, *arguments: str) -> dict:
    """Return what a module of measurements prints when it runs alone."""
    command = [sys.executable, "-m", module, *arguments]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def line(row: dict) -> str:
    """Return a row as it is printed."""
    text = (
        f"{row['name']}: {1e3 * row['reference']:.2f} ms -> {1e3 * row['library']:.3f} ms, "
        f"{row['ratio']:.1f} times ({row['smallest_ratio']:.1f} to {row['largest_ratio']:.1f})"
    )
    if "share_of_limit" in row:
        text += f", {row['share_of_limit']:.0%} of the matrix products' limit"
    if "losses" in row:
        before, after = (statistics.median(losses) for losses in row["losses"].values())
        text += f", held-out loss {before:.4f} -> {after:.4f}"
    if "nats_per_pixel" in row:
        before, after = row["nats_per_pixel"].values()
        text += f", figures differ by {abs(before - after):.0e}"
    return text


if __name__ == "__main__":
    main()
