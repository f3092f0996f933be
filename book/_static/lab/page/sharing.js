"use strict";
// What a reader takes along: the picture, a link to it, and the Python that draws it.
{
  const lab = (globalThis.PixelLab ??= {});
  const { button, element } = lab;

  /** Buttons that save and copy what a board shows. */
  class Sharing {
    /**
     * @param {Board} board
     * @param {Function} say - called with what happened, in a few words
     */
    constructor(board, say) {
      Object.assign(this, { board, say });
      this.box = element("textarea", { hidden: true, readOnly: true, rows: 5 });
      this.box.setAttribute("aria-label", "Text to copy");
    }

    buttons() {
      return [
        button("Save the picture", () => this.save()),
        button("Copy the link", () => this.copy(this.link(), "The link is copied.")),
        button("Copy the Python", () => this.copy(this.board.inPython(), "The Python is copied.")),
      ];
    }

    /** @returns {string} an address that draws this picture */
    link() {
      const said = lab.writeAddress(this.board.settings);
      return said ? `${lab.PAGE}#${said}` : lab.PAGE;
    }

    save() {
      const link = element("a", { download: `seed-${this.board.settings.seed}.png` });
      link.href = this.board.asPng();
      link.click();
    }

    async copy(text, done) {
      this.box.hidden = true;
      try {
        await navigator.clipboard.writeText(text);
        this.say(done);
      } catch {
        Object.assign(this.box, { hidden: false, value: text });
        this.box.select();
        this.say("This browser does not let a page copy. Copy the text below.");
      }
    }
  }

  lab.Sharing = Sharing;
}
