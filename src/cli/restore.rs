//! A file as it was read, from the archive.

use std::{
    fs::{self, File},
    io::{self, Write},
    ops::Range,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::{archive::unpack, store::read::Reader};

/// Writes what is kept of a generation of a file, in its order; says which of its first
/// `end` bytes are missing in that. What is damaged is an error of this kind:
/// [`io::ErrorKind::InvalidData`].
pub async fn restore(
    reader: &Reader,
    checkpoint_id: i64,
    generation: i64,
    end: u64,
    into: &mut impl Write,
) -> anyhow::Result<Vec<Range<u64>>> {
    let (mut missing, mut at) = (Vec::new(), 0);
    while let Some(piece) = reader.piece(checkpoint_id, generation, at).await? {
        if piece.offset > at {
            missing.push(at..piece.offset);
            at = piece.offset;
        }
        let bytes = unpack(&piece)?;
        let known = usize::try_from(at - piece.offset).unwrap_or(usize::MAX);
        into.write_all(bytes.get(known..).unwrap_or_default())?;
        at = piece.offset + piece.length;
    }
    if at < end {
        missing.push(at..end);
    }
    Ok(missing)
}

/// A file that no path leads to: it is gone when it is closed.
pub fn nameless(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!(".restored-{}", std::process::id()));
    let mut options = File::options();
    let options = options.read(true).write(true).create_new(true).mode(0o600);
    let file = options.open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}
