"""Run notebooks as Colab does: an empty folder, no checkout, the library from a git address.

    python notebooks/clean_room.py --python PYTHON [--timeout SECONDS] [NOTEBOOK ...]

PYTHON belongs to an environment with what Colab has, without pixelar_lib. The set-up cell of each
notebook installs it there. The address that it asks is made up; git finds it in a copy of this
checkout.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import repository
from execute import SETTINGS, execute, find
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).resolve().parent.parent
URL = "https://github.com/clean-room/generating-pixels"  # never asked: git may use files only
KERNEL = "clean-room"
PROBE = "import pixelar_lib\n\nprint(pixelar_lib.__file__)"


def run(command, folder):
    """Run a command in a folder; return what it prints.

    Raises:
        RuntimeError: If it fails.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def publish(folder):
    """Make a repository of the tracked files as they are now, with an address and a tag."""
    for name in run(["git", "ls-files", "-z"], ROOT).rstrip("\0").split("\0"):
        if (ROOT / name).is_file():  # else removed, and not committed yet
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    tool = folder / "notebooks" / "repository.py"
    run([sys.executable, tool, "--url", URL], folder)
    run(["git", "init", "--quiet"], folder)
    run(["git", "add", "--all"], folder)
    author = ["-c", "user.name=Clean Room", "-c", "user.email=clean-room@example.com"]
    run(["git", *author, "commit", "--quiet", "--message", "As released"], folder)
    run(["git", "tag", f"v{repository.stored(repository.VERSION_HOME)}"], folder)


def surroundings(python, folder, source):
    """Return the environment variables: jupyter knows PYTHON's kernel, git knows the address."""
    spec = folder / "kernels" / KERNEL / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": KERNEL, "language": "python"}))
    return {
        "JUPYTER_PATH": str(folder),
        "GIT_ALLOW_PROTOCOL": "file",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{source.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": URL,
    }


def packages(python):
    """Return the lines of pip freeze: what is installed, and in which version."""
    return set(run([python, "-m", "pip", "freeze"], ROOT).splitlines())


def complaints(before, after, file, prefix):
    """Complain about a run that changed other packages, or took the library from elsewhere.

    Args:
        before: The packages before the run.
        after: The packages after it.
        file: pixelar_lib.__file__, as the notebook's kernel saw it.
        prefix: The folder of the environment.
    """
    ours = {line for line in after if line.startswith(f"pixelar-lib @ git+{URL}@")}
    found = [] if ours else ["the set-up cell did not install the library from its address"]
    found += [f"a package changed: {line}" for line in sorted((before ^ after) - ours)]
    if not Path(file).is_relative_to(prefix):
        found.append(f"the library comes from elsewhere: {file}")
    return found


def try_notebook(path, python, timeout):
    """Run one published notebook in an empty folder; return complaints."""
    run([python, "-m", "pip", "uninstall", "--yes", "--quiet", "pixelar-lib"], ROOT)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(new_code_cell(PROBE))
    before = packages(python)
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = execute(notebook, folder, timeout, kernel_name=KERNEL)
        except RuntimeError as error:
            return [str(error)]
    file = done.cells[-1].outputs[0].text.strip()
    return complaints(before, packages(python), file, python.parent.parent)


def main(argv=None):
    """Run the notebooks that are named, or all; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="paths; default: all in this folder")
    parser.add_argument("--python", type=Path, required=True, help="of the environment to run in")
    parser.add_argument("--timeout", type=int, default=300, help="seconds a cell may take")
    args = parser.parse_args(argv)
    names = [path.name for path in find(args.notebooks)]
    python = args.python.absolute()  # not resolved: the link is what makes it an environment's
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        publish(source)
        os.environ.update(SETTINGS | surroundings(python, Path(folder, "jupyter"), source))
        for name in ("MPLBACKEND", "PIXELAR_SEED_OFFSET", "PYTHONPATH"):
            os.environ.pop(name, None)
        for name in names:
            start = time.monotonic()
            found = try_notebook(source / "notebooks" / name, python, args.timeout)
            seconds = time.monotonic() - start
            print(f"{name}: {'; '.join(found) or 'passed'}, {seconds:.0f} s", flush=True)
            failed = failed or bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
