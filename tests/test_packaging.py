"""What pip installs: the library with its digits, weights, records and licences, and no more."""

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return the path of a wheel, built from a copy: a build writes beside its sources."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("pixelar_lib", "notebooks", "tests", "experiments", "benchmarks", "book"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = "from setuptools import build_meta; build_meta.build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=folder, check=True)
    [path] = folder.glob("*.whl")
    return path


def test_wheel_holds_the_library_and_nothing_else(wheel):
    sources = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in ROOT.glob("pixelar_lib/**/*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with ZipFile(wheel) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    info = {name for name in packed if ".dist-info/" in name}
    assert {name: packed[name] for name in packed.keys() - info} == sources
    kinds = {Path(name).suffix for name in sources if "/assets/" in name}
    assert {".xz", ".safetensors", ".json", ".txt"} <= kinds  # digits, weights, records, licence
    licences = {Path(name).name for name in info if "/licenses/" in name}
    assert licences == {"LICENSE", "MNIST-LICENSE.txt"}


@pytest.mark.slow  # a process of its own
def test_installed_wheel_works_away_from_the_checkout(wheel, tmp_path, monkeypatch):
    target = tmp_path / "site"
    with ZipFile(wheel) as archive:
        archive.extractall(target)  # what pip does with a wheel of plain Python
    monkeypatch.setenv("PYTHONPATH", str(target))
    monkeypatch.setenv("PIXELAR_DEVICE", "cpu")
    done = subprocess.run(
        [sys.executable, "-m", "pixelar_lib"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[0].endswith(str(target / "pixelar_lib"))
    assert "PROBLEM" not in done.stdout
