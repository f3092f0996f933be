"""Lighthouse, as on a phone: first paint and scores of a first visit."""

import json
import subprocess

import pytest
from conftest import NODE_MODULES

CATEGORIES = ("accessibility", "best-practices", "seo")
FIRST_PAINT = 1800  # milliseconds until something is seen, on a slow phone
SCORE = 0.95
PAGES = [
    "book/index.html",
    "book/lab.html",
    "notebooks/05_cross_entropy.html",
    "notebooks/06_sampling.html",
    "book/glossary.html",
]


def report(url, chromium):
    """Return Lighthouse's report on a page, in its mobile profile."""
    command = [
        NODE_MODULES / ".bin" / "lighthouse",
        url,
        "--output=json",
        "--quiet",
        "--no-enable-error-reporting",
        f"--only-categories={','.join(CATEGORIES)}",
        "--only-audits=first-contentful-paint",
        "--chrome-flags=--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run",
    ]
    environment = {"CHROME_PATH": chromium}
    run = subprocess.run(command, capture_output=True, check=True, env=environment, timeout=200)
    return json.loads(run.stdout)


def complaints(report):
    """Return the scores that are too low, each with what costs points, and a late first paint."""
    found = []
    for category in report["categories"].values():
        if category["score"] is None or category["score"] < SCORE:
            audits = [report["audits"][part["id"]] for part in category["auditRefs"]]
            lost = [audit["id"] for audit in audits if audit["score"] not in (None, 1)]
            found.append(f"{category['id']}: {category['score']}, for {', '.join(lost)}")
    paint = report["audits"]["first-contentful-paint"]["numericValue"]
    if paint > FIRST_PAINT:
        found.append(f"first contentful paint after {paint:.0f} ms")
    return found


@pytest.mark.parametrize("page_name", PAGES)
def test_first_visit(served, chromium, page_name):
    seen = report(served + page_name, chromium)
    assert set(seen["categories"]) == set(CATEGORIES)
    assert complaints(seen) == []


def test_first_visit_fails():
    audit = {"id": "image-alt", "score": 0}
    paint = {"numericValue": 1801, "score": 0.9}
    category = {"id": "accessibility", "score": 0.94, "auditRefs": [{"id": "image-alt"}]}
    bad = {
        "categories": {"accessibility": category},
        "audits": {"image-alt": audit, "first-contentful-paint": paint},
    }
    assert complaints(bad) == [
        "accessibility: 0.94, for image-alt",
        "first contentful paint after 1801 ms",
    ]
