//! Known answers, and trees grown at random beside one that is hashed whole each time.

use proptest::prelude::*;

use super::merkle::{empty_root, leaf_hash, node_hash, over, proves};
use super::*;

fn from_hex(text: &str) -> Vec<u8> {
    hex::decode(text).expect("hexadecimal")
}

/// The tree of eight leaves that the tests of Certificate Transparency's implementations share.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn the_roots_are_those_of_certificate_transparency_s_test_tree() {
    let mut frontier = Frontier::default();
    for (size, root) in ROOTS.iter().enumerate() {
        assert_eq!(frontier.root().to_vec(), from_hex(root), "{size}");
        let hashes: Vec<Hash> = LEAVES.iter().take(size).map(|leaf| leaf_hash(&from_hex(leaf))).collect();
        assert_eq!(over(&hashes).to_vec(), from_hex(root), "{size}");
        if let Some(leaf) = LEAVES.get(size) {
            frontier.push(&from_hex(leaf));
        }
    }
    assert_eq!(empty_root().to_vec(), from_hex(ROOTS[0]));
}

/// The hash of a tree as RFC 6962 §2.1 writes it, and the path as §2.1.1 does.
fn naive(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            node_hash(&naive(&leaves[..k]), &naive(&leaves[k..]))
        }
    }
}

fn naive_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut path, other) = match m < k {
        true => (naive_path(m, &leaves[..k]), naive(&leaves[k..])),
        false => (naive_path(m - k, &leaves[k..]), naive(&leaves[..k])),
    };
    path.push(other);
    path
}

fn entry_of(n: u64) -> Hash {
    sha256(&n.to_be_bytes())
}

/// The tiles of a tree grown in steps, each from what the one before it stored: entries at level 0.
fn grow(steps: &[u64]) -> (u64, std::collections::HashMap<(u8, u64), Vec<Hash>>) {
    let (mut size, mut stored) = (0, std::collections::HashMap::<(u8, u64), Vec<Hash>>::new());
    for step in steps {
        let mut edge = Edge::new(size, |tile| stored.get(&(tile.level, tile.n)).cloned()).expect("its tiles");
        (size..size + step).for_each(|n| edge.push(entry_of(n)));
        size += step;
        let leaves: Vec<Hash> = (0..size).map(|n| leaf_hash(&entry_of(n))).collect();
        assert_eq!((edge.size(), edge.root()), (size, naive(&leaves)));
        for (tile, hashes) in edge.into_tiles() {
            assert_eq!(Tile::of_tree(tile.level, tile.n, size), Some(tile));
            assert_eq!(hashes.len(), usize::from(tile.width));
            let before = stored.insert((tile.level, tile.n), hashes.clone()).unwrap_or_default();
            assert!(hashes.starts_with(&before), "a tile only grows");
        }
    }
    (size, stored)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_tree_grown_in_steps_is_the_tree_hashed_whole_and_every_leaf_of_it_is_proved(
        steps in prop::collection::vec(prop_oneof![0..4_u64, 200..300_u64, Just(256), 0..800_u64], 1..6),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 20),
        flip in any::<prop::sample::Index>(),
    ) {
        let (size, stored) = grow(&steps);
        let all: Vec<Hash> = (0..size).map(|n| leaf_hash(&entry_of(n))).collect();
        let mut frontier = Frontier::default();
        (0..size).for_each(|n| frontier.push(&entry_of(n)));
        prop_assert_eq!(frontier.root(), naive(&all));
        let again = Frontier::new(size, frontier.peaks().to_vec());
        prop_assert_eq!(again.as_ref(), Some(&frontier));
        prop_assume!(size > 0);
        for pick in picks {
            // A tree as it was when it was smaller, out of the tiles as they are now.
            let earlier = 1 + pick.index(size as usize);
            let index = pick.index(earlier);
            let (leaf, root) = (all[index], naive(&all[..earlier]));
            let mut tiles = Tiles::default();
            for tile in needed(index as u64, earlier as u64) {
                let mut hashes = stored[&(tile.level, tile.n)].clone();
                hashes.truncate(tile.width.into());
                tiles.add(tile.level, tile.n, if tile.level == 0 { leaves(&hashes) } else { hashes });
            }
            let mut proof = tiles.inclusion(index as u64, earlier as u64).expect("its tiles");
            prop_assert_eq!(&proof, &naive_path(index, &all[..earlier]));
            let proves = |leaf: &Hash, index: usize, size: usize, proof: &[Hash], root: &Hash| {
                proves(leaf, index as u64, size as u64, proof, root)
            };
            prop_assert!(proves(&leaf, index, earlier, &proof, &root));
            prop_assert!(!proves(&entry_of(size), index, earlier, &proof, &root), "another leaf");
            prop_assert!(!proves(&leaf, index + 1, earlier, &proof, &root), "another place");
            prop_assert!(!proves(&leaf, earlier, earlier, &proof, &root), "a place behind the end");
            prop_assert!(!proves(&leaf, index, earlier, &[&proof[..], &[leaf]].concat(), &root), "too long");
            if !proof.is_empty() {
                prop_assert!(!proves(&leaf, index, earlier, &proof[1..], &root), "too short");
                let at = flip.index(proof.len() * 256);
                proof[at / 256][at % 256 / 8] ^= 1 << (at % 8);
                prop_assert!(!proves(&leaf, index, earlier, &proof, &root), "a bit flipped");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_of_notes_or_addresses_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[0-9x/.pentris]{0,40}") {
        let key = crate::keys::IssuerKey::generate(crate::keys::Algorithm::EdDsa).expect("generates");
        let key = crate::keys::PublicKey::from_spki_der(key.spki_der()).expect("a key");
        prop_assert!(Checkpoint::open(&bytes, [&key]).is_err());
        let note = [format!("a\n1\n{}\n\n", "A".repeat(43) + "=").as_bytes(), &bytes].concat();
        prop_assert!(Checkpoint::open(&note, [&key]).is_err());
        if let Some(resource) = Resource::parse(&text) {
            prop_assert_eq!(resource.to_string(), text);
        }
        prop_assert!(entry(&bytes).is_err() || !bytes.is_empty());
    }
}

#[test]
fn a_tree_of_more_than_a_tile_of_tiles_goes_on_where_it_was() {
    let mut frontier = Frontier::default();
    let mut edge = Edge::new(0, |_| None).expect("empty");
    let mut stored = std::collections::HashMap::new();
    for n in 0..70_000 {
        frontier.push(&entry_of(n));
        edge.push(entry_of(n));
        // Just under, at and just over what fills tiles, and the example of tlog-tiles.
        if matches!(n + 1, 255..=257 | 65_535..=65_537 | 70_000) {
            assert_eq!(edge.root(), frontier.root(), "{n}");
            stored.extend(edge.into_tiles().into_iter().map(|(tile, hashes)| ((tile.level, tile.n), hashes)));
            let of = |tile: Tile| stored.get(&(tile.level, tile.n)).cloned();
            edge = Edge::new(n + 1, of).expect("its tiles");
        }
    }
    let widths = |level: u8| {
        let of_level = stored.iter().filter(|((of, _), _)| *of == level).map(|(_, hashes)| hashes.len());
        let (full, partial): (Vec<usize>, Vec<usize>) = of_level.partition(|width| *width == 256);
        (full.len(), partial)
    };
    // "273 full level 0 tiles, one partial level 0 tile of width 112, one full level 1 tile, one partial level 1 tile of width
    // 17, and one partial level 2 tile of width 1".
    assert_eq!((widths(0), widths(1), widths(2)), ((273, vec![112]), (1, vec![17]), (0, vec![1])));
    assert!(Edge::new(70_000, |tile| (tile.level != 1).then(Vec::new)).is_none(), "a tile is missing");
    assert!(Frontier::new(3, vec![[0; 32]]).is_none() && Frontier::new(MAX_SIZE + 1, vec![[0; 32]; 2]).is_none());
}

#[test]
fn tiles_have_one_address_each() {
    let tile = |level, n, width| Resource::Hashes(Tile { level, n, width });
    let entries = |n, width| Resource::Entries(Tile { level: 0, n, width });
    for (path, resource) in [
        ("0/000", tile(0, 0, 256)),
        ("0/001.p/5", tile(0, 1, 5)),
        ("1/x001/x234/067", tile(1, 1_234_067, 256)),
        ("entries/x001/234.p/255", entries(1234, 255)),
        ("5/x100/000", tile(5, 100_000, 256)),
    ] {
        assert_eq!((Resource::parse(path), resource.to_string().as_str()), (Some(resource), path));
    }
    let wrong = "0 0/ 0/0 0/1 0/0000 0/x000/001 0/001/002 0/x001 0/x1/001 00/001 6/000 64/000 -1/000 +0/000 0/001.p/0 0/001.p/256
        0/001.p/05 0/001.p/+5 0/001.p 0/001.p/ 0/001/ /0/001 0//001 0/x001//001 data/001 entries/1 0/٠٠٠
        0/x999/x999/x999/x999/x999/x999/999";
    for path in wrong.split_whitespace() {
        assert_eq!(Resource::parse(path), None, "{path}");
    }
    assert_eq!(Tile::of_tree(0, 0, 0), None);
    assert_eq!(Tile::of_tree(7, u64::MAX, u64::MAX), None);
    assert_eq!(Tile::of_tree(1, 0, 256), Some(Tile { level: 1, n: 0, width: 1 }));
}

#[test]
fn a_prefix_names_enough_entries_that_nobody_is_singled_out_and_not_too_many() {
    let digits = [0, 1, 255, 256, 4_095, 4_096, 65_535, 65_536, 200_000_000].map(prefix_digits);
    assert_eq!(digits, [1, 1, 1, 1, 1, 2, 2, 3, 5]);
    for size in [256, 4_095, 4_096, 10_000_000, 200_000_000, MAX_SIZE] {
        let expected = size >> (4 * prefix_digits(size));
        assert!((16..256).contains(&expected), "{size}: {expected}");
    }
}

#[test]
fn the_entry_of_a_certificate_is_of_what_was_signed_and_of_nothing_else() {
    // 18([h'A10126', {}, h'CAFE', h'AA']), and the same with another signature, tagging and unprotected header.
    let entry = |hex: &str| entry(&from_hex(hex)).expect("a COSE_Sign1");
    let one = entry("d28443a10126a042cafe41aa");
    assert_eq!(one.to_vec(), sha256(b"\x84\x6aSignature1\x43\xa1\x01\x26\x40\x42\xca\xfe").to_vec());
    assert_eq!(entry("8443a10126a042cafe41ab"), one);
    assert_eq!(entry("d83dd28443a10126a104410142cafe41ab"), one);
    assert_ne!(entry("d28443a10126a042caff41aa"), one);
    assert_ne!(entry("d28443a10127a042cafe41aa"), one);
    assert!(super::entry(b"").is_err() && entry_of_text("hello").is_err());
}
