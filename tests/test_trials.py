"""Trials that are killed go on where they were, and never mix two states of the code."""

import json
from dataclasses import dataclass

import pytest
import torch

from experiments import trials


@dataclass(frozen=True)
class Trial:
    number: int
    how: object = len


@pytest.fixture
def state(monkeypatch, tmp_path):
    """Return what is written, with the folder of checkpoints and the commit to choose."""
    written = {}
    monkeypatch.setattr(trials, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(trials, "add_asset", written.__setitem__)
    monkeypatch.setattr(trials, "git_commit", lambda: "first")
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    return written


def run_until(killed_at, calls):
    def run(trial):
        if trial.number == killed_at:
            raise KeyboardInterrupt
        calls.append(trial.number)
        return {"square": trial.number**2}

    return run


def rows_of(written):
    return json.loads(written["records/measurements/squares.json"])["rows"]


TRIALS = [Trial(1), Trial(2), Trial(3, lambda: None)]


def test_a_killed_run_goes_on_where_it_was(state):
    calls = []
    with pytest.raises(KeyboardInterrupt):
        trials.measure("squares", "", TRIALS, run_until(3, calls))
    assert not state
    trials.measure("squares", "", [*TRIALS[:2], Trial(3, lambda: None)], run_until(None, calls))
    assert calls == [1, 2, 3]
    assert rows_of(state) == [{"square": 1}, {"square": 4}, {"square": 9}]
    assert not list(trials.CHECKPOINTS.iterdir())  # nothing is left behind
    trials.measure("squares", "", TRIALS, run_until(None, calls))
    assert calls == [1, 2, 3] * 2  # nor used twice


def test_rows_of_another_commit_are_measured_again(state, monkeypatch):
    calls = []
    with pytest.raises(KeyboardInterrupt):
        trials.measure("squares", "", TRIALS, run_until(2, calls))
    monkeypatch.setattr(trials, "git_commit", lambda: "second")
    trials.measure("squares", "", TRIALS, run_until(None, calls))
    assert calls == [1, 1, 2, 3]


def test_rows_of_uncommitted_code_are_measured_again(state, monkeypatch):
    calls = []
    monkeypatch.setattr(trials, "git_commit", lambda: "first-dirty")  # says nothing of the change
    with pytest.raises(KeyboardInterrupt):
        trials.measure("squares", "", TRIALS, run_until(2, calls))
    trials.measure("squares", "", TRIALS, run_until(None, calls))
    assert calls == [1, 1, 2, 3]


def test_a_line_that_was_cut_off_is_measured_again(state):
    calls = []
    with pytest.raises(KeyboardInterrupt):
        trials.measure("squares", "", TRIALS, run_until(3, calls))
    file = trials.CHECKPOINTS / "squares.jsonl"
    file.write_text(file.read_text()[:-9])
    with pytest.raises(KeyboardInterrupt):
        trials.measure("squares", "", TRIALS, run_until(3, calls))
    trials.measure("squares", "", TRIALS, run_until(None, calls))
    assert calls == [1, 2, 2, 3]  # what was measured after the cut is found
    assert rows_of(state)[1] == {"square": 4}
