"""Settings for all tests: the same examples in every run, and no windows."""

import os

from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "agg")

settings.register_profile("pixelar", deadline=None, derandomize=True)
settings.load_profile("pixelar")
