//! A file that is gone, from the archive.
//!
//! In: its path, and up to where it was read.
//! Out: a file without a name that holds just that, byte for byte; none if the archive does
//! not hold all of it.

use std::{fs::File, io, io::Write, path::Path};

use crate::{
    archive::unpack,
    store::{Failure, Writer},
};

/// Why there is no copy.
pub enum Lack {
    /// The archive has a gap, or none of it.
    Gap,
    /// A piece is damaged, or the folder takes no file.
    Broken(io::Error),
    Store(Failure),
}

/// It lies in this folder, and is gone when it is closed.
pub async fn of(writer: &mut Writer, path: &str, upto: u64, folder: &Path) -> Result<File, Lack> {
    let mut copy = None;
    let mut at = 0;
    while at < upto {
        let piece = writer.archived(path, at).await.map_err(Lack::Store)?;
        let Some(piece) = piece.filter(|piece| piece.offset <= at) else {
            return Err(Lack::Gap);
        };
        let bytes = unpack(&piece).map_err(Lack::Broken)?;
        // What is further in than a number of this machine goes is not in the piece either.
        let known = usize::try_from(at - piece.offset).ok();
        let new = known.and_then(|known| bytes.get(known..));
        let Some(mut new) = new.filter(|new| !new.is_empty()) else {
            return Err(Lack::Gap);
        };
        let most = usize::try_from(upto - at).unwrap_or(usize::MAX);
        new = &new[..new.len().min(most)];
        let file = match &mut copy {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(folder).map_err(Lack::Broken)?),
        };
        file.write_all(new).map_err(Lack::Broken)?;
        at += new.len() as u64;
    }
    copy.ok_or(Lack::Gap)
}
