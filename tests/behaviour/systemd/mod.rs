//! The units as they are shipped, on a real systemd of the tests' own.

mod bad_settings;
mod crash_loop;
mod hangs;
mod install;
mod journal;
mod killed;
mod package;
mod peers;
mod ready;
mod reload;
mod stops_in_time;
mod testbed;
mod units;
