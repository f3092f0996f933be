"use strict";
// Which earlier pixels a window holds, as pixelar_lib.context has it.
{
  const lab = (globalThis.PixelLab ??= {});
  const OUTSIDE = -1; // marks a place outside the image: the start token stands there

  /**
   * @typedef {Object} Context
   * @property {boolean} wraps - whether a column beside the image means one of the next row
   * @property {number[][]} offsets - [rows, columns] from the pixel to each of the window's
   */

  /**
   * @param {number} length - k, at least 1
   * @returns {Context} the k pixels before, in reading order, wrapping over the end of a row
   */
  function raster(length) {
    lab.checkInteger("k", length, 1);
    return { wraps: true, offsets: Array.from({ length }, (_, i) => [0, i - length]) };
  }

  /**
   * @param {number} radius - r, at least 1
   * @returns {Context} the 2 r (r + 1) pixels before, at most r rows and r columns away
   */
  function neighbourhood(radius) {
    lab.checkInteger("the radius", radius, 1);
    const offsets = [];
    for (let up = -radius; up <= 0; up++) {
      for (let aside = -radius; aside <= radius; aside++) {
        if (up < 0 || aside < 0) offsets.push([up, aside]);
      }
    }
    return { wraps: false, offsets };
  }

  /**
   * @param {Context} context
   * @param {number} height - H
   * @param {number} width - W
   * @returns {Int32Array} (H W, length) the flat index of each pixel of each window, -1 outside
   */
  function positions({ wraps, offsets }, height, width) {
    const table = new Int32Array(height * width * offsets.length);
    let at = 0;
    for (let pixel = 0; pixel < height * width; pixel++) {
      const column = pixel % width;
      for (const [up, aside] of offsets) {
        const inside = wraps || (column + aside >= 0 && column + aside < width);
        table[at++] = inside ? Math.max(pixel + up * width + aside, OUTSIDE) : OUTSIDE;
      }
    }
    return table;
  }

  /**
   * @param {Context} context
   * @param {number} row - of the pixel that is predicted
   * @param {number} column
   * @param {number} [height] - H
   * @param {number} [width] - W
   * @returns {Uint8Array} (H W,) 1 where a pixel lies in the window
   */
  function windowField(context, row, column, height = 28, width = 28) {
    lab.checkInteger("the row", row, 0, height - 1);
    lab.checkInteger("the column", column, 0, width - 1);
    const field = new Uint8Array(height * width);
    const length = context.offsets.length;
    const from = (row * width + column) * length;
    const window = positions(context, height, width).subarray(from, from + length);
    for (const place of window) if (place !== OUTSIDE) field[place] = 1;
    return field;
  }

  Object.assign(lab, { OUTSIDE, raster, neighbourhood, positions, windowField });
}
