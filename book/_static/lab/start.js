"use strict";
// The one script that a page names. It loads the others, in their order, and sets up every place
// that asks for the lab: <div class="pixel-lab"> with a still picture inside.
{
  const lab = (globalThis.PixelLab ??= {});
  const FILES = [
    ...["math", "rng", "checks", "context", "linear", "weights", "window_model"],
    ...["pixelcnn_predictor", "pixelcnn", "models", "next_token", "sampler", "digits"],
    ...["address", "dom", "bars", "picture", "player", "board", "curve"],
    ...["windows", "gradients", "adam", "train", "evaluation"],
    ...["part_draw", "part_compare", "part_tones", "part_train"],
  ];
  const BASE = new URL(".", document.currentScript.src);

  /** @returns {Promise<void>} when a classic script below this folder has run */
  function loadScript(path) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = new URL(path, BASE).href;
      script.async = false;
      script.onload = () => resolve();
      script.onerror = () => reject(new Error(`${path} cannot be loaded.`));
      document.head.append(script);
    });
  }

  const loading = new Map();

  /** @returns {Promise<Object>} the model of that name, its weights loaded once */
  function fetchModel(name) {
    if (!loading.has(name)) {
      const loaded = loadScript(`weights/${name}.js`).then(() => lab.loadModel(name));
      loaded.catch(() => loading.delete(name)); // so that one can try again
      loading.set(name, loaded);
    }
    return loading.get(name);
  }

  /** @returns {Promise<void>} when lab.digits has the split of that name */
  function fetchDigits(split) {
    return lab.digits?.[split] ? Promise.resolve() : loadScript(`digits/${split}.js`);
  }

  /** Sets up the places on this page; where that fails, the still picture stays. */
  async function start() {
    const places = [...document.querySelectorAll(".pixel-lab")];
    if (places.length === 0) return;
    const style = document.createElement("link");
    Object.assign(style, { rel: "stylesheet", href: new URL("lab.css", BASE).href });
    document.head.append(style);
    try {
      await Promise.all(FILES.map((file) => loadScript(`${file}.js`)));
      const parts = { compare: lab.ComparePart, tones: lab.TonesPart, train: lab.TrainPart };
      for (const place of places) new (parts[place.dataset.part] ?? lab.DrawPart)(place);
    } catch (error) {
      console.error(error);
      for (const place of places) place.dataset.failed = error.message;
    }
  }

  Object.assign(lab, { fetchDigits, fetchModel });
  start();
}
