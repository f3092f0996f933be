// Formulas: the text is seen before they are set, one at a time, so that the page answers
// meanwhile; and the keyboard scrolls one wider than the page.
{
  const frame = () => new Promise(requestAnimationFrame);
  const breath = () => new Promise((resolve) => setTimeout(resolve));

  /** Sets all formulas of the page, from its top to its end. */
  async function setFormulas() {
    for (const formula of document.querySelectorAll(".math")) {
      await window.MathJax.typesetPromise([formula]);
      await breath();
    }
  }

  if (window.MathJax) {
    window.MathJax.startup = {
      pageReady: async () => {
        await frame(); // before the first paint
        await frame(); // after it
        return setFormulas();
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
