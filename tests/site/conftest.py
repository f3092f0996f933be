"""The built book, served and on disk, and one browser for all tests."""

import os
import shutil
from pathlib import Path

import html_checks
import pytest
from playwright.sync_api import sync_playwright
from server import serving

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
PUBLISHED = ROOT / "_build" / "published" / "_build" / "html"  # with a repository's address
NODE_MODULES = ROOT / ".venv" / "npm" / "node_modules"

# No page may ask another host, so none can be found, and the browser's own calls stay away.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # in a container it may be too small for a page
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def published_address(folder):
    """Return where a build says that it is published, "" where it does not say."""
    first = html_checks.parse((folder / "book" / "index.html").read_text(encoding="utf8"))
    return first.rels.get("canonical", "").removesuffix("book/index.html")


def pytest_generate_tests(metafunc):
    """Run a test that takes a `name` once for each page of the book."""
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", html_checks.page_names(SITE))


@pytest.fixture(scope="session")
def chromium():
    """Return the path of the browser."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "Chromium is needed: apt-get install chromium, or name it: CHROMIUM=/path/to/it"
    return path


@pytest.fixture(scope="session")
def browser(chromium):
    """Return a browser without a network."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served():
    """Return the address of the book's root on a local server."""
    with serving(SITE) as address:
        yield address


@pytest.fixture(scope="session")
def axe():
    """Return the text of axe-core."""
    return (NODE_MODULES / "axe-core" / "axe.min.js").read_text(encoding="utf8")
