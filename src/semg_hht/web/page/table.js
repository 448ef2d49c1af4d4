// The compact table: one row for each repetition, with what was measured, how it is labelled and what was answered.

import { button, h, lazy, say, scroll } from "./dom.js";
import { label, labelsOf, moveEdge } from "./edits.js";
import { chooseRepetition } from "./keys.js";
import { reasons } from "./answers.js";
import { changed, complain, currentFile, store } from "./store.js";
import { className, currentLanguage, measure, percent, seconds, units, w } from "./words.js";

export function channelOf(file) {
  const names = file.channels.filter((channel) => !channel.is_sensor).map((channel) => channel.name);
  const chosen = store.channel[file.id];
  return names.includes(chosen) ? chosen : file.channels[file.strongest]?.name || names[0];
}

export const shownAnswers = (repetition) =>
  repetition.answers.filter((answer) => answer.task !== "gender" || store.gender);

const whyKey = (file, repetition) => `${file.id}:${repetition.start_s}`;

function timeField(file, index, edge) {
  const change = (event) => {
    const time = Number(event.target.value.trim().replace(",", ".") || NaN);
    if (!(time >= 0 && time <= file.duration_s)) {
      complain(new Error(w("no_time", { found: event.target.value, duration: seconds(file.duration_s) })));
      return;
    }
    const current = currentFile();
    moveEdge(current, index, edge, time, "");
    const got = current.repetitions[index][`${edge}_s`];
    event.target.value = seconds(got);
    if (Math.abs(got - time) > 0.001) say(w("said_limited", { time: seconds(got) }));
  };
  const value = seconds(file.repetitions[index][`${edge}_s`]);
  const name = w(edge === "start" ? "from_of" : "until_of", { n: index + 1 });
  return h("input", { type: "text", inputmode: "decimal", size: 6, value, onchange: change, "aria-label": name });
}

function labelField(file, index) {
  const value = file.repetitions[index].label || "";
  const onchange = (event) => label(currentFile(), index, event.target.value);
  const options = ["", ...labelsOf(file)].map((one) => h("option", { value: one }, one ? className(one) : "–"));
  return h("select", { "aria-label": w("label_of", { n: index + 1 }), value, onchange }, options);
}

// A cell says its column itself: on a phone a row is laid out in lines, without the head of the table.
function cell(kind, name, ...content) {
  return h("td", { role: "cell", class: kind, "data-name": name }, content);
}

function answerCells(repetition) {
  const answers = shownAnswers(repetition);
  if (!answers.length) return [cell("answer empty", "", "–"), cell("figure confidence empty", "", "–")];
  const texts = answers.map(({ task_name: name, text, unsure }) => {
    const also = unsure && !text.includes(w("unsure")) && h("em", {}, ` (${w("unsure")})`);
    return h("span", { class: unsure ? "unsure" : "sure" }, answers.length > 1 ? `${name}: ` : "", text, also);
  });
  const unlike = repetition.unlike.length > 0 && h("span", { class: "unlike" }, w("unlike"));
  const shares = answers.map((answer) => h("span", { class: "line" }, percent(answer.confidence)));
  return [cell("answer", "", texts, unlike), cell("figure confidence", "", shares)];
}

function row(file, index, columns) {
  const { channel, share, heads } = columns;
  const repetition = file.repetitions[index];
  const measures = repetition.measures[channel];
  const key = whyKey(file, repetition);
  const chosen = index === store.selected;
  const recorded = file.kind === "recording";
  // The run in use can't give reasons for the answers of another.
  const asksWhy = shownAnswers(repetition).length > 0 && !file.other_run;
  const open = asksWhy && store.openWhy.has(key);
  const by = repetition.label && repetition.label_by !== "person" && repetition.label_by;
  const value = (found) => (measures ? measure(found) : recorded ? "…" : "–");
  const pick = {
    class: "quiet pick",
    "aria-pressed": String(chosen),
    "aria-label": w("choose_repetition", { n: index + 1 }),
  };
  const why = {
    class: "small quiet",
    "aria-expanded": String(open),
    "aria-label": w("why_of", { n: index + 1 }),
  };
  const number = button(index + 1, () => chooseRepetition(index), pick);
  const cells = () => [
    h("th", { scope: "row", role: "rowheader", class: "number" }, number),
    cell("time", "", recorded ? timeField(file, index, "start") : "–"),
    cell("time until", "", recorded ? timeField(file, index, "stop") : "–"),
    cell("label", "", recorded && labelField(file, index), by && h("span", { class: "by" }, w(`label_by_${by}`))),
    cell("figure measure", heads[4], value(share ? measures?.percent_mvc : measures?.rms)),
    cell("figure measure", heads[5], value(measures?.mdf_hz)),
    ...answerCells(repetition),
    cell("act", "", asksWhy && button(w("why"), () => reasons.toggle(index, key), why)),
  ];
  const attributes = { role: "row", "data-key": `row ${index}`, class: chosen ? "chosen" : "" };
  const shown = { ...repetition, why: null };
  const seen = [shown, columns, chosen, open, asksWhy, store.gender, recorded, labelsOf(file), currentLanguage()];
  const rows = [lazy("tr", attributes, JSON.stringify(seen), cells)];
  if (open) {
    const spanning = h("td", { role: "cell", colspan: heads.length }, reasons.of(file, index));
    rows.push(h("tr", { role: "row", class: "why", "data-key": `why ${key}` }, spanning));
  }
  return rows;
}

const COLUMNS = ["number", "from", "until", "label", "rms", "mdf", "answer", "confidence", "why"];
const FIGURES = ["rms", "mdf", "confidence"];

export function table(file) {
  const channel = channelOf(file);
  const names = file.channels.filter((one) => !one.is_sensor).map((one) => one.name);
  const isShare = (one) => Number.isFinite(one.measures[channel]?.percent_mvc);
  const share = Boolean(file.maximum) && file.repetitions.some(isShare);
  const unit = units(file.channels.find((one) => one.name === channel)?.units || file.units) || "–";
  const heads = COLUMNS.map((name) => w(`column_${name === "rms" && share ? "mvc" : name}`, { units: unit }));
  const title = h("h3", { id: "table-title" }, w("repetitions", { n: file.repetitions.length }));
  if (!file.repetitions.length) return [title, h("p", { class: "note" }, w("no_repetitions"))];
  const choose = (event) => chooseChannel(file, event.target.value);
  const options = names.map((name) => h("option", { value: name }, name));
  const ofChannel = () => h("select", { value: channel, onchange: choose }, options);
  const head = (name, index) =>
    h("th", { scope: "col", role: "columnheader", class: FIGURES.includes(COLUMNS[index]) ? "figure" : "" }, name);
  const rows = file.repetitions.map((_, index) => row(file, index, { channel, share, heads }));
  return [
    h(
      "div",
      { class: "head" },
      title,
      names.length > 1 && h("label", { class: "inline" }, w("measures_of"), " ", ofChannel()),
    ),
    scroll(
      { class: "scroll", "aria-labelledby": "table-title" },
      h(
        "table",
        { class: "repetitions", role: "table" },
        h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map(head))),
        h("tbody", { role: "rowgroup" }, rows),
      ),
    ),
  ];
}

function chooseChannel(file, name) {
  store.channel[file.id] = name;
  changed();
}
