"""How far drawings lie from the training images: measured anew on a few, and as it is recorded."""

import json

import pytest
import tiny_recipes
import torch

from experiments import nearest
from pixelar_lib import runtime

RECORD = "records/measurements/nearest.json"


def test_grey_is_black_and_white_at_its_ends():
    assert nearest.grey(torch.arange(16)).tolist() == list(range(0, 256, 17))


def test_the_record_is_written(monkeypatch):
    written, threads = {}, torch.get_num_threads()
    monkeypatch.setattr(nearest, "add_asset", lambda name, content: written.update({name: content}))
    monkeypatch.setattr(nearest, "load_mnist", lambda split, source: tiny_recipes.few_digits(split))
    monkeypatch.setattr(nearest, "NUM_IMAGES", 2)
    try:
        nearest.main()
    finally:
        torch.set_num_threads(threads)
    record = json.loads(written[RECORD])
    assert record["drawings"]["images"] == 2 and record["test digits"]["images"] >= 2
    assert record["among"] == len(tiny_recipes.few_digits("train"))
    marks = record["drawings"]["distance"]
    assert marks == sorted(marks) and marks[0] > 0 and marks[-1] < 1


def test_copies_are_counted():
    tokens = torch.arange(3 * 784).view(3, 28, 28) % 16
    found = nearest.distances(tokens[:2], nearest.grey(tokens[1:]))
    assert found["images"] == 2 and found["copies"] == 2 and found["distance"][0] == 0


@pytest.mark.parametrize("name", ["drawings", "test digits"])
def test_what_is_recorded(name):
    record = json.loads(runtime.read_asset(RECORD))
    assert record["among"] == 50_000 and record[name]["images"] == nearest.NUM_IMAGES
    assert record[name]["copies"] == 0
    assert not record["commit"].endswith("-dirty")
