"""The repository's address and the version: the same wherever they stand, and easy to change."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import repository
import yaml
from execute import code_cells, code_digest

ROOT = Path(__file__).parent.parent
URL = "https://github.com/some-one/other.pixels"
TOOL = "notebooks/repository.py"


def tracked():
    if not (ROOT / ".git").exists():
        pytest.skip("this copy is not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [path for path in listing.stdout.decode().split("\0") if path]


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """Return the folder of a copy of all text that could name the address; the tool works there."""
    for path in tracked():
        if path.endswith((".cff", ".ipynb", ".md", ".py", ".toml", ".yml", "Makefile")):
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / path).read_bytes())
    monkeypatch.setattr(repository, "ROOT", tmp_path)
    return tmp_path


def contents(folder):
    """Return {path: bytes} of all files."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def setup_cells(folder):
    """Return {notebook: source of its set-up cell}."""
    found = {}
    for path in sorted(folder.glob("notebooks/*.ipynb")):
        cells = code_cells(nbformat.read(path, as_version=4))
        found[path.name] = next(cell.source for cell in cells if "setup" in cell.metadata.tags)
    return found


def outputs_of(path):
    return [cell.outputs for cell in code_cells(nbformat.read(path, as_version=4))]


def replace(path, old, new):
    text = path.read_text(encoding="utf8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf8", newline="\n")


def announce(folder, *versions):
    """Give the changelog an entry for each version."""
    with (folder / repository.CHANGELOG).open("a", encoding="utf8") as file:
        file.writelines(f"\n## {version}\n\nMore.\n" for version in versions)


def test_all_places_agree(copy):
    assert repository.update() == []


def test_address_is_written_everywhere(copy):
    old = repository.stored(repository.URL_HOME).removeprefix("https://github.com/")
    changed = repository.update(url=URL)
    assert {"pyproject.toml", "_config.yml", "CITATION.cff", "notebooks/setup_cell.py"} < {*changed}
    left = {name for name, content in contents(copy).items() if old.encode() in content}
    assert {name for name in left if not name.startswith("tests/")} <= {TOOL}
    config = yaml.safe_load((copy / "_config.yml").read_text(encoding="utf8"))
    citation = yaml.safe_load((copy / "CITATION.cff").read_text(encoding="utf8"))
    assert config["repository"]["url"] == citation["repository-code"] == URL
    tag = f"v{repository.stored(repository.VERSION_HOME)}"
    assert config["repository"]["branch"] == tag
    cells = setup_cells(copy)
    assert len(cells) == len(list(copy.glob("notebooks/*.ipynb"))) > 1
    assert all(f'"git+{URL}@{tag}"' in source for source in cells.values())
    assert repository.update() == []


def test_release_is_written_everywhere(copy, capsys):
    announce(copy, "7.0.9", "7.0.10")
    assert repository.main(["--version", "7.0.9"]) == 0
    assert "git tag v7.0.9 && git push origin HEAD v7.0.9" in capsys.readouterr().out
    assert repository.main(["--bump"]) == 0
    assert repository.stored(repository.VERSION_HOME) == "7.0.10"
    config = yaml.safe_load((copy / "_config.yml").read_text(encoding="utf8"))
    citation = yaml.safe_load((copy / "CITATION.cff").read_text(encoding="utf8"))
    assert config["repository"]["branch"] == "v7.0.10"
    assert citation["version"] == "7.0.10"
    assert all('@v7.0.10"' in source for source in setup_cells(copy).values())


def test_links_to_colab_follow(copy):
    announce(copy, "7.0.0")
    link = "[run](https://colab.research.google.com/github/a/b/blob/v0/notebooks/x.ipynb)"
    (copy / "book" / "page.md").write_text(link, encoding="utf8")
    repository.update(url=URL, version="7.0.0")
    assert (copy / "book" / "page.md").read_text(encoding="utf8") == (
        "[run](https://colab.research.google.com/github/some-one/other.pixels/blob/v7.0.0/"
        "notebooks/x.ipynb)"
    )


def test_readme_offers_colab_only_once_there_is_an_address(copy):
    readme = copy / "README.md"
    offer = "\n- **Run on Colab**, one click each: "
    hidden = readme.read_text(encoding="utf8").partition("<!-- afterwards:")[2].partition("-->")[0]
    assert offer in hidden
    repository.update()  # with the placeholder
    assert hidden in readme.read_text(encoding="utf8")
    repository.update(url=URL)
    shown = readme.read_text(encoding="utf8")
    assert offer in shown
    assert "<!--" not in shown and "-->" not in shown


def test_readme_opens_each_notebook_on_colab():
    readme = (ROOT / "README.md").read_text(encoding="utf8")
    for path in ROOT.glob("notebooks/*.ipynb"):
        assert (
            len(re.findall(rf"\({repository.COLAB_LINK.pattern}/notebooks/{path.name}\)", readme))
            == 1
        )


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("README.md", "/blob/v", "/blob/w"),
        ("_config.yml", "  url: https", "  url: http"),
        ("_config.yml", "  branch: v", "  branch: w"),
        ("CITATION.cff", "\nversion: ", "\nversion: 1"),
        ("CITATION.cff", "repository-code: https", "repository-code: http"),
        ("notebooks/setup_cell.py", "@v", "@main"),
        ("notebooks/02_quantization.ipynb", "generating-pixels@v", "generating-pixels@main"),
    ],
)
def test_a_place_that_disagrees_is_found_and_mended(copy, name, old, new):
    replace(copy / name, old, new)
    assert name in repository.update()
    assert repository.update() == []


def test_digest_is_renewed_only_where_it_was_right(copy):
    stale = copy / "notebooks" / "01_chain_rule.ipynb"
    replace(stale, "print(", "print(1, ")
    outputs = {path: outputs_of(path) for path in copy.glob("notebooks/*.ipynb")}
    repository.update(url=URL)
    for path, before in outputs.items():
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        right = notebook.metadata.code_sha256 == code_digest(notebook)
        assert right == (path != stale)
        assert outputs_of(path) == before


@pytest.mark.parametrize(
    "url",
    [
        "",
        "some-one/pixels",
        "http://github.com/some-one/pixels",
        "git@github.com:some-one/pixels.git",
        "https://github.com/some-one/pixels.git",
        "https://github.com/some-one/pixels/",
        "https://github.com/some-one",
        "https://github.com/-one/pixels",
        "https://github.com/some--one/pixels",
        "https://github.com/one-/pixels",
        "https://github.com/one/pix els",
        "https://gitlab.com/some-one/pixels",
        "https://github.com/one/pixels\n",
    ],
)
def test_bad_address_is_refused_and_nothing_written(copy, url):
    before = contents(copy)
    with pytest.raises(SystemExit, match=r"Nothing was written: .* give https://github.com/OWNER"):
        repository.main(["--url", url])
    assert contents(copy) == before


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("1.0", "three numbers"),
        ("v1.0.0", "three numbers"),
        ("1.0.0rc1", "three numbers"),
        ("0.0.1", "does not come after the current version"),
    ],
)
def test_bad_version_is_refused_and_nothing_written(copy, version, message):
    before = contents(copy)
    with pytest.raises(SystemExit, match=message):
        repository.main(["--version", version])
    assert contents(copy) == before


def test_current_version_is_no_new_one(copy):
    with pytest.raises(SystemExit, match="does not come after"):
        repository.main(["--version", repository.stored(repository.VERSION_HOME)])


@pytest.mark.parametrize("arguments", [["--version", "7.0.9"], ["--bump"]])
def test_release_without_an_entry_in_the_changelog_is_refused(copy, arguments):
    announce(copy, "7.0.90", "70.0.9")
    before = contents(copy)
    message = r"Nothing was written: CHANGELOG.md has no entry '## \d+\.\d+\.\d+'; write"
    with pytest.raises(SystemExit, match=message):
        repository.main(arguments)
    assert contents(copy) == before


def test_changelog_is_newest_first():
    text = (ROOT / repository.CHANGELOG).read_text(encoding="utf8")
    versions = [
        [*map(int, numbers)] for numbers in re.findall(r"(?m)^## (\d+)\.(\d+)\.(\d+)$", text)
    ]
    assert versions == sorted(versions, reverse=True)
    assert len(versions) == text.count("\n## ") > 0


def test_missing_line_is_named(copy):
    replace(copy / "CITATION.cff", "repository-code", "repository")
    with pytest.raises(SystemExit, match=r"CITATION.cff has 0 lines like repository-code: {url}"):
        repository.main([])


# What the set-up cell does


@pytest.fixture
def cell(monkeypatch):
    """Return a function that runs the set-up cell and returns the commands it starts."""
    source = (ROOT / repository.SETUP_CELL).read_text(encoding="utf8")

    def run(installed, url=URL, status=0):
        commands = []

        def record(command, **options):
            commands.append(command)
            return subprocess.CompletedProcess(command, status, stdout="", stderr="no network")

        monkeypatch.setattr("importlib.util.find_spec", lambda name: "spec" if installed else None)
        monkeypatch.setattr("subprocess.run", record)
        exec(source.replace(repository.stored(repository.URL_HOME), url), {})
        return commands

    return run


def test_setup_does_nothing_where_the_library_is_installed(cell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cell(installed=True, url=repository.PLACEHOLDER) == []


def test_setup_finds_a_checkout(cell, monkeypatch):
    monkeypatch.chdir(ROOT / "notebooks")
    monkeypatch.setattr("sys.path", ["before"])
    assert cell(installed=False) == []
    assert sys.path == [str(ROOT), "before"]


def test_setup_installs_a_tag_and_nothing_else(cell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tag = f"v{repository.stored(repository.VERSION_HOME)}"
    [command] = cell(installed=False)
    assert command[1:] == ["-m", "pip", "install", "-q", "--no-deps", f"git+{URL}@{tag}"]


def test_setup_says_why_pip_failed(cell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match=r"pip failed on git\+https.*\nno network"):
        cell(installed=False, status=1)


def test_setup_without_an_address_says_what_to_do(cell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModuleNotFoundError, match=r"no public address yet.*'pip install \.'"):
        cell(installed=False, url=repository.PLACEHOLDER)
