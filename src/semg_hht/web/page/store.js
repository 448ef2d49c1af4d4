// What the page knows: the state that the server sent, and what only this tab decides (which file, which repetition).

import * as api from "./api.js";
import { byId, debounced, h, say } from "./dom.js";
import { readWords, useWords, w } from "./words.js";

export const store = {
  state: null,
  fileId: null, // of the recording that is shown
  selected: -1, // index of the repetition that is chosen, -1 for none
  edge: "start", // which edge the arrow keys move
  view: "recording", // recording, all, weeks, training, watch
  uploads: [], // {name, share, problem}
  job: null,
  mark: null, // [from, until] in seconds, marked on the signal
  channel: {}, // file id -> channel whose measures are shown
  gender: false,
  unfolded: false, // whether a phone shows the fields of all files
  openWhy: new Set(), // "file:start" of the rows whose reasons are shown
  unsaved: sessionStorage.getItem("semg-hht-unsaved") === "1",
  ownWords: JSON.parse(localStorage.getItem("semg-hht-words") || "[]"),
};

const listeners = [];
let scheduled = false;

export function onChange(listener) {
  listeners.push(listener);
}

export function changed() {
  if (scheduled) return;
  scheduled = true;
  queueMicrotask(() => {
    scheduled = false;
    for (const listener of listeners) listener();
  });
}

export function currentFile() {
  return store.state?.files.find((file) => file.id === store.fileId) || null;
}

export function select(index) {
  store.selected = index;
  changed();
}

export function showView(name) {
  store.view = name;
  changed();
  byId("main").focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
}

export function chooseFile(id) {
  store.fileId = id;
  store.selected = -1;
  store.mark = null;
  store.view = "recording";
  sessionStorage.setItem("semg-hht-file", id);
  changed();
}

// Repetitions that were changed here and are on their way to the server: file id -> repetitions.
export const pending = new Map();

// The server keeps a session some seconds after a change, and may find that somebody else changed it.
const KEPT_AFTER_MS = 6500;
const lookAgain = debounced(() => api.get("state").then(take, () => {}), KEPT_AFTER_MS);

// Take a state from the server. A state that is older than the shown one is dropped.
export function take(state) {
  if (!state || (store.state && state.changed < store.state.changed && state.language === store.state.language)) return;
  for (const file of state.files) if (pending.has(file.id)) file.repetitions = pending.get(file.id);
  if (state.keeps && state.changed !== store.state?.changed) lookAgain();
  store.state = state;
  if (!currentFile()) {
    const wanted = Number(sessionStorage.getItem("semg-hht-file"));
    const file = state.files.find((one) => one.id === wanted) || state.files.at(-1);
    store.fileId = file ? file.id : null;
    store.selected = -1;
  }
  const n = currentFile()?.repetitions.length || 0;
  if (store.selected >= n) store.selected = n - 1;
  changed();
}

export function markUnsaved(unsaved) {
  store.unsaved = unsaved;
  sessionStorage.setItem("semg-hht-unsaved", unsaved ? "1" : "");
}

// Say what went wrong where it can be seen, and to a screen reader.
export function complain(error) {
  const text = error instanceof TypeError ? w("no_server") : error.message;
  const close = h("button", { class: "quiet", type: "button", onclick: () => notice.remove() }, w("close"));
  const notice = h("div", { class: "alert" }, h("p", {}, text), close);
  byId("alerts").replaceChildren(notice);
}

// Send a change and take the state that answers it.
export async function act(path, body, sentence) {
  try {
    take(await api.post(path, body));
    if (!["language", "answer", "why", "stop", "run", "live_start", "live_stop"].includes(path)) markUnsaved(true);
    byId("alerts").replaceChildren();
    if (sentence) say(sentence);
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

export async function setLanguage(language) {
  let state;
  try {
    const words = await readWords(language);
    state = await api.post("language", { language });
    useWords(language, words); // together with the sentences of the server
  } catch (error) {
    complain(error);
    return;
  }
  localStorage.setItem("semg-hht-language", language);
  const address = new URL(location.href);
  address.searchParams.set("lang", language);
  history.replaceState(null, "", address);
  take(state);
  if (!store.job) return;
  const job = await api.get("job").catch(() => null);
  if (job && store.job) store.job = job.done ? null : job; // else `poll` has seen its end
  changed();
}

let polling = Promise.resolve();
let stopping = false;

export function stopJob() {
  stopping = true;
  act("stop", {}, w("said_stopped"));
}

// Ask about the work in the background until it ends.
export function follow(atEnd) {
  polling = polling.then(() => poll(atEnd));
  return polling;
}

async function poll(atEnd) {
  stopping = false;
  let stage = "";
  let ours = Boolean(atEnd); // the error of earlier work is not told again after a reload
  try {
    for (let turn = 1; ; turn += 1) {
      const job = await api.get("job");
      const isDone = job.done || !job.kind;
      const state = isDone && (await api.get("state")); // its progress is shown until its result is here
      store.job = isDone ? null : job;
      ours ||= !isDone;
      if (job.stage && job.stage !== stage && !job.done) say(job.stage);
      stage = job.stage;
      changed();
      if (isDone) {
        take(state);
        if (job.error && stopping) say(job.error);
        else if (job.error && ours) complain(new Error(job.error));
        else if (job.kind) atEnd?.(job);
        return;
      }
      if (turn % 4 === 0 && job.kind === "answer" && store.state.files.length > 1) take(await api.get("state"));
      await new Promise((resolve) => setTimeout(resolve, Math.min(400, 100 * turn))); // a "why" is there at once
    }
  } catch (error) {
    store.job = null;
    changed();
    complain(error);
  }
}
