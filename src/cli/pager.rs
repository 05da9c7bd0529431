//! A pager for long text, where there is a terminal for it.

use std::{
    env,
    io::{self, IsTerminal, Stdout, Write, stdout},
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::Context;

use super::say::is_broken_pipe;

/// Where the text goes. Without a terminal it is standard output as it is.
pub enum Pager {
    Plain(Stdout),
    Paged(Child, Option<ChildStdin>),
}

impl Pager {
    /// `$PAGER`, else `less`. Where it `stays`, it waits to be closed even if all fits on
    /// the screen.
    pub fn open(stays: bool) -> anyhow::Result<Pager> {
        if !stdout().is_terminal() {
            return Ok(Pager::Plain(stdout()));
        }
        let named = env::var_os("PAGER").filter(|pager| !pager.is_empty());
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(named.unwrap_or_else(|| "less".into()));
        match stays {
            true => drop(command.env("LESS", "R")),
            false if env::var_os("LESS").is_none() => drop(command.env("LESS", "FRX")),
            false => {}
        }
        let pager = command.stdin(Stdio::piped()).spawn();
        let mut pager = pager.context("cannot start the pager")?;
        let input = pager.stdin.take();
        Ok(Pager::Paged(pager, input))
    }

    /// Waits until it is closed. A reader who has seen enough ends the writing quietly.
    pub fn close(mut self, written: anyhow::Result<()>) -> anyhow::Result<()> {
        if let Pager::Paged(pager, input) = &mut self {
            drop(input.take());
            pager.wait().context("cannot wait for the pager")?;
        }
        match written {
            Err(error) if is_broken_pipe(&error) => Ok(()),
            written => written,
        }
    }
}

impl Write for Pager {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match self {
            Pager::Plain(out) => out.write(text),
            Pager::Paged(_, Some(input)) => input.write(text),
            Pager::Paged(_, None) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Pager::Plain(out) => out.flush(),
            Pager::Paged(_, input) => input.as_mut().map_or(Ok(()), ChildStdin::flush),
        }
    }
}
