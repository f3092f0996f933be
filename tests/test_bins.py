"""The sweep over numbers of bins trains what it says, and its figures add up."""

import io
import json
import math

import numpy as np
import pytest
import tiny_recipes
import torch

from experiments import bins, trials
from experiments.bins import Trial
from pixelar_lib import optimization, runtime

SMALL = [
    Trial("CategoricalPixelPredictor", 2, 0),
    Trial("CategoricalPixelPredictor", 256, 0),
    Trial("CategoricalPixelPredictor", 256, 1),
    Trial("PixelCNN", 4, 0),
]


@pytest.fixture
def written(monkeypatch, tmp_path):
    """Return what a run of a few small networks writes."""
    found = {}
    bins.images_of.cache_clear()
    for module in (bins, trials):
        monkeypatch.setattr(module, "CHECKPOINTS", tmp_path / "checkpoints")
        monkeypatch.setattr(module, "add_asset", found.__setitem__)
    monkeypatch.setattr(bins, "load_mnist", lambda split, _: tiny_recipes.few_digits(split))
    monkeypatch.setattr(bins, "TRIALS", SMALL)
    monkeypatch.setattr(bins, "NUM_DRAWN", 1)
    monkeypatch.setitem(bins.ARGUMENTS, "PixelCNN", {"channels": 4, "dilations": (1,)})
    fits = {name: {**settings, "steps": 2} for name, settings in bins.FITS.items()}
    monkeypatch.setattr(bins, "FITS", fits)
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    monkeypatch.setattr(optimization, "bfloat16_gain", lambda device: 1.0)
    yield found, tmp_path / "checkpoints"
    bins.images_of.cache_clear()


def test_rows_and_drawings_are_recorded(written):
    files, left = written
    bins.main()
    rows = json.loads(files["records/measurements/bins.json"])["rows"]
    assert [(row["model"], row["num_bins"], row["seed"]) for row in rows] == [
        (trial.model, trial.num_bins, trial.seed) for trial in SMALL
    ]
    for row in rows:
        assert math.isclose(row["level_bits"], row["token_bits"] + row["shade_bits"])
        assert 0 <= row["shade_bits"] < row["even_shade_bits"] + 1e-9
        assert math.isclose(row["even_shade_bits"], 8 - math.log2(row["num_bins"]), abs_tol=1e-6)
        assert row["token_standard_error"] > 0
    assert rows[1]["shade_bits"] == rows[1]["even_shade_bits"] == 0
    assert rows[0]["distortion"] > rows[3]["distortion"] > rows[1]["distortion"]
    drawn = np.load(io.BytesIO(files["records/measurements/bins.npz"]))
    assert {name: drawn[name].shape for name in drawn} == {
        "CategoricalPixelPredictor-2": (1, 28, 28),
        "CategoricalPixelPredictor-256": (1, 28, 28),
        "PixelCNN-4": (1, 28, 28),
    }
    assert drawn["PixelCNN-4"].max() < 4
    assert not list(left.iterdir())


@pytest.mark.skipif(
    not (runtime.ASSETS / "records/measurements/bins.json").exists(), reason="not measured yet"
)
def test_the_record_that_ships_is_of_these_trials():
    rows = json.loads(runtime.read_asset("records/measurements/bins.json"))["rows"]
    assert len(rows) == len(bins.TRIALS)
    for row, trial in zip(rows, bins.TRIALS, strict=True):
        expected = {"model": trial.model, "num_bins": trial.num_bins, "seed": trial.seed}
        expected |= {"fit": bins.FITS[trial.model]}
        expected |= {"arguments": {"num_bins": trial.num_bins, **bins.ARGUMENTS[trial.model]}}
        assert {name: row[name] for name in expected} == expected
