// The words of the page in the visitor's language, and numbers as that language writes them.

let texts = {};
let language = "en";

export const readWords = async (wanted) => (await fetch(`static/${wanted}.json`)).json();

export function useWords(wanted, read) {
  texts = read;
  language = wanted;
  document.documentElement.lang = wanted === "zh" ? "zh-CN" : "en";
  document.title = w("title");
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = w(node.dataset.word);
  for (const node of document.querySelectorAll("[data-word-label]")) {
    node.setAttribute("aria-label", w(node.dataset.wordLabel));
  }
}

// The text of a key with its parameters. A count of one may have words of its own: "key_one".
export function w(key, values = {}) {
  const text = (values.n === 1 && texts[`${key}_one`]) || texts[key] || key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

export const currentLanguage = () => language;

// Full, half and invalid in the visitor's language; a person's own word as it is.
export function className(label) {
  return texts[`class_${label}`] || label;
}

export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  return new Intl.NumberFormat(language, { maximumSignificantDigits: digits, useGrouping: false }).format(value);
}

export function percent(share) {
  if (share === null || share === undefined) return "–";
  return new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 }).format(share);
}

// A measure in a table: always three digits, so that columns can be compared.
export function measure(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1000)
    return new Intl.NumberFormat(language, { maximumFractionDigits: 0, useGrouping: false }).format(value);
  return new Intl.NumberFormat(language, { minimumSignificantDigits: 3, maximumSignificantDigits: 3 }).format(value);
}

// Seconds of a recording, with hundredths.
export function seconds(value, decimals = 2) {
  return value.toFixed(decimals);
}

// A waiting time in words.
export function remaining(value) {
  if (value === null || value === undefined) return "";
  if (value < 90) return w("remaining_seconds", { n: value < 10 ? Math.max(1, value) : 5 * Math.round(value / 5) });
  return w("remaining_minutes", { n: Math.round(value / 60) });
}

export function units(name) {
  return (name || "").replace(/^uV$/, "µV");
}
