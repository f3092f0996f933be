"""Time how long each shipped model takes to draw: python -m benchmarks.drawing

Writes pixelar_lib/assets/records/measurements/drawing.json, which the book's page of results shows.
"""

import json
import statistics
import time

import torch

from experiments.assets import add_asset
from experiments.provenance import git_commit, machine
from pixelar_lib.sampling import sample
from pixelar_lib.zoo import list_pretrained, load_pretrained

REPEATS = 5
BATCHES = (1, 64)


def main() -> None:
    """Time all models and write the record."""
    commit = git_commit()
    seconds = {name: [time_to_draw(name, batch) for batch in BATCHES] for name in list_pretrained()}
    record = {
        "batches": BATCHES,
        "seconds": seconds,
        "protocol": f"median of {REPEATS} drawings after an untimed one, for the whole batch",
        "commit": commit,
        "machine": machine(),
        "command": "python -m benchmarks.drawing",
    }
    add_asset("records/measurements/drawing.json", (json.dumps(record, indent=1) + "\n").encode())
    for name, values in seconds.items():
        print(f"{name}: " + ", ".join(f"{1e3 * value:.0f} ms" for value in values))


def time_to_draw(name: str, batch: int) -> float:
    """Return the median of the seconds that a drawing of `batch` images takes."""
    model, seconds = load_pretrained(name), []
    labels = None if model.num_classes is None else torch.arange(batch) % model.num_classes
    for _ in range(1 + REPEATS):
        begin = time.perf_counter()
        sample(model, batch, labels=labels)
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
