// A formula that is wider than the page scrolls by itself: let the keyboard reach it, and only it.
{
  const check = () => {
    for (const formula of document.querySelectorAll("mjx-container[display='true']")) {
      if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
      else formula.removeAttribute("tabindex");
    }
  };
  addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    await document.fonts.ready;
    check();
  });
  addEventListener("resize", check);
}
