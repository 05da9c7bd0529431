//! Where things stand in a JSON text: only what an edit must know.
//!
//! The text was checked to be valid JSON before, so a scan cannot fail.

use std::ops::Range;

/// A value in an object or an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Decoded; of an array's value nothing.
    pub key: Option<String>,
    /// Where the key begins, or without one the value.
    pub start: usize,
    pub value: Range<usize>,
}

/// An object or an array: between its brackets stand its children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    pub open: usize,
    pub close: usize,
    pub children: Vec<Child>,
}

impl Container {
    /// The one that begins at `open`.
    pub fn at(text: &str, open: usize) -> Container {
        let bytes = text.as_bytes();
        let is_object = bytes[open] == b'{';
        let mut children = Vec::new();
        let mut at = skip_space(bytes, open + 1);
        while !matches!(bytes[at], b'}' | b']') {
            let start = at;
            let mut key = None;
            if is_object {
                let end = skip_value(bytes, at);
                key = string(&text[at..end]);
                // Behind the key stands a colon.
                at = skip_space(bytes, skip_space(bytes, end) + 1);
            }
            let end = skip_value(bytes, at);
            children.push(Child {
                key,
                start,
                value: at..end,
            });
            at = skip_space(bytes, end);
            if bytes[at] == b',' {
                at = skip_space(bytes, at + 1);
            }
        }
        Container {
            open,
            close: at,
            children,
        }
    }

    /// Of a key that stands there twice the last one counts, as for the CLI.
    pub fn get(&self, key: &str) -> Option<&Child> {
        let mut from_last = self.children.iter().rev();
        from_last.find(|child| child.key.as_deref() == Some(key))
    }
}

impl Child {
    /// The container that this value is, if it begins with this bracket.
    pub fn container(&self, text: &str, bracket: u8) -> Option<Container> {
        let open = self.value.start;
        (text.as_bytes()[open] == bracket).then(|| Container::at(text, open))
    }

    pub fn text<'a>(&self, text: &'a str) -> &'a str {
        &text[self.value.clone()]
    }
}

/// The text that a JSON string stands for.
pub fn string(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

pub fn skip_space(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    at + rest.iter().take_while(is_space).count()
}

/// Where the value that begins at `at` ends. Nothing is kept for what is nested in
/// it, so no depth is too deep.
fn skip_value(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    loop {
        match bytes[at] {
            b'"' => at = skip_string(bytes, at),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth -= 1;
                at += 1;
            }
            _ if depth == 0 => {
                let is_end = |byte: &u8| b",}] \t\r\n".contains(byte);
                let rest = &bytes[at..];
                return at + rest.iter().position(is_end).unwrap_or(rest.len());
            }
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
}

fn skip_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(Option<String>, &str)> {
        let container = Container::at(text, 0);
        assert_eq!(container.close, text.len() - 1);
        let children = container.children.into_iter();
        children
            .map(|child| (child.key.clone(), &text[child.value]))
            .collect()
    }

    #[test]
    fn children_are_found_between_whatever_stands_around_them() {
        let text = "{ \"a\\u0062\" :1,\n\"c\":[{}, \"]}\\\"\" ] ,\t\"d\": \"x\\\\\",\"e\":-1.5e3 }";
        let key = |name: &str| Some(name.to_owned());
        assert_eq!(
            parts(text),
            [
                (key("ab"), "1"),
                (key("c"), "[{}, \"]}\\\"\" ]"),
                (key("d"), "\"x\\\\\""),
                (key("e"), "-1.5e3"),
            ]
        );
        assert_eq!(parts("[ ]"), []);
        assert_eq!(
            parts("[null,[[]],true]"),
            [(None, "null"), (None, "[[]]"), (None, "true")]
        );
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = format!("[{}{}]", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(Container::at(&deep, 0).children.len(), 1);
    }
}
