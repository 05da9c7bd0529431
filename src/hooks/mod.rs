//! Hooks of ours in Claude Code's settings.
//!
//! In: a settings file, which belongs to its user; the hooks that are wanted.
//! Out: the same file with our hooks, or without them.
//!
//! ```text
//! settings.json ─▶ text ─▶ spans ─▶ text with our hooks ─▶ one rename
//!      file         json            edit                    file
//! ```
//!
//! Promises
//! - what is not ours stays as it is, to the byte: order, white space, line ends,
//!   mode, link
//! - a second installation changes nothing
//! - what an installation adds, a removal takes away; where nothing else changed
//!   meanwhile the file is the one from before
//! - a file that is not understood, or may not be changed, is not touched
//! - an event is only named if the CLI knows it: it ignores a whole settings file
//!   for one name that it does not know
//!
//! Not here: what a hook does when it is called (`cli`), what it says (`dialect`).

mod change;
mod claude;
mod command;
mod diff;
mod edit;
mod events;
mod file;
mod json;
mod look;
mod render;
mod running;
mod style;
mod version;

#[cfg(test)]
mod tests;

pub use change::{Backup, Change, to_install, to_uninstall};
pub use claude::{find, version_of};
pub use command::command;
pub use diff::diff;
pub use edit::{Entry, Refusal, are_disabled, entries, installed, with};
pub use events::{Hook, later, wanted};
pub use file::{FileError, SettingsFile, distinct};
pub use look::{Look, installed_version, look};
pub use running::{Running, running};
pub use version::Version;
