// Shows what a glossary term or a citation means, beside its link: on hover, on keyboard focus and
// on a first tap. It stays while the pointer is on it, and Escape hides it.
{
  const DELAY = 250; // ms in which the pointer can move from the link to the text
  const MARGIN = 8; // px to the link and to the window's edge
  let link = null;
  let text = null;
  let dismissed = null; // the link whose text Escape has hidden, until the pointer leaves it
  let timer = 0;
  let touched = false;

  const linkOf = (event) => event.target.closest?.("a[aria-describedby^='explain-']");

  function place() {
    if (!link) return;
    const box = link.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = text;
    const right = document.documentElement.clientWidth - width - MARGIN;
    const below = box.bottom + MARGIN;
    const above = box.top - MARGIN - height;
    text.style.left = `${Math.max(MARGIN, Math.min(box.left, right))}px`;
    text.style.top = `${below + height > innerHeight && above > 0 ? above : below}px`;
  }

  function show(target) {
    clearTimeout(timer);
    if (target === link) return;
    hide();
    link = target;
    text = document.getElementById(link.getAttribute("aria-describedby"));
    text.classList.add("shown");
    place();
  }

  function hide() {
    clearTimeout(timer);
    text?.classList.remove("shown");
    link = text = null;
  }

  function hideSoon() {
    clearTimeout(timer);
    timer = setTimeout(hide, DELAY);
  }

  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const target = linkOf(event);
    if (target && target === dismissed) return; // the page has moved, not the pointer
    dismissed = null;
    if (target) show(target);
    else if (text?.contains(event.target)) clearTimeout(timer);
    else if (link && document.activeElement !== link) hideSoon();
  });
  document.addEventListener("focusin", (event) => {
    if (linkOf(event)?.matches(":focus-visible")) show(linkOf(event));
  });
  document.addEventListener("focusout", (event) => {
    if (linkOf(event) === link) hide();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    dismissed = link ?? dismissed;
    hide();
  });
  document.addEventListener("pointerdown", (event) => {
    touched = event.pointerType === "touch";
    if (link && linkOf(event) !== link && !text.contains(event.target)) hide();
  });
  document.addEventListener("click", (event) => {
    const target = linkOf(event);
    if (!touched || !target || target === link) return;
    event.preventDefault(); // the second tap follows the link
    show(target);
  });
  addEventListener("scroll", place, { passive: true });
  addEventListener("resize", place);
}
