"""What must hold for the project as a whole, as pure functions over parsed files.

Each check returns its complaints, [] where all is well. tests/test_project.py runs each of them
on the project and on a bad example.
"""

import ast
import itertools
import re
from statistics import median

import yaml

MODULE_ORDER = [
    *("runtime", "quantization", "picture_files", "own_pictures", "data", "context"),
    *("distributed", "models", "evaluation", "classification"),
    *("checkpoint", "optimization", "trainable", "training_state", "training"),
    *(
        "known",
        "next_token",
        "sampling",
        "analysis",
        "digit_classifier",
        "quality",
        "data_kinds",
        "zoo",
        "plotting",
        "static_explorer",
        "widgets",
        "diagonal_explorer",
        "attention_explorer",
        "codes_explorer",
        "exercises",
    ),
]

TEXTS = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md"}
FILES = TEXTS | {"Makefile", "environment.yml", "pyproject.toml"}
BOOK_FILES = {"_config.yml", "_toc.yml"}
FOLDERS = {"benchmarks", "book", "experiments", "notebooks", "pixelar_lib", "tests"}
ROOT = FILES | BOOK_FILES | FOLDERS | {".ci", ".gitattributes", ".github", ".gitignore"}

CONDA_NAMES = {"torch": "pytorch"}
CONDA_EXTRAS = {"jupyterlab", "pip", "python"}

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


# The repository


def root_listing(tracked):
    """Complain about tracked files in places that the design does not name, and missing ones."""
    entries = {path.split("/")[0] for path in tracked}
    found = [f"not in the layout: {entry}" for entry in sorted(entries - ROOT)]
    missing = ROOT - entries - {"benchmarks"}
    return found + [f"missing: {entry}" for entry in sorted(missing)]


def private_text(text):
    """Complain about paths of one machine and hosts of package registries."""
    pattern = r"(?<![\w.])/(?:work|root|home|Users)/\S*"
    hosts = r"(?:pypi|pythonhosted|npmjs)\.org|anaconda\.org"
    return [match[0] for match in re.finditer(f"{pattern}|{hosts}", text)]


def index_complaints(text):
    """Complain about an extra index: pip takes a package from whichever has the higher version."""
    found = re.findall(r"(?i)\S*extra[-_]index[-_]url\S*", text)
    return [f"{match}: --index-url, in a step of its own, takes PyTorch alone" for match in found]


def workflow_complaints(text):
    """Complain about actions that are not pinned by commit, and checkouts that keep their token."""
    found = []
    for action, rest in re.findall(r"(?m)^ *(?:- )?uses: *([^@\s]+)(.*)$", text):
        if not re.fullmatch(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+", rest):
            found.append(f"{action}{rest}: give its commit, and its version as a comment")
    for name, job in yaml.safe_load(text)["jobs"].items():
        for step in job["steps"]:
            kept = step.get("with", {}).get("persist-credentials", True)
            if step.get("uses", "").startswith("actions/checkout@") and kept:
                found.append(f"{name}: the checkout keeps its token")
    return found


def toc_files(toc):
    """Return the pages that a parsed _toc.yml names, root first."""
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    return [toc["root"]] + [chapter["file"] for chapter in chapters]


def toc_complaints(pages, paths):
    """Complain about pages without a file, and notebooks without an entry."""
    stems = {path.rsplit(".", 1)[0] for path in paths if path.endswith((".md", ".ipynb"))}
    notebooks = {path.rsplit(".", 1)[0] for path in paths if path.endswith(".ipynb")}
    found = [f"_toc.yml names {page}, which has no file" for page in pages if page not in stems]
    return found + [f"{name} is not in _toc.yml" for name in sorted(notebooks - set(pages))]


def requirements(lines):
    """Return {name: version bounds} of requirement lines."""
    parts = [re.fullmatch(r"([\w.-]+)\s*(.*)", line).groups() for line in lines]
    return {name.lower(): bounds for name, bounds in parts}


def conda_complaints(pyproject, environment):
    """Complain where environment.yml and pyproject.toml ask for different packages or versions."""
    project = pyproject["project"]
    pip = requirements(project["dependencies"] + project["optional-dependencies"]["test"])
    pip = {CONDA_NAMES.get(name, name): bounds for name, bounds in pip.items()}
    conda = requirements(environment["dependencies"])
    conda = {name: bounds for name, bounds in conda.items() if name not in CONDA_EXTRAS}
    return [
        f"{name}: pyproject.toml has {pip.get(name)}, environment.yml has {conda.get(name)}"
        for name in sorted(pip.keys() | conda.keys())
        if pip.get(name) != conda.get(name)
    ]


def readme_complaints(pyproject, npm, readme):
    """Complain where the README's tables and the lists of dependencies name other packages.

    Args:
        pyproject: The parsed pyproject.toml.
        npm: The parsed package.json of the browser tests.
        readme: The README's text.
    """
    project = pyproject["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = {name for lines in groups for name in requirements(lines)} | {*npm["dependencies"]}
    section = readme.partition("\n## Dependencies")[2].partition("\n## ")[0]
    cells = re.findall(r"(?m)^\| ([^|(]+?)(?: \([^|]*\))? \| [^|]+ \|$", section)
    named = {name for cell in cells for name in cell.split(", ")} - {"package"}
    found = [f"README.md gives no reason for {name}" for name in sorted(wanted - named)]
    return found + [
        f"README.md names {name}, which nothing needs" for name in sorted(named - wanted)
    ]


def pin_complaints(pyproject, lines):
    """Complain about a documentation stack that is not pinned, or not as far as pyproject asks."""
    lines = [line for line in lines if line and not line.startswith("#")]
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    book = requirements(pyproject["project"]["optional-dependencies"]["book"])
    found = [f"not pinned: {line}" for line in lines if "==" not in line]
    return found + [f"missing: {name}" for name in sorted(book.keys() - pinned)]


def api_complaints(page, modules):
    """Complain about modules that the API reference leaves out."""
    shown = set(re.findall(r"\{autodoc2-object\} pixelar_lib\.(\w+)", page))
    return [f"book/api.md leaves out {name}" for name in modules if name not in shown]


def citation_complaints(text, bibliography):
    """Complain about keys that are cited and have no entry."""
    known = set(re.findall(r"@\w+\{([^,\s]+),", bibliography))
    cited = re.findall(r"\{(?:foot)?cite(?::\w+)?\}`([^`]+)`", text)
    keys = {key.strip() for group in cited for key in group.split(",")}
    return [f"no entry for {key}" for key in sorted(keys - known)]


MINUTES_IN_MAP = r"\]\((\d\d_\w+)\.ipynb\) \|[^|\n]*\| (\d+) \|"
MINUTES_IN_INDEX = r":link: \.\./notebooks/(\w+)\n(?:(?!:::).)*?\*(\d+ minutes, [\w ]+)\*"


def minutes_complaints(notebooks, text, pattern):
    """Complain where a list of chapters tells other minutes (or level) than their cards.

    Args:
        notebooks: By file name.
        text: Holds the list.
        pattern: Finds (name, what the list tells of it).
    """
    listed = dict(re.findall(pattern, text, flags=re.DOTALL))
    found = []
    for name, notebook in notebooks.items():
        card = re.search(r"\*\*Time\*\* (\d+ minutes).*\*\*Level\*\* ([\w ]+)", markdown(notebook))
        told = listed.get(name.removesuffix(".ipynb"), "nothing")
        says = f"{card[1]}, {card[2]}"
        if not f"{says} ".startswith(f"{told} "):
            found.append(f"{name} says {says}; the list says {told}")
    return found


DURATION = re.compile(r"(\d+) hours?(?: (\d+) minutes)?")
CHAPTER_LINK = re.compile(
    r"(?:\]\(|:link: )(?:\.\./)?(?:notebooks/)?(\d\d_\w+)(?:\.ipynb\))?( to \[)?"
)


def duration_complaints(notebooks, text):
    """Complain where a list tells other hours than the cards of the chapters that it links to.

    Args:
        notebooks: By file name.
        text: Holds lists: stretches with hours and links, each from a heading, an item, a row
            that begins with a word, or a bold beginning.
    """
    cards = {name.split(".")[0]: markdown(notebook) for name, notebook in sorted(notebooks.items())}
    minutes = {
        name: int(re.search(r"\*\*Time\*\* (\d+) ", card)[1]) for name, card in cards.items()
    }
    found = []
    for stretch in re.split(r"(?m)^(?=## |- |\| [A-Z]|\*\*)", text):
        told, chapters = DURATION.search(stretch), linked_chapters(stretch, [*minutes])
        if told and chapters:
            hours, rest = divmod(sum(minutes[name] for name in chapters), 60)
            if (hours, rest) != (int(told[1]), int(told[2] or 0)):
                found.append(f"{told[0]}, but {len(chapters)} chapters take {hours} h {rest} min")
    return found


def linked_chapters(text, names):
    """Return the chapters that a text links to, and all between "[a](...) to [b](...)"."""
    found, since = set(), None
    for name, to in CHAPTER_LINK.findall(text):
        found.update(names[names.index(since or name) : names.index(name) + 1])
        since = name if to else None
    return found


# The library


def import_complaints(module, source, is_package=False):
    """Complain about imports of modules that are not named before this one.

    Args:
        module: Dotted name, as pixelar_lib.models.base.
        source: Its text.
        is_package: Whether the source is that of an __init__.py.
    """
    package = module if is_package else module.rpartition(".")[0]
    found = []
    for target in sorted(imported_modules(ast.parse(source), package)):
        group, own = target.split(".")[1], module.partition(".")[2].partition(".")[0]
        if group == own:
            continue
        if group not in MODULE_ORDER:
            found.append(f"{module} imports {target}, which the order does not name")
        elif own in MODULE_ORDER and MODULE_ORDER.index(group) > MODULE_ORDER.index(own):
            found.append(f"{module} imports {target}, which comes after it")
    return found


def imported_modules(tree, package):
    """Return the dotted names inside pixelar_lib that a tree imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], base]).rstrip(".")
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith("pixelar_lib.")}


def function_lengths(source):
    """Return (name, lines without the docstring) of each function."""
    lengths = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            length = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node) is not None:
                doc = node.body[0]
                length -= doc.end_lineno - doc.lineno + 1
            lengths.append((node.name, length))
    return lengths


def length_complaints(sources):
    """Complain about modules over 250 lines, functions over 60, and a median over 15."""
    found, lengths = [], []
    for path, source in sources.items():
        if (lines := source.count("\n")) > 250:
            found.append(f"{path}: {lines} lines")
        for name, length in function_lengths(source):
            lengths.append(length)
            if length > 60:
                found.append(f"{path}: {name} has {length} lines")
    if lengths and median(lengths) > 15:
        found.append(f"the median function has {median(lengths)} lines")
    return found


# The notebooks


def tags(cell):
    """Return the tags of a cell."""
    return set(cell.metadata.get("tags", []))


def code_cells(notebook):
    """Return the code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def markdown(notebook):
    """Return the text of all Markdown cells."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def output_data(notebook):
    """Return (cell, MIME type, value) of all that the cells have displayed."""
    return [
        (cell, mime, value)
        for cell in code_cells(notebook)
        for output in cell.outputs
        for mime, value in output.get("data", {}).items()
    ]


def printed(notebook):
    """Return all text that the cells have printed or displayed."""
    return printed_by(code_cells(notebook))


def printed_by(cells):
    """Return all text that code cells have printed or displayed."""
    outputs = [output for cell in cells for output in cell.outputs]
    streams = [output.get("text", "") for output in outputs]
    data = [item for output in outputs for item in output.get("data", {}).items()]
    return "\n".join(streams + [value for mime, value in data if mime.startswith("text/")])


def title_complaints(notebook):
    """Complain about a notebook that does not begin with its title."""
    first = notebook.cells[0] if notebook.cells else None
    has_title = first and first.cell_type == "markdown" and first.source.startswith("# ")
    return [] if has_title else ["the first cell is no title: # ..."]


def setup_complaints(notebooks):
    """Complain about notebooks whose set-up cell (tag setup) is missing or differs."""
    found, sources = [], {}
    for name, notebook in notebooks.items():
        cells = [cell.source for cell in code_cells(notebook) if "setup" in tags(cell)]
        if len(cells) != 1:
            found.append(f"{name}: {len(cells)} cells with the tag setup, not 1")
        for source in cells:
            sources.setdefault(source, []).append(name)
    if len(sources) > 1:
        found.append(f"the set-up cells differ: {list(sources.values())}")
    return found


def execution_complaints(notebook, digest):
    """Complain about outputs that do not stem from one run of this very code, top to bottom."""
    found = []
    for number, cell in enumerate(code_cells(notebook)):
        if cell.execution_count != number + 1:
            found.append(f"code cell {number} has execution_count {cell.execution_count}")
        if any(output.output_type == "error" for output in cell.outputs):
            found.append(f"code cell {number} stores an error")
    if any(mime == WIDGET_VIEW for _, mime, _ in output_data(notebook)):
        found.append("a stored widget view, dead without its kernel: run make notebooks")
    if notebook.metadata.get("code_sha256") != digest:
        found.append("the code changed after it was executed: run make notebooks")
    return found


def code_complaints(notebook):
    """Complain about long cells and lines, and a last `;`, which does not silence nbval."""
    found = []
    for number, cell in enumerate(code_cells(notebook)):
        lines = cell.source.splitlines()
        if len(lines) > 20:
            found.append(f"code cell {number} has {len(lines)} lines")
        if (width := max(map(len, lines), default=0)) > 76:
            found.append(f"code cell {number} has a line of {width} characters")
        if cell.source.rstrip().endswith(";"):
            found.append(f"code cell {number} ends in ';': assign the value to _ instead")
    return found


def drawing_complaints(notebook):
    """Complain about a cell that draws and does anything else, or is not folded."""
    found = []
    for number, cell in enumerate(code_cells(notebook)):
        if not any("image/png" in output.get("data", {}) for output in cell.outputs):
            continue
        body = ast.parse(cell.source).body
        if len(body) != 1 or not ast.unparse(body[0]).startswith("plotting."):
            found.append(f"code cell {number} draws, and is more than one call of plotting")
        if "hide-input" not in tags(cell) or cell.metadata.get("cellView") != "form":
            found.append(f"code cell {number} draws, and is not folded in the book and on Colab")
    return found


def approximation_complaints(notebook):
    """Complain about a number after `≈` that no assert of its cell holds, and a bare True."""
    found = []
    for number, cell in enumerate(code_cells(notebook)):
        tree = ast.parse(cell.source)
        asserted = {
            name
            for node in ast.walk(tree)
            if isinstance(node, ast.Assert)
            for name in names_in(node)
        }
        for shown in approximate_values(tree):
            if not names_in(shown) & asserted:
                found.append(f"code cell {number}: no assert holds ≈ {ast.unparse(shown)}")
        printed_there = "".join(output.get("text", "") for output in cell.outputs)
        if "≈" in printed_there and not approximate_values(tree):
            found.append(
                f"code cell {number} prints a ≈ that stands before no value of an f-string"
            )
        if re.search(r"\b(?:True|False)\s*$", printed_there, re.M):
            found.append(f"code cell {number} prints True or False: show the number")
    return found


def approximate_values(tree):
    """Return the expressions that f-strings show right after `≈`."""
    return [
        shown
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for text, shown in itertools.pairwise(node.values)
        if isinstance(text, ast.Constant) and text.value.rstrip().endswith("≈")
    ]


def names_in(tree):
    """Return the variables that an expression reads, functions that it calls left out."""
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - called


def picture_complaints(notebook):
    """Complain about pictures without alt text, and about relative paths to pictures."""
    alts = [
        cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
        for cell, mime, _ in output_data(notebook)
        if mime.startswith("image/")
    ]
    without = sum(not alt for alt in alts)
    found = [f"{without} pictures without alt text"] if without else []
    pattern = r"!\[[^\]]*\]\(([^)]*)\)|<img[^>]*src=[\"']?([^\"'\s>]*)|\{(?:figure|image)\} *(\S+)"
    paths = ["".join(match) for match in re.findall(pattern, markdown(notebook))]
    return found + [
        f"a relative path to a picture: {path}"
        for path in paths
        if not path.startswith(("https://", "data:"))
    ]


def explorer_complaints(notebook):
    """Complain about explorers that a page without a kernel cannot show, or only in 300 kB."""
    found = []
    for number, cell in enumerate(code_cells(notebook)):
        if "widget" in tags(cell):
            html = "".join(out.get("data", {}).get("text/html", "") for out in cell.outputs)
            if '<div class="px-explorer"' not in html:
                found.append(f"code cell {number} shows nothing that works without a kernel")
            if (size := len(html.encode())) >= 300_000:
                found.append(f"code cell {number} shows {size} bytes of HTML")
    return found


def number_complaints(notebook):
    """Complain about decimals and percentages in the text that no cell has printed.

    Formulas, code spans, links, addresses and labels (Exercise 2.1) are left out.
    """
    text = markdown(notebook)
    for pattern in (
        r"(?ms)^ *(`{3,}|~{3,})(?:\{math\}|\{code-block\}|[^{\n]*$).*?^ *\1",  # code, formulas
        r"(?m)^ *(?:`{3,}|~{3,}|:[\w-]+:).*$",  # the fences and options of other directives
        r"(?s)\$\$.*?\$\$",
        r"(?s)\\begin\{(\w+\*?)\}.*?\\end\{\1\}",
        r"(?<!\\)\$(?:[^$\n]|\n(?!\s*\n))+\$",
        r"(?s)(`+)(?!`).*?(?<!`)\1(?!`)",  # code spans and roles
        r"\[[^\]]*\]\([^)]*\)",
        r"<[^>\n]+>",
        r"https?://\S+",
        r"\b(?:[Ee]xercise|[Qq]uestion|[Ff]igure|[Ss]ection|[Tt]able) \d+\.\d+",  # labels
    ):
        text = re.sub(pattern, " ", text)
    outputs = re.sub(r"\s+%", "%", printed(notebook))
    numbers = re.findall(r"(?<![\w.])(?:\d[\d,]*\.\d+(?:\s?%)?|\d[\d,]*\s?%)", text)
    wanted = sorted({re.sub(r"\s+", "", number) for number in numbers})
    return [
        f"{number} stands in the text, but no cell prints it"
        for number in wanted
        if not re.search(rf"(?<![\d.,]){re.escape(number)}(?!\d)", outputs)
    ]


def exercise_complaints(notebook):
    """Complain about fewer than three exercises, and solutions that are missing or not folded.

    An exercise begins with a Markdown cell (tag exercise); its solution (tag solution) follows
    before the next one.
    """
    marks = [
        "exercise" if "exercise" in tags(cell) else "solution"
        for cell in notebook.cells
        if ("exercise" in tags(cell) and cell.cell_type == "markdown") or "solution" in tags(cell)
    ]
    found = []
    if (count := marks.count("exercise")) < 3:
        found.append(f"{count} exercises, fewer than 3")
    following = [*marks[1:], "exercise"]
    unsolved = sum(pair == ("exercise", "exercise") for pair in zip(marks, following, strict=False))
    if unsolved:
        found.append(f"{unsolved} exercises without a solution after them")
    for number, cell in enumerate(code_cells(notebook)):
        if "solution" in tags(cell) and not is_folded(cell):
            found.append(f"the solution in code cell {number} is not folded everywhere")
    return found


def outcome_complaints(notebook):
    """Complain about exercises that give something away, solutions that fail, no open question."""
    found, expected = [], {"exercise": "Not attempted.", "solution": "Correct."}
    for number, cell in enumerate(code_cells(notebook)):
        said = printed_by([cell]).strip()
        for kind in tags(cell) & expected.keys():
            if not said.startswith(expected[kind]):
                found.append(
                    f"the {kind} in code cell {number} says {said[:30]!r}, not {expected[kind]}"
                )
    if not any("open" in tags(cell) for cell in notebook.cells):
        found.append("no open question (tag open)")
    return found


def is_folded(cell):
    """Say whether a code cell is folded in the book, in JupyterLab and in Colab."""
    in_lab = cell.metadata.get("jupyter", {}).get("source_hidden") is True
    return "hide-cell" in tags(cell) and in_lab and cell.metadata.get("cellView") == "form"
