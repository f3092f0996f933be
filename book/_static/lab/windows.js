"use strict";
// Windows of many images, equal ones once: most windows are blank, and all blank ones are equal.
{
  const lab = (globalThis.PixelLab ??= {});

  /**
   * @typedef {Object} Windows
   * @property {Uint16Array[]} distinct - (U,) windows of (C,) tokens, all different
   * @property {Float64Array[]} counts - (U,) how often each token followed each of them, (K,)
   * @property {number} total - how many windows there were
   */

  /** Finds windows and what followed them. */
  class WindowReader {
    /**
     * @param {Uint8Array} tokens - (N H W,) images, one after the other
     * @param {Object} options
     * @param {number} options.numBins - K
     * @param {Context} options.context - C pixels
     * @param {number} [options.height] - H
     * @param {number} [options.width] - W
     */
    constructor(tokens, { numBins, context, height = 28, width = 28 }) {
      const size = height * width;
      if (!tokens.length || tokens.length % size) {
        throw new RangeError(
          `${tokens.length} tokens are no whole number of images of ${height} x ${width}.`,
        );
      }
      lab.checkTokens(tokens, 0, tokens.length, numBins);
      Object.assign(this, { tokens, numBins, size, length: context.offsets.length });
      this.positions = lab.positions(context, height, width); // (H W, C)
    }

    /**
     * @param {number} place - an image's number times H W, plus a pixel's flat index
     * @returns {Uint16Array} (C,) the window of that pixel
     */
    window(place) {
      const pixel = place % this.size;
      const window = new Uint16Array(this.length);
      for (let i = 0; i < this.length; i++) {
        const position = this.positions[pixel * this.length + i];
        const isOutside = position === lab.OUTSIDE;
        window[i] = isOutside ? this.numBins : this.tokens[place - pixel + position];
      }
      return window;
    }

    /**
     * @param {Iterable<number>} [places] - default: all pixels of all images
     * @returns {Windows}
     */
    read(places = this.tokens.keys()) {
      const [distinct, counts, known] = [[], [], new Map()];
      let total = 0;
      for (const place of places) {
        const window = this.window(place);
        const key = String.fromCharCode(...window);
        let index = known.get(key);
        if (index === undefined) {
          index = distinct.length;
          known.set(key, index);
          distinct.push(window);
          counts.push(new Float64Array(this.numBins));
        }
        counts[index][this.tokens[place]] += 1;
        total += 1;
      }
      return { distinct, counts, total };
    }
  }

  lab.WindowReader = WindowReader;
}
