//! What the tests stand on.

#[allow(dead_code, reason = "not every behaviour needs a server")]
pub mod postgres;
