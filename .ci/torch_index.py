"""Print the index from which to install PyTorch, or nothing where pip's own choice is right.

    python .ci/torch_index.py auto|cpu|default INDEX

On Linux x86-64, pip's own choice is a build with several gigabytes of GPU code. There `auto` takes
INDEX, that of the CPU build, if the machine has no NVIDIA driver and INDEX answers. A line on
stderr says what is done.
"""

import ctypes
import platform
import queue
import sys
import threading
import urllib.request
from pathlib import Path

SECONDS = 5


def has_nvidia_driver():
    """Say whether CUDA could find a driver."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return Path("/proc/driver/nvidia/version").exists()
    return True


def answers(index, seconds=SECONDS):
    """Say whether an index has PyTorch, within so many seconds for all of names and networks."""
    reply = queue.Queue()

    def ask():
        try:
            address = f"{index.rstrip('/')}/torch/"
            request = urllib.request.Request(address, method="HEAD")
            with urllib.request.urlopen(request, timeout=seconds) as page:
                reply.put(page.status == 200)
        except (OSError, ValueError):
            reply.put(False)

    threading.Thread(target=ask, daemon=True).start()  # looking up a name knows no time limit
    try:
        return reply.get(timeout=seconds)
    except queue.Empty:
        return False


def choose(torch, index):
    """Return the index to take ("" for pip's own choice), and what to tell the reader."""
    if torch == "cpu":
        return index, f"PyTorch: the CPU build, from {index}."
    if torch == "default" or (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return "", ""
    if has_nvidia_driver():
        return "", "PyTorch: with GPU code, for the NVIDIA driver here; TORCH=cpu saves 5 GB."
    if answers(index):
        return index, (
            f"PyTorch: the CPU build, from {index}, as there is no NVIDIA driver here; "
            "TORCH=default takes pip's own choice."
        )
    return "", (
        f"PyTorch: pip's own choice, with 5 GB of GPU code, as {index} does not answer; "
        "TORCH=cpu insists on the CPU build."
    )


def main(torch, index):
    """Print the choice, and explain it."""
    if torch not in ("auto", "cpu", "default"):
        sys.exit(f"TORCH={torch} is unknown; choose from auto, cpu, default.")
    chosen, explanation = choose(torch, index)
    if explanation:
        print(explanation, file=sys.stderr)
    print(chosen)


if __name__ == "__main__":
    main(*sys.argv[1:])
