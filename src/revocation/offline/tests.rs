use super::*;
use crate::revocation::{Change, Edition, entry};

fn named(number: u64) -> Entry {
    entry(&number.to_string())
}

/// The offline state that follows `known` with `edition`, and how many bytes it took; with full slices if it says so.
fn synced(known: &OfflineRevocations, edition: &Edition, full: bool) -> (OfflineRevocations, u64) {
    let json = edition.index().to_json();
    let mut update = known.update(Index::parse(&json).expect("an index")).expect("newer");
    let mut bytes = json.len() as u64;
    let missing = if full { [update.missing(), update.missing_full()].concat() } else { update.missing() };
    for wanted in missing {
        let slice = edition.slice(&wanted.id).expect("the edition has what its index names");
        assert_eq!(slice.bytes().len() as u64, wanted.bytes);
        update.put(slice.bytes()).expect("what the index says");
        bytes += wanted.bytes;
    }
    (update.finish().expect("whole"), bytes)
}

fn edition(set: &RevocationSet) -> Edition {
    Edition::new(set, &Edition::default())
}

/// Changes one thing.
type Spoil = fn(&mut Index);

#[test]
fn answers_as_the_set_does_once_its_full_slices_are_there() {
    let removals = (20_001..20_050).map(|version| (version, Change::Remove(named(version - 20_000))));
    let set = (0..20_000).map(named).collect::<RevocationSet>().after(&removals.collect::<Vec<_>>());
    let edition = edition(&set);
    let (filters, _) = synced(&OfflineRevocations::default(), &edition, false);
    let (whole, _) = synced(&filters, &edition, true);
    assert_eq!((whole.version(), whole.count()), (20_049, 19_951));
    for number in 0..40_000 {
        let entry = named(number);
        let expected = if set.contains(&entry) { OfflineAnswer::Revoked } else { OfflineAnswer::NotRevoked };
        assert_eq!(whole.answer(&entry), expected, "{number}");
        match filters.answer(&entry) {
            // More than one layer now and then: each filter errs.
            OfflineAnswer::Unconfirmed => assert!((1..=4).contains(&filters.to_confirm(&entry).len())),
            answer => assert_eq!(answer, OfflineAnswer::NotRevoked, "never revoked by a filter alone"),
        }
        assert!(filters.answer(&entry) == OfflineAnswer::Unconfirmed || !set.contains(&entry), "never missed");
    }
    let mut back = whole.to_set().expect("every slice is there");
    assert!(filters.to_set().is_none());
    let mut ahead = set.clone();
    for version in 20_050..23_000 {
        let next = [(version, Change::Add(named(version)))];
        (back, ahead) = (back.after(&next), ahead.after(&next));
    }
    let (back, ahead) = (self::edition(&back), self::edition(&ahead));
    assert_eq!(back.index(), ahead.index(), "it goes on as the set that it was made of");
}

#[test]
fn a_false_positive_of_a_filter_is_told_from_a_revocation() {
    let set: RevocationSet = (0..3000).map(named).collect();
    let edition = edition(&set);
    let (filters, _) = synced(&OfflineRevocations::default(), &edition, false);
    let (whole, _) = synced(&filters, &edition, true);
    let stranger = (10_000..).map(named).find(|entry| filters.answer(entry) == OfflineAnswer::Unconfirmed);
    assert_eq!(whole.answer(&stranger.expect("one in 65,536")), OfflineAnswer::NotRevoked);
}

#[test]
fn nothing_revoked_is_an_index_without_slices() {
    let (empty, _) = synced(&OfflineRevocations::default(), &edition(&RevocationSet::default()), true);
    assert_eq!(empty.answer(&named(1)), OfflineAnswer::NotRevoked);
    assert_eq!(empty.to_set().expect("nothing is missing").len(), 0);
}

#[test]
fn layers_of_every_size_are_cut_without_a_gap() {
    // The sizes at which a layer is cut in 16 and in 256 are asked for by way of one layer.
    for (count, pieces) in [(1 << 16, 1), ((1 << 16) + 1, 16), (1 << 20, 16), ((1 << 20) + 1, 256)] {
        let entries = (0..count as u64).map(|n| (u128::from(n).wrapping_mul(u128::MAX / 0x1_2345_6789)).to_be_bytes());
        let run = Arc::new(entries.collect::<Run>());
        assert_eq!(run.len(), count);
        let version = 8 << 18;
        let layers = [Arc::clone(&run), Arc::default(), Arc::default(), Arc::default()];
        let set = RevocationSet::of_layers(version, count, layers, Arc::default());
        let edition = edition(&set);
        assert_eq!(edition.index().layers[0].full.len(), pieces);
        let (whole, _) = synced(&OfflineRevocations::default(), &edition, true);
        let sample = run.entries().iter().step_by(977);
        assert!(sample.clone().all(|entry| whole.answer(entry) == OfflineAnswer::Revoked));
        assert_eq!(whole.to_set().expect("whole").layers().next().expect("a layer").2, &run);
    }
}

#[test]
fn a_new_edition_keeps_the_layers_that_did_not_change() {
    let set: RevocationSet = (0..20_000).map(named).collect();
    let first = edition(&set);
    let next = Edition::new(&set.after(&[(20_001, Change::Add(named(20_001)))]), &first);
    let ids = |edition: &Edition| edition.slices().map(Arc::as_ptr).collect::<Vec<_>>();
    let (first, next) = (ids(&first), ids(&next));
    assert_eq!((first.len(), next.len()), (6, 6));
    assert_eq!(first[..4], next[..4]);
    assert!(first[4..].iter().all(|slice| !next.contains(slice)));
}

#[test]
fn a_broken_slice_is_refused_and_the_old_state_answers() {
    let set: RevocationSet = (0..500).map(named).collect();
    let (old, _) = synced(&OfflineRevocations::default(), &edition(&set), true);
    let new = edition(&set.after(&[(501, Change::Add(named(501)))]));
    let mut update = old.update(new.index().clone()).expect("newer");
    for slice in new.slices() {
        let good = slice.bytes();
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut bytes = good.to_vec();
            bytes[at] ^= 1;
            assert_eq!(update.put(&bytes), Err(SliceError::UnknownSlice));
            assert_eq!(update.put(&good[..at]), Err(SliceError::UnknownSlice));
        }
    }
    assert_eq!(update.clone().finish().err(), Some(SliceError::Missing));
    assert_eq!(old.answer(&named(501)), OfflineAnswer::NotRevoked);
    assert_eq!(old.answer(&named(1)), OfflineAnswer::Revoked);
    new.slices().for_each(|slice| update.put(slice.bytes()).expect("whole"));
    assert_eq!(update.finish().expect("whole").answer(&named(501)), OfflineAnswer::Revoked);
}

#[test]
fn a_slice_that_the_index_signs_and_that_is_none_is_refused() {
    let set: RevocationSet = (0..40).map(named).collect();
    let edition = edition(&set);
    let full = edition.slices().nth(1).expect("the entries").bytes().to_vec();
    let spoilt: [(&str, Vec<u8>); 4] = [
        ("of another order", [&full[16..32], &full[..16], &full[32..]].concat()),
        ("twice the same", [&full[..16], &full[..16], &full[32..]].concat()),
        ("one too few", full[16..].to_vec()),
        ("half an entry", full[..full.len() - 8].to_vec()),
    ];
    for (what, bytes) in spoilt {
        let mut index = edition.index().clone();
        index.layers[0].full[0].id = SliceId::of(&bytes);
        let mut update = OfflineRevocations::default().update(index).expect("newer");
        assert_eq!(update.put(&bytes), Err(SliceError::Malformed), "{what}");
    }
    let mut index = edition.index().clone();
    index.layers[0].filter.id = SliceId::of(b"BF16");
    let mut update = OfflineRevocations::default().update(index).expect("newer");
    assert_eq!(update.put(b"BF16"), Err(SliceError::Malformed));
}

#[test]
fn an_index_that_contradicts_itself_is_refused() {
    let set: RevocationSet = (0..20_000).map(named).collect();
    let good = edition(&set.after(&[(20_001, Change::Remove(named(1)))])).index().clone();
    assert_eq!(Index::parse(&good.to_json()), Ok(good.clone()));
    let spoils: [(&str, Spoil); 14] = [
        ("another version", |index| index.version += 1024),
        ("layers in another order", |index| index.layers.swap(0, 1)),
        ("a layer twice", |index| index.layers.extend_from_within(2..)),
        ("another range", |index| index.layers[0].to += 1),
        ("too many in all", |index| index.count = 30_000),
        ("another count of a layer", |index| index.layers[0].count -= 1),
        ("more than there were events", |index| {
            index.layers[2].count = 2000;
            index.layers[2].full[0].count = 2000;
            index.layers[2].full[0].bytes = 32_000;
        }),
        ("another count of a piece", |index| index.layers[0].full[0].count += 1),
        ("a piece too many", |index| index.layers[0].full.extend_from_within(..1)),
        ("no piece", |index| index.layers[0].full.clear()),
        ("another prefix", |index| index.layers[0].full[0].prefix = "0".into()),
        ("sums beyond all bounds", |index| index.layers.iter_mut().for_each(|layer| layer.count = u64::MAX)),
        ("a filter beyond all bounds", |index| index.layers[0].filter.bytes = u64::MAX),
        ("removed twice", |index| index.removed.extend_from_within(..1)),
    ];
    for (what, spoil) in spoils {
        let mut index = good.clone();
        spoil(&mut index);
        assert_eq!(Index::parse(&index.to_json()), Err(IndexError::Malformed), "{what}");
    }
    let json = good.to_json();
    for len in 0..json.len() {
        assert_eq!(Index::parse(&json[..len]), Err(IndexError::Malformed), "cut at {len}");
    }
    let unknown = String::from_utf8(json).expect("text").replacen('{', "{\"new\":1,", 1);
    assert_eq!(Index::parse(unknown.as_bytes()), Ok(good));
}

#[test]
fn an_older_index_is_refused() {
    let set: RevocationSet = (0..10).map(named).collect();
    let (known, _) = synced(&OfflineRevocations::default(), &edition(&set), true);
    for (version, expected) in [(9, Err(IndexError::OlderVersion)), (10, Ok(())), (11, Ok(()))] {
        let index = Index { version, ..Index::default() };
        assert_eq!(known.update(index).map(|_| ()), expected, "{version}");
    }
}

#[test]
fn a_day_of_500_revocations_on_a_million_is_a_delta_of_kilobytes() {
    let sizes = |edition: &Edition| {
        let filters: u64 = edition.index().layers.iter().map(|layer| layer.filter.bytes).sum();
        let full: u64 = edition.index().layers.iter().flat_map(|layer| &layer.full).map(|piece| piece.bytes).sum();
        (filters, full)
    };
    // FACTS §2: the EU counts 12.8 MB raw and 2.9 MB as a filter at 1e-6 for 800,000.
    let (filters, full) = sizes(&edition(&(0..800_000).map(named).collect()));
    assert!(filters < 1_900_000 && full == 12_800_000, "{filters} {full}");

    let mut set: RevocationSet = (0..1_000_000).map(named).collect();
    let mut last = edition(&set);
    let (filters, full) = sizes(&last);
    assert!(filters < 2_400_000 && full == 16_000_000, "{filters} {full}");
    let (mut known, _) = synced(&OfflineRevocations::default(), &last, false);
    let mut days: Vec<u64> = Vec::new();
    for _ in 0..40 {
        let first = set.version() + 1;
        set =
            set.after(&(first..first + 500).map(|version| (version, Change::Add(named(version)))).collect::<Vec<_>>());
        last = Edition::new(&set, &last);
        let (next, bytes) = synced(&known, &last, false);
        known = next;
        days.push(bytes);
    }
    let large = days.iter().filter(|bytes| **bytes > 50_000).count();
    assert!(large <= 2, "the second layer takes in what is above it once in 32 days: {days:?}");
    assert!(days.iter().sum::<u64>() / 40 < 40_000, "on the average: {days:?}");
    days.sort_unstable();
    assert!(days[20] < 25_000, "on half of the days: {days:?}");
}
