"use strict";
// Two boards with the same random numbers side by side.
{
  const lab = (globalThis.PixelLab ??= {});
  const { button, choice, element, named, numberField, slider } = lab;

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
      this.boards = models.split(" ").map((model, index) => {
        const settings = { ...usual, model, temperature: warmths[index] };
        return new lab.Board(`Picture ${index + 1}`, settings);
      });
      this.seed = numberField(usual.seed, 0, 2 ** 32 - 1, (seed) => this.begin(seed));
      place.classList.add("lab-compare");
      place.replaceChildren(
        ...this.boards.map((board) => this.column(board)),
        element(
          "div",
          { className: "lab-row" },
          named("Seed", this.seed),
          button("Another", () => this.begin((this.boards[0].settings.seed + 1) % 2 ** 32)),
          button("Play, pause", () => this.boards.forEach((board) => board.toggle())),
          button("One row", () => this.boards.forEach((board) => board.step(28))),
        ),
      );
      this.begin(usual.seed);
    }

    column(board) {
      const { model, temperature } = board.settings;
      const models = Object.entries(lab.MODELS).filter(([name]) => !lab.CONDITIONAL.has(name));
      return element(
        "div",
        { className: "lab-left" },
        board.canvas,
        named("Model", choice(models, model, (name) => board.change({ model: name }))),
        named("Temperature", slider(temperature, [0, 2, 0.1], (value) => board.change({ temperature: value }))),
      );
    }

    begin(seed) {
      this.seed.value = seed;
      for (const board of this.boards) board.change({ seed });
    }
  }

  lab.ComparePart = ComparePart;
}
