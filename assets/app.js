// A page that stays true: it hears what changed, asks for its newest state, and is changed
// by id. Everything that comes from a transcript arrives as HTML that the server made.

import { pauseBefore, share } from "/sse-client.js";
import { alertOn, alertsBegin } from "/alerts.js";
import { refill, visited } from "/talk.js";
import "/keys.js";

const TYPES = ["session_registered", "session_ended", "turn_detected", "state_transition", "hook_received", "session_observed", "session_viewed"];
const APART_MS = 250; // fragments are asked for at most four times a second
const QUIET_MS = 3000; // a shorter cut is not worth a word
const STILL_MS = 5000; // rows stay while the pointer or a key moves among them
const TOOLS_MS = 3000; // calls of tools make no events
const OLD_MS = 60000; // words of time alone can change what is shown

const page = () => document.getElementById("page");
const part = (id) => document.getElementById(id);
const main = () => part("main");

// The log can be held while it is read; what comes is counted.
let held = null;

// What changed, said at most every APART_MS, and to a hidden page when it is seen again.
const said = new Map();
const waiting = new Set();
function changed(name) {
  if (waiting.has(name)) return;
  waiting.add(name);
  if (document.hidden) return;
  const pause = Math.max(0, (said.get(name) ?? 0) + APART_MS - Date.now());
  setTimeout(() => say(name), pause);
}
function say(name) {
  if (!waiting.delete(name)) return;
  said.set(name, Date.now());
  document.dispatchEvent(new CustomEvent(`headspace:${name}`));
}
function all() {
  changed("agents");
  if (held === null) changed("log");
  const own = page()?.getAttribute("hx-trigger")?.match(/headspace:(agent-\d+)/);
  if (own) changed(own[1]);
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  stream.hurry();
  for (const name of [...waiting]) say(name);
});

function hold() {
  held = held === null ? 0 : null;
  const button = part("pause");
  button.textContent = held === null ? "Pause" : "Resume (0)";
  if (held === null) changed("log");
}

function heard(type, event) {
  if (held !== null) {
    held += 1;
    part("pause").textContent = `Resume (${held})`;
  } else {
    changed("log");
  }
  if (event.agent_id === null || type === "session_observed") return;
  changed("agents");
  changed(`agent-${event.agent_id}`);
  alertOn(type, stream);
}

// The connection.
let lostAt = null;
let nextTry = null;
let why = "no connection";
function lost(reason, pause) {
  why = reason;
  lostAt ??= Date.now();
  nextTry = Date.now() + pause;
}
function found() {
  if (lostAt === null) return;
  lostAt = nextTry = null;
  showLoss();
}
function showLoss() {
  const bar = part("offline");
  const away = lostAt !== null && Date.now() - lostAt >= QUIET_MS;
  document.documentElement.classList.toggle("away", away);
  bar.hidden = !away;
  if (!away) return;
  const since = new Date(lostAt).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  const left = Math.max(0, Math.ceil((nextTry - Date.now()) / 1000));
  bar.textContent = `${why} since ${since}, trying again ${left ? `in ${left} s` : "now"}`;
}
setInterval(showLoss, 500);

let isFirst = true;
const stream = share("/api/events/stream", {
  handlers: {
    ...Object.fromEntries(TYPES.map((type) => [type, (event) => heard(type, event)])),
    reset: all,
  },
  onState(state, detail) {
    document.documentElement.dataset.stream = state;
    if (state === "waiting") lost("no connection", detail.pause);
    if (state !== "open") return;
    found();
    alertsBegin(stream);
    // What happened between the page and the stream, or while it was cut.
    if (!isFirst || performance.now() > 1000) all();
    isFirst = false;
  },
});

// A fragment that could not be had is asked for again.
let attempt = 0;
function failed(event) {
  const { ctx } = event.detail;
  if (ctx.response && ctx.response.status < 500) return;
  const pause = pauseBefore(++attempt);
  lost(ctx.response ? "headspace cannot read its database" : "no connection", pause);
  setTimeout(all, pause);
}
document.addEventListener("htmx:response:error", failed);
document.addEventListener("htmx:error", failed);

// Rows do not move under the pointer or the focus.
let movedAt = -Infinity;
let over = null;
for (const kind of ["pointermove", "pointerdown", "keydown"]) {
  addEventListener(kind, (event) => {
    movedAt = performance.now();
    if (kind !== "keydown") over = event.target.closest?.(".item") ?? null;
  }, { passive: true });
}
document.documentElement.addEventListener("pointerleave", () => (over = null));

const kept = () => (over?.isConnected ? over : document.activeElement?.closest("article.item"));
const shape = (root) => [...root.querySelectorAll("article.item")].map((item) => item.id).join(" ");

let top = 0;
let atEnd = false;
let anchor = null;
// An answer that is an error is swapped for nothing, and yet said to be swapped.
const isOwn = ({ target, detail }) => target === page() && detail.ctx.response.status < 400;
document.addEventListener("htmx:before:swap", (event) => {
  if (!isOwn(event)) return;
  anchor = kept();
  const isStill = performance.now() - movedAt > STILL_MS;
  const next = event.detail.tasks?.[0]?.fragment;
  if (anchor && !isStill && next && shape(next) !== shape(page())) {
    event.preventDefault();
    setTimeout(all, APART_MS);
    return;
  }
  top = anchor?.getBoundingClientRect().top;
  const end = part("end")?.getBoundingClientRect().top ?? Infinity;
  atEnd = end < innerHeight + 40;
});
document.addEventListener("htmx:after:swap", (event) => {
  if (!isOwn(event)) return;
  attempt = 0;
  if (document.documentElement.dataset.stream === "open") found();
  if (anchor?.isConnected) scrollBy(0, anchor.getBoundingClientRect().top - top);
  else if (atEnd && !location.search) toEnd();
  shown();
});

// Beside the conversation, or below it, stands more.
function toEnd() {
  part("end").scrollIntoView({ block: "end" });
}

// What is new of a session is seen by a person who has its page in front.
let seen = null;
function see() {
  const news = main()?.dataset.news;
  if (!news || news === seen || !document.hasFocus()) return;
  seen = news;
  document.dispatchEvent(new CustomEvent("headspace:seen"));
}
addEventListener("focus", see);

// What only a browser knows of a page.
function shown() {
  const { title, needs } = page().dataset;
  document.title = title;
  const icon = `/icon.svg?n=${needs}`;
  if (part("icon").getAttribute("href") !== icon) part("icon").setAttribute("href", icon);
  const hint = part("hooks-hint");
  if (hint && localStorage.getItem("hooks-hint") === "dismissed") hint.hidden = true;
  if (location.pathname === "/") {
    const ids = [...document.querySelectorAll("article.item")].map((item) => item.dataset.agent);
    sessionStorage.setItem("order", ids.join(" "));
  }
  visited();
  refill();
  see();
  tick();
}

// Times go on while there is a connection.
const UNITS = [[86400, "day"], [3600, "h"], [60, "min"], [1, "s"]];
function words(seconds) {
  const [size, unit] = UNITS.find(([size]) => seconds >= size) ?? UNITS[3];
  const count = Math.floor(seconds / size);
  return `${count} ${unit === "day" && count > 1 ? "days" : unit}`;
}
function tick() {
  if (document.documentElement.classList.contains("away")) return;
  for (const time of document.querySelectorAll("time.for, time.ago")) {
    const age = words(Math.max(0, Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000)));
    const text = time.className === "ago" ? `${age} ago` : age;
    if (time.textContent !== text) time.textContent = text;
  }
}
setInterval(tick, 1000);
setInterval(() => document.querySelector(".item i.work, .item .work") && all(), TOOLS_MS);
setInterval(all, OLD_MS);

// The search narrows the page while it is typed in.
let typed = null;
document.addEventListener("input", (event) => {
  if (event.target.id !== "q" || location.pathname !== "/") return;
  clearTimeout(typed);
  typed = setTimeout(() => search(event.target.value), 150);
});
function search(text) {
  const address = new URL(location.href);
  if (text) address.searchParams.set("q", text);
  else address.searchParams.delete("q");
  history.replaceState(null, "", address);
  page().setAttribute("hx-get", `/fragments/home${address.search}`);
  changed("agents");
}
document.addEventListener("submit", (event) => {
  if (event.target.id !== "search") return;
  event.preventDefault();
  if (location.pathname !== "/") location.assign(`/?q=${encodeURIComponent(part("q").value)}`);
});

document.addEventListener("headspace:refresh", all);
document.addEventListener("headspace:hold", hold);
document.addEventListener("headspace:dismiss", () => {
  localStorage.setItem("hooks-hint", "dismissed");
  shown();
});

addEventListener("pagehide", () => stream.close());
addEventListener("pageshow", (event) => event.persisted && location.reload());

shown();
if (part("talk") && !location.hash && !location.search) {
  const fresh = document.querySelector(".turn[data-js=new]");
  if (fresh) fresh.scrollIntoView({ block: "center" });
  else toEnd();
}
