"""How much slower drawing becomes beside a busy process: python -m benchmarks.busy."""

import json
import statistics
import subprocess
import sys
import time

from pixelar_lib.sampling import sample
from pixelar_lib.zoo import load_pretrained

SPINNING = [sys.executable, "-c", "while True: pass"]
BATCHES = (1, 20)
REPEATS = 5


def slowdown(num_images: int) -> dict:
    """Draw digits alone and beside a process that never rests, in turn.

    Returns:
        Seconds of both and the ratio of a pair, all as medians, and the largest ratio.
    """
    model = load_pretrained("pixelcnn-k16")
    seconds = {"alone": [], "beside": []}
    sample(model, num_images)
    for _ in range(REPEATS):
        seconds["alone"].append(time_to_draw(model, num_images))
        other = subprocess.Popen(SPINNING)
        try:
            seconds["beside"].append(time_to_draw(model, num_images))
        finally:
            other.kill()
            other.wait()
    ratios = [b / a for a, b in zip(seconds["alone"], seconds["beside"], strict=True)]
    medians = {side: round(statistics.median(some), 3) for side, some in seconds.items()}
    return {
        "images": num_images,
        **medians,
        "slowdown": round(statistics.median(ratios), 2),
        "largest": round(max(ratios), 2),
    }


def time_to_draw(model, num_images: int) -> float:
    """Return the seconds that a drawing takes."""
    begin = time.perf_counter()
    sample(model, num_images)
    return time.perf_counter() - begin


if __name__ == "__main__":
    print(json.dumps({"rows": [slowdown(num_images) for num_images in BATCHES]}))
