"""Questions at the end of a part: by mouse and keyboard, with storage and without, no scripts."""

import html_checks
import pytest
from browser import opened
from conftest import SITE

MARK = '<fieldset class="question">'
PAGES = [
    name
    for name in html_checks.page_names(SITE)
    if MARK in (SITE / name).read_text(encoding="utf8")
]
QUESTION = "fieldset.question"


def test_each_part_has_a_check():
    parts = ("experiments", "models_that_see", "seven_chapters")
    assert [f"book/check_{part}.html" for part in parts] == PAGES


@pytest.mark.parametrize("page_name", PAGES)
def test_questions_are_whole(browser, served, page_name):
    with opened(browser, served + page_name, served) as (page, watch):
        questions = page.locator(QUESTION).all()
        assert len(questions) == 10
        places = []
        for number, question in enumerate(questions, 1):
            assert question.locator("legend").inner_text().startswith(f"{number}. ")
            kinds = [answer.get_attribute("class") for answer in question.locator(".answer").all()]
            assert len(kinds) >= 3 and kinds.count("answer right") == 1
            places.append(kinds.index("answer right"))
            for why in question.locator(".why").all():
                assert len(why.text_content().split()) > 6
        assert all(places.count(place) <= 5 for place in places)  # no place is a safe guess
    assert watch.complaints == []


@pytest.mark.parametrize("page_name", PAGES)
def test_an_answer_explains_itself_without_scripts(browser, served, page_name):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served + page_name)
    for question in page.locator(QUESTION).all():
        assert question.locator(".why:visible").count() == 0
        for answer in question.locator(".answer").all():
            answer.locator("label").click()
            shown = question.locator(".why:visible")
            assert shown.count() == 1
            right = "right" in answer.get_attribute("class").split()
            assert answer.locator(".verdict").inner_text() == ("Right." if right else "Not quite.")
            assert answer.locator(".why").is_visible()
    assert page.locator("main button:visible", has_text="Start again").count() == 0
    context.close()


@pytest.mark.parametrize("root", ["served", "disk"])
def test_answers_are_counted_and_kept(browser, served, root):
    root = served if root == "served" else SITE.as_uri() + "/"
    with opened(browser, root + PAGES[1], root) as (page, watch):
        score, again = page.locator(".score"), page.get_by_role("button", name="Start again")
        assert score.inner_text() == "0 of 10 right, 0 answered." and not again.is_visible()
        page.locator(f"{QUESTION} .right input").first.check()
        page.locator(f"{QUESTION} .wrong input").last.check()
        assert score.inner_text() == "1 of 10 right, 2 answered."
        page.reload()
        assert score.inner_text() == "1 of 10 right, 2 answered."
        assert page.locator(".why:visible").count() == 2
        for answer in page.locator(f"{QUESTION} .right input").all():
            answer.check()
        assert score.inner_text() == "10 of 10 right."
        again.click()
        assert score.inner_text() == "0 of 10 right, 0 answered."
        assert page.locator(".why:visible").count() == 0
        assert page.locator(f"{QUESTION} input").first.evaluate("input => input.matches(':focus')")
        page.reload()
        assert score.inner_text() == "0 of 10 right, 0 answered."
    assert watch.complaints == []


def test_keys_choose_and_a_screen_reader_is_told(browser, served):
    with opened(browser, served + PAGES[1], served) as (page, _):
        first = page.locator(QUESTION).first
        first.locator("input").first.focus()
        page.keyboard.press("Space")
        said = page.locator(".visually-hidden[role=status]")
        assert said.inner_text().startswith("Not quite.")
        page.keyboard.press("ArrowDown")
        assert first.locator("input").nth(1).is_checked()
        assert first.locator(".answer").nth(1).locator(".why").is_visible()
        assert first.locator(".why:visible").count() == 1
        page.keyboard.press("Tab")  # one stop for each question, and the links that are shown
        assert not first.locator("input").nth(2).evaluate("input => input.matches(':focus')")


@pytest.mark.parametrize("page_name", PAGES)
def test_pages_remember_for_themselves(browser, served, page_name):
    with opened(browser, served + page_name, served) as (page, _):
        page.locator(f"{QUESTION} input").first.check()
        other = next(name for name in PAGES if name != page_name)
        page.goto(served + other)
        assert page.locator(".score").inner_text() == "0 of 10 right, 0 answered."


@pytest.mark.parametrize("stored", ["damaged{", "null", "7", '{"a": 1}'])
def test_storage_that_holds_something_else_does_no_harm(browser, served, stored):
    with opened(browser, served + PAGES[0], served) as (page, watch):
        page.locator(f"{QUESTION} input").first.check()
        page.evaluate(
            "stored => Object.keys(localStorage).filter((key) => key.startsWith('check '))"
            ".forEach((key) => localStorage.setItem(key, stored))",
            stored,
        )
        page.reload()
        assert page.locator(".score").inner_text() == "0 of 10 right, 0 answered."
    assert watch.complaints == []


def test_without_storage_answers_are_counted(browser, served):
    with opened(browser, served + "book/index.html", served) as (page, watch):
        page.add_init_script(
            "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
        )
        page.goto(served + PAGES[0])
        page.locator(f"{QUESTION} .right input").first.check()
        assert page.locator(".score").inner_text() == "1 of 10 right, 1 answered."
        assert [what for what in watch.complaints if "check.js" in what] == []
