"""Runs the Pixel Lab's scripts in node, for the tests that compare them with Python."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAB = ROOT / "book" / "_static" / "lab"
SCRIPTS = sorted(LAB.glob("*.js"))

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="the lab's scripts need node")


def run_lab(*jobs, load=()):
    """Run jobs of tests/lab_driver.js in one process, and return their results.

    Args:
        jobs: Dictionaries with the job's name and arguments.
        load: Other scripts to load, as paths below the lab's folder.
    """
    answers = ask_lab(*jobs, load=load)
    errors = [answer["error"] for answer in answers if "error" in answer]
    assert errors == []
    return [answer.get("result") for answer in answers]


def ask_lab(*jobs, load=(), backwards=False):
    """Run jobs as `run_lab` does, and return {"result": ...} or {"error": ...} of each."""
    scripts = [*SCRIPTS, *(LAB / path for path in load)]
    scripts = scripts[::-1] if backwards else scripts
    done = subprocess.run(
        ["node", "--", Path(__file__).with_name("lab_driver.js"), *scripts],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        encoding="utf8",
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
