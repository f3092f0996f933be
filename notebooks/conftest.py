"""What nbval compared: counted, printed, and refused where too little of it was."""

from pathlib import Path

import pytest
from execute import compared_outputs
from nbval.plugin import IPyNbCell

MAX_IGNORED = 0.05
MAY_BE_IGNORED = {"timing", "widget"}
CELLS = pytest.StashKey()


def kind(cell, options):
    """Say what nbval does with a cell: it is compared, empty (nothing printed) or ignored."""
    if options["skip"] or options["check_exception"] or not options["check"]:
        return "ignored"
    return "compared" if compared_outputs(cell) else "empty"


def complaints(cells, whole=True):
    """Return what is wrong with a run over cells, as (name, cell, kind); [] where all is well.

    The limit on ignored cells is one on the whole book, so a run over a part is spared it.
    """
    found = [f"{name}: never executed" for name, cell, _ in cells if cell.execution_count is None]
    ignored = [(name, cell) for name, cell, what in cells if what == "ignored"]
    found += [
        f"{name}: its output is ignored, but it has neither the tag widget nor timing"
        for name, cell in ignored
        if not MAY_BE_IGNORED & set(cell.metadata.get("tags", []))
    ]
    if whole and len(ignored) > MAX_IGNORED * len(cells):
        found.append(f"{len(ignored)} of {len(cells)} cells ignored, more than {MAX_IGNORED:.0%}")
    if not any(what == "compared" for *_, what in cells):
        found.append("nothing was compared")
    return found


def pytest_configure(config):
    config.stash[CELLS] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    if call.when == "call" and isinstance(item, IPyNbCell):
        name = f"{item.path.name} {item.name}"
        item.config.stash[CELLS].append((name, item.cell, kind(item.cell, item.options)))
    return (yield)


def run_complaints(config):
    """Return the complaints about what has run so far."""
    names = {name.split(" Cell ")[0] for name, *_ in config.stash[CELLS]}
    whole = names == {path.name for path in Path(__file__).parent.glob("*.ipynb")}
    return complaints(config.stash[CELLS], whole)


def pytest_sessionfinish(session, exitstatus):
    if exitstatus == pytest.ExitCode.OK and run_complaints(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    kinds = [what for *_, what in config.stash[CELLS]]
    counts = ", ".join(f"{kinds.count(what)} {what}" for what in ("compared", "empty", "ignored"))
    terminalreporter.section("notebook cells")
    terminalreporter.line(f"{len(kinds)} cells: {counts}")
    for complaint in run_complaints(config):
        terminalreporter.line(f"FAILED {complaint}", red=True)
