//! Scalars: numbers modulo the group's order l = 2^252 + 27742317777372353535851937790883648493.

/// l - 2^252.
const C: [u64; 2] = [0x5812_631a_5cf5_d3ed, 0x14de_f9de_a2f7_9cd6];
/// l.
const L: [u64; 4] = [C[0], C[1], 0, 1 << 60];

/// `bytes` as four words, if that is below l. Source: RFC 8032 §5.1.7: only then is a signature's s good.
pub(super) fn canonical(bytes: &[u8; 32]) -> Option<[u64; 4]> {
    let words = super::field::words(bytes);
    words.iter().rev().lt(L.iter().rev()).then_some(words)
}

/// The 512-bit number in `hash`, little-endian, mod l.
pub(super) fn reduced(hash: &[u8; 64]) -> [u64; 4] {
    let mut words = [0; 8];
    words.iter_mut().zip(hash.as_chunks().0).for_each(|(word, chunk)| *word = u64::from_le_bytes(*chunk));
    // 2^252 is -c mod l. What is above it goes down with c: 260 bits become 385, then 133 become 258, then 6 become 131, with
    // the signs in turn.
    let (first, above) = split(words);
    let (second, above) = split(times_c::<5, 8>(above));
    let (third, above) = split(times_c::<3, 8>(above));
    let (fourth, []) = split(times_c::<1, 8>(above));
    let up = plus(plus(first, third), plus(L, L)); // below 4 l, and above what goes down
    let mut rest = minus(minus(up, second), fourth);
    while !rest.iter().rev().lt(L.iter().rev()) {
        rest = minus(rest, L);
    }
    rest
}

/// The low 252 bits, and `N` words of what is above them.
fn split<const N: usize>(words: [u64; 8]) -> ([u64; 4], [u64; N]) {
    let [a, b, c, d, ..] = words;
    let above = std::array::from_fn(|at| {
        let word = |at: usize| words.get(at).copied().unwrap_or(0);
        word(at + 3) >> 60 | word(at + 4) << 4
    });
    ([a, b, c, d & (u64::MAX >> 4)], above)
}

/// `words` times c, which must fit `M` words.
fn times_c<const N: usize, const M: usize>(words: [u64; N]) -> [u64; M] {
    let mut product = [0; M];
    for (shift, factor) in C.into_iter().enumerate() {
        let mut carry = 0;
        let places = product.iter_mut().skip(shift).zip(words.into_iter().chain([0; 2]));
        for (place, word) in places {
            (*place, carry) = word.carrying_mul_add(factor, *place, carry);
        }
    }
    product
}

fn plus(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
    let (mut sum, mut carry) = (a, false);
    for (word, other) in sum.iter_mut().zip(b) {
        (*word, carry) = word.carrying_add(other, carry);
    }
    sum
}

fn minus(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
    let (mut difference, mut borrow) = (a, false);
    for (word, other) in difference.iter_mut().zip(b) {
        (*word, borrow) = word.borrowing_sub(other, borrow);
    }
    difference
}
