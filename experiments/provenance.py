"""Where a recorded figure comes from: the commit and the machine."""

import os
import platform
import subprocess
from pathlib import Path

import torch

from pixelar_lib.distributed import num_processes
from pixelar_lib.runtime import pick_device

ROOT = Path(__file__).resolve().parent.parent


def git_commit(root: Path = ROOT) -> str:
    """Return the commit of a folder's own repository, marked where code was changed or added.

    "unknown" where there is none: an unpacked archive, also one inside another repository, and a
    machine without git.
    """
    top, head = git(root, "rev-parse", "--show-toplevel"), git(root, "rev-parse", "HEAD")
    if not top or not head or not Path(top).samefile(root):
        return "unknown"
    code = [":/", ":(top,exclude)pixelar_lib/assets"]  # assets are what trainings write
    unchanged = git(root, "status", "--porcelain", "--untracked-files", "--", *code) == ""
    return head if unchanged else f"{head}-dirty"


def git(root: Path, *arguments: str) -> str | None:
    """Return what git prints about a folder; None where it fails or is not installed."""
    # The caller may stand in another repository: a hook of its has GIT_DIR set.
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("GIT_")}
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(done.stdout).removesuffix("\n")


def machine() -> dict:
    """Describe the machine as far as it may matter for a figure or a duration."""
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text().splitlines() if cpu_info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processes": num_processes(),
        "device": str(pick_device()),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
