"use strict";
// exp and log from additions, multiplications and divisions, which every engine rounds alike.
// Math.exp and Math.log may differ from browser to browser in the last bits.
{
  const lab = (globalThis.PixelLab ??= {});
  const LOG_2_HIGH = 0.6931471803691238; // ends in zeros: its products with exponents are exact
  const LOG_2_LOW = 1.9082149292705877e-10;
  const SQRT_2 = 1.4142135623730951;
  const LARGEST = 709.782712893384; // exp of more is infinite
  const SMALLEST = -745.1332191019412; // exp of less is 0
  const bits = new DataView(new ArrayBuffer(8));

  /**
   * @param {number} exponent - an integer, -1022 to 1023
   * @returns {number} 2^exponent
   */
  function powerOfTwo(exponent) {
    bits.setUint32(0, (exponent + 1023) << 20);
    bits.setUint32(4, 0);
    return bits.getFloat64(0);
  }

  /**
   * With n = round(x / log 2) and r = x - n log 2, exp(x) = 2^n exp(r), and a Taylor polynomial of
   * degree 13 gives exp(r) for |r| <= log(2) / 2.
   * @param {number} x - any number
   * @returns {number} exp(x), to the last two bits of a double
   */
  function exp(x) {
    if (x !== x) return x;
    if (x > LARGEST) return Infinity;
    if (x < SMALLEST) return 0;
    const n = Math.floor(x * 1.4426950408889634 + 0.5);
    const r = x - n * LOG_2_HIGH - n * LOG_2_LOW;
    let sum = 1;
    for (let k = 13; k > 0; k--) sum = 1 + (sum * r) / k;
    const half = n >> 1; // in two steps, since 2^1024 overflows, and so that subnormals are reached
    return sum * powerOfTwo(half) * powerOfTwo(n - half);
  }

  /**
   * With x = 2^n m and s = (m - 1) / (m + 1), log(x) = n log 2 + 2 (s + s^3 / 3 + s^5 / 5 + ...)
   * for m from sqrt(1/2) to sqrt(2).
   * @param {number} x - at least 0
   * @returns {number} log(x), to the last two bits of a double; -Infinity for 0
   */
  function log(x) {
    if (!(x > 0)) return x === 0 ? -Infinity : NaN;
    if (x === Infinity) return x;
    if (x < 2.2250738585072014e-308) return log(x * 0x40000000000000) - 54 * 0.6931471805599453;
    bits.setFloat64(0, x);
    let n = (bits.getUint32(0) >>> 20) - 1023;
    let m = x * powerOfTwo(-(n >> 1)) * powerOfTwo((n >> 1) - n); // 1 to below 2
    if (m > SQRT_2) [m, n] = [m / 2, n + 1];
    const s = (m - 1) / (m + 1);
    let sum = 0;
    for (let k = 21; k > 1; k -= 2) sum = (sum + 1 / k) * s * s;
    return n * LOG_2_HIGH + (n * LOG_2_LOW + 2 * s * sum + 2 * s);
  }

  Object.assign(lab, { exp, log });
}
