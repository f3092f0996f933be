"use strict";
// What the address says after "#": settings and strokes, read as far as they make sense.
{
  const lab = (globalThis.PixelLab ??= {});
  const NUM_PIXELS = 28 * 28;
  const A = "a".charCodeAt(0); // stands for token 0

  /**
   * @typedef {Object} Settings
   * @property {string} model - a name in lab.MODELS
   * @property {number} label - 0 to 9, for a model that takes one
   * @property {number} seed - 0 to 2^32 - 1
   * @property {number} temperature - 0 to 2
   * @property {number} topK - 1 to 16; 16 keeps all tokens
   * @property {number} topP - 0.05 to 1
   * @property {Int16Array} known - (784,) tokens, -1 where to draw
   */

  /** @returns {Settings} what a page begins with */
  function defaults() {
    const known = new Int16Array(NUM_PIXELS).fill(lab.UNKNOWN);
    return { model: "pixelcnn-k16", label: 7, seed: 0, temperature: 1, topK: 16, topP: 1, known };
  }

  /** @returns {number} the text as a number of the range, to the nearest step, or the fallback */
  function number(text, [least, most, step], fallback) {
    const value = text === null || text.trim() === "" ? NaN : Number(text);
    if (!Number.isFinite(value)) return fallback;
    const inside = Math.min(Math.max(value, least), most);
    return Number((Math.round(inside / step) * step).toFixed(2));
  }

  /**
   * @param {string} hash - what stands in the address from "#" on
   * @param {Settings} [usual] - what holds where the address says nothing
   * @returns {Settings}
   */
  function readAddress(hash, usual = defaults()) {
    const given = new URLSearchParams(hash.replace(/^#/, ""));
    const name = given.get("model");
    return {
      model: Object.hasOwn(lab.MODELS, name) ? name : usual.model,
      label: number(given.get("label"), [0, 9, 1], usual.label),
      seed: number(given.get("seed"), [0, 2 ** 32 - 1, 1], usual.seed),
      temperature: number(given.get("temperature"), [0, 2, 0.1], usual.temperature),
      topK: number(given.get("top-k"), [1, 16, 1], usual.topK),
      topP: number(given.get("top-p"), [0.05, 1, 0.05], usual.topP),
      known: readKnown(given.get("known")) ?? usual.known,
    };
  }

  /** @returns {?Int16Array} (784,) what `writeKnown` wrote; null for anything else */
  function readKnown(text) {
    if (!text || !/^([.a-p]\d{0,3})+$/.test(text)) return null;
    const known = new Int16Array(NUM_PIXELS).fill(lab.UNKNOWN);
    let pixel = 0;
    for (const [, letter, run] of text.matchAll(/([.a-p])(\d*)/g)) {
      const token = letter === "." ? lab.UNKNOWN : letter.charCodeAt(0) - A;
      for (let i = 0; i < Number(run || 1) && pixel < NUM_PIXELS; i++) known[pixel++] = token;
    }
    return known;
  }

  /** @returns {string} runs of equal pixels: ".100f2" is 100 to draw, then two of token 5 */
  function writeKnown(known) {
    const letters = [...known].map((token) =>
      token === lab.UNKNOWN ? "." : String.fromCharCode(A + token),
    );
    return letters.join("").replace(/(.)\1+/g, (run, letter) => letter + run.length);
  }

  /** @returns {string} what follows "#" for these settings; what is as usual is left out */
  function writeAddress(settings, usual = defaults()) {
    const said = new URLSearchParams();
    const names = { model: "model", label: "label", seed: "seed", temperature: "temperature" };
    Object.assign(names, { topK: "top-k", topP: "top-p" });
    for (const [name, word] of Object.entries(names)) {
      if (settings[name] !== usual[name]) said.set(word, settings[name]);
    }
    if (settings.known.some((token) => token !== lab.UNKNOWN)) {
      said.set("known", writeKnown(settings.known));
    }
    return said.toString();
  }

  Object.assign(lab, { defaults, readAddress, writeAddress });
}
