"""What the environment decides: seeds, the device, and files that are whole or absent."""

import errno
import glob
import hashlib
import operator
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

ASSETS = Path(__file__).parent / "assets"


def seeded_generator(seed: int = 0) -> torch.Generator:
    """Return a random number generator on the CPU, seeded with `seed` + `PIXELAR_SEED_OFFSET`.

    The environment variable shifts every default seed at once, so that you can check
    whether a result depends on one lucky seed.

    Args:
        seed: Any integer.

    Returns:
        A `torch.Generator` on the CPU.

    Raises:
        TypeError: If the seed is not an integer.
        ValueError: If `PIXELAR_SEED_OFFSET` is not an integer.
    """
    text = os.environ.get("PIXELAR_SEED_OFFSET") or "0"
    try:
        offset = int(text)
    except ValueError:
        raise ValueError(
            f"PIXELAR_SEED_OFFSET is {text!r}; set it to an integer such as 1, or unset it."
        ) from None
    return torch.Generator(device="cpu").manual_seed(operator.index(seed) + offset)


def pick_generator(generator: torch.Generator | None) -> torch.Generator:
    """Return the given generator, or `seeded_generator()` if there is none.

    Args:
        generator: On the CPU, or None.

    Returns:
        A `torch.Generator` on the CPU.

    Raises:
        TypeError: If it is something else, such as a bare seed, or on another device.
    """
    if generator is None:
        return seeded_generator()
    if not isinstance(generator, torch.Generator) or generator.device.type != "cpu":
        raise TypeError(
            f"generator is {generator!r}; give a torch.Generator on the CPU, as "
            "runtime.seeded_generator(1) makes from the seed 1."
        )
    return generator


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """Return the device to compute on.

    Args:
        device: A device such as "cpu" or "cuda:0", or "auto": then `PIXELAR_DEVICE`
            decides if it is set, else the first available of cuda, mps and cpu.

    Returns:
        A `torch.device` that exists on this machine.

    Raises:
        ValueError: If the device has no such name or is not on this machine.
    """
    wanted = os.environ.get("PIXELAR_DEVICE") or "auto" if str(device) == "auto" else device
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

    Half-written files that a killed process left beside `path` are deleted; one that another
    process is writing at the moment is not.

    Args:
        path: The file to write; its folder is created where it is missing.
        write: Called with the path of an empty temporary file in the same folder.

    Raises:
        OSError: If the folder or file cannot be written, or the disk is full. What was at
            `path` before is then still there.
    """
    path = Path(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _delete_litter(path)
        with _temporary_beside(path) as temporary:
            write(temporary)
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())  # else a power cut may leave the name and no content
            os.replace(temporary, path)


def check_writable(path: str | Path) -> None:
    """Raise unless `write_atomically` could write this file; the attempt leaves nothing behind.

    Args:
        path: The file that is to be written later.

    Raises:
        OSError: As `write_atomically` does, except that a disk may still fill up.
    """
    path = Path(path)
    with _explained(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with _temporary_beside(_nearest_folder(path) / path.name):
            pass


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(
            error.errno,
            f"could not write {path} ({error.strerror or error}); what was there before is "
            "unchanged. Free some disk space or choose another folder.",
        ) from error


@contextmanager
def _temporary_beside(path: Path) -> Iterator[Path]:
    """Create an empty file; its lock, which dies with the process, says that it is in use."""
    temporary, lock = _create_locked(path)
    try:
        yield temporary
    finally:
        with suppress(OSError):  # it is there only where something went wrong
            temporary.unlink()
        lock.close()


def _create_locked(path: Path):
    while True:
        temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        lock = temporary.open("xb")
        if fcntl is None:
            lock.close()  # Windows renames no open file
            return temporary, lock
        with suppress(OSError):  # some network drives have no locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        if temporary.exists():  # else it was taken for litter before it was locked
            return temporary, lock
        lock.close()


def _delete_litter(path: Path) -> None:
    for file in path.parent.glob(f".{glob.escape(path.name)}-{'[0-9a-f]' * 8}"):
        with suppress(OSError):  # its writer is alive, or somebody else was quicker
            if fcntl is None:  # Windows deletes no open file, and a minute is for the renaming
                if time.time() - file.stat().st_mtime > 60:
                    file.unlink()
                continue
            with file.open("r+b") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.unlink()


def _nearest_folder(path: Path) -> Path:
    """Return the folder of `path`, or the one in which it would have to be created."""
    for folder in path.absolute().parents:
        with suppress(FileNotFoundError):
            folder.stat()
            return folder
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def check_sha256(content: bytes, sha256: str, origin: str | Path, advice: str) -> bytes:
    """Return `content` if it has this sha256.

    Args:
        content: What was read.
        sha256: The expected hash, 64 hexadecimal digits.
        origin: Where it was read, for the error.
        advice: What to do, for the error.

    Returns:
        The content, unchanged.

    Raises:
        ValueError: If it has another hash.
    """
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(
            f"{origin} ({len(content):,} bytes) is truncated or altered: its sha256 is not the "
            f"recorded one. {advice}"
        )
    return content


def read_asset(name: str) -> bytes:
    """Return the bytes of a file that ships in `pixelar_lib/assets`, sha256 checked.

    This detects damage, not tampering: whoever can alter a file can alter the list beside it.

    Args:
        name: The file's path below `assets`, with slashes, as listed in `assets/SHA256SUMS`.

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
    file = ASSETS / name
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing; install pixelar_lib again.")
    return check_sha256(file.read_bytes(), hashes[name], file, "Install pixelar_lib again.")
