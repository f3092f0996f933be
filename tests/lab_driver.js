"use strict";
// Runs the Pixel Lab in node for the tests: reads a list of jobs from stdin, JSON, and answers in
// the same order. Called with the paths of the scripts to load, in any order.
const fs = require("node:fs");
const vm = require("node:vm");

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
    const tensors = lab.readWeights(lab.weights[name]);
    return Object.fromEntries(Object.entries(tensors).map(([key, x]) => [key, [...x]]));
  },
  // logits of some pixels of one image after the other, with one and the same predictor
  logits({ name, images, pixels, options }) {
    const predictor = model(name).predictor(options);
    return images.map((tokens) =>
      pixels.map((pixel) => [...predictor.logits(Uint8Array.from(tokens), pixel)]),
    );
  },
  fields({ name, places, height, width }) {
    return places.map(([row, column]) => [
      ...model(name).receptiveField(row, column, height, width),
    ]);
  },
  distribution({ logits, options, uniforms }) {
    const { probabilities, margin } = lab.nextTokenDistribution(Float64Array.from(logits), options);
    const drawn = uniforms.map((uniform) => lab.draw(probabilities, uniform));
    return { probabilities: [...probabilities], entropy: lab.entropy(probabilities), margin, drawn };
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
