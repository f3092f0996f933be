"""notebooks/execute.py and notebooks/conftest.py: what they write, count and refuse."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import execute
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

FOLDER = Path(execute.__file__).parent


def load_rules():
    """Return notebooks/conftest.py as a module of its own."""
    spec = importlib.util.spec_from_file_location("nbval_rules", FOLDER / "conftest.py")
    rules = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rules)
    return rules


rules = load_rules()


def save(path, *sources):
    """Write a notebook of code cells that were never executed; return its path."""
    cells = [new_markdown_cell("# Title"), *map(new_code_cell, sources)]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def stored(path):
    return nbformat.read(path, as_version=4)


def printed(text, tags=(), picture=None):
    """Return an executed cell that printed a text and maybe drew a picture."""
    outputs = [new_output("stream", name="stdout", text=text)] if text else []
    if picture:
        outputs.append(new_output("display_data", data={"image/png": picture}))
    return new_code_cell(
        "show()", execution_count=1, outputs=outputs, metadata={"tags": list(tags)}
    )


# Execution


def test_executes_in_place_and_then_leaves_alone(tmp_path, capsys):
    path = save(tmp_path / "a b é.ipynb", "import os\n\nprint(os.getcwd())", "1 + 1")
    assert execute.main([str(path), "--timeout", "60"]) == 0
    notebook = stored(path)
    first, second = execute.code_cells(notebook)
    assert first.outputs[0].text == f"{tmp_path}\n"
    assert second.outputs[0].data["text/plain"] == "2"
    assert [first.execution_count, second.execution_count] == [1, 2]
    assert set(notebook.metadata) == {"code_sha256", "kernelspec", "language_info"}
    assert "version" not in notebook.metadata.language_info
    before = path.stat().st_mtime_ns, path.read_bytes()
    assert execute.main([str(path)]) == 0
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == [
        "a b é.ipynb: written",
        "a b é.ipynb: unchanged",
    ]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("source", "message"),
    [("1 / 0", "ZeroDivisionError"), ("import time\n\ntime.sleep(60)", "CellTimeoutError")],
)
def test_a_failing_cell_leaves_the_file_alone(tmp_path, capsys, source, message):
    path = save(tmp_path / "a.ipynb", "print(1)", source)
    before = path.read_bytes()
    assert execute.main([str(path), "--timeout", "2"]) == 1
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    error = capsys.readouterr().err
    assert "a.ipynb: failed, file untouched. Cell 1" in error
    assert message in error


def test_an_unknown_notebook_is_refused(tmp_path):
    with pytest.raises(SystemExit, match=r"No such notebook: .*missing\.ipynb"):
        execute.main([str(tmp_path / "missing.ipynb")])


def merged(old, new, keep_pictures=True, digest=None):
    """Return the outputs that merging two one-cell notebooks keeps."""
    before, after = new_notebook(cells=[old]), new_notebook(cells=[new])
    before.metadata["code_sha256"] = digest or execute.code_digest(before)
    return execute.merge(before, after, keep_pictures).cells[0].outputs


def test_merge_keeps_what_is_not_compared():
    old, redrawn = printed("1\n", picture="old"), printed("1\n", picture="new")
    assert merged(old, redrawn) == old.outputs
    assert merged(old, redrawn, keep_pictures=False) == redrawn.outputs
    assert merged(old, redrawn, digest="of other code") == redrawn.outputs
    changed = printed("2\n", picture="new")
    assert merged(old, changed) == changed.outputs
    timing = ["timing", execute.IGNORE_TAG]
    assert merged(printed("3 s", timing), printed("4 s", timing))[0].text == "3 s"


# Counting


def run(*cells):
    """Return (name, cell, kind) of cells, as the plugin records them."""
    options = {"check": True, "skip": False, "check_exception": False}
    found = []
    for number, cell in enumerate(cells):
        check = execute.IGNORE_TAG not in cell.metadata.tags
        found.append((f"a.ipynb Cell {number}", cell, rules.kind(cell, options | {"check": check})))
    return found


def test_kinds():
    kinds = [kind for *_, kind in run(printed("1"), printed(""), printed("", picture="p"))]
    assert kinds == ["compared", "empty", "empty"]
    options = {"check": True, "skip": False, "check_exception": False}
    for key in options:
        assert rules.kind(printed("1"), options | {key: key != "check"}) == "ignored"


def test_complaints():
    good = printed("1")
    widget = printed("1", ["widget", execute.IGNORE_TAG])
    bare = printed("1", [execute.IGNORE_TAG])
    assert rules.complaints(run(*[good] * 19, widget)) == []
    assert "more than 5%" in rules.complaints(run(*[good] * 18, widget))[0]
    assert rules.complaints(run(*[good] * 18, widget), whole=False) == []
    assert "neither" in rules.complaints(run(*[good] * 19, bare))[0]
    assert rules.complaints(run(printed(""))) == ["nothing was compared"]
    assert rules.complaints([]) == ["nothing was compared"]
    never = printed("1")
    never.execution_count = None
    assert rules.complaints(run(never)) == ["a.ipynb Cell 0: never executed"]


def test_nbval_fails_where_too_little_was_compared(tmp_path):
    for name in ("conftest.py", "execute.py"):
        (tmp_path / name).write_text((FOLDER / name).read_text(encoding="utf8"), encoding="utf8")
    path = save(tmp_path / "a.ipynb", "print(1)")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "--nbval-current-env",
        "-p",
        "no:cacheprovider",
    ]

    def nbval():
        return subprocess.run(
            [*command, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )

    refused = nbval()
    assert refused.returncode == 1
    assert "FAILED a.ipynb Cell 0: never executed" in refused.stdout
    assert execute.main([str(path)]) == 0
    passed = nbval()
    assert passed.returncode == 0, passed.stdout
    assert "1 cells: 1 compared, 0 empty, 0 ignored" in passed.stdout
