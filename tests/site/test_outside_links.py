"""Links to other hosts are listed, and asked where there is a network."""

from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import html_checks as checks
from conftest import SITE

GONE = (404, 410)


def status(url):
    """Return the status that a host answers with, None if it does not answer."""
    try:
        with urlopen(Request(url, headers={"User-Agent": "Mozilla/5.0"}), timeout=10) as answer:
            return answer.status
    except HTTPError as error:
        return error.code
    except OSError:
        return None


def verdict(statuses):
    """Return what is dead and what to say, given {url: status}; no answer at all is no network."""
    if not any(statuses.values()):
        return [], f"{len(statuses)} outside links listed, none asked: there is no network"
    dead = [url for url, code in statuses.items() if code is None or code in GONE]
    return dead, f"{len(statuses)} outside links listed and asked"


def test_outside_links(capsys):
    pages = {name: (SITE / name).read_text(encoding="utf8") for name in checks.page_names(SITE)}
    links = checks.outside_links({name: checks.parse(text) for name, text in pages.items()})
    assert len(links) > 10
    lines = [f"{url}  ({', '.join(sorted(names))})" for url, names in links.items()]
    listing = SITE.parent / "outside-links.txt"
    listing.write_text("\n".join(lines) + "\n", encoding="utf8")
    with ThreadPoolExecutor(16) as pool:
        dead, said = verdict(dict(zip(links, pool.map(status, links), strict=True)))
    with capsys.disabled():
        print(f"\n{said}; the list: {listing}")
    assert dead == []
    assert [url for url in links if not url.startswith("https://")] == []


def test_outside_links_fails():
    statuses = {"https://a": 200, "https://b": 403, "https://c": 404, "https://d": None}
    assert verdict(statuses) == (["https://c", "https://d"], "4 outside links listed and asked")
    assert verdict(dict.fromkeys("ab"))[0] == []


def test_outside_links_are_found():
    page = checks.parse('<a href="https://a.org/x#y">x</a><a href="b.html">x</a>')
    assert checks.outside_links({"a.html": page}) == {"https://a.org/x": {"a.html"}}
