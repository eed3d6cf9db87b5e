// A table of several images, and the same as CSV.

import { byId, download, element, percent } from "./elements.js";
import { inWords } from "./reading.js";

let results = []; // the answers of the server, one for each page
let remaining = 0; // images that have not been read yet

// Begin a table for `count` images.
export function startResults(count) {
  results = [];
  remaining = count;
  byId("rows").replaceChildren();
  byId("results").hidden = false;
  showSummary();
}

export function hideResults() {
  byId("results").hidden = true;
}

// Add the answers for an image, one for each page; `open(page)` shows one.
export function addResults(answers, open) {
  results.push(...answers);
  remaining--;
  byId("rows").append(...answers.map((answer) => row(answer, open)));
  showSummary();
}

function row(answer, open) {
  const { file, page, digits, error, preview } = answer;
  return element(
    "tr",
    { class: error ? "error" : digits.length ? "" : "none" },
    element("td", {}, error ? "" : element("img", { src: preview, alt: "" })),
    element("th", { scope: "row" }, error ? file : element("button", { type: "button", class: "quiet", onclick: () => open(page) }, file)),
    element("td", {}, ...reading(answer)),
  );
}

function reading(answer) {
  if (answer.error || !answer.text) return [answer.error ?? inWords(answer)];
  return [element("b", {}, answer.text), " ", element("small", {}, percent(answer.confidence) + (answer.unsure ? ", unsure" : ""))];
}

function showSummary() {
  const failed = results.filter(({ error }) => error).length;
  const empty = results.filter(({ error, digits }) => !error && !digits.length).length;
  const parts = [`${results.length - failed - empty} read`];
  if (empty) parts.push(`${empty} without a digit`);
  if (failed) parts.push(`${failed} not readable`);
  if (remaining) parts.push(`${remaining} to go`);
  byId("summary").textContent = parts.join(", ");
}

byId("csv").onclick = () => {
  const lines = [["file", "text", "confidence", "unsure", "boxes", "error"], ...results.map(cells)];
  const text = lines.map((line) => line.map(cell).join(",") + "\n").join("");
  download(new Blob([text], { type: "text/csv" }), "readings.csv");
};

function cells({ file, text, confidence, unsure, digits, error }) {
  const boxes = digits.map(({ box }) => box.join(" ")).join("; ");
  return [file, text, confidence?.toFixed(6) ?? "", unsure ? "yes" : "", boxes, error ?? ""];
}

// As predict.py writes it: no cell may start a formula in a spreadsheet.
function cell(text) {
  const safe = /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
