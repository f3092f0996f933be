"""Trials: several networks, trained in turn, and one record with a row for each."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from experiments.assets import add_asset
from experiments.provenance import git_commit, machine

CHECKPOINTS = Path("checkpoints")


def measure(experiment: str, protocol: str, trials: Iterable, run: Callable[..., dict]) -> None:
    """Run trials on one thread, and write records/measurements/EXPERIMENT.json.

    Rows that are finished lie in checkpoints/EXPERIMENT.jsonl until all are, so that a killed run
    goes on where it was, as long as the commit is the same.

    Args:
        experiment: Name of the module in this folder that is run.
        protocol: What holds for all rows.
        trials: What `run` takes, one after the other.
        run: Returns the row of a trial.
    """
    torch.set_num_threads(1)
    commit, rows = git_commit(), []  # before: code may change while it runs
    file = CHECKPOINTS / f"{experiment}.jsonl"
    finished = _finished(file, commit)
    for trial in trials:
        key = re.sub(r" at 0x\w+", "", repr(trial))  # functions have another address each time
        if key not in finished:
            finished[key] = run(trial)
            _note(file, {"commit": commit, "trial": key, "row": finished[key]})
        rows.append(finished[key])
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
    file.unlink(missing_ok=True)


def record_file(experiment: str) -> str:
    """Return where the record of an experiment lies, below pixelar_lib/assets."""
    return f"records/measurements/{experiment}.json"


def _finished(file: Path, commit: str) -> dict[str, dict]:
    """Return the rows of trials that this commit has finished before; none if it is not known."""
    if not file.exists() or commit.endswith("-dirty") or commit == "unknown":
        return {}
    notes = []
    for line in file.read_text(encoding="utf8").splitlines():
        try:
            notes.append(json.loads(line))
        except json.JSONDecodeError:  # an empty line, or killed while it wrote
            continue
    return {note["trial"]: note["row"] for note in notes if note["commit"] == commit}


def _note(file: Path, note: dict) -> None:
    file.parent.mkdir(exist_ok=True)
    with file.open("a", encoding="utf8") as lines:
        lines.write("\n" + json.dumps(note) + "\n")  # the line before may have been cut off
