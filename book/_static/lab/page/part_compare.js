"use strict";
// Two boards with the same random numbers side by side.
{
  const lab = (globalThis.PixelLab ??= {});
  const { button, choice, element, named, nextButton, numberField, slider } = lab;
  const SIDES = ["Left", "Right"];

  /** Two models, or one at two temperatures, under the same seed. */
  class ComparePart {
    /**
     * @param {HTMLElement} place - holds a still picture, which this replaces. `data-models` and
     *   `data-temperatures` have two words each: what the boards begin with.
     */
    constructor(place) {
      const { models = "neighbourhood-mlp-k16 pixelcnn-k16", temperatures = "1 1" } = place.dataset;
      const warmths = temperatures.split(" ").map(Number);
      const usual = lab.defaults();
      this.status = element("p", { className: "lab-status", role: "status" });
      this.states = ["", ""];
      this.playButton = button("Pause", () => this.toggle());
      this.boards = models.split(" ").map((model, index) => {
        const settings = { ...usual, model, temperature: warmths[index] };
        const onState = (state) => this.say(index, state);
        return new lab.Board(`${SIDES[index]} picture`, settings, { onState });
      });
      this.seed = numberField(usual.seed, 0, 2 ** 32 - 1, (seed) => this.begin(seed));
      place.classList.add("lab-compare");
      place.replaceChildren(
        ...this.boards.map((board, index) => this.column(board, SIDES[index])),
        element(
          "div",
          { className: "lab-row" },
          named("Seed", this.seed),
          nextButton(() => this.begin((this.boards[0].settings.seed + 1) % 2 ** 32)),
          this.playButton,
          button("One row", () => this.boards.forEach((board) => board.step(28))),
          this.status,
        ),
      );
      this.begin(usual.seed);
    }

    column(board, side) {
      const { model, temperature, label } = board.settings;
      const change = (changes) => board.change(changes);
      const asked = named("Draw me a", slider(label, [0, 9, 1], (value) => change({ label: value })));
      asked.hidden = !lab.CONDITIONAL.has(model);
      const models = choice(Object.entries(lab.MODELS), model, (name) => {
        asked.hidden = !lab.CONDITIONAL.has(name);
        change({ model: name });
      });
      return element(
        "div",
        { className: "lab-left", role: "group", "aria-label": `${side} picture` },
        board.canvas,
        named("Model", models),
        asked,
        named("Temperature", slider(temperature, [0, 2, 0.1], (value) => change({ temperature: value }))),
      );
    }

    begin(seed) {
      this.seed.value = seed;
      for (const board of this.boards) board.change({ seed });
    }

    /** @returns {boolean} whether one of them is drawing */
    get isPlaying() {
      return this.boards.some((board) => board.player.isPlaying);
    }

    /** Lets both pause, or both go on; complete ones begin again where both are complete. */
    toggle() {
      if (this.isPlaying) for (const board of this.boards) board.player.pause();
      else {
        const areComplete = this.boards.every((board) => board.isAtEnd);
        for (const board of this.boards) if (areComplete || !board.isAtEnd) board.toggle();
      }
    }

    say(index, state) {
      this.states[index] = state;
      if (this.boards === undefined) return;
      this.playButton.textContent = this.isPlaying ? "Pause" : "Play";
      const [left, right] = this.states;
      this.status.textContent = left === right ? left : `Left: ${left} Right: ${right}`;
    }
  }

  lab.ComparePart = ComparePart;
}
