//! Each kind of package holds the same, where its system looks for it.
//!
//! What needs a running systemd is in `systemd/package.rs`.

mod arch;
mod deb;
mod homebrew;
mod rpm;
mod stage;
