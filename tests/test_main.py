"""python -m pixelar_lib: what it reports, and what it calls a problem."""

import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch

from pixelar_lib import __main__ as report
from pixelar_lib import __version__, data, runtime, zoo

ROOT = Path(__file__).parent.parent


@pytest.fixture
def printed(capsys):
    """Return a function that runs the report: its status, and {line's name: text}."""

    def run():
        status = report.main()
        lines = capsys.readouterr().out.splitlines()
        return status, {name: text.strip() for name, _, text in (x.partition(":") for x in lines)}

    return run


def test_command():
    done = subprocess.run(
        [sys.executable, "-m", "pixelar_lib"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"library:    pixelar_lib {__version__} in ")
    assert len(done.stdout.splitlines()) == len(report.REPORT)


def test_report(printed, monkeypatch):
    monkeypatch.setenv("PIXELAR_DEVICE", "cpu")
    status, lines = printed()
    assert status == 0
    assert lines["library"].endswith(f" in {Path(report.__file__).parent}")
    assert lines["Python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert f"torch {torch.__version__.partition('+')[0]}" in lines["packages"]
    assert lines["digits"] == f"8,000 train, 2,000 validation, 2,000 test, in {runtime.ASSETS}"
    assert lines["models"].split(", ") == zoo.list_pretrained()
    assert lines["device"] == "cpu, no GPU (PIXELAR_DEVICE is cpu)"


def test_packages_are_those_that_pip_installs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    assert [line.partition(">=")[0] for line in project["dependencies"]] == [*report.PACKAGES]


def test_missing_packages_are_named(printed, monkeypatch):
    def version(name):
        if name in {"tqdm", "torch"}:
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(report, "version", version)
    status, lines = printed()
    assert status == 1
    assert lines["packages"] == "PROBLEM: missing: torch, tqdm; run: pip install torch tqdm"


def test_full_set_is_found_where_it_is(printed, monkeypatch, tmp_path):
    monkeypatch.setenv("PIXELAR_DATA", str(tmp_path))
    raw = tmp_path / "MNIST" / "raw"
    assert printed()[1]["full MNIST"].startswith(f"not in {raw}; only ")
    raw.mkdir(parents=True)
    for name in data.FULL_FILES:
        (raw / name).touch()
    assert printed()[1]["full MNIST"] == f"in {raw}"


@pytest.mark.parametrize("name", ["digits", "models"])
def test_damaged_files_are_a_problem(printed, monkeypatch, tmp_path, name):
    for path in runtime.ASSETS.iterdir():
        content = b"" if path.suffix in {".xz", ".safetensors"} else path.read_bytes()
        (tmp_path / path.name).write_bytes(content)
    monkeypatch.setattr(runtime, "ASSETS", tmp_path)
    status, lines = printed()
    assert status == 1
    assert lines[name].startswith("PROBLEM: ") and "truncated or altered" in lines[name]


@pytest.mark.parametrize(
    ("cuda", "mps", "asked", "line"),
    [
        (0, False, None, "cpu, no GPU was found"),
        (1, False, None, "cuda, the GPU H1"),
        (0, True, None, "mps, Apple's GPU"),
        (1, False, "cuda:0", "cuda:0, the GPU H1 (PIXELAR_DEVICE is cuda:0)"),
        (1, False, "cpu", "cpu, no GPU (PIXELAR_DEVICE is cpu)"),
        (0, False, "cuda", "PROBLEM: device 'cuda' is not on this machine"),
    ],
)
def test_device(printed, monkeypatch, cuda, mps, asked, line):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H1")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.delenv("PIXELAR_DEVICE", raising=False)
    if asked:
        monkeypatch.setenv("PIXELAR_DEVICE", asked)
    assert printed()[1]["device"].startswith(line)
