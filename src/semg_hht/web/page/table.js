// The compact table: one row for each repetition, with what was measured, how it is labelled and what was answered.

import { h, lazy, say } from "./dom.js";
import { edit, label, labelsOf, movedEdge } from "./edits.js";
import { chooseRepetition } from "./keys.js";
import { reasons } from "./answers.js";
import { changed, complain, currentFile, store } from "./store.js";
import { className, currentLanguage, measure, percent, seconds, taskName, units, w } from "./words.js";

export function channelOf(file) {
  const names = file.channels.filter((channel) => !channel.is_sensor).map((channel) => channel.name);
  const chosen = store.channel[file.id];
  return names.includes(chosen) ? chosen : file.channels[file.strongest]?.name || names[0];
}

export const shownAnswers = (repetition) =>
  (repetition.answers || []).filter((answer) => answer.task !== "gender" || store.gender);

const whyKey = (file, repetition) => `${file.id}:${repetition.start_s}`;

function timeField(file, index, edge) {
  const repetition = file.repetitions[index];
  const change = (event) => {
    const text = event.target.value.trim().replace(",", ".");
    const time = Number(text);
    if (text === "" || !Number.isFinite(time) || time < 0 || time > file.duration_s) {
      complain(new Error(w("no_time", { found: event.target.value, duration: seconds(file.duration_s) })));
      return;
    }
    const current = currentFile();
    const next = [...current.repetitions];
    next[index] = movedEdge(current, index, edge, time);
    const got = next[index][`${edge}_s`];
    edit(current, next, "");
    event.target.value = seconds(got);
    if (Math.abs(got - time) > 0.001) say(w("said_limited", { time: seconds(got) }));
  };
  return h("input", {
    type: "text",
    inputmode: "decimal",
    size: 6,
    value: seconds(repetition[`${edge}_s`]),
    onchange: change,
    "aria-label": w(edge === "start" ? "from_of" : "until_of", { n: index + 1 }),
  });
}

function labelField(file, index) {
  const repetition = file.repetitions[index];
  const choose = (event) => label(currentFile(), index, event.target.value);
  const options = labelsOf(file).map((one) => h("option", { value: one }, className(one)));
  return h(
    "select",
    { "aria-label": w("label_of", { n: index + 1 }), value: repetition.label || "", onchange: choose },
    h("option", { value: "" }, "–"),
    options,
  );
}

// A cell says its column itself: on a phone a row is laid out in lines, without the head of the table.
function cell(kind, name, ...content) {
  return h("td", { role: "cell", class: kind, "data-name": name }, content);
}

function answerCells(repetition) {
  const answers = shownAnswers(repetition);
  if (!answers.length) return [cell("answer empty", "", "–"), cell("figure confidence empty", "", "–")];
  const texts = answers.map((answer) =>
    h(
      "span",
      { class: answer.unsure ? "unsure" : "sure" },
      answers.length > 1 ? `${answer.task_name || taskName(answer.task)}: ` : "",
      className(answer.text),
      answer.unsure && !answer.text.includes(w("unsure")) ? h("em", {}, ` (${w("unsure")})`) : "",
    ),
  );
  const unlike = (repetition.unlike || []).length > 0 && h("span", { class: "unlike" }, w("unlike"));
  return [
    cell("answer", "", texts, unlike),
    cell(
      "figure confidence",
      "",
      answers.map((answer) => h("span", { class: "line" }, percent(answer.confidence))),
    ),
  ];
}

function row(file, index, columns) {
  const { channel, share, heads } = columns;
  const repetition = file.repetitions[index];
  const measures = repetition.measures?.[channel];
  const key = whyKey(file, repetition);
  const open = store.openWhy.has(key);
  const answered = shownAnswers(repetition).length > 0;
  const recorded = file.kind === "recording";
  const by = repetition.label && repetition.label_by !== "person" && repetition.label_by;
  const value = (found) => (measures ? measure(found) : recorded ? "…" : "–");
  const cells = () => [
    h(
      "th",
      { scope: "row", role: "rowheader", class: "number" },
      h(
        "button",
        {
          type: "button",
          class: "quiet pick",
          onclick: () => chooseRepetition(index),
          "aria-pressed": String(index === store.selected),
          "aria-label": w("choose_repetition", { n: index + 1 }),
        },
        index + 1,
      ),
    ),
    cell("time", "", recorded ? timeField(file, index, "start") : "–"),
    cell("time until", "", recorded ? timeField(file, index, "stop") : "–"),
    cell("label", "", recorded && labelField(file, index), by && h("span", { class: "by" }, w(`label_by_${by}`))),
    cell("figure measure", heads[4], value(share ? measures?.percent_mvc : measures?.rms)),
    cell("figure measure", heads[5], value(measures?.mdf_hz)),
    ...answerCells(repetition),
    cell(
      "act",
      "",
      answered &&
        !file.other_run && // the run in use can't give reasons for the answers of another
        h(
          "button",
          {
            type: "button",
            class: "small quiet",
            "aria-expanded": String(open),
            onclick: () => reasons.toggle(index, key),
            "aria-label": w("why_of", { n: index + 1 }),
          },
          w("why"),
        ),
    ),
  ];
  const chosen = index === store.selected;
  const attributes = { role: "row", "data-key": `row ${index}`, class: chosen ? "chosen" : "" };
  const { why, ...shown } = repetition;
  const signature = JSON.stringify([
    shown,
    columns,
    chosen,
    open,
    file.other_run,
    store.gender,
    recorded,
    labelsOf(file),
    currentLanguage(),
  ]);
  const rows = [lazy("tr", attributes, signature, cells)];
  if (open && answered && !file.other_run) {
    const spanning = h("td", { role: "cell", colspan: heads.length }, reasons.of(file, index));
    rows.push(h("tr", { role: "row", class: "why", "data-key": `why ${key}` }, spanning));
  }
  return rows;
}

export function table(file) {
  const channel = channelOf(file);
  const names = file.channels.filter((one) => !one.is_sensor).map((one) => one.name);
  const share =
    Boolean(file.maximum) && file.repetitions.some((one) => (one.measures?.[channel]?.percent_mvc ?? null) !== null);
  const unit = units(file.channels.find((one) => one.name === channel)?.units || file.units) || "–";
  const figures = [4, 5, 7];
  const heads = [
    "column_number",
    "column_from",
    "column_until",
    "column_label",
    share ? "column_mvc" : "column_rms",
    "column_mdf",
    "column_answer",
    "column_confidence",
    "column_why",
  ].map((key) => w(key, { units: unit }));
  const columns = { channel, share, heads };
  const title = h("h3", { id: "table-title" }, w("repetitions", { n: file.repetitions.length }));
  if (!file.repetitions.length) return [title, h("p", { class: "note" }, w("no_repetitions"))];
  return [
    h(
      "div",
      { class: "head" },
      title,
      names.length > 1 &&
        h(
          "label",
          { class: "inline" },
          w("measures_of"),
          " ",
          h(
            "select",
            { value: channel, onchange: (event) => chooseChannel(file, event.target.value) },
            names.map((name) => h("option", { value: name }, name)),
          ),
        ),
    ),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "group", "aria-labelledby": "table-title" },
      h(
        "table",
        { class: "repetitions", role: "table" },
        h(
          "thead",
          { role: "rowgroup" },
          h(
            "tr",
            { role: "row" },
            heads.map((name, index) =>
              h("th", { scope: "col", role: "columnheader", class: figures.includes(index) ? "figure" : "" }, name),
            ),
          ),
        ),
        h(
          "tbody",
          { role: "rowgroup" },
          file.repetitions.map((_, index) => row(file, index, columns)),
        ),
      ),
    ),
  ];
}

function chooseChannel(file, name) {
  store.channel[file.id] = name;
  changed();
}
