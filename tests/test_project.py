"""The project holds together: layout, pages, notebooks and modules, each check seen to fail."""

import json
import subprocess
import tomllib
from pathlib import Path

import nbformat
import project_checks as checks
import pytest
import yaml
from execute import code_digest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).parent.parent
NOTEBOOKS = {
    path.name: nbformat.read(path, as_version=4) for path in ROOT.glob("notebooks/*.ipynb")
}
MODULES = sorted(ROOT.glob("pixelar_lib/**/*.py"))

each_notebook = pytest.mark.parametrize("name", sorted(NOTEBOOKS))


def text(path):
    return (ROOT / path).read_text(encoding="utf8")


@pytest.fixture(scope="module")
def tracked():
    """Return the files that git tracks."""
    if not (ROOT / ".git").exists():
        pytest.skip("this copy is not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [path for path in listing.stdout.decode().split("\0") if path]


# The repository


def test_root_listing(tracked):
    assert checks.root_listing(tracked) == []


def test_root_listing_fails():
    good = [f"{entry}/x" for entry in checks.ROOT]
    assert checks.root_listing([*good, "scratch/x"]) == ["not in the layout: scratch"]
    assert checks.root_listing([path for path in good if "LICENSE" not in path]) == [
        "missing: LICENSE"
    ]


def test_no_private_text(tracked):
    found = {}
    for path in tracked:
        if (ROOT / path).suffix not in {".npz", ".png", ".safetensors", ".woff2", ".xz", ".gz"}:
            found[path] = checks.private_text(text(path))
    assert {path: matches for path, matches in found.items() if matches} == {}


@pytest.mark.parametrize(
    "bad",
    ["see /" + "work/main/x", "'/" + "home/me/x'", "https://pypi" + ".org/simple/x"],
)
def test_no_private_text_fails(bad):
    assert len(checks.private_text(bad)) == 1
    assert checks.private_text("network/home/page, https://download.pytorch.org/whl/cpu") == []


def test_no_extra_index(tracked):
    found = [
        complaint
        for path in tracked
        if path.endswith((".md", ".yml", "Makefile", "run")) or path.startswith(".ci/")
        for complaint in checks.index_complaints(text(path))
    ]
    assert found == []


@pytest.mark.parametrize("bad", ["pip --extra-index-url https://x.org", "PIP_EXTRA_INDEX_URL: x"])
def test_no_extra_index_fails(bad):
    assert len(checks.index_complaints(bad)) == 1
    assert checks.index_complaints("pip install torch --index-url https://x.org") == []


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/workflows/*")), ids=lambda x: x.stem)
def test_workflows(path):
    assert checks.workflow_complaints(text(path)) == []


def test_workflows_fails():
    pinned = f"{'0123456789' * 4} # v1.2.3"
    safe = f"uses: actions/checkout@{pinned}\n      with: {{persist-credentials: false}}"
    job = "jobs:\n  a:\n    steps:\n    - %s\n    - {}\n"
    assert checks.workflow_complaints(job % safe) == []
    for bad in [
        safe.replace(pinned, "v4"),
        safe.replace(" # v1.2.3", ""),
        safe.replace("0123", "012", 1),
        safe.replace("false", "true"),
        f"uses: actions/checkout@{pinned}",
    ]:
        assert len(checks.workflow_complaints(job % bad)) == 1


def test_toc():
    pages = checks.toc_files(yaml.safe_load(text("_toc.yml")))
    paths = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("[bn]*/*")]
    assert checks.toc_complaints(pages, paths) == []


def test_toc_fails():
    toc = {"root": "book/index", "parts": [{"chapters": [{"file": "book/a"}]}]}
    pages = checks.toc_files(toc)
    assert pages == ["book/index", "book/a"]
    assert checks.toc_complaints(pages, ["book/index.md", "notebooks/b.ipynb"]) == [
        "_toc.yml names book/a, which has no file",
        "notebooks/b is not in _toc.yml",
    ]


def test_conda_asks_for_what_pip_asks_for():
    pyproject = tomllib.loads(text("pyproject.toml"))
    assert checks.conda_complaints(pyproject, yaml.safe_load(text("environment.yml"))) == []


def test_conda_asks_for_what_pip_asks_for_fails():
    project = {"dependencies": ["torch>=2"], "optional-dependencies": {"test": ["pytest>=8"]}}
    environment = {"dependencies": ["python>=3.11", "pytorch>=2", "pytest>=7", "numpy"]}
    found = checks.conda_complaints({"project": project}, environment)
    assert [line.split(":")[0] for line in found] == ["numpy", "pytest"]


def test_readme_gives_a_reason_for_each_dependency():
    pyproject = tomllib.loads(text("pyproject.toml"))
    npm = json.loads(text("tests/site/package.json"))
    assert checks.readme_complaints(pyproject, npm, text("README.md")) == []


def test_readme_gives_a_reason_for_each_dependency_fails():
    project = {"dependencies": ["torch>=2"], "optional-dependencies": {"test": ["pytest>=8"]}}
    table = "\n## Dependencies\n\n| package | why |\n|---|---|\n| torch, numpy (1.x) | speed |\n"
    readme = f"{table}\n## Next\n\n| pytest | x |\n"
    found = checks.readme_complaints({"project": project}, {"dependencies": {"axe": "1"}}, readme)
    assert found == [
        "README.md gives no reason for axe",
        "README.md gives no reason for pytest",
        "README.md names numpy, which nothing needs",
    ]


def test_documentation_stack_is_pinned():
    pyproject = tomllib.loads(text("pyproject.toml"))
    assert checks.pin_complaints(pyproject, text("book/constraints.txt").splitlines()) == []


def test_documentation_stack_is_pinned_fails():
    pyproject = {"project": {"optional-dependencies": {"book": ["jupyter-book>=1", "b>=1"]}}}
    found = checks.pin_complaints(pyproject, ["# pins", "jupyter-book==1.0", "sphinx>=7"])
    assert found == ["not pinned: sphinx>=7", "missing: b"]


def test_api_reference_is_complete():
    modules = [name for name in checks.MODULE_ORDER if list(ROOT.glob(f"pixelar_lib/{name}*"))]
    assert checks.api_complaints(text("book/api.md"), modules) == []


def test_api_reference_is_complete_fails():
    page = "```{autodoc2-object} pixelar_lib.data\n```"
    assert checks.api_complaints(page, ["data", "zoo"]) == ["book/api.md leaves out zoo"]


def test_citations():
    pages = [text(path) for path in ROOT.glob("book/*.md")]
    texts = "\n".join(pages + [checks.markdown(notebook) for notebook in NOTEBOOKS.values()])
    assert checks.citation_complaints(texts, text("book/references.bib")) == []


def test_citations_fails():
    bibliography = "@misc{known2020, title={T}}"
    cited = "{cite}`known2020` and {cite:t}`known2020, unknown2021`"
    assert checks.citation_complaints(cited, bibliography) == ["no entry for unknown2021"]


def test_lists_of_chapters_tell_their_minutes():
    chapters = {name: NOTEBOOKS[name] for name in sorted(NOTEBOOKS) if name < "90"}
    index = text("book/index.md")
    assert checks.minutes_complaints(chapters, index, checks.MINUTES_IN_INDEX) == []
    course_map = checks.markdown(chapters.pop("00_first_digit.ipynb"))
    assert checks.minutes_complaints(chapters, course_map, checks.MINUTES_IN_MAP) == []


def test_lists_of_chapters_tell_their_minutes_fails():
    card = new_markdown_cell("> **Time** 35 minutes to read. **Level** next steps.")
    chapters = {"01_a.ipynb": new_notebook(cells=[card])}
    card = ":::{grid-item-card} A\n:link: ../notebooks/01_a\nText.\n\n*%s*\n:::\n"
    for index, told in [
        (card % "35 minutes, next steps", None),
        (card % "35 minutes, first steps", "35 minutes, first steps"),
        (card % "3 minutes, next steps", "3 minutes, next steps"),
        (card.replace("01_a", "01_b") % "35 minutes, next steps", "nothing"),
        (card.replace("*%s*", "") + "*35 minutes, next steps*", "nothing"),
    ]:
        found = checks.minutes_complaints(chapters, index, checks.MINUTES_IN_INDEX)
        assert [line.rpartition("says ")[2] for line in found] == [told] * (told is not None)
    for minutes, complaints in [(35, 0), (3, 1)]:
        row = f"| [1. A](01_a.ipynb) | Q? | {minutes} |"
        found = checks.minutes_complaints(chapters, row, checks.MINUTES_IN_MAP)
        assert len(found) == complaints


@pytest.mark.parametrize("path", ["README.md", "book/index.md", "notebooks/00_first_digit.ipynb"])
def test_hours_are_those_of_the_chapters(path):
    name = path.rpartition("/")[2]
    shown = checks.markdown(NOTEBOOKS[name]) if name in NOTEBOOKS else text(path)
    assert len(checks.DURATION.findall(shown)) >= 3  # each part
    assert checks.duration_complaints(NOTEBOOKS, shown) == []


def test_hours_are_those_of_the_chapters_fails():
    cards = [f"> **Time** {minutes} minutes to read. **Level** x." for minutes in (10, 35, 40, 45)]
    notebooks = {
        f"{number:02}_a.ipynb": new_notebook(cells=[new_markdown_cell(card)])
        for number, card in enumerate(cards)
    }
    for passage, complaints in [
        ("- 2 hours 10 minutes: [0](00_a.ipynb) to [3](03_a.ipynb)\n", 0),
        ("- 2 hours: [0](00_a.ipynb) to [3](03_a.ipynb)\n", 1),
        ("- 2 hours: [1](../notebooks/01_a.ipynb) to [3](../notebooks/03_a.ipynb)\n", 0),
        ("| [0](notebooks/00_a.ipynb), [1](notebooks/01_a.ipynb) | 1 hour 45 minutes |\n", 1),
        ("## A\n\n*1 hour 25 minutes*\n\n:link: ../notebooks/02_a\n:link: ../notebooks/03_a\n", 0),
        ("- 1 hour: [1](01_a.ipynb)\n- 1 hour 25 minutes: [2](02_a.ipynb) [3](03_a.ipynb)\n", 1),
        ("Training took 3 hours.\n\n- [1](01_a.ipynb)\n", 0),
    ]:
        assert len(checks.duration_complaints(notebooks, passage)) == complaints


# The library


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_import_order(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    module = ".".join(parts[:-1] if is_package else parts)
    assert checks.import_complaints(module, text(path), is_package) == []


@pytest.mark.parametrize(
    "source",
    [
        "from pixelar_lib.sampling import sample",
        "from pixelar_lib import sampling",
        "import pixelar_lib.sampling",
        "from ..sampling import sample",
        "def f():\n    from .. import sampling",
        "from pixelar_lib.other import x",
    ],
)
def test_import_order_fails(source):
    assert len(checks.import_complaints("pixelar_lib.models.base", source)) == 1


def test_import_order_allows():
    source = (
        "import torch\nfrom pixelar_lib.data import a\nfrom .base import b\nfrom ..context import c"
    )
    assert checks.import_complaints("pixelar_lib.models.mlp", source) == []
    assert checks.import_complaints("pixelar_lib.models", "from .base import b", True) == []


def test_lengths():
    sources = {path.relative_to(ROOT).as_posix(): text(path) for path in MODULES}
    assert checks.length_complaints(sources) == []


def test_lengths_fails():
    body = "    x = 1\n"
    documented = 'def f():\n    """One.\n\n    Two.\n    """\n' + body * 59
    assert checks.function_lengths(documented) == [("f", 60)]
    long = "def g():\n" + body * 60
    assert checks.length_complaints({"a.py": long, "b.py": "x = 1\n" * 251}) == [
        "a.py: g has 61 lines",
        "b.py: 251 lines",
        "the median function has 61 lines",
    ]


# The notebooks


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 7


@each_notebook
def test_title(name):
    assert checks.title_complaints(NOTEBOOKS[name]) == []


def test_title_fails():
    assert checks.title_complaints(new_notebook()) != []
    assert checks.title_complaints(new_notebook(cells=[new_code_cell("# no title")])) != []
    assert checks.title_complaints(new_notebook(cells=[new_markdown_cell("## Low")])) != []


def test_setup():
    assert checks.setup_complaints(NOTEBOOKS) == []


def test_setup_fails():
    setup = [new_notebook(cells=[new_code_cell(x, metadata={"tags": ["setup"]})]) for x in "aab"]
    assert checks.setup_complaints({"1": setup[0], "2": setup[1]}) == []
    assert "differ" in checks.setup_complaints({"1": setup[0], "3": setup[2]})[0]
    assert "0 cells" in checks.setup_complaints({"4": new_notebook()})[0]


@each_notebook
def test_executed(name):
    notebook = NOTEBOOKS[name]
    assert checks.execution_complaints(notebook, code_digest(notebook)) == []


def test_executed_fails():
    error = new_output("error", ename="E", evalue="e", traceback=[])
    view = new_output("display_data", data={checks.WIDGET_VIEW: {}})
    notebook = new_notebook(
        cells=[new_code_cell("1"), new_code_cell("2", execution_count=2, outputs=[error, view])]
    )
    assert len(checks.execution_complaints(notebook, "digest")) == 4
    notebook = new_notebook(cells=[new_code_cell("1", execution_count=1)])
    notebook.metadata["code_sha256"] = code_digest(notebook)
    assert checks.execution_complaints(notebook, code_digest(notebook)) == []
    notebook.cells[0].source = "2"
    assert len(checks.execution_complaints(notebook, code_digest(notebook))) == 1


@each_notebook
def test_code_cells(name):
    assert checks.code_complaints(NOTEBOOKS[name]) == []


def test_code_cells_fails():
    for bad in ["x = 1\n" * 21, "x = 1" + "1" * 72, "plt.plot(x);\n"]:
        assert len(checks.code_complaints(new_notebook(cells=[new_code_cell(bad)]))) == 1


@each_notebook
def test_drawing_cells(name):
    assert checks.drawing_complaints(NOTEBOOKS[name]) == []


def test_drawing_cells_fails():
    folded = {"tags": ["hide-input"], "cellView": "form"}
    picture = [new_output("display_data", data={"image/png": "p"})]

    def complaints(source, metadata):
        cell = new_code_cell(source, outputs=picture, metadata=metadata)
        return len(checks.drawing_complaints(new_notebook(cells=[cell])))

    assert complaints("plotting.bar_chart(\n    {'a': [1]}, 'b'\n)", folded) == 0
    assert complaints("x = 1\nplotting.bar_chart(x)", folded) == 1
    assert complaints("widgets.explore()", folded) == 1
    assert complaints("plotting.bar_chart(x)", {"tags": ["hide-input"]}) == 1
    assert complaints("plotting.bar_chart(x)", {"cellView": "form"}) == 1


@each_notebook
def test_approximations_are_held(name):
    assert checks.approximation_complaints(NOTEBOOKS[name]) == []


def test_approximations_are_held_fails():
    def complaints(source, text="loss ≈ 0.5\n"):
        output = new_output("stream", name="stdout", text=text)
        cell = new_code_cell(source, outputs=[output])
        return len(checks.approximation_complaints(new_notebook(cells=[cell])))

    held = "print(f'loss ≈ {float(loss):.3f}')\nassert abs(float(loss) - 0.5) < 0.1"
    assert complaints(held) == 0
    assert complaints(held.partition("\n")[0]) == 1
    assert complaints(held.replace("abs(float(loss) - 0.5)", "float(other)")) == 1
    assert complaints(f"{held}\nprint(f'{{a}} or ≈ {{b}}, ≈{{c:.1f}}')") == 2
    assert complaints("print('loss ≈', loss)\nassert loss < 1") == 1
    assert complaints(held, "loss ≈ 0.5\nwithin 0.1: True\nmore\n") == 1


@each_notebook
def test_pictures(name):
    assert checks.picture_complaints(NOTEBOOKS[name]) == []


@pytest.mark.parametrize(
    "bad",
    ["![a](figures/a.png)", '<img alt="a" src="../a.png">', ":::{figure} a.png\n:::"],
)
def test_pictures_fails(bad):
    picture = new_output("display_data", data={"image/png": ""})
    notebook = new_notebook(
        cells=[new_markdown_cell(bad), new_code_cell("plot", outputs=[picture])]
    )
    assert len(checks.picture_complaints(notebook)) == 2
    notebook.cells[0].source = "![a](https://example.com/a.png)"
    notebook.cells[1].metadata = {"mystnb": {"image": {"alt": "A digit."}}}
    assert checks.picture_complaints(nbformat.from_dict(notebook)) == []


@each_notebook
def test_explorers(name):
    assert checks.explorer_complaints(NOTEBOOKS[name]) == []


def test_explorers_fails():
    def explorer(html):
        shown = new_output("display_data", data={"text/html": html})
        cell = new_code_cell("explore", metadata={"tags": ["widget"]}, outputs=[shown])
        return new_notebook(cells=[cell])

    page = '<div class="px-explorer">'
    assert checks.explorer_complaints(explorer(page)) == []
    assert len(checks.explorer_complaints(explorer("<div>"))) == 1
    assert len(checks.explorer_complaints(explorer(page.ljust(300_000)))) == 1
    assert checks.explorer_complaints(explorer(page.ljust(299_999))) == []


@each_notebook
def test_numbers_are_computed(name):
    assert checks.number_complaints(NOTEBOOKS[name]) == []


def test_numbers_are_computed_fails():
    printed = new_output("stream", name="stdout", text="loss 0.5118\nink 19.3 %\n")
    shown = new_output("execute_result", data={"text/plain": "1,234.5"}, execution_count=1)
    cells = [new_markdown_cell(""), new_code_cell("show", outputs=[printed, shown])]
    notebook = new_notebook(cells=cells)
    for good in [
        "0.5118 of 19.3% and 1,234.5.",
        "$0.7$, $$x = 1.5$$ and `0.25` or [1.2](https://x.org/3.4), {math}`0.1`",
        '```\n0.3\n```\n\n```{math}\n0.4\n```\n\n<img width="12.5">',
        "One 28 x 28 image, 10,000 digits, exercise 2.1.",
    ]:
        cells[0].source = good
        assert checks.number_complaints(notebook) == []
    for bad in [
        "0.511",
        "19.3",
        "19 %",
        "7%",
        "34.5",
        ":::{note}\n0.8\n:::",
        "```{note}\n0.8\n```",
    ]:
        cells[0].source = f"It is {bad}" if bad[0].isdigit() else bad
        found = checks.number_complaints(notebook)
        assert len(found) == (bad != "19.3"), bad


each_chapter = pytest.mark.parametrize("name", [name for name in sorted(NOTEBOOKS) if name < "90"])


@each_chapter
def test_exercises(name):  # those from 90 on are appendices
    assert checks.exercise_complaints(NOTEBOOKS[name]) == []


@each_chapter
def test_outcomes_of_exercises(name):
    assert checks.outcome_complaints(NOTEBOOKS[name]) == []


def test_outcomes_of_exercises_fails():
    def complaints(stub, solution, **more):
        cells = [
            new_code_cell(outputs=[new_output("execute_result", {"text/plain": text})])
            for text in (stub, solution)
        ]
        for cell, tag in zip(cells, ("exercise", "solution"), strict=True):
            cell.metadata["tags"] = [tag]
        cells.append(new_markdown_cell("### Open question", metadata=more))
        return len(checks.outcome_complaints(new_notebook(cells=cells)))

    good = "Not attempted. Put it there.", "Correct. Well."
    assert complaints(*good, tags=["open"]) == 0
    assert complaints(*good) == 1
    assert complaints("Not yet. It is 3.", "Correct. Well.", tags=["open"]) == 1
    assert complaints("", "Not yet.", tags=["open"]) == 2


FOLDED = {
    "tags": ["solution", "hide-cell"],
    "jupyter": {"source_hidden": True},
    "cellView": "form",
}


def course(marks, **solution_metadata):
    """Return a notebook of exercises (e) and solutions (s)."""
    metadata = {"e": {"tags": ["exercise"]}, "s": FOLDED | solution_metadata}
    make = {"e": new_markdown_cell, "s": new_code_cell}
    return new_notebook(cells=[make[mark]("text", metadata=metadata[mark]) for mark in marks])


def test_exercises_fails():
    assert checks.exercise_complaints(course("esesses")) == []
    assert checks.exercise_complaints(course("eses")) == ["2 exercises, fewer than 3"]
    assert checks.exercise_complaints(course("eseese")) == [
        "2 exercises without a solution after them"
    ]


@pytest.mark.parametrize("missing", [{"tags": ["solution"]}, {"jupyter": {}}, {"cellView": ""}])
def test_solutions_are_folded_fails(missing):
    assert checks.exercise_complaints(course("eseses", **missing)) == [
        f"the solution in code cell {number} is not folded everywhere" for number in range(3)
    ]
