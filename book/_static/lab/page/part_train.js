"use strict";
// Train a small network in the page, and watch its loss and its drawings.
{
  const lab = (globalThis.PixelLab ??= {});
  const { button, choice, element, named } = lab;
  const SLICE = 10; // milliseconds of work in a frame of 16
  const LOOK_EVERY = 2000; // milliseconds between two looks at digits held out
  const NUM_DRAWINGS = 3;
  const NUM_HELD_OUT = 60; // digits that a look is taken at
  const WINDOWS = {
    "the 10 pixels before, as in the post": () => lab.raster(10),
    "4 pixels around": () => lab.neighbourhood(1),
    "12 pixels around": () => lab.neighbourhood(2),
    "24 pixels around": () => lab.neighbourhood(3),
  };

  /** A network in training: its loss as a curve, and what it draws. */
  class TrainPart {
    /** @param {HTMLElement} place - holds a still picture, which this replaces */
    constructor(place) {
      this.words = element("p", { className: "lab-words", role: "status" });
      this.curve = new lab.Curve();
      this.pictures = Array.from({ length: NUM_DRAWINGS }, (_, index) => {
        const ariaLabel = `What it draws now, ${index + 1}`;
        return new lab.Picture(element("canvas", { className: "lab-canvas", role: "img", ariaLabel }));
      });
      this.startButton = button("Train", () => this.toggle());
      const windows = Object.keys(WINDOWS).map((name) => [name, name]);
      this.window = choice(windows, windows[3][0], () => this.reset());
      const small = element("div", { className: "lab-small" }, ...this.pictures.map((p) => p.canvas));
      const left = element("div", { className: "lab-left" }, this.curve.svg, small);
      const buttons = [this.startButton, button("Start afresh", () => this.reset())];
      const panel = element(
        "div",
        { className: "lab-panel" },
        named("It sees", this.window),
        element("div", { className: "lab-buttons" }, ...buttons),
        this.words,
      );
      place.replaceChildren(left, panel);
      this.reset();
    }

    /** Forgets what was learned. */
    reset() {
      Object.assign(this, { isRunning: false, training: null, look: null, seconds: 0 });
      this.startButton.textContent = "Train";
      this.curve.clear();
      for (const picture of this.pictures) {
        picture.show(new Array(784).fill(-1), { seen: null, here: -1 });
      }
      this.words.textContent =
        "A network of some 20,000 numbers. It learns from 2,000 digits, and is measured on " +
        `${NUM_HELD_OUT} that it never sees.`;
    }

    async toggle() {
      this.isRunning = !this.isRunning;
      this.startButton.textContent = this.isRunning ? "Pause" : "Train";
      if (!this.isRunning) return;
      if (this.training === null) await this.prepare();
      this.last = performance.now();
      requestAnimationFrame(() => this.frame());
    }

    async prepare() {
      await Promise.all(["train", "held_out"].map(lab.fetchDigits));
      const train = lab.readDigits(lab.digits.train);
      const heldOut = lab.readDigits(lab.digits.held_out).subarray(0, 784 * NUM_HELD_OUT);
      const context = WINDOWS[this.window.value]();
      this.training = new lab.Training(train, lab.shapeFor(context), { seed: 1 });
      this.heldOut = new lab.WindowReader(heldOut, { numBins: 16, context }).read();
      this.curve.levels = {
        "all tokens alike": lab.uniformLoss(16),
        "pixel frequencies": lab.frequencyLoss(train, heldOut, 16),
        "counting 3 tokens": lab.countingLoss(train, heldOut, 16),
      };
      this.nextLook = 0;
    }

    frame() {
      if (!this.isRunning) return;
      const begin = performance.now();
      this.seconds += Math.min(begin - this.last, 100) / 1000;
      this.last = begin;
      while (performance.now() - begin < SLICE) this.work();
      requestAnimationFrame(() => this.frame());
    }

    /** Does a small piece of what is due: a look at digits held out, a drawing, or a step. */
    work() {
      if (this.look !== null) this.lookOn();
      else if (this.seconds * 1000 >= this.nextLook) this.beginLook();
      else this.training.step();
    }

    beginLook() {
      const model = this.training.model();
      const drawings = lab.drawings(model, NUM_DRAWINGS, { seed: 1 });
      this.look = { evaluation: new lab.Evaluation(model, this.heldOut), drawings };
    }

    lookOn() {
      const { evaluation, drawings } = this.look;
      const growing = drawings.find((drawing) => !drawing.isDone);
      if (!evaluation.isDone) evaluation.advance(16);
      else if (growing) growing.advance();
      else this.endLook();
    }

    endLook() {
      const { evaluation, drawings } = this.look;
      this.look = null;
      this.nextLook = this.seconds * 1000 + LOOK_EVERY;
      this.curve.add(this.seconds, evaluation.loss);
      for (const [index, drawing] of drawings.entries()) {
        const shades = Array.from(drawing.tokens, (token) => lab.dequantize(token, 16));
        this.pictures[index].show(shades, { seen: null, here: -1 });
      }
      this.words.textContent =
        `${this.training.steps} steps, ${this.seconds.toFixed(0)} seconds: ` +
        `${evaluation.loss.toFixed(3)} nats per pixel on digits that it never sees.`;
    }
  }

  lab.TrainPart = TrainPart;
}
