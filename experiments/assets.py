"""Write files into pixelar_lib/assets and keep their hashes in SHA256SUMS."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

from pixelar_lib.runtime import ASSETS, write_atomically

SUMS = ASSETS / "SHA256SUMS"


def add_asset(name: str, content: bytes) -> None:
    """Write one asset, named by its path below assets, and its hash, as `sha256sum -c` reads it."""
    add_assets({name: content})


def add_assets(contents: dict[str, bytes]) -> None:
    """Write assets that belong together, such as weights and their record, and their hashes."""
    with _one_at_a_time():  # trainings may end at the same moment
        for name, content in contents.items():
            write_atomically(ASSETS / name, lambda path, content=content: path.write_bytes(content))
        lines = SUMS.read_text(encoding="utf8").splitlines() if SUMS.exists() else []
        hashes = {file: digest for digest, file in (line.split() for line in lines)}
        hashes |= {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        text = "".join(f"{hashes[file]}  {file}\n" for file in sorted(hashes))
        write_atomically(SUMS, lambda path: path.write_text(text, encoding="utf8"))


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Wait until no other process writes assets; the lock dies with its process."""
    if fcntl is None:
        yield
        return
    ASSETS.mkdir(parents=True, exist_ok=True)
    folder = os.open(ASSETS, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network drives have no locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
