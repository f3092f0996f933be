"""The benchmark does what it says on both sides, and its arithmetic is right."""

from functools import partial

import pytest
import torch
from models_under_test import build, some_tokens

from benchmarks import __main__ as bench
from benchmarks import drawing, memory
from benchmarks.reference import draw_one_by_one, train_epochs, windows_one_by_one
from pixelar_lib.evaluation import evaluate
from pixelar_lib.models import CategoricalPixelPredictor
from pixelar_lib.sampling import sample


def test_both_cut_the_same_windows(monkeypatch):
    monkeypatch.setattr(bench, "NUM_WINDOWS", 1000)
    images = some_tokens(2, (28, 28), 16)
    by_library = bench.windows_at_once(images)
    assert len(by_library[0]) == 1000
    for one, other in zip(by_library, windows_one_by_one(images, 10, 16, 1000), strict=True):
        assert torch.equal(one, other)


def test_the_reference_learns():
    images = torch.full((10, 6, 6), 2)
    model = CategoricalPixelPredictor(num_bins=3, context_length=2)
    train_epochs(model, *windows_one_by_one(images, 2, 3, most=360), epochs=5, batch_size=64)
    assert evaluate(model, images).nats_per_pixel < 0.5


def test_the_reference_draws_from_the_same_distribution():
    model = CategoricalPixelPredictor(num_bins=3, context_length=2)
    model.layers[-1].bias.data = torch.tensor([2.0, 0.0, 1.0])
    torch.manual_seed(0)
    reference = torch.stack([draw_one_by_one(model, 6, 6) for _ in range(50)])
    library = sample(model, 50, image_size=6, generator=torch.Generator().manual_seed(0))
    shares = [images.flatten().bincount(minlength=3) / 1800 for images in (reference, library)]
    torch.testing.assert_close(*shares, rtol=0, atol=0.05)


class Clock:
    """Stands for the module `time`: the work itself says how many seconds have passed."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


def test_both_sides_are_timed_in_turn_and_per_piece(monkeypatch):
    clock, calls = Clock(), []
    monkeypatch.setattr(bench, "time", clock)

    def work(side):
        calls.append(side)
        clock.now += 6

    sides = [partial(work, side) for side in ("reference", "library")]
    row = bench.in_turn("work", *sides, repeats=3, units=(2, 12))
    assert calls == ["reference", "library"] * 4  # the first pair is not timed
    assert row["seconds"] == {"reference": [3.0] * 3, "library": [0.5] * 3}
    assert (row["ratio"], row["smallest_ratio"], row["largest_ratio"]) == (6, 6, 6)


def test_ratios_are_those_of_pairs():
    row = bench.summary("work", {"reference": [8, 6, 9], "library": [2, 3, 1]})
    assert (row["ratio"], row["smallest_ratio"], row["largest_ratio"]) == (4, 2, 9)
    assert (row["reference"], row["library"]) == (8, 2)
    assert "4.0 times (2.0 to 9.0)" in bench.line(row)


def test_products_cost_what_their_rate_says(monkeypatch):
    monkeypatch.setattr(bench, "PRODUCTS", 1000)
    monkeypatch.setattr(bench, "SQUARE", 64)
    found = bench.products()
    rates = found["gigaflops"]
    wide, narrow = (2 * 256 * n / rates[f"1024 x 256 x {n}"] / 1e9 for n in (256, 16))
    assert found["seconds_per_image"] == pytest.approx(784 * (wide + narrow), rel=0.05)


@pytest.mark.slow  # make bench in small
def test_a_small_run_of_everything(monkeypatch):
    monkeypatch.setattr(bench, "NUM_WINDOWS", 2000)
    monkeypatch.setattr(bench, "NUM_DRAWN", 16)
    monkeypatch.setattr(bench, "BATCH", 2)
    monkeypatch.setattr(bench, "products", lambda: {"seconds_per_image": 1e-4})
    monkeypatch.setattr(bench, "FAST_FIT", {"steps": 30, "batch_size": 8})
    monkeypatch.setattr(bench, "draw_one_by_one", lambda model: draw_one_by_one(model, 3, 3))
    once = partial(bench.in_turn, repeats=1)
    monkeypatch.setattr(bench, "in_turn", lambda *work, repeats, **more: once(*work, **more))
    tokens = {split: bench.load_tokens(split, "bundled")[:32] for split in ("train", "test")}
    tokens["validation"] = tokens["test"]
    rows = [*bench.rows(tokens, epochs=1)]
    assert [row["name"].split(",")[0] for row in rows] == [
        *("cutting 2", "training", "drawing an image", "drawing one image"),
        *("drawing an image", "drawing one image", "evaluating 32 images"),
        *["drawing a pixel of 2 images"] * len(bench.WITH_STATE),
        "drawing 2 images",
    ]
    assert all(row["ratio"] > 0 for row in rows)
    figures = rows[6]["nats_per_pixel"]
    assert figures["library"] == pytest.approx(figures["reference"], abs=1e-6)
    assert len(rows[1]["losses"]["library"]) == 3
    assert [place for place, row in enumerate(rows) if "share_of_limit" in row] == [4]
    assert rows[4]["share_of_limit"] > 0
    assert all(bench.line(row) for row in rows)


def test_a_model_with_a_state_is_timed_against_whole_images(monkeypatch):
    model, calls = build("imagegpt", 16, (28, 28)), []
    model.register_forward_pre_hook(lambda model, given: calls.append(tuple(given[0].shape)))
    monkeypatch.setattr(bench, "BATCH", 2)
    monkeypatch.setattr(bench, "load_pretrained", lambda name: model)
    monkeypatch.setattr(bench, "sample", lambda model, batch: calls.append(batch))
    row = bench.drawing_with_state("a name")
    assert row["name"] == "drawing a pixel of 2 images, a name" and row["ratio"] > 0
    assert calls == ([(2, 28, 28)] * bench.FORWARDS + [2]) * 4  # the first pair is not timed


def test_codes_are_timed_with_the_pictures_they_become(monkeypatch):
    labels, calls = torch.tensor([0, 1]), []

    class Autoencoder:
        grid = 7

        def decode(self, tokens):
            calls.append(tokens)

    def sample(model, batch, labels, image_size=None):
        calls.append((model, batch, labels.tolist(), image_size))
        return "tokens"

    monkeypatch.setattr(bench, "BATCH", 2)
    monkeypatch.setattr(bench, "load_pretrained", lambda name: name)
    monkeypatch.setattr(bench, "load_vqvae", lambda name: (Autoencoder(), "prior"))
    monkeypatch.setattr(bench, "sample", sample)
    row = bench.drawing_by_codes()
    assert row["name"] == "drawing 2 images, pixels or codes" and row["ratio"] > 0
    pixels = ("pixelcnn-cond-k16", 2, labels.tolist(), None)
    assert calls == [pixels, ("prior", 2, labels.tolist(), 7), "tokens"] * 4


def test_memory_of_a_training_is_told_with_its_images():
    figures = memory.peak_of_training("bundled", steps=2)
    assert (figures["num_images"], figures["windows"]) == (10_000, 7_840_000)
    assert figures["mebibytes"] is None or 0 <= figures["mebibytes"] < 300


@pytest.mark.slow  # a process of its own, and 500 steps
def test_memory_is_measured_above_the_images():
    figures = bench.memory_of_training("bundled")
    assert (figures["num_images"], figures["windows"]) == (10_000, 7_840_000)
    assert figures["mebibytes"] is None or 1 < figures["mebibytes"] < 300


def test_time_to_draw_is_the_median_after_an_untimed_drawing(monkeypatch):
    clock, batches, seconds = Clock(), [], iter([90, 1, 3, 2, 9, 2])
    monkeypatch.setattr(drawing, "time", clock)

    def sample(model, batch, labels):
        assert labels is None
        batches.append(batch)
        clock.now += next(seconds)

    monkeypatch.setattr(drawing, "sample", sample)
    assert drawing.time_to_draw("post-mlp-k16", 3) == 2
    assert batches == [3] * 6
