// The recordings of the visit: the list at the side, what is on its way, and the table of all.

import * as api from "./api.js";
import { answer } from "./answers.js";
import { button, byId, h, say, scroll } from "./dom.js";
import { aboutInput, rateForm, removeFile } from "./heading.js";
import { act, changed, chooseFile, markUnsaved, showView, store, take } from "./store.js";
import { saveAnswers, saveTable } from "./keep.js";
import { progress } from "./training.js";
import { seconds, w } from "./words.js";

const AT_ONCE = 2; // uploads under way together
const queue = [];
let running = 0;

// Add files: each is sent, read and shown for itself, and a bad one costs only itself.
export function addFiles(list) {
  const { limits, files } = store.state;
  for (const file of list) {
    const item = { name: file.name, share: 0, problem: "", file };
    const mb = file.name.endsWith(".semg.zip") ? limits.session_mb : limits.mb;
    if (file.size > mb * 1e6) item.problem = w("too_big", { file: file.name, mb });
    else if (files.length + queue.length + running >= limits.files)
      item.problem = w("too_many", { file: file.name, n: limits.files });
    else queue.push(item);
    store.uploads.push(item);
  }
  if (list.length) say(w("said_sending", { n: list.length }));
  if (list.length > 1) showView("all");
  changed();
  next();
}

function next() {
  while (running < AT_ONCE && queue.length) {
    running += 1;
    sendOne(queue.shift()).finally(() => {
      running -= 1;
      if (running + queue.length === 0) finished();
      else next();
    });
  }
}

async function sendOne(item) {
  item.sending = true;
  try {
    const before = new Set(store.state.files.map((file) => file.id));
    const state = await api.upload(item.file, (share) => {
      item.share = share;
      changed();
    });
    store.uploads = store.uploads.filter((one) => one !== item);
    take(state);
    const added = state.files.filter((file) => !before.has(file.id));
    if (added.length && store.view === "recording") chooseFile(added.at(-1).id);
    for (const file of added) {
      if (file.kind === "failed") say(file.problem);
      else say(w("said_read", { file: file.name, n: file.repetitions.length }));
    }
    if (!added.length && state.problems.length) say(state.problems.at(-1)); // of a table
  } catch (error) {
    item.problem = error instanceof TypeError ? w("no_server") : error.message;
    item.sending = false;
    say(`${item.name}: ${item.problem}`);
  }
  markUnsaved(store.unsaved || store.state.files.length > 0);
  changed();
}

function finished() {
  const bad =
    store.uploads.filter((item) => item.problem).length +
    store.state.files.filter((file) => file.kind === "failed").length;
  if (bad) say(w("said_all_read_bad", { n: store.state.files.length, bad }));
}

export async function openSample() {
  if (await act("sample", {})) {
    chooseFile(store.state.files.at(-1).id);
    say(w("said_read", { file: store.state.files.at(-1).name, n: store.state.files.at(-1).repetitions.length }));
    byId("signal").focus({ preventScroll: true });
  }
}

const isAnswering = (file) => store.job?.kind === "answer" && store.job.file === file.id;

// One line on how far a file is.
function standing(file) {
  if (file.kind === "failed") return file.problem;
  if (isAnswering(file)) return w("state_answering");
  const n = file.repetitions?.length || 0;
  const labelled = (file.repetitions || []).filter((one) => one.label).length;
  if (file.answered) return file.verdict.text;
  if (file.kind === "matrix") return w("state_matrix");
  return labelled ? w("state_labelled", { n: labelled, of: n }) : w("state_repetitions", { n });
}

function uploadItem(item) {
  const attributes = { class: item.problem ? "upload bad" : "upload", "data-key": `up ${store.uploads.indexOf(item)}` };
  return h("li", attributes, h("span", { class: "name" }, item.name), uploadState(item));
}

function uploadState(item) {
  const { share, sending, problem, name } = item;
  if (problem) {
    const label = `${w("close")}: ${w("dismiss", { file: name })}`;
    const close = button(w("close"), () => forget(item), { class: "quiet small", "aria-label": label });
    return [h("span", { class: "state" }, problem), " ", close];
  }
  const state = share < 1 ? w(sending ? "state_sending" : "state_waiting") : w("state_reading");
  const done = share < 1 ? { max: 1, value: share } : {};
  return [h("progress", { ...done, "aria-label": name }), h("span", { class: "state" }, state)];
}

function uploadRow(item) {
  return h(
    "tr",
    { class: item.problem ? "failed" : "", "data-key": `up ${store.uploads.indexOf(item)}` },
    h("th", { scope: "row" }, item.name),
    h("td", { colspan: 8, class: "standing" }, uploadState(item)),
  );
}

function forget(item) {
  store.uploads = store.uploads.filter((one) => one !== item);
  changed();
}

// By name, since files arrive in the order in which they are read.
function byName() {
  const order = new Intl.Collator(undefined, { numeric: true });
  return [...store.state.files].sort((a, b) => order.compare(a.name, b.name) || a.id - b.id);
}

export function fileList() {
  const item = (file) => {
    const current = file.id === store.fileId && store.view === "recording";
    const about = [file.about.person, file.about.muscle, file.about.date].filter(Boolean).join(" · ");
    const texts = [
      h("span", { class: "name" }, file.name),
      about && h("span", { class: "who" }, about),
      h("span", { class: "state" }, standing(file)),
    ];
    const attributes = { class: "file", "aria-current": current ? "true" : null };
    return h(
      "li",
      { class: file.kind, "data-key": `file ${file.id}` },
      button(texts, () => chooseFile(file.id), attributes),
    );
  };
  return [
    h("h2", { class: "side-title", "data-key": "title" }, w("files")),
    h("ul", { "data-key": "list" }, byName().map(item), store.uploads.map(uploadItem)),
    button(w("add_files"), () => byId("chooser").click(), { class: "add-files", "data-key": "add" }),
    h("p", { class: "note", "data-key": "note" }, w("add_files_how")),
  ];
}

function removeButton(file) {
  const attributes = { class: "quiet small", "aria-label": w("remove_named", { file: file.name }) };
  return h("td", { class: "drop-file" }, button("✕", () => removeFile(file), attributes));
}

function fileRow(file) {
  const name = h("th", { scope: "row" }, button(file.name, () => chooseFile(file.id), { class: "quiet link" }));
  const attributes = { "data-key": `all ${file.id}`, class: file.kind };
  if (file.kind === "failed") {
    const rate = file.needs === "rate" && rateForm(file, "all");
    const state = h("td", { class: "standing", colspan: 7 }, file.problem, rate);
    return h("tr", attributes, name, state, removeButton(file));
  }
  const recorded = file.kind === "recording";
  const about = ["person", "muscle", "side", "date"].map((key) => {
    const input = aboutInput(file, key, { "aria-label": `${w(`about_${key}`)}, ${file.name}` });
    return h("td", { "data-name": w(`about_${key}`) }, input);
  });
  const figure = (text) => h("td", { class: "figure" }, recorded ? text : "–");
  const labelled = file.repetitions.filter((one) => one.label).length;
  const state = recorded && !file.answered && !isAnswering(file) ? w("state_open") : standing(file);
  return h(
    "tr",
    attributes,
    name,
    about,
    figure(w("fact_seconds", { n: seconds(file.duration_s, 1) })),
    figure(`${labelled} / ${file.repetitions.length}`),
    h("td", { class: "standing" }, state),
    removeButton(file),
  );
}

// What is done with all recordings together.
function ofAll() {
  const tool = (key, work, kind) => button(w(key), work, { class: kind, disabled: Boolean(store.job) });
  const judge = store.state.run.kind === "none" ? ["choose_model", () => showView("training")] : ["answer_all", answer];
  const unfold = () => {
    store.unfolded = !store.unfolded;
    changed();
  };
  const folded = { class: "narrow", "aria-expanded": String(store.unfolded) };
  return [
    tool(...judge, "primary"),
    tool("save_table", saveTable),
    tool("save_json", saveAnswers),
    button(w("about_files"), unfold, folded),
  ];
}

const COLUMNS = ["column_file", "about_person", "about_muscle", "about_side", "about_date", "column_length",
  "column_labelled", "column_state"]; // prettier-ignore

export function allFiles() {
  const files = byName();
  const heads = COLUMNS.map((key) => h("th", { scope: "col" }, w(key)));
  const last = h("th", { scope: "col" }, h("span", { class: "unseen" }, w("remove_file")));
  const head = h("thead", {}, h("tr", {}, heads, last));
  const body = h("tbody", {}, files.map(fileRow), store.uploads.map(uploadRow));
  return [
    h("h2", { "data-key": "title" }, w("view_all")),
    h("p", { class: "lead", "data-key": "lead" }, w("all_lead", { n: files.length })),
    store.job?.kind === "answer" && progress(store.job),
    h("div", { class: "row", "data-key": "act" }, ofAll()),
    scroll(
      { class: "scroll panel", "data-key": "table", "aria-label": w("view_all") },
      h("table", { class: store.unfolded ? "all" : "all folded" }, head, body),
    ),
  ];
}

export function watchDrops() {
  const chooser = byId("chooser");
  chooser.addEventListener("change", () => {
    addFiles([...chooser.files]);
    chooser.value = "";
  });
  let depth = 0;
  const hold = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => {
    if (!hold(event)) return;
    depth += 1;
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (hold(event) && (depth -= 1) <= 0) document.body.classList.remove("dropping");
  });
  document.addEventListener("dragover", (event) => hold(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!hold(event)) return;
    event.preventDefault();
    depth = 0;
    document.body.classList.remove("dropping");
    addFiles([...event.dataTransfer.files]);
  });
}
