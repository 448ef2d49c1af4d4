// The Live view: bars of the signal that arrives now, each repetition as it ends, a sound, the start and the stop.

import * as api from "./api.js";
import { runName } from "./answers.js";
import { button, byId, h, lazy, say, scroll, show } from "./dom.js";
import { act, changed, chooseFile, complain, showView, store, take } from "./store.js";
import { currentLanguage, measure, number, percent, seconds, units, w } from "./words.js";

const AGAIN_MS = 2000; // until a lost connection is tried again
const SPOKEN_MS = 3000; // between two repetitions that are spoken: of those that end sooner the last
const CALM_MS = 1000; // between two positions of the bars where movement is unwelcome
const TONES_HZ = [784, 523, 349, 622, 440]; // by class; of an answer that is not sure UNSURE_HZ
const UNSURE_HZ = 220;

const live = { stage: "off", name: "", n: 0, rows: [], levels: [], notices: [], saved: [], highest: 0, lasted_s: 0 };
let audio = null; // begins at a press, as browsers ask
let isBusy = false; // a start or stop is on its way

// Watch until the page is left; a connection that breaks is made again.
export async function watch() {
  for (let isLost = false; ; ) {
    try {
      for await (const message of api.events("live")) {
        isLost = false;
        hear(message);
      }
    } catch (error) {
      if (!api.willPass(error)) throw error;
      if (!isLost) complain(error);
      isLost = true;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

function hear(message) {
  const { begins, rows = [], levels, ...others } = message;
  const before = { ...live };
  if (begins) Object.assign(live, { rows: [], levels: [], highest: 0, lasted_s: 0 });
  Object.assign(live, others);
  live.rows.push(...rows);
  const isFirst = levels && !live.levels.length;
  if (levels) {
    live.levels = levels;
    live.highest = Math.max(live.highest, ...levels.map((level) => level.rms || 0));
    drawLevels();
  }
  if (others.stage && !begins) tellNews(before, rows);
  if (others.stage || isFirst) changed();
}

function tellNews(before, rows) {
  if (rows.length) {
    sound(rows.at(-1).tone);
    if (store.view === "watch") speak(rows.at(-1));
  }
  if (live.n_notices > before.n_notices) say(live.notices.at(-1));
  if (live.stage === before.stage) return;
  if (live.stage === "on") {
    say(w("said_live_on"));
    if (store.state.run.kind === "none") api.get("state").then(take, complain); // the run of the package may answer now
  }
  if (live.stage === "off") {
    if (live.saved.length) say([w("said_live_off"), w("repetitions", { n: live.n })].join(" "));
    if (live.is_mine && live.saved.length && store.view === "watch") openSaved();
  }
}

// A repetition in a few words.
function told({ number: n, answers, unlike, problem }) {
  const texts = answers.map(({ text, confidence }) => `${text} ${percent(confidence)}`);
  return [w("live_repetition", { n }), ...texts, unlike && w("unlike"), problem].filter(Boolean).join(" · ");
}

let waiting = null; // the last repetition that was not spoken yet
let spokenAt = -SPOKEN_MS;

function speak(row) {
  if (waiting) {
    waiting = row;
    return;
  }
  waiting = row;
  setTimeout(() => {
    say(told(waiting));
    spokenAt = performance.now();
    waiting = null;
  }, Math.max(0, spokenAt + SPOKEN_MS - performance.now()));
}

function sound(tone) {
  if (!audio) return;
  const [from, until] = [audio.currentTime, audio.currentTime + 0.25];
  const volume = new GainNode(audio, { gain: 0.25 });
  const pitch = live.run.kind === "none" ? TONES_HZ[1] : tone === null ? UNSURE_HZ : TONES_HZ[tone % TONES_HZ.length];
  const wave = new OscillatorNode(audio, { type: "triangle", frequency: pitch });
  wave.connect(volume).connect(audio.destination);
  volume.gain.setValueAtTime(0.25, from);
  volume.gain.exponentialRampToValueAtTime(0.001, until);
  wave.start(from);
  wave.stop(until);
}

function toggleSound() {
  audio?.close();
  audio = audio ? null : new AudioContext();
  changed();
}

async function send(path, sentence) {
  isBusy = true;
  changed();
  await act(path, {}, sentence);
  isBusy = false;
  changed();
}

async function openSaved() {
  if (!(await act("live_open", {}))) return;
  const file = store.state.files.at(-1);
  chooseFile(file.id);
  if (file.kind !== "failed") say(w("said_read", { file: file.name, n: file.repetitions.length }));
}

const amplitude = ({ rms, percent_mvc: share }) =>
  [`${measure(rms)} ${units(live.units)}`.trim(), share !== null && `${number(share, 2)} % MVC`]
    .filter(Boolean)
    .join(" · ");

let drawnAt = 0;

// The bars are drawn apart from the page, several times a second.
function drawLevels() {
  const box = byId("levels");
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (!box || store.view !== "watch" || (isCalm && performance.now() - drawnAt < CALM_MS)) return;
  drawnAt = performance.now();
  if (byId("lasted")) byId("lasted").textContent = w("fact_seconds", { n: seconds(live.lasted_s, 0) });
  const bar = (level) => {
    const share = level.percent_mvc === null ? level.rms / (live.highest || 1) : level.percent_mvc / 100;
    return [
      h("span", { "aria-hidden": "true" }, level.name),
      h("span", { class: "figure" }, amplitude(level)),
      h("meter", { min: 0, max: 1, value: Math.min(1, share), "aria-label": level.name }),
    ];
  };
  show(box, live.levels.map(bar));
}

function facts() {
  if (!live.channels) return "";
  return [`${number(live.rate_hz, 6)} Hz`, w("fact_channels", { n: live.channels }), units(live.units)]
    .filter(Boolean)
    .join(" · ");
}

// What is going on, and the buttons.
function controls() {
  const { stage, name, may_stop: mayStop } = live;
  const isOff = stage === "off";
  const main = (key, disabled, sentence) =>
    button(w(key), () => send(key, sentence), { class: "primary", id: key, disabled: isBusy || disabled });
  return [
    h(
      "div",
      { class: "row", "data-key": "act" },
      isOff
        ? main("live_start", false, w("live_looking", { name }))
        : main("live_stop", stage === "saving" || !mayStop),
      button(w("live_sound"), toggleSound, { id: "live_sound", "aria-pressed": String(Boolean(audio)) }),
      h("span", { class: `stage ${stage}` }, w(`live_${stage}`, { name })),
      !isOff && h("span", { id: "lasted", class: "figures", "data-keep": "", "data-key": "lasted" }),
    ),
    audio && h("p", { class: "note", "data-key": "sound" }, w("live_sound_is")),
    !isOff && !mayStop && h("p", { class: "note", "data-key": "other" }, w("live_of_another")),
    live.problem && h("p", { class: "problem", role: "alert", "data-key": "problem" }, live.problem),
    [...live.notices].reverse().map((notice) => h("p", { class: "warning" }, notice)), // the newest first
    isOff && live.saved.length > 0 && saved(),
  ];
}

function saved() {
  const part = ({ name, duration_s: n }) => h("li", {}, `${name} (${w("fact_seconds", { n: seconds(n, 1) })})`);
  return h(
    "div",
    { class: "row", "data-key": "saved" },
    h("p", {}, w("live_saved")),
    h("ul", {}, live.saved.map(part)),
    button(w("live_open"), openSaved, { id: "live_open" }),
  );
}

function row(one) {
  const { number: n, stretch, start_s: from, stop_s: until, answers, levels } = one;
  const where = stretch > 1 && h("span", { class: "line" }, w("live_part", { n: stretch }));
  const texts = answers.map(({ text, unsure }) => {
    const also = unsure && !text.includes(w("unsure")) && h("em", {}, ` (${w("unsure")})`);
    return h("span", { class: unsure ? "unsure" : "sure" }, text, also);
  });
  const cells = () => [
    h("th", { scope: "row" }, n),
    h("td", { class: "figures" }, where, `${seconds(from)}–${seconds(until)}`),
    h(
      "td",
      { class: "answer" },
      texts,
      one.unlike && h("span", { class: "unlike" }, one.unlike),
      one.problem && h("span", { class: "unlike" }, one.problem),
      h("span", { class: "note" }, levels.map((level) => `${level.name} ${amplitude(level)}`).join("; ")),
    ),
    h("td", { class: "figure" }, answers.map((answer) => h("span", { class: "line" }, percent(answer.confidence)))),
  ];
  return lazy("tr", { "data-key": `row ${n}` }, JSON.stringify([one, live.units, currentLanguage()]), cells);
}

function repetitions() {
  const heads = ["column_number", "axis_seconds", "column_answer", "column_confidence"];
  const head = heads.map((key, i) => h("th", { scope: "col", class: i === 3 ? "figure" : "" }, w(key)));
  const { run, rows } = live;
  return [
    rows.length > 0 && h("p", { class: "verdict", "data-key": "last" }, told(rows.at(-1))),
    h("h3", { id: "live-count", "data-key": "count" }, live.counts || w("repetitions", { n: live.n })),
    run.kind === "none"
      ? live.channels > 0 && h("p", { class: "note", "data-key": "run" }, w("live_no_run"))
      : h("p", { class: "note", "data-key": "run" }, w("run_now", { name: runName(run) })),
    live.warning && h("p", { class: "warning", "data-key": "practice" }, live.warning),
    rows.length === 0
      ? h("p", { class: "note", "data-key": "none" }, w("live_none"))
      : scroll(
          { class: "scroll", "aria-labelledby": "live-count", "data-key": "table" },
          h(
            "table",
            { class: "ended" },
            h("thead", {}, h("tr", {}, head)),
            h("tbody", {}, [...rows].reverse().map(row)),
          ),
        ),
  ];
}

export function liveView() {
  if (!live.name) return [];
  const isShare = live.levels.some((level) => level.percent_mvc !== null);
  return [
    h(
      "div",
      { class: "title", "data-key": "title" },
      h("h2", {}, w("view_watch")),
      h("p", { class: "facts" }, facts()),
    ),
    h("p", { class: "lead", "data-key": "lead" }, w("live_lead")),
    h("section", { class: "panel", "data-key": "controls", "aria-label": w("view_watch") }, controls()),
    live.stage !== "off" &&
      live.levels.length > 0 &&
      h(
        "section",
        { class: "panel", "data-key": "levels", "aria-label": w("live_levels") },
        h("div", { id: "levels", "data-keep": "" }),
        h("p", { class: "note" }, w(isShare ? "live_scale_mvc" : "live_scale")),
      ),
    h("section", { class: "panel", "data-key": "rows", "aria-labelledby": "live-count" }, repetitions()),
  ];
}

// One line in the other views while a recording is under way.
export function liveLine() {
  if (!["on", "saving"].includes(live.stage) || store.view === "watch") return [];
  const said = [w(`live_${live.stage}`, { name: live.name }), w("repetitions", { n: live.n })].join(" ");
  return [h("p", {}, said), button(w("view_watch"), () => showView("watch"), { class: "small" })];
}
