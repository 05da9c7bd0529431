//! Bytes to pieces, and back.

use std::io;

use zstd::bulk::{Compressor, Decompressor};

use super::Piece;

/// A piece holds as many bytes of its file at most. Larger ones are no smaller
/// together, and take more memory to make.
pub const PIECE_BYTES: usize = 1024 * 1024;

/// A tenth smaller than at the fastest level, in a fifth more time. The next one takes
/// another quarter for a hundredth.
const LEVEL: i32 = 3;

/// Cuts bytes that follow each other into pieces. Its context and its buffers are
/// used again for the next file.
#[derive(Default)]
pub struct Packer {
    context: Option<Compressor<'static>>,
    /// Where in the file `raw` begins.
    start: u64,
    raw: Vec<u8>,
    packed: Vec<u8>,
    pieces: Vec<Piece>,
}

impl Packer {
    /// Up to where bytes were taken.
    pub fn end(&self) -> u64 {
        self.start + self.raw.len() as u64
    }

    /// Goes on there; what lies between is left out.
    pub fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        if offset != self.end() {
            self.close()?;
            self.start = offset;
        }
        Ok(())
    }

    /// Takes the bytes that follow.
    pub fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = PIECE_BYTES - self.raw.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.raw.extend_from_slice(now);
            if self.raw.len() == PIECE_BYTES {
                self.close()?;
            }
            bytes = later;
        }
        Ok(())
    }

    /// The pieces of all that was taken.
    pub fn finish(&mut self) -> io::Result<Vec<Piece>> {
        self.close()?;
        Ok(std::mem::take(&mut self.pieces))
    }

    /// Forgets what was taken, and begins at `offset`.
    pub fn restart(&mut self, offset: u64) {
        self.raw.clear();
        self.pieces.clear();
        self.start = offset;
    }

    /// Gives back the memory that only work needs.
    pub fn shrink(&mut self) {
        *self = Packer::default();
    }

    fn close(&mut self) -> io::Result<()> {
        if self.raw.is_empty() {
            return Ok(());
        }
        let context = match &mut self.context {
            Some(context) => context,
            none => none.insert(Compressor::new(LEVEL)?),
        };
        self.packed.clear();
        self.packed
            .reserve(zstd::zstd_safe::compress_bound(self.raw.len()));
        context.compress_to_buffer(&self.raw, &mut self.packed)?;
        let length = self.raw.len() as u64;
        self.pieces.push(Piece {
            offset: self.start,
            length,
            content: self.packed.clone(),
        });
        self.start += length;
        self.raw.clear();
        Ok(())
    }
}

/// The bytes of a piece. One whose content is damaged is an error.
pub fn unpack(piece: &Piece) -> io::Result<Vec<u8>> {
    let wrong = |what: String| {
        let at = piece.offset;
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the piece at byte {at} {what}"),
        )
    };
    let length = match usize::try_from(piece.length) {
        Ok(length) if length <= PIECE_BYTES => length,
        _ => return Err(wrong("is longer than a piece may be".into())),
    };
    let bytes = Decompressor::new()?
        .decompress(&piece.content, length)
        .map_err(|error| wrong(format!("is damaged: {error}")))?;
    match bytes.len() == length {
        true => Ok(bytes),
        false => Err(wrong(format!("holds {} bytes of {length}", bytes.len()))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(parts: &[&[u8]]) -> Vec<Piece> {
        let mut packer = Packer::default();
        packer.restart(7);
        for part in parts {
            packer.push(part).unwrap();
        }
        packer.finish().unwrap()
    }

    #[test]
    fn a_long_part_is_cut_into_pieces_that_follow_each_other() {
        let bytes: Vec<u8> = (0..PIECE_BYTES * 2 + 5).map(|n| (n % 251) as u8).collect();
        let pieces = packed(&[&bytes[..3], &bytes[3..]]);
        let lengths: Vec<u64> = pieces.iter().map(|piece| piece.length).collect();
        assert_eq!(lengths, [PIECE_BYTES as u64, PIECE_BYTES as u64, 5]);
        assert_eq!(pieces[0].offset, 7);
        assert_eq!(pieces[2].offset, 7 + 2 * PIECE_BYTES as u64);
        let back: Vec<u8> = pieces
            .iter()
            .flat_map(|piece| unpack(piece).unwrap())
            .collect();
        assert!(back == bytes);
    }

    #[test]
    fn what_was_taken_for_nothing_is_forgotten() {
        let mut packer = Packer::default();
        packer.push(b"never committed").unwrap();
        packer.restart(3);
        packer.push(b"kept").unwrap();
        let pieces = packer.finish().unwrap();
        assert_eq!((pieces.len(), pieces[0].offset), (1, 3));
        assert_eq!(unpack(&pieces[0]).unwrap(), b"kept");
    }

    #[test]
    fn a_damaged_piece_is_an_error_that_says_where() {
        let good = packed(&[b"some words, some words"]).remove(0);
        let cut = Piece {
            content: good.content[..good.content.len() - 1].into(),
            ..good.clone()
        };
        let short = Piece {
            length: good.length + 1,
            ..good.clone()
        };
        let longer = Piece {
            length: good.length - 1,
            ..good.clone()
        };
        let huge = Piece {
            length: u64::MAX,
            ..good
        };
        for piece in [cut, short, longer, huge] {
            let error = unpack(&piece).unwrap_err().to_string();
            assert!(error.starts_with("the piece at byte 7 "), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(parts in proptest::collection::vec(any::<Vec<u8>>(), 0..9)) {
            let pieces = packed(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let back: Vec<u8> = pieces.iter().flat_map(|piece| unpack(piece).unwrap()).collect();
            prop_assert_eq!(back, parts.concat());
        }
    }
}
