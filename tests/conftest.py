"""Settings for all tests: the same examples in every run, no windows, slow ones when asked for."""

import os
import shutil

import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "agg")

settings.register_profile("pixelar", deadline=None, derandomize=True)
settings.load_profile("pixelar")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: left out unless -m names it (make test SLOW=1)")


def pytest_collection_modifyitems(config, items):
    if "slow" not in config.option.markexpr:
        skip = pytest.mark.skip(reason="slow: make test SLOW=1 runs it")
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(skip)


@pytest.fixture
def assets(tmp_path, monkeypatch):
    """A copy of the library's assets that a test may damage."""
    from pixelar_lib import runtime, zoo  # here, so that tests without torch stay quick

    copy = tmp_path / "assets"
    shutil.copytree(runtime.ASSETS, copy, ignore=shutil.ignore_patterns("*.xz"))
    for module in (runtime, zoo):
        monkeypatch.setattr(module, "ASSETS", copy)
    monkeypatch.setattr("experiments.assets.ASSETS", copy)
    monkeypatch.setattr("experiments.assets.SUMS", copy / "SHA256SUMS")
    return copy
