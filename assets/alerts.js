// Alerts of this browser, asked for by a click on the bell. The tab that leads the stream
// shows them, so that there is one: 5 s after a session began to wait, again after ten
// minutes, and closed when the wait is over. Words and waits are the server's.

const GRACE_MS = 5000; // what is answered within this is not told
const SETTLED_MS = 1000; // a wait may be on its way to something else
const FRESH_MS = 60000; // older waits are told in one notice, or shown by the page itself
const AGAIN_MS = 600000;
const WINDOW_MS = 10000; // so long for
const MOST = 3; // so many notices
const APART_MS = 500;
const RETRY_MS = 5000;
const TYPES = ["state_transition", "session_viewed", "session_ended"];
const NAMED = 3;

const areOn = () => globalThis.Notification?.permission === "granted" && localStorage.getItem("alerts") === "on";
const keyOf = (wait) => `${wait.agent_id} ${wait.kind} ${wait.opened_at}`;

let stream = null;
let timer = null;
let isFirst = true;
let recent = []; // when the last notices were shown
const noticed = new Map(); // by key: when this tab heard of the wait, and since when it is told
const shown = new Map(); // notices, with the keys they tell of

function ring() {
  document.getElementById("bell")?.setAttribute("aria-pressed", String(areOn()));
}

document.addEventListener("headspace:bell", async () => {
  if (!globalThis.Notification) return;
  if (areOn()) localStorage.setItem("alerts", "off");
  else if ((await Notification.requestPermission()) === "granted") localStorage.setItem("alerts", "on");
  ring();
  if (areOn()) lookIn(0);
  else for (const notice of shown.keys()) close(notice);
});
document.addEventListener("htmx:after:swap", ring);
ring();

// The stream is open: what came meanwhile was not heard.
export function alertsBegin(opened) {
  stream = opened;
  lookIn(APART_MS);
}

export function alertOn(type, heardBy) {
  stream = heardBy;
  if (TYPES.includes(type)) lookIn(APART_MS);
}

let lookAt = Infinity;
function lookIn(pause) {
  const at = performance.now() + pause;
  if (timer !== null && lookAt <= at) return;
  clearTimeout(timer);
  lookAt = at;
  timer = setTimeout(look, pause);
}

async function look() {
  timer = null;
  if (!stream?.leads || !areOn()) return;
  const waits = await ask().catch(() => null);
  if (!waits) return lookIn(RETRY_MS);
  act(waits, performance.now(), Date.now());
}

async function ask() {
  const answer = await fetch("/api/waits");
  return answer.ok ? (await answer.json()).waits : null;
}

// Which waits were told by any tab: only those that go on are remembered.
const told = () => JSON.parse(localStorage.getItem("alerts-told") ?? "{}");

function act(waits, now, wall) {
  const before = told();
  const open = new Map(waits.map((wait) => [keyOf(wait), wait]));
  const known = {};
  for (const key of open.keys()) if (before[key]) known[key] = before[key];
  for (const key of noticed.keys()) if (!open.has(key)) noticed.delete(key);
  const late = [];
  const fresh = [];
  let next = Infinity;
  for (const [key, wait] of open) {
    const age = wall - Date.parse(wait.opened_at);
    const seen = noticed.get(key) ?? { at: now, grace: Math.max(SETTLED_MS, GRACE_MS - Math.max(0, age)), told: null };
    noticed.set(key, seen);
    if (known[key]) {
      seen.told ??= now;
      if (known[key] !== "once" || !wait.blocked) continue;
      if (now - seen.told >= AGAIN_MS) fresh.push([key, "again"]);
      else next = Math.min(next, seen.told + AGAIN_MS);
    } else if (age > FRESH_MS && isFirst) {
      known[key] = "late";
    } else if (now - seen.at < seen.grace) {
      next = Math.min(next, seen.at + seen.grace);
    } else if (age > FRESH_MS) {
      late.push([key, "late"]);
    } else {
      fresh.push([key, "once"]);
    }
  }
  isFirst = false;
  recent = recent.filter((at) => now - at < WINDOW_MS);
  const show = (some) => {
    for (const [key, how] of some) {
      known[key] = how;
      noticed.get(key).told = now;
      if (how === "once" && open.get(key).blocked) next = Math.min(next, now + AGAIN_MS);
    }
    recent.push(now);
    notify(some.map(([key]) => [key, open.get(key)]));
  };
  if (late.length && recent.length < MOST) show(late.splice(0));
  if (fresh.length <= MOST - recent.length) for (const one of fresh.splice(0)) show([one]);
  else if (recent.length < MOST) show(fresh.splice(0));
  if (late.length || fresh.length) next = Math.min(next, recent[0] + WINDOW_MS);
  localStorage.setItem("alerts-told", JSON.stringify(known));
  for (const [notice, keys] of shown) if (!keys.some((key) => open.has(key))) close(notice);
  if (next < Infinity) lookIn(next - now);
}

// As the watcher's own alerts say it.
function titleOf(waits) {
  const blocked = waits.filter((wait) => wait.blocked).length;
  const over = waits.length - blocked;
  if (blocked && over) return `${blocked} need you, ${over} finished`;
  return over ? `${over} sessions finished` : `${blocked} sessions need you`;
}

const nameOf = (wait) => `${wait.project} · ${wait.title}`;

function notify(some) {
  const waits = some.map(([, wait]) => wait);
  const lines = waits.slice(0, NAMED).map((wait) => `${nameOf(wait)}: ${wait.words}`);
  if (waits.length > NAMED) lines.push(`and ${waits.length - NAMED} more`);
  const isOne = waits.length === 1;
  const title = isOne ? nameOf(waits[0]) : titleOf(waits);
  const notice = new Notification(title, {
    body: isOne ? waits[0].words : lines.join("\n"),
    tag: `headspace ${some[0][0]}`,
    renotify: true,
  });
  notice.onclick = () => {
    window.focus();
    location.assign(isOne ? `/agents/${waits[0].agent_id}` : "/");
  };
  shown.set(notice, some.map(([key]) => key));
}

function close(notice) {
  shown.delete(notice);
  notice.close();
}
