"use strict";
// The lab on a page: what one sees and presses, and what happens then.
{
  const lab = (globalThis.PixelLab ??= {});
  const NUM_PIXELS = 28 * 28;
  const SPEEDS = { slow: 30, medium: 200, "as fast as it can": Infinity };
  const BRUSH = [[0, 15], [-1, 9], [1, 9], [-28, 9], [28, 9]]; // offset and token: soft edges

  lab.MODELS = {
    "post-mlp-k16": "the post's network: ten pixels before",
    "neighbourhood-mlp-k16": "the neighbourhood: 24 pixels around",
    "pixelcnn-k16": "PixelCNN: all pixels before",
  };

  /** @returns {HTMLElement} an element with attributes and children */
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name in made) made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  /** @returns {HTMLLabelElement} a control with its name in front of it */
  function named(text, control) {
    return element("label", { className: "lab-control" }, element("span", {}, text), control);
  }

  /** One lab on a page. */
  class View {
    /** @param {HTMLElement} place - holds a still picture, which the lab replaces */
    constructor(place) {
      this.settings = lab.readAddress(location.hash);
      this.here = -1; // the pixel that is pointed at
      this.stroke = null; // "draw" or "erase" while a finger is down
      this.clear();
      this.build(place);
      this.player = new lab.Player(
        (drawn) => this.take(drawn),
        () => this.stopped(),
      );
      this.restart();
    }

    /** Forgets what was drawn. */
    clear() {
      this.distributions = new Array(NUM_PIXELS).fill(null);
    }

    // What one sees

    build(place) {
      const { settings } = this;
      this.canvas = element("canvas", {
        className: "lab-canvas",
        tabIndex: 0,
        role: "application",
        ariaLabel: "The picture. Arrow keys move over the pixels; space draws or erases.",
      });
      this.picture = new lab.Picture(this.canvas);
      const bars = element("div", { className: "lab-bars" });
      this.bars = new lab.Bars(bars, 16);
      this.words = element("p", { className: "lab-words" });
      this.status = element("p", { className: "lab-status", role: "status" });
      this.controls = {
        model: this.choice(Object.entries(lab.MODELS), settings.model, (name) => {
          this.change({ model: name });
        }),
        speed: this.choice(Object.keys(SPEEDS).map((s) => [s, s]), "medium", (speed) => {
          this.player.pixelsPerSecond = SPEEDS[speed];
        }),
        show: this.choice(
          [["digit", "the digit"], ["chance", "chosen probability"], ["entropy", "entropy"]],
          "digit",
          () => this.draw(),
        ),
        hand: this.choice(
          [["point", "point at pixels"], ["draw", "draw"], ["erase", "erase"]],
          "point",
          () => {},
        ),
        seed: this.numberField(settings.seed, 0, 2 ** 32 - 1, (seed) => this.change({ seed })),
        temperature: this.slider(settings.temperature, 0, 2, 0.1, (temperature) =>
          this.change({ temperature }),
        ),
        topK: this.slider(settings.topK, 1, 16, 1, (topK) => this.change({ topK })),
        topP: this.slider(settings.topP, 0.05, 1, 0.05, (topP) => this.change({ topP })),
      };
      const { controls } = this;
      this.playButton = this.button("Pause", () => this.togglePlay());
      const buttons = element(
        "div",
        { className: "lab-buttons" },
        this.playButton,
        this.button("One pixel", () => this.player.step(1)),
        this.button("One row", () => this.player.step(28)),
        this.button("Again", () => this.restart()),
        this.button("Another seed", () => this.anotherSeed()),
        this.button("Clear", () => this.change({ known: lab.defaults().known })),
      );
      const panel = element(
        "div",
        { className: "lab-panel" },
        bars,
        this.words,
        named("Model", controls.model),
        named("Temperature", controls.temperature),
        named("Top-k", controls.topK),
        named("Top-p", controls.topP),
        named("Seed", controls.seed),
        named("Speed", controls.speed),
        named("Show", controls.show),
      );
      const left = element(
        "div",
        { className: "lab-left" },
        this.canvas,
        buttons,
        named("Finger or mouse", controls.hand),
        this.status,
      );
      place.replaceChildren(left, panel);
      this.listen();
    }

    button(text, act) {
      return element("button", { type: "button", textContent: text, onclick: act });
    }

    choice(options, value, act) {
      const made = element("select", { onchange: () => act(made.value) });
      made.append(...options.map(([key, text]) => element("option", { value: key }, text)));
      made.value = value;
      return made;
    }

    numberField(value, min, max, act) {
      const attributes = { type: "number", min, max, step: 1, value };
      const made = element("input", attributes);
      made.onchange = () => {
        const given = Math.round(Number(made.value));
        made.value = Math.min(Math.max(Number.isFinite(given) ? given : 0, min), max);
        act(Number(made.value));
      };
      return made;
    }

    slider(value, min, max, step, act) {
      const made = element("input", { type: "range", min, max, step, value });
      const shown = element("output", {}, String(value));
      made.oninput = () => {
        shown.textContent = made.value;
        act(Number(made.value));
      };
      return element("span", { className: "lab-slider" }, made, shown);
    }

    listen() {
      const { canvas } = this;
      canvas.addEventListener("pointerdown", (event) => {
        canvas.setPointerCapture(event.pointerId);
        this.stroke = this.controls.hand.value === "point" ? null : this.controls.hand.value;
        if (this.stroke) this.player.pause();
        this.touch(this.picture.pixelAt(event));
      });
      canvas.addEventListener("pointermove", (event) => this.touch(this.picture.pixelAt(event)));
      canvas.addEventListener("pointerup", () => this.lift());
      canvas.addEventListener("pointercancel", () => this.lift());
      canvas.addEventListener("keydown", (event) => this.press(event));
      addEventListener("hashchange", () => this.readAddress());
    }

    // What one does

    /** Moves the square by an arrow key, or draws with the space bar. */
    press(event) {
      const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -28, ArrowDown: 28 };
      if (event.key in moves) {
        const next = this.here < 0 ? 0 : this.here + moves[event.key];
        if (next >= 0 && next < NUM_PIXELS) this.touch(next);
      } else if (event.key === " ") {
        this.stroke = this.controls.hand.value === "erase" ? "erase" : "draw";
        this.touch(Math.max(this.here, 0));
        this.lift();
      } else return;
      event.preventDefault();
    }

    /** Points at a pixel, and draws or erases there while a stroke lasts. */
    touch(pixel) {
      this.here = pixel;
      if (pixel >= 0 && this.stroke) this.paint(pixel);
      this.draw();
    }

    paint(pixel) {
      const known = this.settings.known.slice();
      for (const [offset, token] of this.stroke === "draw" ? BRUSH : [[0, -1]]) {
        const place = pixel + offset;
        const isBeside = Math.abs((place % 28) - (pixel % 28)) <= 1;
        if (place < 0 || place >= NUM_PIXELS || !isBeside) continue;
        known[place] = token < 0 ? lab.UNKNOWN : Math.max(known[place], token);
      }
      this.settings = { ...this.settings, known };
      this.clear();
    }

    /** Ends a stroke: the model goes on from what is there. */
    lift() {
      if (!this.stroke) return;
      this.stroke = null;
      this.restart();
    }

    change(changes) {
      this.settings = { ...this.settings, ...changes };
      this.restart();
    }

    anotherSeed() {
      const seed = (this.settings.seed + 1) % 2 ** 32;
      this.controls.seed.value = seed;
      this.change({ seed });
    }

    readAddress() {
      const before = lab.writeAddress(this.settings);
      const settings = lab.readAddress(location.hash);
      if (lab.writeAddress(settings) !== before) this.change(settings);
    }

    togglePlay() {
      if (this.player.isPlaying) this.player.pause();
      else if (this.drawing?.isDone) this.restart();
      else this.play();
    }

    play() {
      this.player.play();
      this.playButton.textContent = "Pause";
    }

    // What the model does

    /** Draws from the first pixel on, as the settings say. */
    async restart() {
      const { settings } = this;
      this.player.pause();
      history.replaceState(null, "", `#${lab.writeAddress(settings)}`);
      this.clear();
      this.draw();
      try {
        this.model = await lab.fetchModel(settings.model);
      } catch (error) {
        this.say(`${error.message} The lab cannot draw with this model.`);
        return;
      }
      if (settings !== this.settings) return; // changed while the weights were loading
      const { seed, known, temperature, topK, topP } = settings;
      const choice = { seed, known, temperature, topK: topK < 16 ? topK : null };
      choice.topP = topP < 1 ? topP : null;
      [this.drawing] = lab.drawings(this.model, 1, choice);
      this.player.take(this.drawing);
      this.say("Drawing.");
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
        while (!this.drawing.isDone) this.take([this.drawing.advance()]);
        this.stopped();
      } else this.play();
    }

    /** Takes over what was drawn. */
    take(drawn) {
      for (const { pixel, probabilities } of drawn) this.distributions[pixel] = probabilities;
      this.draw();
    }

    stopped() {
      this.playButton.textContent = "Play";
      if (this.drawing?.isDone) this.say("The picture is complete.");
    }

    say(text) {
      if (this.status.textContent !== text) this.status.textContent = text;
    }

    // What the picture shows

    draw() {
      const { here, model } = this;
      const seen = here >= 0 && model ? this.sightFrom(here) : null;
      this.picture.show(this.shades(), { seen, here });
      const token = here < 0 ? 0 : this.tokenAt(here);
      const probabilities = here < 0 ? null : this.distributions[here];
      this.bars.show(probabilities, token);
      const reach = seen ? seen.reduce((sum, one) => sum + one, 0) : 0;
      const isKnown = here >= 0 && this.settings.known[here] !== lab.UNKNOWN;
      this.words.textContent =
        here < 0
          ? "Point at a pixel, and see what the model thought of it."
          : lab.inWords({ pixel: here, token, isKnown, probabilities, reach });
    }

    sightFrom(pixel) {
      return this.model.receptiveField(Math.floor(pixel / 28), pixel % 28);
    }

    tokenAt(pixel) {
      const known = this.settings.known[pixel];
      return known === lab.UNKNOWN ? (this.drawing?.tokens[pixel] ?? 0) : known;
    }

    /** @returns {number[]} (784,) what the picture shows, 0 to 1; -1 where nothing is drawn */
    shades() {
      const { value } = this.controls.show;
      return this.distributions.map((probabilities, pixel) => {
        const token = this.tokenAt(pixel);
        const isKnown = this.settings.known[pixel] !== lab.UNKNOWN;
        if (value === "digit") return probabilities || isKnown ? (token + 0.5) / 16 : -1;
        if (probabilities === null) return -1;
        return value === "chance" ? probabilities[token] : lab.entropy(probabilities) / Math.log(16);
      });
    }
  }

  /** @returns {View} the lab, in place of the still picture that the page holds */
  lab.mount = (place) => new View(place);
}
