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


# What the post leaves to its readers ("Potential Next Steps & Experiments", "Want to learn more?"),
# and the chapters that do it.
POINTED_AT = {
    "bins": "13_bins",
    "embedding": "14_knobs",
    "wider": "14_knobs",
    "Convolutions": "08_pixelcnn",
    "recurrent": "10_memory",
    "temperatures": "06_sampling",
    "Learning rate": "14_knobs",
    "Labels": "09_labels",
    "PixelCNN": "08_pixelcnn",
    "PixelRNN": "10_memory",
    "ImageGPT": "11_attention",
    "VQ-VAE": "12_codes",
}


def test_all_that_the_post_points_at_has_a_chapter():
    page = (BOOK / "from_the_post.md").read_text(encoding="utf8")
    section = page.partition("\n## Where the post points\n")[2].partition("\n## ")[0]
    row = r"(?m)^\| (.+) \| \[Chapter (\d+)\]\(\.\./notebooks/(\w+)\.ipynb\).* \|$"
    rows = re.findall(row, section)
    assert len(rows) == len(POINTED_AT)
    for (suggested, number, chapter), (word, wanted) in zip(rows, POINTED_AT.items(), strict=True):
        assert word in suggested
        assert chapter == wanted and int(chapter[:2]) == int(number)
        assert (BOOK.parent / "notebooks" / f"{chapter}.ipynb").is_file()
    revision = page.partition("\n## What the author did next\n")[2].partition("\n## ")[0]
    assert {"09_labels", "11_attention", "14_knobs"} <= {*re.findall(r"/(\w+)\.ipynb", revision)}
