"use strict";
// A real digit in fewer tones, and what that costs.
{
  const lab = (globalThis.PixelLab ??= {});
  const { element, named, slider } = lab;
  const NUM_PIXELS = 28 * 28;

  /** Three pictures: a digit as it is, in K tones, and what is lost. */
  class TonesPart {
    /** @param {HTMLElement} place - holds a still picture, which this replaces */
    constructor(place) {
      const names = ["256 grey levels", "fewer tones", "what is lost"];
      [this.before, this.after, this.lost] = names.map((name) => {
        const canvas = element("canvas", { className: "lab-canvas", "aria-label": name });
        canvas.setAttribute("role", "img");
        return new lab.Picture(canvas);
      });
      this.words = element("p", { className: "lab-words" });
      [this.caption, this.lostCaption] = [element("span"), element("span")];
      Object.assign(this, { digit: 7, numBins: 4 });
      place.classList.add("lab-compare", "lab-three");
      place.replaceChildren(
        element("div", { className: "lab-left" }, this.before.canvas, "256 grey levels"),
        element("div", { className: "lab-left" }, this.after.canvas, this.caption),
        element("div", { className: "lab-left" }, this.lost.canvas, this.lostCaption),
        element(
          "div",
          { className: "lab-panel" },
          named("Tones K", slider(this.numBins, [2, 256, 1], (numBins) => this.show({ numBins }))),
          named("Digit", slider(this.digit, [0, 9, 1], (digit) => this.show({ digit }))),
          this.words,
        ),
      );
      lab.fetchDigits("test").then(
        () => this.show({}),
        () => (this.words.textContent = "The digits could not be loaded. Check your connection."),
      );
    }

    show(changes) {
      Object.assign(this, changes);
      if (lab.digits?.test === undefined) return;
      const all = lab.readLevels(lab.digits.test);
      const levels = all.subarray(NUM_PIXELS * this.digit, NUM_PIXELS * (this.digit + 1));
      const real = Array.from(levels, (level) => level / 255);
      const tokens = lab.quantize(levels, this.numBins);
      const found = Array.from(tokens, (token) => lab.dequantize(token, this.numBins));
      const error = Math.sqrt(real.reduce((sum, x, i) => sum + (x - found[i]) ** 2, 0) / NUM_PIXELS);
      this.before.show(real, { seen: null, here: -1 });
      this.after.show(found, { seen: null, here: -1 });
      const lost = real.map((x, i) => Math.min(Math.abs(x - found[i]) * this.numBins, 1));
      this.lost.show(lost, { seen: null, here: -1 }); // too faint as it is; white is a whole bin
      this.caption.textContent = `${this.numBins} tones, ${new Set(tokens).size} of them in use`;
      this.lostCaption.textContent = `lost, × ${this.numBins}`;
      this.words.textContent =
        `With ${this.numBins} tones, the typical error of a pixel is ${(100 * error).toFixed(1)}% of ` +
        "the range from black to white (root mean square).";
    }
  }

  lab.TonesPart = TonesPart;
}
