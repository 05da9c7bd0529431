//! What each route answers: read the request, one call inward, shape the answer.

pub mod agents;
pub mod events;
pub mod health;
pub mod hooks;
pub mod metrics;
pub mod openapi;
pub mod query;
pub mod sessions;
pub mod stream;
pub mod transcript;
pub mod views;
pub mod waits;
