//! Which clients are served, what they get, and what no client gets.

mod agents;
mod bind;
mod file_modes;
mod go;
mod health;
mod home;
mod hooks;
mod host;
mod idle;
mod inside;
mod limits;
mod machines;
mod other_user;
mod pages;
mod passed_on;
mod restarts;
mod service_manager;
mod session_page;
mod sessions;
mod waits;
mod ways_in;
