//! Sorted entries, never changed, with an index in which one cache line tells of nearly everybody who is not among them.

use std::ops::Range;

use super::{Entry, key, number};

/// Sorted entries, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    entries: Vec<Entry>,
    /// The index: a line for each of so many equal parts of all keys. Empty if there are few entries.
    lines: Vec<Line>,
}

/// What is told at once of the entries whose keys lie in one part: a cache line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(align(64))]
struct Line {
    /// Where they begin; [`CROWDED`] is set if there are more than have room here.
    from: u32,
    /// How far into the part each key lies, in 65,536ths of it and in order; then 0xffff.
    prints: [u16; ROOM],
}

const ROOM: usize = 30;
const CROWDED: u32 = 1 << 31;
/// How many entries a line has on average: 3.6 bytes an entry for the index, and one line in 300 is crowded.
const MEAN: usize = 18;
/// Fewer than this are searched without an index.
const INDEXED: usize = 16;

impl Run {
    /// The run of `entries`, in any order.
    pub fn new(mut entries: Vec<Entry>) -> Run {
        // Runs that lie end to end are merged by it, rather than sorted.
        entries.sort_by_key(number);
        entries.dedup();
        entries.shrink_to_fit();
        if entries.len() < INDEXED || entries.len() >= CROWDED as usize {
            return Run { entries, lines: Vec::new() };
        }
        let parts = entries.len().div_ceil(MEAN);
        let mut lines = vec![Line { from: 0, prints: [u16::MAX; ROOM] }; parts];
        let mut places = entries.iter().map(|entry| place(entry, parts)).peekable();
        let mut from = 0;
        for (part, line) in lines.iter_mut().enumerate() {
            let mut len = 0;
            while let Some((_, print)) = places.next_if(|(of, _)| *of == part) {
                if let Some(to) = line.prints.get_mut(len) {
                    *to = print;
                }
                len += 1;
            }
            line.from = from | if len > ROOM { CROWDED } else { 0 };
            from += len as u32;
        }
        Run { entries, lines }
    }

    /// True if it holds the entry.
    #[inline]
    pub fn contains(&self, entry: &Entry) -> bool {
        let (part, print) = place(entry, self.lines.len());
        let Some(line) = self.lines.get(part) else { return !self.entries.is_empty() && self.search(entry, part) };
        if line.from & CROWDED == 0 {
            // First all at once, which a processor guesses right: of those asked for nearly none is revoked.
            if !line.prints.iter().fold(false, |any, other| any | (*other == print)) {
                return false;
            }
            let place = line.prints.partition_point(|other| *other < print);
            if self.entries.get(line.from as usize + place) == Some(entry) {
                return true;
            }
        }
        self.search(entry, part)
    }

    /// The same by binary search in the part: if it is crowded, or if another entry of it lies as far into it. Whoever chooses
    /// entries so that they crowd makes it slower by a step for each doubling, and nothing else.
    #[cold]
    fn search(&self, entry: &Entry, part: usize) -> bool {
        let from = |part: usize| self.lines.get(part).map(|line| (line.from & !CROWDED) as usize);
        let range = from(part).unwrap_or(0)..from(part + 1).unwrap_or(self.entries.len());
        self.entries.get(range).unwrap_or_default().binary_search(entry).is_ok()
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Where the entries lie whose first `bits` bits (at most 8) are `prefix`.
    pub fn with_prefix(&self, prefix: u8, bits: u32) -> Range<usize> {
        let leading = |entry: &Entry| (number(entry) >> 120) as u32 >> (8 - bits.min(8));
        let from = self.entries.partition_point(|entry| leading(entry) < u32::from(prefix));
        from..self.entries.partition_point(|entry| leading(entry) <= u32::from(prefix))
    }

    /// This run with `more`, without those of its own that `drop` names.
    pub fn changed(&self, drop: impl Fn(&Entry) -> bool, more: impl IntoIterator<Item = Entry>) -> Run {
        Run::new(self.entries.iter().filter(|entry| !drop(entry)).copied().chain(more).collect())
    }

    /// Bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.lines.capacity() * size_of::<Line>()
    }
}

/// In which of so many equal parts of all keys an entry's key lies, and how far into it, in 65,536ths.
#[inline]
fn place(entry: &Entry, parts: usize) -> (usize, u16) {
    let place = u128::from(key(entry)) * parts as u128;
    ((place >> 64) as usize, (place >> 48) as u16)
}

impl FromIterator<Entry> for Run {
    fn from_iter<T: IntoIterator<Item = Entry>>(entries: T) -> Self {
        Run::new(entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::entry;

    #[test]
    fn contains_what_was_put_in_and_nothing_else() {
        for len in [0, 1, INDEXED - 1, INDEXED, INDEXED + 1, 1000, 70_000] {
            let of = |odd: usize| (0..len).map(move |i| entry(&(2 * i + odd).to_string())).collect::<Vec<_>>();
            let (even, odd) = (of(0), of(1));
            let run: Run = even.iter().chain(&even).copied().collect();
            assert_eq!(run.len(), len, "each once");
            assert!(run.entries().is_sorted());
            assert!(even.iter().all(|entry| run.contains(entry)) && !odd.iter().any(|entry| run.contains(entry)));
        }
    }

    #[test]
    fn as_many_as_a_line_has_room_for_and_one_more_are_found_wherever_they_crowd() {
        let others: Vec<Entry> = (0..1000).map(|i| entry(&i.to_string())).collect();
        // In the same part of all keys: at its lower end, in the middle of all, at the upper end; with one key, and with several.
        for key in [0, u64::MAX / 2, u64::MAX - 255] {
            for step in [0, 1, 1 << 40] {
                let chosen =
                    |i: u64| ((u128::from(key.saturating_add(i / 2 * step)) << 64) | u128::from(i)).to_be_bytes();
                for len in [1, 2, ROOM as u64 - 1, ROOM as u64, ROOM as u64 + 1, 100] {
                    let run: Run = (0..len).map(|i| chosen(2 * i)).chain(others.iter().copied()).collect();
                    assert!((0..2 * len).all(|i| run.contains(&chosen(i)) == (i % 2 == 0)), "{key:x} {step:x} {len}");
                    assert!(others.iter().all(|entry| run.contains(entry)), "{key:x} {step:x} {len}");
                }
            }
        }
    }

    #[test]
    fn the_first_and_the_last_key_of_each_part_are_found_and_their_neighbours_are_not() {
        let parts = 100;
        let first = |part: u128| ((part << 64).div_ceil(parts)) as u64;
        let edges =
            (0..parts).flat_map(|part| [first(part), if part == parts - 1 { u64::MAX } else { first(part + 1) - 1 }]);
        let entry = |key: u64, last: u64| ((u128::from(key) << 64) | u128::from(last)).to_be_bytes();
        let entries: Vec<Entry> = edges.flat_map(|key| (1..10).map(move |last| entry(key, last))).collect();
        let run: Run = entries.iter().copied().collect();
        assert_eq!(run.lines.len() as u128, parts);
        assert!(entries.iter().all(|entry| run.contains(entry)));
        for key in entries.iter().map(key) {
            assert!(!run.contains(&entry(key, 0)) && !run.contains(&entry(key, 10)));
            assert!(!run.contains(&entry(key.wrapping_add(2), 1)) && !run.contains(&entry(key.wrapping_sub(2), 1)));
        }
        assert!(!run.contains(&[0; 16]) && !run.contains(&[0xff; 16]));
        let run: Run = entries.into_iter().chain([[0; 16], [0xff; 16]]).collect();
        assert!(run.contains(&[0; 16]) && run.contains(&[0xff; 16]));
    }

    #[test]
    fn prefixes_cut_it_without_a_gap() {
        let run: Run = (0..5000).map(|i| entry(&i.to_string())).collect();
        for bits in [0, 4, 8] {
            let mut end = 0;
            for prefix in 0..1_u16 << bits {
                let range = run.with_prefix(prefix as u8, bits);
                assert_eq!(range.start, end);
                let shift = 8 - bits;
                assert!(run.entries()[range.clone()].iter().all(|e| u16::from(e[0]) >> shift == prefix));
                end = range.end;
            }
            assert_eq!(end, run.len());
        }
    }
}
