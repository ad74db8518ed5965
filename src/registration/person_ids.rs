//! The ids of people who are enrolled together: random, and neighbours.
//!
//! Every table of people leads with their id. Those of one batch share their first bits, drawn anew for each batch, so that a
//! batch's rows go to a page or two of each index, not to as many pages as there are people. They tell neither time nor order,
//! and batches are spread as evenly as people were.

use uuid::Uuid;

/// Gives ids to the people of one batch.
pub(super) struct PersonIds {
    shared: [u8; SHARED],
}

/// Bytes that a batch's ids begin with: sixteen million beginnings, thirty times the pages of an index of a hundred million.
const SHARED: usize = 3;

impl PersonIds {
    /// For a batch.
    pub fn new() -> PersonIds {
        let [a, b, c, ..] = Uuid::new_v4().into_bytes();
        PersonIds { shared: [a, b, c] }
    }

    /// One more: a version 4 UUID.
    pub fn next(&self) -> Uuid {
        let mut bytes = Uuid::new_v4().into_bytes();
        bytes[..SHARED].copy_from_slice(&self.shared);
        Uuid::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn those_of_a_batch_are_neighbours_and_no_two_are_alike() {
        let (batch, other) = (PersonIds::new(), PersonIds::new());
        let ids: HashSet<Uuid> = (0..1_000).map(|_| batch.next()).collect();
        let beginnings: HashSet<&[u8]> = ids.iter().map(|id| &id.as_bytes()[..SHARED]).collect();
        assert_eq!((ids.len(), beginnings.len()), (1_000, 1));
        let rest: HashSet<u8> = ids.iter().map(|id| id.as_bytes()[SHARED]).collect();
        assert!(rest.len() > 200, "the byte after them is random");
        assert!(ids.iter().all(|id| id.get_version_num() == 4 && id.get_variant() == uuid::Variant::RFC4122));
        assert_ne!(other.shared, batch.shared, "once in sixteen million they are");
    }
}
