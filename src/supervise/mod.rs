//! The process as its surroundings see it: signals, readiness, one at a time,
//! and what supervises it.
//!
//! In: signals, the environment a service manager sets, the sockets it holds,
//! what it says of a unit.
//! Out: a token that says stop, notifications, listeners, a lock, the restart
//! ledger, a unit's state.
//!
//! Promises
//! - the first TERM or INT asks to stop, the second leaves at once; a stop that
//!   is not over within its budget is cut short
//! - without a service manager every notification is simply nothing
//! - a socket that was passed on is served only if its name is known and only
//!   this machine can reach it
//! - at most one watcher works on a state folder
//! - no more restarts in any minute than the settings allow
//!
//! Not here: what a process does until it gets a stop signal (`cli`).

mod ledger;
mod lock;
mod notify;
pub mod shell;
mod signals;
mod sockets;
pub mod unit;

pub use ledger::{CrashLimit, Ledger, restarts_lately};
pub use lock::{Holder, Lock, LockError};
pub use notify::{
    is_launchd, ready, reloading, starting_for, status, stopping, watchdog_ping, watchdog_time,
};
pub use signals::{Signals, die_with_parent};
pub use sockets::{Inherited, SocketError, inherited};
