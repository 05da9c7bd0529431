//! When the memory that work needed is given back: pure.

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

/// Returns what the allocator keeps for later to the kernel.
pub fn give_back() {
    // SAFETY: it takes a number, touches free memory only, and may be called
    // at any time from any thread.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::malloc_trim(0);
    }
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
}
