//! Tiles: 256 consecutive hashes of every eighth level, which is how the tree is stored and served. Source: C2SP tlog-tiles.

use std::collections::HashMap;
use std::fmt;

use super::Hash;
use super::merkle::{inclusion, leaf_hash, over};

/// How many hashes a full tile has.
pub const WIDTH: u64 = 256;
/// The largest tree that is read, in entries. No file of ours grows so far; a size that somebody else says is held to it.
pub const MAX_SIZE: u64 = 1 << 40;
/// The highest level of tiles that a tree of that size has.
const MAX_LEVEL: u8 = 5;

/// A tile of a tree: `width` hashes, at level 0 of leaves and above it of full tiles of the level below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// Every eighth level of the tree, from 0.
    pub level: u8,
    /// Which of its level, from 0.
    pub n: u64,
    /// How many hashes it has: 1 ..= [`WIDTH`].
    pub width: u16,
}

impl Tile {
    /// The tile (`level`, `n`) as it is in a tree of `size` entries; `None` if it is not in it.
    pub fn of_tree(level: u8, n: u64, size: u64) -> Option<Tile> {
        let hashes = size.checked_shr(8 * u32::from(level))?;
        let width = hashes.checked_sub(n.checked_mul(WIDTH)?)?.min(WIDTH);
        (width > 0).then_some(Tile { level, n, width: width as u16 })
    }

    /// True if it will never change.
    pub fn is_full(self) -> bool {
        u64::from(self.width) == WIDTH
    }
}

/// What is served below `tile/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Hashes of the tree.
    Hashes(Tile),
    /// The entries of a tile of level 0.
    Entries(Tile),
}

impl Resource {
    /// The tile that it is, or whose entries it has.
    pub fn tile(self) -> Tile {
        match self {
            Resource::Hashes(tile) | Resource::Entries(tile) => tile,
        }
    }

    /// Reads a path without its `tile/`, such as `0/x001/x234/067.p/112`; `None` unless it is written as it must be.
    pub fn parse(path: &str) -> Option<Resource> {
        let (level, rest) = path.split_once('/')?;
        let (n, width) = match rest.split_once(".p/") {
            None => (rest, WIDTH as u16),
            Some((n, width)) => (n, width.parse().ok().filter(|width| (1..WIDTH as u16).contains(width))?),
        };
        let digits: Option<Vec<&str>> = n.split('/').map(|part| Some(part.strip_prefix('x').unwrap_or(part))).collect();
        let digits = digits.filter(|digits| digits.len() <= 6)?.concat();
        let n = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()?;
        let resource = match level {
            "entries" => Resource::Entries(Tile { level: 0, n, width }),
            _ => Resource::Hashes(Tile { level: level.parse().ok().filter(|level| *level <= MAX_LEVEL)?, n, width }),
        };
        // One address each: no other way of writing it is one.
        (resource.to_string() == path).then_some(resource)
    }
}

impl fmt::Display for Resource {
    /// The path without its `tile/`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resource::Hashes(tile) => write!(f, "{}", tile.level)?,
            Resource::Entries(_) => f.write_str("entries")?,
        }
        let tile = self.tile();
        let mut parts = vec![format!("/{:03}", tile.n % 1000)];
        let mut rest = tile.n / 1000;
        while rest > 0 {
            parts.push(format!("/x{:03}", rest % 1000));
            rest /= 1000;
        }
        parts.iter().rev().try_for_each(|part| f.write_str(part))?;
        if tile.is_full() { Ok(()) } else { write!(f, ".p/{}", tile.width) }
    }
}

/// Tiles at hand, of a tree of one size or larger ones.
#[derive(Default)]
pub struct Tiles(HashMap<(u8, u64), Vec<Hash>>);

impl Tiles {
    /// Adds a tile's hashes, of level 0 those of leaves.
    pub fn add(&mut self, level: u8, n: u64, hashes: Vec<Hash>) {
        self.0.insert((level, n), hashes);
    }

    /// A node of the tree; `None` if the tile that it is made of is not at hand, or is too short.
    pub fn node(&self, level: u32, n: u64) -> Option<Hash> {
        let (tile_level, height) = (u8::try_from(level / 8).ok()?, level % 8);
        let hashes = self.0.get(&(tile_level, n >> (8 - height)))?;
        let begin = ((n & ((1 << (8 - height)) - 1)) << height) as usize;
        hashes.get(begin..begin + (1 << height)).map(over)
    }

    /// The proof that the leaf `index` is in the tree of `size` leaves; `None` unless [`needed`] is at hand.
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        inclusion(index, size, |level, n| self.node(level, n).ok_or(())).ok()
    }
}

/// The tiles that it takes to prove that the leaf `index`, which is below `size`, is in the tree of `size` leaves: the one with the
/// leaf first.
pub fn needed(index: u64, size: u64) -> Vec<Tile> {
    let mut tiles: Vec<Tile> = Tile::of_tree(0, index / WIDTH, size).into_iter().collect();
    let record = |level: u32, n: u64| {
        let tile = u8::try_from(level / 8).ok().and_then(|of| Tile::of_tree(of, n >> (8 - level % 8), size));
        tiles.extend(tile.filter(|tile| !tiles.contains(tile)));
        Ok::<Hash, std::convert::Infallible>([0; 32])
    };
    let Ok(_) = inclusion(index, size, record);
    tiles
}

/// The hashes of a tile of level 0, made of its entries.
pub fn leaves(entries: &[Hash]) -> Vec<Hash> {
    entries.iter().map(|entry| leaf_hash(entry)).collect()
}
