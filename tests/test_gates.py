"""The network with gates is one that keeps the contract, and as large as the plain one."""

import json

import pytest
import torch
from models_under_test import some_tokens

from experiments import gates
from pixelar_lib import analysis
from pixelar_lib.models import PixelCNN


def gated(*arguments):
    torch.manual_seed(0)
    return gates.with_gates(PixelCNN(*arguments)).eval()


def test_both_networks_are_of_one_size():
    plain, with_gates = (
        trial.rebuild(PixelCNN(**trial.arguments)).num_parameters for trial in gates.TRIALS[:2]
    )
    assert with_gates == pytest.approx(plain, rel=0.02)


def test_a_gated_network_sees_what_a_plain_one_sees():
    found = analysis.receptive_field(gated(3, 4, (1, 2)), 4, 3, 7, 8)
    assert torch.equal(found, PixelCNN(3, 4, (1, 2)).receptive_field(4, 3, 7, 8))


def test_a_gated_network_is_drawn_as_it_is_scored():
    model, tokens = gated(3, 4, (1,)), some_tokens(2, (4, 5), 3)
    with torch.no_grad():
        logits_at, expected = model.incremental_logits(tokens), model(tokens).flatten(2)
        for pixel in range(20):
            torch.testing.assert_close(logits_at(pixel), expected[..., pixel])


def test_a_gate_that_is_shut_lets_nothing_pass():
    value, share = torch.tensor([[0.5, -2.0]]), torch.tensor([[-100.0, 100.0]])
    found = gates.gate(torch.cat([value, share], dim=1))
    torch.testing.assert_close(found, torch.tensor([[0.0, -2.0]]).tanh())


def test_the_record_holds_a_row_for_each_trial(monkeypatch, tmp_path):
    written = {}
    monkeypatch.setattr(gates, "run", lambda trial: {"change": trial.change, "seed": trial.seed})
    monkeypatch.setattr("experiments.trials.add_asset", written.__setitem__)
    monkeypatch.setattr("experiments.trials.CHECKPOINTS", tmp_path)
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    gates.main()
    rows = json.loads(written["records/measurements/gates.json"])["rows"]
    assert [(row["change"], row["seed"]) for row in rows] == [
        (change, seed) for seed in gates.SEEDS for change in ("plain", "gates")
    ]
