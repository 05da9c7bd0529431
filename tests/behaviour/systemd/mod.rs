//! The units as they are shipped, on a real systemd of the tests' own.

mod alerts;
mod bad_settings;
mod crash_loop;
mod door;
mod go;
mod hangs;
mod health;
mod hooks_offered;
mod install;
mod journal;
mod killed;
mod package;
mod peers;
mod ready;
mod registry;
mod reload;
mod sandbox;
mod stops_in_time;
mod testbed;
mod units;
mod user_units;
