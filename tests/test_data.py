"""Real digits: the bundled subset, and the full set where it is or can be had."""

import errno
import hashlib
import shutil
import struct
import urllib.error
from pathlib import Path

import pytest
import torch
from torchvision.datasets import MNIST

from pixelar_lib import data, runtime
from pixelar_lib.data import find_root, load_mnist

# The bundled digits


@pytest.mark.parametrize(
    ("split", "size", "first_labels"),
    [
        ("train", 8000, [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]),
        ("validation", 2000, [0, 6, 2, 0, 6, 9, 4, 2, 8, 6]),
        ("test", 2000, [7, 1, 0, 5, 9, 0, 3, 2, 1, 5]),
    ],
)
def test_bundled_split_is_whole(split, size, first_labels):
    digits = load_mnist(split)
    assert len(digits) == size
    assert digits.images.shape == (size, 28, 28) and digits.images.dtype == torch.uint8
    assert digits.labels.shape == (size,) and digits.labels.dtype == torch.long
    assert digits.labels[:10].tolist() == first_labels
    assert digits.labels.unique().tolist() == [*range(10)]
    assert (int(digits.images.min()), int(digits.images.max())) == (0, 255)


def test_bundled_test_digits_have_the_ink_of_the_full_test_set():
    ink = (load_mnist("test").images > 0).double().mean()
    assert 0.190 < ink < 0.196  # 0.193 in all 10,000; 0.180 in the first 2,000


@pytest.fixture
def copied_assets(tmp_path, monkeypatch):
    """Return a copy of the assets' folder that the library reads instead."""
    for name in ("SHA256SUMS", "mnist-subset.npz.xz"):
        shutil.copy(runtime.ASSETS / name, tmp_path)
    monkeypatch.setattr(runtime, "ASSETS", tmp_path)
    return tmp_path


def test_truncated_asset_is_refused(copied_assets):
    file = copied_assets / "mnist-subset.npz.xz"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"mnist-subset.npz.xz .*truncated or altered"):
        load_mnist("train")


def test_one_altered_byte_is_noticed(copied_assets):
    file = copied_assets / "mnist-subset.npz.xz"
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match="its sha256 is not the recorded one"):
        load_mnist("train")


def test_missing_asset_is_named(copied_assets):
    (copied_assets / "mnist-subset.npz.xz").unlink()
    with pytest.raises(FileNotFoundError, match=r"mnist-subset.npz.xz is missing; install"):
        load_mnist("train")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("training",), r"split 'training' does not exist; choose one of \('train', 'validation'"),
        ((["train"],), "does not exist"),
        (("train", "web"), "source 'web' does not exist; choose 'bundled' or 'full'"),
        (("train", "bundled", "folder"), "root is for source='full'; the bundled digits need none"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_mnist(*arguments)


# The full set, from files made here: 60,000 and 10,000 images of one pixel


def idx(values, *shape):
    """Return the bytes of an IDX file, as MNIST comes in."""
    header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    return header + bytes(value % 251 for value in values)


@pytest.fixture(scope="module")
def small_files():
    """Return name -> bytes of the four files; levels and labels tell which image it is."""
    return {
        "train-images-idx3-ubyte": idx(range(60_000), 60_000, 1, 1),
        "train-labels-idx1-ubyte": idx(range(1, 60_001), 60_000),
        "t10k-images-idx3-ubyte": idx(range(2, 10_002), 10_000, 1, 1),
        "t10k-labels-idx1-ubyte": idx(range(3, 10_003), 10_000),
    }


@pytest.fixture
def recorded_hashes(small_files, monkeypatch):
    hashes = {name: hashlib.sha256(file).hexdigest() for name, file in small_files.items()}
    monkeypatch.setattr(data, "FULL_FILES", hashes)


def write_files(raw, files):
    Path(raw).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (Path(raw) / name).write_bytes(content)


def forbid_download(monkeypatch):
    def download(self):
        raise AssertionError("nothing is to be downloaded here")

    monkeypatch.setattr(MNIST, "download", download)


def test_full_splits_are_the_first_50000_the_last_10000_and_the_test_images(
    tmp_path, small_files, recorded_hashes, monkeypatch
):
    forbid_download(monkeypatch)
    write_files(tmp_path / "MNIST" / "raw", small_files)
    for split, indices, image_shift, label_shift in [
        ("train", range(50_000), 0, 1),
        ("validation", range(50_000, 60_000), 0, 1),
        ("test", range(10_000), 2, 3),
    ]:
        digits = load_mnist(split, "full", tmp_path)
        assert len(digits) == len(digits.labels) == len(indices)
        assert digits.images.dtype == torch.uint8 and digits.labels.dtype == torch.long
        assert digits.images.flatten().tolist() == [(i + image_shift) % 251 for i in indices]
        assert digits.labels.tolist() == [(i + label_shift) % 251 for i in indices]


def test_what_old_versions_of_torchvision_kept_is_not_read(
    tmp_path, small_files, recorded_hashes, monkeypatch
):
    forbid_download(monkeypatch)
    write_files(tmp_path / "MNIST" / "raw", small_files)
    old = torch.zeros(9, 28, 28, dtype=torch.uint8), torch.zeros(9, dtype=torch.long)
    (tmp_path / "MNIST" / "processed").mkdir()
    for name in ("training.pt", "test.pt"):
        torch.save(old, tmp_path / "MNIST" / "processed" / name)
    assert len(load_mnist("test", "full", tmp_path)) == 10_000


def test_root_comes_before_the_variable_and_that_before_the_home_folder(
    tmp_path, small_files, recorded_hashes, monkeypatch
):
    forbid_download(monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("PIXELAR_DATA", str(tmp_path / "variable"))
    with pytest.raises(AssertionError, match="downloaded"):
        load_mnist("test", "full")
    write_files(tmp_path / "variable" / "MNIST" / "raw", small_files)
    assert len(load_mnist("test", "full")) == 10_000
    with pytest.raises(AssertionError, match="downloaded"):
        load_mnist("test", "full", "~/named")
    write_files(tmp_path / "named" / "MNIST" / "raw", small_files)
    assert len(load_mnist("test", "full", "~/named")) == 10_000
    monkeypatch.delenv("PIXELAR_DATA")
    assert find_root() == tmp_path / ".cache" / "pixelar_lib"
    with pytest.raises(AssertionError, match="downloaded"):
        load_mnist("test", "full")


def test_user_without_a_home_folder_is_told_what_to_set(monkeypatch):
    def no_home(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("PIXELAR_DATA", raising=False)
    monkeypatch.setattr(Path, "expanduser", no_home)
    with pytest.raises(FileNotFoundError, match=r"no home folder for ~/.*set root= or PIXELAR"):
        load_mnist("test", "full")


def test_missing_files_are_downloaded_and_only_they_stay(
    tmp_path, small_files, recorded_hashes, monkeypatch
):
    monkeypatch.setattr(MNIST, "download", lambda self: write_files(self.raw_folder, small_files))
    assert len(load_mnist("validation", "full", tmp_path / "new")) == 10_000
    forbid_download(monkeypatch)
    assert len(load_mnist("train", "full", tmp_path / "new")) == 50_000
    files = {file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file()}
    assert files == {Path("new", "MNIST", "raw", name) for name in small_files}


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("part", ["images", "labels"])
def test_truncated_full_file_is_refused(
    tmp_path, small_files, recorded_hashes, monkeypatch, split, part
):
    forbid_download(monkeypatch)
    write_files(tmp_path / "MNIST" / "raw", small_files)
    begin = "t10k" if split == "test" else "train"
    (file,) = (tmp_path / "MNIST" / "raw").glob(f"{begin}-{part}*")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=rf"{file.name} .*truncated or altered.*download it again"):
        load_mnist(split, "full", tmp_path)


def test_downloaded_file_with_another_hash_never_gets_a_place(
    tmp_path, small_files, recorded_hashes, monkeypatch
):
    altered = {name: content[:-1] + b"\xff" for name, content in small_files.items()}
    monkeypatch.setattr(MNIST, "download", lambda self: write_files(self.raw_folder, altered))
    with pytest.raises(ValueError, match="truncated or altered"):
        load_mnist("train", "full", tmp_path)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_without_a_network_the_full_set_fails_with_what_to_do(tmp_path, monkeypatch, capsys):
    def no_network(*args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", no_network)
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist("test", "full", tmp_path)
    message = str(caught.value)
    for part in (str(tmp_path / "MNIST"), "network", "PIXELAR_DATA", "source='bundled'"):
        assert part in message
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("File not found or corrupted."),
        data.HTTPException("the line broke"),
    ],
)
def test_broken_download_fails_with_its_reason_and_leaves_nothing(tmp_path, monkeypatch, error):
    def break_off(self):
        write_files(self.raw_folder, {"train-images-idx3-ubyte.gz": b"half"})
        raise error

    monkeypatch.setattr(MNIST, "download", break_off)
    with pytest.raises(FileNotFoundError, match=str(error.args[-1])) as caught:
        load_mnist("train", "full", tmp_path)
    assert "the disk space" in str(caught.value)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_root_that_cannot_be_written_fails_with_what_to_do(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="whether the folder can be written"):
        load_mnist("train", "full", tmp_path / "file")


# The full set itself


@pytest.fixture
def full_root():
    """Return the folder of the full MNIST, or leave the test out."""
    root = find_root()
    if not (root / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file():
        pytest.skip("PIXELAR_DATA names no folder with MNIST/raw: full-set tests left out")
    return root


@pytest.mark.parametrize(
    ("split", "full_split", "part"),
    [
        ("train", "train", slice(8_000)),
        ("validation", "train", slice(8_000, 10_000)),
        ("test", "test", slice(None, None, 5)),
    ],
)
def test_bundled_digits_are_their_part_of_the_full_set(full_root, split, full_split, part):
    bundled, full = load_mnist(split), load_mnist(full_split, "full", full_root)
    assert len(full) == {"train": 50_000, "test": 10_000}[full_split]
    assert torch.equal(bundled.images, full.images[part])
    assert torch.equal(bundled.labels, full.labels[part])


def test_full_validation_split_is_the_last_10000(full_root):
    digits = load_mnist("validation", "full", full_root)
    whole = MNIST(full_root, train=True)
    assert torch.equal(digits.images, whole.data[50_000:])
    assert torch.equal(digits.labels, whole.targets[50_000:])
