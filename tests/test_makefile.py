"""The Makefile, with stand-ins for Python: which PyTorch it installs, and where it may lie."""

import functools
import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
ON_LINUX = (platform.system(), platform.machine()) == ("Linux", "x86_64")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
INSTALL = "-m pip install --quiet --disable-pip-version-check"

needs_make = pytest.mark.skipif(
    sys.platform == "win32" or not shutil.which("make"), reason="needs make and a Unix shell"
)


def load_torch_index():
    """Return .ci/torch_index.py as a module."""
    spec = importlib.util.spec_from_file_location("torch_index", ROOT / ".ci" / "torch_index.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


torch_index = load_torch_index()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def index(tmp_path):
    """Return the address of an index that has PyTorch."""
    (tmp_path / "index" / "torch").mkdir(parents=True)
    handler = functools.partial(Quiet, directory=tmp_path / "index")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def silent_index():
    """Return the address of a server that takes a question and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


# Which PyTorch


def test_an_index_answers_or_does_not(index, silent_index):
    assert torch_index.answers(index)
    assert torch_index.answers(f"{index}/")
    assert not torch_index.answers(f"{index}/elsewhere")
    assert not torch_index.answers("no address")
    begin = time.monotonic()
    assert not torch_index.answers(silent_index, seconds=0.2)
    assert time.monotonic() - begin < 2


def test_a_name_that_is_looked_up_for_ever(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: threading.Event().wait())
    begin = time.monotonic()
    assert not torch_index.answers("http://slow.invalid", seconds=0.2)
    assert time.monotonic() - begin < 2
    assert torch_index.SECONDS == 5


@pytest.mark.parametrize(
    ("torch", "system", "machine", "driver", "answer", "taken", "told"),
    [
        ("auto", "Linux", "x86_64", False, True, True, "TORCH=default"),
        ("auto", "Linux", "x86_64", False, False, False, "TORCH=cpu"),
        ("auto", "Linux", "x86_64", True, None, False, "TORCH=cpu"),
        ("auto", "Linux", "aarch64", False, None, False, ""),
        ("auto", "Darwin", "x86_64", False, None, False, ""),
        ("default", "Linux", "x86_64", False, None, False, ""),
        ("cpu", "Linux", "x86_64", True, None, True, "CPU build"),
        ("cpu", "Darwin", "arm64", False, None, True, "CPU build"),
    ],
)
def test_choice(monkeypatch, torch, system, machine, driver, answer, taken, told):
    asked = []
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(torch_index, "has_nvidia_driver", lambda: driver)
    monkeypatch.setattr(torch_index, "answers", lambda index: asked.append(index) or answer)
    chosen, explanation = torch_index.choose(torch, CPU_INDEX)
    assert chosen == (CPU_INDEX if taken else "")
    assert told in explanation and bool(told) == bool(explanation)
    assert "\n" not in explanation
    assert bool(asked) == (answer is not None)


def test_an_unknown_choice_is_refused():
    with pytest.raises(SystemExit, match="TORCH=gpu is unknown; choose from auto, cpu, default"):
        torch_index.main("gpu", CPU_INDEX)


# What make does

# Stands for Python: notes what it is asked for, makes environments of copies of itself, and lets
# Python do what needs Python.
STAND_IN = """#!/bin/sh
echo "$*" >>"$NOTES"
case "$*" in
  "-m venv --clear "*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
  *jupyter_book*) mkdir -p _build/html && echo hello >_build/html/index.html ;;
  "-m pip "*) ;;
  *) exec "$REAL" "$@" ;;
esac
"""


@pytest.fixture
def project(tmp_path):
    """Return a folder of an awkward name, with all that make needs before anything is installed."""
    folder = tmp_path / "my ci é (x) & 'y'"
    for name in ("Makefile", "pyproject.toml", ".ci/torch_index.py", "book/constraints.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "python").write_text(STAND_IN)
    (folder / "python").chmod(0o755)
    return folder


def make(folder, *arguments):
    """Run make; return what it printed, and what Python was asked for."""
    notes = folder / "notes"
    notes.write_text("")
    environment = {**os.environ, "REAL": sys.executable, "NOTES": str(notes)}
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PIP_ARGS", "TORCH", "TORCH_INDEX", "SLOW"):
        environment.pop(name, None)  # of the make that runs this test
    done = subprocess.run(
        ["make", "PYTHON=./python", "COLAB_PYTHON=./python", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr, notes.read_text(encoding="utf8").splitlines()


@pytest.mark.parametrize("environment", ["test", "floor", "colab"])
@needs_make
def test_torch_is_installed_first_and_by_itself(project, index, environment):
    target = f".venv/{environment}/installed"
    choice = "auto" if ON_LINUX and not torch_index.has_nvidia_driver() else "cpu"
    options = f"TORCH={choice}", f"TORCH_INDEX={index}", "PIP_ARGS=--pre"
    told, asked = make(project, target, *options)
    assert told.count(f"PyTorch: the CPU build, from {index}") == 1
    first, second = [line for line in asked if line.startswith("-m pip")]
    extra = " -c .venv/floor/constraints.txt" if environment == "floor" else ""
    assert first == f"{INSTALL} --pre --index-url {index} torch torchvision{extra}"
    assert "index" not in second
    _, again = make(project, target)
    assert again == []


@needs_make
def test_without_the_index_pip_chooses(project, index):
    told, asked = make(project, ".venv/test/installed", f"TORCH_INDEX={index}/elsewhere")
    [only] = [line for line in asked if line.startswith("-m pip")]
    assert only == f"{INSTALL} -e .[test]"
    assert told.count("PyTorch:") == ON_LINUX


@needs_make
def test_zip_in_a_folder_of_any_name(project):
    told, _ = make(project, "zip")
    path = project / "_build" / "generating-pixels.zip"
    assert ZipFile(path).namelist() == ["index.html"]
    assert f"The book in one file: {path}" in told


@needs_make
def test_slow_tests_and_coverage_are_asked_for(project):
    usual, everything = " tests -rs", ' tests -rs -m "slow or not slow" --cov'
    told, _ = make(project, "--dry-run", "test")
    assert usual in told and everything not in told
    told, _ = make(project, "--dry-run", "test", "SLOW=1")
    assert everything in told


@needs_make
def test_lint_without_npm_says_so(project, monkeypatch):
    make_path = shutil.which("make")
    monkeypatch.setenv("PATH", str(project))  # nothing else is there
    done = subprocess.run([make_path, "lint-js"], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "npm is not installed" in done.stdout
