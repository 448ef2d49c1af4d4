// The head of a recording: its name and facts, who and what was recorded, the rate it may need, the maximum.

import { h } from "./dom.js";
import { act, complain, markUnsaved, store, take } from "./store.js";
import * as api from "./api.js";
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
    return h(
      "select",
      common,
      ["", "left", "right", "both"].map((side) => h("option", { value: side }, side ? w(`side_${side}`) : "–")),
    );
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
  const people = [...new Set(store.state.files.map((one) => one.about?.person).filter(Boolean))];
  return h(
    "datalist",
    { id: "people", "data-key": "people" },
    people.map((person) => h("option", { value: person })),
  );
}

export function rateForm(file, place = "head") {
  const id = `rate-${place}-${file.id}`;
  const submit = async (event) => {
    event.preventDefault();
    const rate = Number(event.target.querySelector("input").value.replace(",", "."));
    if (!(rate > 0)) return;
    await act("about", { file: file.id, rate_hz: rate }, w("said_read_again", { file: file.name }));
  };
  return h(
    "form",
    { class: "rate", onsubmit: submit, "data-key": id },
    h("label", { for: id }, w("rate_of", { file: file.name })),
    h("input", {
      id,
      type: "text",
      inputmode: "decimal",
      size: 7,
      value: file.about.rate_hz || "",
      autocomplete: "off",
    }),
    h("button", { type: "submit" }, w("read_again")),
    h("p", { class: "note" }, w("rate_how")),
  );
}

export function heading(file) {
  const channels = (file.channels || []).filter((channel) => !channel.is_sensor);
  const sensors = (file.channels || []).filter((channel) => channel.is_sensor);
  const facts =
    file.kind === "recording"
      ? [
          w("fact_seconds", { n: seconds(file.duration_s, 1) }),
          `${number(file.rate_hz, 6)} Hz`,
          w("fact_channels", { n: channels.length }),
          units(file.units),
          sensors.length ? w("fact_sensor", { name: sensors.map((sensor) => sensor.name).join(", ") }) : "",
        ]
      : [];
  const remarks = (file.remarks || []).map((remark) => h("li", {}, remark));
  return [
    h(
      "div",
      { class: "title", "data-key": "title" },
      h("h2", { id: "file-name" }, file.name),
      h("p", { class: "facts" }, facts.filter(Boolean).join(" · ")),
      h("button", { class: "quiet danger", type: "button", onclick: () => removeFile(file) }, w("remove_file")),
    ),
    file.problem && h("p", { class: "problem", "data-key": "problem" }, file.problem),
    file.needs === "rate" && rateForm(file),
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
        h("ul", {}, remarks),
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
  const use = (body) => act("maximum", { file: file.id, start_s: null, stop_s: null, ...body }, w("said_maximum"));
  let said = w("maximum_none");
  if (set) {
    const values = { file: set.name, from: seconds(set.start_s || 0), until: seconds(set.stop_s || 0) };
    said = set.start_s === null || set.start_s === undefined ? w("maximum_whole", values) : w("maximum_part", values);
  }
  const choose = (event) => {
    if (event.target.value) use({ of: Number(event.target.value) });
  };
  return [
    h("h3", { id: "maximum-title" }, w("maximum")),
    h("p", { class: "note" }, said),
    h(
      "div",
      { class: "row" },
      others.length > 0 &&
        h(
          "select",
          { "aria-label": w("maximum_file"), value: "", onchange: choose },
          h("option", { value: "" }, w("maximum_file")),
          others.map((one) => h("option", { value: one.id }, one.name)),
        ),
      repetition &&
        h(
          "button",
          {
            type: "button",
            class: "small",
            onclick: () => use({ of: file.id, start_s: repetition.start_s, stop_s: repetition.stop_s }),
          },
          w("maximum_repetition", { n: store.selected + 1 }),
        ),
      set &&
        h(
          "button",
          {
            type: "button",
            class: "small quiet",
            onclick: () => act("maximum", { file: file.id, of: null }, w("said_no_maximum")),
          },
          w("maximum_remove"),
        ),
    ),
    !set && h("p", { class: "note" }, w("maximum_how")),
  ];
}
