"use strict";
// The loss of the post's network on some windows, and its gradient by each weight.
{
  const lab = (globalThis.PixelLab ??= {});

  /**
   * Runs the network forwards and backwards. The first layer reads embeddings, so both ways it is
   * a table with a row for each place and token: what a token adds, and what the loss makes of it.
   * @param {Object<string, Float64Array>} weights - by torch's names, as WindowModel takes them
   * @param {Windows} windows - of (C,) tokens, K classes
   * @returns {{loss: number, gradients: Object<string, Float64Array>}} mean cross-entropy in nats,
   *   and its gradients, with the names and shapes of the weights
   */
  function lossAndGradients(weights, { distinct, counts, total }) {
    const numBins = counts[0].length;
    const context = { wraps: false, offsets: Array.from(distinct[0], () => [0, -1]) }; // C counts
    const model = new lab.WindowModel({ numBins, context }, weights);
    const gradients = Object.fromEntries(
      Object.entries(weights).map(([name, values]) => [name, new Float64Array(values.length)]),
    );
    const slopes = new Float64Array(model.table.length); // of the table, (C, V, H)
    let loss = 0;
    distinct.forEach((window, i) => {
      loss += throughWindow(model, gradients, slopes, window, counts[i], total);
    });
    tableBackward(weights, gradients, slopes, model);
    return { loss, gradients };
  }

  /** Adds a window's gradients, weighted by how often it occurs; returns its share of the loss. */
  function throughWindow(model, gradients, slopes, window, counts, total) {
    const named = (place) => ({
      weight: gradients[`layers.${place}.weight`],
      bias: gradients[`layers.${place}.bias`],
    });
    const first = model.firstHidden(window); // (H,)
    const second = lab.relu(lab.linear(first, model.second)); // (H,)
    const logits = lab.linear(second, model.last); // (K,)
    const { loss, slope } = crossEntropy(logits, counts, total);
    const bySecond = lab.linearBackward(slope, model.last, named(6), second);
    const byFirst = lab.linearBackward(bySecond, model.second, named(3), first);
    lab.add(gradients["layers.0.bias"], 0, byFirst, 0, byFirst.length);
    window.forEach((token, place) => {
      lab.add(slopes, model.tableRow(place, token), byFirst, 0, byFirst.length);
    });
    return loss;
  }

  /**
   * @param {Float64Array} logits - (K,)
   * @param {Float64Array} counts - (K,) how often each token followed
   * @param {number} total - what the loss is divided by
   * @returns {{loss: number, slope: Float64Array}} cross-entropy, and its gradient by the logits
   */
  function crossEntropy(logits, counts, total) {
    const logProbabilities = lab.logSoftmax(logits);
    const occurrences = counts.reduce((a, b) => a + b);
    const slope = new Float64Array(logits.length);
    let loss = 0;
    for (let k = 0; k < logits.length; k++) {
      if (counts[k]) loss -= (counts[k] * logProbabilities[k]) / total;
      slope[k] = (occurrences * lab.exp(logProbabilities[k]) - counts[k]) / total;
    }
    return { loss, slope };
  }

  /** Goes back from the first layer's table to its weight and to the embeddings. */
  function tableBackward(weights, gradients, slopes, { numValues, windowLength, firstBias }) {
    const [embedding, weight] = [weights["embedding.weight"], weights["layers.0.weight"]];
    const [byEmbedding, byWeight] = [gradients["embedding.weight"], gradients["layers.0.weight"]];
    const [size, rows] = [embedding.length / numValues, firstBias.length]; // E, H
    for (let place = 0; place < windowLength; place++) {
      for (let value = 0; value < numValues; value++) {
        for (let row = 0; row < rows; row++) {
          const slope = slopes[(place * numValues + value) * rows + row];
          if (slope === 0) continue;
          const at = (row * windowLength + place) * size;
          for (let i = 0; i < size; i++) {
            byWeight[at + i] += slope * embedding[value * size + i];
            byEmbedding[value * size + i] += slope * weight[at + i];
          }
        }
      }
    }
  }

  lab.lossAndGradients = lossAndGradients;
}
