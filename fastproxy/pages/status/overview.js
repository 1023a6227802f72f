"use strict";
// What /status and /v1/models tell, shown: state, charts, providers, models, requests.

const TONES = { on: "good", off: "idle", "not answering": "bad" };

const percentiles = (prefix) => [
  { field: `${prefix}_p50_ms`, label: "P50", tone: "first" },
  { field: `${prefix}_p99_ms`, label: "P99", tone: "second" },
];
const shortMs = (value, isOnAxis) => (isOnAxis ? ms(value).replace(/\.0+ |(\.\d+?)0+ /, "$1 ") : ms(value));

const CHARTS = [
  new Chart({
    title: "Requests", hint: "per second",
    lines: [
      { field: "requests", label: "all", tone: "first", as: "area" },
      { field: "errors", label: "failed", tone: "bad", as: "bars" },
    ],
    text: number, now: recentMean, empty: "No requests yet",
  }),
  new Chart({
    title: "Time to first token", hint: "streams",
    lines: percentiles("first_token"), text: shortMs, now: latest, empty: "No streams yet",
  }),
  new Chart({
    title: "Overhead", hint: "of the proxy",
    lines: percentiles("overhead"), text: shortMs, now: latest, empty: "No answers yet",
  }),
];

function showConnection() {
  const base = new URL("v1", location.href).href;
  write("base-url", base);
  const hasKeys = document.documentElement.dataset.hasKeys === "true";
  write("key-hint", hasKeys ? "The API key is one of this proxy’s." :
    "No key is needed on this machine: any text will do.");
  const key = hasKeys ? "YOUR-KEY" : "none";
  write("example", `from openai import OpenAI\n\nclient = OpenAI(base_url="${base}", api_key="${key}")\n` +
    `answer = client.chat.completions.create(\n    model="demo-chat",\n` +
    `    messages=[{"role": "user", "content": "Hello"}],\n)\nprint(answer.choices[0].message.content)\n`);
  $("charts").append(...CHARTS.map((chart) => chart.node));
}

async function copyBaseUrl() {
  const tell = (text) => ["copy", "copied"].forEach((id) => write(id, text)); // to be seen, and to be heard
  try {
    await navigator.clipboard.writeText($("base-url").textContent);
    tell("Copied");
  } catch { // pages that came by plain HTTP from another machine may not
    getSelection().selectAllChildren($("base-url"));
    tell("Press Ctrl+C");
  }
  setTimeout(() => {
    write("copy", "Copy");
    write("copied", "");
  }, 2000);
}

function showState(tone, text) {
  $("state").dataset.tone = tone;
  write("state", text);
}

function showStatus(told) {
  write("version", told.version);
  if (told.status === "ok") showState("good", "Running");
  else showState("bad", "Shutting down");
  const waiting = told.waiting ? `, ${told.waiting} waiting` : "";
  write("load", `Up ${span(told.uptime_seconds)}, ${told.in_flight} in flight${waiting}`);
  $("warning").hidden = !told.log_bodies;
  write("warning", told.log_bodies ? "Prompts and answers are being logged (server.log_bodies)." : "");
  for (const chart of CHARTS) chart.update(told.seconds);
  showProviders(told);
  showRequests(told);
  const { pid, workers } = told.worker;
  write("scope", workers > 1 ? `These figures are of worker ${pid}, one of ${workers}: each counts its own, and ` +
    "which one answers is chance. /metrics counts all of them." : "");
}

function showProviders({ providers, now }) {
  const entries = Object.entries(providers);
  $("no-provider").hidden = entries.some(([name, state]) => name !== "demo" && state.state === "on");
  const rank = ({ state }) => ["on", "not answering", "off"].indexOf(state);
  replaceWhenChanged($("providers"), entries.sort((a, b) => rank(a[1]) - rank(b[1])), ([name, state]) =>
    providerItem(name, state, now), entries.some(([, state]) => state.last_error) && Math.floor(now / 5));
}

function providerItem(name, state, now) {
  const circuits = Object.entries(state.circuits || {});
  const tone = circuits.length && state.state === "on" ? "warn" : TONES[state.state];
  const load = state.waiting ? `${state.in_flight} in flight, ${state.waiting} waiting` : "";
  const last = state.last_error;
  return el("li", { "data-tone": tone },
    el("div", { class: "row" }, el("b", {}, name), el("span", { class: "pill", "data-tone": tone }, state.state),
      el("span", { class: "soft" }, load)),
    state.reason && el("p", { class: "soft" }, ...prose(state.reason)),
    ...circuits.map(([model, circuit]) => el("p", { class: "warn" }, "Circuit ", circuit.replace("_", " "), " for ",
      el("code", {}, model), circuit === "open" ? ": it failed again and again and is left alone for a while." : ".")),
    last && el("p", { class: "last-error" }, el("span", { class: "bad" }, last.code), " ",
      el("span", { class: "soft" }, [last.model, ago(now - last.at)].filter(Boolean).join(", ")),
      last.message && el("span", { class: "soft block" }, last.message)));
}

const COLUMNS = [
  ["Time", (r) => clock(r.at)],
  ["Model", (r) => el("code", { title: r.provider_model && `${r.provider}: ${r.provider_model}` }, r.model || "–")],
  ["Provider", (r) => r.provider || "–"],
  ["Status", (r) => el("span", { class: "status", "data-tone": toneOf(r) }, wordOf(r))],
  ["Duration", (r) => ms(r.duration_ms), "end"],
  ["First token", (r) => ms(r.first_token_ms), "end"],
  ["Overhead", (r) => ms(r.overhead_ms), "end"],
  ["Tokens in / out", (r) => (r.input_tokens == null ? "–" : `${r.input_tokens} / ${r.output_tokens}`), "end"],
  ["Key", (r) => r.caller || "–"],
];

const toneOf = (r) => (r.error_code ? "bad" : r.client_gone ? "warn" : "good");
const wordOf = (r) => (r.error_code ? `${r.status} ${r.error_code}` : r.client_gone ? "client left" : String(r.status));

function showRequests({ requests, caller }) {
  write("requests-note", caller.sees_all ? "" : `those of the key “${caller.name}”`);
  const columns = caller.has_key ? COLUMNS : COLUMNS.slice(0, -1);
  replaceWhenChanged($("requests"), [requests], (all) => all.length ? requestTable(all, columns) :
    el("p", { class: "empty" }, "None yet. Point a client at the base URL above, or try the playground."));
}

function requestTable(requests, columns) {
  const head = columns.map(([title, , align]) => el("th", { scope: "col", "data-align": align }, title));
  const rows = requests.map((request) => el("tr", {},
    ...columns.map(([, cell, align]) => el("td", { "data-align": align }, cell(request)))));
  return el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows));
}

function showModels(models) {
  write("model-count", String(models.length));
  const byOwner = new Map();
  for (const model of models) byOwner.set(model.owned_by, [...(byOwner.get(model.owned_by) || []), model]);
  replaceWhenChanged($("models"), [...byOwner], ([owner, owned]) => el("div", {},
    el("h3", {}, owner), el("ul", { class: "plain chips" }, ...owned.map(({ id }) => el("li", {}, el("code", {}, id))))));
  return byOwner;
}

/** Builds the children anew where their data (or `more`) changed: what is selected or read stays otherwise. */
function replaceWhenChanged(node, items, build, more) {
  const text = JSON.stringify([items, more]);
  if (node.shown === text) return;
  node.shown = text;
  node.replaceChildren(...items.map(build));
}
