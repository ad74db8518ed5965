//! Sorted entries, never changed, with an index of where each of their leading bits begin.

use std::ops::Range;

use super::{Entry, key, number};

/// Sorted entries, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    entries: Vec<Entry>,
    /// Where the entries with each value of the leading bits begin, and where the last end; empty if there are few.
    starts: Vec<u32>,
    /// How far a key is shifted to leave these bits.
    shift: u32,
}

/// Fewer than this are searched without an index.
const INDEXED: usize = 16;

impl Run {
    /// The run of `entries`, in any order.
    pub fn new(mut entries: Vec<Entry>) -> Run {
        // Runs that lie end to end are merged by it, rather than sorted.
        entries.sort_by_key(number);
        entries.dedup();
        entries.shrink_to_fit();
        if entries.len() < INDEXED || u32::try_from(entries.len()).is_err() {
            return Run { entries, starts: Vec::new(), shift: 0 };
        }
        // Four to eight entries a bucket: half a byte an entry for the index, and one cache line or two to look at.
        let bits = entries.len().ilog2() - 2;
        let shift = 64 - bits;
        let mut starts = Vec::with_capacity((1 << bits) + 1);
        for (at, entry) in (0..).zip(&entries) {
            let bucket = (key(entry) >> shift) as usize;
            starts.resize(starts.len().max(bucket + 1), at);
        }
        starts.resize((1 << bits) + 1, entries.len() as u32);
        Run { entries, starts, shift }
    }

    /// True if it holds the entry.
    #[inline]
    pub fn contains(&self, entry: &Entry) -> bool {
        let bucket = if self.starts.is_empty() {
            self.entries.as_slice()
        } else {
            let at = (key(entry) >> self.shift) as usize;
            let (Some(from), Some(to)) = (self.starts.get(at), self.starts.get(at + 1)) else { return false };
            self.entries.get(*from as usize..*to as usize).unwrap_or_default()
        };
        let number = number(entry);
        bucket.binary_search_by(|other| super::number(other).cmp(&number)).is_ok()
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
        self.entries.capacity() * size_of::<Entry>() + self.starts.capacity() * size_of::<u32>()
    }
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
    fn entries_that_share_their_leading_bits_are_found() {
        let shared = |last: u8| std::array::from_fn(|at| if at == 15 { last } else { 0xff });
        let run: Run = (0..200).step_by(2).map(shared).chain([[0; 16], [0xff; 16]]).collect();
        assert!((0..200).all(|last| run.contains(&shared(last)) == (last % 2 == 0)));
        assert!(run.contains(&[0; 16]) && run.contains(&[0xff; 16]) && !run.contains(&[1; 16]));
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
