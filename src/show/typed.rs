//! A prompt as a person typed it.
//!
//! The CLI writes slash commands and `!` commands down as tags.

use std::borrow::Cow;

/// `/review PR 12`, `! ls -l`; any other prompt as it is. The prompt may be cut anywhere.
pub fn typed(prompt: &str) -> Cow<'_, str> {
    if !prompt.trim_start().starts_with('<') {
        return Cow::Borrowed(prompt);
    }
    if let Some(command) = tag(prompt, "bash-input") {
        return Cow::Owned(format!("! {}", command.trim()));
    }
    match tag(prompt, "command-name").or_else(|| tag(prompt, "command-message")) {
        None => Cow::Borrowed(prompt),
        Some(name) => {
            let name = name.trim().trim_start_matches('/');
            let arguments = tag(prompt, "command-args").unwrap_or_default();
            let typed = format!("/{name} {}", arguments.trim());
            Cow::Owned(typed.trim_end().to_owned())
        }
    }
}

/// What stands in the first tag of this name, to its end or the end of the text.
fn tag<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let end = rest.find(&format!("</{name}")).unwrap_or(rest.len());
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::typed;

    #[test]
    fn commands_are_shown_as_they_were_typed() {
        for (prompt, shown) in [
            ("fix <b>this</b>", "fix <b>this</b>"),
            ("<b>bold</b> words", "<b>bold</b> words"),
            (
                "<command-message>review is running</command-message>\n<command-name>/review</command-name>\n<command-args>PR 12\nnow</command-args>",
                "/review PR 12\nnow",
            ),
            (
                "<command-name>/compact</command-name>\n  <command-message>compact</command-message>\n  <command-args></command-args>",
                "/compact",
            ),
            ("<bash-input>ls -l </bash-input>", "! ls -l"),
            // Cut short.
            (
                "<command-message>publish</command-message>\n<command-name>/publ",
                "/publ",
            ),
            ("<command-message>publish-se", "/publish-se"),
            ("<bash-input>cargo te", "! cargo te"),
        ] {
            assert_eq!(typed(prompt), shown);
        }
    }
}
