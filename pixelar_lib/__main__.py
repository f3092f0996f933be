"""What is installed, where the data is and whether a GPU will be used: `python -m pixelar_lib`."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pixelar_lib

PACKAGES = (
    *("torch", "torchvision", "numpy", "matplotlib", "pillow", "ipywidgets", "tqdm"),
    "safetensors",
)


# Each of these is one line of the report. What needs torch is imported where it is used, so that
# the report can say that torch is missing.


def library() -> str:
    """Say which version this is, and where."""
    return f"pixelar_lib {pixelar_lib.__version__} in {Path(__file__).parent}"


def python() -> str:
    """Say which Python runs, and on what."""
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def packages() -> str:
    """Say which versions of the packages that the library needs are there."""
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        raise ImportError(f"missing: {', '.join(missing)}; run: pip install {' '.join(missing)}")
    return ", ".join(found)


def bundled_digits() -> str:
    """Say how many digits came with the library, and where; reading them checks their sha256."""
    from pixelar_lib.data import SPLITS, load_mnist
    from pixelar_lib.runtime import ASSETS

    counts = [f"{len(load_mnist(split)):,} {split}" for split in SPLITS]
    return f"{', '.join(counts)}, in {ASSETS}"


def full_digits() -> str:
    """Say where the full MNIST is, or would be; files that are there are checked."""
    from pixelar_lib.data import FULL_FILES, find_root, missing_files

    root, missing = find_root(), missing_files()
    if not missing:
        return f"whole, in {root}"
    what = "not" if len(missing) == len(FULL_FILES) else f"{', '.join(missing)} missing"
    return f'{what} in {root}; only source="full" needs it, and downloads it there'


def models() -> str:
    """Name the trained models that came with the library; loading them checks their sha256."""
    from pixelar_lib.zoo import list_pretrained, load_pretrained

    names = list_pretrained()
    for name in names:
        load_pretrained(name)
    return ", ".join(names)


def device() -> str:
    """Say whether a GPU will be used."""
    import torch

    from pixelar_lib.runtime import pick_device

    chosen = pick_device()
    asked = os.environ.get("PIXELAR_DEVICE") or "auto"
    why = "" if asked == "auto" else f" (PIXELAR_DEVICE is {asked})"
    if chosen.type == "cuda":
        return f"{chosen}, the GPU {torch.cuda.get_device_name(chosen)}{why}"
    return f"mps, Apple's GPU{why}" if chosen.type == "mps" else f"cpu, no GPU{why or ' was found'}"


REPORT = {
    "library": library,
    "Python": python,
    "packages": packages,
    "digits": bundled_digits,
    "full MNIST": full_digits,
    "models": models,
    "device": device,
}


def main() -> int:
    """Print the report; return 1 where a line of it tells of a problem, else 0."""
    status = 0
    for name, describe in REPORT.items():
        try:
            text = describe()
        except (ImportError, OSError, ValueError) as error:
            text, status = f"PROBLEM: {error}", 1
        print(f"{name + ':':<12}{text}")
    return status


if __name__ == "__main__":
    sys.exit(main())
