//! Settings are checked before anything starts.

mod refusals;
mod shown;
