//! The page in a real browser.

mod hostile_hooks;
mod page;
mod sse_client;
