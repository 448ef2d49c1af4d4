// The page: starts the visit, shows each part anew when something changes, and wires the buttons that are always there.

import * as api from "./api.js";
import { verdict } from "./answers.js";
import { button, byId, h, say, show } from "./dom.js";
import { addWord, byServer, canRedo, canUndo, label, labelAll, labelsOf, redo, remove, undo } from "./edits.js";
import { allFiles, fileList, openSample, watchDrops } from "./files.js";
import { heading, maximum, peopleList } from "./heading.js";
import { addInGap, chooseRepetition, watchKeys } from "./keys.js";
import { conflicts, keeping, keptSessions, saveSession, watchLeaving } from "./keep.js";
import { drawMarks, markBar, watchPointer } from "./marks.js";
import {
  fit,
  hiddenChannels,
  onDraw,
  showSignal,
  toggleChannel,
  toggleEnvelope,
  view,
  watchSize,
  zoom,
} from "./signal.js";
import {
  act,
  changed,
  complain,
  currentFile,
  follow,
  markUnsaved,
  onChange,
  setLanguage,
  showView,
  stopJob,
  store,
  take,
} from "./store.js";
import { table } from "./table.js";
import { training } from "./training.js";
import { fatigue, weeks } from "./trends.js";
import { className, readWords, seconds, useWords, w } from "./words.js";

const TOLD = "semg-hht-told"; // what to say after the page begins anew
const live = byId("watch") && (await import("./live.js")); // only where the owner named a stream
const VIEWS = ["recording", "all", "weeks", "training", ...(live ? ["watch"] : [])];

function viewTools(file) {
  const hidden = hiddenChannels();
  const toggled = (toggle) => () => {
    toggle();
    changed();
  };
  const tool = (key, sign, work) => button(sign, work, { class: "small", "aria-label": w(key), title: w(key) });
  const chip = ({ name }) =>
    button(name, toggled(() => toggleChannel(name)), { class: "chip", "aria-pressed": String(!hidden.has(name)) });
  return [
    h(
      "div",
      { class: "row", "data-key": "view" },
      tool("zoom_out", "−", () => zoom(1 / 0.6)),
      tool("zoom_in", "+", () => zoom(0.6)),
      button(w("fit"), fit, { class: "small" }),
      button(w("envelope"), toggled(toggleEnvelope), { class: "small", "aria-pressed": String(view.envelope) }),
    ),
    file.channels.length > 1 &&
      h("div", { class: "chips", role: "group", "aria-label": w("channels") }, file.channels.map(chip)),
    h("p", { id: "readout", class: "figures", "aria-hidden": "true", "data-keep": "", "data-key": "readout" }),
  ];
}

// A label for the chosen repetition, or for all where none is chosen.
function labelButton(file, text, place) {
  const repetition = file.repetitions[store.selected];
  const pressed = repetition ? repetition.label === text : file.repetitions.every((one) => one.label === text);
  const work = repetition ? () => label(file, store.selected, pressed ? "" : text) : () => labelAll(file, text);
  const attributes = { class: `small label ${text}`, "aria-pressed": String(pressed), "data-key": `label ${text}` };
  const key = repetition && h("kbd", { "aria-hidden": "true" }, place + 1);
  return button([key, ` ${className(text)}`], work, attributes);
}

function wordForm() {
  const submit = (event) => {
    event.preventDefault();
    addWord(event.target.elements.word.value);
    event.target.reset();
  };
  const said = { placeholder: w("own_word"), "aria-label": w("own_word") };
  return h(
    "form",
    { class: "word", "data-key": "word", onsubmit: submit },
    h("input", { name: "word", type: "text", maxlength: 40, size: 10, autocomplete: "off", ...said }),
    h("button", { type: "submit", class: "small" }, w("add_word")),
  );
}

// What can be done with the chosen repetition, under the signal.
function repetitionBar(file) {
  const index = store.selected;
  const repetition = file.repetitions[index];
  const n = file.repetitions.length;
  const tool = (key, work, disabled) => button(w(key), work, { class: "small", disabled, "data-key": key });
  const fromSensor = ({ name }) =>
    button(
      w("from_sensor", { name }),
      () => byServer(file, "from_sensor", { sensor: name }, w("said_from_sensor")),
      { class: "small", "data-key": `sensor ${name}` },
    );
  const step = (key, sign, to) =>
    button(sign, () => chooseRepetition(to), { class: "small", "aria-label": w(key), disabled: to < 0 || to >= n });
  const chosen = repetition
    ? w("chosen_is", { n: index + 1, from: seconds(repetition.start_s), until: seconds(repetition.stop_s) })
    : w("none_chosen");
  return [
    markBar(),
    h(
      "div",
      { class: "row", "data-key": "edit" },
      tool("undo", () => undo(file), !canUndo(file)),
      tool("redo", () => redo(file), !canRedo(file)),
      tool("add", () => addInGap(file) || say(w("said_no_room"))),
      tool("find", () => byServer(file, "find", {}, w("said_found"))),
      file.channels.filter((channel) => channel.is_sensor).map(fromSensor),
    ),
    h(
      "div",
      { class: "row chosen-bar", role: "group", "aria-label": w("chosen"), "data-key": "chosen" },
      step("previous", "‹", index - 1),
      step("next", "›", index + 1),
      h("span", { class: `${repetition ? "figures" : "note"} chosen-name` }, chosen),
      !repetition && n > 0 && h("span", { class: "note", "data-key": "all" }, w("label_all")),
      n > 0 && labelsOf(file).slice(0, 9).map((text, place) => labelButton(file, text, place)),
      repetition &&
        button(w("delete"), () => remove(file, index), { class: "small danger", "data-key": "delete" }),
      wordForm(),
    ),
  ];
}

function render() {
  const { state } = store;
  if (!state) return;
  const file = currentFile();
  const empty = !state.files.length && !store.uploads.length;
  if (empty && !["training", "watch"].includes(store.view)) store.view = "recording";
  byId("welcome").hidden = !(empty && store.view === "recording");
  byId("views").hidden = empty && store.view === "recording" && !live;
  byId("files").hidden = empty;
  byId("save").hidden = !state.files.length;
  for (const name of VIEWS) {
    byId(name).hidden = store.view !== name || (name === "recording" && !file);
    byId(`to-${name}`).ariaCurrent = store.view === name ? "page" : null;
  }
  byId("language").value = state.language;
  show(
    byId("problems"),
    conflicts(),
    (state.problems || []).map((problem) => h("p", { class: "problem" }, problem)),
  );
  if (empty) show(byId("kept"), keptSessions());
  else show(byId("files"), fileList());
  show(byId("background"), backgroundBar(), live?.liveLine());
  show(byId("lists"), peopleList());
  if (store.view === "all") show(byId("all"), allFiles());
  if (store.view === "weeks") show(byId("weeks"), weeks());
  if (store.view === "training") show(byId("training"), training());
  if (store.view === "watch") show(byId("watch"), live.liveView());
  if (store.view === "recording" && file) renderRecording(file);
}

// Where the progress of work is shown large; every other view shows it in a line.
const SHOWN_LARGE = {
  recording: ["answer", "why", "practice"],
  all: ["answer"],
  weeks: [],
  training: ["train", "practice"],
  watch: [],
};

function backgroundBar() {
  const { job } = store;
  if (!job || SHOWN_LARGE[store.view].includes(job.kind)) return [];
  return [
    h("p", {}, job.stage || w(`job_${job.kind}`)),
    h("progress", { max: 1, value: job.share, "aria-label": w(`job_${job.kind}`) }),
    button(w("stop"), stopJob, { class: "small" }),
  ];
}

function renderRecording(file) {
  show(byId("heading"), heading(file));
  const recorded = file.kind === "recording";
  byId("table").hidden = !recorded && !file.repetitions.length;
  for (const id of ["signal-panel", "fatigue", "maximum"]) byId(id).hidden = !recorded;
  byId("verdict").hidden = file.kind === "failed";
  byId("keep").hidden = file.kind === "failed";
  if (recorded) {
    showSignal();
    show(byId("view-tools"), viewTools(file));
    show(byId("repetition-bar"), repetitionBar(file));
    drawMarks();
    show(byId("fatigue"), fatigue(file));
    show(byId("maximum"), maximum(file));
  }
  if (!byId("table").hidden) show(byId("table"), table(file));
  if (file.kind !== "failed") {
    show(byId("verdict"), verdict(file));
    show(byId("keep"), keeping(file));
  }
}

function wire() {
  byId("open-sample").addEventListener("click", openSample);
  byId("choose").addEventListener("click", () => byId("chooser").click());
  byId("save").addEventListener("click", saveSession);
  byId("language").addEventListener("change", (event) => setLanguage(event.target.value));
  for (const name of VIEWS) byId(`to-${name}`).addEventListener("click", () => showView(name));
  watchDrops();
  watchPointer();
  watchKeys();
  watchLeaving();
  watchSize();
  onDraw(drawMarks);
  window.addEventListener("beforeprint", fit); // paper shows the whole recording
  onChange(render);
}

async function start() {
  const wanted =
    new URL(location.href).searchParams.get("lang") ||
    localStorage.getItem("semg-hht-language") ||
    document.documentElement.lang.slice(0, 2);
  const language = wanted === "zh" ? "zh" : "en";
  useWords(language, await readWords(language));
  api.onLostVisit(() => {
    // The server has removed the visit: say so, and begin at first sight with nothing left over.
    markUnsaved(false);
    sessionStorage.setItem(TOLD, "visit_gone");
    location.reload();
  });
  wire();
  const isSecond = await api.isSecondTab();
  if (isSecond) {
    sessionStorage.removeItem("semg-hht-file");
    markUnsaved(false);
  }
  const found = isSecond ? null : await api.findVisit();
  take(found || (await api.startVisit(language)));
  if (found && found.language !== language) await act("language", { language });
  if (found) follow();
  if (live && !store.state.files.length) store.view = "watch";
  live?.watch().catch(complain);
  const told = isSecond ? "second_tab" : sessionStorage.getItem(TOLD);
  sessionStorage.removeItem(TOLD);
  if (told) complain(new Error(w(told)));
  document.body.classList.add("ready");
}

start().catch(complain);
window.addEventListener("unhandledrejection", (event) => complain(event.reason));
