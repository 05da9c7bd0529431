//! A transcript, byte for byte, as it was read.

use futures_util::{Stream, stream};
use tokio::{
    fs::File,
    io::{AsyncReadExt, Take},
};

use super::kept::{Kept, Lost, aside};
use crate::{archive::unpack, store::read::Reader};

/// As much of a file is held at once.
const PART: usize = 256 * 1024;

/// A transcript that can be given.
pub struct Whole {
    kept: Kept,
    reader: Reader,
    file: Option<Take<File>>,
    /// So many bytes of it are not kept.
    pub missing: u64,
}

/// Bytes, and where the next ones begin.
type Next = Option<(Vec<u8>, u64)>;

/// Looks what there is of it; nothing of its bytes is read yet.
pub async fn whole(reader: &Reader, kept: Kept) -> Result<Whole, Lost> {
    let extents = reader.extents(kept.checkpoint_id, kept.generation).await?;
    let (mut at, mut missing) = (0, 0);
    for (offset, length) in &extents {
        let (offset, end) = (offset.cast_unsigned(), (offset + length).cast_unsigned());
        missing += offset.saturating_sub(at);
        at = at.max(end);
    }
    missing += kept.end.saturating_sub(at);
    let file = match extents.is_empty() {
        false => None,
        true => {
            let (file, end) = (kept.open().await?, kept.end);
            missing = 0;
            Some(File::from_std(file).take(end))
        }
    };
    Ok(Whole {
        kept,
        reader: reader.clone(),
        file,
        missing,
    })
}

impl Whole {
    /// How many bytes there are.
    pub fn length(&self) -> u64 {
        self.kept.end - self.missing.min(self.kept.end)
    }

    /// Its bytes, in order, one piece at a time. The first is read at once: what cannot be
    /// given at all is not begun.
    pub async fn bytes(mut self) -> Result<impl Stream<Item = Result<Vec<u8>, Lost>>, Lost> {
        let first = self.next(0).await?;
        let begin = (self, Some(first), 0);
        Ok(stream::try_unfold(
            begin,
            |(mut whole, ahead, at)| async move {
                let next = match ahead {
                    Some(first) => first,
                    None => whole.next(at).await?,
                };
                Ok(next.map(|(bytes, at)| (bytes, (whole, None, at))))
            },
        ))
    }

    /// What there is from `at` on.
    async fn next(&mut self, at: u64) -> Result<Next, Lost> {
        let Some(file) = &mut self.file else {
            return self.piece(at).await;
        };
        let mut bytes = vec![0; PART];
        let count = file.read(&mut bytes).await;
        let count =
            count.map_err(|error| Lost::File(format!("its file cannot be read: {error}")))?;
        bytes.truncate(count);
        Ok(Some((bytes, at + count as u64)).filter(|_| count > 0))
    }

    async fn piece(&self, at: u64) -> Result<Next, Lost> {
        let Kept {
            checkpoint_id,
            generation,
            ..
        } = self.kept;
        let piece = self.reader.piece(checkpoint_id, generation, at).await?;
        let Some(piece) = piece else {
            return Ok(None);
        };
        aside(move || {
            let mut bytes = unpack(&piece).map_err(Lost::Damaged)?;
            let known = at.saturating_sub(piece.offset) as usize;
            bytes.drain(..known.min(bytes.len()));
            Ok(Some((bytes, piece.offset + piece.length)))
        })
        .await
    }
}
