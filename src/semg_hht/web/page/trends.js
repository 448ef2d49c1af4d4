// Trends: fatigue over the repetitions of a recording, and a person's sessions over weeks.

import * as api from "./api.js";
import { countLabels, lineChart } from "./charts.js";
import { figuresTable, h, scroll } from "./dom.js";
import { changed, complain, store } from "./store.js";
import { channelOf } from "./table.js";
import { measure, percent, units, w } from "./words.js";

export function fatigue(file) {
  const channel = channelOf(file);
  const trends = (file.trends || []).filter((trend) => trend.channel === channel);
  const title = h("h3", { id: "fatigue-title", "data-key": "title" }, w("fatigue"));
  if (!trends.length) return [title, h("p", { class: "note", "data-key": "none" }, w("fatigue_none"))];
  return [
    title,
    h("p", { class: "note", "data-key": "channel" }, w("fatigue_channel", { channel })),
    h(
      "div",
      { class: "pair", "data-key": "charts" },
      trends.map((trend) => fatigueChart(file, trend)),
    ),
    h(
      "details",
      { class: "how", "data-key": "how" },
      h("summary", {}, w("fatigue_reading")),
      h("p", { class: "note" }, w("fatigue_how")),
    ),
  ];
}

function fatigueChart(file, trend) {
  const { channel, feature } = trend;
  const points = file.repetitions
    .map((one) => [one.number, one.measures?.[channel]?.[feature]])
    .filter(([, value]) => Number.isFinite(value));
  const name = `${w(`feature_${feature}`)} (${units(trend.unit) || "–"})`;
  const drawn = lineChart({
    points,
    line: trend.line.map(([x, y]) => [x, y]),
    band: trend.line.map(([x, , low, high]) => [x, low, high]),
    xLabels: countLabels(file.repetitions.length),
    title: `${name}. ${trend.sentence}`,
  });
  return h(
    "figure",
    { "data-key": `${channel} ${feature}` },
    h("figcaption", {}, name),
    drawn,
    h("p", {}, trend.sentence),
  );
}

let people = null; // answer of api/trend
let askedAt = -1;

// Sessions of each person, asked anew after each change.
async function ask() {
  if (askedAt === store.state.changed) return;
  askedAt = store.state.changed;
  try {
    people = await api.get("trend");
    changed();
  } catch (error) {
    complain(error);
  }
}

const MEASURES = [
  ["mdf_hz", "Hz"],
  ["percent_mvc", "%"],
  ["rms", ""],
  ["best_label_share", ""],
];

export function weeks() {
  ask();
  const title = h("h2", { "data-key": "title" }, w("view_weeks"));
  const lead = h("p", { class: "lead", "data-key": "lead" }, w("weeks_lead"));
  if (!people?.length) return [title, lead, h("p", { class: "note", "data-key": "none" }, w("weeks_none"))];
  return [title, lead, people.map(ofPerson)];
}

function ofPerson({ person, muscle, sessions }) {
  const name = [person, muscle].filter(Boolean).join(" · ");
  const dated = sessions.filter((session) => session.date);
  const shown = MEASURES.filter(([key]) => sessions.some((session) => Number.isFinite(session[key])));
  const title = ([key, unit]) => `${w(`weeks_${key}`)}${unit ? ` (${unit})` : ""}`;
  const drawn = (measured) => {
    const [key] = measured;
    const factor = key === "best_label_share" ? 100 : 1;
    const points = dated
      .filter((session) => Number.isFinite(session[key]))
      .map((session) => [Date.parse(session.date), factor * session[key]]);
    if (points.length < 2) return null;
    const xLabels = [dated[0], dated.at(-1)].map(({ date }) => [Date.parse(date), date]);
    const chart = lineChart({ points, xLabels, title: `${name}: ${title(measured)}`, joined: true, width: 430 });
    return h("figure", { "data-key": key }, h("figcaption", {}, title(measured)), chart);
  };
  const heads = [[w("column_date")], [w("column_file")], [w("column_repetitions"), "figure"]];
  const figure = (session, key) => (key === "best_label_share" ? percent(session[key]) : measure(session[key]));
  const rows = sessions.map((session) => [
    session.date || "–",
    session.name,
    session.n,
    ...shown.map(([key]) => figure(session, key)),
  ]);
  return h(
    "section",
    { class: "panel", "data-key": `person ${name}`, "aria-label": name },
    h("h3", {}, name),
    h("div", { class: "pair" }, shown.map(drawn)),
    scroll(
      { class: "scroll", "aria-label": w("weeks_table", { name }) },
      figuresTable([...heads, ...shown.map((measured) => [title(measured), "figure"])], rows),
    ),
  );
}
