// A conversation: what a call held is asked for when the call is opened, and what is new
// since the last visit is marked.

async function fill(call) {
  const inside = call.open && call.querySelector(":scope > [data-get]");
  if (!inside || inside.dataset.js) return;
  inside.dataset.js = "asked";
  const answer = await fetch(inside.dataset.get).catch(() => null);
  if (!answer?.ok) return delete inside.dataset.js; // opened again, it is asked for again
  inside.innerHTML = await answer.text();
  inside.dataset.js = "got";
}
document.addEventListener("toggle", (event) => fill(event.target), true);

// A call that ended while it was open has another inside, which is empty.
export function refill() {
  document.querySelectorAll("details.call[open]").forEach(fill);
}

const main = () => document.getElementById("main");
const visit = `visit ${location.pathname}`;
const before = Number(localStorage.getItem(visit) ?? 0);
const atFirst = Number(main()?.dataset.newest ?? 0);

// The first turn that was not there at the last visit.
export function visited() {
  const newest = main()?.dataset.newest;
  if (newest === undefined) return;
  const turns = [...document.querySelectorAll(".turn")];
  const first = before > 0 && before < atFirst && turns.find((turn) => Number(turn.id.slice(1)) > before);
  if (first) first.dataset.js = "new";
  localStorage.setItem(visit, newest);
}
