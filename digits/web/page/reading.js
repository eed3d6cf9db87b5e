// The answer: the number in large digits, boxes on the image, and a card for each digit that says why.

import { Card } from "./card.js";
import { byId, element, percent, svgElement } from "./elements.js";

const SURE_FROM = 0.9; // as in the annotated copies of predict.py

const cards = []; // kept and filled anew: a click must find the card that it was aimed at
let shown = ""; // the answer on the page, as text
let speech; // the timer of what a screen reader will say

// Show an answer of the server on the page, `boxes` being the <svg> over the image that was read.
export function showReading(answer, boxes) {
  speak(inWords(answer), 500);
  const text = JSON.stringify(answer);
  if (text === shown) return;
  shown = text;
  const isRefused = answer.digits.length === 0;
  const digits = isRefused ? answer.refused : answer.digits;
  showNumber(answer);
  showNotes(answer.notes);
  showBoxes(boxes, answer, digits, isRefused);
  byId("why").hidden = digits.length === 0;
  while (cards.length < digits.length) {
    cards.push(new Card(cards.length + 1));
    byId("cards").append(cards.at(-1).node);
  }
  cards.forEach((card, index) => card.show(digits[index], answer.images[index], isRefused));
}

// Show no reading but a sentence: why there is none.
export function showSentence(sentence, isError = false) {
  speak(sentence, isError ? 0 : 500);
  shown = "";
  byId("reading").replaceChildren();
  byId("verdict").textContent = sentence;
  byId("verdict").classList.toggle("error", isError);
  showNotes([]);
  byId("why").hidden = true;
  for (const boxes of document.querySelectorAll(".boxes")) boxes.replaceChildren();
}

// Show a sentence beside the reading, which stays.
export function showNote(sentence) {
  speak(sentence, 0);
  byId("notes").append(element("li", { class: "error" }, sentence));
}

// Have a screen reader say something once the page has been quiet for so many milliseconds: when the pen rests.
function speak(sentence, quiet) {
  clearTimeout(speech);
  speech = setTimeout(() => (byId("status").textContent = sentence), quiet);
}

// What a screen reader says of an answer, and the table shows.
export function inWords(answer) {
  const { text, confidence, unsure, digits } = answer;
  if (digits.length) return `${unsure ? "Unsure: " : ""}${text}${unsure ? "?" : ""} (${percent(confidence)})`;
  const best = bestGuess(answer);
  return `No digit found${best ? `; the best guess is ${best}` : ""}`;
}

// What the number may be where it is too uncertain to be read; "" where there is nothing to guess at.
function bestGuess({ guess, refused }) {
  if (guess) return `${guess.text} (${percent(guess.confidence)})`;
  return refused.length === 1 ? `${refused[0].digit}` : "";
}

function showNumber(answer) {
  const { text, confidence, unsure, digits, reason } = answer;
  const number = byId("reading");
  number.style.setProperty("--length", Math.max(2, text.length));
  let next = 0;
  number.replaceChildren(
    ...Array.from(text, (character) => {
      const digit = /\d/.test(character) ? digits[next++] : undefined;
      return digit && digit.confidence < SURE_FROM ? element("span", { class: "unsure" }, character) : character;
    }),
  );
  const verdict = byId("verdict");
  verdict.classList.remove("error");
  if (digits.length) {
    verdict.replaceChildren(`${unsure ? "Unsure: only " : ""}${percent(confidence)} confident`);
  } else {
    const best = bestGuess(answer);
    verdict.replaceChildren(element("strong", {}, "No digit found"), best ? `The best guess is ${best}. ` : "", reason);
  }
}

function showNotes(notes) {
  byId("notes").replaceChildren(...notes.map((note) => element("li", {}, note)));
}

function showBoxes(svg, { size: [width, height], separators }, digits, isRefused) {
  const letter = Math.max(width, height) / 22;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(
    ...separators.map(({ box }) => svgElement("g", { class: "box sign" }, edge(box, letter))),
    ...digits.map(({ digit, confidence, box }) => {
      const [x0, y0, x1, y1] = box;
      const kind = isRefused ? "box refused" : confidence < SURE_FROM ? "box unsure" : "box";
      const y = y0 > 1.3 * letter ? y0 - 1.3 * letter : y1;
      const wide = (isRefused ? 1.6 : 1) * letter;
      const tag = { x: (x0 + x1) / 2 - wide / 2, y, width: wide, height: 1.2 * letter, rx: letter / 5 };
      const name = { x: (x0 + x1) / 2, y: y + 0.95 * letter, "font-size": letter };
      return svgElement(
        "g",
        { class: kind },
        edge(box, letter),
        svgElement("rect", { class: "tag", ...tag }),
        svgElement("text", name, isRefused ? `${digit}?` : String(digit)),
      );
    }),
  );
}

const edge = ([x0, y0, x1, y1], letter) =>
  svgElement("rect", { class: "edge", x: x0, y: y0, width: x1 - x0, height: y1 - y0, rx: letter / 5 });
