"use strict";
// Elements of a page, and the controls that the parts of the lab share.
{
  const lab = (globalThis.PixelLab ??= {});
  let numRadios = 0; // groups so far: each needs a name of its own

  /**
   * @param {string} tag
   * @param {Object} [attributes] - properties of the element where it has them, else attributes
   * @param {...(Node|string)} children
   * @returns {HTMLElement}
   */
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name in made) made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  /** @returns {HTMLLabelElement} a control with its name in front of it */
  function named(text, control) {
    return element("label", { className: "lab-control" }, element("span", {}, text), control);
  }

  /** @returns {HTMLButtonElement} */
  function button(text, act) {
    return element("button", { type: "button", textContent: text, onclick: () => act() });
  }

  /** @returns {HTMLButtonElement} for the next seed; it stands beside the seed's field */
  function nextButton(act) {
    const made = button("Next", act);
    made.setAttribute("aria-label", "Next seed");
    return made;
  }

  /** @returns {HTMLSelectElement} of [key, text] pairs; `act` gets the key that was chosen */
  function choice(options, value, act = () => {}) {
    const made = element("select", { onchange: () => act(made.value) });
    made.append(...options.map(([key, text]) => element("option", { value: key }, text)));
    made.value = value;
    return made;
  }

  /** @returns {HTMLInputElement} for an integer of a range; `act` gets it, brought into the range */
  function numberField(value, min, max, act) {
    const made = element("input", { type: "number", min, max, step: 1, value });
    made.onchange = () => {
      const given = Number.isFinite(made.valueAsNumber) ? Math.round(made.valueAsNumber) : value;
      value = Math.min(Math.max(given, min), max);
      made.value = value;
      act(value);
    };
    return made;
  }

  /** @returns {HTMLElement} a slider beside its value; `act` gets the value while it moves */
  function slider(value, [min, max, step], act) {
    const input = element("input", { type: "range", min, max, step, value });
    const shown = element("span", { className: "lab-value", "aria-hidden": "true" }, input.value);
    input.oninput = () => {
      shown.textContent = input.value;
      act(Number(input.value));
    };
    return element("span", { className: "lab-slider" }, input, shown);
  }

  /** @returns {HTMLFieldSetElement} one of [key, text] pairs; `act` gets the key that was chosen */
  function radios(title, options, value, act) {
    const name = `lab-${numRadios++}`;
    const buttons = options.map(([key, text]) => {
      const input = element("input", { type: "radio", name, checked: key === value });
      input.onchange = () => act(key);
      return element("label", {}, input, text);
    });
    const legend = element("legend", {}, title);
    return element("fieldset", { className: "lab-radios" }, legend, ...buttons);
  }

  Object.assign(lab, { button, choice, element, named, nextButton, numberField, radios, slider });
}
