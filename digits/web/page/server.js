// The requests to app.py. Each returns what was asked for, or throws an Error whose message is a sentence for people.

const MAX_BYTES = 20 << 20;

// The readings of an image (a Blob), one for each of its pages, and all that explains them. Options: `name`; `preview`, the
// size in pixels of the copy to show; `page`, the number of the only page that is wanted.
export async function inspect(image, options = {}) {
  return (await post(`inspect?${new URLSearchParams(options)}`, image)).json();
}

// The annotated copy of a page, a Blob. Options: `name`, `page`.
export async function annotate(image, options = {}) {
  return (await post(`annotate?${new URLSearchParams(options)}`, image)).blob();
}

// How many images were saved for each label, and the command that trains on them: {counts, command}.
export async function corrections() {
  return (await request("corrections")).json();
}

// Save a 28x28 image (base64) under a label, "0" to "9" or "no_digit"; null takes it back.
export async function correct(image, label) {
  return (await post("corrections", JSON.stringify({ image, label }))).json();
}

function post(path, body) {
  if (body.size > MAX_BYTES) {
    throw new Error(`That is more than ${MAX_BYTES >> 20} MiB; save it as a smaller image.`);
  }
  return request(path, { method: "POST", body });
}

async function request(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer; start app.py again.");
  }
  if (!answer.ok) {
    const { error } = await answer.json().catch(() => ({ error: `The server answered with status ${answer.status}.` }));
    throw new Error(error);
  }
  return answer;
}
