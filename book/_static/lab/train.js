"use strict";
// Trains a small network of the post's kind in slices: one call of `step` is one step.
{
  const lab = (globalThis.PixelLab ??= {});
  const WARM_UP = 50; // steps over which the learning rate rises

  /**
   * @typedef {Object} Shape
   * @property {number} numBins - K
   * @property {Context} context - C pixels
   * @property {number} embeddingDim - E
   * @property {number} hiddenSize - H, the width of both hidden layers
   */

  /**
   * @param {Context} context - C pixels
   * @param {number} [numBins] - K
   * @param {number} [embeddingDim] - E
   * @param {number} [budget] - parameters
   * @returns {Shape} of the widest network with no more parameters than that
   */
  function shapeFor(context, numBins = 16, embeddingDim = 8, budget = 20000) {
    const shape = { numBins, context, embeddingDim, hiddenSize: 1 };
    while (numParameters({ ...shape, hiddenSize: shape.hiddenSize + 1 }) <= budget) {
      shape.hiddenSize += 1;
    }
    return shape;
  }

  /** @returns {Object<string, number[]>} the shapes of a network's weights, by torch's names */
  function weightShapes({ numBins, context, embeddingDim, hiddenSize }) {
    return {
      "embedding.weight": [numBins + 1, embeddingDim],
      "layers.0.weight": [hiddenSize, context.offsets.length * embeddingDim],
      "layers.0.bias": [hiddenSize],
      "layers.3.weight": [hiddenSize, hiddenSize],
      "layers.3.bias": [hiddenSize],
      "layers.6.weight": [numBins, hiddenSize],
      "layers.6.bias": [numBins],
    };
  }

  /** @returns {number} how many numbers training can change */
  function numParameters(shape) {
    const sizes = Object.values(weightShapes(shape)).map(([rows, columns = 1]) => rows * columns);
    return sizes.reduce((a, b) => a + b);
  }

  /**
   * @param {Shape} shape
   * @param {Generator} generator
   * @returns {Object<string, Float64Array>} random weights: embeddings of variance 1, and layers
   *   within 1 / sqrt(inputs) of 0, as torch begins
   */
  function initialWeights(shape, generator) {
    let inputs = 1;
    const entries = Object.entries(weightShapes(shape)).map(([name, [rows, columns = 1]]) => {
      if (name.endsWith(".weight")) inputs = columns;
      const reach = name.startsWith("embedding") ? Math.sqrt(3) : 1 / Math.sqrt(inputs);
      const values = new Float64Array(rows * columns);
      return [name, values.map(() => reach * (2 * generator.uniform() - 1))];
    });
    return Object.fromEntries(entries);
  }

  /** A network in training. */
  class Training {
    /**
     * @param {Uint8Array} tokens - (N 784,) the images to learn from
     * @param {Shape} shape - of the network
     * @param {Object} [options]
     * @param {number} [options.batchSize] - windows of a step
     * @param {number} [options.learningRate] - at its highest
     * @param {number} [options.halfTime] - steps after which the learning rate is half of that
     * @param {number|bigint} [options.seed]
     */
    constructor(tokens, shape, options = {}) {
      const { batchSize = 256, learningRate = 4e-3, halfTime = 1000, seed = 0 } = options;
      lab.checkInteger("the number of windows", batchSize, 1);
      Object.assign(this, { shape, batchSize, learningRate, halfTime });
      this.reader = new lab.WindowReader(tokens, shape);
      this.generator = new lab.Generator(seed);
      this.weights = initialWeights(shape, this.generator);
      this.adam = new lab.Adam(this.weights);
      this.steps = 0;
    }

    /**
     * Draws windows and changes the weights once.
     * @returns {number} the loss on these windows before, nats per pixel
     */
    step() {
      const places = Array.from({ length: this.batchSize }, () =>
        Math.floor(this.generator.uniform() * this.reader.tokens.length),
      );
      const { loss, gradients } = lab.lossAndGradients(this.weights, this.reader.read(places));
      this.steps += 1;
      this.adam.step(gradients, this.currentRate());
      return loss;
    }

    /** @returns {number} the learning rate: it rises linearly, then falls as 1 / (1 + t) does */
    currentRate() {
      const rise = Math.min(1, this.steps / WARM_UP);
      return (rise * this.learningRate) / (1 + this.steps / this.halfTime);
    }

    /** @returns {WindowModel} the network as it is now; further steps do not change it */
    model() {
      const copies = Object.entries(this.weights).map(([name, x]) => [name, x.slice()]);
      return new lab.WindowModel(this.shape, Object.fromEntries(copies));
    }
  }

  Object.assign(lab, { Training, initialWeights, numParameters, shapeFor });
}
