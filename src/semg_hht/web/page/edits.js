// Changes of the repetitions of a recording: each can be undone, is shown at once, and is sent shortly after.

import * as api from "./api.js";
import { say } from "./dom.js";
import { act, changed, complain, currentFile, markUnsaved, pending, select, store, take } from "./store.js";
import { className, seconds, w } from "./words.js";

export const SHORTEST_S = 0.05;
const TOGETHER_MS = 1500; // moves of one edge within this time are one step to undo
const SEND_AFTER_MS = 300;
const histories = new Map(); // file id -> {past, future, last, at}

function historyOf(file) {
  const known = histories.get(file.id);
  if (known && known.duration_s === file.duration_s) return known;
  // A file that was read again with another rate has other times: former steps don't fit it.
  const fresh = { past: [], future: [], last: "", at: 0, duration_s: file.duration_s };
  histories.set(file.id, fresh);
  return fresh;
}

export function canUndo(file) {
  return historyOf(file).past.length > 0;
}

export function canRedo(file) {
  return historyOf(file).future.length > 0;
}

// Replace the repetitions. `step` names the change: the same name again shortly after joins the former step.
export function edit(file, repetitions, step) {
  const history = historyOf(file);
  const now = Date.now();
  if (step !== history.last || now - history.at > TOGETHER_MS || step === "") history.past.push(file.repetitions);
  history.last = step;
  history.at = now;
  history.future = [];
  put(file, repetitions);
}

function put(file, repetitions) {
  const sorted = [...repetitions].sort((a, b) => a.start_s - b.start_s);
  sorted.forEach((repetition, index) => {
    if (repetition.number !== index + 1) sorted[index] = { ...repetition, number: index + 1 };
  });
  file.repetitions = sorted;
  pending.set(file.id, sorted);
  markUnsaved(true);
  changed();
  clearTimeout(timers.get(file.id));
  sendAfter(file.id, SEND_AFTER_MS);
}

const sendAfter = (id, ms) => timers.set(id, setTimeout(send, ms, id));

const timers = new Map();
const sending = new Map(); // file id -> the request under way

async function send(id) {
  await sending.get(id);
  if (!pending.has(id)) return;
  const sent = pending.get(id);
  const request = (async () => {
    try {
      const state = await api.post("repetitions", { file: id, repetitions: sent.map(bare) });
      if (pending.get(id) === sent) pending.delete(id);
      take(state);
    } catch (error) {
      complain(error);
      if (api.willPass(error)) {
        sendAfter(id, api.SEND_AGAIN_MS);
        return;
      }
      if (pending.get(id) === sent) pending.delete(id); // a later change is sent by itself
      take(await api.get("state"));
    }
  })();
  sending.set(id, request);
  await request;
}

// Send at once what still waits: before answering, saving or leaving.
export async function sendEdits() {
  for (const [id, timer] of timers) {
    clearTimeout(timer);
    if (pending.has(id)) await send(id);
  }
}

export function sendWhileLeaving() {
  for (const [id, repetitions] of pending) {
    api.post("repetitions", { file: id, repetitions: repetitions.map(bare) }, true).catch(() => {});
  }
}

function bare({ start_s, stop_s, label, label_by }) {
  return { start_s, stop_s, label, label_by: label_by || "" };
}

// What the server says of a repetition, and has not said yet where its times are new.
const UNKNOWN = { measures: {}, answers: [], unlike: [], why: [] };

// What an edge may not cross: the neighbours and the ends of the recording.
export function limitsOf(file, index) {
  const { repetitions } = file;
  const before = repetitions[index - 1];
  const after = repetitions[index + 1];
  return {
    low: before ? Math.min(before.stop_s, repetitions[index].start_s) : 0,
    high: after ? Math.max(after.start_s, repetitions[index].stop_s) : file.duration_s,
  };
}

export function movedEdge(file, index, edge, time) {
  const repetition = file.repetitions[index];
  const { low, high } = limitsOf(file, index);
  const round = (value) => Math.round(value * 1e4) / 1e4;
  const others = { number: repetition.number, label: repetition.label, label_by: repetition.label_by };
  const times = { start_s: repetition.start_s, stop_s: repetition.stop_s };
  if (edge === "start") times.start_s = round(Math.max(low, Math.min(time, times.stop_s - SHORTEST_S)));
  else times.stop_s = round(Math.min(high, Math.max(time, times.start_s + SHORTEST_S)));
  return { ...UNKNOWN, ...others, ...times };
}

export function moveEdge(file, index, edge, time, step = `move ${index} ${edge}`) {
  const next = [...file.repetitions];
  next[index] = movedEdge(file, index, edge, time);
  edit(file, next, step);
}

export function add(file, from, until) {
  const start_s = Math.max(0, Math.min(from, until));
  const stop_s = Math.min(file.duration_s, Math.max(from, until));
  if (stop_s - start_s < SHORTEST_S) return;
  const made = { start_s, stop_s, label: "", label_by: "", ...UNKNOWN };
  edit(file, [...file.repetitions, made], "");
  const index = file.repetitions.findIndex((one) => one.start_s === start_s && one.stop_s === stop_s);
  select(index);
  say(w("said_added", { n: index + 1, from: seconds(start_s), until: seconds(stop_s) }));
}

// A repetition of the usual length around a time, in the gap that is there; false where no gap is.
export function addAt(file, time) {
  const lengths = file.repetitions.map((one) => one.stop_s - one.start_s).sort((a, b) => a - b);
  const length = lengths.length ? lengths[Math.floor(lengths.length / 2)] : Math.min(2, file.duration_s / 4);
  let low = 0;
  let high = file.duration_s;
  for (const one of file.repetitions) {
    if (one.start_s <= time && time <= one.stop_s) return false;
    if (one.stop_s < time) low = Math.max(low, one.stop_s);
    if (one.start_s > time) high = Math.min(high, one.start_s);
  }
  if (high - low < SHORTEST_S) return false;
  const from = Math.max(low, Math.min(time - length / 2, high - length));
  add(file, from, Math.min(high, from + length));
  return true;
}

export function remove(file, index) {
  const next = file.repetitions.filter((_, one) => one !== index);
  edit(file, next, "");
  select(Math.min(index, next.length - 1));
  say(w("said_deleted", { n: index + 1 }));
}

export function label(file, index, text) {
  const repetition = file.repetitions[index];
  if (!repetition) return;
  const next = [...file.repetitions];
  next[index] = { ...repetition, label: text, label_by: text ? "person" : "" };
  edit(file, next, "");
  say(text ? w("said_labelled", { n: index + 1, label: className(text) }) : w("said_unlabelled", { n: index + 1 }));
}

// A set that was done in one way takes one press.
export function labelAll(file, text) {
  const next = file.repetitions.map((one) => ({ ...one, label: text, label_by: "person" }));
  edit(file, next, "");
  say(w("said_all_labelled", { n: next.length, label: className(text) }));
}

// The server changes the repetitions (finds them anew, labels them): what was there can be brought back.
export async function byServer(file, path, body, sentence) {
  await sendEdits();
  const before = file.repetitions;
  if (!(await act(path, { file: file.id, ...body }, sentence))) return;
  const history = historyOf(file);
  history.past.push(before);
  history.future = [];
  history.last = "";
  changed();
}

export function undo(file) {
  step(file, "past", "future", "said_undone");
}

export function redo(file) {
  step(file, "future", "past", "said_redone");
}

function step(file, from, to, sentence) {
  const history = historyOf(file);
  if (!history[from].length) {
    say(w("said_nothing"));
    return;
  }
  history[to].push(file.repetitions);
  history.last = "";
  put(file, history[from].pop());
  if (store.selected >= file.repetitions.length) select(file.repetitions.length - 1);
  say(w(sentence));
}

// Full, half and invalid first, then the words that this person or the file uses.
export function labelsOf(file) {
  const used = file ? file.repetitions.map((one) => one.label).filter(Boolean) : [];
  return [...new Set(["full", "half", "invalid", ...store.ownWords, ...used])];
}

export function addWord(word) {
  const text = word.trim().slice(0, 40);
  if (!text || labelsOf(currentFile()).includes(text)) return;
  store.ownWords.push(text);
  localStorage.setItem("semg-hht-words", JSON.stringify(store.ownWords));
  changed();
}
