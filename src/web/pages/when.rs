//! Times in a page: words that go on counting where there is JavaScript, and the
//! absolute time on hover and without it.

use std::fmt;

use askama::filters::HtmlSafe;
use jiff::{Timestamp, Zoned};

use crate::show::{age, of_day};

/// A time as HTML.
pub struct When {
    at: Timestamp,
    now: Zoned,
    form: Form,
}

#[derive(Clone, Copy)]
enum Form {
    /// `3 min`
    For,
    /// `3 min ago`
    Ago,
    /// `14:02`
    Clock,
}

impl When {
    /// How long it lasts.
    pub fn lasting(since: &str, now: &Zoned) -> When {
        When::new(since, now, Form::For)
    }

    pub fn ago(at: &str, now: &Zoned) -> When {
        When::new(at, now, Form::Ago)
    }

    pub fn clock(at: &str, now: &Zoned) -> When {
        When::new(at, now, Form::Clock)
    }

    /// What cannot be read is now.
    fn new(at: &str, now: &Zoned, form: Form) -> When {
        When {
            at: at.parse().unwrap_or(now.timestamp()),
            now: now.clone(),
            form,
        }
    }
}

/// Made of numbers alone.
impl HtmlSafe for When {}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.at.to_zoned(self.now.time_zone().clone());
        let utc = self.at.strftime("%FT%TZ");
        let title = local.strftime("%F %T");
        let age = || age(&self.at.to_string(), self.now.timestamp()).words();
        let (class, text) = match self.form {
            Form::For => ("for", age()),
            Form::Ago => ("ago", format!("{} ago", age())),
            Form::Clock => ("at", of_day(self.at, &self.now)),
        };
        write!(
            f,
            r#"<time class="{class}" datetime="{utc}" title="{title}">{text}</time>"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_words_and_says_when() {
        let now: Zoned = "2026-11-30T15:00:00+01:00[Europe/Berlin]".parse().unwrap();
        let at = "2026-11-30T13:57:00.000000Z";
        for (when, html) in [
            (
                When::lasting(at, &now),
                r#"<time class="for" datetime="2026-11-30T13:57:00Z" title="2026-11-30 14:57:00">3 min</time>"#,
            ),
            (
                When::ago(at, &now),
                r#"<time class="ago" datetime="2026-11-30T13:57:00Z" title="2026-11-30 14:57:00">3 min ago</time>"#,
            ),
            (
                When::clock(at, &now),
                r#"<time class="at" datetime="2026-11-30T13:57:00Z" title="2026-11-30 14:57:00">14:57</time>"#,
            ),
        ] {
            assert_eq!(when.to_string(), html);
        }
    }
}
