"use strict";
// Watch it draw, point at any pixel, or draw a part and let the model finish it.
{
  const lab = (globalThis.PixelLab ??= {});
  const { button, choice, element, named, nextButton, numberField, radios, slider } = lab;
  const SIDE = 28;
  const NUM_PIXELS = SIDE * SIDE;
  const EMPTY = () => new Int16Array(NUM_PIXELS).fill(lab.UNKNOWN);
  const HANDS = { point: "inspect", draw: "draw", erase: "erase" };
  const MANUAL =
    "Arrow keys point at a pixel. The space bar puts a dot of ink there, or erases where erasing " +
    "is chosen. Enter lets the model draw around it.";
  const WAIT = 300; // milliseconds until a change is written into the address
  const LOOK = 400; // milliseconds for which bars stay while pixels go by
  let numManuals = 0;

  /** One board with all its controls. */
  class DrawPart {
    /**
     * @param {HTMLElement} place - holds a still picture, which this replaces. `data-controls` names
     *   the controls to show, all without it; `data-model`, `data-shown` and `data-hand` what they
     *   begin with. `data-address` lets the page's address say more, and follow.
     */
    constructor(place) {
      const { controls, address, model, shown = "digit", hand = "point" } = place.dataset;
      this.controls = controls === undefined ? null : controls.split(" ");
      this.hasAddress = address !== undefined;
      const isModel = model !== undefined && Object.hasOwn(lab.MODELS, model);
      const usual = { ...lab.defaults(), ...(isModel ? { model } : {}) };
      const settings = this.hasAddress ? lab.readAddress(location.hash, usual) : usual;
      this.words = element("p", { className: "lab-words" });
      this.status = element("p", { className: "lab-status", role: "status" });
      this.spoken = element("p", { className: "lab-spoken", role: "status" });
      this.bars = new lab.Bars(element("div", { className: "lab-bars" }), 16);
      this.board = new lab.Board("Picture", settings, {
        onChange: () => this.showPixel(),
        onState: (state) => this.say(state),
      });
      this.sharing = new lab.Sharing(this.board, (text) => this.say(text));
      this.board.shown = shown;
      Object.assign(this, { hand, stroke: null, last: -1, writing: 0, barsShown: -LOOK });
      this.playButton = button("Pause", () => this.board.toggle());
      this.panelNode = this.panel(settings);
      place.classList.add("lab-draw");
      place.replaceChildren(this.left(), this.panelNode);
      this.takeInHand(hand);
      this.listen();
      this.board.restart();
    }

    // What one sees

    /** @returns {Node[]} the controls of these that the page asks for */
    wanted(controls) {
      return Object.entries(controls)
        .filter(([name]) => this.controls === null || this.controls.includes(name))
        .map(([, control]) => control);
    }

    left() {
      const { board } = this;
      const buttons = [
        this.playButton,
        button("One pixel", () => board.step(1)),
        button("One row", () => board.step(SIDE)),
        button("Draw again", () => board.restart()),
      ];
      const hands = radios("Pointer", Object.entries(HANDS), this.hand, (hand) =>
        this.takeInHand(hand),
      );
      this.digit = this.realDigit();
      return element(
        "div",
        { className: "lab-left" },
        board.canvas,
        this.manual(),
        ...this.wanted({ hand: hands }),
        element("div", { className: "lab-buttons" }, ...buttons),
        this.status,
        this.spoken,
        ...this.wanted({
          digit: named("Start from", this.digit),
          save: element("div", { className: "lab-buttons" }, this.eraser(), ...this.sharing.buttons()),
        }),
        this.sharing.box,
      );
    }

    /** @returns {HTMLElement} what a screen reader adds to the picture's name */
    manual() {
      const id = `lab-manual-${numManuals++}`;
      this.board.canvas.setAttribute("aria-describedby", id);
      return element("p", { id, className: "lab-spoken" }, MANUAL);
    }

    panel(settings) {
      const change = (changes) => this.change(changes);
      const { model, label, seed, temperature, topK, topP } = settings;
      this.seed = numberField(seed, 0, 2 ** 32 - 1, (given) => change({ seed: given }));
      this.label = named("Draw me a", slider(label, [0, 9, 1], (asked) => change({ label: asked })));
      this.showLabel(model);
      const models = choice(Object.entries(lab.MODELS), model, (name) => change({ model: name }));
      const controls = {
        model: named("Model", models),
        label: this.label,
        temperature: named(
          "Temperature",
          slider(temperature, [0, 2, 0.1], (value) => change({ temperature: value })),
        ),
        "top-k": named("Top-k", slider(topK, [1, 16, 1], (value) => change({ topK: value }))),
        "top-p": named("Top-p", slider(topP, [0.05, 1, 0.05], (value) => change({ topP: value }))),
        seed: this.seedRow(),
        speed: named("Speed", this.speed()),
        shown: named("Show", this.shown()),
      };
      const panel = { className: "lab-panel" };
      return element("div", panel, this.bars.place, this.words, ...this.wanted(controls));
    }

    seedRow() {
      const next = nextButton(() => {
        this.seed.value = (this.board.settings.seed + 1) % 2 ** 32;
        this.change({ seed: Number(this.seed.value) });
      });
      return element("div", { className: "lab-row" }, named("Seed", this.seed), next);
    }

    speed() {
      const { player } = this.board;
      const names = Object.keys(lab.SPEEDS);
      const now = names.find((name) => lab.SPEEDS[name] === player.pixelsPerSecond);
      return choice(names.map((name) => [name, name]), now, (name) => {
        player.pixelsPerSecond = lab.SPEEDS[name];
      });
    }

    shown() {
      return choice(Object.entries(lab.SHOWN), this.board.shown, (name) => {
        this.board.shown = name;
        this.board.show();
      });
    }

    /** @returns {HTMLElement} takes the top half of a digit from the test set */
    realDigit() {
      const digits = Array.from({ length: 10 }, (_, digit) => {
        return [String(digit), `the top half of a${digit === 8 ? "n" : ""} ${digit}`];
      });
      return choice([["", "an empty page"], ...digits], "", async (digit) => {
        if (digit === "") return this.change({ known: EMPTY() });
        try {
          await lab.fetchDigits("test");
        } catch {
          return this.say("The digits could not be loaded. Check your connection.");
        }
        const tokens = lab.quantize(lab.readLevels(lab.digits.test), 16);
        const known = EMPTY();
        known.set(tokens.subarray(NUM_PIXELS * digit, NUM_PIXELS * digit + NUM_PIXELS / 2));
        return this.change({ known });
      });
    }

    eraser() {
      return button("Erase my strokes", () => {
        this.digit.value = "";
        this.change({ known: EMPTY() });
      });
    }

    showLabel(model) {
      this.label.hidden = !lab.CONDITIONAL.has(model);
    }

    showPixel() {
      const { board } = this;
      this.words.textContent = board.inWords();
      if (board.here >= 0) this.showBars(board.here);
      else if (board.numDrawn > 0 && !this.isTooSoon()) this.showBars(board.numDrawn - 1);
    }

    showBars(pixel) {
      const { board } = this;
      this.barsShown = performance.now();
      this.bars.show(board.distributions[pixel] ?? null, board.tokenAt(pixel));
    }

    /** @returns {boolean} whether bars would change faster than one can look at them */
    isTooSoon() {
      return this.board.player.isPlaying && performance.now() - this.barsShown < LOOK;
    }

    say(text) {
      this.playButton.textContent = this.board?.player.isPlaying ? "Pause" : "Play";
      if (this.status.textContent !== text) this.status.textContent = text;
      if (this.board && !this.board.player.isPlaying) this.showPixel(); // the last one drawn
    }

    // What one does

    /** @param {string} hand - a name in HANDS: what a pointer does from now on */
    takeInHand(hand) {
      this.hand = hand;
      this.board.canvas.classList.toggle("lab-drawing", hand !== "point"); // then no page scrolls
    }

    listen() {
      const { canvas, picture } = this.board;
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "application");
      canvas.addEventListener("pointerdown", (event) => {
        if (event.button !== 0 || !event.isPrimary) return;
        if (this.hand !== "point") canvas.setPointerCapture(event.pointerId);
        this.stroke = this.hand === "point" ? null : this.hand;
        this.last = -1;
        this.touch(picture.pixelAt(event));
      });
      canvas.addEventListener("pointermove", (event) => {
        if (event.isPrimary) this.touch(picture.pixelAt(event));
      });
      for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
        canvas.addEventListener(end, () => this.lift());
      }
      canvas.addEventListener("pointerleave", () => {
        if (this.stroke === null) this.board.point(-1);
      });
      canvas.addEventListener("keydown", (event) => this.press(event));
      if (this.hasAddress) addEventListener("hashchange", () => this.readAddress());
    }

    /** Moves the square by an arrow key, paints by the space bar, finishes by Enter. */
    press(event) {
      const { here } = this.board;
      const next = lab.pixelByKey(here, event.key);
      if (next !== null) this.board.point(next);
      else if (event.key === " ") {
        this.stroke = this.hand === "erase" ? "erase" : "draw";
        this.paint(Math.max(here, 0));
        Object.assign(this, { stroke: null, last: -1 });
        this.board.point(Math.max(here, 0));
      } else if (event.key === "Enter") this.change({});
      else return;
      this.spoken.textContent = this.board.inWords();
      event.preventDefault();
    }

    /** Points at a pixel, or draws or erases up to there while a stroke lasts. */
    touch(pixel) {
      if (this.stroke === null) return this.board.point(pixel);
      if (pixel >= 0 && pixel !== this.last) this.paint(pixel);
      return undefined;
    }

    /** Paints the line from where the stroke was to a pixel. */
    paint(pixel) {
      const { board } = this;
      const from = this.last < 0 ? pixel : this.last;
      const known = lab.painted(board.settings.known, from, pixel, this.stroke === "erase");
      this.last = pixel;
      board.settings = { ...board.settings, known };
      board.clear();
    }

    /** Ends a stroke: the model draws around what is there. */
    lift() {
      if (this.stroke === null) return;
      Object.assign(this, { stroke: null, last: -1 });
      this.board.point(-1);
      this.change({});
    }

    change(changes) {
      const drawn = this.board.change(changes);
      this.showLabel(this.board.settings.model);
      if (this.hasAddress) {
        clearTimeout(this.writing);
        this.writing = setTimeout(() => this.writeAddress(), WAIT);
      }
      return drawn;
    }

    writeAddress() {
      const said = lab.writeAddress(this.board.settings);
      if (said || location.hash) history.replaceState(null, "", `#${said}`);
    }

    /** Follows an address that was typed or gone back to. */
    readAddress() {
      const settings = lab.readAddress(location.hash);
      if (lab.writeAddress(settings) === lab.writeAddress(this.board.settings)) return;
      const fresh = this.panel(settings);
      this.panelNode.replaceWith(fresh);
      this.panelNode = fresh;
      this.digit.value = "";
      this.board.change(settings);
    }
  }

  lab.DrawPart = DrawPart;
}
