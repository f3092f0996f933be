"""Every page, served and from disk, loads cleanly, fits its screen and is accessible."""

import pytest
from browser import WIDTHS, look_complaints, opened
from conftest import PUBLISHED, SITE
from server import serving

LIGHT = 1_500_000  # bytes that a first visit to a page may transfer
WELL = {"loading": [], "overflow": [], "axe": []}


def visit(browser, url, origin, axe, width):
    """Return what is wrong with a page in both themes, and the bytes that it transferred."""
    with opened(browser, url, origin, width) as (page, watch):
        overflow, violations = look_complaints(page, axe)
        found = {"loading": list(watch.complaints), "overflow": overflow, "axe": violations}
        return found, watch.transferred()


@pytest.mark.parametrize("width", WIDTHS)
def test_loads_fits_its_screen_and_is_accessible(browser, served, axe, name, width):
    found, transferred = visit(browser, served + name, served, axe, width)
    assert found == WELL
    assert 300 < transferred <= LIGHT


def test_loads_from_disk(browser, name):
    with opened(browser, (SITE / name).as_uri(), SITE.as_uri()) as (_, watch):
        assert watch.complaints == []


@pytest.mark.parametrize("width", WIDTHS)
def test_accessible_with_the_links_of_a_published_book(browser, axe, width):
    with serving(PUBLISHED) as root:
        url = root + "notebooks/02_quantization.html"
        assert visit(browser, url, root, axe, width)[0] == WELL


# Each check fails where it should

GOOD = """<!DOCTYPE html><html lang="en"><head><title>Good</title>
<link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">
<style>body { font-size: 1rem } @media (prefers-color-scheme: dark) {
    html { color-scheme: dark } body { color: #eee; background: #111 } }</style>
</head><body><main><h1>A page</h1>BODY</main></body></html>"""
WIDE_TABLE = f"<table><tr><td>{'x' * 200}</td></tr></table>"


@pytest.fixture
def scratch(browser, axe, tmp_path):
    """Return a function that visits a small page with the given body."""

    def visit_scratch(body):
        (tmp_path / "page.html").write_text(GOOD.replace("BODY", body), encoding="utf8")
        (tmp_path / "big.bin").write_bytes(bytes(2 * LIGHT))
        with serving(tmp_path) as root:
            return visit(browser, root + "page.html", root, axe, 390)

    return visit_scratch


@pytest.mark.parametrize(
    "body", ["Text.", f'<div tabindex="0" style="overflow:auto">{WIDE_TABLE}</div>']
)
def test_a_good_page_passes(scratch, body):
    found, transferred = scratch(body)
    assert found == WELL
    assert 300 < transferred < 5000


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ('<img alt="x" src="http://example.org/x.png">', "outside: http://example.org/x.png"),
        ('<img alt="x" src="no.png">', "status 404"),
        ("<script>console.error('oh')</script>", "console: oh"),
        ("<script>throw new Error('oh')</script>", "script error: oh"),
    ],
)
def test_loading_fails(scratch, body, what):
    assert any(what in line for line in scratch(body)[0]["loading"])


@pytest.mark.parametrize("hidden", ["", "body { overflow-x: hidden }"])
def test_fits_its_screen_fails(scratch, hidden):
    found, _ = scratch(f"<style>{hidden}</style>{WIDE_TABLE}")
    assert any("light: table" in line for line in found["overflow"])


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ('<p style="color: #999">Pale in light.</p>', "light: color-contrast"),
        ('<p style="color: #666">Pale in dark.</p>', "dark: color-contrast"),
        ('<img src="data:,">', "light: image-alt"),
    ],
)
def test_accessible_fails(scratch, body, what):
    found, _ = scratch(body)
    assert [line for line in found["axe"] if line.startswith(what)], found


def test_transfers_little_fails(scratch):
    assert scratch('<script src="big.bin"></script>')[1] > LIGHT


def test_a_page_that_draws_no_frames_stops_nobody(browser, tmp_path):
    body = "<script>requestAnimationFrame = () => {}</script>"
    (tmp_path / "page.html").write_text(GOOD.replace("BODY", body), encoding="utf8")
    with opened(browser, (tmp_path / "page.html").as_uri(), "file:") as (page, watch):
        assert page.locator("h1").inner_text() == "A page"
    assert watch.complaints == []
