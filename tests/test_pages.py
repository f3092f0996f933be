"""The examples on the book's pages print what the pages say."""

import doctest
import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parent.parent / "book"
PAGES = sorted(BOOK.glob("*.md"))
FENCE = re.compile(r"^```python\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def python_lines(text):
    """Return the text with all lines blank but those in Python blocks, so that numbers stay."""
    kept = [""] * len(text.splitlines())
    for block in FENCE.finditer(text):
        first = text.count("\n", 0, block.start(1))
        lines = block[1].splitlines()
        kept[first : first + len(lines)] = lines
    return "\n".join(kept) + "\n"


def examples(text, name):
    """Return a page's examples as one doctest: each may use what those above it defined."""
    return doctest.DocTestParser().get_doctest(python_lines(text), {}, name, name, 0)


def failures(test):
    """Return what a doctest printed where it differs from the page, as one text."""
    report = []
    doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    return "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_print_what_the_page_says(page):
    text = page.read_text(encoding="utf8")
    test = examples(text, page.name)
    prompts = sum(line.startswith(">>> ") for line in text.splitlines())
    assert len(test.examples) == prompts, "an example stands outside a ```python block"
    assert failures(test) == ""


@pytest.mark.parametrize("name", ["primer_tensors.md", "primer_probability.md"])
def test_primers_teach_by_example(name):
    text = (BOOK / name).read_text(encoding="utf8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    silent = [section.splitlines()[0] for section in sections if ">>> " not in section]
    assert silent == []


def test_a_wrong_answer_is_noticed():
    page = "Words.\n\n```python\n>>> 1 + 1\n3\n```\n\nMore words.\n"
    report = failures(examples(page, "page.md"))
    assert 'File "page.md", line 4' in report
    assert "Expected:\n    3\nGot:\n    2\n" in report


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pictures_have_alternative_text(page):
    text = page.read_text(encoding="utf8")
    pictures = re.findall(r"^[`:]{3,}\{(?:figure|image)\}.*?^[`:]{3,}$", text, re.M | re.S)
    assert all(re.search(r"^:alt: \S+ \S+", picture, re.M) for picture in pictures)
