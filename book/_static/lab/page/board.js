"use strict";
// A board: a picture that a model draws, and all that is known of each of its pixels.
{
  const lab = (globalThis.PixelLab ??= {});
  const SIDE = 28;
  const NUM_PIXELS = SIDE * SIDE;

  lab.MODELS = {
    "post-mlp-k16": "the post's network: 10 pixels before",
    "neighbourhood-mlp-k16": "the neighbourhood: 24 pixels nearby",
    "pixelcnn-k16": "PixelCNN: all pixels before",
    "pixelcnn-cond-k16": "PixelCNN, asked for a digit",
  };
  lab.CONDITIONAL = new Set(["pixelcnn-cond-k16"]); // those of them that are asked for a digit
  lab.SPEEDS = { "one by one": 20, normal: 200, "as fast as it can": 1e6 }; // pixels a second
  lab.SHOWN = {
    digit: "the digit",
    chance: "probability of each drawn token (white is 1)",
    entropy: "entropy (white is the largest possible)",
  };

  /** Draws what the settings say, and shows it. */
  class Board {
    /**
     * @param {string} name - what a screen reader calls the picture
     * @param {Settings} settings - as in address.js
     * @param {Object} heard
     * @param {Function} heard.onChange - called whenever the picture has changed
     * @param {Function} heard.onState - called with what is going on, in a few words
     */
    constructor(name, settings, { onChange = () => {}, onState = () => {} } = {}) {
      Object.assign(this, { settings, onChange, onState, model: null, failure: null });
      this.here = -1; // the pixel that is pointed at
      this.shown = "digit"; // a name in lab.SHOWN
      this.canvas = lab.element("canvas", { className: "lab-canvas", "aria-label": name });
      this.canvas.setAttribute("role", "img");
      this.picture = new lab.Picture(this.canvas);
      this.player = new lab.Player(
        (drawn) => this.take(drawn),
        () => this.tell(),
      );
      this.player.pixelsPerSecond = lab.SPEEDS.normal;
      this.numDrawn = 0;
      this.distributions = new Array(NUM_PIXELS).fill(null);
    }

    /** @returns {?Drawing} what is being drawn; null while there is nothing to go on with */
    get drawing() {
      return this.player.drawing;
    }

    /** Forgets what was drawn, and shows that. */
    clear() {
      this.numDrawn = 0;
      this.distributions = new Array(NUM_PIXELS).fill(null);
      this.player.take(null);
      this.show();
    }

    /** Takes other settings, and draws from the first pixel on. */
    change(changes) {
      this.settings = { ...this.settings, ...changes };
      return this.restart();
    }

    /**
     * Draws from the first pixel on.
     * @param {string} [how] - "play", "pause", or "hurry": show it when it is complete, which is
     *   what those get who asked for less motion
     */
    async restart(how = isCalm() ? "hurry" : "play") {
      const { settings } = this;
      this.failure = null;
      this.clear();
      this.onState("Loading the model.");
      const stored = lab.isLoaded(settings.model) ? null : lab.storedDrawing(settings);
      if (stored) this.begin(stored, how); // something is there at once
      try {
        this.model = await lab.fetchModel(settings.model);
      } catch {
        if (settings === this.settings) this.fail();
        return;
      }
      if (settings !== this.settings) return; // changed while the weights were loading
      if (stored) this.player.follow(this.newDrawing());
      else this.begin(this.newDrawing(), how);
    }

    /** Says that the model is missing; what is stored stays. */
    fail() {
      this.failure = "The model could not be loaded. Check your connection, then draw again.";
      this.tell();
    }

    begin(drawing, how) {
      this.player.take(drawing);
      if (how !== "pause") this.player.play(how === "hurry");
      this.tell();
    }

    /** @returns {Drawing} an empty page for the settings */
    newDrawing() {
      const { seed, known, temperature, topK, topP, label } = this.settings;
      const options = { seed, known, temperature, topK: topK < 16 ? topK : null };
      options.topP = topP < 1 ? topP : null;
      if (this.model.numClasses !== null) options.labels = [label];
      return lab.drawings(this.model, 1, options)[0];
    }

    /** @returns {boolean} whether there is nothing to go on with */
    get isAtEnd() {
      return this.drawing === null || this.drawing.isDone;
    }

    /** Plays, pauses, or begins again where the picture is complete. */
    toggle() {
      if (this.player.isPlaying) this.player.pause();
      else if (this.isAtEnd) this.restart("play");
      else {
        this.player.play();
        this.tell();
      }
    }

    async step(count) {
      if (this.isAtEnd) await this.restart("pause");
      if (this.drawing !== null) this.player.step(count);
    }

    /** @param {Object[]} drawn - results of `Drawing.advance` */
    take(drawn) {
      for (const { pixel, probabilities } of drawn) {
        this.distributions[pixel] = probabilities;
        this.numDrawn = Math.max(this.numDrawn, pixel + 1);
      }
      const isHidden = this.player.isHurried && !this.drawing.isDone;
      if (drawn.length > 0 && !isHidden) this.show();
    }

    /** Says what is going on, and where the reader expects too much. */
    tell() {
      if (this.failure !== null) this.onState(this.failure);
      else if (this.drawing === null) return;
      else if (this.drawing.isDone) this.onState("Complete.");
      else if (!this.player.isPlaying) this.onState("Paused.");
      else if (this.hasKnownAhead()) {
        this.onState("Drawing. The model cannot see your strokes further down yet.");
      } else this.onState("Drawing.");
    }

    hasKnownAhead() {
      return this.settings.known.subarray(this.numDrawn).some((token) => token !== lab.UNKNOWN);
    }

    show() {
      this.picture.show(this.shades(), { seen: this.sight(), here: this.here });
      this.onChange();
    }

    /** @param {number} pixel - the one to point at, or -1 */
    point(pixel) {
      if (pixel === this.here) return;
      this.here = pixel;
      this.show();
    }

    /** @returns {?Uint8Array} (784,) 1 where the model can see from the pixel that is pointed at */
    sight() {
      if (this.here < 0 || this.model === null) return null;
      return this.model.receptiveField(Math.floor(this.here / SIDE), this.here % SIDE);
    }

    /** @returns {string} the picture without marks, as the address of a PNG */
    asPng() {
      this.picture.show(this.shades(), { seen: null, here: -1 });
      const address = this.canvas.toDataURL("image/png");
      this.show();
      return address;
    }

    /** @returns {boolean} whether the pixel was given, not drawn */
    isKnown(pixel) {
      return this.settings.known[pixel] !== lab.UNKNOWN;
    }

    tokenAt(pixel) {
      return this.isKnown(pixel) ? this.settings.known[pixel] : (this.drawing?.tokens[pixel] ?? 0);
    }

    /** @returns {number[]} (784,) what the picture shows, 0 to 1; -1 where nothing is drawn */
    shades() {
      return this.distributions.map((probabilities, pixel) => {
        const token = this.tokenAt(pixel);
        if (this.shown === "digit") {
          const isThere = pixel < this.numDrawn || this.isKnown(pixel);
          return isThere ? lab.dequantize(token, 16) : -1;
        }
        if (probabilities === null) return -1;
        return this.shown === "chance"
          ? probabilities[token]
          : lab.entropy(probabilities) / lab.log(16);
      });
    }

    /** @returns {string} what is known of the pixel that is pointed at */
    inWords() {
      const { here } = this;
      if (here < 0) return "Point at a pixel, and see what the model thought there.";
      return lab.inWords({
        pixel: here,
        token: this.tokenAt(here),
        isKnown: this.isKnown(here),
        probabilities: this.distributions[here],
        reach: this.sight()?.reduce((sum, one) => sum + one, 0) ?? null,
      });
    }

    /** @returns {string} the Python that draws the same picture */
    inPython() {
      const { model, seed, temperature, topK, topP, label, known } = this.settings;
      const options = [`generator=torch.Generator().manual_seed(${seed})`];
      if (temperature !== 1) options.push(`temperature=${temperature}`);
      if (topK < 16) options.push(`top_k=${topK}`);
      if (topP < 1) options.push(`top_p=${topP}`);
      if (this.model?.numClasses) options.push(`labels=torch.tensor([${label}])`);
      const lines = ["import torch", "from pixelar_lib import plotting, quantization, sampling, zoo"];
      if (known.some((token) => token !== lab.UNKNOWN)) {
        lines.push(`known = torch.tensor([${[...known]}]).view(28, 28)`);
        options.push("known=known");
      }
      lines.push(`model = zoo.load_pretrained("${model}")`);
      lines.push(`tokens = sampling.sample(model, 1, ${options.join(", ")})`);
      lines.push(`plotting.image_grid(quantization.dequantize(tokens, 16), "seed ${seed}")`);
      return `${lines.join("\n")}\n`;
    }
  }

  /** @returns {boolean} whether the reader asked for less motion */
  function isCalm() {
    return matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  lab.Board = Board;
}
