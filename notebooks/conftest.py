"""What nbval runs in, and what it compared: counted, printed, refused where it was too little."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from execute import SANITIZE, compared_outputs, kernel_environment
from nbval.plugin import IPyNbCell

try:
    import fcntl
except ImportError:  # on Windows, where make is not either
    fcntl = None

MAX_IGNORED = 0.05
MAY_BE_IGNORED = {"timing", "widget"}
KINDS = ("compared", "empty", "ignored")
ENVIRONMENT = pytest.StashKey()
PROPERTY = "notebook cell"


def kind(cell, options):
    """Say what nbval does with a cell: it is compared, empty (nothing printed) or ignored."""
    if options["skip"] or options["check_exception"] or not options["check"]:
        return "ignored"
    return "compared" if compared_outputs(cell) else "empty"


def describe(notebook, name, cell, options):
    """Return what counts about a cell, in plain types: they travel from xdist's workers."""
    return {
        "notebook": notebook,
        "cell": name,
        "kind": kind(cell, options),
        "executed": cell.execution_count is not None,
        "tags": list(cell.metadata.get("tags", [])),
    }


def complaints(cells, whole=True):
    """Return what is wrong with a run over described cells; [] where all is well.

    The limit on ignored cells is one on the whole book, so a run over a part is spared it.
    """
    ignored = [cell for cell in cells if cell["kind"] == "ignored"]
    untagged = [cell for cell in ignored if not MAY_BE_IGNORED & {*cell["tags"]}]
    found = [
        f"{cell['notebook']} {cell['cell']}: {what}"
        for what, wrong in (
            ("never executed", [cell for cell in cells if not cell["executed"]]),
            ("its output is ignored, but it has neither the tag widget nor timing", untagged),
        )
        for cell in wrong
    ]
    if whole and len(ignored) > MAX_IGNORED * len(cells):
        found.append(f"{len(ignored)} of {len(cells)} cells ignored, more than {MAX_IGNORED:.0%}")
    if not any(cell["kind"] == "compared" for cell in cells):
        found.append("nothing was compared")
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    if not isinstance(item, IPyNbCell):
        return (yield)
    if ENVIRONMENT not in item.config.stash:
        item.config.stash[ENVIRONMENT] = kernel_environment()
    environment = mock.patch.dict(os.environ, item.config.stash[ENVIRONMENT], clear=True)
    with environment, one_at_a_time(item.config):
        return (yield)  # the set-up of a notebook's first cell starts its kernel


@contextmanager
def one_at_a_time(config):
    """Let xdist's workers start kernels in turn: a port is free when it is chosen, not for long."""
    if fcntl is None or not hasattr(config, "workerinput"):
        yield
        return
    path = Path(tempfile.gettempdir()) / f"pixelar-kernels-{os.getuid()}"
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call" and isinstance(item, IPyNbCell):
        cell = describe(item.path.name, item.name, item.cell, item.options)
        report.user_properties.append((PROPERTY, cell))
    return report


class Judge:
    """Counts what reports tell of cells, its own or those of xdist's workers, and judges it."""

    def __init__(self):
        self.cells = []

    def pytest_runtest_logreport(self, report):
        self.cells += [cell for name, cell in report.user_properties if name == PROPERTY]

    def complaints(self):
        """Return the complaints about what has run so far."""
        names = {cell["notebook"] for cell in self.cells}
        book = {path.name for path in Path(__file__).parent.glob("*.ipynb")}
        return complaints(self.cells, whole=names == book)

    def pytest_sessionfinish(self, session, exitstatus):
        if exitstatus == pytest.ExitCode.OK and self.complaints():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        kinds = [cell["kind"] for cell in self.cells]
        counts = ", ".join(f"{kinds.count(what)} {what}" for what in KINDS)
        terminalreporter.section("notebook cells")
        terminalreporter.line(f"{len(kinds)} cells: {counts}")
        for complaint in self.complaints():
            terminalreporter.line(f"FAILED {complaint}", red=True)


def pytest_configure(config):
    config.option.nbval_sanitize_with = config.option.nbval_sanitize_with or SANITIZE
    is_worker = hasattr(config, "workerinput")  # of xdist: it sees a part of the cells only
    if config.option.nbval and not config.option.collectonly and not is_worker:
        config.pluginmanager.register(Judge())
