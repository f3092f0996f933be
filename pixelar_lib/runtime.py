"""What the surroundings decide: seeds, the device, and files that are whole or absent."""

import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

ASSETS = Path(__file__).parent / "assets"


def seeded_generator(seed: int = 0) -> torch.Generator:
    """Return a random number generator on the CPU, seeded with `seed` + `PIXELAR_SEED_OFFSET`.

    The environment variable shifts every default seed at once, so that you can check
    whether a result hangs on one lucky seed.

    Args:
        seed: Any integer.

    Returns:
        A `torch.Generator` on the CPU.

    Raises:
        ValueError: If `PIXELAR_SEED_OFFSET` is not an integer.
    """
    text = os.environ.get("PIXELAR_SEED_OFFSET", "0")
    try:
        offset = int(text)
    except ValueError:
        raise ValueError(
            f"PIXELAR_SEED_OFFSET is {text!r}; set it to an integer such as 1, or unset it."
        ) from None
    return torch.Generator().manual_seed(seed + offset)


def pick_generator(generator: torch.Generator | None) -> torch.Generator:
    """Return the generator that was given, else `seeded_generator()`.

    Args:
        generator: On the CPU, or None.

    Returns:
        A `torch.Generator` on the CPU.

    Raises:
        TypeError: If it is something else, such as a bare seed.
    """
    if generator is None:
        return seeded_generator()
    if not isinstance(generator, torch.Generator):
        raise TypeError(
            f"generator is {generator!r}; give a torch.Generator, as runtime.seeded_generator(1) "
            "makes from the seed 1."
        )
    return generator


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """Return the device to compute on.

    Args:
        device: A device such as "cpu" or "cuda:0", or "auto": then `PIXELAR_DEVICE`
            decides where it is set, else the first there is of cuda, mps and cpu.

    Returns:
        A `torch.device` that exists on this machine.

    Raises:
        ValueError: If the device has no such name or is not on this machine.
    """
    wanted = os.environ.get("PIXELAR_DEVICE", "auto") if str(device) == "auto" else device
    counts = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if str(wanted) == "auto":
        return torch.device(next((name for name, count in counts.items() if count), "cpu"))
    counts["cpu"] = 1
    try:
        chosen = torch.device(wanted)
    except (RuntimeError, TypeError):  # torch knows no such device
        chosen = torch.device("meta")
    if (chosen.index or 0) >= counts.get(chosen.type, 0):
        there = sorted(name for name, count in counts.items() if count)
        raise ValueError(
            f"device {str(wanted)!r} is not on this machine; use 'auto' or one of {there} "
            "(also check the environment variable PIXELAR_DEVICE)."
        )
    return chosen


def write_atomically(path: str | Path, write: Callable[[Path], None]) -> None:
    """Write a file so that it is there whole or not at all: write beside it, then rename.

    Args:
        path: The file to write; its folder is created where it is missing.
        write: Called with the path of a temporary file in the same folder.

    Raises:
        OSError: If the folder or file cannot be written, or the disk is full. What stood at
            `path` before is then still there.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(
            error.errno,
            f"could not write {path} ({error.strerror or error}); what was there before is "
            "unchanged. Free some disk space or choose another folder.",
        ) from error
    finally:
        with suppress(OSError):  # it is there only where something went wrong
            temporary.unlink()


def read_verified(path: str | Path, sha256: str) -> bytes:
    """Return the bytes of a file, having compared their sha256.

    Args:
        path: The file to read.
        sha256: The expected hash, 64 hexadecimal digits.

    Returns:
        The content of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is truncated or altered.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; install pixelar_lib again.")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(
            f"{path} ({len(content):,} bytes) is truncated or altered: its sha256 is not the "
            "recorded one. Delete it and install or download it again."
        )
    return content


def read_asset(name: str) -> bytes:
    """Return the bytes of a file that ships in `pixelar_lib/assets`, sha256 checked.

    Args:
        name: The name of the file, as listed in `assets/SHA256SUMS`.

    Returns:
        The content of the file.

    Raises:
        FileNotFoundError: If no such file is listed or there.
        ValueError: If the file is truncated or altered.
    """
    lines = (ASSETS / "SHA256SUMS").read_text(encoding="utf8").splitlines()
    hashes = {file: digest for digest, file in (line.split() for line in lines)}
    if name not in hashes:
        raise FileNotFoundError(f"no asset is called {name!r}; there are {sorted(hashes)}.")
    return read_verified(ASSETS / name, hashes[name])
