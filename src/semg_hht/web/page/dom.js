// Building and updating parts of the document. A panel is built anew from the data and then merged into what is shown,
// so that focus, scroll position, open folds and half-typed text stay where they are.

const EVENTS = ["click", "input", "change", "keydown", "toggle", "submit", "dblclick", "focus"];

// h("button", {class: "quiet", onclick: act, "aria-pressed": true}, "Text", otherNode)
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node[name] = value;
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : String(value));
  }
  if (attributes.value !== undefined) node.dataset.value = attributes.value;
  for (const child of children.flat(3)) {
    if (child === undefined || child === null || child === false || child === "") continue;
    node.append(child instanceof Node ? child : String(child));
  }
  if (tag === "select" && attributes.value !== undefined) node.value = attributes.value;
  return node;
}

export const button = (text, onclick, attributes = {}) => h("button", { type: "button", onclick, ...attributes }, text);

// A part that scrolls sideways where it is too wide, also by keyboard.
export const scroll = (attributes, ...content) => h("div", { tabindex: 0, role: "group", ...attributes }, content);

// heads: [[text, class]]; rows: of a cell that names the row, and the others.
export function figuresTable(heads, rows) {
  const head = heads.map(([text, kind]) => h("th", { scope: "col", class: kind }, text));
  const cells = (row) => row.map((cell, i) => h(i ? "td" : "th", i ? { class: heads[i][1] } : { scope: "row" }, cell));
  return h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows.map((row) => h("tr", {}, cells(row)))));
}

// A node whose content is built only where its signature is new: long tables change in one row at a time.
export function lazy(tag, attributes, signature, build) {
  const node = h(tag, { ...attributes, "data-lazy": "" });
  node.signature = signature;
  node.build = () => {
    node.append(...build());
    node.build = null;
  };
  return node;
}

// Show the given nodes in a container. Where the focused control goes away, the container takes the focus, so that the
// next press of Tab goes on from there.
export function show(container, ...nodes) {
  const held = container.contains(document.activeElement) && document.activeElement !== container;
  const wanted = document.createElement(container.tagName);
  for (const node of nodes.flat(3)) if (node) wanted.append(node);
  mergeChildren(container, wanted);
  if (held && !container.contains(document.activeElement)) {
    container.tabIndex = -1;
    container.focus({ preventScroll: true });
  }
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.dataset.key : undefined;
}

function mergeChildren(shown, wanted) {
  const keyed = new Map();
  for (const node of shown.childNodes) if (keyOf(node)) keyed.set(keyOf(node), node);
  let at = shown.firstChild;
  for (const node of [...wanted.childNodes]) {
    const key = keyOf(node);
    let match = key ? keyed.get(key) : at;
    if (match && !key && keyOf(match)) match = null;
    if (match && (match.nodeName !== node.nodeName || match.nodeType !== node.nodeType)) match = null;
    if (!match) {
      for (const part of [node, ...(node.querySelectorAll?.("[data-lazy]") || [])]) part.build?.();
      shown.insertBefore(node, at);
      continue;
    }
    if (match === at) at = at.nextSibling;
    else shown.insertBefore(match, at);
    merge(match, node);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function merge(shown, wanted) {
  if (shown.nodeType === Node.TEXT_NODE) {
    if (shown.data !== wanted.data) shown.data = wanted.data;
    return;
  }
  if (shown.nodeType !== Node.ELEMENT_NODE) return;
  if (wanted.build) {
    if (shown.signature === wanted.signature) return;
    wanted.build();
    shown.signature = wanted.signature;
  }
  for (const { name } of [...shown.attributes]) {
    // An open fold stays open: only the reader closes it.
    if (!wanted.hasAttribute(name) && !(name === "open" && shown.nodeName === "DETAILS") && name !== "data-value") {
      if (shown.dataset.keep === undefined) shown.removeAttribute(name);
    }
  }
  for (const { name, value } of wanted.attributes) {
    if (name === "data-value" || (name === "open" && shown.nodeName === "DETAILS")) continue;
    if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  }
  for (const name of EVENTS) shown[`on${name}`] = wanted[`on${name}`];
  if (shown.dataset.keep !== undefined) return;
  mergeChildren(shown, wanted);
  mergeValue(shown, wanted);
}

// What a person types stays until it is handed over; a value that the data changed is shown.
function mergeValue(shown, wanted) {
  if (shown.nodeName === "INPUT" && (shown.type === "checkbox" || shown.type === "radio")) {
    shown.checked = wanted.checked;
  } else if (["INPUT", "TEXTAREA", "SELECT"].includes(shown.nodeName)) {
    const changed = shown.dataset.value !== wanted.dataset.value;
    if (wanted.dataset.value === undefined || (shown === document.activeElement && shown.nodeName !== "SELECT")) return;
    if (changed || shown.nodeName === "SELECT") shown.value = wanted.dataset.value;
    shown.dataset.value = wanted.dataset.value;
  }
}

export const byId = (id) => document.getElementById(id);

// Speak a sentence to those who can't see the page. The same sentence twice is spoken twice.
export function say(sentence) {
  const live = byId("live");
  live.textContent = live.textContent === sentence ? `${sentence}\u00a0` : sentence;
}

export function debounced(work, milliseconds) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), milliseconds);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

// A colour of the style sheet, for what is drawn on a canvas.
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
