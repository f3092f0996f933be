"use strict";
// The post's network: a window of tokens, their embeddings, two hidden layers, one logit a token.
{
  const lab = (globalThis.PixelLab ??= {});
  const KEPT = 8192; // windows whose logits are kept; more than a few digits have

  /** Predicts a pixel from a window of earlier tokens, as CategoricalPixelPredictor does. */
  class WindowModel {
    /**
     * @param {Object} architecture
     * @param {number} architecture.numBins - K
     * @param {?number} architecture.numClasses - number of labels, or null
     * @param {Context} architecture.context - C pixels
     * @param {Object<string, Float64Array>} weights - by torch's names: embedding.weight (V, E),
     *   layers.0 from C E (and E for a label) to H, layers.3 from H to H, layers.6 from H to K
     */
    constructor({ numBins, numClasses = null, context }, weights) {
      Object.assign(this, { numBins, numClasses, context });
      this.numValues = numBins + 1 + (numClasses ?? 0); // tokens, start, labels
      this.windowLength = context.offsets.length + (numClasses === null ? 0 : 1);
      const layer = (place) => ({
        weight: weights[`layers.${place}.weight`],
        bias: weights[`layers.${place}.bias`],
      });
      this.second = layer(3);
      this.last = layer(6);
      this.firstBias = weights["layers.0.bias"]; // (H,)
      this.table = this.firstTable(weights["embedding.weight"], weights["layers.0.weight"]);
      this.known = new Map();
    }

    /** @returns {Float64Array} (window length, V, H) what each token adds at each place */
    firstTable(embedding, weight) {
      const size = embedding.length / this.numValues; // E
      const width = this.windowLength * size; // of a row of the weight
      const matrices = Array.from({ length: this.windowLength }, (_, place) => {
        const matrix = new Float64Array(this.firstBias.length * size); // (H, E)
        for (let i = 0; i < matrix.length; i++) {
          matrix[i] = weight[Math.floor(i / size) * width + place * size + (i % size)];
        }
        return matrix;
      });
      return lab.lookupTable(embedding, matrices, size);
    }

    /**
     * @param {ArrayLike<number>} window - (window length,) tokens 0 to K, where K is the start
     *   token, and last K + 1 + label if there are labels
     * @returns {Float64Array} (K,) logits; do not write to them
     */
    predictWindow(window) {
      const key = String.fromCharCode(...window);
      let logits = this.known.get(key);
      if (logits === undefined) {
        if (this.known.size === KEPT) this.known.clear();
        this.known.set(key, (logits = this.compute(window)));
      }
      return logits;
    }

    /** @returns {Float64Array} (K,) logits of a window, as predictWindow, computed anew */
    compute(window) {
      const second = lab.relu(lab.linear(this.firstHidden(window), this.second));
      return lab.linear(second, this.last);
    }

    /** @returns {Float64Array} (H,) the first hidden layer: a sum of rows of the table */
    firstHidden(window) {
      const hidden = this.firstBias.slice();
      for (let place = 0; place < window.length; place++) {
        lab.add(hidden, 0, this.table, this.tableRow(place, window[place]), hidden.length);
      }
      return lab.relu(hidden);
    }

    /** @returns {number} where the table's row of a token begins, (H,) */
    tableRow(place, token) {
      return (place * this.numValues + token) * this.firstBias.length;
    }

    /**
     * @param {Object} [options]
     * @param {number} [options.height] - H
     * @param {number} [options.width] - W
     * @param {?number} [options.label] - for a conditional model
     * @returns {WindowPredictor} predicts the pixels of an image
     */
    predictor({ height = 28, width = 28, label = null } = {}) {
      return new WindowPredictor(this, height, width, label);
    }

    /**
     * @param {number} row
     * @param {number} column
     * @param {number} [height] - H
     * @param {number} [width] - W
     * @returns {Uint8Array} (H W,) 1 where a pixel lies in the window of (row, column)
     */
    receptiveField(row, column, height = 28, width = 28) {
      return lab.windowField(this.context, row, column, height, width);
    }
  }

  /** Predicts the pixels of an image. What it offers, all models' predictors offer. */
  class WindowPredictor {
    constructor(model, height, width, label) {
      lab.checkInteger("the height", height, 1);
      lab.checkInteger("the width", width, 1);
      lab.checkLabel(label, model.numClasses);
      Object.assign(this, { model, height, width });
      this.positions = lab.positions(model.context, height, width);
      this.window = new Uint16Array(model.windowLength);
      if (label !== null) this.window[model.windowLength - 1] = model.numBins + 1 + label;
    }

    /**
     * Does one small piece of the work that `logits` of the same arguments needs beforehand.
     * @returns {boolean} whether there was any: here, there never is
     */
    prepare() {
      return false;
    }

    /**
     * @param {Uint8Array} tokens - (H W,) those before the pixel are read
     * @param {number} pixel - flat index
     * @returns {Float64Array} (K,) logits of that pixel; do not write to them
     */
    logits(tokens, pixel) {
      const { model, positions, window } = this;
      lab.checkSize(tokens, this.height, this.width);
      lab.checkInteger("the pixel", pixel, 0, tokens.length - 1);
      const length = model.context.offsets.length;
      for (let i = 0; i < length; i++) {
        const place = positions[pixel * length + i];
        if (place !== lab.OUTSIDE) lab.checkTokens(tokens, place, place + 1, model.numBins);
        window[i] = place === lab.OUTSIDE ? model.numBins : tokens[place];
      }
      return model.predictWindow(window);
    }
  }

  lab.WindowModel = WindowModel;
}
