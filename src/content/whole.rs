//! A transcript, byte for byte, as it was read.

use std::io;

use futures_util::{Stream, stream};
use tokio::{
    fs::File,
    io::{AsyncReadExt, Take},
};

use super::kept::{Kept, Lost};
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
            let (file, end) = (kept.open()?, kept.end);
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

    /// Its bytes, in order, one piece at a time.
    pub fn bytes(self) -> impl Stream<Item = io::Result<Vec<u8>>> {
        stream::try_unfold((self, 0), |(mut whole, at)| async move {
            let bytes = match &mut whole.file {
                Some(file) => {
                    let mut bytes = vec![0; PART];
                    let count = file.read(&mut bytes).await?;
                    bytes.truncate(count);
                    Some((bytes, at + count as u64)).filter(|_| count > 0)
                }
                None => whole.piece(at).await?,
            };
            Ok(bytes.map(|(bytes, at)| (bytes, (whole, at))))
        })
    }

    /// What is kept from `at` on, and where the next piece begins.
    async fn piece(&self, at: u64) -> io::Result<Option<(Vec<u8>, u64)>> {
        let Kept {
            checkpoint_id,
            generation,
            ..
        } = self.kept;
        let piece = self.reader.piece(checkpoint_id, generation, at).await;
        let Some(piece) = piece.map_err(io::Error::other)? else {
            return Ok(None);
        };
        let mut bytes = unpack(&piece)?;
        let known = at.saturating_sub(piece.offset) as usize;
        bytes.drain(..known.min(bytes.len()));
        Ok(Some((bytes, piece.offset + piece.length)))
    }
}
