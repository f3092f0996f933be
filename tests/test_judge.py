"""How drawings are judged: by tiny models on a few digits, and as it is recorded."""

import json
import math
import re

import pytest
import torch

from experiments import judge
from pixelar_lib import data, zoo
from pixelar_lib.digit_classifier import DigitClassifier
from pixelar_lib.models import CategoricalPixelPredictor

SMALL = {"context_length": 2, "embedding_dim": 2, "hidden_size": 8}
MODELS = {
    "tiny-cond": ({"num_bins": 16, "num_classes": 10, **SMALL}, "grey"),
    "tiny-k16": ({"num_bins": 16, **SMALL}, "grey"),
    "tiny-binary": ({"num_bins": 2, **SMALL}, "binarized"),
}
RANGES = {
    "confidence": (0.1, 1),
    "class_entropy": (0, math.log(10) + 1e-9),
    "frechet": (0, math.inf),
    "coverage": (0, 1),
    "copying_z": (-100, 100),
    "median_distance": (0, 1),
    "copies": (0, 1000),
}


def few(split, source):
    digits = data.load_mnist(split)
    return data.Digits(digits.images[:120], digits.labels[:120])


def tiny_classifier():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DigitClassifier(channels=2, num_features=4).eval()


def tiny_model(name):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return CategoricalPixelPredictor(**MODELS[name][0]).eval()


def info(name):
    arguments, kind = MODELS[name]
    return {"num_bins": arguments["num_bins"], "data": kind}


@pytest.fixture
def arranged(monkeypatch):
    """Tiny models in place of those that ship; the record is kept here, and drawings counted."""
    kept, drawn = {}, []
    weights = {name: name.encode() for name in (*MODELS, zoo.CLASSIFIER)}
    monkeypatch.setattr(judge, "NUM_IMAGES", 40)
    monkeypatch.setattr(judge, "NUM_NEAREST", 20)
    monkeypatch.setattr(judge, "load_mnist", few)
    monkeypatch.setattr(judge, "read_asset", lambda path: weights[path[8:-12]])
    monkeypatch.setattr(judge, "add_asset", lambda name, content: kept.update({name: content}))
    monkeypatch.setattr(zoo, "list_pretrained", lambda: [*MODELS])
    monkeypatch.setattr(zoo, "info", info)
    monkeypatch.setattr(zoo, "load_pretrained", tiny_model)
    monkeypatch.setattr(zoo, "load_classifier", tiny_classifier)
    original = judge.sample

    def sample(model, number, labels, generator):
        drawn.append(labels)
        return original(model, number, labels=labels, generator=generator)

    monkeypatch.setattr(judge, "sample", sample)

    def judged():
        if judge.RECORD not in kept:
            raise FileNotFoundError
        return json.loads(kept[judge.RECORD])

    monkeypatch.setattr(zoo, "judged", judged)
    threads = torch.get_num_threads()
    yield drawn, weights
    torch.set_num_threads(threads)


def test_a_row_for_each_model_and_for_the_real_images_of_each_kind(arranged):
    drawn, _ = arranged
    judge.main()
    rows = zoo.judged()["rows"]
    assert [(row["name"], row["mnist"]) for row in rows] == [
        (judge.REAL, "16 grey levels"),
        ("tiny-cond", "16 grey levels"),
        ("tiny-k16", "16 grey levels"),
        (judge.REAL, "dynamically binarised"),
        ("tiny-binary", "dynamically binarised"),
    ]
    assert all(row["num_images"] == 40 for row in rows)
    for row in rows:
        for name, (least, most) in RANGES.items():
            assert least <= row[name] <= most
    assert [row["agreement"] is None for row in rows] == [False, False, True, False, True]
    assert drawn[1] is None and drawn[2] is None
    assert drawn[0].bincount().tolist() == [4] * 10


def test_only_what_has_changed_is_judged_again(arranged):
    drawn, weights = arranged
    judge.main()
    first = zoo.judged()
    judge.main()
    assert zoo.judged() == first and len(drawn) == 3
    weights["tiny-k16"] = b"2"
    judge.main()
    assert len(drawn) == 4 and len(zoo.judged()["rows"]) == 5
    weights[zoo.CLASSIFIER] = b"2"
    judge.main()
    assert len(drawn) == 7 and len(zoo.judged()["rows"]) == 5


def test_after_a_break_it_goes_on_with_the_next_model(arranged, monkeypatch):
    drawn, _ = arranged
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(judge, "drawings", lambda name: (_ for _ in ()).throw(KeyboardInterrupt))
        judge.main()
    assert [row["name"] for row in zoo.judged()["rows"]] == [judge.REAL]
    judge.main()
    assert len(drawn) == 3 and len(zoo.judged()["rows"]) == 5


def test_training_images_are_found_to_be_copies(arranged):
    kind = judge.Kind(tiny_classifier(), 16, "grey")
    copied = kind.train_images[:40]
    found = kind.judge(copied, None)
    assert found["copies"] == 20 and found["copying_z"] < -4 and found["coverage"] == 1
    assert found["frechet"] == pytest.approx(0, abs=1e-9)


def test_agreement_is_with_the_labels_asked_for(arranged):
    kind = judge.Kind(tiny_classifier(), 16, "grey")
    read = tiny_classifier().read(kind.test_images).labels
    assert kind.judge(kind.test_images, read)["agreement"]["share"] == 1
    assert kind.judge(kind.test_images, (read + 1) % 10)["agreement"]["share"] == 0


# What is recorded


each_row = pytest.mark.parametrize(
    "row", zoo.judged()["rows"], ids=lambda row: f"{row['name']} {row['mnist']}"
)


def test_all_that_ships_is_recorded_beside_real_images():
    rows = zoo.judged()["rows"]
    assert {row["name"] for row in rows} == {judge.REAL, *zoo.list_pretrained()}
    kinds = {zoo.info(name)["mnist"] for name in zoo.list_pretrained()}
    assert {row["mnist"] for row in rows if row["name"] == judge.REAL} == kinds
    assert zoo.judged()["protocol"] == judge.protocol()


@each_row
def test_row_is_whole_and_of_the_weights_that_ship(row):
    assert row["num_images"] == 5_000
    for name, (least, most) in RANGES.items():
        assert least <= row[name] <= most
    num_bins, kind = (16, "grey")
    for (bins, data_kind), names in judge.names_by_kind().items():
        if zoo.DATA_KINDS[data_kind].description.format(num_bins=bins) == row["mnist"]:
            num_bins, kind = bins, data_kind
            assert row["name"] in (judge.REAL, *names)
    assert row["origin"] == judge.origin_of(judge.Kind(None, num_bins, kind), row["name"])
    assert re.fullmatch("[0-9a-f]{40}", row["commit"])


@each_row
def test_drawings_are_no_copies_and_real_images_pass_as_real(row):
    assert row["copies"] == 0 or row["mnist"] != "16 grey levels"
    if row["name"] == judge.REAL:
        assert abs(row["copying_z"]) < 3
        assert row["agreement"]["share"] > 0.97 and row["coverage"] > 0.9
    elif row["agreement"]:
        assert row["agreement"]["high"] >= 0.95  # what a conditional model is to reach
