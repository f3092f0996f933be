"use strict";
// Errors that say what was given and what is allowed.
{
  const lab = (globalThis.PixelLab ??= {});

  /**
   * @param {string} name - what to call it
   * @param {number} value - should be an integer in the range
   * @param {number} least - the smallest that is allowed
   * @param {number} most - the largest
   */
  function checkInteger(name, value, least, most = Infinity) {
    if (!Number.isInteger(value)) {
      throw new TypeError(`${name} is ${String(value)}; it must be an integer.`);
    }
    if (value < least || value > most) {
      const allowed = most === Infinity ? `at least ${least}` : `${least} to ${most}`;
      throw new RangeError(`${name} is ${value}; it must be ${allowed}.`);
    }
  }

  /**
   * @param {ArrayLike<number>} tokens - should be (H W,)
   * @param {number} height
   * @param {number} width
   */
  function checkSize(tokens, height, width) {
    if (tokens?.length !== height * width) {
      throw new RangeError(
        `an image of ${height} x ${width} has ${height * width} pixels, not ${tokens?.length}.`,
      );
    }
  }

  /**
   * @param {?number} label - should be 0 to numClasses - 1, or null without labels
   * @param {?number} numClasses - null for a model without labels
   */
  function checkLabel(label, numClasses) {
    if (numClasses === null && label !== null) {
      throw new TypeError("this model has no labels; leave the label out.");
    }
    if (numClasses !== null && label === null) {
      throw new TypeError(`this model is conditional: give a label, 0 to ${numClasses - 1}.`);
    }
    if (numClasses !== null) checkInteger("the label", label, 0, numClasses - 1);
  }

  /**
   * @param {ArrayLike<number>} tokens - (H W,)
   * @param {number} from - the first place that is looked at
   * @param {number} to - the place after the last
   * @param {number} numValues - tokens must be below it
   */
  function checkTokens(tokens, from, to, numValues) {
    for (let place = from; place < to; place++) {
      if (!(tokens[place] >= 0 && tokens[place] < numValues)) {
        throw new RangeError(
          `the token at pixel ${place} is ${tokens[place]}; it must be 0 to ${numValues - 1}.`,
        );
      }
    }
  }

  /**
   * @param {ArrayLike<number>} known - should be (H W,) tokens, or -1 where to draw
   * @param {number} height
   * @param {number} width
   * @param {number} numBins - K
   */
  function checkKnown(known, height, width, numBins) {
    checkSize(known, height, width);
    for (let pixel = 0; pixel < known.length; pixel++) {
      const isToken = Number.isInteger(known[pixel]) && known[pixel] >= -1;
      if (!isToken || known[pixel] >= numBins) {
        throw new RangeError(
          `known holds ${known[pixel]} at pixel ${pixel}; it must hold tokens 0 to ` +
            `${numBins - 1}, or -1 where to draw.`,
        );
      }
    }
  }

  Object.assign(lab, { checkInteger, checkKnown, checkLabel, checkSize, checkTokens });
}
