"""Trials: several networks, trained in turn, and one record with a row for each."""

import json
from collections.abc import Callable, Iterable

import torch

from experiments.assets import add_asset
from experiments.provenance import git_commit, machine


def measure(experiment: str, protocol: str, trials: Iterable, run: Callable[..., dict]) -> None:
    """Run trials on one thread, and write records/measurements/EXPERIMENT.json.

    Args:
        experiment: Name of the module in this folder that is run.
        protocol: What holds for all rows.
        trials: What `run` takes, one after the other.
        run: Returns the row of a trial.
    """
    torch.set_num_threads(1)
    commit, rows = git_commit(), []  # before: code may change while it runs
    for trial in trials:
        rows.append(run(trial))
        print(json.dumps(rows[-1]), flush=True)
    record = {
        "protocol": protocol,
        "rows": rows,
        "commit": commit,
        "machine": machine(),
        "command": f"python -m experiments.{experiment}",
    }
    content = (json.dumps(record, indent=1) + "\n").encode()
    add_asset(record_file(experiment), content)


def record_file(experiment: str) -> str:
    """Return where the record of an experiment lies, below pixelar_lib/assets."""
    return f"records/measurements/{experiment}.json"
