// The registered databases with their health, by the API alone. What a server or a caller named is set as text, never
// as HTML.
"use strict";

const list = document.getElementById("databases");
const key = document.getElementById("key");
const state = document.getElementById("state");
const everyMilliseconds = 2000;
const maxPoints = 300;
const svg = "http://www.w3.org/2000/svg";
// By database: what was retained at each check that this browser has seen.
const history = new Map(Object.entries(JSON.parse(localStorage.getItem("history") || "{}")));

key.value = sessionStorage.getItem("key") || "local-development-key";
key.addEventListener("change", () => {
  sessionStorage.setItem("key", key.value);
  refresh();
});

function element(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

function size(bytes) {
  if (bytes === null) return "unknown";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return (unit === 0 ? bytes : bytes.toFixed(1)) + " " + units[unit];
}

function remember(d) {
  const health = d.health;
  if (health.checked_at === null || health.slot.retained_bytes === null) return;
  const points = history.get(d.id) || [];
  const last = points[points.length - 1];
  if (!last || last[0] !== health.checked_at) points.push([health.checked_at, health.slot.retained_bytes]);
  history.set(d.id, points.slice(-maxPoints));
}

function draw(points) {
  const width = 600, height = 80;
  const chart = document.createElementNS(svg, "svg");
  chart.setAttribute("viewBox", "0 0 " + width + " " + height);
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", "Retained WAL over time");
  const times = points.map((p) => Date.parse(p[0]));
  const first = times[0], span = Math.max(1, times[times.length - 1] - first);
  const top = Math.max(1, ...points.map((p) => p[1]));
  const line = document.createElementNS(svg, "polyline");
  line.setAttribute("points", points.map((p, i) =>
    ((times[i] - first) / span * width).toFixed(1) + "," + (height - 2 - p[1] / top * (height - 4)).toFixed(1)).join(" "));
  chart.append(line);
  const figure = element("figure");
  figure.append(chart, element("figcaption",
    "Retained WAL: " + size(points[points.length - 1][1]) + ", at most " + size(top) + " since " + new Date(first).toLocaleTimeString()));
  return figure;
}

function finding(check) {
  const item = element("li");
  item.append(element("strong", check.code), element("span", ": " + check.message));
  if (check.fix) item.append(element("pre", check.fix));
  return item;
}

function show(d) {
  const health = d.health, slot = d.replication_slots[0];
  const card = element("article");
  const title = element("h3", d.name + " ");
  title.append(element("span", health.status, "status " + health.status));
  card.append(title, element("p", d.username + "@" + d.hostname + ":" + d.port + "/" + d.database + ", slot " + slot.slot_name +
    (health.slot.active === null ? "" : health.slot.active ? ", being read" : ", read by nobody") +
    (health.slot.wal_status === null ? "" : ", WAL " + health.slot.wal_status) +
    (health.since === null ? "" : ", since " + new Date(health.since).toLocaleString())));
  const points = history.get(d.id);
  if (points && points.length > 1) card.append(draw(points));
  const findings = health.checks.filter((c) => c.code);
  if (findings.length > 0) {
    const items = element("ul");
    items.append(...findings.map(finding));
    card.append(items);
  }
  return card;
}

async function refresh() {
  try {
    const response = await fetch("api/postgres_databases?include=health", {headers: {Authorization: "Bearer " + key.value}});
    const body = await response.json();
    if (!response.ok) throw new Error(body.summary);
    body.data.forEach(remember);
    const ids = new Set(body.data.map((d) => d.id));
    for (const id of history.keys()) if (!ids.has(id)) history.delete(id);
    localStorage.setItem("history", JSON.stringify(Object.fromEntries(history)));
    list.replaceChildren(...body.data.map(show));
    state.textContent = body.data.length === 0 ? "No database is registered." :
      body.data.every((d) => d.health.status === "unknown") ? "Nothing was checked yet: start with CHECK_EVERY=10s make run." : "";
  } catch (error) {
    state.textContent = error.message;
  }
}

refresh();
setInterval(refresh, everyMilliseconds);
