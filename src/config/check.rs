//! What is wrong with a layer, in words that lead to the mend.

use figment::{
    Figment,
    error::{Actual, Kind},
};
use strsim::damerau_levenshtein;

use super::{Problem, Settings, layer::Layer};

/// Every problem of one layer. A wrong key is removed and the rest is read
/// again, so that what remains is right.
pub(super) fn check(defaults: &Figment, layer: &mut Layer) -> Vec<Problem> {
    let mut problems = Vec::new();
    loop {
        let merged = defaults.clone().merge(&*layer);
        let Err(error) = merged.extract::<Settings>() else {
            return problems;
        };
        let mut path = error.path;
        path.truncate(2);
        problems.push(Problem::new(
            &layer.origin,
            path.join("."),
            message(error.kind, &path),
        ));
        if !layer.remove(&path) {
            return problems;
        }
    }
}

fn message(kind: Kind, path: &[String]) -> String {
    // A URL may hold a password, also where it does not belong.
    let section = path.first().map(String::as_str);
    let is_secret = matches!(section, Some("database" | "notify"));
    match kind {
        Kind::UnknownField(name, known) => unknown(&name, known, path.len() == 1),
        Kind::UnknownVariant(got, known) => {
            format!("expected one of {}; got {got:?}", known.join(", "))
        }
        Kind::InvalidType(got, expected) | Kind::InvalidValue(got, expected) => {
            let expected = expected.replace("struct", "the keys of");
            format!("expected {expected}, got {}", found(got, is_secret))
        }
        other => other.to_string(),
    }
}

fn unknown(name: &str, known: &[&str], is_section: bool) -> String {
    let what = if is_section { "section" } else { "key" };
    let allowed = (name.chars().count() / 3).max(2);
    let near = known
        .iter()
        .map(|known| (damerau_levenshtein(name, known), *known))
        .min()
        .filter(|(edits, _)| *edits <= allowed);
    match near {
        Some((_, near)) => format!("unknown {what}; did you mean {near}?"),
        None => format!("unknown {what}; known are {}", known.join(", ")),
    }
}

fn found(got: Actual, is_secret: bool) -> String {
    match got {
        Actual::Str(_) if is_secret => "a text".into(),
        Actual::Str(text) => format!("{:?}", text.chars().take(60).collect::<String>()),
        Actual::Bool(is_on) => is_on.to_string(),
        Actual::Unsigned(number) => number.to_string(),
        Actual::Signed(number) => number.to_string(),
        Actual::Float(number) => number.to_string(),
        Actual::Unit => "no value".into(),
        Actual::Seq => "a list".into(),
        Actual::Map => "a section".into(),
        other => other.to_string(),
    }
}
