"""Execute notebooks in place, and write only those whose compared output changed.

    python notebooks/execute.py [--all] [--timeout SECONDS] [NOTEBOOK ...]

Compared is what nbval compares: everything but pictures, the views of widgets and what
sanitize.cfg names. Pictures are written again where the code or a compared output of their
notebook changed, or with --all.
"""

import argparse
import configparser
import copy
import functools
import hashlib
import json
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

FOLDER = Path(__file__).resolve().parent
SANITIZE = FOLDER / "sanitize.cfg"
SETTINGS = {
    "PIXELAR_DEVICE": "cpu",  # where everybody can run
    "TQDM_DISABLE": "1",  # progress bars are for people; stored outputs have none
    "PYTHONUTF8": "1",  # the folder's name may have accents, whatever the locale
}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
NOT_COMPARED = {"image/png", "image/jpeg", WIDGET_VIEW}
IGNORE_TAG = "nbval-ignore-output"
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE_INFO = {"name": "python", "pygments_lexer": "ipython3"}


def kernel_environment():
    """Return the environment in which kernels print what is stored.

    Notebooks choose their own backend. They import the library that lies beside them, installed
    or not. PIXELAR_SEED_OFFSET stays as it is, so that another seed can be tried.
    """
    # Builds the font cache where there is none, and names a folder for it (MPLCONFIGDIR) where
    # there is no home: else a notebook's first figure would say so in its output.
    import matplotlib.font_manager  # noqa: F401

    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    paths = [str(FOLDER.parent), environment.get("PYTHONPATH", "")]
    return environment | SETTINGS | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def code_cells(notebook):
    """Return the code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def compared_outputs(cell):
    """Return what nbval compares of a cell's outputs; nothing for a cell that it ignores."""
    if IGNORE_TAG in cell.metadata.get("tags", []):
        return []
    streams = [(out.name, out.text) for out in cell.outputs if out.output_type == "stream"]
    data = [(mime, out.data[mime]) for out in cell.outputs for mime in sorted(out.get("data", {}))]
    compared = streams + [(mime, value) for mime, value in data if mime not in NOT_COMPARED]
    return [(kind, sanitized(value)) for kind, value in compared]


def sanitized(value):
    """Return an output without what sanitize.cfg names; only text can name it."""
    if not isinstance(value, str):
        return value
    for rule in sanitizing_rules():
        value = re.sub(rule["regex"], rule["replace"], value)
    return value


@functools.cache
def sanitizing_rules():
    """Return the sections of sanitize.cfg, which nbval reads, too."""
    rules = configparser.RawConfigParser()
    rules.read(SANITIZE, encoding="utf8")
    return [rules[name] for name in rules.sections()]


def code_digest(notebook):
    """Return the sha256 of all code of a notebook: it tells whether outputs belong to it."""
    sources = [cell.source for cell in code_cells(notebook)]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def execute(notebook, folder, timeout, kernel_name=KERNELSPEC["name"], environment=None):
    """Return an executed copy, from a fresh kernel; without an environment, it inherits ours.

    Raises:
        RuntimeError: If a cell fails, takes too long or ends the kernel; it names the cell.
    """
    fresh = copy.deepcopy(notebook)
    for cell in code_cells(fresh):
        cell.outputs, cell.execution_count = [], None
    started = []
    client = NotebookClient(
        fresh,
        timeout=timeout,
        kernel_name=kernel_name,
        resources={"metadata": {"path": str(folder)}},
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
        record_timing=False,
        store_widget_state=False,
        on_cell_execute=lambda cell, cell_index: started.append(cell),
    )
    try:
        client.execute(env=environment or os.environ.copy())
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        number = len(started) - 1  # nbval counts code cells from 0, too
        raise RuntimeError(f"Cell {number}: {type(error).__name__}\n{error}") from None
    for output in (output for cell in code_cells(fresh) for output in cell.outputs):
        output.get("data", {}).pop(WIDGET_VIEW, None)  # dead without its kernel
    return fresh


def merge(stored, fresh, keep_pictures=True):
    """Return the notebook to store: the stored outputs where nothing compared has changed."""
    digest = code_digest(fresh)
    same = stored.metadata.get("code_sha256") == digest and all(
        compared_outputs(old) == compared_outputs(new)
        for old, new in zip(code_cells(stored), code_cells(fresh), strict=True)
    )
    result = copy.deepcopy(stored if same and keep_pictures else fresh)
    for cell, new in zip(code_cells(result), code_cells(fresh), strict=True):
        cell.execution_count = new.execution_count
        cell.metadata.pop("execution", None)
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = new.execution_count
    result.metadata = nbformat.from_dict(
        {"code_sha256": digest, "kernelspec": KERNELSPEC, "language_info": LANGUAGE_INFO}
    )
    return result


def write(notebook, path):
    """Write a notebook whole or not at all; return whether the file changed."""
    text = nbformat.writes(notebook) + "\n"
    if path.read_text(encoding="utf8") == text:
        return False
    beside = path.with_suffix(".tmp")
    beside.write_text(text, encoding="utf8", newline="\n")
    os.replace(beside, path)
    return True


def find(names):
    """Return the paths of the notebooks that are named, or of all in this folder."""
    paths = [Path(name).resolve() for name in names] or sorted(FOLDER.glob("*.ipynb"))
    missing = [str(path) for path in paths if not (path.suffix == ".ipynb" and path.is_file())]
    if missing:
        sys.exit(f"No such notebook: {', '.join(missing)}. There are: {FOLDER}/*.ipynb")
    return paths


def main(argv=None):
    """Execute the notebooks that are named, or all; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="paths; default: all in this folder")
    parser.add_argument("--all", action="store_true", help="write the pictures again, too")
    parser.add_argument("--timeout", type=int, default=300, help="seconds a cell may take")
    args = parser.parse_args(argv)
    failed = False
    environment = kernel_environment()
    for path in find(args.notebooks):
        start = time.monotonic()
        stored = nbformat.read(path, as_version=4)
        try:
            fresh = execute(stored, path.parent, args.timeout, environment=environment)
        except RuntimeError as error:
            failed = True
            print(f"{path.name}: failed, file untouched. {error}", file=sys.stderr)
            continue
        state = "written" if write(merge(stored, fresh, not args.all), path) else "unchanged"
        print(f"{path.name}: {state}, {time.monotonic() - start:.0f} s", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
