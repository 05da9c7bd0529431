// The page: the newest events on top, live, and how headspace is doing.
// Everything that comes from a transcript is put in as text, never as markup.

import { connect } from "/sse-client.js";

const PAGE = 100;
const MOST_ROWS = 1000;
const CLIP_CHARACTERS = 1200;
const CLIP_LINES = 12;
const HEALTH_INTERVAL_MS = 10000;
const TYPES = ["session_registered", "session_ended", "turn_detected", "state_transition", "hook_received"];

const byId = (id) => document.getElementById(id);
const list = byId("events");
const sessions = new Map();
let newest = 0;
let before = null;

start();
showHealth();
setInterval(showHealth, HEALTH_INTERVAL_MS);
byId("older").addEventListener("click", () => showOlder());

async function start() {
  try {
    await fetchProjects();
    const page = await fetchPage();
    follow(page.follow_after);
  } catch (error) {
    setState("stream", "bad", `not connected: ${error.message}`);
    setTimeout(start, 3000);
  }
}

function follow(lastEventId) {
  const handlers = Object.fromEntries(TYPES.map((type) => [type, showNew]));
  handlers.reset = ({ reason }) => notice(`The stream started over: ${reason}.`);
  connect("/api/events/stream", { lastEventId, handlers, onState: showStream });
}

function showStream(state) {
  const [colour, words] = {
    connecting: ["fair", "connecting …"],
    open: ["good", "live"],
    waiting: ["fair", "cut off, trying again …"],
    closed: ["bad", "closed"],
  }[state];
  setState("stream", colour, words);
}

async function showHealth() {
  const colours = { healthy: "good", degraded: "fair", unhealthy: "bad" };
  try {
    const health = await (await fetch("/health")).json();
    const words = [health.status, ...(health.reasons ?? [])].join(": ");
    setState("health", colours[health.status] ?? "bad", words);
  } catch {
    setState("health", "bad", "headspace does not answer");
  }
}

function setState(id, colour, words) {
  byId(id).textContent = words;
  byId(`${id}-dot`).className = `dot ${colour}`;
}

// A turn names its session; which project that is stands in its registration.
async function fetchProjects() {
  const response = await fetch("/api/events?types=session_registered&limit=500");
  if (response.ok) (await response.json()).events.reverse().forEach(remember);
}

async function fetchPage() {
  const query = before === null ? "" : `&before=${before}`;
  const response = await fetch(`/api/events?limit=${PAGE}${query}`);
  const body = await response.json();
  if (!response.ok) throw new Error(body.detail);
  for (const event of body.events.slice().reverse()) remember(event);
  list.append(...body.events.map(row));
  newest = Math.max(newest, body.events[0]?.id ?? 0);
  before = body.next_before;
  byId("older").hidden = before === null;
  byId("empty").hidden = list.childElementCount > 0;
  return body;
}

function showOlder() {
  fetchPage().catch((error) => notice(`Older events could not be read: ${error.message}.`));
}

// Events of the page may come again by the stream.
function showNew(event) {
  if (event.id <= newest) return;
  newest = event.id;
  remember(event);
  byId("empty").hidden = true;
  list.prepend(row(event));
  while (list.childElementCount > MOST_ROWS) list.lastElementChild.remove();
}

function remember({ event_type, payload }) {
  if (event_type === "session_registered") sessions.set(payload.session_uuid, payload.project_path);
}

function row(event) {
  const item = element("li", event.payload.actor ?? "");
  const head = element("div", "head");
  head.append(time(event.timestamp), element("span", "actor", actor(event)), session(event.payload));
  item.append(head, ...body(what(event)));
  return item;
}

function time(timestamp) {
  const stamp = element("time", "", new Date(timestamp).toLocaleString());
  stamp.dateTime = timestamp;
  return stamp;
}

function actor({ event_type, payload }) {
  return payload.actor ?? event_type.replaceAll("_", " ");
}

function session(payload) {
  const uuid = payload.session_uuid ?? payload.claude_session_id ?? "";
  const project = sessions.get(uuid)?.split("/").filter(Boolean).pop();
  const label = element("span", "session", [project, uuid.slice(0, 8)].filter(Boolean).join(" · "));
  label.title = uuid;
  return label;
}

function what({ event_type, payload }) {
  switch (event_type) {
    case "turn_detected": return payload.text;
    case "session_registered": return payload.project_path;
    case "session_ended": return payload.reason;
    case "state_transition": return `${payload.from_state} → ${payload.to_state}`;
    case "hook_received": return payload.hook_type;
    default: return JSON.stringify(payload);
  }
}

function body(text) {
  const clipped = clip(text);
  const paragraph = element("p", "text", clipped);
  if (clipped === text) return [paragraph];
  const toggle = element("button", "", "more");
  toggle.type = "button";
  toggle.setAttribute("aria-expanded", "false");
  toggle.addEventListener("click", () => {
    const open = toggle.getAttribute("aria-expanded") === "false";
    paragraph.textContent = open ? text : clipped;
    toggle.textContent = open ? "less" : "more";
    toggle.setAttribute("aria-expanded", String(open));
  });
  return [paragraph, toggle];
}

function clip(text) {
  const few = text.split("\n", CLIP_LINES).join("\n").slice(0, CLIP_CHARACTERS);
  return few.length < text.length ? `${few} …` : text;
}

function notice(words) {
  byId("notice").textContent = words;
  byId("notice").hidden = false;
}

function element(name, className, text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
