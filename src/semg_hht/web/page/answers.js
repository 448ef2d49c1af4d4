// Answers: the verdict of the recording, the run that gives it, and why a repetition was answered as it was.

import * as api from "./api.js";
import { button, h, say } from "./dom.js";
import { sendEdits } from "./edits.js";
import { sendFields } from "./heading.js";
import { act, changed, complain, currentFile, follow, showView, store } from "./store.js";
import { percent, w } from "./words.js";
import { progress } from "./training.js";

const asked = new Set(); // keys of pictures that are being drawn
const explained = new Set(); // "file:index" of the repetitions whose reasons are on their way
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

export function runName(run = store.state.run) {
  return run.kind === "none" ? "" : w(`run_${run.kind}`, { name: run.name });
}

// The first sentence is enough to choose by; the others are one click away.
function firstSentence(text) {
  const [first, ...rest] = text.split(/(?<=[.。])\s*(?=\p{Lu}|\p{Script=Han})/u);
  if (!rest.length) return h("p", { class: "note" }, first);
  const more = h("details", {}, h("summary", {}, w("more")), h("p", { class: "note" }, rest.join(" ")));
  return [h("p", { class: "note" }, first), more];
}

// Nothing can answer yet: the runs that can be had, each with a sentence what it is.
function choices() {
  const { run } = store.state;
  const offer = (name, key, work, said, kind) =>
    h("div", { class: "offer", "data-key": name }, button(w(key), work, { class: kind }), said);
  return [
    h("p", { "data-key": "choose" }, w("no_run")),
    run.shipped_sentence &&
      offer("shipped", "take_shipped", () => takeRun("shipped"), firstSentence(run.shipped_sentence), "primary"),
    run.can_practice && offer("practice", "take_practice", () => takeRun("practice"), firstSentence(w("practice_is"))),
    offer("own", "train_own", () => showView("training"), h("p", { class: "note" }, w("train_own_is"))),
  ];
}

// What gives the answers, the button to have them, and whether recorded gender is asked for too.
function judging(answered) {
  const { run } = store.state;
  const asks = run.tasks && "gender" in run.tasks;
  const toggle = (event) => {
    store.gender = event.target.checked;
    changed();
  };
  const box = () => h("input", { type: "checkbox", onchange: toggle, checked: store.gender });
  const attributes = { class: "primary", id: "answer", disabled: Boolean(store.job) };
  return [
    h(
      "div",
      { class: "row", "data-key": "act" },
      button(w(answered ? "answer_again" : "answer"), answer, attributes),
      asks && h("label", { class: "check" }, box(), w("also_gender")),
    ),
    asks && store.gender && h("p", { class: "note", "data-key": "gendernote" }, w("gender_how")),
    h(
      "details",
      { class: "run", "data-key": "run" },
      h("summary", {}, runName()),
      run.sentence && h("p", { class: "note" }, run.sentence),
      button(w("other_run"), () => showView("training"), { class: "small" }),
    ),
  ];
}

export function verdict(file) {
  const { run } = store.state;
  const { verdict: said, answered, other_run: other } = file;
  const title = h("h3", { id: "verdict-title", "data-key": "title" }, w("verdict"));
  if (["answer", "practice"].includes(store.job?.kind)) return [title, progress(store.job)];
  const line = (key, text, attributes) => text && h("p", { "data-key": key, ...attributes }, text);
  const unlike = said.unlike.map((sentence) => h("li", {}, sentence));
  return [
    title,
    line("text", said.text, { class: "verdict" }),
    line("detail", said.detail),
    unlike.length > 0 && h("ul", { class: "unlike-list", "data-key": "unlike" }, unlike),
    line("other", other, { class: "warning" }),
    line("warning", said.warning || run.note, { class: "warning" }),
    run.kind === "none" ? choices() : judging(answered),
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
    const sayWhy = () => {
      const why = store.state.files.find((one) => one.id === file.id)?.repetitions[index]?.why || [];
      if (why.length) say(why.map((one) => one.sentence).join(" "));
      return why.length > 0;
    };
    const asking = `${file.id}:${index}`;
    explained.add(asking);
    const isTaken = await act("why", { file: file.id, repetition: index + 1 });
    explained.delete(asking);
    changed();
    if (isTaken && !sayWhy()) follow(sayWhy); // during a training the reasons come at once
  },

  of(file, index) {
    const repetition = file.repetitions[index];
    const views = repetition.why.filter((view) => view.task !== "gender" || store.gender);
    const answers = repetition.answers.filter((one) => one.task !== "gender" || store.gender);
    const key = `${file.id}:${repetition.start_s}:${repetition.stop_s}`;
    const isAsked = explained.has(`${file.id}:${index}`) && h("p", { class: "note", role: "status" }, w("job_why"));
    const waiting = !views.length && (store.job?.kind === "why" ? progress(store.job) : isAsked);
    const figures = views.map((view) => [
      view.details.length > 0 && h("ul", {}, view.details.map((detail) => h("li", {}, detail))),
      view.picture && h("img", { src: view.picture, alt: w("evidence_picture", { n: index + 1 }) }),
    ]);
    const draw = (event) => event.target.open && picture(file, index, key);
    const fold = (name, attributes, ...content) =>
      h("details", { "data-key": `${name} ${key}`, ...attributes }, h("summary", {}, w(name)), content);
    return h(
      "div",
      { class: "reasons" },
      waiting,
      views.map((view) => h("p", { class: "sentence" }, view.sentence)),
      repetition.unlike.map((sentence) => h("p", { class: "unlike" }, sentence)),
      fold("numbers", {}, answers.map(bars), figures),
      fold("picture", { ontoggle: draw }, pictureOf(key, index)),
    );
  },
};

function bars({ task_name: name, bars: shares }) {
  const bar = ([label, share]) => [
    h("dt", {}, label),
    h("dd", {}, h("meter", { min: 0, max: 1, value: share, "aria-label": label }), ` ${percent(share)}`),
  ];
  return h("div", { class: "bars" }, h("p", { class: "note" }, name), h("dl", {}, shares.map(bar)));
}

function pictureOf(key, index) {
  const drawn = pictures.has(key)
    ? h("img", { src: pictures.get(key), alt: w("picture_of", { n: index + 1 }) })
    : h("p", { class: "note" }, w("drawing"));
  return [drawn, h("p", { class: "note" }, w("picture_is"))];
}

// A matrix has no signal to show; its picture stands in its place.
export function matrixPicture(file) {
  const key = `${file.id}:matrix`;
  picture(file, 0, key);
  return h("div", { class: "panel reasons", "data-key": key }, pictureOf(key, 0));
}

async function picture(file, index, key) {
  if (pictures.has(key) || asked.has(key)) return;
  asked.add(key);
  try {
    const blob = await api.getBlob("picture", { file: file.id, repetition: index + 1 });
    pictures.set(key, URL.createObjectURL(blob));
    changed();
  } catch (error) {
    complain(error);
  } finally {
    asked.delete(key);
  }
}
