// The signal: channels under each other, drawn by uPlot, with one visible interval and one cursor for all.

import * as api from "./api.js";
import { byId, colour, debounced, h } from "./dom.js";
import { complain, currentFile } from "./store.js";
import { number, seconds, units, w } from "./words.js";

const MOST_CHANNELS = 4; // shown at first; the others one click away
const AXIS_PX = 62;
const RIGHT_PX = 10;
const SHORTEST_VIEW_S = 0.02;

// What is drawn now. `whole` covers the recording, `detail` the visible interval more finely.
export const view = {
  file: null,
  from: 0,
  until: 1,
  envelope: false,
  hidden: new Map(),
  plots: [],
  whole: null,
  detail: null,
};
let reset = "";
let afterDraw = () => {};

export function onDraw(work) {
  afterDraw = work;
}

// Show the current file; does nothing where it is shown already.
export async function showSignal() {
  const file = currentFile();
  if (!file || file.kind !== "recording") {
    view.file = null;
    reset = "";
    return;
  }
  const key = `${file.id} ${file.rate_hz} ${file.duration_s}`;
  if (key === reset) return;
  reset = key;
  Object.assign(view, { file: file.id, from: 0, until: file.duration_s, whole: null, detail: null });
  destroy();
  try {
    const whole = await api.get("signal", { file: file.id, points: 1600 });
    if (reset !== key) return; // another file was chosen meanwhile
    view.whole = whole;
    build();
  } catch (error) {
    reset = "";
    complain(error);
  }
}

export function hiddenChannels() {
  const file = currentFile();
  if (!view.hidden.has(view.file)) {
    const names = file.channels.filter((channel) => !channel.is_sensor).map((channel) => channel.name);
    const strongest = file.channels[file.strongest]?.name;
    const first = new Set([strongest, ...names].filter(Boolean).slice(0, MOST_CHANNELS));
    view.hidden.set(view.file, new Set(names.filter((name) => !first.has(name))));
  }
  return view.hidden.get(view.file);
}

export function toggleChannel(name) {
  const hidden = hiddenChannels();
  if (!hidden.delete(name)) hidden.add(name);
  build();
}

export function toggleEnvelope() {
  view.envelope = !view.envelope;
  build();
}

function destroy() {
  for (const plot of view.plots) plot.chart.destroy();
  view.plots = [];
  byId("plots").replaceChildren();
}

// The rows of the picture: each channel, then each sensor.
function rows(signal) {
  const hidden = hiddenChannels();
  const channels = signal.channels.filter((channel) => !hidden.has(channel.name));
  const envelopes = new Map((signal.envelope || []).map((one) => [one.name, one]));
  return [
    ...channels.map((channel) => ({ ...channel, envelope: envelopes.get(channel.name), sensor: false })),
    ...(signal.sensors || []).filter((one) => !hidden.has(one.name)).map((one) => ({ ...one, sensor: true })),
  ];
}

export function build() {
  if (!view.whole) return;
  destroy();
  const shown = rows(view.whole);
  const heights = [0, 250, 160, 130, 112];
  const height = heights[shown.length] || 96;
  shown.forEach((row, index) => {
    const last = index === shown.length - 1;
    const holder = h("div", { class: row.sensor ? "plot sensor" : "plot" });
    holder.append(h("span", { class: "plot-name" }, title(row)));
    byId("plots").append(holder);
    view.plots.push({ name: row.name, sensor: row.sensor, chart: chart(row, holder, height, last) });
  });
  fill();
}

// Many a name holds the units already.
function title({ name, units: unit }) {
  return unit && !name.includes(unit) ? `${name} (${units(unit)})` : name;
}

function extremes(row) {
  const low = row.low.reduce((a, b) => (b !== null && b < a ? b : a), Infinity);
  const high = row.high.reduce((a, b) => (b !== null && b > a ? b : a), -Infinity);
  if (!Number.isFinite(low)) return [-1, 1];
  const room = 0.06 * (high - low) || 1;
  if (row.sensor) return [low - room, high + room];
  const most = Math.max(Math.abs(low), Math.abs(high)) * 1.06 || 1; // muscle swings around zero
  return [-most, most];
}

function chart(row, holder, height, last) {
  const line = row.sensor ? colour("sensor") : colour("trace");
  const axis = { stroke: colour("soft"), grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false } };
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const options = {
    width: Math.max(200, byId("plots").clientWidth),
    height: height + (last ? 26 : 0),
    padding: [8, RIGHT_PX, last ? 0 : 8, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false }, focus: { prox: -1 } },
    scales: { x: { time: false, range: () => [view.from, view.until] }, y: { range: extremes(row) } },
    axes: [
      {
        ...axis,
        font,
        show: true,
        size: last ? 26 : 0,
        values: (_, ticks) => (last ? ticks.map((t) => number(t, 6)) : ticks.map(() => "")),
      },
      { ...axis, font, size: AXIS_PX, space: 34, values: (_, ticks) => ticks.map((t) => number(t, 3)) },
    ],
    series: [
      {},
      { stroke: line, width: 1, points: { show: false } },
      { stroke: line, width: 1, points: { show: false } },
      { stroke: colour("envelope"), width: 2, points: { show: false }, show: view.envelope && !row.sensor },
    ],
    bands: [{ series: [1, 2], fill: line }],
    hooks: { ready: [() => afterDraw()] }, // only now it has its size, to which the marks are drawn
  };
  return new uPlot(options, [[0], [null], [null], [null]], holder);
}

// Give each chart the finest data that cover the visible interval.
function fill() {
  const { detail, whole } = view;
  const margin = 1e-6;
  const covers = detail && detail.from <= view.from + margin && detail.to >= view.until - margin;
  const shown = rows(covers ? detail : whole);
  for (const plot of view.plots) {
    const row = shown.find((one) => one.name === plot.name && one.sensor === plot.sensor);
    if (row) plot.chart.setData(columns(row), false);
  }
  draw();
}

function columns({ t0, dt, low, high, envelope }) {
  const times = low.map((_, index) => t0 + (index + 0.5) * dt);
  let outline = new Array(low.length).fill(null);
  if (envelope) {
    // The envelope may have points of its own; each drawn time takes the nearest.
    outline = times.map((time) => envelope.values[Math.floor((time - envelope.t0) / envelope.dt)] ?? null);
  }
  return [times, high, low, outline];
}

export function draw() {
  for (const { chart: one } of view.plots) one.setScale("x", { min: view.from, max: view.until });
  afterDraw();
}

const fetchDetail = debounced(async () => {
  const file = currentFile();
  if (!file || file.id !== view.file) return;
  const room = 0.5 * (view.until - view.from);
  const from = Math.max(0, view.from - room);
  const to = Math.min(file.duration_s, view.until + room);
  try {
    const detail = await api.get("signal", { file: file.id, from, to, points: 3200 });
    if (view.file !== file.id) return;
    view.detail = detail;
    fill();
  } catch (error) {
    complain(error);
  }
}, 120);

// Show an interval, kept inside the recording.
export function look(from, until) {
  const file = currentFile();
  if (!file) return;
  const length = Math.min(file.duration_s, Math.max(SHORTEST_VIEW_S, until - from));
  const start = Math.max(0, Math.min(from + (until - from - length) / 2, file.duration_s - length));
  view.from = start;
  view.until = start + length;
  draw();
  if (length < 0.8 * file.duration_s) fetchDetail();
  else {
    view.detail = null;
    fill();
  }
}

export function zoom(factor, around = (view.from + view.until) / 2) {
  look(around - (around - view.from) * factor, around + (view.until - around) * factor);
}

export function pan(share) {
  const by = share * (view.until - view.from);
  look(view.from + by, view.until + by);
}

export function fit() {
  look(0, currentFile()?.duration_s || 1);
}

// Bring a repetition into view.
export function reveal(repetition) {
  if (!repetition || (repetition.start_s >= view.from && repetition.stop_s <= view.until)) return;
  const length = Math.max(view.until - view.from, 1.4 * (repetition.stop_s - repetition.start_s));
  const middle = (repetition.start_s + repetition.stop_s) / 2;
  look(middle - length / 2, middle + length / 2);
}

// Where the drawn part lies inside #signal, in CSS pixels.
export function area() {
  const chart = view.plots[0]?.chart;
  if (!chart) return { left: AXIS_PX, width: 1 };
  return { left: chart.over.offsetLeft, width: chart.over.clientWidth };
}

export function timeAt(x) {
  const { left, width } = area();
  return view.from + ((x - left) / width) * (view.until - view.from);
}

// The place of a time from the left of the drawn part, which is `width` wide.
export function xOf(time, width) {
  return ((time - view.from) / (view.until - view.from)) * width;
}

// The cursor at a time in all channels, and what they show there; null removes it.
export function pointAt(x) {
  const readout = byId("readout");
  const { left, width } = area();
  const inside = x !== null && x >= left && x <= left + width;
  for (const { chart } of view.plots) chart.setCursor({ left: inside ? x - left : -10, top: inside ? 1 : -10 }, false);
  if (!inside || !view.plots.length) {
    readout.textContent = "";
    return;
  }
  const time = timeAt(x);
  const values = view.plots.map(({ name, chart }) => {
    const index = chart.posToIdx(x - left);
    const [, high, low] = chart.data;
    const value = Math.abs(high[index] ?? 0) >= Math.abs(low[index] ?? 0) ? high[index] : low[index];
    return `${name} ${number(value, 3)}`;
  });
  readout.textContent = [w("at_seconds", { time: seconds(time) }), ...values.slice(0, 3)].join("   ");
}

// Draw anew when the width or the colours change.
export function watchSize() {
  const resized = debounced(() => {
    const width = Math.max(200, byId("plots").clientWidth);
    for (const { chart } of view.plots) if (chart.width !== width) chart.setSize({ width, height: chart.height });
    requestAnimationFrame(afterDraw); // the charts take their new size a moment later
  }, 60);
  new ResizeObserver(resized).observe(byId("plots"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", build);
}
