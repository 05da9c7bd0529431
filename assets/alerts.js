// Alerts of this browser, asked for by a click on the bell. The tab that leads the stream
// shows them, so that there is one.

const GRACE_MS = 5000;
const BLOCKED = ["permission", "question", "plan", "dialog", "error", "limit"];

const areOn = () => globalThis.Notification?.permission === "granted" && localStorage.getItem("alerts") === "on";

function ring() {
  document.getElementById("bell")?.setAttribute("aria-pressed", String(areOn()));
}

document.addEventListener("headspace:bell", async () => {
  if (!globalThis.Notification) return;
  if (areOn()) localStorage.setItem("alerts", "off");
  else if ((await Notification.requestPermission()) === "granted") localStorage.setItem("alerts", "on");
  ring();
});
document.addEventListener("htmx:after:swap", ring);
ring();

export function alertOn(type, event, stream) {
  if (type !== "state_transition" || !stream.leads || !areOn()) return;
  if (!BLOCKED.includes(event.payload.needs) || Date.now() - Date.parse(event.timestamp) > 60000) return;
  setTimeout(() => show(event), GRACE_MS);
}

// What was answered meanwhile needs no alert.
async function show({ agent_id: id, payload }) {
  const answer = await fetch(`/api/agents/${id}`).catch(() => null);
  const agent = answer?.ok ? await answer.json() : null;
  if (agent?.needs !== payload.needs) return;
  const notice = new Notification(`${agent.project_name} · ${agent.title ?? "a session"}`, {
    body: agent.asks ?? "needs you",
    tag: `headspace ${id}`,
  });
  notice.onclick = () => {
    window.focus();
    location.assign(`/agents/${id}`);
  };
}
