"use strict";
// From a weights script to a model.
{
  const lab = (globalThis.PixelLab ??= {});

  /**
   * @param {string} name - of a weights script that was loaded
   * @returns {WindowModel|PixelCNN} the model; all offer numBins, numClasses, predictor(options)
   *   and receptiveField(row, column)
   */
  function loadModel(name) {
    const entry = lab.weights?.[name];
    if (entry === undefined) {
      const there = Object.keys(lab.weights ?? {}).join(", ") || "none";
      throw new Error(`weights/${name}.js is not loaded; loaded models: ${there}.`);
    }
    const Model = { WindowModel: lab.WindowModel, PixelCNN: lab.PixelCNN }[entry.model];
    return new Model(entry, lab.readWeights(entry));
  }

  lab.loadModel = loadModel;
}
