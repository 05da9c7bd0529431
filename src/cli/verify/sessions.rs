//! Every beginning of a session and every end must be an event of its own.

use std::collections::HashMap;

use super::{Verification, report::Mismatch};
use crate::{
    event::{EventType, FactKey},
    store::read::StoredSession,
};

/// Sessions that are looked up together.
const SESSIONS: usize = 512;

/// An event that must be there because of a session's row.
struct Due<'a> {
    session: &'a StoredSession,
    event_type: EventType,
    key: FactKey,
    /// It is owed only if its fact is known: an earlier end may never have been.
    if_known: bool,
}

impl Verification<'_> {
    pub(super) async fn sessions(&mut self, host: &str) -> anyhow::Result<()> {
        for sessions in self.reader.sessions(host).await?.chunks(SESSIONS) {
            let due: Vec<Due<'_>> = sessions.iter().flat_map(Due::of).collect();
            let keys: Vec<&str> = due.iter().map(|due| due.key.as_str()).collect();
            let facts = self.reader.facts(&keys).await?;
            let ids: Vec<i64> = facts.values().copied().collect();
            let types = self.reader.event_types(&ids).await?;
            let missing = due.iter().filter(|due| due.is_missing(&facts, &types));
            self.report.findings.extend(missing.map(Due::finding));
        }
        Ok(())
    }
}

impl<'a> Due<'a> {
    fn of(session: &'a StoredSession) -> Vec<Due<'a>> {
        let uuid = &session.session_uuid;
        let last = u32::try_from(session.registrations).unwrap_or(u32::MAX);
        let begins = (1..=last).map(|n| Due {
            session,
            event_type: EventType::SessionRegistered,
            key: FactKey::registered(uuid, n),
            if_known: false,
        });
        let ends = (1..=last).map(|n| Due {
            session,
            event_type: EventType::SessionEnded,
            key: FactKey::ended(uuid, n),
            if_known: n < last || !session.has_ended,
        });
        begins.chain(ends).collect()
    }

    fn is_missing(&self, facts: &HashMap<String, i64>, types: &HashMap<i64, String>) -> bool {
        match facts.get(self.key.as_str()) {
            None => !self.if_known,
            Some(id) => types.get(id).map(String::as_str) != Some(self.event_type.as_str()),
        }
    }

    fn finding(&self) -> Mismatch {
        Mismatch {
            kind: "missing",
            path: self.session.path.clone().unwrap_or_default(),
            offset: None,
            event_id: None,
            what: format!("{} {}", self.event_type.as_str(), self.key),
        }
    }
}
