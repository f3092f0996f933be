"""Every figure can be read on a phone: its letters and its pictures, measured where they stand."""

import sys

import pytest
from browser import opened
from conftest import ROOT, SITE

sys.path.insert(0, str(ROOT / "book" / "_ext"))
from figures import png_notes

PHONE = 390
LETTERS, PICTURES = 9.5, 44  # pixels: a letter's height (10 points, rounded), a picture's width
SHOWN = """() => [...document.querySelectorAll(".cell_output img")]
    .filter((image) => image.checkVisibility())
    .map((image) => [image.src, image.getBoundingClientRect().width])"""


def figure_complaints(source, width, notes):
    """Complain about a figure that is too small where it is so many pixels wide."""
    if "Lettering" not in notes:
        return [f"{source} does not say how large its letters are"]
    found = []
    if (letters := float(notes["Lettering"]) * width) < LETTERS:
        found.append(f"{source}: letters of {letters:.1f} pixels")
    if (pictures := float(notes.get("Picture", 1)) * width) < PICTURES:
        found.append(f"{source}: pictures of {pictures:.0f} pixels")
    return found


def test_figures_can_be_read_on_a_phone(browser, served, name):
    with opened(browser, served + name, served, PHONE) as (page, _):
        shown = page.evaluate(SHOWN)
    found = []
    for source, width in shown:
        path = SITE / source.removeprefix(served)
        found += figure_complaints(source, width, png_notes(path.read_bytes()))
    assert found == []
    assert shown or not name.startswith("notebooks/")


@pytest.mark.parametrize(
    ("notes", "complaint"),
    [
        ({"Lettering": "0.0289", "Picture": "0.15"}, None),
        ({"Lettering": "0.0289"}, None),
        ({"Lettering": "0.0200"}, "letters of 7.0 pixels"),
        ({"Lettering": "0.0289", "Picture": "0.085"}, "pictures of 30 pixels"),
        ({}, "does not say"),
    ],
)
def test_figures_can_be_read_on_a_phone_fails(notes, complaint):
    found = figure_complaints("a.png", 350, notes)
    assert len(found) == (complaint is not None)
    assert complaint is None or complaint in found[0]
