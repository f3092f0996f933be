"""Opens pages in Chromium and writes down what is wrong with them."""

from contextlib import contextmanager

WIDTHS = (1280, 390)
THEMES = ("light", "dark")

# No promise of a page is waited for without end: a page that draws no frames, say, keeps none.
READY = """async () => {
    const within = (milliseconds, promise) =>
        Promise.race([promise, new Promise((resolve) => setTimeout(resolve, milliseconds))]);
    await within(20000, window.MathJax?.startup?.promise);
    await within(5000, document.fonts.ready);
    for (let y = 0; y < document.body.scrollHeight; y += innerHeight) {
        scrollTo(0, y);
        await within(200, new Promise(requestAnimationFrame));
    }
    scrollTo(0, 0);
    const decoded = [...document.images].map((image) => image.decode().catch(() => {}));
    await within(20000, Promise.all(decoded));
}"""

# Elements that reach over the right edge, unless a box around them scrolls or cuts.
WIDE = """() => {
    const width = document.documentElement.clientWidth;
    const boxed = (element) => {
        for (let box = element.parentElement; box && box !== document.body; box = box.parentElement)
            if (getComputedStyle(box).overflowX !== "visible") return true;
        return false;
    };
    const name = (element) =>
        element.tagName.toLowerCase() + (element.id && "#" + element.id) +
        [...element.classList].map((word) => "." + word).join("");
    const wide = [...document.body.querySelectorAll("*")].filter((element) => {
        const box = element.getBoundingClientRect();
        return box.width && box.right > width + 1 && !boxed(element) &&
            element.checkVisibility({ visibilityProperty: true });
    });
    const scrolls = document.documentElement.scrollWidth > width;
    return wide.map(name).slice(0, 5).concat(scrolls ? ["the page scrolls sideways"] : []);
}"""

AXE = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, help, nodes }) =>
        `${id} (${help}): ` + nodes.slice(0, 3).map((node) => node.target.join(" ")).join(", ") +
        (nodes.length > 3 ? `, and ${nodes.length - 3} more` : "")
    );
}"""


# A page without the book's scripts (404.html) follows the device by itself.
SHOWN = "theme => [undefined, theme].includes(document.documentElement.dataset.theme)"


class Watch:
    """Writes down what goes wrong while a page loads and is used, and what it transfers."""

    def __init__(self, page, origin):
        self.complaints, self.requests = [], []
        self.origin = origin
        page.on("console", self.on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))
        page.on("request", self.on_request)
        page.on("requestfinished", lambda request: self.requests.append(request))
        page.on(
            "requestfailed",
            lambda request: self.complaints.append(f"failed: {request.url} ({request.failure})"),
        )
        page.on("response", self.on_response)

    def on_console(self, message):
        """Note an error in the console."""
        if message.type == "error":
            self.complaints.append(f"console: {message.text} ({message.location['url']})")

    def on_request(self, request):
        """Note a request to another host."""
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.complaints.append(f"outside: {request.url}")

    def on_response(self, response):
        """Note an answer that is an error."""
        if response.status >= 400:
            self.complaints.append(f"status {response.status}: {response.url}")

    def transferred(self):
        """Return the bytes of all answers, as they were sent."""
        sizes = [request.sizes() for request in self.requests]
        return sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)


@contextmanager
def opened(browser, url, origin, width=1280, **settings):
    """Open a page in a fresh context; gives the page and its Watch."""
    size = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, reduced_motion="reduce", **settings)
    page = context.new_page()
    watch = Watch(page, origin)
    page.goto(url, wait_until="load")
    page.evaluate(READY)
    try:
        yield page, watch
    finally:
        context.close()


def look_complaints(page, axe):
    """Return what overflows, and what axe-core finds, in each theme."""
    overflow, violations = [], []
    page.add_style_tag(content="* { transition: none !important; animation: none !important }")
    page.evaluate(axe)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        page.wait_for_function(SHOWN, arg=theme)
        overflow += [f"{theme}: {what}" for what in page.evaluate(WIDE)]
        violations += [f"{theme}: {what}" for what in page.evaluate(AXE)]
    return overflow, violations
