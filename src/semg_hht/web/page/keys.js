// The signal by keyboard alone. #signal has the focus; every key is told in the fold "Keys" beside it.

import { byId, say } from "./dom.js";
import { add, addAt, label, labelsOf, moveEdge, redo, remove, undo } from "./edits.js";
import { fit, pan, reveal, view, zoom } from "./signal.js";
import { changed, currentFile, select, store } from "./store.js";
import { className, seconds, w } from "./words.js";

// One press moves an edge by a 400th of what is seen: zoom in for a finer step.
const step = () => Math.max(0.001, (view.until - view.from) / 400);

export function chooseRepetition(index) {
  const file = currentFile();
  const repetition = file?.repetitions[index];
  if (!repetition) return;
  select(index);
  reveal(repetition);
  const values = {
    n: index + 1,
    of: file.repetitions.length,
    from: seconds(repetition.start_s),
    until: seconds(repetition.stop_s),
  };
  say(w("said_chosen", { ...values, label: repetition.label ? className(repetition.label) : w("no_label") }));
}

function arrow(file, direction, large) {
  const repetition = file.repetitions[store.selected];
  if (!repetition) {
    pan(0.1 * direction);
    return;
  }
  const time = repetition[`${store.edge}_s`] + direction * step() * (large ? 10 : 1);
  moveEdge(file, store.selected, store.edge, time);
  const now = file.repetitions[store.selected][`${store.edge}_s`];
  say(w(store.edge === "start" ? "said_start" : "said_stop", { n: store.selected + 1, time: seconds(now) }));
}

function chooseEdge(edge) {
  store.edge = edge;
  changed();
  say(w(edge === "start" ? "said_edge_start" : "said_edge_stop"));
}

// What to do on a key, or undefined where the key isn't ours.
function action(event, file) {
  const n = file.repetitions.length;
  const chosen = store.selected;
  switch (event.key) {
    case "]":
      return () => chooseRepetition(Math.min(n - 1, chosen + 1));
    case "[":
      return () => chooseRepetition(chosen < 0 ? n - 1 : Math.max(0, chosen - 1));
    case "ArrowLeft":
      return () => arrow(file, -1, event.shiftKey);
    case "ArrowRight":
      return () => arrow(file, 1, event.shiftKey);
    case "ArrowUp":
      return chosen < 0 ? undefined : () => chooseEdge("start");
    case "ArrowDown":
      return chosen < 0 ? undefined : () => chooseEdge("stop");
    case "PageUp":
      return () => pan(-0.8);
    case "PageDown":
      return () => pan(0.8);
    case "+":
    case "=":
      return () => zoom(0.6, middle(file));
    case "-":
    case "_":
      return () => zoom(1 / 0.6, middle(file));
    case "0":
    case "Home":
      return fit;
    case "Delete":
    case "Backspace":
      return chosen < 0 ? undefined : () => remove(file, chosen);
    case "n":
    case "N":
      return () => addHere(file);
    case "Escape":
      return () => leave();
    default:
  }
  const place = Number(event.key);
  if (place >= 1 && place <= 9 && chosen >= 0) {
    const text = labelsOf(file)[place - 1];
    if (text) return () => label(file, chosen, text);
  }
  return undefined;
}

const middle = (file) => {
  const repetition = file.repetitions[store.selected];
  return repetition ? (repetition.start_s + repetition.stop_s) / 2 : undefined;
};

function addHere(file) {
  if (store.mark) {
    add(file, ...store.mark);
    store.mark = null;
  } else if (!addAt(file, (view.from + view.until) / 2) && !addInGap(file)) say(w("said_no_room"));
}

// The longest free gap that is seen takes the new repetition.
export function addInGap(file) {
  let best = [0, 0];
  let last = 0;
  for (const one of [...file.repetitions, { start_s: file.duration_s, stop_s: file.duration_s }]) {
    const from = Math.max(view.from, last);
    const until = Math.min(view.until, one.start_s);
    if (until - from > best[1] - best[0]) best = [from, until];
    last = Math.max(last, one.stop_s);
  }
  return best[1] > best[0] && addAt(file, (best[0] + best[1]) / 2);
}

function leave() {
  store.mark = null;
  select(-1);
  say(w("said_none_chosen"));
}

export function watchKeys() {
  byId("signal").addEventListener("keydown", (event) => {
    const file = currentFile();
    if (!file || event.target.closest("button,input,select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const work = action(event, file);
    if (!work) return;
    event.preventDefault();
    work();
  });
  // Undo works everywhere but in a field, which undoes its own text.
  document.addEventListener("keydown", (event) => {
    const file = currentFile();
    const key = event.key.toLowerCase();
    if (!file || !(event.ctrlKey || event.metaKey) || event.target.closest("input,textarea")) return;
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) redo(file);
    else undo(file);
  });
}
