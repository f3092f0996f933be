"use strict";
// Runs the Pixel Lab in node for the tests: reads a list of jobs from stdin, JSON, and answers in
// the same order. Called with the paths of the scripts to load, in any order.
const fs = require("node:fs");
const vm = require("node:vm");

const before = new Set(Object.keys(globalThis));
for (const path of process.argv.slice(2)) {
  vm.runInThisContext(fs.readFileSync(path, "utf8"), { filename: path });
}
const lab = globalThis.PixelLab;
const models = new Map();

/** Returns a model, built once. */
function model(name) {
  if (!models.has(name)) models.set(name, lab.loadModel(name));
  return models.get(name);
}

/** Returns arrays as JSON can hold them. */
function lists(arrays) {
  return Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, [...array]]));
}

/** Returns the loss of a window model, worked out in slices. */
function heldOutLoss(network, windows) {
  const evaluation = new lab.Evaluation(network, windows);
  while (!evaluation.isDone) evaluation.advance();
  return evaluation.loss;
}

const JOBS = {
  define({ name, entry }) {
    (lab.weights ??= {})[name] = entry;
  },
  integers({ seed, count }) {
    const generator = new lab.Generator(typeof seed === "string" ? BigInt(seed) : seed);
    return Array.from({ length: count }, () => generator.uniform() * 2 ** 24);
  },
  call({ name, values }) {
    return values.map(lab[name]).map(String); // text keeps NaN and infinity
  },
  weights({ name }) {
    return lists(lab.readWeights(lab.weights[name]));
  },
  // logits of some pixels of one image after the other, with one and the same predictor
  logits({ name, images, pixels, options }) {
    const predictor = model(name).predictor(options);
    return images.map((tokens) =>
      pixels.map((pixel) => [...predictor.logits(Uint8Array.from(tokens), pixel)]),
    );
  },
  // pieces of work before each pixel, and whether the logits then are those of a new predictor
  pieces({ name, tokens, options }) {
    const image = Uint8Array.from(tokens);
    const predictor = model(name).predictor(options);
    const pieces = [];
    let isEqual = true;
    for (let pixel = 0; pixel < image.length; pixel++) {
      pieces.push(0);
      while (predictor.prepare(image, pixel)) pieces[pixel] += 1;
      const anew = model(name).predictor(options).logits(image, pixel);
      isEqual &&= predictor.logits(image, pixel).every((logit, token) => logit === anew[token]);
    }
    return { pieces, isEqual };
  },
  globals() {
    return Object.keys(globalThis).filter((name) => !before.has(name));
  },
  fields({ name, places, height, width }) {
    return places.map(([row, column]) => [
      ...model(name).receptiveField(row, column, height, width),
    ]);
  },
  distribution({ logits, options, uniforms }) {
    const { probabilities, margin } = lab.nextTokenDistribution(Float64Array.from(logits), options);
    const drawn = uniforms.map((uniform) => lab.draw(probabilities, uniform));
    const entropy = lab.entropy(probabilities);
    return { probabilities: [...probabilities], entropy, margin, drawn };
  },
  // Draws images, goes on from the expected tokens where others were drawn, and tells where.
  draw({ name, numImages = 1, options, expected = [] }) {
    const images = lab.drawings(model(name), numImages, options);
    const others = [];
    let near = 0;
    images.forEach((drawing, image) => {
      while (!drawing.isDone) {
        const { pixel, token, margin } = drawing.advance();
        const wanted = expected[image]?.[pixel] ?? token;
        if (margin < 1e-5) near += 1;
        if (token !== wanted) others.push({ image, pixel, token, wanted, margin });
        drawing.tokens[pixel] = wanted;
      }
    });
    const collect = (key) => images.map((drawing) => [...drawing[key]]);
    const keys = ["tokens", "chosenProbability", "entropy"];
    return { others, near, ...Object.fromEntries(keys.map((key) => [key, collect(key)])) };
  },
  // the losses of some steps on the same windows, the first gradients, and the weights after all
  gradients({ weights, context: [kind, size], rates, numBins, tokens, places }) {
    for (const name in weights) weights[name] = Float64Array.from(weights[name]);
    const options = { numBins, context: lab[kind](size) };
    const windows = new lab.WindowReader(Uint8Array.from(tokens), options).read(places);
    const adam = new lab.Adam(weights);
    const found = rates.map((rate) => {
      const { loss, gradients } = lab.lossAndGradients(weights, windows);
      adam.step(gradients, rate);
      return { loss, gradients: lists(gradients) };
    });
    const losses = found.map(({ loss }) => loss);
    return { losses, gradients: found[0].gradients, weights: lists(weights) };
  },
  losses({ weights, context: [kind, size], numBins, images }) {
    const [train, heldOut] = ["train", "held_out"].map((name, i) =>
      lab.readDigits(lab.digits[name]).subarray(0, images[i] * 784),
    );
    for (const name in weights) weights[name] = Float64Array.from(weights[name]);
    const options = { numBins, context: lab[kind](size) };
    const coarse = heldOut.map((token) => (token * numBins) >> 4);
    const windows = new lab.WindowReader(coarse, options).read();
    return [
      heldOutLoss(new lab.WindowModel(options, weights), windows),
      lab.uniformLoss(16),
      lab.frequencyLoss(train, heldOut, 16),
      lab.countingLoss(train, heldOut, 16, 1),
      lab.countingLoss(train, heldOut, 16),
    ];
  },
  digits({ name }) {
    return { tokens: [...lab.readDigits(lab.digits[name])], labels: lab.digits[name].labels };
  },
  levels({ name, bins }) {
    const levels = lab.readLevels(lab.digits[name]);
    const tokens = bins.map((numBins) => [numBins, [...lab.quantize(levels, numBins)]]);
    const grey = (numBins) => (token) => lab.dequantize(token, numBins);
    const greys = tokens.map(([numBins, all]) => [numBins, all.map(grey(numBins))]);
    const { labels } = lab.digits[name];
    return { labels, tokens: Object.fromEntries(tokens), greys: Object.fromEntries(greys) };
  },
  train({ context: [kind, size], steps, images, seed = 0 }) {
    const shape = lab.shapeFor(lab[kind](size));
    const train = lab.readDigits(lab.digits.train);
    const heldOut = lab.readDigits(lab.digits.held_out).subarray(0, images * 784);
    const training = new lab.Training(train, shape, { seed });
    const losses = Array.from({ length: steps }, () => training.step());
    return {
      losses,
      parameters: lab.numParameters(shape),
      heldOut: heldOutLoss(training.model(), new lab.WindowReader(heldOut, shape).read()),
      frequencies: lab.frequencyLoss(train, heldOut, 16),
    };
  },
  refuse({ name, numImages, options }) {
    lab.sample(model(name), numImages, options);
  },
};

const jobs = JSON.parse(fs.readFileSync(0, "utf8"));
const answers = jobs.map(({ job, ...given }) => {
  try {
    return { result: JOBS[job](given) };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
});
process.stdout.write(JSON.stringify(answers));
