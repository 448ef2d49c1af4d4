// Answers: the verdict of the recording, the run that gives it, and why a repetition was answered as it was.

import * as api from "./api.js";
import { h, say } from "./dom.js";
import { sendEdits } from "./edits.js";
import { sendFields } from "./heading.js";
import { act, changed, complain, currentFile, follow, showView, store } from "./store.js";
import { className, percent, taskName, w } from "./words.js";
import { progress } from "./training.js";

const pictures = new Map(); // "file:start:stop" -> address of the picture, drawn only where someone asks

export async function answer() {
  await Promise.all([sendEdits(), sendFields()]);
  if (await act("answer", { gender: store.gender })) follow(() => spokenVerdict());
}

function spokenVerdict() {
  const file = store.state.files.find((one) => one.id === store.fileId);
  if (file?.verdict?.text) say([file.verdict.text, file.verdict.detail].filter(Boolean).join(" "));
}

export async function takeRun(take) {
  if (await act("run", { take })) follow(() => say(w("said_run", { name: runName() })));
}

export function runName() {
  const { run } = store.state;
  return run.kind === "none" ? "" : w(`run_${run.kind}`, { name: run.name });
}

// The first sentence is enough to choose by; the others are one click away.
function firstSentence(text) {
  const [first, ...rest] = text.split(/(?<=[.。])\s*(?=\p{Lu}|\p{Script=Han})/u);
  if (!rest.length) return h("p", { class: "note" }, first);
  return [
    h("p", { class: "note" }, first),
    h("details", {}, h("summary", {}, w("more")), h("p", { class: "note" }, rest.join(" "))),
  ];
}

// Nothing can answer yet: the runs that can be had, each with a sentence what it is.
function choices() {
  const { run } = store.state;
  const offers = [];
  if (run.shipped_sentence) offers.push(["shipped", "take_shipped", run.shipped_sentence]);
  if (run.can_practice) offers.push(["practice", "take_practice", w("practice_is")]);
  return [
    h("p", {}, w("no_run")),
    offers.map(([take, key, sentence]) =>
      h(
        "div",
        { class: "offer", "data-key": take },
        h(
          "button",
          { type: "button", class: take === "shipped" ? "primary" : "", onclick: () => takeRun(take) },
          w(key),
        ),
        firstSentence(sentence),
      ),
    ),
    h(
      "div",
      { class: "offer", "data-key": "own" },
      h("button", { type: "button", onclick: () => showView("training") }, w("train_own")),
      h("p", { class: "note" }, w("train_own_is")),
    ),
  ];
}

export function verdict(file) {
  const { run } = store.state;
  const { verdict: said, answered } = file;
  const answering = store.job && ["answer", "practice"].includes(store.job.kind);
  const asks = run.tasks && "gender" in run.tasks;
  const title = h("h3", { id: "verdict-title", "data-key": "title" }, w("verdict"));
  if (answering) return [title, progress(store.job)];
  const otherRun = file.other_run && h("p", { class: "warning", "data-key": "other" }, file.other_run);
  if (run.kind === "none" && !answered) return [title, otherRun, choices()];
  const unlike = (said?.unlike || []).map((sentence) => h("li", {}, sentence));
  return [
    title,
    answered && said.text && h("p", { class: "verdict", "data-key": "text" }, said.text),
    answered && said.detail && h("p", { "data-key": "detail" }, said.detail),
    unlike.length > 0 && h("ul", { class: "unlike-list", "data-key": "unlike" }, unlike),
    otherRun,
    (said?.warning || run.note) && h("p", { class: "warning", "data-key": "warning" }, said?.warning || run.note),
    run.kind === "none" && choices(),
    run.kind !== "none" && h(
      "div",
      { class: "row", "data-key": "act" },
      h(
        "button",
        { type: "button", class: "primary", id: "answer", onclick: answer, disabled: Boolean(store.job) },
        w(answered ? "answer_again" : "answer"),
      ),
      asks &&
        h(
          "label",
          { class: "check" },
          h("input", {
            type: "checkbox",
            onchange: (event) => {
              store.gender = event.target.checked;
              changed();
            },
            checked: store.gender,
          }),
          w("also_gender"),
        ),
    ),
    asks && store.gender && h("p", { class: "note", "data-key": "gendernote" }, w("gender_how")),
    run.kind !== "none" && h(
      "details",
      { class: "run", "data-key": "run" },
      h("summary", {}, runName()),
      run.sentence && h("p", { class: "note" }, run.sentence),
      h("button", { type: "button", class: "small", onclick: () => showView("training") }, w("other_run")),
    ),
  ];
}

// Why: a sentence in the words of the profession first; numbers and the picture only for who asks.
export const reasons = {
  async toggle(index, key) {
    const file = currentFile();
    if (store.openWhy.delete(key)) {
      changed();
      return;
    }
    store.openWhy.add(key);
    changed();
    if (file.repetitions[index].why?.length) return;
    await sendEdits();
    if (await act("why", { file: file.id, repetition: index + 1 })) {
      follow(() => {
        const found = store.state.files.find((one) => one.id === file.id)?.repetitions[index];
        if (found?.why?.length) say(found.why.map((one) => one.sentence).join(" "));
      });
    }
  },

  of(file, index) {
    const repetition = file.repetitions[index];
    const views = repetition.why.filter((view) => view.task !== "gender" || store.gender);
    const answers = repetition.answers.filter((one) => one.task !== "gender" || store.gender);
    const key = `${file.id}:${repetition.start_s}:${repetition.stop_s}`;
    const waiting = !views.length && store.job?.kind === "why";
    return h(
      "div",
      { class: "reasons" },
      waiting && progress(store.job),
      views.map((view) => h("p", { class: "sentence" }, view.sentence)),
      (repetition.unlike || []).map((sentence) => h("p", { class: "unlike" }, sentence)),
      h(
        "details",
        { "data-key": `numbers ${key}` },
        h("summary", {}, w("numbers")),
        answers.map((one) => bars(one)),
        views.map(
          (view) =>
            (view.details || []).length > 0 &&
            h(
              "ul",
              {},
              view.details.map((detail) => h("li", {}, detail)),
            ),
        ),
        views.map(
          (view) => view.picture && h("img", { src: view.picture, alt: w("evidence_picture", { n: index + 1 }) }),
        ),
      ),
      h(
        "details",
        { "data-key": `picture ${key}`, ontoggle: (event) => event.target.open && picture(file, index, key) },
        h("summary", {}, w("picture")),
        pictures.has(key)
          ? h("img", { src: pictures.get(key), alt: w("picture_of", { n: index + 1 }) })
          : h("p", { class: "note" }, w("drawing")),
        h("p", { class: "note" }, w("picture_is")),
      ),
    );
  },
};

function bars({ task, task_name: name, bars: shares }) {
  return h(
    "div",
    { class: "bars" },
    h("p", { class: "note" }, name || taskName(task)),
    h(
      "dl",
      {},
      (shares || []).map(([label, share]) => [
        h("dt", {}, className(label)),
        h("dd", {}, h("meter", { min: 0, max: 1, value: share, "aria-label": className(label) }), ` ${percent(share)}`),
      ]),
    ),
  );
}

async function picture(file, index, key) {
  if (pictures.has(key)) return;
  try {
    const blob = await api.getBlob("picture", { file: file.id, repetition: index + 1 });
    pictures.set(key, URL.createObjectURL(blob));
    changed();
  } catch (error) {
    complain(error);
  }
}
