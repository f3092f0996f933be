"""Seeds, the device, and files that are whole or absent."""

import errno
import hashlib
import os

import pytest
import torch

from pixelar_lib import runtime
from pixelar_lib.runtime import (
    pick_device,
    pick_generator,
    read_asset,
    read_verified,
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


@pytest.mark.parametrize("value", ["", "one", "1.5"])
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


def test_verified_file_is_read_only_with_the_right_hash(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    assert read_verified(path, digest) == b"content"
    for altered in (b"conten", b"Content", b""):
        path.write_bytes(altered)
        with pytest.raises(ValueError, match=rf"{len(altered)} bytes\) is truncated or altered"):
            read_verified(path, digest)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="is missing; install pixelar_lib again"):
        read_verified(path, digest)


def test_every_asset_is_listed_and_has_its_hash():
    unhashed = {"SHA256SUMS", "MNIST-LICENSE.txt"}
    names = {path.name for path in runtime.ASSETS.iterdir()} - unhashed
    lines = (runtime.ASSETS / "SHA256SUMS").read_text(encoding="utf8").splitlines()
    assert {line.split()[1] for line in lines} == names
    for name in names:
        assert read_asset(name) == (runtime.ASSETS / name).read_bytes()


def test_unknown_asset_is_refused_with_those_there_are():
    with pytest.raises(FileNotFoundError, match=r"no asset is called 'x'; .*mnist-subset.npz.xz"):
        read_asset("x")
