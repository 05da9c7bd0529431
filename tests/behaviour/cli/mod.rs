//! The commands, as people and scripts use them.

mod completions;
mod events;
mod explain;
mod go;
mod install;
mod line;
mod man;
mod names;
mod rebuild;
mod resume;
mod show;
mod status;
mod top;
mod unsupervised;
mod up;
mod usage;
mod verify;
mod wait;
