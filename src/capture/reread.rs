//! Reads an input again, from its start to its checkpoint, for comparison.

use std::{io, path::Path};

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
    mut each: impl FnMut(Vec<Entry>),
) -> io::Result<Reread> {
    let (file, snapshot) = match file::open(path) {
        Ok(Some(opened)) => opened,
        Ok(None) => return Ok(Reread::Changed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Reread::Gone),
        Err(error) => return Err(error),
    };
    let identity = file::identity(&file, upto.offset)?;
    if file::judge(upto, snapshot.size, &identity) == Verdict::ReadAgain {
        return Ok(Reread::Changed);
    }
    let mut memory = Context::default();
    let mut buffer = Vec::new();
    let mut at = 0;
    while at < upto.offset {
        let mut batch = Batch::new(path, place.clone(), &mut memory, limits);
        let from = at;
        at = lines::read(
            &file,
            at,
            upto.offset,
            limits.max_line_bytes,
            &mut buffer,
            |line| batch.line(line),
        )?;
        if at < upto.offset && !batch.is_full() {
            // A last line that was taken without its newline.
            if let Some(bytes) = tail::tail_bytes(&file, at, upto.offset)? {
                tail::give_tail(&file, at, &bytes, &mut batch)?;
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
