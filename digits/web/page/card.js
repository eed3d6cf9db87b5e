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
  #noDigit = element("button", { type: "button", class: "quiet" }, "No digit");
  #bars = Array.from({ length: 10 }, (_, digit) => this.#labelled(makeBar(digit), String(digit)));

  // `number` is its place in the reading, from 1.
  constructor(number) {
    this.number = number;
    this.#labelled(this.#noDigit, NO_DIGIT);
    this.node = element(
      "article",
      { class: "card" },
      this.#pixels,
      element("h3", {}, this.#name, " ", this.#confidence),
      element("div", { class: "bars", role: "group", "aria-label": "The right digit" }, ...this.#bars),
      element("p", { class: "correction" }, this.#noDigit, this.#saved, this.#takeBack),
    );
    whenSaved(() => this.#showLabel());
  }

  // Show an entry of the reading's "digits" and its image; no entry hides the card.
  show(digit, image) {
    this.node.hidden = digit === undefined;
    if (digit === undefined) return;
    this.#image = image;
    paint(this.#pixels, image);
    this.#name.textContent = digit.digit;
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

  #labelled(button, label) {
    button.dataset.label = label;
    button.onclick = () => saveLabel(this.#image, label);
    return button;
  }

  #showLabel() {
    const label = labelOf(this.#image);
    for (const button of [...this.#bars, this.#noDigit]) {
      button.setAttribute("aria-pressed", button.dataset.label === label);
    }
    this.#takeBack.hidden = label === undefined;
    this.#saved.textContent = label === undefined ? "" : `Saved as ${label === NO_DIGIT ? "no digit" : label}`;
  }
}

function makeBar(digit) {
  return element("button", { type: "button", class: "bar" }, element("i"), String(digit));
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
