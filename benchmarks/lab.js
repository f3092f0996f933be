"use strict";
// How fast the Pixel Lab is without a page: node benchmarks/lab.js
//
// Seconds are those of the processor, so that other programs do not count.
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const FOLDER = path.join(__dirname, "..", "book", "_static", "lab");
const GOAL = 0.51; // nats per pixel: what the post's recipe reaches
const MOST_SECONDS = 120;

/** Loads the scripts of a folder below the lab's. */
function load(folder) {
  for (const file of fs.readdirSync(path.join(FOLDER, folder))) {
    const script = path.join(FOLDER, folder, file);
    if (file.endsWith(".js")) vm.runInThisContext(fs.readFileSync(script, "utf8"));
  }
}

/** Returns how many milliseconds of the processor something took. */
function milliseconds(action) {
  const before = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Times the building of a model, whole images, and the longest piece of work among them. */
function timeDrawing(lab, name) {
  let predictor = null;
  const label = lab.weights[name].numClasses === null ? null : 7;
  const building = milliseconds(() => (predictor = lab.loadModel(name).predictor({ label })));
  let longest = 0;
  const images = [1, 2, 3, 4, 5].map((seed) => {
    const drawing = new lab.Drawing(predictor, { noise: new lab.Generator(seed).uniforms(784) });
    return milliseconds(() => {
      while (!drawing.isDone) {
        longest = Math.max(longest, milliseconds(() => drawing.prepare() || drawing.advance()));
      }
    });
  });
  const times = images.map((time) => time.toFixed(0)).join(", ");
  console.log(`${name}: built in ${building.toFixed(0)} ms; images in ${times} ms;`);
  console.log(`  the longest piece of work took ${longest.toFixed(1)} ms`);
}

/** Times the training of a network with a window until it reaches the goal. */
function timeTraining(lab, name, context) {
  const train = lab.readDigits(lab.digits.train);
  const heldOut = lab.readDigits(lab.digits.held_out);
  const shape = lab.shapeFor(context);
  const windows = new lab.WindowReader(heldOut, shape).read();
  const training = new lab.Training(train, shape);
  let [spent, longest, loss] = [0, 0, Infinity];
  while (loss > GOAL && spent < 1000 * MOST_SECONDS) {
    for (let i = 0; i < 50; i++) {
      const step = milliseconds(() => training.step());
      [spent, longest] = [spent + step, Math.max(longest, step)];
    }
    const evaluation = new lab.Evaluation(training.model(), windows);
    while (!evaluation.isDone) evaluation.advance();
    loss = evaluation.loss;
  }
  const [count, seconds] = [lab.numParameters(shape), (spent / 1000).toFixed(1)];
  console.log(`training ${name}, ${count} parameters: ${loss.toFixed(3)} nats per pixel after`);
  console.log(`  ${training.steps} steps, ${seconds} s; the longest took ${longest.toFixed(1)} ms`);
}

["", "weights", "digits"].forEach(load);
const lab = globalThis.PixelLab;
Object.keys(lab.weights).forEach((name) => timeDrawing(lab, name));
timeTraining(lab, "a neighbourhood of radius 2", lab.neighbourhood(2));
timeTraining(lab, "the post's ten pixels", lab.raster(10));
