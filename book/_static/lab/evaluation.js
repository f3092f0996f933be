"use strict";
// Exact losses in nats per pixel, in slices; and the baselines that a model has to beat.
{
  const lab = (globalThis.PixelLab ??= {});
  const MOST_COUNTS = 2 ** 24;

  /**
   * @param {Float64Array} logits - (K,)
   * @returns {Float64Array} (K,) logarithms of their softmax
   */
  function logSoftmax(logits) {
    const largest = logits.reduce((a, b) => Math.max(a, b));
    const sum = logits.reduce((total, logit) => total + lab.exp(logit - largest), 0);
    const all = largest + lab.log(sum);
    return logits.map((logit) => logit - all);
  }

  /** The loss of a window model on some windows, worked out a few windows at a time. */
  class Evaluation {
    /**
     * @param {WindowModel} model
     * @param {Windows} windows - those of the images to look at, from WindowReader.read
     */
    constructor(model, windows) {
      Object.assign(this, { model, windows, next: 0, sum: 0 });
    }

    /** @returns {boolean} whether all windows were looked at */
    get isDone() {
      return this.next === this.windows.distinct.length;
    }

    /** @param {number} [count] - windows to look at */
    advance(count = 64) {
      const { distinct, counts } = this.windows;
      const end = Math.min(this.next + count, distinct.length);
      for (; this.next < end; this.next++) {
        const logits = this.model.compute(distinct[this.next]);
        const logProbabilities = logSoftmax(logits);
        counts[this.next].forEach((times, token) => {
          if (times) this.sum -= times * logProbabilities[token];
        });
      }
    }

    /** @returns {number} nats per pixel; of all windows once isDone */
    get loss() {
      return this.sum / this.windows.total;
    }
  }

  /**
   * @param {number} numBins - K
   * @returns {number} nats per pixel if every token is as likely as any other
   */
  function uniformLoss(numBins) {
    return lab.log(numBins);
  }

  /**
   * Each pixel has its own distribution, counted over images, as PixelFrequencyBaseline has it.
   * @param {Uint8Array} train - (N size,) tokens to count
   * @param {Uint8Array} heldOut - (M size,) tokens to look at
   * @param {number} numBins - K
   * @param {number} [size] - pixels of an image
   * @param {number} [smoothing] - added to each count
   * @returns {number} nats per pixel on the images held out
   */
  function frequencyLoss(train, heldOut, numBins, size = 784, smoothing = 1) {
    const counts = new Float64Array(size * numBins).fill(smoothing); // (size, K)
    train.forEach((token, place) => (counts[(place % size) * numBins + token] += 1));
    const total = lab.log(train.length / size + numBins * smoothing);
    const logs = counts.map((count) => lab.log(count) - total);
    const gain = (sum, token, place) => sum + logs[(place % size) * numBins + token];
    return -heldOut.reduce(gain, 0) / heldOut.length;
  }

  /**
   * Counts what followed each run of up to k tokens in reading order, as KGramBaseline does: the
   * estimate for a run leans on that for the run without its first token, as if that had been seen
   * `smoothing` times.
   * @param {Uint8Array} train - (N size,) tokens to count
   * @param {Uint8Array} heldOut - (M size,) tokens to look at
   * @param {number} numBins - K
   * @param {number} [k] - length of the longest run
   * @param {number} [size] - pixels of an image
   * @param {number} [smoothing]
   * @returns {number} nats per pixel on the images held out
   */
  function countingLoss(train, heldOut, numBins, k = 3, size = 784, smoothing = 4) {
    const kept = (numBins + 1) ** k * numBins;
    lab.checkInteger("(K + 1)^k K, the counts that are kept,", kept, 1, MOST_COUNTS);
    let probabilities = new Float64Array(heldOut.length).fill(1 / numBins);
    for (let length = 0; length <= k; length++) {
      const { followed, seen } = countRuns(train, numBins, length, size);
      probabilities = probabilities.map((shorter, place) => {
        const run = runBefore(heldOut, place, numBins, length, size);
        const times = followed[run * numBins + heldOut[place]];
        return (times + smoothing * shorter) / (seen[run] + smoothing);
      });
    }
    const sum = probabilities.reduce((total, probability) => total + lab.log(probability), 0);
    return -sum / heldOut.length;
  }

  /** @returns {Object} how often each token followed each run, (runs, K), and each run was seen */
  function countRuns(tokens, numBins, length, size) {
    const seen = new Uint32Array((numBins + 1) ** length);
    const followed = new Uint32Array(seen.length * numBins);
    tokens.forEach((token, place) => {
      const run = runBefore(tokens, place, numBins, length, size);
      seen[run] += 1;
      followed[run * numBins + token] += 1;
    });
    return { followed, seen };
  }

  /** @returns {number} the tokens before a place as one number; K stands before the image */
  function runBefore(tokens, place, numBins, length, size) {
    const pixel = place % size;
    let run = 0;
    for (let back = length; back > 0; back--) {
      run = run * (numBins + 1) + (back > pixel ? numBins : tokens[place - back]);
    }
    return run;
  }

  Object.assign(lab, { Evaluation, countingLoss, frequencyLoss, logSoftmax, uniformLoss });
}
