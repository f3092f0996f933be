// Formulas: the text is seen before they are set, and the keyboard scrolls one wider than the page.
{
  const frame = () => new Promise(requestAnimationFrame);
  if (window.MathJax) {
    window.MathJax.startup = {
      pageReady: async () => {
        await frame(); // before the first paint
        await frame(); // after it
        return window.MathJax.startup.defaultPageReady();
      },
    };
  }

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
