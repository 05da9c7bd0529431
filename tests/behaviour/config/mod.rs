//! Settings are checked before anything starts.

mod connections;
mod refusals;
mod shown;
