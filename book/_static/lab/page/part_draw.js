"use strict";
// Watch it draw, point at any pixel, or draw a part and let the model finish it.
{
  const lab = (globalThis.PixelLab ??= {});
  const { button, choice, element, named, numberField, slider } = lab;
  const SIDE = 28;
  const NUM_PIXELS = SIDE * SIDE;
  const BRUSH = [[0, 0, 15], [-1, 0, 9], [1, 0, 9], [0, -1, 9], [0, 1, 9]]; // rows, columns, token
  const EMPTY = () => new Int16Array(NUM_PIXELS).fill(lab.UNKNOWN);
  const HANDS = { point: "point at pixels", draw: "draw", erase: "erase" };

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
      const usual = { ...lab.defaults(), ...(model in lab.MODELS ? { model } : {}) };
      const settings = this.hasAddress ? lab.readAddress(location.hash, usual) : usual;
      const name =
        "The picture. Arrow keys point at pixels, the space bar draws or erases one, " +
        "Enter lets the model finish.";
      this.words = element("p", { className: "lab-words" });
      this.status = element("p", { className: "lab-status", role: "status" });
      this.bars = new lab.Bars(element("div", { className: "lab-bars" }), 16);
      this.board = new lab.Board(name, settings, {
        onChange: () => this.showPixel(),
        onState: (state) => this.say(state),
      });
      this.board.shown = shown;
      this.stroke = null; // "draw" or "erase" while a finger is down
      this.playButton = button("Pause", () => this.board.toggle());
      place.replaceChildren(this.left(hand), this.panel(settings));
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

    left(hand) {
      const { board } = this;
      const buttons = [
        this.playButton,
        button("One pixel", () => board.step(1)),
        button("One row", () => board.step(SIDE)),
        button("Again", () => board.restart()),
      ];
      this.hand = choice(Object.entries(HANDS), hand);
      return element(
        "div",
        { className: "lab-left" },
        board.canvas,
        element("div", { className: "lab-buttons" }, ...buttons),
        this.status,
        ...this.wanted({
          hand: named("Hand", this.hand),
          digit: named("A real digit", this.realDigit()),
          save: element("div", { className: "lab-buttons" }, ...this.savers()),
        }),
      );
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
      const another = button("Another", () => {
        this.seed.value = (this.board.settings.seed + 1) % 2 ** 32;
        this.change({ seed: Number(this.seed.value) });
      });
      return element("div", { className: "lab-row" }, named("Seed", this.seed), another);
    }

    speed() {
      const names = Object.keys(lab.SPEEDS).map((name) => [name, name]);
      return choice(names, "slowly", (name) => {
        this.board.player.pixelsPerSecond = lab.SPEEDS[name];
      });
    }

    shown() {
      return choice(Object.entries(lab.SHOWN), this.board.shown, (name) => {
        this.board.shown = name;
        this.board.show();
      });
    }

    /** @returns {HTMLElement} takes a digit from the test set, cut off at a row */
    realDigit() {
      const digits = Array.from({ length: 10 }, (_, digit) => [String(digit), `the upper half of a ${digit}`]);
      return choice([["", "none"], ...digits], "", async (digit) => {
        if (digit === "") return this.change({ known: EMPTY() });
        await lab.fetchDigits("test");
        const tokens = lab.quantize(lab.readLevels(lab.digits.test), 16);
        const known = EMPTY();
        known.set(tokens.subarray(NUM_PIXELS * digit, NUM_PIXELS * digit + NUM_PIXELS / 2));
        return this.change({ known });
      });
    }

    savers() {
      return [
        button("Erase all", () => this.change({ known: EMPTY() })),
        button("Save the picture", () => this.save()),
        button("Copy the link", () => this.copy(this.link(), "The link is copied.")),
        button("Copy the Python", () => this.copy(this.board.inPython(), "The Python is copied.")),
      ];
    }

    /** @returns {string} an address that draws this picture */
    link() {
      return `${lab.PAGE}#${lab.writeAddress(this.board.settings)}`;
    }

    showLabel(model) {
      this.label.hidden = !lab.CONDITIONAL.has(model);
    }

    showPixel() {
      const { board } = this;
      const pixel = board.here < 0 ? board.numDrawn - 1 : board.here; // or the one just drawn
      this.bars.show(board.distributions[pixel] ?? null, board.tokenAt(pixel));
      this.words.textContent = board.inWords();
    }

    say(text) {
      this.playButton.textContent = this.board.player.isPlaying ? "Pause" : "Play";
      if (this.status.textContent !== text) this.status.textContent = text;
    }

    // What one does

    listen() {
      const { canvas, picture } = this.board;
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "application");
      canvas.addEventListener("pointerdown", (event) => {
        canvas.setPointerCapture(event.pointerId);
        this.stroke = this.hand.value === "point" ? null : this.hand.value;
        this.touch(picture.pixelAt(event));
      });
      canvas.addEventListener("pointermove", (event) => this.touch(picture.pixelAt(event)));
      for (const end of ["pointerup", "pointercancel"]) {
        canvas.addEventListener(end, () => this.lift());
      }
      canvas.addEventListener("keydown", (event) => this.press(event));
      if (this.hasAddress) addEventListener("hashchange", () => this.readAddress());
    }

    /** Moves the square by an arrow key, paints by the space bar, finishes by Enter. */
    press(event) {
      const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -SIDE, ArrowDown: SIDE };
      const { here } = this.board;
      if (event.key in moves) {
        const next = here < 0 ? 0 : here + moves[event.key];
        if (next >= 0 && next < NUM_PIXELS) this.board.point(next);
        this.say(this.board.inWords());
      } else if (event.key === " ") {
        this.stroke = this.hand.value === "erase" ? "erase" : "draw";
        this.touch(Math.max(here, 0));
        this.stroke = null;
      } else if (event.key === "Enter") this.board.restart();
      else return;
      event.preventDefault();
    }

    /** Points at a pixel, and draws or erases there while a stroke lasts. */
    touch(pixel) {
      if (pixel >= 0 && this.stroke) this.paint(pixel);
      this.board.point(pixel);
    }

    paint(pixel) {
      const { board } = this;
      board.player.pause();
      const known = board.settings.known.slice();
      const [row, column] = [Math.floor(pixel / SIDE), pixel % SIDE];
      for (const [down, right, token] of BRUSH) {
        const [y, x] = [row + down, column + right];
        if (y < 0 || y >= SIDE || x < 0 || x >= SIDE) continue;
        const place = SIDE * y + x;
        known[place] = this.stroke === "erase" ? lab.UNKNOWN : Math.max(known[place], token);
      }
      board.settings = { ...board.settings, known };
      board.clear();
    }

    /** Ends a stroke: the model draws around what is there. */
    lift() {
      if (this.stroke === null) return;
      this.stroke = null;
      this.change({});
    }

    change(changes) {
      const drawn = this.board.change(changes);
      const { settings } = this.board;
      this.showLabel(settings.model);
      const said = lab.writeAddress(settings);
      if (this.hasAddress && (said || location.hash)) history.replaceState(null, "", `#${said}`);
      return drawn;
    }

    /** Follows an address that was typed or gone back to. */
    readAddress() {
      const settings = lab.readAddress(location.hash);
      if (lab.writeAddress(settings) !== lab.writeAddress(this.board.settings)) {
        this.board.change(settings);
      }
    }

    save() {
      const link = element("a", { download: `seed-${this.board.settings.seed}.png` });
      link.href = this.board.canvas.toDataURL("image/png");
      link.click();
    }

    async copy(text, done) {
      try {
        await navigator.clipboard.writeText(text);
        this.say(done);
      } catch {
        this.say("This browser does not let a page copy. The text is in the window that opened.");
        prompt("Copy this:", text);
      }
    }
  }

  lab.DrawPart = DrawPart;
}
