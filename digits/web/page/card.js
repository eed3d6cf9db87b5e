// One digit explained: the 28x28 image that the network saw, its ten probabilities as bars, and a click that corrects it.

import { labelOf, NO_DIGIT, saveLabel, whenSaved } from "./corrections.js";
import { element, percent } from "./elements.js";

const SIZE = 28;

export class Card {
  #image = null; // what the network saw, 28x28 bytes in base64
  #pixels = element("canvas", { class: "pixels", width: SIZE, height: SIZE, role: "img" });
  #name = element("strong");
  #confidence = element("span");
  #saved = element("span", { class: "saved" });
  #takeBack = element("button", { type: "button", class: "quiet", onclick: () => saveLabel(this.#image, null) }, "Take back");
  #bars = [..."0123456789"].map((digit) => this.#button(digit, element("i"), digit));
  #none = this.#button(NO_DIGIT, "none");

  // `number` is its place in the reading, from 1.
  constructor(number) {
    this.number = number;
    this.#none.setAttribute("aria-label", "Save this image as no digit.");
    this.node = element(
      "article",
      { class: "card" },
      this.#pixels,
      element("h3", {}, this.#name, this.#confidence, this.#saved, this.#takeBack),
      element("div", { class: "bars", role: "group", "aria-label": "The right digit" }, ...this.#bars, this.#none),
    );
    whenSaved(() => this.#showLabel());
  }

  // Show an entry of the reading's "digits" and its image; no entry hides the card.
  show(digit, image, isRefused) {
    this.node.hidden = digit === undefined;
    if (digit === undefined) return;
    this.node.classList.toggle("refused", isRefused);
    this.#image = image;
    paint(this.#pixels, image);
    this.#name.textContent = `${digit.digit}${isRefused ? "?" : ""}`;
    this.#confidence.textContent = percent(digit.confidence);
    this.#pixels.setAttribute("aria-label", `Digit ${this.number} as the network saw it`);
    this.node.setAttribute("aria-label", `Digit ${this.number}: ${digit.digit}, ${percent(digit.confidence)}`);
    for (const [value, probability] of digit.top) {
      const bar = this.#bars[value];
      bar.style.setProperty("--probability", probability);
      bar.classList.toggle("best", value === digit.digit);
      bar.title = `${value}: ${percent(probability)}`;
      bar.setAttribute("aria-label", `${value}, ${percent(probability)}. Save this image as ${value}.`);
    }
    this.#showLabel();
  }

  // A button that saves the image under a label.
  #button(label, ...children) {
    const save = () => saveLabel(this.#image, label);
    return element("button", { type: "button", class: "bar", "data-label": label, onclick: save }, ...children);
  }

  #showLabel() {
    const label = labelOf(this.#image);
    for (const button of [...this.#bars, this.#none]) {
      button.setAttribute("aria-pressed", button.dataset.label === label);
    }
    this.#takeBack.hidden = label === undefined;
    this.#saved.textContent = label === undefined ? "" : `saved as ${label === NO_DIGIT ? "no digit" : label}`;
  }
}

// Draw 28x28 bytes (base64), 255 being ink, as white on black: as the network sees them.
function paint(canvas, image) {
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(SIZE, SIZE);
  Array.from(atob(image), (character, index) => {
    const value = character.charCodeAt(0);
    pixels.data.set([value, value, value, 255], 4 * index);
  });
  context.putImageData(pixels, 0, 0);
}
