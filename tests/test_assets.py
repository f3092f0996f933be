"""Assets and their hashes are written together, by one process at a time."""

import hashlib
import threading

import pytest

from experiments import assets


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(assets, "ASSETS", tmp_path)
    monkeypatch.setattr(assets, "SUMS", tmp_path / "SHA256SUMS")
    return tmp_path


def test_the_list_has_a_hash_for_each_in_the_order_of_their_names(folder):
    assets.add_assets({"weights/b": b"1", "records/a": b"2"})
    assets.add_asset("weights/b", b"3")
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    hashes = [hashlib.sha256(content).hexdigest() for content in (b"2", b"3")]
    assert lines == [f"{hashes[0]}  records/a", f"{hashes[1]}  weights/b"]
    assert (folder / "weights" / "b").read_bytes() == b"3"


def test_without_locks_as_on_windows_assets_are_written_all_the_same(folder, monkeypatch):
    monkeypatch.setattr(assets, "fcntl", None)
    assets.add_asset("a", b"1")
    assert (folder / "SHA256SUMS").read_text().endswith("  a\n")


def test_writers_wait_for_each_other_so_that_no_hash_is_lost(folder):
    names = [f"asset-{number}" for number in range(20)]
    writers = [threading.Thread(target=assets.add_asset, args=(name, b"1")) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    assert [line.split()[1] for line in lines] == sorted(names)
