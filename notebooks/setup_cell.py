# @title Set-up: run me first (does nothing where the library is installed)
import importlib.util
import subprocess
import sys
from pathlib import Path

SOURCE = "git+https://github.com/-owner-/generating-pixels@v1.0.0"
if importlib.util.find_spec("pixelar_lib") is None:
    if Path("../pixelar_lib").is_dir():  # a checkout without an install
        sys.path.insert(0, str(Path("..").resolve()))
    elif "/-owner-/" in SOURCE:
        how = "no public address yet; run 'pip install .' in its repository"
        raise ModuleNotFoundError(f"pixelar_lib has {how}")
    else:  # on Colab, say; --no-deps leaves the torch that is there alone
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
        run = subprocess.run([*pip, SOURCE], capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(f"pip failed on {SOURCE}:\n{run.stderr}")
        importlib.invalidate_caches()
