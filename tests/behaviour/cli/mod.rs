//! The commands, as people and scripts use them.

mod completions;
mod events;
mod install;
mod man;
mod names;
mod status;
mod unsupervised;
mod up;
mod usage;
mod verify;
