// The compact table: one row for each repetition, with what was measured, how it is labelled and what was answered.

import { byId, h, say } from "./dom.js";
import { edit, label, labelsOf, movedEdge } from "./edits.js";
import { chooseRepetition } from "./keys.js";
import { reasons } from "./answers.js";
import { complain, currentFile, store } from "./store.js";
import { className, number, percent, seconds, taskName, units, w } from "./words.js";

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
    type: "text", inputmode: "decimal", size: 6, value: seconds(repetition[`${edge}_s`]), onchange: change,
    "aria-label": w(edge === "start" ? "from_of" : "until_of", { n: index + 1 }),
  });
}

function labelField(file, index) {
  const repetition = file.repetitions[index];
  const choose = (event) => label(currentFile(), index, event.target.value);
  const options = labelsOf(file).map((one) => h("option", { value: one }, className(one)));
  return h("select", { "aria-label": w("label_of", { n: index + 1 }), value: repetition.label || "", onchange: choose },
    h("option", { value: "" }, "–"), options);
}

function answerCells(repetition) {
  const answers = shownAnswers(repetition);
  if (!answers.length) return [h("td", { class: "answer empty" }, "–"), h("td", { class: "figure empty" }, "–")];
  const texts = answers.map((answer) => h("span", { class: answer.unsure ? "unsure" : "sure" },
    answers.length > 1 ? `${taskName(answer.task)}: ` : "", className(answer.text),
    answer.unsure ? h("em", {}, ` ${w("unsure")}`) : ""));
  const unlike = (repetition.unlike || []).length > 0 && h("span", { class: "unlike" }, w("unlike"));
  return [
    h("td", { class: "answer" }, texts, unlike),
    h("td", { class: "figure" }, answers.map((answer) => h("span", { class: "line" }, percent(answer.confidence)))),
  ];
}

function row(file, index, channel, share) {
  const repetition = file.repetitions[index];
  const measures = repetition.measures?.[channel];
  const key = whyKey(file, repetition);
  const open = store.openWhy.has(key);
  const answered = shownAnswers(repetition).length > 0;
  const choose = () => chooseRepetition(index);
  const by = repetition.label && repetition.label_by !== "person" && repetition.label_by;
  const cells = [
    h("th", { scope: "row" }, h("button", {
      type: "button", class: "quiet pick", onclick: choose, "aria-pressed": String(index === store.selected),
      "aria-label": w("choose_repetition", { n: index + 1 }),
    }, index + 1)),
    h("td", {}, timeField(file, index, "start")),
    h("td", {}, timeField(file, index, "stop")),
    h("td", {}, labelField(file, index), by && h("span", { class: "by" }, w(`label_by_${by}`))),
    h("td", { class: "figure" }, measures ? (share ? number(measures.percent_mvc, 3) : number(measures.rms, 3)) : "…"),
    h("td", { class: "figure" }, measures ? number(measures.mdf_hz, 3) : "…"),
    ...answerCells(repetition),
    h("td", { class: "act" }, answered && h("button", {
      type: "button", class: "small quiet", "aria-expanded": String(open), onclick: () => reasons.toggle(file, index, key),
      "aria-label": w("why_of", { n: index + 1 }),
    }, w("why"))),
  ];
  const rows = [h("tr", { "data-key": `row ${index}`, class: index === store.selected ? "chosen" : "" }, cells)];
  if (open && answered) {
    rows.push(h("tr", { class: "why", "data-key": `why ${key}` }, h("td", { colspan: cells.length }, reasons.of(file, index))));
  }
  return rows;
}

export function table(file) {
  const channel = channelOf(file);
  const names = file.channels.filter((one) => !one.is_sensor).map((one) => one.name);
  const share = Boolean(file.maximum) && file.repetitions.some((one) => (one.measures?.[channel]?.percent_mvc ?? null) !== null);
  const unit = units(file.channels.find((one) => one.name === channel)?.units || file.units);
  const heads = [
    ["number", "column_number"], ["", "column_from"], ["", "column_until"], ["", "column_label"],
    ["figure", share ? "column_mvc" : "column_rms"], ["figure", "column_mdf"],
    ["", "column_answer"], ["figure", "column_confidence"], ["", "column_why"],
  ];
  return [
    h("div", { class: "head" },
      h("h3", { id: "table-title" }, w("repetitions", { n: file.repetitions.length })),
      names.length > 1 && h("label", { class: "inline" }, w("measures_of"), " ",
        h("select", { value: channel, onchange: (event) => chooseChannel(file, event.target.value) }, names.map((name) => h("option", { value: name }, name))))),
    file.repetitions.length === 0
      ? h("p", { class: "note" }, w("no_repetitions"))
      : h("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "table-title" },
        h("table", { class: "repetitions" },
          h("thead", {}, h("tr", {}, heads.map(([kind, key]) => h("th", { scope: "col", class: kind }, w(key, { units: unit || "–" }))))),
          h("tbody", {}, file.repetitions.map((_, index) => row(file, index, channel, share))))),
  ];
}

function chooseChannel(file, name) {
  store.channel[file.id] = name;
  store.redrawPanels();
}

export function focusSignal() {
  byId("signal").focus({ preventScroll: false });
}
