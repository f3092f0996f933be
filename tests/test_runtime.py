"""Seeds, the device, and files that are whole or absent."""

import errno
import hashlib
import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from reader_settings import SETTINGS

from pixelar_lib import runtime
from pixelar_lib.runtime import (
    check_sha256,
    check_writable,
    pick_device,
    pick_generator,
    read_asset,
    seeded_generator,
    write_atomically,
)


def first_numbers(generator):
    return torch.rand(4, generator=generator).tolist()


# Seeds


def test_seed_decides_the_numbers(monkeypatch):
    monkeypatch.delenv("PIXELAR_SEED_OFFSET", raising=False)
    assert first_numbers(seeded_generator(3)) == first_numbers(torch.Generator().manual_seed(3))
    assert first_numbers(seeded_generator()) == first_numbers(seeded_generator(0))
    assert first_numbers(seeded_generator(3)) != first_numbers(seeded_generator(4))


def test_seed_offset_is_added(monkeypatch):
    monkeypatch.setenv("PIXELAR_SEED_OFFSET", "2")
    assert seeded_generator(3).initial_seed() == 5


def test_integers_of_numpy_are_seeds(monkeypatch):
    monkeypatch.delenv("PIXELAR_SEED_OFFSET", raising=False)
    assert seeded_generator(np.int64(3)).initial_seed() == 3
    with pytest.raises(TypeError, match="integer"):
        seeded_generator(1.5)


@pytest.mark.parametrize("setting", SETTINGS)
def test_readers_settings_do_not_change_the_generator(monkeypatch, setting):
    monkeypatch.delenv("PIXELAR_SEED_OFFSET", raising=False)
    expected = first_numbers(torch.Generator().manual_seed(3))
    with SETTINGS[setting]():
        generator = seeded_generator(3)
    assert generator.device.type == "cpu" and first_numbers(generator) == expected


def test_empty_variables_are_unset(monkeypatch):
    for name in ("PIXELAR_SEED_OFFSET", "PIXELAR_DEVICE"):
        monkeypatch.setenv(name, "")
    assert seeded_generator(3).initial_seed() == 3
    device = pick_device()
    monkeypatch.delenv("PIXELAR_DEVICE")
    assert device == pick_device()


@pytest.mark.parametrize("value", ["one", "1.5"])
def test_seed_offset_must_be_an_integer(monkeypatch, value):
    monkeypatch.setenv("PIXELAR_SEED_OFFSET", value)
    with pytest.raises(ValueError, match=f"PIXELAR_SEED_OFFSET is '{value}'; set it to an integer"):
        seeded_generator()


def test_generator_that_is_given_is_used_else_the_default(monkeypatch):
    monkeypatch.delenv("PIXELAR_SEED_OFFSET", raising=False)
    generator = torch.Generator()
    assert pick_generator(generator) is generator
    assert pick_generator(None).initial_seed() == 0


@pytest.mark.parametrize("generator", [42, "seed"])
def test_bare_seed_is_no_generator(generator):
    with pytest.raises(TypeError, match=rf"is {generator!r}; give .*runtime.seeded_generator\("):
        pick_generator(generator)


# The device


@pytest.fixture
def machine(monkeypatch):
    """Return a function that pretends to be on a machine with other devices."""

    def pretend(cuda=0, mps=False, variable=None):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        if variable is None:
            monkeypatch.delenv("PIXELAR_DEVICE", raising=False)
        else:
            monkeypatch.setenv("PIXELAR_DEVICE", variable)

    return pretend


@pytest.mark.parametrize(
    ("there", "device"),
    [
        ({}, "cpu"),
        ({"mps": True}, "mps"),
        ({"cuda": 1}, "cuda"),
        ({"cuda": 1, "mps": True}, "cuda"),
    ],
)
def test_auto_takes_cuda_then_mps_then_cpu(machine, there, device):
    machine(**there)
    assert pick_device() == pick_device("auto") == torch.device(device)


def test_variable_decides_for_auto_and_only_for_auto(machine):
    machine(cuda=2, mps=True, variable="cpu")
    assert pick_device("auto") == torch.device("cpu")
    assert pick_device("cuda:1") == pick_device(torch.device("cuda:1")) == torch.device("cuda:1")
    machine(cuda=2, variable="auto")
    assert pick_device() == torch.device("cuda")


@pytest.mark.parametrize("device", ["cuda", "mps", "cpu:1", "tpu", "meta", "", None, 1.5])
def test_device_that_is_not_there_is_refused_with_those_that_are(machine, device):
    machine()
    with pytest.raises(ValueError, match=rf"device '{device}' is not .* one of \['cpu'\]"):
        pick_device(device)


def test_device_number_beyond_the_last_is_refused(machine):
    machine(cuda=1)
    assert pick_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(ValueError, match=r"'cuda:1' is not .* one of \['cpu', 'cuda'\]"):
        pick_device("cuda:1")


def test_bad_variable_is_named(machine):
    machine(variable="gpu")
    with pytest.raises(ValueError, match=r"'gpu' is not .*check .* PIXELAR_DEVICE"):
        pick_device()


# Files


def test_write_makes_the_folder_and_leaves_only_the_file(tmp_path):
    path = tmp_path / "new folder" / "é.bin"
    write_atomically(path, lambda temporary: temporary.write_bytes(b"first"))
    write_atomically(str(path), lambda temporary: temporary.write_bytes(b"second"))
    assert path.read_bytes() == b"second"
    assert os.listdir(path.parent) == ["é.bin"]


def test_written_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").write_bytes(b"")
    write_atomically(tmp_path / "file", lambda temporary: temporary.write_bytes(b""))
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left.*Free some disk space"),
        (OSError("odd"), "odd"),
        (KeyboardInterrupt(), None),
    ],
)
def test_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path, error, message):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail_halfway(temporary):
        temporary.write_bytes(b"ne")
        raise error

    with pytest.raises(type(error), match=message) as caught:
        write_atomically(path, fail_halfway)
    if isinstance(error, OSError):
        assert caught.value.errno == error.errno
        assert str(path) in str(caught.value) and "unchanged" in str(caught.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=r"could not write .*choose another folder"):
        write_atomically(tmp_path / "file" / "x", lambda temporary: temporary.write_bytes(b""))


@pytest.fixture(params=["missing folder", "there"])
def writable(request, tmp_path):
    path = tmp_path / ("new/newer/file" if request.param == "missing folder" else "file")
    if request.param == "there":
        path.write_bytes(b"old")
    return path


def test_check_of_a_writable_file_leaves_everything_as_it_was(writable, tmp_path, monkeypatch):
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    check_writable(writable)
    monkeypatch.chdir(tmp_path)
    check_writable(str(writable.relative_to(tmp_path)))
    assert {p: p.is_file() and p.read_bytes() for p in tmp_path.rglob("*")} == before
    write_atomically(writable, lambda temporary: temporary.write_bytes(b"new"))
    assert writable.read_bytes() == b"new"


@pytest.mark.parametrize("name", ["folder", "file/x", "file/new/x", "n" * 300, "n" * 300 + "/x"])
def test_what_cannot_be_written_is_refused_before_and_while_writing(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for use in (check_writable, lambda path: write_atomically(path, lambda t: t.write_bytes(b""))):
        with pytest.raises(OSError, match=r"could not write .*choose another folder"):
            use(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_folder_that_may_not_be_written_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("this user may write everywhere")
    for path in (tmp_path / "file", tmp_path / "new" / "file"):
        with pytest.raises(PermissionError, match="could not write"):
            check_writable(path)


# What killed processes leave


@pytest.fixture
def writer(tmp_path):
    """Start a process that stays in the middle of writing `tmp_path / "file"`; return it."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("no fork here")

    def stay_halfway(temporary):
        temporary.write_bytes(b"half")
        time.sleep(60)

    process = multiprocessing.get_context("fork").Process(
        target=write_atomically, args=(tmp_path / "file", stay_halfway)
    )
    process.start()
    while not any(path.stat().st_size for path in tmp_path.glob(".file-*")):
        time.sleep(0.01)
    yield process
    process.kill()
    process.join()


def test_next_write_deletes_what_a_killed_one_left_and_nothing_else(tmp_path, writer):
    others = {".file-0123456", ".file2-01234567", ".file-01234567-89abcdef", "file-01234567"}
    for name in others:
        (tmp_path / name).touch()
    write_atomically(tmp_path / "file", lambda temporary: temporary.write_bytes(b"meanwhile"))
    assert len(os.listdir(tmp_path)) == len(others) + 2  # the other process is still writing
    writer.kill()
    writer.join()
    write_atomically(tmp_path / "file", lambda temporary: temporary.write_bytes(b"afterwards"))
    assert set(os.listdir(tmp_path)) == {"file", *others}
    assert (tmp_path / "file").read_bytes() == b"afterwards"


def test_without_locks_litter_is_what_is_old(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "fcntl", None)  # as on Windows
    young, old = tmp_path / ".[f]-01234567", tmp_path / ".[f]-89abcdef"
    for path in (young, old):
        path.touch()
    os.utime(old, (0, 0))
    write_atomically(tmp_path / "[f]", lambda temporary: temporary.write_bytes(b""))
    check_writable(tmp_path / "[f]")
    assert sorted(os.listdir(tmp_path)) == [young.name, "[f]"]


def test_many_may_write_one_file_at_once(tmp_path):
    def write(number):
        content = bytes([number]) * 1000
        write_atomically(tmp_path / "file", lambda temporary: temporary.write_bytes(content))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(200)))
    assert len(set((tmp_path / "file").read_bytes())) == 1
    assert os.listdir(tmp_path) == ["file"]


# Hashes


def test_content_passes_only_with_the_right_hash():
    digest = hashlib.sha256(b"content").hexdigest()
    assert check_sha256(b"content", digest, "file", "Help.") == b"content"
    for altered in (b"conten", b"Content", b""):
        message = rf"file \({len(altered)} bytes\) is truncated or altered.*Help\."
        with pytest.raises(ValueError, match=message):
            check_sha256(altered, digest, "file", "Help.")


def test_every_asset_is_listed_and_has_its_hash():
    paths = (path for path in runtime.ASSETS.rglob("*") if path.is_file())
    names = {path.relative_to(runtime.ASSETS).as_posix() for path in paths}
    unhashed = {name for name in names if name.endswith(("SHA256SUMS", "MNIST-LICENSE.txt"))}
    lines = (runtime.ASSETS / "SHA256SUMS").read_text(encoding="utf8").splitlines()
    assert {line.split()[1] for line in lines} == names - unhashed
    for name in names - unhashed:
        assert read_asset(name) == (runtime.ASSETS / name).read_bytes()


def test_assets_may_lie_in_folders(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "x.xz").write_bytes(b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{digest}  digits/x.xz\n", encoding="utf8")
    monkeypatch.setattr(runtime, "ASSETS", tmp_path)
    assert read_asset("digits/x.xz") == b"content"
    (tmp_path / "digits" / "x.xz").write_bytes(b"conten")
    with pytest.raises(ValueError, match=r"x\.xz .*truncated or altered.*[Ii]nstall pixelar_lib"):
        read_asset("digits/x.xz")
    (tmp_path / "digits" / "x.xz").unlink()
    with pytest.raises(FileNotFoundError, match=r"x\.xz is missing; install pixelar_lib again"):
        read_asset("digits/x.xz")


def test_unknown_asset_is_refused_with_those_there_are():
    with pytest.raises(FileNotFoundError, match=r"no asset is called 'x'; .*mnist-subset.npz.xz"):
        read_asset("x")
