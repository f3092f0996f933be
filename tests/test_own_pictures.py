"""The reader's own pictures: what is taken, what is left out, and what is said of it."""

import gzip
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from pixelar_lib.data import load_mnist, load_own
from pixelar_lib.own_pictures import FEWEST

SIZE = (6, 5)  # H, W: not square, so that rows and columns cannot be confused


def some_levels(number=24, size=SIZE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (number, *size), dtype=np.uint8)


def save(folder, levels, begin="", mode=None):
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(levels):
        Image.fromarray(one, mode).save(folder / f"{begin}{number:03d}.png")


@pytest.fixture
def folder(tmp_path):
    """Return a folder with 24 grey pictures."""
    save(tmp_path / "own", some_levels())
    return tmp_path / "own"


# Arrays


@pytest.mark.parametrize("turn", [np.asarray, torch.from_numpy, lambda some: some[..., None]])
def test_an_array_of_levels_stays_as_it_is(turn):
    levels = some_levels()
    own = load_own(turn(levels))
    assert torch.equal(own.images, torch.from_numpy(levels))
    assert (own.labels, own.classes, own.notes) == (None, (), ())
    own.images[0] = 0
    assert levels[0].any()  # a copy


def test_floats_become_the_nearest_level():
    levels = some_levels()
    assert torch.equal(load_own(levels / 255).images, torch.from_numpy(levels))
    assert torch.equal(load_own(levels[::-1] / 255).images, torch.from_numpy(levels[::-1].copy()))


def test_colour_is_turned_to_grey_as_pillow_does_and_said(tmp_path):
    colours = some_levels(size=(*SIZE, 3))
    own = load_own(colours)
    save(tmp_path, colours)
    from_files = load_own(tmp_path)
    assert (own.images.int() - from_files.images.int()).abs().max() <= 1  # Pillow rounds down
    assert own.notes == from_files.notes == ("24 pictures in colour were turned to grey.",)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (some_levels().tolist(), TypeError, "source is a list; give the path"),
        (some_levels() > 9, TypeError, "True and False; give uint8"),
        (some_levels().astype(np.uint16) * 257, TypeError, "dtype torch.uint16; give uint8"),
        (some_levels().astype(np.int64), TypeError, "dtype torch.int64; give uint8"),
        (some_levels().astype(np.float32), ValueError, "Divide 8-bit levels by 255"),
        (some_levels() / 16.0, ValueError, "Divide by the level of white"),
        (np.full((30, 4, 4), np.nan), ValueError, "NaN"),
        (some_levels()[0], ValueError, r"shape \(6, 5\); give \(N, H, W\)"),
        (some_levels(size=(*SIZE, 4)), ValueError, r"shape \(24, 6, 5, 4\); give"),
        (some_levels(size=(0, 5)), ValueError, r"shape \(24, 0, 5\); give"),
        (some_levels(FEWEST - 1), ValueError, "19 pictures that can be used; 20 are the least"),
        (np.full((30, 4, 4), 255, np.uint8), ValueError, "have the level 255; there is nothing"),
    ],
)
def test_an_array_that_cannot_be_used_is_refused(source, error, message):
    with pytest.raises(error, match=message):
        load_own(source)


def test_squares_become_their_mean_when_asked():
    levels = some_levels()
    large = levels.repeat(4, axis=1).repeat(4, axis=2)  # as the lab saves them
    own = load_own(large, shrink=4)
    assert torch.equal(own.images, torch.from_numpy(levels))
    assert own.notes == ("Squares of 4 x 4 pixels became one pixel each.",)
    large[:, 0, 0] = 0
    mean = (15 * levels[:, 0, 0].astype(int) + large[:, 0, 0]) / 16
    assert np.abs(load_own(large, shrink=4).images[:, 0, 0].numpy() - mean).max() <= 0.5


@pytest.mark.parametrize(
    ("shrink", "error", "message"),
    [
        (4, ValueError, "pictures of 6 x 5 pixels cannot be cut into squares of 4 x 4"),
        (0, ValueError, "shrink is 0; it must be at least 1"),
        (0.5, TypeError, "shrink must be an int"),
    ],
)
def test_squares_that_do_not_fit_are_refused(shrink, error, message):
    with pytest.raises(error, match=message):
        load_own(some_levels(), shrink=shrink)


def test_pictures_of_one_pixel_are_pictures():
    assert load_own(some_levels(size=(1, 1))).images.shape == (24, 1, 1)


# Folders


def test_a_folder_is_read_in_the_order_of_its_names(folder):
    own = load_own(str(folder))
    assert torch.equal(own.images, torch.from_numpy(some_levels()))
    assert own.labels is None and own.notes == ()


def test_folders_in_a_folder_are_labels(tmp_path):
    save(tmp_path / "tree", some_levels(12))
    save(tmp_path / "house" / "old", some_levels(12, seed=1))
    own = load_own(tmp_path)
    assert own.classes == ("house", "tree")
    assert own.labels.tolist() == [0] * 12 + [1] * 12 and own.labels.dtype == torch.long
    assert torch.equal(own.images[12:], torch.from_numpy(some_levels(12)))
    save(tmp_path, some_levels(1))  # one that lies in no folder has no label
    mixed = load_own(tmp_path)
    assert mixed.labels is None
    note = "1 picture lies beside the folders, so the folders' names were not taken for labels."
    assert mixed.notes == (note,)


def test_what_cannot_be_used_is_left_out_and_named(folder):
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden").write_bytes(b"")
    (folder / "torn.png").write_bytes((folder / "000.png").read_bytes()[:40])
    deep = some_levels(1).astype(np.uint16)[0] * 257
    Image.fromarray(deep).save(folder / "deep.png")
    see_through = np.dstack([some_levels(1)[0]] * 4)
    Image.fromarray(see_through).save(folder / "see_through.png")
    Image.fromarray(some_levels(1, (9, 9))[0]).save(folder / "large.png")
    frames = [Image.fromarray(one) for one in some_levels(2)]
    frames[0].save(folder / "moves.gif", save_all=True, append_images=frames[1:])
    own = load_own(folder)
    assert torch.equal(own.images, torch.from_numpy(some_levels()))
    assert sorted(own.notes) == [
        "1 file was left out, of another size than 6 x 5: large.png.",
        "1 file was left out, transparent in places (lay them on a background first): "
        "see_through.png.",
        "1 file was left out, with more than 8 bits a pixel (save them with 8): deep.png.",
        "1 file was left out, with several pictures in one file: moves.gif.",
        "3 files were left out, no picture, or damaged: .hidden, notes.txt, torn.png.",
    ]


def test_what_only_looks_odd_is_taken(folder):
    levels = some_levels(1, seed=5)[0]
    opaque = np.dstack([levels, levels, levels, np.full_like(levels, 255)])
    Image.fromarray(opaque).save(folder / "opaque.png")
    Image.fromarray(levels).convert("P").save(folder / "palette.png")
    Image.fromarray(levels > 127).save(folder / "two_tones.png")
    turned = Image.Exif()
    turned[0x0112] = 6  # a telephone held upright writes its picture lying down
    Image.fromarray(np.rot90(levels).copy()).save(folder / "turned.png", exif=turned)
    own = load_own(folder)
    assert len(own) == 28 and own.notes == ()
    for image in (own.images[24], own.images[25], own.images[26]):
        assert torch.equal(image, torch.from_numpy(levels))
    assert own.images[27].unique().tolist() == [0, 255]


def test_a_single_picture_in_colour_is_one(folder):
    Image.new("RGB", SIZE[::-1], (200, 30, 30)).save(folder / "red.png")
    assert load_own(folder).notes == ("1 picture in colour was turned to grey.",)


def test_sizes_that_differ_are_refused_and_listed(folder):
    save(folder, some_levels(24, (5, 6)), begin="lying")
    with pytest.raises(ValueError, match=r"2 sizes.*24 of 6 x 5, 24 of 5 x 6.*Crop or resize"):
        load_own(folder)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds 0 pictures that can be used"):
        load_own(tmp_path)


def test_a_folder_without_pictures_says_why(tmp_path):
    for number in range(30):
        (tmp_path / f"{number}.txt").write_text("no picture")
    with pytest.raises(ValueError, match=r"30 files were left out, no picture, or damaged: 0.txt"):
        load_own(tmp_path)


def test_a_picture_that_is_far_too_large_is_left_out(folder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.fromarray(some_levels(1, (30, 30))[0]).save(folder / "huge.png")
    assert load_own(folder).notes == ("1 file was left out, far too large: huge.png.",)


# Files


def test_npz_with_images_and_labels(tmp_path):
    labels = np.array(["b", "a"] * 12)
    np.savez(tmp_path / "own.npz", images=some_levels(), labels=labels)
    own = load_own(tmp_path / "own.npz")
    assert torch.equal(own.images, torch.from_numpy(some_levels()))
    assert own.classes == ("a", "b") and own.labels.tolist() == [1, 0] * 12


def test_npz_and_npy_with_one_array(tmp_path):
    np.savez(tmp_path / "own.npz", some_levels())
    np.save(tmp_path / "own.npy", some_levels())
    for name in ("own.npz", "own.npy"):
        assert torch.equal(load_own(tmp_path / name).images, torch.from_numpy(some_levels()))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"one": some_levels(), "two": some_levels()}, r"holds \['one', 'two'\]; call"),
        ({"images": some_levels(), "labels": np.arange(3)}, r"24 pictures and labels of shape"),
        ({"images": np.array([None] * 30)}, "cannot be read as numbers"),
    ],
)
def test_npz_that_cannot_be_used_is_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load_own(tmp_path / "own.npz")


@pytest.mark.parametrize("name", ["own.npz", "own.npy"])
def test_truncated_file_of_arrays_is_refused(tmp_path, name):
    (np.savez if name == "own.npz" else np.save)(tmp_path / name, some_levels())
    for length in (0, 5, 300):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:length])
        with pytest.raises(ValueError, match=f"{name} cannot be read as numbers"):
            load_own(tmp_path / name)


def idx(array):
    """Return an array of bytes in MNIST's format."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


@pytest.mark.parametrize("pack", [False, True])
def test_the_four_files_of_mnist(tmp_path, pack):
    files = {
        "train-images-idx3-ubyte": some_levels(24),
        "train-labels-idx1-ubyte": np.arange(24, dtype=np.uint8) % 3 + 7,
        "t10k-images-idx3-ubyte": some_levels(20, seed=1),
        "t10k-labels-idx1-ubyte": np.zeros(20, np.uint8),
    }
    for name, array in files.items():
        content = gzip.compress(idx(array)) if pack else idx(array)
        (tmp_path / (name + ".gz" * pack)).write_bytes(content)
    train = load_own(tmp_path)
    assert torch.equal(train.images, torch.from_numpy(some_levels()))
    assert train.classes == ("7", "8", "9") and train.labels.tolist() == [0, 1, 2] * 8
    test = load_own(tmp_path / ("t10k-images-idx3-ubyte" + ".gz" * pack))
    assert torch.equal(test.images, torch.from_numpy(some_levels(20, seed=1)))
    assert test.classes == ("0",)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte", idx(some_levels())[:-1], "is truncated"),
        ("train-images-idx3-ubyte", idx(some_levels()) + b"more", "is truncated, or is no file"),
        ("train-images-idx3-ubyte", b"\0\0\x08\x03\0", "is truncated"),
        ("train-images-idx3-ubyte", idx(np.arange(9, dtype=np.uint8)), "with 3 axes"),
        ("train-images-idx3-ubyte.gz", gzip.compress(idx(some_levels()))[:-9], "is damaged"),
        ("train-images-idx3-ubyte.gz", idx(some_levels()), "is damaged"),
    ],
)
def test_damaged_file_in_the_format_of_mnist_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_own(tmp_path)


def test_what_is_not_there_or_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        load_own(tmp_path / "nowhere")
    (tmp_path / "own.zip").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"own\.zip is none of the files that hold many pictures"):
        load_own(tmp_path / "own.zip")


# Pictures held out


def test_split_puts_some_aside_and_loses_none():
    own = load_own(load_mnist("test").images[:50])
    train, held_out = own.split(8)
    assert (len(train), len(held_out)) == (42, 8)
    both = torch.cat([train.images, held_out.images]).flatten(1).tolist()
    assert sorted(both) == sorted(own.images.flatten(1).tolist())
    assert not torch.equal(own.split(8, seed=1)[1].images, held_out.images)
    assert torch.equal(own.split(8)[1].images, held_out.images)


def test_split_keeps_labels_with_their_pictures(tmp_path):
    images = np.arange(30, dtype=np.uint8)[:, None, None].repeat(4, axis=1)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(30))
    for part in load_own(tmp_path / "own.npz").split(10):
        assert torch.equal(part.labels, part.images[:, 0, 0].long())


@pytest.mark.parametrize(("number", "error"), [(0, ValueError), (24, ValueError), (0.1, TypeError)])
def test_split_of_none_or_all_is_refused(number, error):
    with pytest.raises(error, match="num_held_out"):
        load_own(some_levels()).split(number)
