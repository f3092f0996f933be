"""notebooks/execute.py and notebooks/conftest.py: what they write, count and refuse."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

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
    assert execute.main([str(path), "--timeout", "1"]) == 1
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


def test_merge_keeps_a_number_that_is_only_approximate():
    old, other = (
        printed("step 10: loss ≈ 0.49 nats\n"),
        printed("step 10: loss ≈ -1,234.5e-07 nats\n"),
    )
    assert merged(old, other)[0].text == old.outputs[0].text
    for changed in ("step 20: loss ≈ 0.49 nats\n", "step 10: loss ≈ 0.49 bits\n"):
        assert merged(old, printed(changed))[0].text == changed


# Counting

OPTIONS = {"check": True, "skip": False, "check_exception": False}


def described(*cells):
    """Return what the plugin tells of cells."""
    return [
        rules.describe(
            "a.ipynb",
            f"Cell {number}",
            cell,
            OPTIONS | {"check": execute.IGNORE_TAG not in cell.metadata.tags},
        )
        for number, cell in enumerate(cells)
    ]


def test_kinds():
    cells = described(printed("1"), printed(""), printed("", picture="p"))
    assert [cell["kind"] for cell in cells] == ["compared", "empty", "empty"]
    for key in OPTIONS:
        assert rules.kind(printed("1"), OPTIONS | {key: key != "check"}) == "ignored"


def test_complaints():
    good = printed("1")
    widget = printed("1", ["widget", execute.IGNORE_TAG])
    bare = printed("1", [execute.IGNORE_TAG])
    assert rules.complaints(described(*[good] * 19, widget)) == []
    assert "more than 5%" in rules.complaints(described(*[good] * 18, widget))[0]
    assert rules.complaints(described(*[good] * 18, widget), whole=False) == []
    assert "neither" in rules.complaints(described(*[good] * 19, bare))[0]
    assert rules.complaints(described(printed(""))) == ["nothing was compared"]
    assert rules.complaints([]) == ["nothing was compared"]
    never = printed("1")
    never.execution_count = None
    assert rules.complaints(described(never)) == ["a.ipynb Cell 0: never executed"]


def test_counts_come_from_the_reports():
    """Under xdist, cells run in workers; the one that judges sees their reports only."""
    judge = rules.Judge()
    assert judge.complaints() == ["nothing was compared"]
    for cell in described(printed("1"), printed("")):
        sent = json.loads(json.dumps([(rules.PROPERTY, cell), ("other", 1)]))
        judge.pytest_runtest_logreport(SimpleNamespace(user_properties=sent))
    assert [cell["kind"] for cell in judge.cells] == ["compared", "empty"]
    assert judge.complaints() == []


@pytest.mark.parametrize(
    ("options", "judges"),
    [
        ({"nbval": True, "collectonly": False}, True),
        ({"nbval": True, "collectonly": True}, False),
        ({"nbval": False, "collectonly": False}, False),
    ],
)
def test_judged_is_what_nbval_ran_and_by_one_process(options, judges):
    registered = []
    manager = SimpleNamespace(register=registered.append)
    option = SimpleNamespace(nbval_sanitize_with=None, **options)
    config = SimpleNamespace(option=option, pluginmanager=manager)
    rules.pytest_configure(config)
    assert len(registered) == judges
    config.workerinput = {}  # one of xdist's workers
    rules.pytest_configure(config)
    assert len(registered) == judges


# Running nbval


@pytest.fixture
def course(tmp_path):
    """Return the notebooks' folder of a small project: the rules and a library, not installed."""
    folder = tmp_path / "my course é (x)" / "notebooks"
    (folder.parent / "pixelar_lib").mkdir(parents=True)
    (folder.parent / "pixelar_lib" / "__init__.py").write_text("origin = 'beside'\n")
    (folder.parent / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    folder.mkdir()
    for name in ("conftest.py", "execute.py", "sanitize.cfg"):
        (folder / name).write_text((FOLDER / name).read_text(encoding="utf8"), encoding="utf8")
    return folder


def nbval(*arguments, folder, **environment):
    """Run nbval as its manual says, away from make; settings of None are taken away."""
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", *arguments]
    settings = {**os.environ, "PYTEST_ADDOPTS": "-p no:cacheprovider", **environment}
    settings = {name: value for name, value in settings.items() if value is not None}
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=settings,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow  # a process of its own
def test_nbval_fails_where_too_little_was_compared(course):
    save(course / "a.ipynb", "print(1)")
    refused = nbval(course, folder=course)
    assert refused.returncode == 1
    assert "1 cells: 0 compared, 1 empty, 0 ignored" in refused.stdout
    assert "FAILED a.ipynb Cell 0: never executed" in refused.stdout


@pytest.mark.slow  # a process of its own
def test_nbval_passes_over_approximate_numbers_and_nothing_else(course):
    path = save(course / "a.ipynb", "print('loss ≈ 0.5, accuracy 0.9')")
    for text, status in [("≈ 0.73, accuracy 0.9", 0), ("≈ 0.5, accuracy 0.8", 1)]:
        notebook = stored(path)
        [cell] = execute.code_cells(notebook)
        cell.outputs = [new_output("stream", name="stdout", text=f"loss {text}\n")]
        cell.execution_count = 1
        nbformat.write(notebook, path)
        done = nbval(course, folder=course)
        assert done.returncode == status, done.stdout + done.stderr


CONDITIONS = """import os
import pixelar_lib
names = ["MPLBACKEND", "PIXELAR_DEVICE", "TQDM_DISABLE", "PYTHONUTF8", "PIXELAR_SEED_OFFSET"]
print(pixelar_lib.origin, [os.environ.get(name) for name in names])"""
FIGURE = "import matplotlib.pyplot as plt\n\nplt.close(plt.figure())\nprint('drawn')"


@pytest.mark.slow  # make test itself runs nbval on each chapter with next to no settings
def test_nbval_needs_no_settings(course, tmp_path):
    """Neither an install, nor a home, nor a font cache; and the caller's own settings yield."""
    path = save(course / "a.ipynb", CONDITIONS, FIGURE)
    notebook = stored(path)
    # A kernel sets its own backend once it is up.
    names = ["module://matplotlib_inline.backend_inline", "cpu", "1", "1", "3"]
    texts = [f"beside {names}\n", "drawn\n"]
    for number, (cell, text) in enumerate(zip(execute.code_cells(notebook), texts, strict=True)):
        cell.outputs = [new_output("stream", name="stdout", text=text)]
        cell.execution_count = number + 1
    nbformat.write(notebook, path)
    (tmp_path / "home").write_text("no folder")
    settings = {
        **dict.fromkeys(["PIXELAR_DEVICE", "TQDM_DISABLE", "PYTHONUTF8", "PYTHONPATH"]),
        **dict.fromkeys(["MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"]),
        "HOME": str(tmp_path / "home" / "nobody"),
        "MPLBACKEND": "agg",
        "PIXELAR_SEED_OFFSET": "3",
    }
    for folder, name in [(course, "a.ipynb"), (tmp_path, path)]:
        done = nbval(name, folder=folder, **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "2 cells: 2 compared" in done.stdout


@pytest.mark.slow
def test_nbval_counts_under_xdist(course):
    paths = [save(course / f"{name}.ipynb", "print(1)") for name in "ab"]
    assert execute.main(list(map(str, paths))) == 0
    done = nbval("-n", 2, "--dist", "loadscope", course, folder=course)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 cells: 2 compared" in done.stdout
    for name in "ab":
        save(course / f"{name}.ipynb", "x = 1")
    assert execute.main(list(map(str, paths))) == 0
    refused = nbval("-n", 2, "--dist", "loadscope", course, folder=course)
    assert (refused.returncode, "FAILED nothing was compared" in refused.stdout) == (1, True)
