//! Text that every database can hold.

/// PostgreSQL's text cannot hold NUL, so it becomes U+FFFD, as undecodable
/// characters do everywhere. Lone surrogates are replaced where JSON is read.
pub fn storable(text: String) -> String {
    if memchr::memchr(0, text.as_bytes()).is_some() {
        text.replace('\0', "\u{FFFD}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::storable;

    #[test]
    fn only_nul_is_replaced() {
        assert_eq!(storable("a\0b\u{1}é".into()), "a\u{FFFD}b\u{1}é");
    }
}
