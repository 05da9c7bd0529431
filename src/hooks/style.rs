//! How a file is written: its indents, its line ends, its spaces.

use super::{
    json::{Container, skip_space},
    render::Style,
};

/// Of the file as a whole.
pub struct Manner {
    line_end: &'static str,
    /// One level of indent; nothing of a file on one line.
    step: Option<String>,
    /// Behind commas and colons on one line.
    gap: &'static str,
}

impl Manner {
    pub fn of(body: &str) -> Manner {
        let root = Container::at(body, skip_space(body.as_bytes(), 0));
        let first = root.children.first();
        let lead = first.map_or("\n  ", |first| space_before(body, first.start));
        let is_crlf = body.find('\n').is_some_and(|at| body[..at].ends_with('\r'));
        let is_tight = first.is_some_and(|first| body[..first.value.start].ends_with(':'));
        Manner {
            line_end: if is_crlf { "\r\n" } else { "\n" },
            step: lead.rsplit_once('\n').map(|(_, indent)| indent.to_owned()),
            gap: if is_tight { "" } else { " " },
        }
    }

    /// Of what begins on the line of this place.
    pub fn line_of(&self, body: &str, at: usize) -> Style {
        let line_start = body[..at].rfind('\n').map_or(0, |at| at + 1);
        let end = skip_space(body.as_bytes(), line_start);
        self.lines(&body[line_start..end.min(at)])
    }

    /// What stands before a child that follows the last one.
    pub fn lead_of_next(&self, body: &str, container: &Container) -> String {
        let last = container.children.last();
        let lead = last.map_or("", |last| space_before(body, last.start));
        match container.children.len() {
            1 if !lead.contains('\n') => self.gap.to_owned(),
            _ => lead.to_owned(),
        }
    }

    fn lines(&self, indent: &str) -> Style {
        Style::Lines {
            line_end: self.line_end,
            indent: indent.to_owned(),
            step: self.step.clone().unwrap_or_else(|| "  ".into()),
        }
    }
}

/// Of the next child of a container: as the last one there is written.
pub fn style_in(body: &str, container: &Container, manner: &Manner) -> Style {
    let flat = Style::Flat { gap: manner.gap };
    let Some(last) = container.children.last() else {
        return match manner.step {
            Some(_) => manner.line_of(body, container.open).inner(),
            None => flat,
        };
    };
    match space_before(body, last.start).rsplit_once('\n') {
        Some((_, indent)) => manner.lines(indent),
        None => flat,
    }
}

fn space_before(body: &str, at: usize) -> &str {
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r');
    &body[body[..at].trim_end_matches(is_space).len()..at]
}
