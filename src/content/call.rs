//! A call of a tool, found in its transcript.

use memchr::memmem::Finder;

use super::{
    kept::{Kept, Lost, lines},
    record::{self, Call},
};
use crate::{
    event::Timestamp,
    store::read::{Reader, ToolUseRow},
};

/// How much is read, from the last line known to stand before the call: more only if that
/// was not enough.
const SPANS: [u64; 3] = [1 << 20, 4 << 20, 16 << 20];

/// The call's input, and its result if it has come. A call whose line is further from its
/// neighbours than is read is [`Lost::Gone`].
pub async fn call(reader: &Reader, kept: &Kept, row: &ToolUseRow) -> Result<Call, Lost> {
    let at = Timestamp::parse(&row.started_at).unwrap_or(Timestamp::UNIX_EPOCH);
    let before = reader.line_before(kept.checkpoint_id, at).await?;
    let before = before.map_or(0, i64::cast_unsigned);
    let mut found = search(reader, kept, row, before).await?;
    if found.input.is_none() && before > 0 {
        // The line before it is of an earlier content of the file.
        found = search(reader, kept, row, 0).await?;
    }
    match found.input.is_some() || found.result.is_some() {
        true => Ok(found),
        false => Err(Lost::Gone),
    }
}

async fn search(reader: &Reader, kept: &Kept, row: &ToolUseRow, from: u64) -> Result<Call, Lost> {
    let id = row.tool_use_id.as_str();
    let finder = Finder::new(id);
    let mut call = Call::default();
    for span in SPANS {
        let until = from.saturating_add(span);
        let runs = kept.read(reader, from..until).await?;
        call = Call::default();
        for (_, line) in lines(&runs, true) {
            if finder.find(line).is_some() {
                record::take_call(line, id, &mut call);
            }
        }
        let is_whole = call.input.is_some() && call.result.is_some();
        if is_whole || until >= kept.end {
            break;
        }
    }
    Ok(call)
}
