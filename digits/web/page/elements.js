// Small helpers for making and finding elements of the page.

export const byId = (id) => document.getElementById(id);

// element("button", { type: "button", onclick: save }, "Save"): attributes and event handlers, then children.
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svgElement(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// 0.99961 -> "99.9 %": only 1 itself is 100 %, as everywhere in this project.
export function percent(share) {
  return share === 1 ? "100 %" : `${Math.min(99.9, 100 * share).toFixed(1)} %`;
}

// Have the browser save a Blob as a file.
export function download(blob, name) {
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
