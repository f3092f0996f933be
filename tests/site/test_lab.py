"""Pixel Lab, played: drawing, pointing, finishing, labels, training, sharing."""

import re

import html_checks
import pytest
from browser import SHOWN, THEMES, WIDTHS, look_complaints, opened
from conftest import SITE

PAGE = "book/lab.html"
BOARD = "PixelLab.parts.find(part => 'stroke' in part).board"
PAGES = [
    name
    for name in html_checks.page_names(SITE)
    if 'class="pixel-lab"' in (SITE / name).read_text(encoding="utf8")
]
TOKENS = f"{BOARD}.drawing.tokens"
SMALLEST = """() => {
    const targets = ".pixel-lab :is(button, select, input:not([type=radio]), .lab-radios label)";
    const sizes = [...document.querySelectorAll(targets)].filter((e) => e.checkVisibility())
        .map((e) => e.getBoundingClientRect()).map(({ width, height }) => Math.min(width, height));
    return Math.min(...sizes);
}"""
STORED = "PixelLab.stored['pixelcnn-k16'].tokens"


@pytest.fixture(params=["served", "disk"])
def root(request, served):
    """Return the address of the book's root, served and on disk."""
    return served if request.param == "served" else SITE.as_uri() + "/"


def lab(page, part="[data-address]"):
    """Return a part of the lab, in view."""
    found = page.locator(f".pixel-lab{part}")
    found.scroll_into_view_if_needed()
    found.locator("canvas").first.wait_for()
    return found


def finish(page, part):
    """Draw from the first pixel on; with less motion, that shows the complete picture."""
    part.get_by_role("button", name="Draw again").click()
    wait_for_state(page, part, "Complete.")


def wait_for_state(page, part, state):
    status = part.locator(".lab-status").element_handle()
    page.wait_for_function("([status, state]) => status.textContent === state", arg=[status, state])


def same(page, one, other):
    return page.evaluate(f"[...{one}].map(token => token.toString(16)).join('') === {other}")


def test_the_live_model_draws_what_is_stored(browser, root):
    with opened(browser, root + PAGE, root) as (page, watch):
        part = lab(page)
        page.wait_for_function("PixelLab.isLoaded('pixelcnn-k16')")
        finish(page, part)
        assert page.evaluate(f"{BOARD}.drawing instanceof PixelLab.Drawing")
        assert same(page, TOKENS, STORED)
    assert watch.complaints == []


def test_a_picture_is_there_before_any_weights(browser, served):
    with opened(browser, served + "book/glossary.html", served) as (page, watch):
        page.route("**/weights/*", lambda route: route.abort())
        watch.requests.clear()
        page.goto(served + PAGE)
        lab(page)
        page.wait_for_function(f"{BOARD}.numDrawn === {28 * 28}")
        assert watch.transferred() < 500_000


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)])
def test_a_visitor_sees_a_digit_grow_at_once(browser, served, size):
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.goto(served + "book/index.html")
    canvas = page.locator(".pixel-lab canvas")
    canvas.wait_for(timeout=10_000)
    box = canvas.bounding_box()
    assert box["y"] + box["height"] < height
    assert 0 <= page.evaluate(f"{BOARD}.numDrawn") < 784
    page.wait_for_function(f"{BOARD}.numDrawn > 392", timeout=10_000)
    context.close()


def test_a_lab_far_below_loads_nothing(browser, served):
    context = browser.new_context(viewport={"width": 390, "height": 600})
    page = context.new_page()
    page.goto(served + "notebooks/06_sampling.html", wait_until="load")
    page.wait_for_timeout(500)
    assert page.evaluate("PixelLab.Board") is None
    lab(page, "")
    context.close()


def test_it_steps_pauses_and_begins_again(browser, served):
    with opened(browser, served + PAGE, served) as (page, watch):
        part = lab(page)
        page.wait_for_function("PixelLab.isLoaded('pixelcnn-k16')")
        finish(page, part)
        part.get_by_role("button", name="One pixel").click()
        part.get_by_role("button", name="One row").click()
        assert page.evaluate(f"{BOARD}.numDrawn") == 29
        play = part.get_by_role("button", name=re.compile("Play|Pause"))
        play.click()
        page.wait_for_function(f"{BOARD}.numDrawn > 40")
        play.click()
        assert play.inner_text() == "Play"
        drawn = page.evaluate(f"{BOARD}.numDrawn")
        page.wait_for_timeout(200)
        assert page.evaluate(f"{BOARD}.numDrawn") == drawn < 784
    assert watch.complaints == []


def test_pixels_are_pointed_at_by_mouse_and_keys(browser, served):
    with opened(browser, served + PAGE, served) as (page, _):
        part = lab(page)
        page.wait_for_function("PixelLab.isLoaded('pixelcnn-k16')")
        finish(page, part)
        canvas, words = part.locator("canvas"), part.locator(".lab-words")
        box = canvas.bounding_box()
        cell = box["width"] / 28
        canvas.hover(position={"x": 17.5 * cell, "y": 13.5 * cell})
        assert words.inner_text().startswith("Row 13, column 17: token ")
        assert "The model sees 381 pixels" in words.inner_text()
        canvas.press("ArrowRight")
        canvas.press("ArrowUp")
        assert words.inner_text().startswith("Row 12, column 18: ")
        assert part.locator(".lab-spoken").last.inner_text() == words.inner_text()
        assert part.locator(".lab-chosen").count() == 1


def test_a_stroke_stays_and_the_model_draws_around_it(browser, served):
    with opened(browser, served + PAGE, served) as (page, watch):
        part = lab(page)
        page.wait_for_function("PixelLab.isLoaded('pixelcnn-k16')")
        part.get_by_label("draw", exact=True).check()
        box = part.locator("canvas").bounding_box()
        page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.3 * box["height"], steps=12)
        page.mouse.up()
        wait_for_state(page, part, "Complete.")
        kept = f"{BOARD}.settings.known"
        assert page.evaluate(f"{kept}.filter(token => token >= 0).length") > 10
        assert page.evaluate(f"[...{kept}].every((one, i) => one < 0 || one === {TOKENS}[i])")
        page.wait_for_function("location.hash.includes('known')")
        address = page.url
        part.get_by_role("button", name="Erase my strokes").click()
        assert page.evaluate(f"{kept}.every(token => token < 0)")
        page.goto(address)
        page.reload()
        lab(page)
        assert page.evaluate(f"{kept}.filter(token => token >= 0).length") > 10
    assert watch.complaints == []


@pytest.mark.parametrize(
    "address",
    [
        "#model=nothing&seed=-5&temperature=1e9&top-k=many&known=%%%",
        "#seed=99999999999999999999&top-p=0&label=77&known=a99999",
        "#the-same-random-numbers-two-models",
        "#&&&=",
        "#model=__proto__",
    ],
)
def test_addresses_that_make_no_sense_break_nothing(browser, served, address):
    with opened(browser, served + PAGE + address, served) as (page, watch):
        lab(page)
        settings = f"{BOARD}.settings"
        assert 0 <= page.evaluate(f"{settings}.seed") < 2**32
        assert 0 <= page.evaluate(f"{settings}.temperature") <= 2
        assert page.evaluate(f"{settings}.model in PixelLab.MODELS")
    assert watch.complaints == []


def test_settings_come_from_the_address_and_go_there(browser, served):
    with opened(browser, f"{served}{PAGE}#seed=5&temperature=0.5", served) as (page, _):
        part = lab(page)
        assert part.get_by_label("Seed", exact=True).input_value() == "5"
        part.get_by_role("button", name="Next seed").click()
        page.wait_for_function("location.hash === '#seed=6&temperature=0.5'")


def test_a_digit_is_drawn_on_request(browser, served):
    with opened(browser, served + PAGE, served) as (page, watch):
        part = lab(page)
        label = part.get_by_label("Draw me a")
        assert label.is_hidden()
        part.get_by_label("Model").select_option("pixelcnn-cond-k16")
        page.wait_for_function("PixelLab.isLoaded('pixelcnn-cond-k16')")
        drawn = []
        for asked in ("Home", "End"):
            label.press(asked)
            finish(page, part)
            drawn.append(page.evaluate(f"[...{TOKENS}]"))
        assert drawn[0] != drawn[1]
        assert page.evaluate(f"{BOARD}.settings.label") == 9
        assert "labels=torch.tensor([9])" in page.evaluate(f"{BOARD}.inPython()")
    assert watch.complaints == []


def test_two_boards_share_their_random_numbers(browser, served):
    with opened(browser, served + PAGE, served) as (page, watch):
        part = lab(page, "[data-part=compare]")
        for model in part.get_by_label("Model").all():
            model.select_option("post-mlp-k16")
        boards = "PixelLab.parts.find(part => part.boards).boards"
        page.wait_for_function(f"{boards}.every(board => board.drawing?.isDone)")
        assert page.evaluate(f"{boards}.every(board => board.drawing.isDone)")
        assert same(
            page,
            f"{boards}[0].drawing.tokens",
            f"[...{boards}[1].drawing.tokens].map(token => token.toString(16)).join('')",
        )
    assert watch.complaints == []


def test_two_labels_stand_side_by_side(browser, served):
    with opened(browser, served + PAGE, served) as (page, watch):
        part = lab(page, "[data-part=compare]")
        assert part.get_by_label("Draw me a").first.is_hidden()
        for model in part.get_by_label("Model").all():
            model.select_option("pixelcnn-cond-k16")
        left, right = part.get_by_label("Draw me a").all()
        left.press("Home")
        right.press("End")
        boards = "PixelLab.parts.find(part => part.boards).boards"
        assert page.evaluate(f"{boards}.map(board => board.settings.label)") == [0, 9]
        page.wait_for_function(f"{boards}.every(board => board.drawing?.isDone)")
        tokens = page.evaluate(f"{boards}.map(board => [...board.drawing.tokens])")
        assert tokens[0] != tokens[1]
    assert watch.complaints == []


def stroke(page, part, row, columns):
    """Move the pressed mouse along a row, from one column to another."""
    box = part.locator("canvas").bounding_box()
    start, end = ((column + 0.5) * box["width"] / 28 for column in columns)
    height = box["y"] + (row + 0.5) * box["height"] / 28
    page.mouse.move(box["x"] + start, height)
    page.mouse.down()
    page.mouse.move(box["x"] + end, height, steps=12)
    page.mouse.up()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_played_on_every_screen(browser, root, width, theme):
    """Draw, step, pause, point, erase and finish, share and reload, label, train."""
    known = f"{BOARD}.settings.known.filter(token => token >= 0).length"
    with opened(browser, root + PAGE, root, width, color_scheme=theme) as (page, watch):
        page.wait_for_function(SHOWN, arg=theme)
        part = lab(page)
        page.wait_for_function("PixelLab.isLoaded('pixelcnn-k16')")
        finish(page, part)
        part.get_by_role("button", name="One row").click()
        assert page.evaluate(f"{BOARD}.numDrawn") == 28
        play = part.get_by_role("button", name=re.compile("Play|Pause"))
        play.click()
        page.wait_for_function(f"{BOARD}.numDrawn > 40")
        play.click()
        assert play.inner_text() == "Play"
        part.locator("canvas").hover(position={"x": 50, "y": 4})
        assert part.locator(".lab-words").inner_text().startswith("Row 0, column ")
        assert part.locator(".lab-chosen").count() == 1

        part.get_by_label("draw", exact=True).check()
        stroke(page, part, 8, (6, 20))
        wait_for_state(page, part, "Complete.")
        drawn = page.evaluate(known)
        part.get_by_label("erase", exact=True).check()
        stroke(page, part, 8, (6, 10))
        wait_for_state(page, part, "Complete.")
        assert 10 < page.evaluate(known) < drawn
        page.wait_for_function(f"location.hash === '#' + PixelLab.writeAddress({BOARD}.settings)")
        left = page.evaluate(known)
        page.reload()
        part = lab(page)
        assert page.evaluate(known) == left

        part.get_by_label("Model").select_option("pixelcnn-cond-k16")
        page.wait_for_function("PixelLab.isLoaded('pixelcnn-cond-k16')")
        part.get_by_label("Draw me a").press("End")
        wait_for_state(page, part, "Complete.")
        assert page.evaluate(f"{BOARD}.settings.label") == 9

        trainer = lab(page, "[data-part=train]")
        trainer.get_by_role("button", name="Train").click()
        points = "PixelLab.parts.find(part => part.curve).curve.points"
        page.wait_for_function(f"{points}.length > 1 && {points}.at(-1)[1] < {points}[0][1]")
    assert watch.complaints == []


def test_fewer_tones_cost_more(browser, served):
    with opened(browser, served + PAGE, served) as (page, _):
        part = lab(page, "[data-part=tones]")
        slider, words = part.get_by_label("Tones K"), part.locator(".lab-words")
        slider.press("Home")
        assert words.inner_text().startswith("With 2 tones")
        slider.press("End")
        assert words.inner_text().startswith("With 256 tones, the typical error of a pixel is 0.2%")
        assert part.locator("canvas").count() == 3
        assert "256 tones, " in part.inner_text() and "lost, × 256" in part.inner_text()


def test_windows_are_seen_at_every_pixel(browser, root):
    with opened(browser, root + "notebooks/03_context.html", root) as (page, watch):
        part = lab(page, "[data-part=sight]")
        canvas, words = part.locator("canvas"), part.locator(".lab-words")
        part.get_by_text("sees 24 pixels").wait_for()
        assert words.inner_text() == "Row 13, column 17 sees 24 pixels."
        part.get_by_label("Radius").press("End")
        assert words.inner_text() == "Row 13, column 17 sees 180 pixels."
        part.get_by_label("Window").select_option("raster")
        assert words.inner_text() == "Row 13, column 17 sees 10 pixels."
        cell = canvas.bounding_box()["width"] / 28
        canvas.click(position={"x": 3.5 * cell, "y": 0.5 * cell})
        seven = "The window's other 7 places lie outside the picture."
        assert words.inner_text() == f"Row 0, column 3 sees 3 pixels. {seven}"
        for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft"):
            canvas.press(key)
        assert words.inner_text().startswith("Row 0, column 0 sees 0 pixels.")
        assert part.locator(".lab-spoken").last.inner_text() == words.inner_text()
    assert watch.complaints == []


def test_training_lowers_the_loss(browser, root):
    with opened(browser, root + PAGE, root) as (page, watch):
        part = lab(page, "[data-part=train]")
        part.get_by_role("button", name="Train").click()
        points = "PixelLab.parts.find(part => part.curve).curve.points"
        page.wait_for_function(f"{points}.length > 1 && {points}.at(-1)[1] < 1", timeout=60_000)
        assert page.evaluate(f"{points}[0][1]") > 2
        assert "nats per pixel" in part.locator(".lab-words").inner_text()
    assert watch.complaints == []


def test_without_weights_the_lab_says_so_and_the_page_lives(browser, served):
    with opened(browser, served + "book/glossary.html", served) as (page, _):
        page.route("**/weights/*", lambda route: route.abort())
        page.goto(served + PAGE)
        part = lab(page)
        status = part.locator(".lab-status")
        page.wait_for_function(
            "words => words.textContent.includes('could not be loaded')",
            arg=status.element_handle(),
        )


@pytest.mark.parametrize("page_name", PAGES)
def test_without_scripts_there_is_a_still_picture(browser, served, page_name):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served + page_name)
    for place in page.locator(".pixel-lab").all():
        place.scroll_into_view_if_needed()
        picture = place.locator("img")
        page.wait_for_function("img => img.naturalWidth > 0", arg=picture.element_handle())
        assert picture.is_visible() and picture.get_attribute("alt")
        assert place.locator("figcaption").is_visible()
    context.close()


def test_the_lab_is_where_a_reader_looks_for_it():
    chapters = {"00_first", "02_quant", "03_cont", "06_samp", "07_anal", "08_pixel", "09_labels"}
    found = " ".join(PAGES)
    assert {chapter for chapter in chapters if chapter in found} == chapters
    assert "book/index.html" in PAGES and PAGE in PAGES


@pytest.mark.parametrize("page_name", PAGES)
def test_every_place_is_filled(browser, served, page_name):
    with opened(browser, served + page_name, served) as (page, watch):
        for place in page.locator(".pixel-lab").all():
            place.scroll_into_view_if_needed()
            place.locator("canvas").first.wait_for()
        assert page.evaluate("PixelLab.parts.length") == page.locator(".pixel-lab").count()
    assert watch.complaints == []


@pytest.mark.parametrize("width", WIDTHS)
def test_every_state_fits_its_screen_and_is_accessible(browser, served, axe, width):
    with opened(browser, served + PAGE, served, width) as (page, _):
        part = lab(page)
        part.get_by_label("Model").select_option("pixelcnn-cond-k16")
        part.get_by_label("Start from").select_option("7")
        part.get_by_label("draw", exact=True).check()
        wait_for_state(page, part, "Complete.")
        part.get_by_role("button", name="Copy the Python").click()
        part.locator("canvas").press("ArrowDown")
        lab(page, "[data-part=train]").get_by_role("button", name="Train").click()
        page.wait_for_function("PixelLab.parts.find(part => part.curve).curve.points.length > 0")
        assert page.evaluate(SMALLEST) >= 24
        assert look_complaints(page, axe) == ([], [])
