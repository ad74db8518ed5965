use std::collections::BTreeSet;

use super::*;
use crate::revocation::entry;

fn named(number: u64) -> Entry {
    entry(&number.to_string())
}

/// Events from version 1 on: additions, of them one in five known already, and one in eight a removal, some of nobody.
fn history(len: u64) -> Vec<(u64, Change)> {
    let event = |version: u64| {
        let change = match version % 40 {
            3 | 11 | 19 => Change::Remove(named(version / 2)),
            27 => Change::Remove(named(version * 7)),
            35 => Change::Remove(named(version - 1)),
            5 => Change::Add(named((version - 2) / 2)),
            v if v % 5 == 2 => Change::Add(named(version / 3)),
            _ => Change::Add(named(version)),
        };
        (version, change)
    };
    (1..=len).map(event).collect()
}

/// What a layer's definition says, taken at its word.
fn by_definition(events: &[(u64, Change)], version: u64) -> (Vec<BTreeSet<Entry>>, BTreeSet<Entry>, BTreeSet<Entry>) {
    // Since which version each is revoked, as of `to`.
    let since = |to: u64| {
        let mut since: HashMap<Entry, u64> = HashMap::new();
        for (version, change) in events.iter().take_while(|(version, _)| *version <= to) {
            match change {
                Change::Add(entry) => drop(since.entry(*entry).or_insert(*version)),
                Change::Remove(entry) => drop(since.remove(entry)),
            }
        }
        since
    };
    let held = layers::ranges(version).map(|(from, to)| {
        let since = since(to).into_iter();
        since.filter(|(_, version)| *version > from).map(|(entry, _)| entry).collect::<BTreeSet<_>>()
    });
    let revoked: BTreeSet<Entry> = since(version).into_keys().collect();
    let removed = held.iter().flatten().filter(|entry| !revoked.contains(*entry)).copied().collect();
    (held.to_vec(), removed, revoked)
}

fn check(set: &RevocationSet, events: &[(u64, Change)], version: u64) {
    let (held, removed, revoked) = by_definition(events, version);
    assert_eq!((set.version(), set.len()), (version, revoked.len()));
    for (run, held) in set.layers.iter().zip(&held) {
        assert!(run.entries().iter().eq(held), "{version}: {} and {}", run.len(), held.len());
    }
    assert!(set.removed.entries().iter().eq(&removed), "{version}");
    let all: BTreeSet<Entry> = events.iter().map(|(_, change)| *change.outcome().0).collect();
    assert!(all.iter().all(|entry| set.contains(entry) == revoked.contains(entry)), "{version}");
}

#[test]
fn the_layers_are_what_their_definition_says_however_the_events_come() {
    let events = history(40_000);
    for page in [1, 7, 1000, 1024, 40_000] {
        let mut set = RevocationSet::default();
        let mut checked = 0;
        // One at a time is slow: what it could do wrong, it does at the first blocks.
        let events = &events[..if page < 10 { 3000 } else { events.len() }];
        for chunk in events.chunks(page) {
            set = set.after(chunk);
            let near = [0, 1, 1023].contains(&(set.version() % 1024)) || set.version() % 16_384 < page as u64;
            if near && checked < 20 {
                check(&set, events, set.version());
                checked += 1;
            }
        }
        check(&set, events, events.len() as u64);
    }
}

#[test]
fn the_bottom_takes_in_what_is_above_it_when_its_block_is_full() {
    let full = layers::BLOCKS[0];
    let events = history(full + 3000);
    let mut set = RevocationSet::default();
    for (len, _) in [(full - 1, ()), (full, ()), (full + 1, ()), (full + 3000, ())] {
        set = set.after(&events[..len as usize]);
        check(&set, &events[..len as usize], len);
    }
    assert!(!set.removed().is_empty() && set.removed().len() < 1000, "{}", set.removed().len());
}

#[test]
fn versions_that_are_left_out_are_no_events() {
    let sparse: Vec<(u64, Change)> =
        history(3000).into_iter().map(|(version, change)| (version * 30, change)).collect();
    let mut set = RevocationSet::default();
    for chunk in sparse.chunks(333) {
        set = set.after(chunk);
    }
    check(&set, &sparse, 90_000);
}

#[test]
fn events_that_are_known_are_passed_over() {
    let events = history(2000);
    let set = RevocationSet::default().after(&events);
    assert_eq!(set.after(&events).version(), 2000);
    check(&set.after(&events), &events, 2000);
    check(&set.after(&events[..10]), &events, 2000);
    check(&set.after(&[]), &events, 2000);
}

#[test]
fn what_is_removed_is_accepted_again_and_may_be_revoked_again() {
    let (one, two) = (named(1), named(2));
    let set = RevocationSet::default().after(&[(1, Change::Add(one)), (2, Change::Add(two))]);
    let undone = set.after(&[(3, Change::Remove(one))]);
    assert!(!undone.contains(&one) && undone.contains(&two) && set.contains(&one));
    assert_eq!((undone.len(), undone.version()), (1, 3));
    let again = undone.after(&[(4, Change::Add(one))]);
    assert!(again.contains(&one));
    assert_eq!((again.len(), again.version()), (2, 4));
}

#[test]
fn what_is_ahead_of_the_version_is_in_force_until_its_event_comes() {
    let (one, two) = (named(1), named(2));
    let set = RevocationSet::default().with_ahead(&[Change::Add(one)]);
    let set = set.with_ahead(&[Change::Add(one), Change::Add(two)]);
    assert_eq!((set.version(), set.len(), set.listed()), (0, 2, 0));
    let numbered = set.after(&[(1, Change::Add(one))]);
    assert!(numbered.contains(&one) && numbered.contains(&two));
    assert_eq!((numbered.len(), numbered.listed()), (2, 1));

    let undone = numbered.with_ahead(&[Change::Remove(one)]);
    assert!(!undone.contains(&one) && undone.contains(&two));
    assert_eq!((undone.len(), undone.listed()), (1, 1));
    let events = [(2, Change::Remove(one)), (3, Change::Add(two))];
    assert!(!undone.after(&events[..1]).contains(&one));
    assert!(!undone.after(&events).is_ahead(), "all of it is numbered");
    let both = set.after(&[(1, Change::Add(one)), (2, Change::Remove(one))]);
    assert!(both.contains(&one), "what is ahead may be a third event, after both");
    assert!(!both.settled(&set, &[Change::Add(two)]).contains(&one), "and is not, if the look finds none");
    let in_order = set.with_ahead(&[Change::Remove(one), Change::Add(one), Change::Remove(two)]);
    assert!(in_order.contains(&one) && !in_order.contains(&two), "the last one counts");
}

#[test]
fn what_was_put_ahead_by_mistake_is_taken_off_by_the_next_whole_look() {
    let (one, two) = (named(1), named(2));
    let undone = RevocationSet::default().after(&[(1, Change::Add(one)), (2, Change::Remove(one))]);
    // By somebody who had not seen that it was undone.
    let stale = undone.with_ahead(&[Change::Add(one), Change::Add(two)]);
    assert!(stale.contains(&one));
    let settled = stale.settled(&stale, &[Change::Add(two)]);
    assert!(!settled.contains(&one) && settled.contains(&two));
    assert!(stale.settled(&undone, &[]).contains(&one), "what was put ahead since the look began stays");
    let waived = undone.with_ahead(&[Change::Remove(two)]);
    assert!(!waived.settled(&waived, &[]).is_ahead());
}

#[test]
fn what_is_put_ahead_while_the_list_is_looked_at_is_later_than_what_the_look_finds() {
    let (one, two) = (named(1), named(2));
    let revoked = RevocationSet::default().after(&[(1, Change::Add(one))]);
    // A look finds that one was waived; before it says so, the same certificate is revoked once more.
    let before = revoked.with_ahead(&[Change::Remove(one)]);
    let found = [Change::Remove(one), Change::Add(two)];
    let again = before.with_ahead(&[Change::Add(one)]).with_found(&before, &found);
    assert!(again.contains(&one) && again.contains(&two));
    assert!(again.after(&[(2, Change::Remove(one))]).contains(&one), "and when the earlier event comes");
    assert!(!before.with_found(&before, &found).contains(&one), "nothing was put ahead meanwhile");
    // And the other way round.
    let waived = revoked.with_ahead(&[Change::Remove(one)]).with_found(&revoked, &[Change::Add(one)]);
    assert!(!waived.contains(&one));
}

#[test]
fn extending_by_one_shares_what_lies_below() {
    let set: RevocationSet = (0..3000).map(named).collect();
    let next = set.after(&[(3001, Change::Add(named(3001)))]);
    let shared = set.layers.iter().zip(&next.layers).map(|(a, b)| Arc::ptr_eq(a, b)).collect::<Vec<_>>();
    assert_eq!(shared, [true, true, true, false]);
    assert!(Arc::ptr_eq(&set.removed, &next.removed));
}
