//! The page in a real browser.

mod access;
mod alerts;
mod axe;
mod event_source;
mod hostile_hooks;
mod hostile_text;
mod live;
mod opened;
mod page;
mod seen;
mod sse_client;
