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
    "4 pixels nearby, above and to the left": () => lab.neighbourhood(1),
    "12 pixels nearby": () => lab.neighbourhood(2),
    "24 pixels nearby": () => lab.neighbourhood(3),
  };

  /** A network in training: its loss as a curve, and what it draws. */
  class TrainPart {
    /** @param {HTMLElement} place - holds a still picture, which this replaces */
    constructor(place) {
      this.words = element("p", { className: "lab-words" });
      this.curve = new lab.Curve();
      this.pictures = Array.from({ length: NUM_DRAWINGS }, (_, index) => {
        const name = `What it draws now, ${index + 1}`;
        const canvas = element("canvas", { className: "lab-canvas", "aria-label": name });
        canvas.setAttribute("role", "img");
        return new lab.Picture(canvas);
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
      this.isInView = true;
      new IntersectionObserver((entries) => this.come(entries.at(-1).isIntersecting)).observe(place);
    }

    /** Trains only while one can see it. */
    come(isInView) {
      this.isInView = isInView;
      this.last = performance.now();
      if (isInView) this.request();
    }

    /** Forgets what was learned. */
    reset() {
      Object.assign(this, { isRunning: false, training: null, look: null, seconds: 0 });
      this.preparing = null;
      this.startButton.textContent = "Train";
      this.curve.clear();
      for (const picture of this.pictures) {
        picture.show(new Array(784).fill(-1), { seen: null, here: -1 });
      }
      this.words.textContent =
        "A network with about 20,000 weights. It learns from 2,000 digits, and is measured on " +
        `${NUM_HELD_OUT} others.`;
    }

    async toggle() {
      this.isRunning = !this.isRunning;
      this.startButton.textContent = this.isRunning ? "Pause" : "Train";
      if (!this.isRunning) return;
      if (this.training === null) {
        this.words.textContent = "Reading the digits.";
        this.preparing ??= this.prepare();
        try {
          await this.preparing;
        } catch {
          this.reset();
          this.words.textContent = "The digits could not be loaded. Check your connection.";
          return;
        }
      }
      this.last = performance.now();
      this.request();
    }

    async prepare() {
      await Promise.all(["train", "held_out"].map(lab.fetchDigits));
      const train = lab.readDigits(lab.digits.train);
      const heldOut = lab.readDigits(lab.digits.held_out).subarray(0, 784 * NUM_HELD_OUT);
      const context = WINDOWS[this.window.value]();
      await breath();
      const levels = { "all tokens alike": lab.uniformLoss(16) };
      levels["pixel frequencies"] = lab.frequencyLoss(train, heldOut, 16);
      await breath();
      levels["counting 3 tokens"] = lab.countingLoss(train, heldOut, 16);
      await breath();
      this.heldOut = new lab.WindowReader(heldOut, { numBins: 16, context }).read();
      this.training = new lab.Training(train, lab.shapeFor(context), { seed: 1 });
      this.curve.levels = levels;
      this.nextLook = 0;
    }

    request() {
      this.handle ??= requestAnimationFrame(() => {
        this.handle = null;
        if (this.isRunning && this.isInView && this.training !== null) this.frame();
      });
    }

    frame() {
      const begin = performance.now();
      this.seconds += Math.min(begin - this.last, 100) / 1000;
      this.last = begin;
      while (performance.now() - begin < SLICE) this.work();
      this.request();
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
        `${evaluation.loss.toFixed(3)} nats per pixel on digits it was not trained on.`;
    }
  }

  /** @returns {Promise<void>} when the page has had time for other things */
  function breath() {
    return new Promise((resolve) => setTimeout(resolve));
  }

  lab.TrainPart = TrainPart;
}
