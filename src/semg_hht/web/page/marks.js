// Repetitions on the signal: shown as bands whose edges are dragged, with mouse and touch.

import { button, byId, h, say, show } from "./dom.js";
import { add, addAt, edit, movedEdge } from "./edits.js";
import { area, look, pan, pointAt, timeAt, view, xOf, zoom } from "./signal.js";
import { act, changed, currentFile, select, store } from "./store.js";
import { className, seconds, w } from "./words.js";

const MARK_PX = 6; // a shorter movement is a click
let drag = null; // {kind: "edge" | "mark" | "pan", ...}
const touches = new Map(); // pointer id -> x
let pinch = null;

const known = new Set(["full", "half", "invalid"]);
const lookOf = (label) => (label ? (known.has(label) ? label : "own") : "none");

export function drawMarks() {
  const overlay = byId("overlay");
  const file = currentFile();
  if (!file || file.kind !== "recording" || !view.plots.length) {
    show(overlay);
    return;
  }
  const { left, width } = area();
  overlay.style.left = `${left}px`;
  overlay.style.width = `${width}px`;
  const bands = file.repetitions.flatMap((repetition, index) => {
    const from = xOf(repetition.start_s, width);
    const until = xOf(repetition.stop_s, width);
    return until < 0 || from > width ? [] : [band(repetition, index, from, until)];
  });
  const nodes = [...bands, store.mark && h("div", { class: "marked", "data-key": "mark" })];
  show(overlay, nodes);
  // Positions are set from script: the page's rules allow no style in markup.
  for (const node of overlay.children) {
    const times = node.classList.contains("marked") ? store.mark : timesOf(file, Number(node.dataset.index));
    const start = Math.max(-4, xOf(times[0], width));
    node.style.left = `${start}px`;
    node.style.width = `${Math.min(width + 4, xOf(times[1], width)) - start}px`;
  }
}

const timesOf = (file, index) => [file.repetitions[index].start_s, file.repetitions[index].stop_s];

function band(repetition, index, from, until) {
  const chosen = index === store.selected;
  const wide = until - from > 64;
  const name = repetition.label && wide ? `${index + 1} · ${className(repetition.label)}` : `${index + 1}`;
  return h(
    "div",
    {
      class: `band ${lookOf(repetition.label)}${chosen ? " chosen" : ""}`,
      "data-index": index,
      "data-key": `band ${index}`,
    },
    h("span", { class: "tag" }, name),
    h("i", { class: `edge start${chosen && store.edge === "start" ? " active" : ""}`, "data-edge": "start" }),
    h("i", { class: `edge stop${chosen && store.edge === "stop" ? " active" : ""}`, "data-edge": "stop" }),
  );
}

function place(event) {
  return event.clientX - byId("signal").getBoundingClientRect().left;
}

function down(event) {
  if (!view.plots.length || event.button > 1 || event.target.closest("button")) return;
  const signal = byId("signal");
  const x = place(event);
  if (event.pointerType === "touch") {
    touches.set(event.pointerId, x);
    if (touches.size === 2) {
      const [a, b] = touches.values();
      pinch = { distance: Math.abs(a - b) || 1, from: view.from, until: view.until, around: timeAt((a + b) / 2) };
      drag = null;
      return;
    }
  }
  const edge = event.target.dataset.edge;
  const index = Number(event.target.closest(".band")?.dataset.index ?? -1);
  const file = currentFile();
  if (edge) {
    const grip = timeAt(x) - file.repetitions[index][`${edge}_s`];
    drag = { kind: "edge", edge, index, before: file.repetitions, x, grip };
    store.edge = edge;
    select(index);
  } else if (event.pointerType === "touch" || event.button === 1 || event.altKey) {
    drag = { kind: "pan", x, from: view.from, until: view.until, index };
  } else {
    drag = { kind: "mark", x, index };
  }
  signal.setPointerCapture(event.pointerId);
}

function move(event) {
  const x = place(event);
  if (touches.has(event.pointerId)) touches.set(event.pointerId, x);
  if (pinch && touches.size === 2) {
    const [a, b] = touches.values();
    const factor = pinch.distance / (Math.abs(a - b) || 1);
    look(pinch.around - (pinch.around - pinch.from) * factor, pinch.around + (pinch.until - pinch.around) * factor);
    return;
  }
  pointAt(x);
  if (!drag) return;
  drag.moved ||= Math.abs(x - drag.x) > (drag.kind === "edge" ? 1 : MARK_PX);
  if (!drag.moved) return;
  const file = currentFile();
  if (drag.kind === "edge") {
    file.repetitions = [...drag.before];
    const before = { ...file, repetitions: drag.before };
    file.repetitions[drag.index] = movedEdge(before, drag.index, drag.edge, timeAt(x) - drag.grip);
    changed();
  } else if (drag.kind === "mark") {
    const clip = (time) => Math.max(0, Math.min(file.duration_s, time));
    store.mark = [timeAt(drag.x), timeAt(x)].map(clip).sort((a, b) => a - b);
    changed();
  } else {
    const by = ((drag.x - x) / area().width) * (drag.until - drag.from);
    look(drag.from + by, drag.until + by);
  }
}

function up(event) {
  touches.delete(event.pointerId);
  if (touches.size < 2) pinch = null;
  if (!drag) return;
  const { kind, moved, index, edge, before } = drag;
  drag = null;
  const file = currentFile();
  if (!file) return;
  if (kind === "edge" && moved) {
    const after = file.repetitions;
    file.repetitions = before; // the step to undo starts from here
    edit(file, after, "");
    const repetition = after[index];
    say(w(edge === "start" ? "said_start" : "said_stop", { n: index + 1, time: seconds(repetition[`${edge}_s`]) }));
  } else if (!moved) {
    store.mark = null;
    select(index);
  }
}

function wheel(event) {
  // The wheel scrolls the page; over a signal that is in use, or with Ctrl (as a pinch on a trackpad sends), it zooms.
  const inUse = document.activeElement === byId("signal");
  if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault();
    pan(event.deltaX / area().width);
  } else if (event.ctrlKey || event.metaKey || inUse) {
    event.preventDefault();
    zoom(Math.exp(event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), timeAt(place(event)));
  }
}

function twice(event) {
  const file = currentFile();
  const index = event.target.closest(".band")?.dataset.index;
  if (index !== undefined) {
    const { start_s, stop_s } = file.repetitions[Number(index)];
    const room = 0.2 * (stop_s - start_s);
    look(start_s - room, stop_s + room);
  } else if (!addAt(file, timeAt(place(event)))) say(w("said_no_room"));
}

export function watchPointer() {
  const signal = byId("signal");
  signal.addEventListener("pointerdown", down);
  signal.addEventListener("pointermove", move);
  signal.addEventListener("pointerup", up);
  signal.addEventListener("pointercancel", up);
  signal.addEventListener("pointerleave", () => drag || pointAt(null));
  signal.addEventListener("wheel", wheel, { passive: false });
  signal.addEventListener("dblclick", twice);
}

// What can be done with a marked interval.
export function markBar() {
  if (!store.mark) return null;
  const [from, until] = store.mark;
  const file = currentFile();
  const maximum = { file: file.id, of: file.id, start_s: from, stop_s: until };
  const tool = (key, work) =>
    button(
      w(key),
      () => {
        work();
        store.mark = null;
        changed();
      },
      { class: "small" },
    );
  return h(
    "div",
    { class: "bar", role: "group", "aria-label": w("marked"), "data-key": "markbar" },
    h("span", { class: "figures" }, w("marked_from", { from: seconds(from), until: seconds(until) })),
    tool("zoom_to", () => look(from, until)),
    tool("add_marked", () => add(file, from, until)),
    tool("maximum_marked", () => act("maximum", maximum, w("said_maximum"))),
    tool("close", () => {}),
  );
}
