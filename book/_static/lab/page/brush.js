"use strict";
// The brush: what a stroke leaves of ink, and what the eraser takes away.
{
  const lab = (globalThis.PixelLab ??= {});
  const SIDE = 28;
  const BRUSH = [[0, 0, 15], [-1, 0, 9], [1, 0, 9], [0, -1, 9], [0, 1, 9]]; // rows, columns, token

  /**
   * @param {Int16Array} known - (784,) tokens, -1 where nothing is given
   * @param {number} from - flat index of the pixel where the line begins
   * @param {number} to - and where it ends
   * @param {boolean} isEraser - whether to take away what is given there
   * @returns {Int16Array} (784,) a copy with the line
   */
  function painted(known, from, to, isEraser) {
    const changed = known.slice();
    const [y0, x0, y1, x1] = [from, to].flatMap((p) => [Math.floor(p / SIDE), p % SIDE]);
    const steps = Math.max(Math.abs(y1 - y0), Math.abs(x1 - x0), 1);
    for (let i = 0; i <= steps; i++) {
      const [row, column] = [y0 + ((y1 - y0) * i) / steps, x0 + ((x1 - x0) * i) / steps];
      dab(changed, Math.round(row), Math.round(column), isEraser);
    }
    return changed;
  }

  /** Puts the brush down at one place. */
  function dab(known, row, column, isEraser) {
    for (const [down, right, token] of BRUSH) {
      const [y, x] = [row + down, column + right];
      if (y < 0 || y >= SIDE || x < 0 || x >= SIDE) continue;
      const place = SIDE * y + x;
      known[place] = isEraser ? lab.UNKNOWN : Math.max(known[place], token);
    }
  }

  lab.painted = painted;
}
