//! Hashes and proofs of a Merkle tree. Source: RFC 6962 §2.1.
//!
//! A node is named by (level, n): the hash over the leaves n·2^level .. (n+1)·2^level. All other hashes are made of such nodes.

use aws_lc_rs::digest::{Context, SHA256};

use super::Hash;

/// The hash of a leaf. `entry`: what stands in the log.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    hash(0, &[entry])
}

/// The hash of a node over two others.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    hash(1, &[left, right])
}

/// The root of a tree without leaves.
pub fn empty_root() -> Hash {
    super::sha256(b"")
}

fn hash(prefix: u8, parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[prefix]);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// The hash over `hashes`, leaves or nodes of one level that begin a tree; the empty tree's of none.
pub fn over(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(split(hashes.len() as u64) as usize);
            node_hash(&over(left), &over(right))
        }
    }
}

/// The largest power of two below `size`, which is 2 at least.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The hash over the leaves `first .. first + size`, which is where a node or the end of the tree is.
fn range<E>(first: u64, size: u64, node: &mut impl FnMut(u32, u64) -> Result<Hash, E>) -> Result<Hash, E> {
    if size.is_power_of_two() {
        let level = size.ilog2();
        return node(level, first >> level);
    }
    let left = split(size);
    Ok(node_hash(&range(first, left, node)?, &range(first + left, size - left, node)?))
}

/// The hashes that prove that the leaf `index` is in the tree of `size` leaves, from the leaf's neighbour to the root's child.
///
/// `node`: gives nodes. `index` must be below `size`. Errors: those of `node`. Source: RFC 6962 §2.1.1.
pub fn inclusion<E>(index: u64, size: u64, mut node: impl FnMut(u32, u64) -> Result<Hash, E>) -> Result<Vec<Hash>, E> {
    let (mut first, mut size, mut proof) = (0, size, Vec::new());
    while size > 1 {
        let left = split(size);
        if index < first + left {
            proof.push(range(first + left, size - left, &mut node)?);
            size = left;
        } else {
            proof.push(range(first, left, &mut node)?);
            (first, size) = (first + left, size - left);
        }
    }
    proof.reverse();
    Ok(proof)
}

/// True if `proof` proves that `leaf` is the leaf `index` of the tree of `size` leaves with this root. Source: RFC 9162 §2.1.3.2.
pub fn proves(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == *root
}
