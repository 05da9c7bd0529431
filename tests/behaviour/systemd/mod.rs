//! The units as they are shipped, on a real systemd of the tests' own.

mod testbed;
mod units;
