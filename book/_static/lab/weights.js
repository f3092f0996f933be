"use strict";
// Weights as scripts bring them: base64 of float16 numbers, little-endian, tensor after tensor.
{
  const lab = (globalThis.PixelLab ??= {});
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);

  /**
   * @param {string} text - base64
   * @returns {Uint8Array} what it stands for
   */
  function decodeBase64(text) {
    const letters = atob(text);
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
    return bytes;
  }

  /**
   * @param {number} half - the 16 bits of a finite float16
   * @returns {number} its value
   */
  function decodeHalf(half) {
    const sign = half & 0x8000 ? -1 : 1;
    const rest = half & 0x7fff; // exponent and fraction
    if (rest < 0x400) return (sign * rest) / 0x1000000; // subnormal, or zero
    bits[0] = (rest + 0x1c000) << 13; // the exponent's bias is 15 there, 127 in a float32
    return sign * float[0];
  }

  /**
   * @param {{shapes: Object<string, number[]>, data: string}} entry - from a weights script
   * @returns {Object<string, Float64Array>} each tensor's numbers by name, its last axis fastest
   */
  function readWeights({ shapes, data }) {
    const bytes = decodeBase64(data);
    const tensors = {};
    let at = 0;
    for (const [name, shape] of Object.entries(shapes)) {
      const count = shape.reduce((product, side) => product * side, 1);
      tensors[name] = new Float64Array(count);
      for (let i = 0; i < count; i++, at += 2) {
        tensors[name][i] = decodeHalf(bytes[at] | (bytes[at + 1] << 8));
      }
    }
    if (at !== bytes.length) {
      throw new Error(`the shapes need ${at} bytes of weights, but there are ${bytes.length}.`);
    }
    return tensors;
  }

  Object.assign(lab, { decodeBase64, decodeHalf, readWeights });
}
