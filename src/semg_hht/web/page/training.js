// Training: what is there to learn from, the progress of the work, its honest result, and which run answers.

import { h, say } from "./dom.js";
import { sendEdits } from "./edits.js";
import { sendFields } from "./heading.js";
import { act, follow, showView, stopJob, store } from "./store.js";
import { answer, runName, takeRun } from "./answers.js";
import { className, percent, remaining, w } from "./words.js";

export function progress(job) {
  return h(
    "div",
    { class: "progress", "data-key": "progress" },
    h("p", {}, job.stage || w(`job_${job.kind}`)),
    h("progress", { max: 1, value: job.share, "aria-label": w(`job_${job.kind}`) }),
    h(
      "div",
      { class: "row" },
      h(
        "span",
        { class: "note figures" },
        [percent(job.share), remaining(job.remaining_s)].filter(Boolean).join(" · "),
      ),
      h("button", { type: "button", class: "small", onclick: () => stopJob() }, w("stop")),
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
  return h(
    "div",
    { class: "scroll", "data-key": "facts", tabindex: 0, role: "group", "aria-label": w("train_table") },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, w("about_person")),
          labels.map((label) => h("th", { scope: "col", class: "figure" }, className(label))),
        ),
      ),
      h(
        "tbody",
        {},
        [...people].map(([person, counts]) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, person),
            labels.map((label) => h("td", { class: "figure" }, counts.get(label) || "–")),
          ),
        ),
      ),
    ),
  );
}

export function training() {
  const { state, job } = store;
  const running = job && (job.kind === "train" || job.kind === "practice");
  return [
    h("h2", { "data-key": "title" }, w("view_training")),
    h("p", { class: "lead", "data-key": "lead" }, w("train_lead")),
    h(
      "section",
      { class: "panel", "data-key": "train", "aria-labelledby": "train-title" },
      h("h3", { id: "train-title" }, w("train_title")),
      labelled(),
      state.train_needs && h("p", { class: "note needs", "data-key": "needs" }, state.train_needs),
      running && progress(job),
      !running &&
        h(
          "div",
          { class: "row", "data-key": "act" },
          h(
            "button",
            {
              type: "button",
              class: "primary",
              id: "train",
              disabled: Boolean(state.train_needs) || Boolean(job),
              onclick: () => train({}),
            },
            w("train"),
          ),
          state.resumable &&
            h("button", { type: "button", id: "resume", onclick: () => train({ resume: true }) }, w("resume")),
        ),
      state.run.kind === "trained" &&
        state.run.sentence &&
        h("p", { class: "score", "data-key": "score" }, state.run.sentence),
      state.run.kind === "trained" &&
        !running &&
        h("button", { type: "button", id: "answer-all", "data-key": "use", onclick: answerAll }, w("answer_all")),
    ),
    h(
      "section",
      { class: "panel", "data-key": "runs", "aria-labelledby": "runs-title" },
      h("h3", { id: "runs-title" }, w("runs_title")),
      h("p", { "data-key": "now" }, state.run.kind === "none" ? w("no_run_short") : w("run_now", { name: runName() })),
      state.run.kind !== "none" &&
        state.run.kind !== "trained" &&
        state.run.sentence &&
        h("p", { class: "note", "data-key": "sentence" }, state.run.sentence),
      h(
        "div",
        { class: "offers", "data-key": "offers" },
        offers(state).map(([take, name, sentence]) =>
          h(
            "div",
            { class: "offer", "data-key": take },
            h("button", { type: "button", disabled: Boolean(job), onclick: () => takeRun(take) }, name),
            h("p", { class: "note" }, sentence),
          ),
        ),
      ),
    ),
  ];
}

function offers({ run }) {
  if (run.choices)
    return run.choices
      .filter((one) => one.take !== run.kind)
      .map((one) => [one.take, w("take_named", { name: one.name }), one.sentence]);
  const found = [];
  if (run.kind !== "shipped" && run.shipped_sentence) found.push(["shipped", w("take_shipped"), run.shipped_sentence]);
  if (run.kind !== "practice" && run.can_practice) found.push(["practice", w("take_practice"), w("practice_is")]);
  return found;
}
