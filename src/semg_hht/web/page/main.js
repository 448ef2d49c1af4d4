// The page: starts the visit, shows each part anew when something changes, and wires the buttons that are always there.

import * as api from "./api.js";
import { verdict } from "./answers.js";
import { byId, h, say, show } from "./dom.js";
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
import { className, loadWords, seconds, w } from "./words.js";

const TOLD = "semg-hht-told"; // what to say after the page begins anew
const VIEWS = ["recording", "all", "weeks", "training"];

function viewTools(file) {
  const hidden = hiddenChannels();
  const tool = (key, sign, work) =>
    h("button", { type: "button", class: "small", onclick: work, "aria-label": w(key), title: w(key) }, sign);
  const chips =
    file.channels.length > 1 &&
    h(
      "div",
      { class: "chips", role: "group", "aria-label": w("channels") },
      file.channels.map(({ name }) =>
        h(
          "button",
          {
            type: "button",
            class: "chip",
            "aria-pressed": String(!hidden.has(name)),
            onclick: () => {
              toggleChannel(name);
              changed();
            },
          },
          name,
        ),
      ),
    );
  return [
    h(
      "div",
      { class: "row", "data-key": "view" },
      tool("zoom_out", "−", () => zoom(1 / 0.6)),
      tool("zoom_in", "+", () => zoom(0.6)),
      h("button", { type: "button", class: "small", onclick: fit }, w("fit")),
      h(
        "button",
        {
          type: "button",
          class: "small",
          "aria-pressed": String(view.envelope),
          onclick: () => {
            toggleEnvelope();
            changed();
          },
        },
        w("envelope"),
      ),
    ),
    chips,
    h("p", { id: "readout", class: "figures", "aria-hidden": "true", "data-keep": "", "data-key": "readout" }),
  ];
}

// A label for the chosen repetition, or for all where none is chosen.
function labelButton(file, text, place) {
  const repetition = file.repetitions[store.selected];
  const pressed = repetition ? repetition.label === text : file.repetitions.every((one) => one.label === text);
  const work = repetition ? () => label(file, store.selected, pressed ? "" : text) : () => labelAll(file, text);
  return h(
    "button",
    {
      type: "button",
      class: `small label ${text}`,
      "aria-pressed": String(pressed),
      "data-key": `label ${text}`,
      onclick: work,
    },
    repetition && h("kbd", { "aria-hidden": "true" }, place + 1),
    ` ${className(text)}`,
  );
}

// What can be done with the chosen repetition, under the signal.
function repetitionBar(file) {
  const index = store.selected;
  const repetition = file.repetitions[index];
  const button = (key, work, off, extra = {}) =>
    h("button", { type: "button", class: "small", onclick: work, disabled: off, "data-key": key, ...extra }, w(key));
  const labels = labelsOf(file).slice(0, 9);
  const sensors = file.channels.filter((channel) => channel.is_sensor);
  return [
    markBar(),
    h(
      "div",
      { class: "row", "data-key": "edit" },
      button("undo", () => undo(file), !canUndo(file)),
      button("redo", () => redo(file), !canRedo(file)),
      button("add", () => addInGap(file) || say(w("said_no_room")), false),
      button("find", () => byServer(file, "find", {}, w("said_found")), false),
      sensors.map(({ name }) =>
        h(
          "button",
          {
            type: "button",
            class: "small",
            "data-key": `sensor ${name}`,
            onclick: () => byServer(file, "from_sensor", { sensor: name }, w("said_from_sensor")),
          },
          w("from_sensor", { name }),
        ),
      ),
    ),
    h(
      "div",
      { class: "row chosen-bar", role: "group", "aria-label": w("chosen"), "data-key": "chosen" },
      h(
        "button",
        {
          type: "button",
          class: "small",
          "aria-label": w("previous"),
          disabled: index <= 0,
          onclick: () => chooseRepetition(index - 1),
        },
        "‹",
      ),
      h(
        "button",
        {
          type: "button",
          class: "small",
          "aria-label": w("next"),
          disabled: index >= file.repetitions.length - 1,
          onclick: () => chooseRepetition(index + 1),
        },
        "›",
      ),
      repetition
        ? h(
            "span",
            { class: "figures chosen-name" },
            w("chosen_is", { n: index + 1, from: seconds(repetition.start_s), until: seconds(repetition.stop_s) }),
          )
        : h("span", { class: "note chosen-name" }, w("none_chosen")),
      !repetition && file.repetitions.length > 0 && h("span", { class: "note", "data-key": "all" }, w("label_all")),
      (repetition || file.repetitions.length > 0) && labels.map((text, place) => labelButton(file, text, place)),
      repetition &&
        h(
          "button",
          { type: "button", class: "small danger", "data-key": "delete", onclick: () => remove(file, index) },
          w("delete"),
        ),
      h(
        "form",
        {
          class: "word",
          "data-key": "word",
          onsubmit: (event) => {
            event.preventDefault();
            addWord(event.target.elements.word.value);
            event.target.elements.word.value = "";
          },
        },
        h("input", {
          name: "word",
          type: "text",
          maxlength: 40,
          size: 10,
          placeholder: w("own_word"),
          "aria-label": w("own_word"),
          autocomplete: "off",
        }),
        h("button", { type: "submit", class: "small" }, w("add_word")),
      ),
    ),
  ];
}

function render() {
  const { state } = store;
  if (!state) return;
  const file = currentFile();
  const empty = !state.files.length && !store.uploads.length;
  if (empty && (store.view === "recording" || store.view === "all" || store.view === "weeks")) store.view = "recording";
  byId("welcome").hidden = !(empty && store.view === "recording");
  byId("views").hidden = empty && store.view === "recording";
  byId("files").hidden = empty;
  byId("save").hidden = !state.files.length;
  for (const name of VIEWS) {
    byId(name).hidden = store.view !== name || (name === "recording" && !file);
    byId(`to-${name}`).toggleAttribute("aria-current", store.view === name);
    if (store.view === name) byId(`to-${name}`).setAttribute("aria-current", "page");
  }
  byId("language").value = state.language;
  show(
    byId("problems"),
    conflicts(),
    (state.problems || []).map((problem) => h("p", { class: "problem" }, problem)),
  );
  if (empty) show(byId("kept"), keptSessions());
  else show(byId("files"), fileList());
  show(byId("background"), backgroundBar());
  show(byId("lists"), peopleList());
  if (store.view === "all") show(byId("all"), allFiles());
  if (store.view === "weeks") show(byId("weeks"), weeks());
  if (store.view === "training") show(byId("training"), training());
  if (store.view === "recording" && file) renderRecording(file);
}

// Work in the background is seen from every view but the one that shows it large.
function backgroundBar() {
  const { job, view: name } = store;
  if (
    !job ||
    (name === "training" && ["train", "practice"].includes(job.kind)) ||
    (["recording", "all"].includes(name) && job.kind === "answer") ||
    (name === "recording" && ["why", "practice"].includes(job.kind))
  )
    return [];
  return [
    h("p", {}, job.stage || w(`job_${job.kind}`)),
    h("progress", { max: 1, value: job.share, "aria-label": w(`job_${job.kind}`) }),
    h("button", { type: "button", class: "small", onclick: () => stopJob() }, w("stop")),
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
  const language =
    new URL(location.href).searchParams.get("lang") ||
    localStorage.getItem("semg-hht-language") ||
    document.documentElement.lang.slice(0, 2);
  await loadWords(language === "zh" ? "zh" : "en");
  api.onLostVisit(() => {
    // The server has removed the visit: say so, and begin at first sight with nothing left over.
    markUnsaved(false);
    sessionStorage.setItem(TOLD, "visit_gone");
    location.reload();
  });
  wire();
  const isSecond = await api.isSecondTab();
  if (isSecond) {
    for (const key of ["semg-hht-file", "semg-hht-unsaved"]) sessionStorage.removeItem(key);
    markUnsaved(false);
  }
  const found = api.hasVisit() && !isSecond ? await api.findVisit() : null;
  if (found) {
    take(found);
    if (found.language !== language) await act("language", { language });
    follow();
  } else take(await api.startVisit(language === "zh" ? "zh" : "en"));
  const told = sessionStorage.getItem(TOLD);
  sessionStorage.removeItem(TOLD);
  if (told || isSecond) complain(new Error(w(told || "second_tab")));
  document.body.classList.add("ready");
}

start().catch(complain);
window.addEventListener("unhandledrejection", (event) => complain(event.reason));
