// The drawing surface: strokes of mouse, finger or pen; undo and clear; and a small copy of it for the server.

const PEN = 30; // width of a stroke in pixels of the canvas: a digit that fills it has MNIST's proportions
const INK = "#16161d";
const PAPER = "#fff";
const COPY = { width: 480, height: 360 }; // what is sent: enough for a line of ten digits, and encoded in 2 ms

export class Drawing {
  #strokes = []; // each a list of [x, y] in pixels of the canvas
  #pointer = null; // the pointer that is down
  #context;
  #copy;

  // `changed()` is called after every change.
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.#context = canvas.getContext("2d");
    this.#copy = Object.assign(document.createElement("canvas"), COPY).getContext("2d");
    this.#redraw();
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#go(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => this.#end(event));
    }
  }

  get isEmpty() {
    return this.#strokes.length === 0;
  }

  undo() {
    if (this.isEmpty) return;
    this.#strokes.pop();
    this.#pointer = null;
    this.#redraw();
    this.changed();
  }

  clear() {
    this.#strokes = [];
    this.#pointer = null;
    this.#redraw();
    this.changed();
  }

  // The drawing as a PNG (Blob). `toBlob` may wait over a second while somebody draws; `toDataURL` of a small copy does not.
  image() {
    this.#copy.drawImage(this.canvas, 0, 0, COPY.width, COPY.height);
    const encoded = atob(this.#copy.canvas.toDataURL("image/png").split(",")[1]);
    return new Blob([Uint8Array.from(encoded, (character) => character.charCodeAt(0))], { type: "image/png" });
  }

  #begin(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    this.#pointer = event.pointerId;
    if (event.isTrusted) this.canvas.setPointerCapture(event.pointerId); // a program's events have no pointer to capture
    this.#strokes.push([]);
    this.#add([event]);
  }

  #go(event) {
    if (event.pointerId !== this.#pointer) return;
    // Between two frames a pen reports many places; the event itself has only the last.
    const places = event.getCoalescedEvents?.() ?? [];
    this.#add(places.length ? places : [event]);
  }

  #end(event) {
    if (event.pointerId === this.#pointer) this.#pointer = null;
  }

  #add(events) {
    const stroke = this.#strokes.at(-1);
    const frame = this.canvas.getBoundingClientRect();
    for (const event of events) {
      stroke.push([
        ((event.clientX - frame.left) * this.canvas.width) / frame.width,
        ((event.clientY - frame.top) * this.canvas.height) / frame.height,
      ]);
      this.#drawPiece(stroke, stroke.length - 1);
    }
    this.changed();
  }

  #redraw() {
    this.#context.fillStyle = PAPER;
    this.#context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    Object.assign(this.#context, { strokeStyle: INK, lineWidth: PEN, lineCap: "round", lineJoin: "round" });
    for (const stroke of this.#strokes) {
      stroke.forEach((_, index) => this.#drawPiece(stroke, index));
    }
  }

  // Draw what point `index` adds to its stroke: a curve between the middles of the last two lines, and on to the point.
  #drawPiece(stroke, index) {
    const point = stroke[index];
    const last = stroke[Math.max(0, index - 1)];
    const before = stroke[Math.max(0, index - 2)];
    const middle = ([x0, y0], [x1, y1]) => [(x0 + x1) / 2, (y0 + y1) / 2];
    this.#context.beginPath();
    this.#context.moveTo(...middle(before, last));
    this.#context.quadraticCurveTo(...last, ...middle(last, point));
    this.#context.lineTo(...point);
    this.#context.stroke();
  }
}
