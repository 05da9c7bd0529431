//! Printing for people and pipes.

use std::{
    fmt::Arguments,
    io::{self, Write},
};

/// Prints a line. A reader that has had enough (`headspace status | head`)
/// ends the command quietly.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::say::line(format_args!($($text)*)) };
}
pub(super) use say;

pub fn line(text: Arguments<'_>) {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        // A full disk behind the pipe is for the reader of the pipe to report.
        _ => {}
    }
}

/// Whether the reader of a pipe, or of a pager, has closed it.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
