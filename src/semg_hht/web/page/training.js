// Training: what is there to learn from, the progress of the work, its honest result, and which run answers.

import { button, figuresTable, h, say, scroll } from "./dom.js";
import { sendEdits } from "./edits.js";
import { sendFields } from "./heading.js";
import { act, follow, showView, stopJob, store } from "./store.js";
import { answer, runName, takeRun } from "./answers.js";
import { className, percent, remaining, w } from "./words.js";

export function progress(job) {
  const left = [percent(job.share), remaining(job.remaining_s)].filter(Boolean).join(" · ");
  return h(
    "div",
    { class: "progress", "data-key": "progress" },
    h("p", {}, job.stage || w(`job_${job.kind}`)),
    h("progress", { max: 1, value: job.share, "aria-label": w(`job_${job.kind}`) }),
    h(
      "div",
      { class: "row" },
      h("span", { class: "note figures" }, left),
      button(w("stop"), stopJob, { class: "small" }),
    ),
  );
}

function answerAll() {
  showView("all");
  answer();
}

async function train(body) {
  await Promise.all([sendEdits(), sendFields()]);
  if (await act("train", body)) {
    follow(() => {
      const { run } = store.state;
      say(run.kind === "trained" ? [w("said_trained"), run.sentence].join(" ") : w("said_stopped"));
    });
  }
}

// How many repetitions of each label each person has: what a model can learn from.
function labelled() {
  const files = store.state.files.filter((file) => file.kind === "recording");
  const labels = [...new Set(files.flatMap((file) => file.repetitions.map((one) => one.label)).filter(Boolean))];
  if (!labels.length) return h("p", { class: "note", "data-key": "facts" }, w("train_no_labels"));
  const people = new Map();
  for (const file of files) {
    const person = file.about.person || w("no_person");
    const counts = people.get(person) || new Map();
    for (const { label } of file.repetitions) if (label) counts.set(label, (counts.get(label) || 0) + 1);
    people.set(person, counts);
  }
  const heads = [[w("about_person")], ...labels.map((label) => [className(label), "figure"])];
  const rows = [...people].map(([person, counts]) => [person, ...labels.map((label) => counts.get(label) || "–")]);
  const attributes = { class: "scroll", "data-key": "facts", "aria-label": w("train_table") };
  return scroll(attributes, figuresTable(heads, rows));
}

export function training() {
  const { state, job } = store;
  const { run } = state;
  const running = ["train", "practice"].includes(job?.kind);
  const isTrained = run.kind === "trained";
  const others = run.choices.filter((one) => one.take !== run.kind);
  const trainButton = { class: "primary", id: "train", disabled: Boolean(state.train_needs) || Boolean(job) };
  const offer = ({ take, name, sentence }) =>
    h(
      "div",
      { class: "offer", "data-key": take },
      button(w("take_named", { name }), () => takeRun(take), { disabled: Boolean(job) }),
      h("p", { class: "note" }, sentence),
    );
  return [
    h("h2", { "data-key": "title" }, w("view_training")),
    h("p", { class: "lead", "data-key": "lead" }, w("train_lead")),
    h(
      "section",
      { class: "panel", "data-key": "train", "aria-labelledby": "train-title" },
      h("h3", { id: "train-title" }, w("train_title")),
      labelled(),
      state.train_needs && h("p", { class: "note needs", "data-key": "needs" }, state.train_needs),
      running
        ? progress(job)
        : h(
            "div",
            { class: "row", "data-key": "act" },
            button(w("train"), () => train({}), trainButton),
            state.resumable && button(w("resume"), () => train({ resume: true }), { id: "resume" }),
          ),
      isTrained && run.sentence && h("p", { class: "score", "data-key": "score" }, run.sentence),
      isTrained && !running && button(w("answer_all"), answerAll, { id: "answer-all", "data-key": "use" }),
    ),
    h(
      "section",
      { class: "panel", "data-key": "runs", "aria-labelledby": "runs-title" },
      h("h3", { id: "runs-title" }, w("runs_title")),
      h("p", { "data-key": "now" }, run.kind === "none" ? w("no_run_short") : w("run_now", { name: runName() })),
      !isTrained &&
        run.kind !== "none" &&
        h("p", { class: "note", "data-key": "sentence" }, run.sentence),
      h("div", { class: "offers", "data-key": "offers" }, others.map(offer)),
    ),
  ];
}
