"""Write files into pixelar_lib/assets and keep their hashes in SHA256SUMS."""

import hashlib

from pixelar_lib.runtime import ASSETS, write_atomically

SUMS = ASSETS / "SHA256SUMS"


def add_asset(name: str, content: bytes) -> None:
    """Write one asset, named by its path below assets, and its hash, as `sha256sum -c` reads it."""
    write_atomically(ASSETS / name, lambda path: path.write_bytes(content))
    lines = SUMS.read_text(encoding="utf8").splitlines() if SUMS.exists() else []
    hashes = {file: digest for digest, file in (line.split() for line in lines)}
    hashes[name] = hashlib.sha256(content).hexdigest()
    text = "".join(f"{hashes[file]}  {file}\n" for file in sorted(hashes))
    write_atomically(SUMS, lambda path: path.write_text(text, encoding="utf8"))
