"""Real digits: the bundled subset, and the full set where it is or can be had."""

import errno
import gzip
import hashlib
import io
import shutil
import struct
import sys
import urllib.error
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from reader_settings import SETTINGS

from pixelar_lib import data, runtime
from pixelar_lib.data import find_root, load_mnist, missing_files

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
    for name in ("SHA256SUMS", data.BUNDLED):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(runtime.ASSETS / name, tmp_path / name)
    monkeypatch.setattr(runtime, "ASSETS", tmp_path)
    return tmp_path


def test_truncated_asset_is_refused(copied_assets):
    file = copied_assets / data.BUNDLED
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"mnist-subset.npz.xz .*truncated or altered"):
        load_mnist("train")


def test_one_altered_byte_is_noticed(copied_assets):
    file = copied_assets / data.BUNDLED
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match="its sha256 is not the recorded one"):
        load_mnist("train")


def test_missing_asset_is_named(copied_assets):
    (copied_assets / data.BUNDLED).unlink()
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


@pytest.fixture(autouse=True)
def serve(monkeypatch):
    """Return a function that says what a download gets: {name: bytes}, or an error.

    Until it is called, any download fails its test.
    """

    def say(files):
        def reply(url, timeout):
            if isinstance(files, BaseException):
                raise files
            return io.BytesIO(files[url.rpartition("/")[2].removesuffix(".gz")])

        monkeypatch.setattr(data, "urlopen", reply)

    mnist = SimpleNamespace(mirrors=["https://one.invalid/", "https://two.invalid/"])
    module = SimpleNamespace(MNIST=mnist)  # the real one takes seconds to import
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(datasets=module))
    monkeypatch.setitem(sys.modules, "torchvision.datasets", module)
    say(AssertionError("nothing is to be downloaded here"))
    return say


def packed(files):
    return {name: gzip.compress(content, 1) for name, content in files.items()}


def all_files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_full_splits_are_the_first_50000_the_last_10000_and_the_test_images(
    tmp_path, small_files, recorded_hashes
):
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


def test_what_old_versions_of_torchvision_kept_is_not_read(tmp_path, small_files, recorded_hashes):
    write_files(tmp_path / "MNIST" / "raw", small_files)
    old = torch.zeros(9, 28, 28, dtype=torch.uint8), torch.zeros(9, dtype=torch.long)
    (tmp_path / "MNIST" / "processed").mkdir()
    for name in ("training.pt", "test.pt"):
        torch.save(old, tmp_path / "MNIST" / "processed" / name)
    assert len(load_mnist("test", "full", tmp_path)) == 10_000


def test_root_comes_before_the_variable_and_that_before_the_home_folder(
    tmp_path, small_files, recorded_hashes, monkeypatch
):
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


# The full set, placed by hand

LAYOUTS = {
    "torchvision's": ("MNIST/raw", str),
    "as downloaded": ("MNIST/raw", "{}.gz".format),
    "in raw": ("raw", str),
    "in the root": ("", "{}.gz".format),
    "with a dot": ("", lambda name: name.replace("-idx", ".idx")),
    "with a dot, packed": ("MNIST/raw", lambda name: name.replace("-idx", ".idx") + ".gz"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_placed_by_hand_are_read_where_they_are(
    tmp_path, small_files, recorded_hashes, layout
):
    folder, spelled = LAYOUTS[layout]
    test_files = {name: content for name, content in small_files.items() if "t10k" in name}
    files = {spelled(name): content for name, content in test_files.items()}
    write_files(tmp_path / folder, packed(files) if spelled("").endswith("gz") else files)
    before = all_files(tmp_path)
    assert load_mnist("test", "full", tmp_path).labels[:3].tolist() == [3, 4, 5]
    assert missing_files(tmp_path) == [name for name in small_files if "train" in name]
    assert all_files(tmp_path) == before


def test_names_may_say_packed_or_not_whatever_the_files_are(tmp_path, small_files, recorded_hashes):
    write_files(tmp_path, packed(small_files))
    write_files(tmp_path / "other", {f"{name}.gz": file for name, file in small_files.items()})
    for root in (tmp_path, tmp_path / "other"):
        assert missing_files(root) == []
        assert len(load_mnist("test", "full", root)) == 10_000


def test_missing_file_is_named(tmp_path, small_files, recorded_hashes, serve):
    serve(urllib.error.URLError("no network"))
    name = "train-labels-idx1-ubyte"
    write_files(tmp_path, {k: file for k, file in small_files.items() if k != name})
    assert missing_files(tmp_path) == [name]
    with pytest.raises(FileNotFoundError, match=f"lacks {name}, "):
        load_mnist("train", "full", tmp_path)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("part", ["images", "labels"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_truncated_full_file_is_refused(
    tmp_path, small_files, recorded_hashes, split, part, ending
):
    files = packed(small_files) if ending else small_files
    write_files(tmp_path, {name + ending: content for name, content in files.items()})
    begin = "t10k" if split == "test" else "train"
    (file,) = tmp_path.glob(f"{begin}-{part}*")
    file.write_bytes(file.read_bytes()[:-1])
    message = rf"{file.name} .*truncated or altered.*downloaded again"
    with pytest.raises(ValueError, match=message):
        load_mnist(split, "full", tmp_path)
    with pytest.raises(ValueError, match=message):
        missing_files(tmp_path)


# The full set, downloaded


def test_missing_files_are_downloaded_and_only_they_stay(
    tmp_path, small_files, recorded_hashes, serve
):
    serve(packed(small_files))
    assert len(load_mnist("validation", "full", tmp_path / "new")) == 10_000
    serve(AssertionError("all files are there"))
    assert len(load_mnist("train", "full", tmp_path / "new")) == 50_000
    assert missing_files(tmp_path / "new") == []
    assert all_files(tmp_path) == {f"new/MNIST/raw/{name}" for name in small_files}


def test_what_is_there_is_not_downloaded_again(tmp_path, small_files, recorded_hashes, serve):
    there = {name: file for name, file in small_files.items() if "train" in name}
    write_files(tmp_path, there)
    serve({name: file for name, file in packed(small_files).items() if name not in there})
    assert len(load_mnist("test", "full", tmp_path)) == 10_000
    assert len(load_mnist("train", "full", tmp_path)) == 50_000


def test_what_a_killed_download_left_is_deleted(tmp_path, small_files, recorded_hashes, serve):
    litter = tmp_path / "MNIST" / "raw" / ".train-images-idx3-ubyte-0123abcd"
    write_files(litter.parent, {litter.name: b"half"})
    serve(packed(small_files))
    load_mnist("train", "full", tmp_path)
    assert all_files(tmp_path / "MNIST" / "raw") == {*small_files}


@pytest.mark.parametrize("change", [lambda file: file[:-9], lambda file: b"<html>", gzip.compress])
def test_download_that_is_not_whole_never_gets_a_place(
    tmp_path, small_files, recorded_hashes, serve, change
):
    serve({name: change(content) for name, content in packed(small_files).items()})
    with pytest.raises(FileNotFoundError, match=r"truncated or altered") as caught:
        load_mnist("train", "full", tmp_path)
    assert "elete" not in str(caught.value)  # there is nothing to delete
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("no network"),
        TimeoutError("the read operation timed out"),
        data.HTTPException("the line broke"),
    ],
)
def test_failed_download_says_why_and_what_to_do_and_leaves_nothing(tmp_path, serve, error):
    serve(error)
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist("test", "full", tmp_path / "new")
    message = str(caught.value)
    for part in (
        *(str(error), str(tmp_path / "new" / "MNIST"), "t10k-labels-idx1-ubyte"),
        *("network", "disk space", "PIXELAR_DATA", "by hand", "source='bundled'"),
    ):
        assert part in message
    assert not [*tmp_path.iterdir()]


def test_full_disk_leaves_nothing(tmp_path, small_files, recorded_hashes, serve, monkeypatch):
    def no_space(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    serve(packed(small_files))
    monkeypatch.setattr(Path, "write_bytes", no_space)
    with pytest.raises(FileNotFoundError, match="No space left on device"):
        load_mnist("train", "full", tmp_path)
    assert not [*tmp_path.iterdir()]


def test_root_that_cannot_be_written_fails_before_anything_is_downloaded(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="whether the folder can be written"):
        load_mnist("train", "full", tmp_path / "file")


# The reader's settings


@pytest.fixture(scope="module")
def bundled():
    return load_mnist("test")


@pytest.mark.parametrize("setting", SETTINGS)
def test_readers_settings_change_no_digit(tmp_path, small_files, recorded_hashes, bundled, setting):
    write_files(tmp_path, small_files)
    expected = bundled, load_mnist("test", "full", tmp_path)
    with SETTINGS[setting]():
        loaded = load_mnist("test"), load_mnist("test", "full", tmp_path)
    for there, here in zip(expected, loaded, strict=True):
        assert torch.equal(there.images, here.images) and torch.equal(there.labels, here.labels)
        assert not here.images.is_inference() and not here.labels.is_inference()


# The full set itself


@pytest.fixture
def full_root():
    """Return the folder of the full MNIST, or leave the test out."""
    if missing_files():
        pytest.skip("PIXELAR_DATA names no folder with the full set: full-set tests left out")
    return find_root()


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


def test_full_validation_split_is_the_last_10000(full_root, monkeypatch):
    monkeypatch.undo()  # the real torchvision
    from torchvision.datasets import MNIST

    assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in MNIST.mirrors)
    if not (full_root / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file():
        pytest.skip("torchvision reads only files in MNIST/raw")
    digits = load_mnist("validation", "full", full_root)
    whole = MNIST(full_root, train=True)
    assert torch.equal(digits.images, whole.data[50_000:])
    assert torch.equal(digits.labels, whole.targets[50_000:])
