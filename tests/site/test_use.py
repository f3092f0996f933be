"""What a reader does: move sliders, ask what a word means, search, copy, go without scripts."""

import html_checks
import pytest
from browser import opened
from conftest import PUBLISHED, SITE, published_address

WEIGHT = 300_000  # bytes of an explorer


def pages_with(text):
    """Return the pages whose HTML contains a text."""
    names = html_checks.page_names(SITE)
    return [name for name in names if text in (SITE / name).read_text(encoding="utf8")]


EXPLORERS = pages_with('class="px-explorer"')
EXPLAINED = pages_with('aria-describedby="explain-')


def test_there_is_something_to_use():
    assert len(EXPLORERS) >= 3
    assert len(EXPLAINED) >= 7


# Explorers


@pytest.fixture(params=["served", "disk"])
def root(request, served):
    """Return the address of the book's root, served and on disk."""
    return served if request.param == "served" else SITE.as_uri() + "/"


@pytest.mark.parametrize("page_name", EXPLORERS)
def test_explorers_answer_to_keys_and_mouse(browser, root, page_name):
    with opened(browser, root + page_name, root) as (page, watch):
        for explorer in page.locator(".px-explorer").all():
            assert explorer.evaluate("explorer => explorer.outerHTML.length") < WEIGHT
            sliders = explorer.get_by_role("slider").all()
            assert sliders
            for slider in sliders:
                use_slider(page, explorer.locator("img"), slider)
    assert watch.complaints == []


def use_slider(page, picture, slider):
    """Move a slider by keys, then by mouse; each move changes the picture and its description."""
    moves = [
        lambda: slider.press("Home"),
        lambda: slider.press("ArrowRight"),
        lambda: slider.press("End"),
        lambda: click_at(page, slider, 0.02),
        lambda: click_at(page, slider, 0.98),
    ]
    states = []
    for move in moves:
        move()
        assert picture.is_visible()
        said = slider.get_attribute("aria-valuetext")
        assert said == picture.get_attribute("alt")
        states.append((slider.input_value(), picture.get_attribute("src"), said))
    first, second, last, low, high = states
    assert all(a != b for a, b in zip(first, last, strict=True))
    assert all(a != b for a, b in zip(first, second, strict=True))
    assert (low, high) == (first, last)


def click_at(page, element, share):
    """Click at a share of an element's width."""
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)


@pytest.mark.parametrize("page_name", EXPLORERS)
def test_explorers_answer_to_touch(browser, served, page_name):
    phone = {"has_touch": True, "is_mobile": True}
    with opened(browser, served + page_name, served, 390, **phone) as (page, _):
        for explorer in page.locator(".px-explorer").all():
            slider, picture = explorer.get_by_role("slider").first, explorer.locator("img")
            width = slider.bounding_box()["width"]
            seen = []
            for share in (0.02, 0.98):
                slider.tap(position={"x": share * width, "y": 20})
                seen.append(picture.get_attribute("src"))
            assert seen[0] != seen[1]


# Explanations


@pytest.mark.parametrize("page_name", EXPLAINED)
def test_links_explain_themselves(browser, served, page_name):
    with opened(browser, served + page_name, served) as (page, _):
        links = page.locator("a[aria-describedby^='explain-']:visible").all()
        assert links
        for link in {link.get_attribute("aria-describedby"): link for link in links}.values():
            text = page.locator(f"[id='{link.get_attribute('aria-describedby')}']")
            assert text.get_attribute("role") == "tooltip"
            assert len(text.text_content().split()) >= 3
            link.hover()
            text.wait_for(state="visible")
            page.keyboard.press("Escape")
            text.wait_for(state="hidden")
            page.mouse.move(0, 0)
            link.focus()
            text.wait_for(state="visible")
            page.keyboard.press("Escape")
            text.wait_for(state="hidden")


def test_what_escape_has_hidden_stays_hidden_until_the_pointer_leaves(browser, served):
    with opened(browser, served + EXPLAINED[0], served) as (page, _):
        link = page.locator("a[aria-describedby^='explain-']:visible").first
        text = page.locator(f"[id='{link.get_attribute('aria-describedby')}']")
        link.hover()
        text.wait_for(state="visible")
        page.keyboard.press("Escape")
        link.dispatch_event("pointerover")  # as where the page moves below a resting pointer
        assert text.is_hidden()
        page.mouse.move(0, 0)
        link.hover()
        text.wait_for(state="visible")


def test_glossary_and_references_are_both_explained(browser, served):
    found = set()
    for name in EXPLAINED:
        page = html_checks.parse((SITE / name).read_text(encoding="utf8"))
        found |= {anchor for anchor in page.anchors if anchor.startswith("explain-")}
    terms = {anchor for anchor in found if anchor.startswith("explain-term-")}
    assert len(terms) >= 5
    assert len(found - terms) >= 5


# Formulas

HOLD_FRAMES = """{
    const draw = window.requestAnimationFrame;
    const held = [];
    window.requestAnimationFrame = (callback) => held.push(callback);
    window.drawFrames = () => {
        window.requestAnimationFrame = draw;
        held.forEach((callback) => draw(callback));
    };
}"""


def test_the_text_is_drawn_before_its_formulas(browser, served):
    page = browser.new_page()
    page.add_init_script(HOLD_FRAMES)
    page.goto(served + "book/glossary.html")
    page.wait_for_function("Boolean(window.MathJax?.startup?.defaultPageReady)")
    page.wait_for_timeout(1000)
    assert page.locator("mjx-container").count() == 0
    page.evaluate("drawFrames()")
    page.locator("mjx-container").first.wait_for()
    page.close()


# Search, copying, finding the way


@pytest.mark.parametrize("word", ["entropy", "pixelar_lib.sampling.sample"])
def test_search_finds(browser, root, word):
    with opened(browser, f"{root}search.html?q={word}", root) as (page, watch):
        results = page.locator("#search-results li a")
        results.first.wait_for()
        assert watch.complaints == []
        results.first.click()
        page.wait_for_load_state()
        assert word.rpartition(".")[2] in page.locator("main").inner_text().lower()


def test_search_finds_nothing(browser, served):
    with opened(browser, f"{served}search.html?q=zzzz", served) as (page, _):
        page.get_by_text("did not match any documents").wait_for()
        assert page.locator("#search-results li").count() == 0


def test_code_can_be_copied(browser, served):
    allowed = ["clipboard-read", "clipboard-write"]
    url = served + "notebooks/02_quantization.html"
    with opened(browser, url, served, permissions=allowed) as (page, _):
        cells = page.locator("div.cell_input pre:visible").all()
        assert len(cells) > 5
        assert page.locator("div.cell_input:visible button.copybtn").count() == len(cells)
        cells[0].hover()
        page.locator("div.cell_input:visible button.copybtn").first.click()
        page.wait_for_function("navigator.clipboard.readText()")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.strip() == cells[0].inner_text().strip()


def test_the_reader_chooses_the_colours(browser, served):
    with opened(browser, served + "book/index.html", served) as (page, _):
        shown = lambda: page.evaluate("document.documentElement.dataset.theme")  # noqa: E731
        button = page.locator(".theme-switch-button:visible")
        seen = set()
        for _ in range(3):
            button.focus()
            page.keyboard.press("Enter")
            seen.add(shown())
        assert seen == {"light", "dark"}


def test_the_first_tab_leads_to_the_text(browser, served):
    with opened(browser, served + "notebooks/01_chain_rule.html", served) as (page, _):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('href')") == "#main-content"


def test_chapters_form_a_chain(browser):
    name, seen = "book/index.html", []
    while name and name not in seen:
        seen.append(name)
        rels = html_checks.parse((SITE / name).read_text(encoding="utf8")).rels
        name = rels.get("next") and html_checks.target(name, rels["next"])[0]
    linked = {page for page in html_checks.page_names(SITE) if "/" in page}
    assert set(seen) == linked


@pytest.mark.parametrize("missing", ["no.html", "notebooks/no/such/page.html"])
def test_a_missing_page_helps(browser, served, missing):
    page = browser.new_page()
    response = page.goto(served + missing)
    assert response.status == 404
    assert "no page here" in page.locator("h1").inner_text()
    page.close()


def test_a_missing_page_leads_home():
    page = html_checks.parse((PUBLISHED / "404.html").read_text(encoding="utf8"))
    links = [url for url in page.addresses if not url.startswith("data:")]  # the icon
    assert links
    assert all(url.startswith(published_address(PUBLISHED)) for url in links)


# Without scripts

HIDDEN = """() => [...document.querySelectorAll("article *")]
    .filter((element) => element.matches("h1, h2, h3, p, li, td, th, dt, dd, pre, img"))
    .filter((element) => !element.checkVisibility({ visibilityProperty: true }))
    .filter((element) => !element.closest("details:not([open]), .explanation, .why, dialog, form"))
    .map((element) => element.outerHTML.slice(0, 100))"""


def test_all_is_there_without_scripts(browser, served, name):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served + name)
    assert len(page.locator("main").inner_text().split()) > (20 if "/" in name else 2)
    assert page.evaluate(HIDDEN) == []
    context.close()
