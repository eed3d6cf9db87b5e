// A table of several images, and the same as CSV.

import { byId, download, element, percent } from "./elements.js";
import { inWords } from "./reading.js";

let results = []; // [{name, answer}]
let expected = 0;

// Begin a table for `count` images.
export function startResults(count) {
  results = [];
  expected = count;
  byId("rows").replaceChildren();
  byId("results").hidden = false;
  showSummary();
}

export function hideResults() {
  byId("results").hidden = true;
}

// Add an image's answer, or {error}; `open()` shows the image.
export function addResult(name, answer, open) {
  results.push({ name, answer });
  const picture = answer.error ? "" : element("img", { src: answer.preview, alt: "" });
  const file = answer.error ? name : element("button", { type: "button", class: "quiet", onclick: open }, name);
  byId("rows").append(
    element(
      "tr",
      { class: answer.error ? "error" : answer.digits.length ? "" : "none" },
      element("td", {}, picture),
      element("th", { scope: "row" }, file),
      element("td", {}, ...reading(answer)),
    ),
  );
  showSummary();
}

function reading(answer) {
  if (answer.error || !answer.text) return [answer.error ?? inWords(answer)];
  return [element("b", {}, answer.text), " ", element("small", {}, percent(answer.confidence) + (answer.unsure ? ", unsure" : ""))];
}

function showSummary() {
  const failed = results.filter(({ answer }) => answer.error).length;
  const empty = results.filter(({ answer }) => answer.digits?.length === 0).length;
  const parts = [`${results.length - failed - empty} of ${expected} images read`];
  if (empty) parts.push(`${empty} without a digit`);
  if (failed) parts.push(`${failed} not readable`);
  byId("summary").textContent = parts.join(", ");
}

byId("csv").onclick = () => {
  const lines = [["file", "text", "confidence", "boxes", "error"], ...results.map(cells)];
  const text = lines.map((line) => line.map(cell).join(",") + "\n").join("");
  download(new Blob([text], { type: "text/csv" }), "readings.csv");
};

function cells({ name, answer }) {
  if (answer.error) return [name, "", "", "", answer.error];
  const boxes = answer.digits.map(({ box }) => box.join(" ")).join("; ");
  return [name, answer.text, answer.confidence?.toFixed(6) ?? "", boxes, ""];
}

// As predict.py writes it: no cell may start a formula in a spreadsheet.
function cell(text) {
  const safe = /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
