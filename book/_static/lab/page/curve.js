"use strict";
// A curve of losses over time, with the losses to beat as lines.
{
  const lab = (globalThis.PixelLab ??= {});
  const SVG = "http://www.w3.org/2000/svg";
  const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [360, 230, 40, 14, 44];
  const TOP_LOSS = 3; // nats per pixel

  /** @returns {SVGElement} */
  function svgElement(tag, attributes, text = "") {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.textContent = text;
    return made;
  }

  /** Losses on an axis of powers of ten, from 0.3 to 3 nats per pixel. */
  class Curve {
    constructor() {
      const viewBox = `0 0 ${WIDTH} ${HEIGHT}`;
      this.svg = svgElement("svg", { viewBox, class: "lab-curve", role: "img" });
      this.svg.setAttribute("aria-label", "The loss over time. The words beside it say the newest.");
      this.levels = {};
      this.clear();
    }

    clear() {
      this.points = [];
      this.show();
    }

    /** @param {number} seconds - since the start; @param {number} loss - nats per pixel */
    add(seconds, loss) {
      this.points.push([seconds, loss]);
      this.show();
    }

    /** @returns {number} how many seconds the axis has */
    get latest() {
      return Math.max(20, ...this.points.map(([seconds]) => Math.ceil(seconds / 10) * 10));
    }

    place([seconds, loss]) {
      const x = LEFT + ((WIDTH - LEFT - 12) * seconds) / this.latest;
      const share = Math.log10(Math.max(loss, 0.3) / 0.3) / Math.log10(TOP_LOSS / 0.3);
      const y = TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.min(share, 1));
      return [x, y].map((number) => number.toFixed(1));
    }

    show() {
      const times = [0, this.latest / 2, this.latest].map((seconds) => {
        const at = { x: this.place([seconds, 1])[0], y: HEIGHT - 24, class: "lab-time" };
        return svgElement("text", at, String(seconds));
      });
      const lines = [0.3, 0.5, 1, 2].flatMap((loss) => {
        const [, y] = this.place([0, loss]);
        const axis = { x1: LEFT, x2: WIDTH, y1: y, y2: y, class: "lab-grid" };
        const text = svgElement("text", { x: LEFT - 6, y, class: "lab-tick" }, String(loss));
        return [svgElement("line", axis), text];
      });
      const levels = Object.entries(this.levels).flatMap(([name, loss]) => {
        const [, y] = this.place([0, loss]);
        const level = { x1: LEFT, x2: WIDTH, y1: y, y2: y, class: "lab-level" };
        const at = { x: WIDTH - 4, y: y - 3, class: "lab-name" };
        return [svgElement("line", level), svgElement("text", at, `${name} ${loss.toFixed(2)}`)];
      });
      const points = this.points.map((point) => this.place(point).join(",")).join(" ");
      const title = { x: WIDTH, y: HEIGHT - 4, class: "lab-name" };
      this.svg.replaceChildren(
        ...lines,
        ...times,
        ...levels,
        svgElement("polyline", { points, class: "lab-line" }),
        svgElement("text", title, "seconds of training"),
        svgElement("text", { x: 0, y: 10 }, "nats per pixel, on digits held out"),
      );
    }
  }

  lab.Curve = Curve;
}
