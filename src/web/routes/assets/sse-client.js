// A reader of the event stream that survives restarts, sleep and bad networks.
//
//   const stream = connect("/api/events/stream", {
//     lastEventId: 41,                    // go on after this id; leave out for live only
//     handlers: { turn_detected(event) {}, reset({ reason, from }) {} },
//     onState(state, detail) {},          // "connecting", "open", "waiting" or "closed"
//   });
//   stream.close();
//
// The pause before another try is drawn between nothing and a bound that
// doubles from one second to thirty, so that many readers do not return at once.

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
    timer = setTimeout(() => {
      timer = null;
      open();
    }, pause);
  }

  open();
  return {
    get lastEventId() {
      return lastEventId;
    },
    close() {
      closed = true;
      clearTimeout(timer);
      source.close();
      onState("closed");
    },
  };
}

function resume(address, lastEventId) {
  const url = new URL(address, location.href);
  if (lastEventId !== null) url.searchParams.set("last_event_id", lastEventId);
  return url;
}
