// The head of a recording: its name and facts, who and what was recorded, the rate it may need, the maximum.

import { button, h } from "./dom.js";
import { act, complain, markUnsaved, store, take } from "./store.js";
import * as api from "./api.js";
import { matrixPicture } from "./answers.js";
import { number, seconds, units, w } from "./words.js";

const FIELDS = ["person", "date", "muscle", "side", "note"];
const waiting = new Map(); // "file field" -> {body, timer}: what is typed and not yet sent

// Send what is typed a moment after the last key, and at once on leaving the field or the page.
function typed(file, field, value) {
  const key = `${file.id} ${field}`;
  clearTimeout(waiting.get(key)?.timer);
  const body = { file: file.id, [field]: value };
  waiting.set(key, { body, timer: setTimeout(() => sendField(key), 700) });
  markUnsaved(true);
}

async function sendField(key) {
  const { body, timer } = waiting.get(key) || {};
  if (!body) return;
  clearTimeout(timer);
  waiting.delete(key);
  try {
    take(await api.post("about", body));
  } catch (error) {
    complain(error);
    if (api.willPass(error) && !waiting.has(key))
      waiting.set(key, { body, timer: setTimeout(() => sendField(key), api.SEND_AGAIN_MS) });
  }
}

export async function sendFields() {
  await Promise.all([...waiting.keys()].map(sendField));
}

export function sendFieldsWhileLeaving() {
  for (const { body } of waiting.values()) api.post("about", body, true).catch(() => {});
}

// A field of what was recorded. Its value is what is typed, also where the server has not heard of it yet.
export function aboutInput(file, name, attributes = {}) {
  const key = `${file.id} ${name}`;
  const value = waiting.get(key)?.body[name] ?? file.about[name] ?? "";
  const send = (event) => {
    typed(file, name, event.target.value);
    sendField(key);
  };
  const common = { ...attributes, value, autocomplete: "off", onchange: send };
  if (name === "side") {
    const option = (side) => h("option", { value: side }, side ? w(`side_${side}`) : "–");
    return h("select", common, ["", "left", "right", "both"].map(option));
  }
  const oninput = (event) => typed(file, name, event.target.value);
  if (name === "date") return h("input", { ...common, oninput, type: "date", max: "9999-12-31" });
  return h("input", {
    ...common,
    oninput,
    type: "text",
    maxlength: name === "note" ? 500 : 60,
    list: name === "person" ? "people" : null,
  });
}

function field(file, name) {
  const id = `about-${name}`;
  return h(
    "div",
    { class: `field ${name}`, "data-key": `${file.id} ${name}` },
    h("label", { for: id }, w(`about_${name}`)),
    aboutInput(file, name, { id }),
  );
}

// The codes that are used already, to choose from.
export function peopleList() {
  const people = [...new Set(store.state.files.map((one) => one.about.person).filter(Boolean))];
  return h("datalist", { id: "people", "data-key": "people" }, people.map((value) => h("option", { value })));
}

export function rateForm(file, place = "head") {
  const id = `rate-${place}-${file.id}`;
  const submit = async (event) => {
    event.preventDefault();
    const rate = Number(event.target.querySelector("input").value.replace(",", "."));
    if (!(rate > 0)) return;
    await act("about", { file: file.id, rate_hz: rate }, w("said_read_again", { file: file.name }));
  };
  const value = file.about.rate_hz || "";
  return h(
    "form",
    { class: "rate", onsubmit: submit, "data-key": id },
    h("label", { for: id }, w("rate_of", { file: file.name })),
    h("input", { id, type: "text", inputmode: "decimal", size: 7, value, autocomplete: "off" }),
    h("button", { type: "submit" }, w("read_again")),
    h("p", { class: "note" }, w("rate_how")),
  );
}

function facts(file) {
  if (file.kind !== "recording") return "";
  const sensors = file.channels.filter((channel) => channel.is_sensor).map((sensor) => sensor.name);
  return [
    w("fact_seconds", { n: seconds(file.duration_s, 1) }),
    `${number(file.rate_hz, 6)} Hz`,
    w("fact_channels", { n: file.channels.length - sensors.length }),
    units(file.units),
    sensors.length && w("fact_sensor", { name: sensors.join(", ") }),
  ]
    .filter(Boolean)
    .join(" · ");
}

export function heading(file) {
  const { remarks } = file;
  return [
    h(
      "div",
      { class: "title", "data-key": "title" },
      h("h2", { id: "file-name" }, file.name),
      h("p", { class: "facts" }, facts(file)),
      button(w("remove_file"), () => removeFile(file), { class: "quiet danger" }),
    ),
    file.problem && h("p", { class: "problem", "data-key": "problem" }, file.problem),
    file.needs === "rate" && rateForm(file),
    file.kind === "matrix" && matrixPicture(file),
    h(
      "div",
      { class: "about", "data-key": `about ${file.id}`, role: "group", "aria-label": w("about") },
      FIELDS.map((name) => field(file, name)),
    ),
    remarks.length > 0 &&
      h(
        "details",
        { class: "remarks", "data-key": `remarks ${file.id}` },
        h("summary", {}, w("remarks", { n: remarks.length })),
        h("ul", {}, remarks.map((remark) => h("li", {}, remark))),
      ),
  ];
}

export async function removeFile(file) {
  if (!window.confirm(w("remove_sure", { file: file.name }))) return;
  await act("remove", { file: file.id }, w("said_removed", { file: file.name }));
}

// The person's maximal contraction: another file, or a part of this one that is marked on the signal.
export function maximum(file) {
  const others = store.state.files.filter((one) => one.kind === "recording" && one.id !== file.id);
  const { maximum: set } = file;
  const repetition = file.repetitions[store.selected];
  const state = (body, said) => act("maximum", { file: file.id, start_s: null, stop_s: null, ...body }, w(said));
  const key = !set ? "maximum_none" : set.start_s === null ? "maximum_whole" : "maximum_part";
  const times = set && { from: seconds(set.start_s ?? 0), until: seconds(set.stop_s ?? 0) };
  const choose = (event) => event.target.value && state({ of: Number(event.target.value) }, "said_maximum");
  const ofRepetition = () => {
    const { start_s, stop_s } = repetition;
    state({ of: file.id, start_s, stop_s }, "said_maximum");
  };
  const option = (one) => h("option", { value: one.id }, one.name);
  return [
    h("h3", { id: "maximum-title" }, w("maximum")),
    h("p", { class: "note" }, w(key, { file: set?.name, ...times })),
    h(
      "div",
      { class: "row" },
      others.length > 0 &&
        h(
          "select",
          { "aria-label": w("maximum_file"), value: "", onchange: choose },
          h("option", { value: "" }, w("maximum_file")),
          others.map(option),
        ),
      repetition && button(w("maximum_repetition", { n: store.selected + 1 }), ofRepetition, { class: "small" }),
      set && button(w("maximum_remove"), () => state({ of: null }, "said_no_maximum"), { class: "small quiet" }),
    ),
    !set && h("p", { class: "note" }, w("maximum_how")),
  ];
}
