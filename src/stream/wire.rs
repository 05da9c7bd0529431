//! Server-sent events: the only file that knows what they look like.

use std::{
    convert::Infallible,
    hash::{BuildHasher, Hasher, RandomState},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Bytes;
use futures_util::Stream;
use serde_json::json;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep, sleep},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{Item, Reset, Settings, Subscription};
use crate::store::Stored;

const HEARTBEAT: &[u8] = b": heartbeat\n\n";
/// How long the opening waits for the subscription to begin. A client that has read
/// it misses nothing that is committed afterwards; but it comes without a database too.
const OPENING_PATIENCE: Duration = Duration::from_millis(300);

/// The body of a stream. It ends with `event: close` when the program stops.
pub struct Wire {
    /// Until it was sent: when to send it at the latest.
    opening: Option<Pin<Box<Sleep>>>,
    retry: Duration,
    next: Next,
    heartbeat: Pin<Box<Sleep>>,
    heartbeat_interval: Duration,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    closed: bool,
    _place: OwnedSemaphorePermit,
}

type Next = Pin<Box<dyn Future<Output = (Subscription, Item)> + Send>>;

impl Wire {
    pub(super) fn new(
        subscription: Subscription,
        place: OwnedSemaphorePermit,
        settings: &Settings,
        stop: CancellationToken,
    ) -> Wire {
        let heartbeat_interval = settings.heartbeat_interval;
        Wire {
            opening: Some(Box::pin(sleep(OPENING_PATIENCE))),
            retry: spread(settings.retry_after),
            next: Box::pin(next(subscription)),
            heartbeat: Box::pin(sleep(heartbeat_interval)),
            heartbeat_interval,
            stop: Box::pin(stop.cancelled_owned()),
            closed: false,
            _place: place,
        }
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        if self.stop.as_mut().poll(cx).is_ready() {
            self.closed = true;
            return Poll::Ready(close());
        }
        while let Poll::Ready((subscription, item)) = self.next.as_mut().poll(cx) {
            self.next = Box::pin(next(subscription));
            if let Some(bytes) = self.item_bytes(&item) {
                return Poll::Ready(bytes);
            }
        }
        if let Some(deadline) = &mut self.opening {
            ready!(deadline.as_mut().poll(cx));
            self.opening = None;
            return Poll::Ready(opening(self.retry));
        }
        ready!(self.heartbeat.as_mut().poll(cx));
        Poll::Ready(Bytes::from_static(HEARTBEAT))
    }

    fn item_bytes(&mut self, item: &Item) -> Option<Bytes> {
        match item {
            Item::Joined => self.opening.take().map(|_| opening(self.retry)),
            Item::Event(frame) => Some(frame.wire.clone()),
            Item::Reset(reset) => Some(self::reset(reset)),
        }
    }
}

impl Stream for Wire {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.closed {
            return Poll::Ready(None);
        }
        let bytes = ready!(self.poll_bytes(cx));
        let silent_until = Instant::now() + self.heartbeat_interval;
        self.heartbeat.as_mut().reset(silent_until);
        Poll::Ready(Some(Ok(bytes)))
    }
}

/// The future owns the subscription, so that a heartbeat in between does not
/// drop a read that is under way.
async fn next(mut subscription: Subscription) -> (Subscription, Item) {
    let item = subscription.next().await;
    (subscription, item)
}

/// `event`, `id`, one line of `data`. Text in JSON holds no raw line breaks; a
/// payload may have some between its tokens, where a blank means the same.
pub fn event(stored: &Stored) -> Bytes {
    let name: String = stored
        .event_type
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    let mut frame = format!("event: {name}\nid: {}\ndata: ", stored.id).into_bytes();
    let data = frame.len();
    serde_json::to_writer(&mut frame, stored).expect("a stored event is JSON");
    for byte in &mut frame[data..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    frame.extend_from_slice(b"\n\n");
    frame.into()
}

fn reset(reset: &Reset) -> Bytes {
    let data = json!({"reason": reset.reason.as_str(), "from": reset.from});
    format!("event: reset\nid: {}\ndata: {data}\n\n", reset.from).into()
}

fn close() -> Bytes {
    let data = json!({"reason": "headspace is stopping"});
    format!("event: close\ndata: {data}\n\n").into()
}

/// A comment makes the headers leave.
fn opening(retry: Duration) -> Bytes {
    format!("retry: {}\n: connected\n\n", retry.as_millis()).into()
}

/// From the given pause to twice of it, so that readers that were cut off
/// together do not come back together.
fn spread(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    pause + pause.mul_f64((random % 1000) as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::stream::Reason;

    fn stored(event_type: &str, payload: &str) -> Stored {
        Stored {
            id: 7,
            event_type: event_type.into(),
            timestamp: "t".into(),
            recorded_at: "r".into(),
            project_id: Some(1),
            agent_id: None,
            command_id: None,
            turn_id: None,
            payload: RawValue::from_string(payload.into()).unwrap(),
        }
    }

    #[test]
    fn a_frame_is_three_fields_and_a_blank_line() {
        let frame = event(&stored("turn_detected", r#"{"text":"a"}"#));
        let expected = "event: turn_detected\nid: 7\ndata: {\"id\":7,\"event_type\":\"turn_detected\",\
            \"timestamp\":\"t\",\"recorded_at\":\"r\",\"project_id\":1,\"agent_id\":null,\
            \"command_id\":null,\"turn_id\":null,\"payload\":{\"text\":\"a\"}}\n\n";
        assert_eq!(frame, expected);
    }

    #[test]
    fn nothing_in_an_event_can_become_a_field() {
        let text = serde_json::to_string("a\n\ndata: x\r\nid: 9\revent: y\0").unwrap();
        let frame = event(&stored(
            "turn\nid: 8\n",
            &format!("{{\r\n\"text\":\n{text}}}"),
        ));
        let frame = std::str::from_utf8(&frame).unwrap();
        let lines: Vec<&str> = frame.split(['\n', '\r']).collect();
        assert_eq!(lines.len(), 5, "{frame}");
        assert_eq!((lines[0], lines[1]), ("event: turnid: 8", "id: 7"));
        let json: serde_json::Value =
            serde_json::from_str(lines[2].strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(json["payload"]["text"], "a\n\ndata: x\r\nid: 9\revent: y\0");
    }

    #[test]
    fn the_other_frames_are_as_documented() {
        let reset = reset(&Reset {
            reason: Reason::Garbage,
            from: 3,
        });
        assert_eq!(
            reset,
            "event: reset\nid: 3\ndata: {\"from\":3,\"reason\":\"the last event id is not an event id\"}\n\n"
        );
        assert_eq!(
            opening(Duration::from_secs(5)),
            "retry: 5000\n: connected\n\n"
        );
        assert!(close().starts_with(b"event: close\ndata: {"));
        let hint = spread(Duration::from_secs(5)).as_millis();
        assert!((5000..=10_000).contains(&hint), "{hint}");
    }
}
