//! The arithmetic against other people's on the values where carries run, and every path's verdict against the library's.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::{EdwardsPoint, edwards::CompressedEdwardsY};
use ed25519_dalek::{Signer as _, SigningKey};
use num_bigint::BigUint;

use super::curve::{Niels, Point};
use super::field::{Field, invert_all};
use super::*;

/// xorshift64*: the same numbers every time.
pub(super) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }
}

fn p() -> BigUint {
    (BigUint::from(1_u8) << 255_u32) - 19_u8
}

pub(super) fn number(field: Field) -> BigUint {
    let limbs = field.0.iter().rev().fold(BigUint::ZERO, |sum, limb| (sum << 51_u32) + limb);
    limbs % p()
}

/// 0, 1, p-1, p, p+1, 2^255-1, and carries about to run at every limb: full limbs, limbs just above, one bit at a time; each
/// with limbs that a factor may have, canonical or not.
pub(super) fn edge_values() -> Vec<Field> {
    let full = field::LIMB_MASK;
    let mut values = vec![
        Field::ZERO,
        Field::ONE,
        Field([full - 19, full, full, full, full]), // p - 1
        Field([full - 18, full, full, full, full]), // p
        Field([full - 17, full, full, full, full]), // p + 1
        Field([full; 5]),                           // 2^255 - 1
        Field::D,
        Field::SQRT_M1,
    ];
    for at in 0..5 {
        for limb in [1, 1 << 50, full, full + 1, full + (1 << 13)] {
            let mut limbs = [0; 5];
            limbs[at] = limb;
            values.push(Field(limbs));
            let mut limbs = [full; 5];
            limbs[at] = limb;
            values.push(Field(limbs));
        }
    }
    let mut random = Random(1);
    values.extend((0..20).map(|_| Field::from_bytes(&random.bytes())));
    values
}

#[test]
fn the_field_is_the_integers_mod_p() {
    let values = edge_values();
    for &a in &values {
        assert_eq!(number(a.squared()), number(a).pow(2) % p(), "{a:?}");
        assert_eq!(BigUint::from_bytes_le(&a.to_bytes()), number(a), "{a:?}");
        assert_eq!(number(Field::from_bytes(&a.to_bytes())), number(a));
        assert_eq!(number(a.inverted()), number(a).modpow(&(p() - 2_u8), &p()), "{a:?}");
        for &b in &values {
            assert_eq!(number(a.times(b)), number(a) * number(b) % p(), "{a:?} {b:?}");
            assert_eq!(number(a.plus(b)), (number(a) + number(b)) % p());
            assert_eq!(number(a.minus(b)), (number(a) + p() - number(b)) % p());
            // Sums and differences are factors too.
            assert_eq!(number(a.minus(b).times(b.plus(a))), number(a.minus(b)) * number(b.plus(a)) % p());
        }
    }
    // The greatest limbs that a factor may have.
    let greatest = Field([1 << 54; 5]);
    assert_eq!(number(greatest.times(greatest)), number(greatest).pow(2) % p());
    assert_eq!(number(greatest.squared()), number(greatest).pow(2) % p());
}

#[test]
fn constants_are_what_they_are_called() {
    assert!(Field::D.times(Field([121_666, 0, 0, 0, 0])) == Field::ZERO.minus(Field([121_665, 0, 0, 0, 0])));
    assert!(Field::TWO_D == Field::D.plus(Field::D) && Field::TWO_D.times(Field::TWO_D_INVERTED) == Field::ONE);
    assert!(Field::SQRT_M1.squared() == Field::ZERO.minus(Field::ONE));
}

#[test]
fn many_are_inverted_as_each_by_itself() {
    let values: Vec<Field> = edge_values().into_iter().filter(|&value| value != Field::ZERO).collect();
    let mut inverses = values.clone();
    invert_all(&mut inverses);
    assert!(values.iter().zip(inverses).all(|(value, inverse)| value.times(inverse) == Field::ONE));
}

#[test]
fn inverses_of_many_numbers_are_right() {
    let mut random = Random(2);
    for _ in 0..20_000 {
        let value = Field::from_bytes(&random.bytes());
        assert!(value.times(value.inverted()) == Field::ONE, "{value:?}");
    }
}

/// 0, 1, l-1, l, l+1, 2l, the ends of every word and window, all bits set.
fn edge_hashes() -> Vec<[u8; 64]> {
    let l = BigUint::from_bytes_le((-Scalar::ONE).as_bytes()) + 1_u8;
    let one = BigUint::from(1_u8);
    let mut numbers = vec![BigUint::ZERO, &l - 1_u8, l.clone(), &l + 1_u8, &l * 2_u8, (&one << 512_u32) - 1_u8];
    numbers.push(&l * &l);
    numbers.push(&l * ((&one << 259_u32) - 1_u8));
    for bit in (0..512_u32).step_by(5).chain([63, 64, 251, 252, 253, 511]) {
        numbers.extend([&one << bit, (&one << bit) - 1_u8, (&one << 512_u32) - (&one << bit)]);
    }
    let bytes = numbers.iter().map(|number| {
        let mut bytes = number.to_bytes_le();
        bytes.resize(64, 0);
        bytes.try_into().expect("64 bytes")
    });
    let mut random = Random(3);
    bytes.chain((0..2000).map(|_| random.bytes())).collect()
}

#[test]
fn hashes_are_reduced_as_the_library_does() {
    for hash in edge_hashes() {
        let reduced = Scalar::from_bytes_mod_order_wide(&hash);
        assert_eq!(scalar::reduced(&hash), field::words(reduced.as_bytes()), "{hash:?}");
        let s: [u8; 32] = *hash.first_chunk().expect("64 bytes");
        assert_eq!(scalar::canonical(&s).is_some(), bool::from(Scalar::from_canonical_bytes(s).is_some()), "{s:?}");
    }
}

/// Points where formulas fail that are not complete: nothing, those of small order, and ordinary ones with and without torsion.
fn edge_points() -> Vec<EdwardsPoint> {
    let mut random = Random(4);
    let ordinary = (0..6).map(|_| EdwardsPoint::mul_base(&Scalar::from_bytes_mod_order(random.bytes())));
    let ordinary: Vec<EdwardsPoint> = ordinary.chain([EdwardsPoint::mul_base(&Scalar::ONE)]).collect();
    let mixed = ordinary.iter().zip(EIGHT_TORSION).map(|(point, torsion)| point + torsion);
    EIGHT_TORSION.into_iter().chain(mixed).chain(ordinary.clone()).collect()
}

fn ours(point: &EdwardsPoint) -> Point {
    Point::from_bytes(&point.compress().to_bytes()).expect("a point")
}

fn theirs(point: Point) -> EdwardsPoint {
    CompressedEdwardsY(point.to_bytes(point.z.inverted())).decompress().expect("a point")
}

#[test]
fn points_are_added_as_the_library_does() {
    let points = edge_points();
    for a in &points {
        assert_eq!(theirs(ours(a)), *a);
        assert_eq!(theirs(ours(a).negated()), -a);
        assert_eq!(theirs(ours(a).doubled()), a + a);
        for b in points.iter().chain([&-a]) {
            let term: Vec<Niels> = curve::normalized(&[ours(b)]).collect();
            assert_eq!(theirs(ours(a).plus(&term[0])), a + b);
            assert_eq!(theirs(ours(a).plus(&term[0].negated())), a - b);
        }
    }
}

#[test]
fn what_is_no_point_is_none() {
    let mut random = Random(5);
    for _ in 0..200 {
        let bytes: [u8; 32] = random.bytes();
        assert_eq!(Point::from_bytes(&bytes).is_some(), CompressedEdwardsY(bytes).decompress().is_some());
    }
}

/// Equations under points with and without torsion, with scalars on the edges of their windows.
fn with_equations(check: impl Fn(&[Equation<'_>], &[EdwardsPoint])) {
    let points = edge_points();
    let combs: Vec<(EdwardsPoint, Comb<KEY_W>)> =
        [0, 1, 5, 9, 15].into_iter().map(|at| (points[at], Comb::new(ours(&points[at]).negated()))).collect();
    let hashes = edge_hashes();
    let mut random = Random(6);
    let (mut equations, mut sums) = (Vec::new(), Vec::new());
    for _ in 0..600 {
        let (point, comb) = &combs[random.below(combs.len())];
        let s = Scalar::from_bytes_mod_order_wide(&hashes[random.below(hashes.len())]);
        let hash = &hashes[random.below(hashes.len())];
        let sum = EdwardsPoint::mul_base(&s) - Scalar::from_bytes_mod_order_wide(hash) * point;
        equations.push(Equation {
            comb,
            s: Comb::<BASE_W>::digits(field::words(s.as_bytes())),
            h: Comb::<KEY_W>::digits(scalar::reduced(hash)),
            r: field::words(&sum.compress().to_bytes()),
        });
        sums.push(sum);
    }
    check(&equations, &sums);
}

#[test]
fn the_portable_path_computes_what_the_library_computes() {
    with_equations(|equations, sums| {
        for (equation, sum) in equations.iter().zip(sums) {
            assert_eq!(theirs(portable::sum(equation)), *sum);
        }
        assert!(equations.chunks_exact(64).all(|some| portable::hold(some) == u64::MAX));
    });
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_vector_path_computes_what_the_library_computes() {
    if !vector::available() {
        return; // the integration tests say so aloud
    }
    with_equations(|equations, sums| {
        for (equation, sum) in equations.iter().zip(sums) {
            assert_eq!(theirs(vector::sum(equation)), *sum);
        }
        for len in (0..=64).rev() {
            let all = if len == 64 { u64::MAX } else { (1 << len) - 1 };
            assert_eq!(vector::hold(&equations[..len]) & all, all, "{len}");
        }
    });
}

/// A signature, how it was spoilt, and what the library says.
struct Case {
    key: usize,
    signature: [u8; 64],
    message: Vec<u8>,
    good: bool,
}

/// Signatures by honest keys, most of them spoilt: a bit, a byte, an s above the order, an R of small order, another's half.
fn cases(count: usize, random: &mut Random, keys: &[SigningKey], library: &[Key]) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::with_capacity(count);
    let small: Vec<[u8; 32]> = EIGHT_TORSION.iter().map(|point| point.compress().to_bytes()).collect();
    for _ in 0..count {
        let key = random.below(keys.len());
        let mut message = vec![0; random.below(300)];
        message.iter_mut().for_each(|byte| *byte = random.next() as u8);
        let mut signature = keys[key].sign(&message).to_bytes();
        match random.below(12) {
            0..4 => {}
            4 => signature[random.below(64)] ^= 1 << random.below(8),
            5 => signature[random.below(64)] = random.next() as u8,
            6 => {
                let l = BigUint::from_bytes_le((-Scalar::ONE).as_bytes()) + 1_u8;
                let s = BigUint::from_bytes_le(&signature[32..]) + l;
                signature[32..].copy_from_slice(&s.to_bytes_le()); // below 2^256: the same point
            }
            7 => signature[..32].copy_from_slice(&small[random.below(8)]),
            8 => signature[32..].fill(0),
            9 => signature = random.bytes(),
            10 if !message.is_empty() => {
                let at = random.below(message.len());
                message[at] ^= 1;
            }
            _ => {
                if let Some(other) = cases.last() {
                    signature[..32].copy_from_slice(&other.signature[..32]);
                }
            }
        }
        let good = library[key].verifies_by_library(&signature, &message);
        cases.push(Case { key, signature, message, good });
    }
    cases
}

fn prepared(engine: &std::sync::Arc<Engine>, bytes: &[u8; 32]) -> Key {
    let mut key = Key::from_bytes(bytes).expect("a point");
    engine.prepare(&mut key);
    engine.warm(&key);
    key
}

/// How many signatures the paths are asked about: a million, or as many as `ED25519_CASES` said when this was compiled.
fn how_many() -> usize {
    option_env!("ED25519_CASES").map_or(1_000_000, |text| text.parse().expect("ED25519_CASES is a number"))
}

#[test]
fn every_path_has_the_library_s_verdict_on_signatures_spoilt_in_many_ways() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || agree_with_the_library(how_many() / threads, &mut Random(0xED25519 + thread as u64)));
        }
    });
}

fn agree_with_the_library(count: usize, random: &mut Random) {
    let keys: Vec<SigningKey> = (0..6).map(|_| SigningKey::from_bytes(&random.bytes())).collect();
    let public: Vec<[u8; 32]> = keys.iter().map(|key| key.verifying_key().to_bytes()).collect();
    let library: Vec<Key> = public.iter().map(|bytes| Key::from_bytes(bytes).expect("a point")).collect();
    let combed = Path::available().iter().filter(|path| **path != Path::Library);
    let engines: Vec<_> = combed.map(|&path| Engine::new(path)).collect();
    let prepared: Vec<Vec<Key>> =
        engines.iter().map(|engine| public.iter().map(|bytes| prepared(engine, bytes)).collect()).collect();
    let (mut asked, mut good) = (0, 0);
    while asked < count {
        let len = random.below(Batch::SIZE) + 1;
        let cases = cases(len, random, &keys, &library);
        let wanted = cases.iter().rev().fold(0, |mask, case| mask << 1 | u64::from(case.good));
        for (engine, prepared) in engines.iter().zip(&prepared) {
            let mut batch = engine.batch();
            for case in &cases {
                batch.push(&prepared[case.key], &case.signature, |tbs| tbs.extend_from_slice(&case.message));
            }
            assert_eq!(batch.verify(), wanted, "{engine:?} after {asked}");
            let case = &cases[0];
            let write = |tbs: &mut Vec<u8>| tbs.extend_from_slice(&case.message);
            assert_eq!(engine.verifies(&prepared[case.key], &case.signature, write), case.good, "{engine:?}, {asked}");
        }
        asked += len;
        good += wanted.count_ones();
    }
    assert!(asked / 4 < good as usize && (good as usize) < asked / 2, "{good} of {asked} are good");
}

#[test]
fn signatures_of_another_length_are_bad_wherever_they_stand() {
    for &path in Path::available() {
        let engine = Engine::new(path);
        let signing = SigningKey::from_bytes(&[7; 32]);
        let key = prepared(&engine, &signing.verifying_key().to_bytes());
        let signature = signing.sign(b"message").to_bytes();
        let long = [&signature[..], &[0]].concat();
        let mut batch = engine.batch();
        for signature in [&signature[..], &signature[..63], &[], &long, &signature] {
            batch.push(&key, signature, |tbs| tbs.extend_from_slice(b"message"));
            let verdict = engine.verifies(&key, signature, |tbs| tbs.extend_from_slice(b"message"));
            assert_eq!(verdict, signature.len() == 64);
        }
        assert_eq!(batch.verify(), 0b10001, "{path:?}");
        assert!(engine.batch().is_empty() && engine.batch().verify() == 0);
    }
}

#[test]
fn a_key_in_use_gets_a_comb_and_the_least_used_loses_its_own() {
    let engine = Engine::within(Path::Portable, 2 * Comb::<KEY_W>::BYTES);
    let signing: Vec<SigningKey> = (0..3).map(|n| SigningKey::from_bytes(&[n; 32])).collect();
    let mut keys: Vec<Key> =
        signing.iter().map(|key| Key::from_bytes(&key.verifying_key().to_bytes()).expect("a point")).collect();
    keys.iter_mut().for_each(|key| engine.prepare(key));
    let verify = |n: usize, times: usize| {
        let signature = signing[n].sign(b"x").to_bytes();
        (0..times).for_each(|_| assert!(engine.verifies(&keys[n], &signature, |tbs| tbs.push(b'x'))));
    };
    let has_comb = |n: usize| {
        // Combs are made by a thread of their own.
        (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            engine.comb(&keys[n]).is_some()
        })
    };
    (0..1000).for_each(|_| assert!(!engine.verifies(&keys[0], &[1; 64], |tbs| tbs.push(b'x'))));
    assert_eq!(engine.comb_bytes(), 0, "bad signatures make no comb");
    verify(0, 200);
    assert!(has_comb(0));
    verify(1, 64);
    assert!(has_comb(1));
    verify(2, 128);
    assert!(engine.comb(&keys[2]).is_none(), "not used enough to push out another");
    verify(2, 64);
    assert!(has_comb(2), "used thrice as often as the second, which had to go");
    assert!(engine.comb(&keys[1]).is_none() && engine.comb(&keys[0]).is_some());
    assert_eq!(engine.comb_bytes(), 2 * Comb::<KEY_W>::BYTES);
    verify(1, 1);
    drop(keys);
    assert_eq!(engine.comb_bytes(), 0, "combs go with their keys");
}

#[test]
#[should_panic(expected = "a batch holds 64 signatures")]
fn a_batch_takes_no_more_than_it_has_verdicts_for() {
    let engine = Engine::new(Path::Library);
    let key = Key::from_bytes(&SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes()).expect("a point");
    let mut batch = engine.batch();
    (0..=Batch::SIZE).for_each(|_| batch.push(&key, &[0; 64], |_| {}));
}

#[test]
fn a_path_that_the_processor_lacks_is_not_gone() {
    let engine = Engine::new(Path::Vector);
    assert!(Path::available().contains(&engine.path()));
}

#[test]
fn memory_for_no_comb_leaves_keys_to_the_library() {
    let engine = Engine::within(Path::Portable, Comb::<KEY_W>::BYTES - 1);
    let signing = SigningKey::from_bytes(&[7; 32]);
    let key = prepared(&engine, &signing.verifying_key().to_bytes());
    let signature = signing.sign(b"x").to_bytes();
    (0..200).for_each(|_| assert!(engine.verifies(&key, &signature, |tbs| tbs.push(b'x'))));
    assert_eq!(engine.comb_bytes(), 0);
}

/// A = a B + T and R = r B + U for all pairs of torsion points T and U: whether s B - h A = R depends on h mod 8.
#[test]
fn every_path_has_the_library_s_verdict_under_keys_with_torsion() {
    let mut random = Random(9);
    let engines: Vec<_> = Path::available().iter().map(|&path| Engine::new(path)).collect();
    let mut good = 0;
    for torsion in EIGHT_TORSION {
        let a = Scalar::from_bytes_mod_order(random.bytes());
        let bytes = (EdwardsPoint::mul_base(&a) + torsion).compress().to_bytes();
        let keys: Vec<Key> = engines.iter().map(|engine| prepared(engine, &bytes)).collect();
        for other in EIGHT_TORSION {
            for _ in 0..24 {
                let message: [u8; 20] = random.bytes();
                let r = Scalar::from_bytes_mod_order(random.bytes());
                let big_r = (EdwardsPoint::mul_base(&r) + other).compress().to_bytes();
                let hash = aws_lc_rs::digest::digest(
                    &aws_lc_rs::digest::SHA512,
                    &[&big_r[..], &bytes[..], &message[..]].concat(),
                );
                let h = Scalar::from_bytes_mod_order_wide(hash.as_ref().try_into().expect("64 bytes"));
                let signature: [u8; 64] = [big_r, (r + h * a).to_bytes()].concat().try_into().expect("two halves");
                let wanted = keys[0].verifies_by_library(&signature, &message);
                for (engine, key) in engines.iter().zip(&keys) {
                    let mut batch = engine.batch();
                    (0..3).for_each(|_| batch.push(key, &signature, |tbs| tbs.extend_from_slice(&message)));
                    assert_eq!(batch.verify(), if wanted { 0b111 } else { 0 }, "{engine:?}");
                    assert_eq!(engine.verifies(key, &signature, |tbs| tbs.extend_from_slice(&message)), wanted);
                }
                good += usize::from(wanted);
            }
        }
    }
    assert!(good > 100, "{good} are good");
}

#[test]
fn combs_are_as_large_as_they_say() {
    let comb = Comb::<KEY_W>::new(ours(&edge_points()[15]));
    assert_eq!(size_of_val(comb.entries()), Comb::<KEY_W>::BYTES);
    const { assert!(Comb::<KEY_W>::BYTES <= 2 << 20) };
}
