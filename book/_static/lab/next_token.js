"use strict";
// From the logits of one pixel to its token: temperature, top-k, nucleus, and the draw. The same as
// pixelar_lib.next_token, in double precision.
{
  const lab = (globalThis.PixelLab ??= {});
  const TINY = 1.1754943508222875e-38; // the smallest normal float32, where torch stops, too
  const NEGLIGIBLE = 1e-5; // a probability that moves no border by more than that

  /**
   * @typedef {Object} Distribution
   * @property {Float64Array} probabilities - (K,), summing to 1
   * @property {number} margin - how clear it was which tokens to keep: near 0, another rounding
   *   could have kept another one; Infinity if all were
   */

  /**
   * @param {Float64Array} logits - (K,)
   * @param {Object} [options]
   * @param {number} [options.temperature] - divides the logits; 0 means the (first) largest
   * @param {?number} [options.topK] - keep the k likeliest tokens only, 1 to K
   * @param {?number} [options.topP] - keep the fewest tokens that together have this probability
   * @returns {Distribution} what is drawn from
   */
  function nextTokenDistribution(logits, { temperature = 1, topK = null, topP = null } = {}) {
    checkTruncation(temperature, topK, topP, logits.length);
    if (!logits.every(Number.isFinite)) throw new RangeError("the logits are not finite.");
    if (temperature === 0) return keepLikeliest(softmax(logits, 1), 1);
    let found = { probabilities: softmax(logits, temperature), margin: Infinity };
    if (topK !== null) found = keepLikeliest(found.probabilities, topK);
    if (topP === null) return found;
    const nucleus = keepNucleus(found.probabilities, topP);
    return { ...nucleus, margin: Math.min(nucleus.margin, found.margin) };
  }

  /** @returns {Float64Array} (K,) probabilities in proportion to exp(logits / temperature) */
  function softmax(logits, temperature) {
    const largest = logits.reduce((a, b) => Math.max(a, b));
    const divisor = Math.max(temperature, TINY);
    return normalized(logits.map((logit) => lab.exp((logit - largest) / divisor)));
  }

  /** @returns {Float64Array} the same numbers, divided by their sum */
  function normalized(numbers) {
    const sum = numbers.reduce((a, b) => a + b);
    return numbers.map((number) => number / sum);
  }

  /** @returns {number[]} the tokens, likeliest first; equal ones in their order */
  function likeliestFirst(probabilities) {
    return [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  }

  /** @returns {Distribution} that of the `count` likeliest tokens alone */
  function keepLikeliest(probabilities, count) {
    const order = likeliestFirst(probabilities);
    const kept = new Float64Array(probabilities.length);
    for (const token of order.slice(0, count)) kept[token] = probabilities[token];
    const [last, dropped] = [probabilities[order[count - 1]], probabilities[order[count]] ?? 0];
    const isClear = dropped === 0 || last < NEGLIGIBLE;
    return { probabilities: normalized(kept), margin: isClear ? Infinity : 1 - dropped / last };
  }

  /** @returns {Distribution} that of the fewest tokens that have the probability topP */
  function keepNucleus(probabilities, topP) {
    const order = likeliestFirst(probabilities);
    let [count, before, margin] = [0, 0, Infinity]; // before: what the likelier tokens have
    for (const token of order) {
      if (probabilities[token] >= NEGLIGIBLE) margin = Math.min(margin, Math.abs(before - topP));
      if (before >= Math.max(topP, TINY)) break;
      before += probabilities[token];
      count += 1;
    }
    const found = keepLikeliest(probabilities, count);
    return { ...found, margin: Math.min(margin, found.margin) };
  }

  /**
   * Draws the first token whose cumulative probability exceeds a uniform number.
   * @param {Float64Array} probabilities - (K,), summing to 1
   * @param {number} uniform - 0 to below 1
   * @returns {{token: number, margin: number}} never a token of probability 0; and how far the
   *   uniform number is from the nearest border to another token
   */
  function draw(probabilities, uniform) {
    let [token, below, cumulative] = [0, 0, 0];
    for (const [place, probability] of probabilities.entries()) {
      if (probability === 0) continue;
      [token, below, cumulative] = [place, cumulative, cumulative + probability];
      if (cumulative > uniform) break;
    }
    const isFirst = below === 0;
    const isLast = probabilities.subarray(token + 1).every((probability) => probability === 0);
    const down = isFirst ? Infinity : Math.abs(uniform - below);
    const up = isLast ? Infinity : Math.abs(cumulative - uniform);
    return { token, margin: Math.min(down, up) };
  }

  /**
   * @param {Float64Array} probabilities - (K,)
   * @returns {number} their entropy in nats
   */
  function entropy(probabilities) {
    let sum = 0;
    for (const probability of probabilities) {
      if (probability > 0) sum += probability * lab.log(probability);
    }
    return 0 - sum;
  }

  /** Throws unless these options of nextTokenDistribution fit K tokens. */
  function checkTruncation(temperature, topK, topP, numBins) {
    if (!(temperature >= 0 && temperature < Infinity)) {
      throw new RangeError(
        `temperature is ${String(temperature)}; it must be a number of at least 0 ` +
          "(0 means: always the likeliest token).",
      );
    }
    if (topK !== null) lab.checkInteger("topK", topK, 1, numBins);
    if (topP !== null && !(topP > 0 && topP <= 1)) {
      throw new RangeError(`topP is ${String(topP)}; it must be above 0 and at most 1.`);
    }
  }

  Object.assign(lab, { checkTruncation, draw, entropy, nextTokenDistribution });
}
