"use strict";
// Which earlier pixels a window holds, at any place of a real digit.
{
  const lab = (globalThis.PixelLab ??= {});
  const { choice, element, named, slider } = lab;
  const SIDE = 28;
  const DIGIT = 7; // the one that the book follows,
  const BEGIN = 13 * SIDE + 17; // and its pixel
  const MANUAL = "Arrow keys point at a pixel.";
  const WINDOWS = {
    neighbourhood: { text: "the pixels around", of: lab.neighbourhood, size: 3, most: 9 },
    raster: { text: "the pixels just before", of: lab.raster, size: 10, most: 60 },
  };
  let numManuals = 0;

  /** A digit, a window of the reader's choice, and its pixels as dots. */
  class SightPart {
    /** @param {HTMLElement} place - holds a still picture, which this replaces */
    constructor(place) {
      Object.assign(this, { here: BEGIN, kind: "neighbourhood", levels: null });
      this.sizes = Object.fromEntries(
        Object.entries(WINDOWS).map(([kind, { size }]) => [kind, size]),
      );
      this.words = element("p", { className: "lab-words" });
      this.spoken = element("p", { className: "lab-spoken", role: "status" });
      this.picture = new lab.Picture(this.canvas());
      place.replaceChildren(
        element("div", { className: "lab-left" }, this.picture.canvas, this.manual()),
        this.panel(),
      );
      this.listen();
      lab.fetchDigits("test").then(
        () => this.take(lab.readLevels(lab.digits.test)),
        () => (this.words.textContent = "The digit could not be loaded. Check your connection."),
      );
    }

    canvas() {
      const canvas = element("canvas", { className: "lab-canvas", "aria-label": "A handwritten 7" });
      canvas.setAttribute("role", "application");
      canvas.tabIndex = 0;
      return canvas;
    }

    /** @returns {HTMLElement} what a screen reader adds to the picture's name */
    manual() {
      const id = `lab-sight-${numManuals++}`;
      this.picture.canvas.setAttribute("aria-describedby", id);
      return element("p", { id, className: "lab-spoken" }, MANUAL);
    }

    panel() {
      const texts = Object.entries(WINDOWS).map(([kind, { text }]) => [kind, text]);
      const kinds = choice(texts, this.kind, (kind) => this.show({ kind }));
      this.sliders = {
        neighbourhood: named("Radius", this.size("neighbourhood")),
        raster: named("How many", this.size("raster")),
      };
      const controls = [named("Window", kinds), ...Object.values(this.sliders)];
      return element("div", { className: "lab-panel" }, ...controls, this.words, this.spoken);
    }

    size(kind) {
      const { size, most } = WINDOWS[kind];
      return slider(size, [1, most, 1], (value) => {
        this.sizes[kind] = value;
        this.show({});
      });
    }

    listen() {
      const { canvas } = this.picture;
      for (const kind of ["pointerdown", "pointermove"]) {
        canvas.addEventListener(kind, (event) => {
          const pixel = this.picture.pixelAt(event);
          if (pixel >= 0) this.show({ here: pixel });
        });
      }
      canvas.addEventListener("keydown", (event) => {
        const next = lab.pixelByKey(this.here, event.key);
        if (next === null) return;
        this.show({ here: next });
        this.spoken.textContent = this.words.textContent;
        event.preventDefault();
      });
    }

    take(levels) {
      const ours = levels.subarray(784 * DIGIT, 784 * (DIGIT + 1));
      this.show({ levels: Array.from(ours, (level) => level / 255) });
    }

    show(changes) {
      Object.assign(this, changes);
      for (const [kind, control] of Object.entries(this.sliders)) {
        control.hidden = kind !== this.kind;
      }
      if (this.levels === null) return;
      const context = WINDOWS[this.kind].of(this.sizes[this.kind]);
      const [row, column] = [Math.floor(this.here / SIDE), this.here % SIDE];
      const seen = lab.windowField(context, row, column);
      this.picture.show(this.levels, { seen, here: this.here });
      const count = seen.reduce((sum, one) => sum + one, 0);
      const outside = context.offsets.length - count;
      this.words.textContent =
        `Row ${row}, column ${column} sees ${count} pixel${count === 1 ? "" : "s"}.` +
        (outside === 0 ? "" : ` The window's other ${outside} ${outside === 1 ? "place lies" : "places lie"} outside the picture.`);
    }
  }

  lab.SightPart = SightPart;
}
