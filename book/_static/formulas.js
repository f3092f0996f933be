// Formulas: the text is seen before they are set, a few at a time, so that the page answers
// meanwhile; and the keyboard scrolls one wider than the page.
{
  const PIECE = 4; // formulas in a piece of work: a slow phone sets one in 10 milliseconds
  const frame = () => new Promise(requestAnimationFrame);
  const breath = () => new Promise((resolve) => setTimeout(resolve));

  /** Sets all formulas of the page, from its top to its end. */
  async function setFormulas() {
    const formulas = [...document.querySelectorAll(".math")];
    while (formulas.length > 0) {
      await window.MathJax.typesetPromise(formulas.splice(0, PIECE));
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
