//! Which pieces of a file are better one: pure.

use std::ops::Range;

use super::PIECE_BYTES;

/// The place of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub offset: u64,
    pub length: u64,
}

impl Extent {
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// The first pieces, in the order of their offsets, that are better one piece. A long
/// one waits until as much follows it, so that no byte is packed anew more often than
/// the length of a piece can double.
pub fn mergeable(extents: &[Extent]) -> Option<Range<usize>> {
    let mut first = 0;
    while first < extents.len() {
        let run = run_from(extents, first);
        let mut start = first;
        while start + 1 < run && waits(extents[start], &extents[start + 1..run]) {
            start += 1;
        }
        if run - start > 1 {
            return Some(start..run);
        }
        first = run;
    }
    None
}

fn waits(first: Extent, rest: &[Extent]) -> bool {
    first.length > span(rest) && first.end() <= rest[0].offset
}

/// The end of the pieces from `first` on that follow each other and fit one piece.
fn run_from(extents: &[Extent], first: usize) -> usize {
    let start = extents[first].offset;
    let mut end = extents[first].end();
    let rest = extents[first + 1..].iter().take_while(|extent| {
        let follows = extent.offset <= end;
        end = end.max(extent.end());
        follows && end - start <= PIECE_BYTES as u64
    });
    first + 1 + rest.count()
}

fn span(extents: &[Extent]) -> u64 {
    let start = extents.first().map_or(0, |first| first.offset);
    let end = extents.iter().map(Extent::end).max();
    end.unwrap_or(start) - start
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: u64 = PIECE_BYTES as u64;

    fn extents(places: &[(u64, u64)]) -> Vec<Extent> {
        let extent = |&(offset, length)| Extent { offset, length };
        places.iter().map(extent).collect()
    }

    #[test]
    fn small_neighbours_become_one() {
        for (places, expected) in [
            (&[][..], None),
            (&[(0, 5)][..], None),
            (&[(0, 5), (5, 5)], Some(0..2)),
            // A gap stays a gap.
            (&[(0, 5), (6, 5)], None),
            (&[(0, 5), (6, 5), (11, 7)], Some(1..3)),
            // The long one waits.
            (&[(0, 50), (50, 5)], None),
            (&[(0, 50), (50, 5), (55, 5)], Some(1..3)),
            (&[(0, 50), (50, 30), (80, 25)], Some(0..3)),
            // Not more than a piece may hold.
            (&[(0, FULL), (FULL, 1)], None),
            (&[(0, FULL - 1), (FULL - 1, 2)], None),
            (&[(0, FULL), (FULL, 1), (FULL + 1, 1)], Some(1..3)),
            // What another one holds as well goes.
            (&[(0, 9), (2, 7)], Some(0..2)),
            (&[(0, FULL), (2, 7), (FULL, 1)], Some(0..2)),
        ] {
            assert_eq!(mergeable(&extents(places)), expected, "{places:?}");
        }
    }

    /// As a live session writes: a line at a time, merged now and then.
    #[test]
    fn merging_ends_with_few_pieces_and_packs_each_byte_a_few_times() {
        let (mut pieces, mut packed) = (Vec::new(), 0);
        for line in 0..2000u64 {
            pieces.push(Extent {
                offset: line * 1000,
                length: 1000,
            });
            while let Some(run) = mergeable(&pieces) {
                let merged = Extent {
                    offset: pieces[run.start].offset,
                    length: span(&pieces[run.clone()]),
                };
                packed += merged.length;
                pieces.splice(run, [merged]);
            }
        }
        assert_eq!(span(&pieces), 2_000_000);
        assert!(pieces.windows(2).all(|two| two[0].end() == two[1].offset));
        assert!(pieces.len() < 14, "{pieces:?}");
        assert!(packed < 2_000_000 * 11, "{packed}");
    }
}
