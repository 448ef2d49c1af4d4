// Requests to the server. The key of the visit is sent as a header and never stands in an address.

const KEY = "semg-hht-visit";
let visit = sessionStorage.getItem(KEY) || "";
let startAgain = async () => {};

export class RequestError extends Error {}

export function onLostVisit(work) {
  startAgain = work;
}

export const hasVisit = () => visit !== "";

// A browser copies the key of the visit into a duplicated tab. Tabs of this page ask each other who has which visit: by
// the beginning of its key, which leads nobody to it. A second tab begins a visit of its own: two tabs with one visit
// would overwrite each other's changes, and closing one would end the visit of the other.
const ANSWER_MS = 200;
const tabs = new BroadcastChannel("semg-hht-tabs");
let isSure = false; // that this tab alone has its visit

tabs.addEventListener("message", ({ data }) => {
  if (isSure && data.asks && data.asks === visit.slice(0, 8)) tabs.postMessage({ has: data.asks });
});

export async function isSecondTab() {
  const asks = visit.slice(0, 8);
  const isTaken = await new Promise((resolve) => {
    tabs.addEventListener("message", ({ data }) => data.has === asks && resolve(true));
    tabs.postMessage({ asks });
    setTimeout(() => resolve(false), asks ? ANSWER_MS : 0);
  });
  isSure = true;
  return isTaken;
}

export const SEND_AGAIN_MS = 5000;

// The server can't be reached, or has too many requests of this visit: the same request may succeed later.
export const willPass = (error) => error instanceof TypeError || error.status === 429;

async function errorOf(answer) {
  // The answer of a proxy may be no JSON: its status has to do.
  const { error = `${answer.status} ${answer.statusText}` } = await answer.json().catch(() => ({}));
  return Object.assign(new RequestError(error), { status: answer.status });
}

async function send(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { ...options.headers, "X-Visit": visit } });
  if (answer.ok) return answer;
  const error = await errorOf(answer);
  if (answer.status === 404 && visit) await startAgain(error);
  throw error;
}

const asJson = (body) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

export async function startVisit(language) {
  visit = ""; // of a visit that the server has removed, or that another tab has
  const { visit: key, state } = await (await send("api/visit", asJson({ language }))).json();
  visit = key;
  sessionStorage.setItem(KEY, key);
  return state;
}

// The state of the visit that this tab had before a reload, or null where it had none or the server has removed it.
export async function findVisit() {
  if (!visit) return null;
  const answer = await fetch("api/state", { headers: { "X-Visit": visit } });
  if (answer.status === 404 || answer.status === 403) return null;
  if (!answer.ok) throw await errorOf(answer);
  return answer.json();
}

export async function get(path, values = {}) {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== undefined));
  return (await send(`api/${path}?${query}`)).json();
}

// The messages that the server sends as they come. (An EventSource can't send the key of the visit in a header.)
export async function* events(path) {
  const answer = await send(`api/${path}`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (text + value).split("\n\n");
    text = parts.pop();
    for (const part of parts) if (part.startsWith("data: ")) yield JSON.parse(part.slice(6));
  }
}

export async function getBlob(path, values = {}) {
  return (await send(`api/${path}?${new URLSearchParams(values)}`)).blob();
}

export async function post(path, body = {}, keepalive = false) {
  return (await send(`api/${path}`, { ...asJson(body), keepalive })).json();
}

// Send a file; `tell` receives the share that has arrived. (fetch can't tell how much of a body is sent.)
export function upload(file, tell) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `api/file?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("X-Visit", visit);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && tell(event.loaded / event.total);
    request.onload = () => {
      if (request.status < 300) resolve(request.response);
      else reject(new RequestError(request.response?.error || `${request.status}`));
    };
    request.onerror = () => reject(new TypeError("network"));
    request.send(file);
  });
}

export async function download(path, values, name) {
  saveBlob(await getBlob(path, values), name);
}

export function saveBlob(blob, name) {
  const address = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
