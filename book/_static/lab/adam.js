"use strict";
// Adam (Kingma and Ba, 2015), as torch.optim.Adam has it without weight decay.
{
  const lab = (globalThis.PixelLab ??= {});
  const [KEEP_MEAN, KEEP_SQUARE, EPSILON] = [0.9, 0.999, 1e-8];

  /** Changes weights step by step against their gradients. */
  class Adam {
    /** @param {Object<string, Float64Array>} weights - by name; `step` writes to them */
    constructor(weights) {
      const zeros = () =>
        Object.fromEntries(
          Object.entries(weights).map(([name, values]) => [name, new Float64Array(values.length)]),
        );
      Object.assign(this, { weights, means: zeros(), squares: zeros() });
      this.meanDecay = 1; // KEEP_MEAN to the number of steps
      this.squareDecay = 1;
    }

    /**
     * @param {Object<string, Float64Array>} gradients - with the weights' names and shapes
     * @param {number} learningRate
     */
    step(gradients, learningRate) {
      this.meanDecay *= KEEP_MEAN;
      this.squareDecay *= KEEP_SQUARE;
      const rate = learningRate / (1 - this.meanDecay);
      const scale = Math.sqrt(1 - this.squareDecay);
      for (const [name, values] of Object.entries(this.weights)) {
        const [gradient, mean, square] = [gradients[name], this.means[name], this.squares[name]];
        for (let i = 0; i < values.length; i++) {
          mean[i] += (1 - KEEP_MEAN) * (gradient[i] - mean[i]);
          square[i] = KEEP_SQUARE * square[i] + (1 - KEEP_SQUARE) * gradient[i] * gradient[i];
          values[i] -= (rate * mean[i]) / (Math.sqrt(square[i]) / scale + EPSILON);
        }
      }
    }
  }

  lab.Adam = Adam;
}
