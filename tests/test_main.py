"""python -m pixelar_lib: what it reports, and what it calls a problem."""

import hashlib
import runpy
import shutil
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


def test_report(capsys, monkeypatch):
    monkeypatch.setenv("PIXELAR_DEVICE", "cpu")
    monkeypatch.delitem(sys.modules, "pixelar_lib.__main__")  # python -m finds it anew
    with pytest.raises(SystemExit) as exited:
        runpy.run_module("pixelar_lib", run_name="__main__")
    assert not exited.value.code
    printed = capsys.readouterr().out.splitlines()
    lines = {name: text.strip() for name, _, text in (line.partition(":") for line in printed)}
    assert [*lines] == [*report.REPORT]
    assert lines["library"] == f"pixelar_lib {__version__} in {Path(report.__file__).parent}"
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
    monkeypatch.setattr(report, "REPORT", {"packages": report.packages})
    status, lines = printed()
    assert status == 1
    assert lines["packages"] == "PROBLEM: missing: torch, tqdm; run: pip install torch tqdm"


@pytest.fixture
def full_line(monkeypatch, tmp_path):
    """Return a function that puts files into an empty PIXELAR_DATA: what the report says then."""
    files = {name: name.encode() for name in data.FULL_FILES}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(data, "FULL_FILES", hashes)
    monkeypatch.setenv("PIXELAR_DATA", str(tmp_path))
    monkeypatch.setattr(report, "REPORT", {"full MNIST": report.full_digits})

    def put(printed, names, ending=lambda content: content):
        raw = tmp_path / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for name in names:
            (raw / name).write_bytes(ending(files[name]))
        status, lines = printed()
        return status, lines["full MNIST"]

    return put


def test_full_set_is_reported_where_it_is_whole(printed, full_line, tmp_path):
    assert full_line(printed, data.FULL_FILES) == (0, f"whole, in {tmp_path}")


def test_full_set_is_missed(printed, full_line, tmp_path):
    status, line = full_line(printed, [])
    assert status == 0 and line.startswith(f"not in {tmp_path}; only ")


def test_missing_file_of_the_full_set_is_named(printed, full_line, tmp_path):
    first, *others = data.FULL_FILES
    status, line = full_line(printed, others)
    assert status == 0 and line.startswith(f"{first} missing in {tmp_path}; only ")


def test_empty_files_are_not_the_full_set(printed, full_line):
    status, line = full_line(printed, data.FULL_FILES, lambda content: b"")
    assert status == 1
    assert line.startswith("PROBLEM: ") and "(0 bytes) is truncated or altered" in line


@pytest.mark.parametrize("name", ["digits", "models"])
def test_damaged_files_are_a_problem(printed, monkeypatch, tmp_path, name):
    assets = tmp_path / "assets"
    shutil.copytree(runtime.ASSETS, assets)
    for path in assets.rglob("*"):
        if path.suffix in {".xz", ".safetensors"}:
            path.write_bytes(b"")
    monkeypatch.setattr(runtime, "ASSETS", assets)
    status, lines = printed()
    assert status == 1
    assert lines[name].startswith("PROBLEM: ") and "truncated or altered" in lines[name]


@pytest.mark.parametrize(
    ("cuda", "mps", "asked", "line"),
    [
        (0, False, None, "cpu, no GPU was found"),
        (0, False, "", "cpu, no GPU was found"),
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
    if asked is not None:
        monkeypatch.setenv("PIXELAR_DEVICE", asked)
    monkeypatch.setattr(report, "REPORT", {"device": report.device})
    assert printed()[1]["device"].startswith(line)
