"use strict";
// A drawing that was made before: it plays while the weights of its model are loading.
{
  const lab = (globalThis.PixelLab ??= {});

  /** Goes through stored tokens as a Drawing goes through those that it draws. */
  class StoredDrawing {
    /** @param {Uint8Array} tokens - (H W,) */
    constructor(tokens) {
      Object.assign(this, { tokens, pixel: 0 });
    }

    get isDone() {
      return this.pixel === this.tokens.length;
    }

    prepare() {
      return false;
    }

    advance() {
      const pixel = this.pixel++;
      return { pixel, token: this.tokens[pixel], isKnown: false, probabilities: null };
    }
  }

  /** @returns {?StoredDrawing} what these settings draw, if it is stored */
  function storedDrawing(settings) {
    const stored = lab.stored?.[settings.model];
    const isUsual = lab.writeAddress({ ...settings, seed: lab.defaults().seed }) === "";
    if (stored === undefined || stored.seed !== settings.seed || !isUsual) return null;
    return new StoredDrawing(Uint8Array.from(stored.tokens, (digit) => parseInt(digit, 16)));
  }

  Object.assign(lab, { StoredDrawing, storedDrawing });
}
