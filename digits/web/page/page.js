// Handwritten digits in the browser: the page's parts, put together.
//
//   drawing.js     strokes on the canvas            server.js       requests to app.py
//   sources.js     files, folders, camera           reading.js      the answer, and a card.js for each digit
//   results.js     a table of several images        corrections.js  what was corrected
//
// One request is under way at a time. While somebody draws, the newest drawing is sent as soon as the last answer is
// there, and the drawings in between are skipped.

import { loadCounts } from "./corrections.js";
import { Drawing } from "./drawing.js";
import { byId, download } from "./elements.js";
import { inWords, showReading, showSentence } from "./reading.js";
import { addResult, hideResults, startResults } from "./results.js";
import { annotate, inspect } from "./server.js";
import { watchSources } from "./sources.js";

const PREVIEW = 1600; // pixels, of the image on the page
const THUMBNAIL = 96; // ... and in the table

const drawing = new Drawing(byId("canvas"), drawingChanged);
let drawn = false; // whether the drawing has changed since it was sent
let tasks = []; // what else is to be asked, in order: functions
let working = false;
let current = null; // {image, name} of what is shown: a Blob and what to call it

function drawingChanged() {
  byId("hint").hidden = !drawing.isEmpty;
  byId("undo").disabled = byId("clear").disabled = drawing.isEmpty;
  byId("image").hidden = true;
  drawn = !drawing.isEmpty;
  if (drawn) return work();
  current = null;
  showSentence("The reading appears here while you draw.");
}

// Do what is to be done, one request after the other, the drawing first.
async function work() {
  if (working) return;
  working = true;
  document.body.dataset.busy = "";
  while (drawn || tasks.length) {
    try {
      if (drawn) await readDrawing();
      else await tasks.shift()();
    } catch (error) {
      showSentence(error.message, true);
    }
  }
  delete document.body.dataset.busy;
  working = false;
}

async function readDrawing() {
  drawn = false;
  const { clears } = drawing;
  const image = drawing.picture();
  const answer = await inspect(image);
  if (clears !== drawing.clears) return;
  current = { image, name: "drawing" };
  showReading(answer, byId("drawing-boxes"));
  announce(answer);
}

// Read one image, and show it with its boxes.
async function readImage({ image, name }) {
  current = { image, name };
  byId("caption").textContent = name;
  const answer = await inspect(image, name, PREVIEW).catch((error) => {
    byId("image").hidden = true;
    throw error;
  });
  byId("drawing-boxes").replaceChildren();
  byId("preview").src = answer.preview;
  byId("preview").alt = `${name}: ${inWords(answer)}`;
  byId("image").hidden = false;
  byId("reading").scrollIntoView({ block: "nearest" });
  showReading(answer, byId("image-boxes"));
  announce(answer);
}

// Read the images that somebody dropped, pasted or chose: [{image, name}].
function readImages(images) {
  if (images.length === 1) {
    hideResults();
    tasks = [() => readImage(images[0])];
  } else {
    startResults(images.length);
    byId("image").hidden = true;
    showSentence("Click an image in the table to see why it is read so.");
    tasks = images.map((one) => async () => {
      const answer = await inspect(one.image, one.name, THUMBNAIL).catch((error) => ({ error: error.message }));
      addResult(one.name, answer, () => {
        tasks.unshift(() => readImage(one));
        work();
      });
    });
  }
  work();
}

let announcement;
function announce(answer) {
  clearTimeout(announcement); // a screen reader speaks when the pen rests
  announcement = setTimeout(() => (byId("status").textContent = inWords(answer)), 500);
}

async function saveAnnotated() {
  const { image, name } = current;
  try {
    download(await annotate(image, name), `${name.replace(/\.[^.]*$/, "")}-read.png`);
  } catch (error) {
    showSentence(error.message, true);
  }
}

byId("undo").onclick = () => drawing.undo();
byId("clear").onclick = () => drawing.clear();
byId("annotated").onclick = saveAnnotated;
byId("close").onclick = () => {
  tasks = [];
  hideResults();
};
byId("copy").onclick = () => navigator.clipboard?.writeText(byId("command").textContent);
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if ((event.ctrlKey || event.metaKey) && event.key === "z") drawing.undo();
  else if (event.key === "Delete") drawing.clear();
});
watchSources(readImages, (sentence) => showSentence(sentence, true));
loadCounts();
