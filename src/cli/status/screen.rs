//! The terminal while this program has it to itself.

use std::{
    io::{self, IsTerminal, Write, stdin, stdout},
    os::fd::{AsFd, OwnedFd},
};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use tokio::io::{Interest, unix::AsyncFd};

/// Keys arrive one by one and are not shown; the lines before stay behind another screen.
/// Dropping it gives the terminal back.
pub struct Screen {
    before: Termios,
    keys: AsyncFd<OwnedFd>,
    last: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub width: usize,
    pub height: usize,
}

const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// Between these two a terminal that knows them shows nothing half drawn.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";

impl Screen {
    /// Within the runtime.
    pub fn take() -> io::Result<Screen> {
        if !stdin().is_terminal() || !stdout().is_terminal() {
            return Err(io::Error::other("--watch needs a terminal"));
        }
        let before = tcgetattr(stdin())?;
        let keys = stdin().as_fd().try_clone_to_owned()?;
        // SAFETY: an `OwnedFd` is the same open descriptor until it is dropped.
        let keys = unsafe { AsyncFd::register_with_interest(keys, Interest::READABLE) };
        let keys = keys.map_err(io::Error::from)?;
        let mut screen = Screen {
            before,
            keys,
            last: Vec::new(),
        };
        screen.enter()?;
        Ok(screen)
    }

    pub fn size() -> Size {
        let size = tcgetwinsize(stdout()).ok().filter(|size| size.ws_col > 0);
        size.map_or(
            Size {
                width: 80,
                height: 24,
            },
            |size| Size {
                width: size.ws_col.into(),
                height: size.ws_row.into(),
            },
        )
    }

    /// Draws these lines in one write; nothing if they are drawn already.
    pub fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let mut frame = format!("{BEGIN}\x1b[H");
        for (number, line) in lines.iter().enumerate() {
            frame.push_str(if number == 0 { "" } else { "\r\n" });
            frame.push_str(line);
            frame.push_str("\x1b[K");
        }
        frame.push_str("\x1b[J");
        frame.push_str(END);
        if frame.as_bytes() == self.last {
            return Ok(());
        }
        self.last = frame.into_bytes();
        // Past the library's buffer, which would write the last line apart.
        let mut left = &self.last[..];
        while !left.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::write(stdout(), left))?;
            left = &left[written..];
        }
        Ok(())
    }

    /// The next keys that are pressed.
    pub async fn keys(&self) -> io::Result<Vec<u8>> {
        let mut keys = Vec::new();
        let mut ready = self.keys.readable().await?;
        loop {
            // Without a minimum a read returns at once, with what there is.
            let mut bytes = [0; 64];
            let read = rustix::io::read(self.keys.get_ref(), &mut bytes)?;
            keys.extend_from_slice(&bytes[..read]);
            if read < bytes.len() {
                ready.clear_ready();
                return Ok(keys);
            }
        }
    }

    /// The terminal is this program's alone, again.
    pub fn enter(&mut self) -> io::Result<()> {
        let mut raw = self.before.clone();
        raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        raw.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        self.last.clear();
        write!(stdout(), "{ENTER}")?;
        stdout().flush()
    }

    /// Another program may have it.
    pub fn leave(&self) {
        let _ = write!(stdout(), "{LEAVE}");
        let _ = stdout().flush();
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
    }
}
