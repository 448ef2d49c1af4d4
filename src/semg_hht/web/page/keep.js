// Keeping: the session as one file, the card of a recording, tables; and leaving the page.

import * as api from "./api.js";
import { button, byId, h, say } from "./dom.js";
import { sendEdits, sendWhileLeaving } from "./edits.js";
import { sendFields, sendFieldsWhileLeaving } from "./heading.js";
import { act, complain, markUnsaved, store } from "./store.js";
import { w } from "./words.js";

const stamp = () => new Date().toISOString().slice(0, 10);

async function settled(work) {
  try {
    await Promise.all([sendEdits(), sendFields()]);
    await work();
  } catch (error) {
    complain(error);
  }
}

export function saveSession() {
  return settled(async () => {
    const people = [...new Set(store.state.files.map((file) => file.about?.person).filter(Boolean))];
    const who = people.length === 1 ? `${people[0].replace(/[^\p{L}\p{N}_-]+/gu, "-")}_` : "";
    await api.download("session", {}, `${who}${stamp()}.semg.zip`);
    markUnsaved(false);
    say(w("said_saved"));
  });
}

export const saveTable = () => settled(() => api.download("table", {}, "reps.csv"));
export const saveAnswers = () => settled(() => api.download("predictions", {}, "predictions.json"));

async function keepHere() {
  await settled(async () => {
    if (await act("keep", {}, w("said_kept"))) markUnsaved(false);
  });
}

const base = (file) => file.name.replace(/\.[^.]+$/, "");

// Sessions in the folder of the owner, to go on with.
export function keptSessions() {
  const kept = store.state.kept || [];
  if (!kept.length) return null;
  const open = (name) => act("open", { name }, w("said_opened", { name }));
  const items = kept.map((name) => h("li", {}, button(name, () => open(name), { class: "quiet link" })));
  return h("details", { "data-key": "kept" }, h("summary", {}, w("kept", { n: kept.length })), h("ul", {}, items));
}

// Sessions that somebody else changed meanwhile: what this visit has is kept beside them.
export function conflicts() {
  return (store.state.conflicts || []).map(({ name, copy }) => {
    const choice = (key, path, said) =>
      button(w(key), () => act(path, { name }, w(said, { name })), { class: "small" });
    return h(
      "div",
      { class: "problem", "data-key": `conflict ${name}` },
      h("p", {}, w("conflict", { name, copy })),
      choice("open_other", "open_instead", "said_opened"),
      " ",
      choice("go_on", "go_on", "said_go_on"),
    );
  });
}

export function keeping(file) {
  const { keeps } = store.state;
  const tool = (key, work, kind, disabled) => button(w(key), work, { class: kind, "data-key": key, disabled });
  return [
    h("h3", { id: "keep-title", "data-key": "title" }, w("keep")),
    h(
      "div",
      { class: "row", "data-key": "row" },
      tool("save_session", saveSession, "primary"),
      keeps && tool("keep_here", keepHere),
      tool("show_card", () => showCard(file), "", !file.has_card),
      tool("save_table", saveTable),
      tool("save_json", saveAnswers),
    ),
    h("p", { class: "note", "data-key": "note" }, w(keeps ? "keep_how_folder" : "keep_how", { folder: keeps })),
    keptSessions(),
  ];
}

// The card is a page of its own. Its style sheet is taken over as a constructed one, which the page's rules allow;
// scripts in it never run, because parsed documents don't run scripts.
export async function showCard(file) {
  await settled(async () => {
    const blob = await api.getBlob("card", { file: file.id, gender: store.gender });
    const rules = [];
    const keepRules = (_, text) => (rules.push(text), "");
    const markup = (await blob.text()).replace(/<style[^>]*>([\s\S]*?)<\/style>/gi, keepRules);
    const parsed = new DOMParser().parseFromString(markup, "text/html");
    const sheet = new CSSStyleSheet();
    const inShadow = rules.join("\n").replace(/:root\b|\bhtml\b/g, ":host");
    sheet.replaceSync(inShadow.replace(/\bbody\s*\{/g, ".sheet {"));
    const holder = h("div", { class: "card-holder" });
    const shadow = holder.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [sheet];
    const body = h("div", { class: "sheet" });
    for (const node of parsed.querySelectorAll("script, style, link, meta")) node.remove();
    body.append(...[...parsed.body.childNodes].map((node) => document.importNode(node, true)));
    shadow.append(body);
    const dialog = byId("card");
    const tools = [
      button(w("print"), () => window.print(), { class: "primary" }),
      button(w("save_card"), () => api.saveBlob(blob, `${base(file)}_card.html`)),
      button(w("close"), () => dialog.close(), { class: "quiet" }),
    ];
    dialog.replaceChildren(h("div", { class: "row card-tools" }, tools), holder);
    dialog.setAttribute("aria-label", w("card_of", { file: file.name }));
    dialog.showModal();
    document.body.classList.add("card-open");
    dialog.onclose = () => document.body.classList.remove("card-open");
  });
}

export function watchLeaving() {
  window.addEventListener("beforeunload", (event) => {
    // A folder for sessions keeps everything by itself.
    if (!store.unsaved || !store.state?.files.length || store.state.keeps) return;
    event.preventDefault();
  });
  window.addEventListener("pagehide", () => {
    sendWhileLeaving();
    sendFieldsWhileLeaving();
    // The server waits a while before it removes the visit: this may be a reload.
    if (api.hasVisit()) api.post("leave", {}, true).catch(() => {});
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
}
