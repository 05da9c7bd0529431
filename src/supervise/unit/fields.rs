//! Names and values, as a manager printed them.

use std::str::FromStr;

pub struct Fields<'t>(Vec<(&'t str, &'t str)>);

impl<'t> Fields<'t> {
    pub fn new(pairs: impl Iterator<Item = (&'t str, &'t str)>) -> Fields<'t> {
        Fields(pairs.collect())
    }

    /// The first value of this name; an empty one counts as missing.
    pub fn get(&self, wanted: &str) -> Option<&'t str> {
        let found = self.0.iter().find(|(name, _)| *name == wanted);
        found
            .map(|(_, value)| *value)
            .filter(|value| !value.is_empty())
    }

    pub fn number<T: FromStr>(&self, wanted: &str) -> Option<T> {
        self.get(wanted)?.parse().ok()
    }
}
