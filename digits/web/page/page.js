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
import { addResults, hideResults, startResults } from "./results.js";
import { annotate, inspect } from "./server.js";
import { watchSources } from "./sources.js";

const PREVIEW = 1600; // pixels, of the image on the page
const THUMBNAIL = 96; // ... and in the table

const drawing = new Drawing(byId("canvas"), drawingChanged);
let drawn = false; // whether the drawing has changed since it was sent
let tasks = []; // what else is to be asked, in order: functions
let working = false;
let current = null; // {image, options} of what is shown: a Blob and its name and page

function drawingChanged() {
  byId("hint").hidden = !drawing.isEmpty;
  byId("undo").disabled = byId("clear").disabled = drawing.isEmpty;
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
  const image = drawing.image();
  const [answer] = await inspect(image);
  if (clears !== drawing.clears) return;
  current = { image, options: { name: "drawing" } };
  showStage(true);
  showReading(answer, byId("drawing-boxes"));
  announce(answer);
}

// Read the images that somebody dropped, pasted or chose: [{image, name}].
function readImages(images) {
  tasks = images.length === 1 ? [() => readOne(images[0])] : [];
  if (images.length > 1) readSeveral(images);
  work();
}

// Read one image and show it; a document of several pages becomes a table.
async function readOne({ image, name }) {
  const [answer] = await inspect(image, { name, preview: PREVIEW, page: 1 });
  if (answer.page !== null) return readSeveral([{ image, name }]);
  hideResults();
  showImage(image, { name }, answer);
}

function readSeveral(images) {
  startResults(images.length);
  showStage(false);
  byId("image").hidden = true;
  showSentence("Choose an image in the table to see why it is read so.");
  tasks = images.map(({ image, name }) => async () => {
    const answers = await inspect(image, { name, preview: THUMBNAIL }).catch((error) => [failure(name, error)]);
    addResults(answers, (page) => {
      tasks.unshift(async () => {
        const options = page === null ? { name } : { name, page };
        const [answer] = await inspect(image, { ...options, preview: PREVIEW });
        showImage(image, options, answer);
      });
      work();
    });
  });
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
  announce(answer);
}

let announcement;
function announce(answer) {
  clearTimeout(announcement); // a screen reader speaks when the pen rests
  announcement = setTimeout(() => (byId("status").textContent = inWords(answer)), 500);
}

async function saveAnnotated() {
  const { image, options } = current;
  const page = options.page ? `-${options.page}` : "";
  try {
    download(await annotate(image, options), `${options.name.replace(/\.[^.]*$/, "")}${page}-read.png`);
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
byId("copy").hidden = !navigator.clipboard; // browsers have it on 127.0.0.1, and not over a network without encryption
byId("copy").onclick = () => navigator.clipboard.writeText(byId("command").textContent);
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if ((event.ctrlKey || event.metaKey) && event.key === "z") drawing.undo();
  else if (event.key === "Delete") drawing.clear();
});
watchSources(readImages, (sentence) => showSentence(sentence, true));
loadCounts();
