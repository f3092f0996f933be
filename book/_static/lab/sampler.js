"use strict";
// Draws images pixel by pixel from any model, as pixelar_lib.sampling does: one uniform number a
// pixel decides, and a known pixel uses its number up, too.
{
  const lab = (globalThis.PixelLab ??= {});
  const UNKNOWN = -1; // marks in `known` the pixels to draw

  /** An image that grows: `advance` draws one pixel. */
  class Drawing {
    /**
     * @param {WindowPredictor|PixelCNNPredictor} predictor - of an image of H x W
     * @param {Object} options
     * @param {ArrayLike<number>} options.noise - (H W,) uniform numbers, 0 to below 1
     * @param {?ArrayLike<number>} [options.known] - (H W,) tokens to keep, -1 where to draw
     * @param {number} [options.temperature]
     * @param {?number} [options.topK]
     * @param {?number} [options.topP] - these three as for nextTokenDistribution
     */
    constructor(predictor, { noise, known = null, temperature = 1, topK = null, topP = null }) {
      const { height, width, model } = predictor;
      const numPixels = height * width;
      lab.checkSize(noise, height, width);
      lab.checkTruncation(temperature, topK, topP, model.numBins);
      this.predictor = predictor;
      this.noise = noise;
      this.known = known ?? new Int16Array(numPixels).fill(UNKNOWN);
      lab.checkKnown(this.known, height, width, model.numBins);
      this.choice = { temperature, topK, topP };
      this.tokens = new Uint8Array(numPixels);
      this.chosenProbability = new Float64Array(numPixels);
      this.entropy = new Float64Array(numPixels); // nats
      this.pixel = 0; // the next to draw
    }

    /** @returns {boolean} whether all pixels are drawn */
    get isDone() {
      return this.pixel === this.tokens.length;
    }

    /**
     * Does one small piece of the work that the next `advance` needs beforehand.
     * @returns {boolean} whether there was any
     */
    prepare() {
      return !this.isDone && this.predictor.prepare(this.tokens, this.pixel);
    }

    /**
     * Draws the next pixel, or takes over a known one.
     * @returns {{pixel: number, token: number, isKnown: boolean, probabilities: Float64Array,
     *   margin: number}} with the distribution that was drawn from, (K,); a margin near 0 says that
     *   another rounding could have chosen another token
     */
    advance() {
      if (this.isDone) throw new Error("the image is complete; make a new Drawing.");
      const { pixel } = this;
      const logits = this.predictor.logits(this.tokens, pixel);
      const { probabilities, margin } = lab.nextTokenDistribution(logits, this.choice);
      const isKnown = this.known[pixel] !== UNKNOWN;
      const drawn = lab.draw(probabilities, this.noise[pixel]);
      const token = isKnown ? this.known[pixel] : drawn.token;
      this.tokens[pixel] = token;
      this.chosenProbability[pixel] = probabilities[token];
      this.entropy[pixel] = lab.entropy(probabilities);
      this.pixel += 1;
      const clear = isKnown ? Infinity : Math.min(margin, drawn.margin);
      return { pixel, token, isKnown, probabilities, margin: clear };
    }
  }

  /**
   * Makes the drawings of some images, which share one stream of random numbers as in
   * `sample(model, num_images, generator=seeded_generator(seed))`.
   * @param {WindowModel|PixelCNN} model
   * @param {number} numImages - N, at least 1
   * @param {Object} [options] - those of Drawing, except the noise, and these:
   * @param {number|bigint} [options.seed]
   * @param {?ArrayLike<number>} [options.known] - (H W,) for all images, or (N H W,)
   * @param {?number[]} [options.labels] - (N,) for a conditional model
   * @param {number} [options.height] - H
   * @param {number} [options.width] - W
   * @returns {Drawing[]} (N,), each with its own predictor
   */
  function drawings(model, numImages, options = {}) {
    const { seed = 0, known = null, labels = null, height = 28, width = 28, ...choice } = options;
    lab.checkInteger("the number of images", numImages, 1);
    if (labels !== null && labels.length !== numImages) {
      throw new RangeError(`there are ${labels.length} labels for ${numImages} images.`);
    }
    const size = height * width;
    const isShared = known === null || known.length === size;
    if (!isShared && known.length !== numImages * size) lab.checkSize(known, height, width);
    const noise = new lab.Generator(seed).uniforms(numImages * size);
    return Array.from({ length: numImages }, (_, image) => {
      const [from, to] = [image * size, (image + 1) * size];
      const label = labels === null ? null : labels[image];
      const ownKnown = isShared ? known : known.slice(from, to);
      const own = { noise: noise.subarray(from, to), known: ownKnown };
      return new Drawing(model.predictor({ height, width, label }), { ...choice, ...own });
    });
  }

  /**
   * Draws images in one go.
   * @param {WindowModel|PixelCNN} model
   * @param {number} numImages - N
   * @param {Object} [options] - as for `drawings`
   * @returns {Drawing[]} (N,) complete: each has tokens, chosenProbability and entropy, (H W,)
   */
  function sample(model, numImages, options = {}) {
    const complete = drawings(model, numImages, options);
    for (const drawing of complete) while (!drawing.isDone) drawing.advance();
    return complete;
  }

  Object.assign(lab, { UNKNOWN, Drawing, drawings, sample });
}
