//! Reads an input again, from its start to its checkpoint, for comparison.

use std::{fs::File, io, path::Path};

use crate::{
    dialect::{
        Place,
        claude::{Batch, Context, Limits},
    },
    event::Entry,
    tail::{
        self, Consumer, Position,
        file::{self, Verdict},
        lines,
    },
};

/// What was found at a checkpoint's path.
#[derive(Debug, PartialEq, Eq)]
pub enum Reread {
    /// Everything before the checkpoint was read again.
    Whole,
    /// The file is not the one the checkpoint speaks of; nothing was read.
    Changed,
    Gone,
}

/// Gives everything before `upto` to `each`, in bounded pieces.
pub fn reread(
    path: &Path,
    place: &Place,
    upto: &Position,
    limits: Limits,
    each: impl FnMut(Vec<Entry>),
) -> io::Result<Reread> {
    match file::open(path) {
        Ok(Some((file, _))) => reread_from(&file, path, place, upto, limits, each),
        Ok(None) => Ok(Reread::Changed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Reread::Gone),
        Err(error) => Err(error),
    }
}

/// The same from an open file, or a copy, of what stood under that path.
pub fn reread_from(
    file: &File,
    path: &Path,
    place: &Place,
    upto: &Position,
    limits: Limits,
    mut each: impl FnMut(Vec<Entry>),
) -> io::Result<Reread> {
    let identity = file::identity(file, upto.offset)?;
    if file::judge(upto, file.metadata()?.len(), &identity) == Verdict::ReadAgain {
        return Ok(Reread::Changed);
    }
    let mut memory = Context::default();
    let mut buffer = Vec::new();
    let mut at = 0;
    while at < upto.offset {
        let mut batch = Batch::new(path, place.clone(), &mut memory, limits);
        let from = at;
        at = lines::read(
            file,
            at,
            upto.offset,
            limits.max_line_bytes,
            &mut buffer,
            |line| batch.line(line),
        )?;
        if at < upto.offset && !batch.is_full() {
            // A last line that was taken without its newline.
            if let Some(bytes) = tail::tail_bytes(file, at, upto.offset)? {
                tail::give_tail(file, at, &bytes, &mut batch)?;
            }
            at = upto.offset;
        }
        each(batch.finish());
        if at == from {
            break;
        }
    }
    Ok(Reread::Whole)
}
