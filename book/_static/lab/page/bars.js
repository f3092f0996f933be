"use strict";
// What a model says of one pixel: a bar for each token, and the same in words.
{
  const lab = (globalThis.PixelLab ??= {});

  /** A bar for each of K tokens. */
  class Bars {
    /**
     * @param {HTMLElement} place - what holds the bars
     * @param {number} numBins - K
     */
    constructor(place, numBins) {
      this.bars = Array.from({ length: numBins }, (_, token) => {
        const bar = document.createElement("span");
        bar.className = "lab-bar";
        bar.dataset.token = token;
        return bar;
      });
      this.place = place;
      this.scale = document.createElement("span");
      this.scale.className = "lab-scale";
      place.replaceChildren(this.scale, ...this.bars);
      place.setAttribute("aria-hidden", "true"); // the words beside them say it
    }

    /**
     * @param {?ArrayLike<number>} probabilities - (K,), or null: nothing is known yet
     * @param {number} chosen - the token that is there
     */
    show(probabilities, chosen) {
      const largest = probabilities === null ? 1 : Math.max(...probabilities);
      this.scale.textContent = probabilities === null ? "" : `tallest bar: ${largest.toFixed(2)}`;
      for (const [token, bar] of this.bars.entries()) {
        const height = probabilities === null ? 0 : probabilities[token] / largest;
        bar.style.setProperty("--height", `${(100 * height).toFixed(1)}%`);
        bar.classList.toggle("lab-chosen", probabilities !== null && token === chosen);
      }
    }
  }

  /**
   * @param {Object} seen - of one pixel
   * @param {number} seen.pixel - flat index
   * @param {number} seen.token - the one that is there
   * @param {boolean} seen.isKnown - whether it was given
   * @param {?ArrayLike<number>} seen.probabilities - (K,), null where nothing is drawn yet
   * @param {?number} seen.reach - how many pixels the model sees from there, null: not known yet
   * @returns {string} a sentence or two
   */
  function inWords({ pixel, token, isKnown, probabilities, reach }) {
    const place = `Row ${Math.floor(pixel / 28)}, column ${pixel % 28}`;
    const sight = reach === null ? "" : `The model sees ${reach} pixel${reach === 1 ? "" : "s"} from here.`;
    if (probabilities === null) return `${place}: not drawn yet. ${sight}`;
    const chance = probabilities[token];
    const surprise = chance > 0 ? `${(-Math.log(chance)).toFixed(2)} nats` : "infinite";
    const entropy = lab.entropy(probabilities).toFixed(2);
    const origin = isKnown ? "given" : "drawn";
    return (
      `${place}: token ${token}, ${origin}. Probability ${chance < 0.001 ? "below 0.001" : chance.toFixed(3)}, ` +
      `surprise ${surprise}, entropy ${entropy} nats. ${sight}`
    );
  }

  Object.assign(lab, { Bars, inWords });
}
