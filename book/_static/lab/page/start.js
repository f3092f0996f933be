"use strict";
// The one script that a page names. It loads the others, in their order, and sets up every place
// that asks for the lab: <div class="pixel-lab"> with a still picture inside.
{
  const lab = (globalThis.PixelLab ??= {});
  const ENGINE = [
    ...["math", "rng", "checks", "context", "linear", "weights", "window_model"],
    ...["pixelcnn_predictor", "pixelcnn", "models", "next_token", "sampler", "digits"],
    ...["windows", "gradients", "adam", "train", "evaluation"],
  ];
  const PAGE = [
    ...["address", "dom", "bars", "picture", "brush", "stored", "player", "board", "sharing", "curve"],
    ...["part_draw", "part_compare", "part_tones", "part_train", "part_sight"],
  ];
  const MOMENT = 300; // milliseconds: who scrolls past a lab need not load its weights
  const FILES = [...ENGINE, "stored/pixelcnn-k16", ...PAGE.map((name) => `page/${name}`)];
  const BASE = new URL("..", document.currentScript.src);
  lab.PAGE = new URL("../../book/lab.html", BASE).href; // where a link to a drawing leads

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

  lab.parts = []; // those on this page, in the order in which they came into view
  const loading = new Map();
  const loaded = new Set();

  /** @returns {boolean} whether the model of that name is there at once */
  function isLoaded(name) {
    return loaded.has(name);
  }

  /** @returns {Promise<Object>} the model of that name, its weights loaded once */
  function fetchModel(name) {
    if (!loading.has(name)) {
      const model = loadScript(`weights/${name}.js`).then(() => lab.loadModel(name));
      model.then(
        () => loaded.add(name),
        () => loading.delete(name), // so that one can try again
      );
      loading.set(name, model);
    }
    return loading.get(name);
  }

  /** @returns {Promise<void>} when lab.digits has the split of that name */
  function fetchDigits(split) {
    return lab.digits?.[split] ? Promise.resolve() : loadScript(`digits/${split}.js`);
  }

  /** Sets up the places on this page, each when it has been in view for a moment. */
  function start() {
    const places = [...document.querySelectorAll(".pixel-lab")];
    if (places.length === 0) return;
    const timers = new Map();
    let scripts = null; // loaded when the first place comes near
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          clearTimeout(timers.get(target));
          if (!isIntersecting) continue;
          scripts ??= Promise.all(FILES.map((file) => loadScript(`${file}.js`)));
          timers.set(target, setTimeout(come, MOMENT, target));
        }
      },
      { rootMargin: "200px" },
    );
    const come = (place) => {
      observer.unobserve(place);
      scripts.then(() => mount(place)).catch((error) => console.error(error));
    };
    for (const place of places) observer.observe(place);
  }

  /** Puts the part of the lab in place that the page asks for; if it fails, the picture stays. */
  function mount(place) {
    const { ComparePart: compare, SightPart: sight, TonesPart: tones, TrainPart: train } = lab;
    const parts = { compare, sight, tones, train };
    const Part = parts[place.dataset.part] ?? lab.DrawPart;
    const still = [...place.childNodes];
    try {
      lab.parts.push(new Part(place));
    } catch (error) {
      place.replaceChildren(...still);
      throw error;
    }
  }

  Object.assign(lab, { fetchDigits, fetchModel, isLoaded });
  start();
}
