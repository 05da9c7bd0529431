//! The commands, as people and scripts use them.

mod events;
mod status;
mod unsupervised;
mod up;
mod usage;
mod verify;
