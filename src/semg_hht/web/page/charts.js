// A small line chart as SVG: crisp in print, coloured by the style sheet. For the trends, not for the signal.

import { number } from "./words.js";

const NAMESPACE = "http://www.w3.org/2000/svg";

function s(tag, attributes, ...children) {
  const node = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children.filter(Boolean));
  return node;
}

// About four round numbers that span an interval.
export function ticks(low, high) {
  const rough = (high - low) / 3.4 || 1;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * ([1, 2, 2.5, 5, 10].find((factor) => factor * unit >= rough) || 10);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step)
    found.push(Number(value.toPrecision(12)));
  return found;
}

// points: [[x, y]], line: [[x, y]], band: [[x, low, high]], xLabels: [[x, text]]
export function lineChart({
  points = [],
  line = [],
  band = [],
  xLabels = [],
  title,
  width = 330,
  height = 150,
  joined = false,
}) {
  const ys = [...points, ...line]
    .map(([, y]) => y)
    .concat(band.flatMap(([, low, high]) => [low, high]))
    .filter(Number.isFinite);
  const xs = [...points, ...line].map(([x]) => x);
  if (!ys.length) return null;
  let low = Math.min(...ys);
  let high = Math.max(...ys);
  const room = 0.08 * (high - low) || Math.abs(high) * 0.1 || 1;
  low -= room;
  high += room;
  const first = Math.min(...xs);
  const last = Math.max(...xs);
  const box = { left: 46, right: 12, top: 8, bottom: 24 };
  const x = (value) => box.left + ((value - first) / (last - first || 1)) * (width - box.left - box.right);
  const y = (value) => box.top + ((high - value) / (high - low)) * (height - box.top - box.bottom);
  const at = (pairs) => pairs.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ");
  const outline = [...band.map(([a, , up]) => [a, up]), ...band.map(([a, down]) => [a, down]).reverse()];
  return s(
    "svg",
    { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title },
    ...ticks(low, high).flatMap((value) => [
      s("line", { class: "grid", x1: box.left, x2: width - box.right, y1: y(value), y2: y(value) }),
      s("text", { x: box.left - 6, y: y(value) + 4, "text-anchor": "end" }, number(value, 4)),
    ]),
    ...xLabels.map(([value, text], index) =>
      s(
        "text",
        {
          x: x(value),
          y: height - 6,
          "text-anchor": index === 0 ? "start" : index === xLabels.length - 1 ? "end" : "middle",
        },
        text,
      ),
    ),
    band.length > 1 && s("polygon", { class: "band", points: at(outline) }),
    line.length > 1 && s("polyline", { class: "fit", points: at(line) }),
    joined && s("polyline", { class: "joined", points: at(points) }),
    ...points.map(([a, b]) => s("circle", { class: "dot", cx: x(a), cy: y(b), r: 3.5 })),
  );
}

// Whole numbers for an axis of repetitions: first, last and a few between.
export function countLabels(n) {
  const step = Math.max(1, Math.ceil(n / 6));
  const found = [];
  for (let k = 1; k <= n; k += step) found.push(k);
  if (found.at(-1) !== n) {
    if (n - found.at(-1) < step / 2 && found.length > 1) found.pop();
    found.push(n);
  }
  return found.map((k) => [k, String(k)]);
}
