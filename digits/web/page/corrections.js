// What was corrected: images of digits that the server saves, how many there are, and how to learn from them.

import { correct, corrections } from "./server.js";
import { byId, element } from "./elements.js";

export const NO_DIGIT = "no_digit";

const labels = new Map(); // image (base64) -> the label under which it was saved since the page was opened
const listeners = [];

// The label under which an image was saved; undefined where it was not.
export const labelOf = (image) => labels.get(image);

// Call `listener()` after every correction.
export const whenSaved = (listener) => listeners.push(listener);

// Save an image under a label; null takes it back.
export async function saveLabel(image, label) {
  try {
    showCounts(await correct(image, label));
  } catch (error) {
    return tell(error.message);
  }
  if (label === null) labels.delete(image);
  else labels.set(image, label);
  tell(label === null ? "Taken back." : `Saved as ${label === NO_DIGIT ? "no digit" : label}.`);
  for (const listener of listeners) listener();
}

// Ask the server how many there are.
export async function loadCounts() {
  try {
    showCounts(await corrections());
  } catch (error) {
    tell(error.message);
  }
}

function showCounts({ counts, command }) {
  byId("counts").replaceChildren(
    ...Object.entries(counts).map(([label, count]) =>
      element("li", { "data-label": label, class: count ? "some" : "" }, element("b", {}, label === NO_DIGIT ? "none" : label), element("span", {}, count)),
    ),
  );
  byId("command").textContent = command;
}

function tell(sentence) {
  byId("saved").textContent = sentence;
  byId("status").textContent = sentence;
}
