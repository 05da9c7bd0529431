//! When the memory that work needed is given back, and how.

/// What the allocator calls large at first, in bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: i32 = 128 * 1024;

/// Whether there was work lately.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Since the last tick.
    #[default]
    Busy,
    /// Not since the last tick.
    Quiet,
    /// Not since the memory was given back.
    Resting,
}

impl Rest {
    pub fn worked(&mut self) {
        *self = Rest::Busy;
    }

    /// A tick has come; true if memory is to be given back now, which is once
    /// until there is work again.
    pub fn tick(&mut self) -> bool {
        let before = *self;
        *self = match before {
            Rest::Busy => Rest::Quiet,
            Rest::Quiet | Rest::Resting => Rest::Resting,
        };
        before == Rest::Quiet
    }
}

/// Large blocks, as files and batches need them, go back to the kernel when they are freed:
/// by itself the allocator keeps ever larger ones for later.
pub fn keep_no_large_blocks() {
    // SAFETY: it takes two numbers, and sets a limit of the allocator.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// Returns to the kernel what waiting does not need: what the allocator keeps for
/// later, and the pages of the program's code that ran for the work.
pub fn give_back() {
    #[cfg(target_os = "linux")]
    let_go_of_code();
    // SAFETY: it takes a number, touches free memory only, and may be called
    // at any time from any thread.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The code stays in the file and in the kernel's cache; what runs again is mapped
/// again. Nothing else is touched: only code is never written to.
#[cfg(target_os = "linux")]
fn let_go_of_code() {
    use rustix::mm::{Advice, madvise};

    // Without the list, or a name of our own, nothing is let go of.
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let program = std::env::current_exe().unwrap_or_default();
    for (start, length) in code_of(&maps, &program.to_string_lossy()) {
        // SAFETY: a private mapping of a file that was never written to has the
        // same bytes when it is mapped again.
        let _ = unsafe { madvise(start as *mut _, length, Advice::LinuxDontNeed) };
    }
}

/// Where the code of this file is mapped: start and length.
#[cfg(target_os = "linux")]
fn code_of<'a>(maps: &'a str, file: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
    maps.lines().filter_map(move |line| {
        let (range, rest) = line.split_once(' ')?;
        if !(rest.starts_with("r-xp ") && rest.ends_with(file)) || file.is_empty() {
            return None;
        }
        let (start, end) = range.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        let (start, end) = (address(start)?, address(end)?);
        Some((start, end - start))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_after_a_tick_without_work() {
        let mut rest = Rest::default();
        assert_eq!(
            [rest.tick(), rest.tick(), rest.tick()],
            [false, true, false]
        );
        rest.worked();
        assert_eq!(
            [rest.tick(), rest.tick(), rest.tick()],
            [false, true, false]
        );
        rest.worked();
        rest.tick();
        rest.worked();
        assert!(!rest.tick());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_the_programs_own_code_is_let_go_of() {
        let maps = "1000-3000 r--p 00000000 fe:00 1 /bin/headspace\n\
                    3000-8000 r-xp 00002000 fe:00 1 /bin/headspace\n\
                    8000-9000 rw-p 00007000 fe:00 1 /bin/headspace\n\
                    a000-b000 r-xp 00000000 fe:00 2 /lib/libc.so.6\n\
                    c000-d000 r-xp 00000000 00:00 0 [vdso]\n";
        let code: Vec<_> = code_of(maps, "/bin/headspace").collect();
        assert_eq!(code, [(0x3000, 0x5000)]);
        assert_eq!(code_of(maps, "").count(), 0);
        give_back();
    }
}
