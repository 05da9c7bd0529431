// What can be done, by button and by key.

const part = (id) => document.getElementById(id);
const tell = (name) => document.dispatchEvent(new CustomEvent(`headspace:${name}`));

let hiding = null;
function toast(text) {
  const bar = part("toast");
  bar.textContent = text;
  bar.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (bar.hidden = true), 5000);
}

async function copy(text, told) {
  try {
    await navigator.clipboard.writeText(text);
    toast(told);
  } catch {
    toast(text); // no clipboard: it can be selected
  }
}

const ask = (id, verb, body = {}) => fetch(`/api/agents/${id}/${verb}`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
}).catch(() => null);

async function post(id, verb, body) {
  const answer = await ask(id, verb, body);
  if (answer?.ok) tell("refresh");
  return answer?.ok ?? false;
}

async function resume(item) {
  if (item.dataset.resume) return item.dataset.resume;
  const agent = await (await fetch(`/api/agents/${item.dataset.agent}`)).json();
  const folder = `'${agent.working_directory.replaceAll("'", "'\\''")}'`;
  return `cd ${folder} && claude --resume ${agent.session_uuid}`;
}

// The server goes there if it can reach the terminal; else the command is copied.
async function go(item) {
  const id = item.dataset.agent;
  const answer = await ask(id, "go");
  const said = await answer?.json().catch(() => null);
  if (answer?.ok) return toast(`Shown: ${said.said}.`);
  const why = said?.detail ?? "headspace does not answer";
  copy(`headspace go ${id}`, `Copied: headspace go ${id}. Not shown from here: ${why}`);
}

async function why(item) {
  const answer = await fetch(`/fragments/agents/${item.dataset.agent}/why`, { headers: { "HX-Request": "true" } });
  if (!answer.ok) return;
  part("why-text").innerHTML = await answer.text();
  part("why").showModal();
}

// Each takes the session it is for.
const doings = {
  go,
  copy: async (item) => copy(await resume(item), "Copied the resume command."),
  read: (item) => post(item.dataset.agent, "seen"),
  snooze: async (item) => (await post(item.dataset.agent, "snooze", { minutes: 10 })) && toast("Snoozed for 10 minutes, or until it changes."),
  why,
};
const general = {
  "read-all": () => document.querySelectorAll("#done [data-agent]").forEach(doings.read),
  pause: () => tell("hold"),
  dismiss: () => tell("dismiss"),
  bell: () => tell("bell"),
  help: () => part("help").showModal(),
  close: (button) => button.closest("dialog").close(),
};
document.addEventListener("headspace:seen", () => doings.read(part("main")));

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button) return;
  const item = button.closest("[data-agent]");
  if (general[button.dataset.do]) general[button.dataset.do](button);
  else if (item) doings[button.dataset.do]?.(item);
});

// Keys.
const items = () => [...document.querySelectorAll("article.item")];
const current = () => document.activeElement?.closest("article.item") ?? null;
const target = () => document.activeElement?.closest("[data-agent]") ?? document.querySelector("main[data-agent]");

function step(by) {
  const all = items();
  const at = all.indexOf(current());
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
  focus(next?.querySelector("a"));
}

function focus(element) {
  element?.focus({ preventScroll: true });
  element?.closest("article, .turn")?.scrollIntoView({ block: "nearest" });
}

function nextNeedy() {
  const cards = [...document.querySelectorAll(".card.item")];
  if (cards.length) {
    const at = cards.indexOf(current());
    return focus(cards[(at + 1) % cards.length].querySelector("a"));
  }
  const own = part("main")?.dataset.agent;
  const needy = part("page").dataset.needy.split(" ").filter((id) => id && id !== own);
  if (needy.length) location.assign(`/agents/${needy[0]}`);
}

function prompt(by) {
  const all = [...document.querySelectorAll(".prompt")];
  const middle = 160;
  const tops = all.map((one) => one.getBoundingClientRect().top - middle);
  const at = by > 0 ? tops.findIndex((top) => top > 1) : tops.findLastIndex((top) => top < -1);
  if (at >= 0) scrollBy(0, tops[at]);
}

function neighbour(by) {
  const order = (sessionStorage.getItem("order") ?? "").split(" ").filter(Boolean);
  const at = order.indexOf(part("main")?.dataset.agent);
  const next = order[at + by];
  if (at >= 0 && next) location.assign(`/agents/${next}`);
}

function fold() {
  const all = [...document.querySelectorAll("details.tools")];
  const open = all.some((one) => !one.open);
  all.forEach((one) => (one.open = open));
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  n: nextNeedy,
  "/": () => part("q").focus(),
  "?": general.help,
  J: () => prompt(1),
  K: () => prompt(-1),
  "[": () => neighbour(-1),
  "]": () => neighbour(1),
  x: fold,
};
const onItem = { g: doings.go, c: doings.copy, e: doings.read, z: doings.snooze, ".": doings.why };

const isTyping = (element) => element?.matches?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
const areOn = () => localStorage.getItem("keys") !== "off";

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.id === "q") return event.target.blur();
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (isTyping(event.target) || !areOn() || document.querySelector("dialog[open]")) return;
  const item = target();
  if (keys[event.key]) keys[event.key]();
  else if (onItem[event.key] && item) onItem[event.key](item);
  else return;
  event.preventDefault();
});

part("keys-on").checked = areOn();
part("keys-on").addEventListener("change", (event) => {
  localStorage.setItem("keys", event.target.checked ? "on" : "off");
});
