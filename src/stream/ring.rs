//! The newest frames, bounded in number and bytes.

use std::{collections::VecDeque, sync::Arc};

use super::Frame;

pub const RING_FRAMES: usize = 2048;
pub const RING_BYTES: usize = 4 * 1024 * 1024;

/// Holds every settled event of its log with an id above `from`.
#[derive(Debug, Default)]
pub struct Ring {
    log: u64,
    from: i64,
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
}

impl Ring {
    pub fn new(log: u64, from: i64) -> Ring {
        Ring {
            log,
            from,
            ..Ring::default()
        }
    }

    pub fn push(&mut self, frame: Arc<Frame>) {
        self.bytes += frame.size();
        self.frames.push_back(frame);
        while self.frames.len() > RING_FRAMES || self.bytes > RING_BYTES {
            let Some(gone) = self.frames.pop_front() else {
                return;
            };
            self.bytes -= gone.size();
            self.from = gone.event.id;
        }
    }

    /// The next frames after `cursor`; `None` when the ring does not reach back
    /// so far, or is of another log.
    pub fn after(&self, log: u64, cursor: i64, most: usize) -> Option<Vec<Arc<Frame>>> {
        if log != self.log || cursor < self.from {
            return None;
        }
        let first = self
            .frames
            .partition_point(|frame| frame.event.id <= cursor);
        Some(self.frames.iter().skip(first).take(most).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::store::Stored;

    fn frame(id: i64, payload_bytes: usize) -> Arc<Frame> {
        Frame::new(Stored {
            id,
            event_type: "turn_detected".into(),
            timestamp: String::new(),
            recorded_at: String::new(),
            project_id: None,
            agent_id: None,
            command_id: None,
            turn_id: None,
            payload: RawValue::from_string(format!("\"{}\"", "x".repeat(payload_bytes))).unwrap(),
        })
    }

    fn ids(frames: Option<Vec<Arc<Frame>>>) -> Option<Vec<i64>> {
        frames.map(|frames| frames.iter().map(|frame| frame.event.id).collect())
    }

    #[test]
    fn it_serves_only_cursors_it_reaches_back_to() {
        let mut ring = Ring::new(1, 10);
        for id in [12, 13, 17] {
            ring.push(frame(id, 1));
        }
        assert_eq!(ids(ring.after(1, 9, 9)), None);
        assert_eq!(ids(ring.after(1, 10, 9)), Some(vec![12, 13, 17]));
        assert_eq!(ids(ring.after(1, 12, 1)), Some(vec![13]));
        assert_eq!(ids(ring.after(1, 17, 9)), Some(vec![]));
        assert_eq!(ids(ring.after(2, 12, 9)), None, "another log");
    }

    #[test]
    fn it_is_bounded_in_number_and_in_bytes() {
        let mut ring = Ring::new(1, 0);
        for id in 1..=RING_FRAMES as i64 + 5 {
            ring.push(frame(id, 1));
        }
        assert_eq!(ids(ring.after(1, 4, 1)), None);
        assert_eq!(ids(ring.after(1, 5, 1)), Some(vec![6]));
        ring.push(frame(9999, RING_BYTES));
        assert_eq!((ring.frames.len(), ring.bytes), (0, 0));
        assert_eq!(ids(ring.after(1, 9999, 1)), Some(vec![]));
    }
}
