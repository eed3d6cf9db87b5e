// Where images come from: dropped, pasted or chosen files and folders, and the camera.

import { byId } from "./elements.js";

// The endings of a folder's images, as in predict.py. A file that is given on its own is always tried.
const ENDINGS =
  /\.(a?png|jpe?g|jpe|jfif|mpo|gif|bmp|dib|tiff?|webp|p[pgbn]m|pfm|heic|heif|hif|avif|pdf|svg)$/i;

// Call `use([{image, name}])` with what somebody gives, and `tell(sentence)` where that is nothing.
export function watchSources(use, tell) {
  const give = (images) => {
    images.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    if (images.length) use(images);
    else tell("There is no image in that.");
  };
  watchInputs(give);
  watchDrops(give, tell);
  watchCamera(use, tell);
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (files.length) give(files.map(named));
  });
}

const named = (file) => ({ image: file, name: file.webkitRelativePath || file.name });
const isImage = ({ name }) => ENDINGS.test(name) && !name.split("/").some((part) => part.startsWith("."));

function watchInputs(give) {
  for (const [button, input] of [["choose", "files"], ["choose-folder", "folder"]]) {
    byId(button).onclick = () => byId(input).click();
  }
  for (const id of ["files", "folder", "capture"]) {
    const input = byId(id);
    input.onchange = () => {
      const images = [...input.files].map(named);
      input.value = ""; // the same file can be chosen again
      give(id === "folder" ? images.filter(isImage) : images);
    };
  }
}

function watchDrops(give, tell) {
  const mark = (isOver) => document.body.classList.toggle("dragging", isOver);
  document.addEventListener("dragover", (event) => {
    event.preventDefault(); // or the browser would open the file
    mark(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && mark(false));
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    mark(false);
    // All entries at once: they are gone after the first `await`.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    const found = entries.length ? entries.map((entry) => imagesIn(entry)) : [...event.dataTransfer.files].map((file) => [named(file)]);
    const lost = [];
    const all = (await Promise.all(found)).flat().filter(({ image, name }) => image || !lost.push(name));
    if (all.length || !lost.length) give(all);
    if (lost.length) tell(`The browser cannot read ${lost.join(", ")}.`);
  });
}

// The images in a dropped file or folder, and in the folders in it; `image` is null where the browser cannot read one.
async function imagesIn(entry, isInFolder = false) {
  const name = entry.fullPath.replace(/^\//, "");
  const lost = { image: null, name };
  if (entry.isFile) {
    if (isInFolder && !isImage({ name })) return [];
    return [await new Promise((resolve) => entry.file((image) => resolve({ image, name }), () => resolve(lost)))];
  }
  const reader = entry.createReader();
  const images = [];
  for (;;) {
    const entries = await new Promise((resolve) => reader.readEntries(resolve, () => resolve(null))); // a hundred at a time
    if (!entries) return [...images, lost];
    if (!entries.length) return images;
    for (const inner of entries) images.push(...(await imagesIn(inner, true)));
  }
}

// The camera needs a secure context, such as 127.0.0.1; elsewhere a phone's own camera program does it.
function watchCamera(use, tell) {
  const dialog = byId("camera-dialog");
  const video = byId("video");
  byId("camera").onclick = async () => {
    if (!navigator.mediaDevices) return byId("capture").click();
    byId("camera").disabled = true; // a second click would open a second stream, which nobody ends
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment", width: { ideal: 1920 } },
      });
      dialog.showModal();
    } catch (error) {
      tell(error.name === "NotAllowedError" ? "The browser may not use the camera; allow it." : "There is no camera to use.");
    } finally {
      byId("camera").disabled = false;
    }
  };
  video.onloadeddata = () => (byId("take").disabled = false); // before, there is no frame to take
  dialog.onclose = () => {
    byId("take").disabled = true;
    for (const track of video.srcObject.getTracks()) track.stop();
    video.srcObject = null;
  };
  byId("cancel").onclick = () => dialog.close();
  byId("take").onclick = () => {
    byId("take").disabled = true;
    const frame = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
    frame.getContext("2d").drawImage(video, 0, 0);
    frame.toBlob((image) => {
      dialog.close();
      use([{ image, name: "camera.jpg" }]);
    }, "image/jpeg", 0.95);
  };
}
