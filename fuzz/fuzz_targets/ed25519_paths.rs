//! Ed25519 by every path, each signature by itself and many in a batch: the verdict is the library's.
//!
//! Noise is refused for its first reason and reaches nothing behind it. So most signatures here are made to be good and then
//! spoilt as the input says, also under keys with torsion and of small order: a trust list refuses those, the equation must not
//! rely on it.

#![no_main]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA512, digest};
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::{EdwardsPoint, Scalar};
use ed25519_dalek::{Signer as _, SigningKey};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use thexanh::ed25519::{Batch, Engine, Key, Path};

/// l, the group's order, little-endian. Source: RFC 8032 §5.1.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, //
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Of so many inputs one has combs made for keys of its own, which takes longer than all else. The first has, so that an input
/// that is run by itself does all that it ever did.
const COMBS_ONE_IN: u32 = 64;

static RUNS: AtomicU32 = AtomicU32::new(0);
static WORLD: LazyLock<World> = LazyLock::new(World::new);

fuzz_target!(
    init: { LazyLock::force(&WORLD); },
    |input: Input| WORLD.check(&input)
);

#[derive(Arbitrary, Debug)]
struct Input {
    /// How many signatures the batch has at least: it goes round those that there are.
    batch_len: u8,
    cases: Vec<Case>,
}

#[derive(Arbitrary, Debug)]
struct Case {
    under: Under,
    signed: Signed,
    message_len: Len,
    message_begins: u8,
    spoilt: [Option<Spoil>; 3],
}

#[derive(Arbitrary, Debug)]
enum Len {
    Any(u16),
    /// About as many bytes as leave just room for the padding in SHA-512's last block, or just none.
    Edge {
        blocks: u8,
        past: u8,
    },
}

/// A key: the one of this number among those of its kind, or any bytes.
#[derive(Arbitrary, Debug)]
enum Under {
    Honest(u8),
    Torsioned(u8),
    Odd(u8),
    Any([u8; 32]),
}

#[derive(Arbitrary, Debug)]
enum Signed {
    /// By the library; keys that it cannot sign with do it by hand.
    Honestly,
    /// With this nonce, and a point of small order added to R: good under a key with torsion if that fits, by the equation alone
    /// good under a key of small order.
    ByHand { nonce: u8, torsion: u8, written: Written },
    /// Noise.
    Not { r: [u8; 32], s: [u8; 32] },
}

/// How R is written before it is hashed: what is done to it later changes h too, and hides whether all of R is compared.
#[derive(Arbitrary, Debug)]
enum Written {
    Canonically,
    Negated,
    BitOff(u8),
    Oddly(u8),
}

/// What is done to a signature once it is made.
#[derive(Arbitrary, Debug)]
enum Spoil {
    Bit(u16),
    /// s becomes s + l, which stands for the same point.
    AddOrder,
    /// s becomes a number where a check or a window ends.
    S(u8),
    /// R becomes the bytes of an odd key.
    OddR(u8),
    /// R becomes the bytes of an honest key.
    PointR(u8),
    /// A point of small order is added to R.
    Torsion(u8),
    /// R becomes that of the signature before.
    FormerR,
    Len(u8),
    Message(u16),
    Key(Under),
}

/// A key, and what is known of its secret.
struct Subject {
    bytes: [u8; 32],
    signing: Option<SigningKey>,
    /// Zero if nothing is known.
    scalar: Scalar,
    /// For each engine its own.
    keys: Vec<Key>,
}

struct World {
    engines: Vec<Arc<Engine>>,
    honest: Vec<Arc<Subject>>,
    torsioned: Vec<Arc<Subject>>,
    /// Points of small order, and all that are not written in the canonical way.
    odd: Vec<Arc<Subject>>,
}

/// A signature as the input wants it.
struct Signature {
    subject: Arc<Subject>,
    bytes: Vec<u8>,
    message: Vec<u8>,
    good: bool,
}

impl World {
    fn new() -> World {
        let engines: Vec<Arc<Engine>> =
            Path::available().iter().map(|&path| Engine::within(path, usize::MAX)).collect();
        let known = |bytes: [u8; 32], signing: Option<SigningKey>, scalar, comb| {
            Subject::new(&engines, bytes, signing, scalar, comb).map(Arc::new)
        };
        // The last two have no comb: in a batch they stand among those that have one.
        let honest = (0..8).filter_map(|seed| {
            let signing = SigningKey::from_bytes(&[seed; 32]);
            let (bytes, scalar) = (signing.verifying_key().to_bytes(), signing.to_scalar());
            known(bytes, Some(signing), scalar, seed < 6)
        });
        let scalar = SigningKey::from_bytes(&[0; 32]).to_scalar();
        let torsioned = EIGHT_TORSION.iter().skip(1).filter_map(|torsion| {
            let point = EdwardsPoint::mul_base(&scalar) + torsion;
            known(point.compress().to_bytes(), None, scalar, true)
        });
        let odd = odd_encodings().into_iter().filter_map(|bytes| known(bytes, None, Scalar::ZERO, true));
        let (honest, torsioned, odd) = (honest.collect(), torsioned.collect(), odd.collect());
        World { engines, honest, torsioned, odd }
    }

    fn subject(&self, under: &Under) -> Option<Arc<Subject>> {
        match under {
            Under::Honest(nth) => Some(Arc::clone(pick(&self.honest, *nth))),
            Under::Torsioned(nth) => Some(Arc::clone(pick(&self.torsioned, *nth))),
            Under::Odd(nth) => Some(Arc::clone(pick(&self.odd, *nth))),
            Under::Any(bytes) => {
                let comb = RUNS.load(Ordering::Relaxed) % COMBS_ONE_IN == 1;
                Subject::new(&self.engines, *bytes, None, Scalar::ZERO, comb).map(Arc::new)
            }
        }
    }

    /// The signature that `case` describes; `None` if its key is no point.
    fn signature(&self, case: &Case, former: Option<&Signature>) -> Option<Signature> {
        let mut subject = self.subject(&case.under)?;
        let len = match case.message_len {
            Len::Any(len) => usize::from(len) % 512,
            Len::Edge { blocks, past } => usize::from(blocks % 4) * 128 + 44 + usize::from(past % 8),
        };
        let mut message: Vec<u8> = (0..len).map(|at| case.message_begins.wrapping_add(at as u8)).collect();
        let mut bytes = match (&case.signed, &subject.signing) {
            (Signed::Honestly, Some(signing)) => signing.sign(&message).to_bytes(),
            (Signed::Honestly, None) => self.sign_by_hand(&subject, 1, 0, &Written::Canonically, &message),
            (Signed::ByHand { nonce, torsion, written }, _) => {
                self.sign_by_hand(&subject, *nonce, *torsion, written, &message)
            }
            (Signed::Not { r, s }, _) => joined(r, s),
        };
        let mut bytes_len = bytes.len();
        for spoil in case.spoilt.iter().flatten() {
            match spoil {
                Spoil::Len(len) => bytes_len = usize::from(*len) % 67,
                Spoil::Message(at) => match message.get_mut(usize::from(*at) % 512) {
                    Some(byte) => *byte ^= 1,
                    None => message.push(0),
                },
                Spoil::Key(under) => subject = self.subject(under)?,
                other => self.spoil(&mut bytes, other, former),
            }
        }
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes_len, 0);
        let good = subject.keys.first()?.verifies_by_library(&bytes, &message);
        let untouched = subject.signing.is_some() && case.spoilt.iter().all(Option::is_none);
        assert!(
            good || !untouched || !matches!(case.signed, Signed::Honestly),
            "the library refuses its own signature"
        );
        Some(Signature { subject, bytes, message, good })
    }

    /// R = r B + T, s = r + h a. Source: RFC 8032 §5.1.6, but for T, how R is written, and a nonce that anybody could guess.
    fn sign_by_hand(&self, by: &Subject, nonce: u8, torsion: u8, written: &Written, message: &[u8]) -> [u8; 64] {
        let nonce = Scalar::from(nonce);
        let mut r = (EdwardsPoint::mul_base(&nonce) + pick(&EIGHT_TORSION, torsion)).compress().to_bytes();
        match written {
            Written::Canonically => {}
            Written::Negated => r[31] ^= 0x80,
            Written::BitOff(at) => r[usize::from(at / 8)] ^= 1 << (at % 8),
            Written::Oddly(nth) => r = pick(&self.odd, *nth).bytes,
        }
        let hash = digest(&SHA512, &[&r[..], &by.bytes, message].concat());
        let h = Scalar::from_bytes_mod_order_wide(hash.as_ref().first_chunk().expect("SHA-512 has 64 bytes"));
        joined(&r, (nonce + h * by.scalar).as_bytes())
    }

    fn spoil(&self, bytes: &mut [u8; 64], spoil: &Spoil, former: Option<&Signature>) {
        let (mut r, mut s) = halves(bytes);
        match spoil {
            Spoil::Bit(at) => {
                let half = if at & 256 == 0 { &mut r } else { &mut s };
                half[usize::from(at % 256 / 8)] ^= 1 << (at % 8);
            }
            Spoil::AddOrder => s = sum(&s, &ORDER),
            Spoil::S(nth) => s = *pick(&edge_scalars(), *nth),
            Spoil::OddR(nth) => r = pick(&self.odd, *nth).bytes,
            Spoil::PointR(nth) => r = pick(&self.honest, *nth).bytes,
            Spoil::Torsion(nth) => {
                if let Some(point) = CompressedEdwardsY(r).decompress() {
                    r = (point + pick(&EIGHT_TORSION, *nth)).compress().to_bytes();
                }
            }
            Spoil::FormerR => {
                if let Some(chunk) = former.and_then(|former| former.bytes.first_chunk()) {
                    r = *chunk;
                }
            }
            Spoil::Len(_) | Spoil::Message(_) | Spoil::Key(_) => {}
        }
        *bytes = joined(&r, &s);
    }

    fn check(&self, input: &Input) {
        RUNS.fetch_add(1, Ordering::Relaxed);
        let mut signatures: Vec<Signature> = Vec::new();
        for case in input.cases.iter().take(Batch::SIZE) {
            signatures.extend(self.signature(case, signatures.last()));
        }
        let len = if signatures.is_empty() { 0 } else { signatures.len().max(usize::from(input.batch_len) % 65) };
        let round: Vec<&Signature> = signatures.iter().cycle().take(len).collect();
        let wanted = round.iter().rev().fold(0, |mask, signature| mask << 1 | u64::from(signature.good));
        for (nth, engine) in self.engines.iter().enumerate() {
            let mut batch = engine.batch();
            for signature in &round {
                batch.push(&signature.subject.keys[nth], &signature.bytes, |tbs| tbs.extend(&signature.message));
            }
            assert_eq!(batch.verify(), wanted, "{engine:?}, {len} together");
            for (at, signature) in signatures.iter().enumerate() {
                let key = &signature.subject.keys[nth];
                let verdict = engine.verifies(key, &signature.bytes, |tbs| tbs.extend(&signature.message));
                assert_eq!(verdict, signature.good, "{engine:?}, {key:?}, number {at}: {:02x?}", signature.bytes);
            }
        }
    }
}

impl Subject {
    /// `None` if the bytes are no point.
    fn new(
        engines: &[Arc<Engine>],
        bytes: [u8; 32],
        signing: Option<SigningKey>,
        scalar: Scalar,
        comb: bool,
    ) -> Option<Subject> {
        let key = |engine: &Arc<Engine>| {
            let mut key = Key::from_bytes(&bytes)?;
            if comb {
                engine.prepare(&mut key);
                engine.warm(&key);
            }
            Some(key)
        };
        let keys = engines.iter().map(key).collect::<Option<_>>()?;
        Some(Subject { bytes, signing, scalar, keys })
    }
}

/// The points of small order as they should be written, and every other writing of a point: y from p on, or x = 0 with a sign.
fn odd_encodings() -> Vec<[u8; 32]> {
    let small = EIGHT_TORSION.map(|point| point.compress().to_bytes());
    let from_p = (0xed..=0xff).map(|low| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (low, 0x7f);
        bytes
    });
    let mut all: Vec<[u8; 32]> = small.into_iter().chain(from_p).collect();
    let signed = all.clone().into_iter().map(|mut bytes| {
        bytes[31] ^= 0x80;
        bytes
    });
    all.extend(signed);
    all.sort_unstable();
    all.dedup();
    all
}

/// 0, 1, what is around l and 2 l, single bits and full ones.
fn edge_scalars() -> [[u8; 32]; 12] {
    let bit = |at: usize| {
        let mut bytes = [0; 32];
        bytes[at / 8] = 1 << (at % 8);
        bytes
    };
    let (zero, one, below) = ([0; 32], bit(0), (-Scalar::ONE).to_bytes());
    let (above, twice) = (sum(&ORDER, &one), sum(&ORDER, &ORDER));
    [zero, one, below, ORDER, above, sum(&ORDER, &below), twice, bit(251), bit(252), bit(253), bit(255), [0xff; 32]]
}

/// a + b mod 2^256, little-endian.
fn sum(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    std::array::from_fn(|at| {
        carry = u16::from(a[at]) + u16::from(b[at]) + (carry >> 8);
        carry as u8
    })
}

fn halves(bytes: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    (std::array::from_fn(|at| bytes[at]), std::array::from_fn(|at| bytes[32 + at]))
}

fn joined(r: &[u8; 32], s: &[u8; 32]) -> [u8; 64] {
    std::array::from_fn(|at| if at < 32 { r[at] } else { s[at - 32] })
}

fn pick<T>(items: &[T], nth: u8) -> &T {
    &items[usize::from(nth) % items.len()]
}
