"use strict";
// PixelCNN: a vertical stack over the rows above, a horizontal one over the pixels to the left.
{
  const lab = (globalThis.PixelLab ??= {});

  /** The network of pixelar_lib.models.PixelCNN, as it predicts. */
  class PixelCNN {
    /**
     * @param {Object} architecture
     * @param {number} architecture.numBins - K
     * @param {?number} architecture.numClasses - number of labels, or null
     * @param {number} architecture.channels - C, the width of both stacks
     * @param {number[]} architecture.dilations - one a block
     * @param {Object<string, Float64Array>} weights - by torch's names
     */
    constructor({ numBins, numClasses = null, channels, dilations }, weights) {
      Object.assign(this, { numBins, numClasses, channels });
      this.labels = weights["label_embedding.weight"]; // (labels, 2 C (1 + blocks)), or undefined
      const linear = (name) => ({
        weight: weights[`${name}.weight`],
        bias: weights[`${name}.bias`],
      });
      const convolution = (name, offsets) => ({
        offsets,
        matrices: matricesOf(weights[`${name}.weight`], channels),
        bias: weights[`${name}.bias`],
      });
      const reading = (name, offsets) => {
        const { matrices, bias } = convolution(name, offsets);
        const table = lab.lookupTable(weights["embedding.weight"], matrices, channels);
        return { offsets, table, bias };
      };
      this.vertical = reading("vertical", grid([-3, -2, -1], [-2, -1, 0, 1, 2]));
      this.horizontal = reading("horizontal", grid([0], [-3, -2, -1]));
      this.link = linear("link");
      this.blocks = dilations.map((d, i) => ({
        vertical: convolution(`blocks.${i}.vertical`, grid([-d, 0], [-2 * d, -d, 0, d, 2 * d])),
        horizontal: convolution(`blocks.${i}.horizontal`, grid([0], [-2 * d, -d, 0])),
        link: linear(`blocks.${i}.link`),
        mix: linear(`blocks.${i}.mix`),
      }));
      this.head = [linear("head.1"), linear("head.3")];
    }

    /**
     * @param {number} place - 0 for the first layers, 1 + i for block i
     * @param {?number} label
     * @returns {{vertical: Float64Array, horizontal: Float64Array}} what the label adds to both
     *   stacks there, (C,) each; zeros without labels
     */
    labelTerms(place, label) {
      const { channels } = this;
      const from = 2 * channels * ((1 + this.blocks.length) * label + place);
      const all = label === null ? new Float64Array(2 * channels) : this.labels.subarray(from);
      return {
        vertical: all.subarray(0, channels),
        horizontal: all.subarray(channels, 2 * channels),
      };
    }

    /**
     * @param {Object} [options]
     * @param {number} [options.height] - H
     * @param {number} [options.width] - W
     * @param {?number} [options.label] - for a conditional model
     * @returns {PixelCNNPredictor} predicts the pixels of an image
     */
    predictor({ height = 28, width = 28, label = null } = {}) {
      return new lab.PixelCNNPredictor(this, height, width, label);
    }

    /**
     * Goes from the prediction back through the layers, and marks the places that count.
     * @param {number} row
     * @param {number} column
     * @param {number} [height] - H
     * @param {number} [width] - W
     * @returns {Uint8Array} (H W,) 1 where the prediction for (row, column) may depend on a pixel
     */
    receptiveField(row, column, height = 28, width = 28) {
      lab.checkInteger("the row", row, 0, height - 1);
      lab.checkInteger("the column", column, 0, width - 1);
      let horizontal = new Uint8Array(height * width);
      let vertical = new Uint8Array(height * width);
      horizontal[row * width + column] = 1;
      for (const block of [...this.blocks].reverse()) {
        vertical = seenFrom(either(vertical, horizontal), block.vertical.offsets, width);
        horizontal = seenFrom(horizontal, block.horizontal.offsets, width);
      }
      const above = seenFrom(either(vertical, horizontal), this.vertical.offsets, width);
      return either(above, seenFrom(horizontal, this.horizontal.offsets, width));
    }
  }

  /** @returns {number[][]} the offsets [rows, columns] of a convolution, in reading order */
  function grid(rows, columns) {
    return rows.flatMap((up) => columns.map((aside) => [up, aside]));
  }

  /**
   * @param {Float64Array} weight - (C, C, rows, columns), a convolution's
   * @param {number} channels - C
   * @returns {Float64Array[]} for each place that it sees, in reading order, its matrix (C, C)
   */
  function matricesOf(weight, channels) {
    const count = weight.length / channels / channels;
    return Array.from({ length: count }, (_, place) => {
      const matrix = new Float64Array(channels * channels);
      for (let i = 0; i < matrix.length; i++) matrix[i] = weight[i * count + place];
      return matrix;
    });
  }

  /** @returns {Uint8Array} 1 where either of two fields has it */
  function either(one, other) {
    return one.map((mark, place) => mark | other[place]);
  }

  /** @returns {Uint8Array} (H W,) the places at one of the offsets from a marked one */
  function seenFrom(marked, offsets, width) {
    const field = new Uint8Array(marked.length);
    marked.forEach((mark, place) => {
      if (!mark) return;
      for (const [up, aside] of offsets) {
        const column = (place % width) + aside;
        const seen = place + up * width + aside;
        if (column >= 0 && column < width && seen >= 0) field[seen] = 1;
      }
    });
    return field;
  }

  lab.PixelCNN = PixelCNN;
}
