//! The service as the machine's service manager has it.
//!
//! In: this program's own units and plists.
//! Out: their bytes, for whoever compares what is installed.

pub mod units;
