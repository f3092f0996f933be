"use strict";
// The picture: a canvas that shows an image, and what was pointed at.
{
  const lab = (globalThis.PixelLab ??= {});
  const SIDE = 28;
  const CELL = 16; // canvas pixels a side; the page scales them
  const ARROWS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -SIDE, ArrowDown: SIDE };
  const INK = { seen: "rgba(230, 159, 0, 0.75)", here: "#56b4e9" };

  /** Shows 28 x 28 shades, dots on some pixels, and a square on one. */
  class Picture {
    /** @param {HTMLCanvasElement} canvas */
    constructor(canvas) {
      this.canvas = canvas;
      canvas.width = canvas.height = SIDE * CELL;
      this.context = canvas.getContext("2d");
    }

    /**
     * @param {ArrayLike<number>} shades - (784,) 0 for black to 1 for white, below 0 for not drawn
     * @param {Object} marks
     * @param {?ArrayLike<boolean>} marks.seen - (784,) pixels that get a dot
     * @param {number} marks.here - pixel that gets the square, or -1
     */
    show(shades, { seen, here }) {
      const { context } = this;
      for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
        const shade = shades[pixel];
        const level = Math.round(255 * Math.max(shade, 0));
        context.fillStyle = shade < 0 ? "#2b2f36" : `rgb(${level}, ${level}, ${level})`;
        context.fillRect(...this.corner(pixel), CELL, CELL);
      }
      for (let pixel = 0; seen && pixel < SIDE * SIDE; pixel++) {
        if (seen[pixel]) this.dot(pixel);
      }
      if (here >= 0) this.square(here);
    }

    /** @returns {number[]} where a pixel begins on the canvas */
    corner(pixel) {
      return [CELL * (pixel % SIDE), CELL * Math.floor(pixel / SIDE)];
    }

    dot(pixel) {
      const [left, top] = this.corner(pixel);
      this.context.fillStyle = INK.seen;
      this.context.beginPath();
      this.context.arc(left + CELL / 2, top + CELL / 2, CELL / 5, 0, 2 * Math.PI);
      this.context.fill();
    }

    square(pixel) {
      const [left, top] = this.corner(pixel);
      for (const [colour, width] of [["#000000", 5], [INK.here, 3]]) {
        Object.assign(this.context, { strokeStyle: colour, lineWidth: width });
        this.context.strokeRect(left + 1, top + 1, CELL - 2, CELL - 2);
      }
    }

    /** @returns {number} the pixel under a pointer event, or -1 outside */
    pixelAt(event) {
      const box = this.canvas.getBoundingClientRect();
      const column = Math.floor((SIDE * (event.clientX - box.left)) / box.width);
      const row = Math.floor((SIDE * (event.clientY - box.top)) / box.height);
      const isInside = row >= 0 && row < SIDE && column >= 0 && column < SIDE;
      return isInside ? SIDE * row + column : -1;
    }
  }

  /**
   * @param {number} pixel - flat index, or -1: none yet
   * @param {string} key - as keyboard events name it
   * @returns {?number} the pixel that an arrow key leads to; null for another key
   */
  function pixelByKey(pixel, key) {
    if (!Object.hasOwn(ARROWS, key)) return null;
    const next = pixel < 0 ? 0 : pixel + ARROWS[key];
    return next >= 0 && next < SIDE * SIDE ? next : pixel;
  }

  Object.assign(lab, { Picture, pixelByKey });
}
