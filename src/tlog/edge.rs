//! A tree where it grows: what must be known of it to add entries, and to say its root.

use super::merkle::{empty_root, leaf_hash, node_hash, over};
use super::tile::{Tile, WIDTH, leaves};
use super::{Hash, MAX_SIZE};

/// The least that must be known of a tree to go on from it: its complete subtrees, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of a tree of `size` entries; `None` if it cannot have these subtrees.
    pub fn new(size: u64, peaks: Vec<Hash>) -> Option<Frontier> {
        (size <= MAX_SIZE && size.count_ones() as usize == peaks.len()).then_some(Frontier { size, peaks })
    }

    /// How many entries the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its complete subtrees, the largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: &[u8]) {
        let mut hash = leaf_hash(entry);
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("a subtree for each bit of the size");
            hash = node_hash(&left, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root.
    pub fn root(&self) -> Hash {
        let join = |right: Hash, left: &Hash| node_hash(left, &right);
        match self.peaks.split_last() {
            None => empty_root(),
            Some((last, larger)) => larger.iter().rev().fold(*last, join),
        }
    }
}

/// The tiles of a tree that are not full, one a level at most, and those that became full while it grew.
pub struct Edge {
    size: u64,
    /// Of level 0 entries, above it hashes.
    levels: Vec<Vec<Hash>>,
    full: Vec<(Tile, Vec<Hash>)>,
}

impl Edge {
    /// Which tiles, as [`Edge::new`] takes them, a tree of `size` entries grows from.
    pub fn tiles_of(size: u64) -> Vec<Tile> {
        let width = |level: u8| size.checked_shr(8 * u32::from(level)).filter(|hashes| *hashes > 0);
        let tiles = (0..).map_while(|level| Some((level, width(level)?)));
        let partial = tiles.filter(|(_, hashes)| hashes % WIDTH > 0);
        partial.filter_map(|(level, hashes)| Tile::of_tree(level, hashes / WIDTH, size)).collect()
    }

    /// The edge of a tree of `size` entries. `tiles`: those of [`Edge::tiles_of`], each with what it holds, of level 0 entries;
    /// what is in one of them beyond its width is left out. `None` if one is missing or too short.
    pub fn new(size: u64, mut tiles: impl FnMut(Tile) -> Option<Vec<Hash>>) -> Option<Edge> {
        let mut levels: Vec<Vec<Hash>> = Vec::new();
        for tile in Edge::tiles_of(size) {
            let mut hashes = tiles(tile)?;
            hashes.truncate(tile.width.into());
            if hashes.len() != usize::from(tile.width) {
                return None;
            }
            levels.resize(usize::from(tile.level), Vec::new());
            levels.push(hashes);
        }
        Some(Edge { size, levels, full: Vec::new() })
    }

    /// How many entries the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: Hash) {
        self.size += 1;
        let (mut level, mut hash) = (0_u8, entry);
        loop {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(usize::from(level)) else { return };
            hashes.push(hash);
            if hashes.len() < WIDTH as usize {
                return;
            }
            let hashes = std::mem::take(hashes);
            hash = if level == 0 { over(&leaves(&hashes)) } else { over(&hashes) };
            let n = (self.size >> (8 * (u32::from(level) + 1))) - 1;
            self.full.push((Tile { level, n, width: WIDTH as u16 }, hashes));
            level += 1;
        }
    }

    /// The root.
    pub fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for (level, hashes) in self.levels.iter().enumerate() {
            let made;
            let mut rest: &[Hash] = if level == 0 {
                made = leaves(hashes);
                &made
            } else {
                hashes
            };
            // Complete subtrees from the smallest, which is the last, to the largest.
            while !rest.is_empty() {
                let (larger, last) = rest.split_at(rest.len() - (1 << rest.len().trailing_zeros()));
                root = Some(root.map_or_else(|| over(last), |right| node_hash(&over(last), &right)));
                rest = larger;
            }
        }
        root.unwrap_or_else(empty_root)
    }

    /// What is to be stored: the tiles that became full, and those at the edge as they are now; of level 0 entries.
    pub fn into_tiles(self) -> Vec<(Tile, Vec<Hash>)> {
        let Edge { size, levels, mut full } = self;
        let partial = levels.into_iter().zip(0_u8..).filter(|(hashes, _)| !hashes.is_empty());
        full.extend(partial.filter_map(|(hashes, level)| {
            let n = size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
            Some((Tile::of_tree(level, n, size)?, hashes))
        }));
        full
    }
}
