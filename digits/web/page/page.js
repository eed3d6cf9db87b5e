// Handwritten digits in the browser: the page's parts, put together.
//
//   drawing.js     strokes on the canvas            server.js       requests to app.py
//   sources.js     files, folders, camera           reading.js      the answer, and a card.js for each digit
//   results.js     a table of several images        corrections.js  what was corrected
//
// One image is read at a time. While somebody draws, the newest drawing is sent as soon as the last answer is there, and the
// drawings in between are skipped. An answer to what is no longer asked is dropped.

import { loadCounts } from "./corrections.js";
import { Drawing } from "./drawing.js";
import { byId, download } from "./elements.js";
import { inWords, showNote, showReading, showSentence } from "./reading.js";
import { addResults, hideResults, startResults } from "./results.js";
import { annotate, inspect } from "./server.js";
import { watchSources } from "./sources.js";

const PREVIEW = 1600; // pixels, of the image on the page
const THUMBNAIL = 96; // ... and in the table

const drawing = new Drawing(byId("canvas"), drawingChanged);
let source = { isDrawing: true }; // what is asked: one object for a drawing until it is empty, one for the images given last
let drawn = false; // whether the drawing has changed since it was sent
let wanted = null; // a function that reads and shows an image
let rows = []; // functions that read what is still to come into the table; another list for each table
let working = false;
let current = null; // {image, options} of what is shown: a Blob and its name and page

// Ask for something else: what is under way is not shown any more.
function begin(isDrawing) {
  source = { isDrawing };
  drawn = false;
  wanted = null;
}

function drawingChanged() {
  byId("hint").hidden = !drawing.isEmpty;
  byId("undo").disabled = byId("clear").disabled = drawing.isEmpty;
  if (!source.isDrawing || drawing.isEmpty) begin(true);
  showStage(true);
  drawn = !drawing.isEmpty;
  if (drawn) return work();
  current = null;
  showSentence("The reading appears here while you draw.");
}

// Show whether the drawing is what is read, or an image.
function showStage(isDrawing) {
  document.body.classList.toggle("drawing", isDrawing);
  byId("image").hidden = isDrawing;
  if (!isDrawing) byId("drawing-boxes").replaceChildren();
}

// Do what is to be done, one request after the other: the drawing first, the table last.
async function work() {
  if (working) return;
  working = true;
  document.body.dataset.busy = "";
  while (drawn || wanted || rows.length) {
    const asked = source;
    try {
      if (drawn) await readDrawing();
      else if (wanted) await take();
      else await rows.shift()();
    } catch (error) {
      if (asked === source) showSentence(error.message, true);
    }
  }
  delete document.body.dataset.busy;
  working = false;
}

async function readDrawing() {
  drawn = false;
  const asked = source;
  const image = drawing.image();
  const [answer] = await inspect(image);
  if (asked !== source) return;
  current = { image, options: { name: "drawing" } };
  showStage(true);
  showReading(answer, byId("drawing-boxes"));
}

function take() {
  const task = wanted;
  wanted = null;
  return task();
}

// Read the images that somebody dropped, pasted or chose: [{image, name}].
function readImages(images) {
  begin(false);
  rows = [];
  if (images.length === 1) wanted = () => readOne(images[0]);
  else readSeveral(images);
  work();
}

// Read one image and show it; a document of several pages becomes a table.
async function readOne({ image, name }) {
  const asked = source;
  const [answer] = await inspect(image, { name, preview: PREVIEW, page: 1 });
  if (asked !== source) return;
  if (answer.page !== null) return readSeveral([{ image, name }]);
  hideResults();
  showImage(image, { name }, answer);
}

function readSeveral(images) {
  startResults(images.length);
  showStage(false);
  byId("image").hidden = true;
  showSentence("Choose an image in the table to see why it is read so.");
  const table = images.map(({ image, name }) => async () => {
    const answers = await inspect(image, { name, preview: THUMBNAIL }).catch((error) => [failure(name, error)]);
    if (table === rows) addResults(answers, (page) => openRow(image, page === null ? { name } : { name, page }));
  });
  rows = table;
}

// Show an image of the table, or a page of it.
function openRow(image, options) {
  begin(false);
  const asked = source;
  wanted = async () => {
    const [answer] = await inspect(image, { ...options, preview: PREVIEW });
    if (asked === source) showImage(image, options, answer);
  };
  work();
}

const failure = (file, { message }) => ({ file, page: null, text: "", confidence: null, digits: [], error: message });

// Show a page of an image with its boxes.
function showImage(image, options, answer) {
  showStage(false);
  byId("clear").disabled = false;
  byId("image").hidden = Boolean(answer.error);
  if (answer.error) return showSentence(answer.error, true);
  current = { image, options };
  byId("caption").textContent = answer.file;
  byId("preview").src = answer.preview;
  byId("preview").alt = `${answer.file}: ${inWords(answer)}`;
  showReading(answer, byId("image-boxes"));
  byId("reading").scrollIntoView({ block: "nearest" });
}

async function saveAnnotated() {
  const { image, options } = current;
  const page = options.page ? `-${options.page}` : "";
  try {
    download(await annotate(image, options), `${options.name.replace(/\.[^.]*$/, "")}${page}-read.png`);
  } catch (error) {
    showNote(error.message);
  }
}

byId("undo").onclick = () => drawing.undo();
byId("clear").onclick = () => drawing.clear();
byId("annotated").onclick = saveAnnotated;
byId("close").onclick = () => {
  rows = [];
  hideResults();
};
byId("copy").hidden = !navigator.clipboard; // browsers have it on 127.0.0.1, and not over a network without encryption
byId("copy").onclick = () => navigator.clipboard.writeText(byId("command").textContent);
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if ((event.ctrlKey || event.metaKey) && event.key === "z") drawing.undo();
  else if (event.key === "Delete") drawing.clear();
});
watchSources(readImages, (sentence) => showSentence(sentence, true));
loadCounts();
