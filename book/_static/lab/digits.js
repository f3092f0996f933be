"use strict";
// Bundled digits: sixteen grey levels, four bits each, with runs of black and of white shortened.
{
  const lab = (globalThis.PixelLab ??= {});
  const LAST = 15; // white; and, in a run's length, the sign that another number follows

  /**
   * @param {{data: string, count: number}} entry - from a digits script: base64 of four-bit
   *   numbers, two a byte, the first in the high bits. Black (0) and white (15) are followed by how
   *   many more of them come: numbers that are added up as long as they are 15.
   * @returns {Uint8Array} (count 784,) tokens for K = 16
   */
  function readDigits({ data, count }) {
    const bytes = lab.decodeBase64(data);
    const tokens = new Uint8Array(count * 784);
    let at = 0;
    const next = () => (at++ % 2 ? bytes[(at - 1) >> 1] & LAST : bytes[(at - 1) >> 1] >> 4);
    for (let place = 0; place < tokens.length; ) {
      const token = next();
      let length = 1;
      if (token === 0 || token === LAST) {
        let more = LAST;
        while (more === LAST) length += more = next();
      }
      tokens.fill(token, place, (place += length));
    }
    return tokens;
  }

  /**
   * @param {{data: string}} entry - from a digits script: base64 of grey levels, a byte each
   * @returns {Uint8Array} (count 784,) levels 0 to 255
   */
  function readLevels({ data }) {
    return lab.decodeBase64(data);
  }

  /**
   * @param {Uint8Array} levels - grey levels 0 to 255
   * @param {number} numBins - K, 2 to 256
   * @returns {Uint8Array} tokens, floor(level K / 256)
   */
  function quantize(levels, numBins) {
    lab.checkInteger("K", numBins, 2, 256);
    return levels.map((level) => (level * numBins) >> 8);
  }

  /**
   * @param {number} token
   * @param {number} numBins - K
   * @returns {number} the middle of its bin, (token + 1/2) / K, between 0 (black) and 1 (white)
   */
  function dequantize(token, numBins) {
    return (token + 0.5) / numBins;
  }

  Object.assign(lab, { dequantize, quantize, readDigits, readLevels });
}
