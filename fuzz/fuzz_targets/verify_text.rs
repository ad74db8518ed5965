//! Texts of every kind through a verifier: nothing panics, and the answer is the same by every path of Ed25519, alone and among
//! others.
//!
//! Five codings and a signature lie between noise and the claims. So an input may also begin behind any of them: as bytes to be
//! coded, as claims to be signed, or as one of the vectors with an edit here and there.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use p256::ecdsa::signature::Signer as _;
use thexanh::certificate::{Profile, UnixSeconds};
use thexanh::codec::{self, CodecError, cose};
use thexanh::ed25519::{Batch, Engine, Path};
use thexanh::keys::{Algorithm, IssuerKey, Kid, PublicKey, alg};
use thexanh::policy::Rules;
use thexanh::revocation::RevocationSet;
use thexanh::trust::{TrustList, TrustedKey, Usages};
use thexanh::verify::{Rejection, Signed, check_signature, check_signatures};

/// What a header may call an algorithm here; others come about by edits.
const ALGORITHMS: [i64; 5] = [alg::EDDSA, alg::ED25519, alg::ES256, alg::ESP256, alg::PS256];

static WORLD: LazyLock<World> = LazyLock::new(World::new);

fuzz_target!(
    init: { LazyLock::force(&WORLD); },
    |input: Input| WORLD.check(&input)
);

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// How often a batch holds the text.
    times: u8,
    now: u32,
    text: Text<'a>,
}

#[derive(Arbitrary, Debug)]
enum Text<'a> {
    Itself(&'a str),
    /// Base45 of these bytes, which an HC1 text would have deflated.
    Coded {
        hc1: bool,
        bytes: &'a [u8],
    },
    /// Whatever these bytes are, coded as a COSE_Sign1 would be.
    Cose {
        hc1: bool,
        bytes: &'a [u8],
    },
    /// Whatever these bytes are, signed as claims.
    Claims {
        hc1: bool,
        signer: u8,
        alg: Option<u8>,
        bytes: &'a [u8],
    },
    /// A vector's claims, signed and coded; with edits before each of these, and after.
    Edited {
        vector: u8,
        signer: u8,
        alg: Option<u8>,
        claims: Vec<Edit>,
        cose: Vec<Edit>,
        text: Vec<Edit>,
    },
}

#[derive(Arbitrary, Debug)]
struct Edit {
    at: u16,
    how: How,
}

#[derive(Arbitrary, Debug)]
enum How {
    Replace(u8),
    Flip(u8),
    Insert(u8),
    Remove(u8),
    Repeat(u8),
}

/// A key whose signatures are the same every time.
struct Signer {
    issuer: IssuerKey,
    p256: Option<p256::ecdsa::SigningKey>,
    /// The kid that it is listed under.
    kid: Kid,
}

struct World {
    signers: Vec<Signer>,
    /// A list of them all for each path of Ed25519.
    lists: Vec<TrustList>,
    /// The claims in the texts of `tests/vectors` that can be decoded.
    claims: Vec<(Profile, Vec<u8>)>,
    /// A good text, and what is answered to it.
    good: (String, String),
}

impl World {
    fn new() -> World {
        let mut signers = vec![Signer::ed25519(1), Signer::ed25519(2), Signer::ed25519(3), Signer::p256()];
        // Two share a kid: their signatures are not verified together with others.
        signers[2].kid = signers[1].kid;
        let lists = Path::available().iter().map(|&path| {
            let list = TrustList::new(1, signers.iter().map(Signer::trusted), &Engine::new(path));
            let list = list.expect("own keys have prime order");
            list.warm();
            list
        });
        let lists: Vec<TrustList> = lists.collect();
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/verify.json")).expect("the vectors are JSON");
        let texts = file["vectors"].as_array().into_iter().flatten().filter_map(|vector| vector["text"].as_str());
        let claims = |text| {
            codec::with_cose(text, |profile, bytes| {
                Ok::<_, CodecError>((profile, cose::parse(bytes)?.payload.to_vec()))
            })
        };
        let claims: Vec<_> = texts.filter_map(|text| claims(text).ok()).collect();
        let (profile, payload) = claims.first().expect("some vectors are good");
        let text = codec::encode_text(*profile, &signers[0].cose(None, payload)).expect("short enough");
        let answer = answer(&check_signature(&text, &lists[0])).expect("signed by a trusted key");
        World { signers, lists, claims, good: (text, answer) }
    }

    /// `None` if no text is long enough for it.
    fn text(&self, text: &Text<'_>) -> Option<String> {
        let profile = |hc1: &bool| if *hc1 { Profile::Hc1 } else { Profile::Compact };
        match text {
            Text::Itself(text) => Some((*text).to_owned()),
            Text::Coded { hc1, bytes } => {
                let mut text = profile(hc1).context_identifier().to_owned();
                codec::base45::encode_onto(&mut text, bytes);
                Some(text)
            }
            Text::Cose { hc1, bytes } => codec::encode_text(profile(hc1), bytes).ok(),
            Text::Claims { hc1, signer, alg, bytes } => {
                codec::encode_text(profile(hc1), &pick(&self.signers, *signer).cose(*alg, bytes)).ok()
            }
            Text::Edited { vector, signer, alg, claims, cose, text } => {
                let (profile, payload) = pick(&self.claims, *vector);
                let signed = pick(&self.signers, *signer).cose(*alg, &edited(payload, claims));
                let coded = codec::encode_text(*profile, &edited(&signed, cose)).ok()?;
                Some(String::from_utf8_lossy(&edited(coded.as_bytes(), text)).into_owned())
            }
        }
    }

    fn check(&self, input: &Input<'_>) {
        let Some(text) = self.text(&input.text) else { return };
        let wanted = self.lists.first().map(|list| check_signature(&text, list)).expect("the library is always there");
        if let Ok(signed) = &wanted {
            let now = UnixSeconds(input.now.into());
            // Nothing to compare it with, but nothing may panic.
            let _ = signed.accept(&RevocationSet::default(), &Rules::default(), now);
        }
        let wanted = answer(&wanted);
        // More than a batch holds is seldom worth its time.
        let times = if input.times == u8::MAX { Batch::SIZE + 1 } else { usize::from(input.times % 10) };
        let texts: Vec<&str> = (0..times).flat_map(|_| [self.good.0.as_str(), &text]).take(2 * times).collect();
        for list in &self.lists {
            assert_eq!(answer(&check_signature(&text, list)), wanted, "{list:?}");
            let mut answered = 0;
            check_signatures(&texts, list, |signed| {
                let answer = answer(&signed);
                match answered % 2 {
                    0 => assert_eq!(answer.as_ref(), Ok(&self.good.1), "{list:?}"),
                    _ => assert_eq!(answer, wanted, "{list:?}"),
                }
                answered += 1;
            });
            assert_eq!(answered, texts.len());
        }
    }
}

impl Signer {
    /// PKCS#8 of RFC 8410 §7: version 0, the OID of Ed25519, the seed.
    fn ed25519(seed: u8) -> Signer {
        Signer::new("302e020100300506032b657004220420", &[seed; 32], None)
    }

    /// PKCS#8 of RFC 5915: version 0, the OIDs of elliptic curves and P-256, an ECPrivateKey of version 1 with the scalar.
    fn p256() -> Signer {
        let head = "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420";
        Signer::new(head, &[4; 32], p256::ecdsa::SigningKey::from_slice(&[4; 32]).ok())
    }

    fn new(head: &str, secret: &[u8; 32], p256: Option<p256::ecdsa::SigningKey>) -> Signer {
        let der = [&hex::decode(head).expect("hexadecimal")[..], secret].concat();
        let issuer = IssuerKey::from_pkcs8(&der).expect("a key");
        Signer { kid: issuer.kid(), issuer, p256 }
    }

    fn trusted(&self) -> TrustedKey {
        TrustedKey {
            key: PublicKey::from_spki_der(self.issuer.spki_der()).expect("own keys are readable"),
            kid: self.kid,
            country: "VN".to_owned(),
            national: true,
            usages: Usages::ALL,
            own: true,
            signs_from: None,
            signs_until: None,
            trusted_from: None,
            trusted_until: None,
            withdrawn_at: None,
            certificate: None,
        }
    }

    fn cose(&self, alg: Option<u8>, payload: &[u8]) -> Vec<u8> {
        let own = if self.issuer.algorithm() == Algorithm::EdDsa { alg::EDDSA } else { alg::ES256 };
        let alg = alg.map_or(own, |nth| *pick(&ALGORITHMS, nth));
        let signed = cose::build(alg, self.kid.0, payload, |tbs| match &self.p256 {
            None => self.issuer.sign(tbs),
            Some(secret) => {
                let signature: p256::ecdsa::Signature = secret.sign(tbs); // RFC 6979: no randomness
                Ok(signature.to_bytes().to_vec())
            }
        });
        signed.expect("a key in memory signs")
    }
}

/// What there is to compare: a proof shows all that it holds only so.
fn answer(signed: &Result<Signed, Rejection>) -> Result<String, Rejection> {
    signed.as_ref().map(|signed| format!("{signed:?}")).map_err(|rejection| *rejection)
}

fn edited(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for edit in edits {
        let at = usize::from(edit.at) % (bytes.len() + 1);
        let until = |count: u8| bytes.len().min(at + usize::from(count));
        match edit.how {
            How::Replace(byte) => bytes.iter_mut().skip(at).take(1).for_each(|old| *old = byte),
            How::Flip(bits) => bytes.iter_mut().skip(at).take(1).for_each(|old| *old ^= bits),
            How::Insert(byte) => bytes.insert(at, byte),
            How::Remove(count) => drop(bytes.drain(at..until(count))),
            How::Repeat(count) => bytes.extend_from_within(at..until(count)),
        }
    }
    bytes
}

fn pick<T>(items: &[T], nth: u8) -> &T {
    &items[usize::from(nth) % items.len()]
}
