//! Arithmetic in lanes against the same one at a time, on the values where carries run; hashes against the library's.

use aws_lc_rs::digest::{SHA512, digest};

use super::lanes::{choose, negated_where, times_above};
use super::*;
use crate::ed25519::field::Field;
use crate::ed25519::tests::{Random, edge_values, number};

/// Runs `check` where the processor has the instructions; where it has not, the integration tests say so aloud.
fn in_lanes(check: unsafe fn()) {
    if available() {
        // SAFETY: the processor has the instructions.
        unsafe { check() };
    }
}

/// Eight elements, one in each lane.
#[target_feature(enable = "avx512f")]
fn load_fields(fields: [Field; 8]) -> Lanes {
    Lanes(std::array::from_fn(|limb| from_array(fields.map(|field| field.0[limb]))))
}

#[target_feature(enable = "avx512f")]
fn store_fields(limbs: &[__m512i; 5]) -> [Field; 8] {
    let limbs = limbs.map(|limb| to_array(limb));
    std::array::from_fn(|lane| Field(limbs.map(|limb| limb[lane])))
}

#[test]
fn the_lanes_compute_what_the_field_computes() {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma")]
    fn check() {
        let mut values = edge_values();
        let greatest = (1 << 52) - 1; // as much as a factor's limb may be
        values.extend((0..5).map(|at| Field(std::array::from_fn(|limb| if limb == at { greatest } else { 0 }))));
        values.push(Field([(1 << 51) + (1 << 16) - 1; 5])); // as a carry may leave them
        for (first, a) in values.iter().enumerate() {
            for chunk in values.chunks(8) {
                let b: [Field; 8] = std::array::from_fn(|lane| chunk[lane % chunk.len()]);
                let (in_a, in_b) = (splat(*a), load_fields(b));
                let product = carried(times(&in_a, &in_b));
                let above = times_above(&in_a, &in_b);
                let difference = carried(minus(raised(&in_a), Wide(in_b.0)));
                let sum = carried(plus(Wide(in_a.0), Wide(in_b.0)));
                let turned = store_fields(&negated_where(0b0101_0101, &carried(Wide(in_b.0))).0);
                let chosen = store_fields(&choose(0b0000_1111, &in_a, &in_b).0);
                let (canonical_b, results) = (
                    store_fields(&canonical(&carried(Wide(in_b.0))).0),
                    [
                        store_fields(&product.0),
                        store_fields(&carried(above).0),
                        store_fields(&carried(minus(above, times(&in_a, &in_b))).0),
                        store_fields(&difference.0),
                        store_fields(&sum.0),
                    ],
                );
                for (lane, b) in b.into_iter().enumerate() {
                    let a_times_b = number(*a) * number(b) % number_of_p();
                    let [product, above, nothing, difference, sum] = results.map(|fields| fields[lane]);
                    assert_eq!((number(product), number(above)), (a_times_b.clone(), a_times_b), "{first} {lane}");
                    assert_eq!(number(nothing), number(Field::ZERO));
                    assert_eq!(number(difference), (number(*a) + number_of_p() - number(b)) % number_of_p());
                    assert_eq!(number(sum), (number(*a) + number(b)) % number_of_p());
                    assert!(product.0.iter().all(|limb| *limb < (1 << 51) + (1 << 16)));
                    let opposite = (number_of_p() - number(b)) % number_of_p();
                    assert_eq!(number(turned[lane]), if lane % 2 == 0 { opposite } else { number(b) });
                    assert_eq!(number(chosen[lane]), number(if lane < 4 { *a } else { b }));
                    assert_eq!(canonical_b[lane].0, Field::from_bytes(&b.to_bytes()).0, "{b:?}");
                }
            }
        }
    }
    in_lanes(check);
}

fn number_of_p() -> num_bigint::BigUint {
    (num_bigint::BigUint::from(1_u8) << 255_u32) - 19_u8
}

#[test]
fn eight_hashes_are_those_of_the_library_whatever_their_lengths() {
    if !available() {
        return;
    }
    let mut random = Random(8);
    for round in 0..600 {
        // Every length around the ends of blocks, in lanes of other lengths.
        let messages: [Vec<u8>; 8] = std::array::from_fn(|lane| {
            let len = if lane == 0 { round } else { random.below(700) };
            (0..len).map(|_| random.next() as u8).collect()
        });
        let padded = messages.clone().map(|mut message| {
            let bits = message.len() as u128 * 8;
            message.push(0x80);
            message.resize((message.len() + 16).next_multiple_of(BLOCK_BYTES) - 16, 0);
            message.extend_from_slice(&bits.to_be_bytes());
            message
        });
        let blocks = std::array::from_fn(|lane| padded[lane].as_chunks().0);
        for (message, hash) in messages.iter().zip(digests(&blocks)) {
            assert_eq!(hash, digest(&SHA512, message).as_ref(), "{} bytes", message.len());
        }
    }
}
