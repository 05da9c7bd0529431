//! What makes two copies the same fact.
//!
//! Claude Code copies records: a fork keeps uuids under a new session id, some
//! resumes append the history again under new uuids, a rewrite repeats lines.
//! A fact therefore carries one or two keys, each a pure function of its
//! record, and a copy that shares any of them is the same fact.

use std::fmt;

use sha2::{Digest, Sha256};

use super::Timestamp;

/// A key is text with a readable start: everything up to its last field is its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactKey {
    text: String,
    stored: StoredKey,
}

/// How a database keeps a key: eight bytes of its group's digest, then eight of
/// its own, so that a group's keys are a range.
pub type StoredKey = [u8; 16];

/// What the stored keys of a group begin with.
pub type StoredGroup = [u8; 8];

impl FactKey {
    fn new(text: String) -> FactKey {
        let stored = FactKey::stored(&text);
        FactKey { text, stored }
    }

    /// A user's record, wherever it was copied to.
    pub fn user_record(uuid: &str, text: &str) -> FactKey {
        FactKey::new(format!("user:{}:{}", word(uuid), hex_digest(text)))
    }

    /// A user's words at one time in one session, under whatever uuid.
    pub fn user_words(session: &str, at: Timestamp, text: &str) -> FactKey {
        FactKey::new(format!("{}{}", Self::moment(session, at), hex_digest(text)))
    }

    /// What everything said in this moment of a session starts with.
    pub fn moment(session: &str, at: Timestamp) -> String {
        format!("said:{}:{}:", word(session), at.micros())
    }

    /// A text block of an agent's message.
    pub fn agent_block(message_id: &str, text: &str) -> FactKey {
        FactKey::new(format!("{}{}", Self::message(message_id), hex_digest(text)))
    }

    /// What every block of this message starts with.
    pub fn message(message_id: &str) -> String {
        format!("agent:{}:", word(message_id))
    }

    /// What this key's group starts with: everything up to its digest.
    pub fn start(&self) -> &str {
        start(&self.text)
    }

    /// A hook of a session, received in or just before this second since 1970.
    pub fn hook(session: &str, second: i64, digest: &str) -> FactKey {
        FactKey::new(format!("hook:{}:{second}:{digest}", word(session)))
    }

    /// What a hook let us hear of a session that has no transcript.
    pub fn heard(session: &str, at: Timestamp, words: &str) -> FactKey {
        let (session, at, words) = (word(session), at.micros(), hex_digest(words));
        FactKey::new(format!("heard:{session}:{at}:{words}"))
    }

    /// What the session registry said of a process.
    pub fn observed(session: &str, reading: &str) -> FactKey {
        FactKey::new(format!("observed:{}:{}", word(session), word(reading)))
    }

    /// A person's look, by the key of the line that told of it.
    pub fn viewed(session: &str, line: &str) -> FactKey {
        FactKey::new(format!("viewed:{}:{}", word(session), word(line)))
    }

    /// A record that has nothing of its own to be known by.
    pub fn line(session: &str, line: &[u8]) -> FactKey {
        let mut hash = Sha256::new();
        hash.update(session);
        hash.update([0]);
        hash.update(line);
        FactKey::new(format!("line:{}", hex(&hash.finalize()[..16])))
    }

    /// The `n`th time a session begins, from 1 on.
    pub fn registered(session: &str, n: u32) -> FactKey {
        FactKey::new(format!("{}{n}", Self::registrations(session)))
    }

    /// What every registration of this session starts with.
    pub fn registrations(session: &str) -> String {
        format!("registered:{}:", word(session))
    }

    /// The `n`th time a session ends, from 1 on.
    pub fn ended(session: &str, n: u32) -> FactKey {
        FactKey::new(format!("ended:{}:{n}", word(session)))
    }

    /// A session's `n`th transition, while it is registered for the `registrations`th time.
    pub fn transition(session: &str, registrations: u32, n: u64) -> FactKey {
        FactKey::new(format!("transition:{}:{registrations}:{n}", word(session)))
    }

    /// How a database keeps the key of this text.
    pub fn stored(key: &str) -> StoredKey {
        let mut stored = [0; 16];
        stored[..8].copy_from_slice(&FactKey::stored_group(start(key)));
        stored[8..].copy_from_slice(&Sha256::digest(key)[..8]);
        stored
    }

    /// What the stored keys begin with whose text begins like this.
    pub fn stored_group(start: &str) -> StoredGroup {
        let digest = Sha256::digest(start);
        *digest.first_chunk().expect("32 bytes")
    }

    pub fn group_of(key: &StoredKey) -> StoredGroup {
        *key.first_chunk().expect("16 bytes")
    }

    pub fn as_stored(&self) -> StoredKey {
        self.stored
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for FactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Everything up to a key's last field.
fn start(key: &str) -> &str {
    &key[..key.rfind(':').map_or(0, |colon| colon + 1)]
}

/// Ids come from files. Those of the usual form stay readable; anything else
/// (long, or with a character that would end the field) becomes its digest.
fn word(id: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
    if !id.is_empty() && id.len() <= 100 && id.bytes().all(plain) {
        id.to_owned()
    } else {
        format!("#{}", hex_digest(id))
    }
}

/// 128 bits of SHA-256: no two texts will ever have the same by chance.
pub fn hex_digest(text: &str) -> String {
    hex(&Sha256::digest(text)[..16])
}

/// The key that is written so in hex.
pub fn key_of_hex(text: &str) -> Option<StoredKey> {
    let is_whole = text.len() == 2 * size_of::<StoredKey>();
    let number = is_whole.then(|| u128::from_str_radix(text, 16).ok())?;
    number.map(u128::to_be_bytes)
}

pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).expect("below 16");
    let digits = bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]);
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_a_message_share_a_start_and_no_other_message_has_it() {
        let a = FactKey::agent_block("msg_1", "one");
        let b = FactKey::agent_block("msg_1", "two");
        let c = FactKey::agent_block("msg_12", "one");
        let start = FactKey::message("msg_1");
        assert!(a.as_str().starts_with(&start) && b.as_str().starts_with(&start));
        assert!(!c.as_str().starts_with(&start));
        assert_ne!(a, b);
    }

    #[test]
    fn a_stored_key_begins_with_its_group() {
        let key = FactKey::agent_block("msg_1", "one");
        let group = FactKey::stored_group(&FactKey::message("msg_1"));
        assert_eq!(FactKey::stored(key.as_str())[..8], group);
        let other = FactKey::stored(FactKey::agent_block("msg_1", "two").as_str());
        assert_eq!(other[..8], group);
        assert_ne!(other, FactKey::stored(key.as_str()));
    }

    #[test]
    fn a_hostile_id_cannot_reach_into_another_field() {
        let a = FactKey::user_record("u:x", "t");
        let b = FactKey::user_record("u", "x:t");
        assert_ne!(a, b);
        assert!(!a.as_str()[5..].starts_with("u:x"));
        assert!(FactKey::message("m\0'; --").is_ascii());
    }
}
