// A reader of the event stream that survives restarts, sleep and bad networks, and is
// one for all tabs of a browser.
//
//   const stream = connect("/api/events/stream", {
//     lastEventId: 41,                    // go on after this id; leave out for live only
//     handlers: { turn_detected(event) {}, reset({ reason, from }) {} },
//     onState(state, detail) {},          // "connecting", "open", "waiting" or "closed"
//   });
//   stream.close();
//
//   const stream = share("/api/events/stream", { handlers, onState });
//
// The pause before another try is drawn between nothing and a bound that
// doubles from one second to thirty, so that many readers do not return at once.
//
// Of the tabs that share, the one that holds a lock connects and passes on what it hears.
// When it is gone, the lock and the work are another's, from the last id that was heard.

const FIRST_BOUND_MS = 1000;
const LAST_BOUND_MS = 30000;

export function pauseBefore(attempt, random = Math.random) {
  return random() * Math.min(LAST_BOUND_MS, FIRST_BOUND_MS * 2 ** attempt);
}

export function connect(address, { lastEventId = null, handlers = {}, onState = () => {} } = {}) {
  let source = null;
  let timer = null;
  let attempt = 0;
  let closed = false;

  function open() {
    onState("connecting");
    source = new EventSource(resume(address, lastEventId));
    source.onopen = () => {
      attempt = 0;
      onState("open");
    };
    source.onerror = retry;
    source.addEventListener("close", retry);
    for (const [type, handler] of Object.entries(handlers)) {
      source.addEventListener(type, (message) => dispatch(message, handler));
    }
  }

  function dispatch(message, handler) {
    if (message.lastEventId !== "") lastEventId = message.lastEventId;
    handler(JSON.parse(message.data));
  }

  // EventSource gives up for good on an error status and reconnects at a fixed
  // pace otherwise, so it is closed and opened anew from the last id.
  function retry() {
    if (closed || timer !== null) return;
    source.close();
    const pause = pauseBefore(attempt++);
    onState("waiting", { pause });
    timer = setTimeout(reopen, pause);
  }

  function reopen() {
    timer = null;
    open();
  }

  open();
  return {
    get lastEventId() {
      return lastEventId;
    },
    // Ends a pause: timers of a hidden tab are slow.
    hurry() {
      if (timer === null) return;
      clearTimeout(timer);
      reopen();
    },
    close() {
      closed = true;
      clearTimeout(timer);
      source.close();
      onState("closed");
    },
  };
}

export function share(address, { handlers = {}, onState = () => {} } = {}) {
  const name = `headspace ${address}`;
  // A page by plain HTTP under another name than localhost has no locks: it reads alone.
  if (!navigator.locks || !("BroadcastChannel" in globalThis)) {
    return connect(address, { handlers, onState });
  }
  const channel = new BroadcastChannel(name);
  const ending = new AbortController();
  let lastEventId = null;
  let leader = null;
  let state = null;

  function hear({ type, event, id }) {
    if (id !== null) lastEventId = id;
    handlers[type](event);
  }

  function say(message) {
    channel.postMessage(message);
    if (message.kind === "event") hear(message);
    else onState(message.state, message.detail);
  }

  channel.onmessage = ({ data }) => {
    if (data.kind === "event" && Object.hasOwn(handlers, data.type)) hear(data);
    if (data.kind === "state" && !leader) onState(data.state, data.detail);
    if (data.kind === "new" && leader && state) channel.postMessage(state);
    if (data.kind === "hurry" && leader) leader.hurry();
  };

  function lead() {
    const passing = Object.keys(handlers).map((type) => [
      type,
      (event) => say({ kind: "event", type, event, id: leader.lastEventId }),
    ]);
    leader = connect(address, {
      lastEventId,
      handlers: Object.fromEntries(passing),
      onState(is, detail) {
        state = { kind: "state", state: is, detail };
        say(state);
      },
    });
    return new Promise((over) => ending.signal.addEventListener("abort", over));
  }

  navigator.locks.request(name, { signal: ending.signal }, lead).catch(() => {});
  channel.postMessage({ kind: "new" });
  return {
    get leads() {
      return leader !== null;
    },
    hurry() {
      if (leader) leader.hurry();
      else channel.postMessage({ kind: "hurry" });
    },
    close() {
      if (leader) leader.close();
      ending.abort();
      channel.close();
    },
  };
}

function resume(address, lastEventId) {
  const url = new URL(address, location.href);
  if (lastEventId !== null) url.searchParams.set("last_event_id", lastEventId);
  return url;
}
