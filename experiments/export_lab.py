"""Write what the Pixel Lab loads: python -m experiments.export_lab

Classic scripts in book/_static/lab, because a page on disk may not fetch files: for each model
below, its weights and architecture; and digits to train on and to look at. Run it again when a
model was trained again; a test fails until then.
"""

import base64
import hashlib
import itertools
import json
from pathlib import Path

import torch

from pixelar_lib.context import Context, Raster
from pixelar_lib.data import load_mnist
from pixelar_lib.models import PixelCNN, PixelModel, WindowModel
from pixelar_lib.quantization import quantize
from pixelar_lib.runtime import read_asset, write_atomically
from pixelar_lib.sampling import sample
from pixelar_lib.zoo import load_pretrained

LAB = Path(__file__).parent.parent / "book" / "_static" / "lab"
MODELS = ("post-mlp-k16", "neighbourhood-mlp-k16", "pixelcnn-k16", "pixelcnn-cond-k16")
DIGITS = {  # split and number of images, the first ones; None is one of each class, in all levels
    "train": ("train", 2_000),
    "held_out": ("validation", 300),
    "test": ("test", None),
}
STORED = {"pixelcnn-k16": 0}  # a drawing with this seed plays until the weights are loaded
COMMAND = "python -m experiments.export_lab"


def main() -> None:
    for path, text in scripts().items():
        write_atomically(LAB / path, lambda file, text=text: file.write_text(text, "utf8"))
        print(f"{path}: {len(text):,} bytes")


def scripts() -> dict[str, str]:
    """Return the text of each script by its path below the lab's folder."""
    weights = {f"weights/{name}.js": weights_script(name) for name in MODELS}
    digits = {f"digits/{name}.js": digits_script(name) for name in DIGITS}
    stored = {f"stored/{name}.js": drawing_script(name, seed) for name, seed in STORED.items()}
    return {**weights, **digits, **stored}


def weights_script(name: str) -> str:
    """Return the script that brings the weights of a shipped model."""
    sha256 = hashlib.sha256(read_asset(f"weights/{name}.safetensors")).hexdigest()
    entry = {"sha256": sha256, **model_entry(load_pretrained(name))}
    return script(f"The weights of {name}", "weights", name, entry)


def digits_script(name: str) -> str:
    """Return the script that brings some bundled digits and their labels."""
    split, count = DIGITS[name]
    digits = load_mnist(split)
    if count is None:
        first = [int((digits.labels == label).nonzero()[0]) for label in range(10)]
        images, labels, packed = digits.images[first], digits.labels[first], False
    else:
        images, labels, packed = digits.images[:count], digits.labels[:count], True
    content = pack(quantize(images, 16).flatten().tolist()) if packed else images.numpy().tobytes()
    entry = {
        "count": len(images),
        "labels": "".join(map(str, labels.tolist())),
        "data": base64.b64encode(content).decode(),
    }
    return script(f"Digits of MNIST, {split}", "digits", name, entry)


def drawing_script(name: str, seed: int) -> str:
    """Return the script that brings one drawing of a model: a hexadecimal digit for each token."""
    generator = torch.Generator().manual_seed(seed)
    tokens = sample(load_pretrained(name), 1, generator=generator).flatten().tolist()
    entry = {"seed": seed, "tokens": "".join(f"{token:x}" for token in tokens)}
    return script(f"A drawing of {name}", "stored", name, entry)


def pack(tokens: list[int]) -> bytes:
    """Return tokens 0 to 15, four bits each; after black or white, how many more of it follow.

    That number is a sum of four-bit numbers, which ends with the first that is not 15.
    """
    numbers = []
    for token, run in itertools.groupby(tokens):
        more = len(list(run)) - 1
        if token in (0, 15):
            numbers += [token, *[15] * (more // 15), more % 15]
        else:
            numbers += [token] * (more + 1)
    numbers += [0] * (len(numbers) % 2)
    return bytes(high << 4 | low for high, low in zip(numbers[::2], numbers[1::2], strict=True))


def script(title: str, group: str, name: str, entry: dict) -> str:
    """Return a script that adds an entry to a group of the lab's namespace."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in entry.items()]
    return (
        f"// {title}, written by {COMMAND}.\n"
        f"((globalThis.PixelLab ??= {{}}).{group} ??= {{}})[{json.dumps(name)}] = {{\n"
        + ",\n".join(lines)
        + "\n};\n"
    )


def model_entry(model: PixelModel) -> dict:
    """Return what the lab builds a model from: its architecture, and its weights in float16.

    Raises:
        TypeError: If the lab has no such network.
        ValueError: If float16 would round a weight.
    """
    state = model.state_dict()
    if any(not torch.equal(values.half().float(), values) for values in state.values()):
        raise ValueError("some weight is no float16; shipped weights are.")
    halves = [values.half().contiguous().numpy().tobytes() for values in state.values()]
    return {
        **architecture(model),
        "numBins": model.num_bins,
        "numClasses": model.num_classes,
        "shapes": {name: list(values.shape) for name, values in state.items()},
        "data": base64.b64encode(b"".join(halves)).decode(),
    }


def architecture(model: PixelModel) -> dict:
    """Return what the lab must know of a model beside its weights."""
    if isinstance(model, PixelCNN):
        channels = model.embedding.embedding_dim
        return {"model": "PixelCNN", "channels": channels, "dilations": list(model.dilations)}
    if isinstance(model, WindowModel):
        return {"model": "WindowModel", "context": context_entry(model.context)}
    raise TypeError(f"the lab has no {type(model).__name__}.")


def context_entry(context: Context) -> dict:
    """Return a context as offsets (rows, columns) from the pixel to those that it sees."""
    side = 2 * context.length + 1  # large enough that the middle pixel's window lies inside
    middle = side // 2
    places = context.positions(side, side)[middle * side + middle]
    rows, columns = torch.div(places, side, rounding_mode="floor"), places % side
    offsets = torch.stack([rows, columns], dim=1) - middle
    return {"wraps": isinstance(context, Raster), "offsets": offsets.tolist()}


if __name__ == "__main__":
    main()
