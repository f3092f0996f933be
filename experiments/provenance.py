"""Where a recorded figure comes from: the commit and the machine."""

import os
import platform
import subprocess
from pathlib import Path

import torch

from pixelar_lib.distributed import num_processes
from pixelar_lib.runtime import pick_device


def git_commit() -> str:
    """Return the commit that is checked out, marked where code was changed after it."""
    code = [":/", ":(top,exclude)pixelar_lib/assets"]  # assets are what trainings write
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *code]).returncode
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return head + ("-dirty" if changed else "")


def machine() -> dict:
    """Describe the machine as far as it may matter for a figure or a duration."""
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text().splitlines() if cpu_info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processes": num_processes(),
        "device": str(pick_device()),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
