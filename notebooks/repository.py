"""Write the repository's address and the version of the release wherever they stand.

    python notebooks/repository.py [--url URL] [--version VERSION | --bump]

Their homes are `Repository` in pyproject.toml and `__version__` in pixelar_lib/__init__.py. All
other places are made to agree with them: among these the set-up cells, which are copies of
setup_cell.py and install the library at the tag v + version.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat
from execute import code_cells, code_digest, write

ROOT = Path(__file__).resolve().parent.parent
PLACEHOLDER = "https://github.com/-owner-/generating-pixels"  # no owner's name begins with "-"
SETUP_CELL = "notebooks/setup_cell.py"
CHANGELOG = "CHANGELOG.md"
URL_HOME = ("pyproject.toml", 'Repository = "', "{url}", '"')
VERSION_HOME = ("pixelar_lib/__init__.py", '__version__ = "', "{version}", '"')
PLACES = [  # a file, and the line in it: what comes before the value, the value, what comes after
    URL_HOME,
    VERSION_HOME,
    ("_config.yml", "  url: ", "{url}", ""),
    ("_config.yml", "  branch: ", "v{version}", ""),  # what Colab opens fits what it installs
    ("CITATION.cff", "repository-code: ", "{url}", ""),
    ("CITATION.cff", "version: ", "{version}", ""),
    (SETUP_CELL, 'SOURCE = "', "git+{url}@v{version}", '"'),
]
LATER = re.compile(r"(?s)<!-- until published -->.*?<!-- afterwards:\n(.*?)\n-->")  # in the README
COLAB_LINK = re.compile(r"(https://colab\.research\.google\.com/github/)[\w.-]+/[\w.-]+/blob/[^/]+")


def line(place):
    """Return the pattern of a place's line, in three groups."""
    _, before, _, after = place
    return re.compile(rf"(?m)^({re.escape(before)})(.*)({re.escape(after)})$")


def read(path):
    """Return the text of a file below the root."""
    return (ROOT / path).read_text(encoding="utf8")


def stored(place):
    """Return the value that stands in a place.

    Raises:
        ValueError: If the file has no such line, or several.
    """
    found = line(place).findall(read(place[0]))
    if len(found) != 1:
        raise ValueError(f"{place[0]} has {len(found)} lines like {''.join(place[1:])}, not 1")
    return found[0][1]


def check_url(url):
    """Return an address if it is one of GitHub, which is what Colab can open.

    Raises:
        ValueError: If it is not.
    """
    owner = r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}"
    if url == PLACEHOLDER or re.fullmatch(rf"https://github\.com/{owner}/[\w.-]+(?<!\.git)", url):
        return url
    raise ValueError(
        f"{url!r} is no address of a repository on GitHub; give https://github.com/OWNER/NAME, "
        "without .git or anything else at its end"
    )


def check_version(version, current):
    """Return a version if it comes after the current one and the changelog tells what is new.

    Raises:
        ValueError: If it does not.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ValueError(f"{version!r} is no version; give three numbers, such as 1.0.0")
    if [*map(int, version.split("."))] <= [*map(int, current.split("."))]:
        raise ValueError(f"{version} does not come after the current version, {current}")
    if f"\n## {version}\n" not in read(CHANGELOG):
        raise ValueError(f"{CHANGELOG} has no entry '## {version}'; write what is new there")
    return version


def bumped(version):
    """Return the version with its last number raised by one."""
    start, _, last = version.rpartition(".")
    return f"{start}.{int(last) + 1}"


def rewritten_texts(url, version):
    """Return {path: text} of the files that name the address or the version, as they should be."""
    values = {"url": url, "version": version}
    texts = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("book/*.md")} | {"README.md"}
    texts = {path: read(path).replace(stored(URL_HOME), url) for path in sorted(texts)}
    slug = url.removeprefix("https://github.com/")
    for path, text in texts.items():
        if url != PLACEHOLDER:
            text = LATER.sub(r"\g<1>", text)
        texts[path] = COLAB_LINK.sub(rf"\g<1>{slug}/blob/v{version}", text)
    for place in PLACES:
        stored(place)  # raises if the line is not there
        path, _, value, _ = place
        value = value.format(**values)
        text = texts.get(path) or read(path)
        texts[path] = line(place).sub(lambda match, value=value: match[1] + value + match[3], text)
    return texts


def with_setup(notebook, source):
    """Put the source into the set-up cell; return the notebook.

    The cell prints nothing, so stored outputs that belonged to the code still do.
    """
    fresh = notebook.metadata.get("code_sha256") == code_digest(notebook)
    for cell in code_cells(notebook):
        if "setup" in cell.metadata.get("tags", []):
            cell.source = source
    if fresh:
        notebook.metadata["code_sha256"] = code_digest(notebook)
    return notebook


def update(url=None, version=None, bump=False):
    """Make all places agree; return the paths of the files that changed, below the root."""
    current = stored(VERSION_HOME)
    version = bumped(current) if bump else version
    version = current if version is None else check_version(version, current)
    texts = rewritten_texts(check_url(stored(URL_HOME) if url is None else url), version)
    source = texts[SETUP_CELL].rstrip("\n")
    notebooks = {
        path: with_setup(nbformat.read(path, as_version=4), source)
        for path in sorted(ROOT.glob("notebooks/*.ipynb"))
    }
    changed = [path for path, text in texts.items() if text != read(path)]
    for path in changed:
        (ROOT / path).write_text(texts[path], encoding="utf8", newline="\n")
    for path, notebook in notebooks.items():
        if write(notebook, path):
            changed.append(path.relative_to(ROOT).as_posix())
    return changed


def main(argv=None):
    """Write what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="https://github.com/OWNER/NAME; default: as it is")
    parser.add_argument("--version", help="such as 1.0.0; default: as it is")
    parser.add_argument("--bump", action="store_true", help="raise the version's last number")
    args = parser.parse_args(argv)
    try:
        changed = update(args.url, args.version, args.bump)
    except ValueError as error:
        sys.exit(f"Nothing was written: {error}.")
    print("\n".join(changed) or "All places agree already.")
    tag = f"v{stored(VERSION_HOME)}"
    if args.version or args.bump:
        print(f"Commit, then: git tag {tag} && git push origin HEAD {tag}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
