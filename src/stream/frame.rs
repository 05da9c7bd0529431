//! An event made ready for the wire once, shared by all its readers.

use std::sync::Arc;

use axum::body::Bytes;

use super::wire;
use crate::store::Stored;

#[derive(Debug)]
pub struct Frame {
    pub event: Stored,
    pub wire: Bytes,
}

impl Frame {
    pub fn new(event: Stored) -> Arc<Frame> {
        let wire = wire::event(&event);
        Arc::new(Frame { event, wire })
    }

    /// About what it holds in memory.
    pub fn size(&self) -> usize {
        self.wire.len() + self.event.payload.get().len()
    }
}
