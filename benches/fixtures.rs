//! What the benches share: a key for each profile, those who trust them, and some hundred ordinary two-dose certificates.
//!
//! Seed and clock are fixed; only the ES256 signatures differ from run to run, for the library signs with randomness. Benches
//! go round all certificates, so that neither a cache nor the branch predictor knows the next one by heart.

use std::hint::black_box;
use std::io::Cursor;
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use image::{ImageFormat, Luma};
use qrcode::render::svg::Color;
use qrcode::{EcLevel, QrCode};
use thexanh::app::engine::Engine;
use thexanh::certificate::{BirthDate, Dose, Product, Profile, UnixSeconds, Uvci};
use thexanh::clock::Clock;
use thexanh::codec::qr::{Level, Symbol};
use thexanh::codec::{self, CodecError, cose};
use thexanh::ed25519::{self, Batch, Path};
use thexanh::issue::{Subject, issue};
use thexanh::keys::{IssuerKey, Kid, PublicKey};
use thexanh::name::PersonName;
use thexanh::policy::{self, Rules};
use thexanh::render::png::{SCALE, png};
use thexanh::render::svg::svg;
use thexanh::revocation::{self, RevocationSet};
use thexanh::trust::{TrustList, TrustedKey, Usages};
use thexanh::verify::{Rejection, Signed, check_signature, check_signatures, with_signature};

/// When the benches take place: 2021-12-20T11:33:20Z.
pub const NOW: UnixSeconds = UnixSeconds(1_640_000_000);

/// How many certificates there are of each profile: their texts and proofs fit a core's own cache, as a scanner's queue does.
const CERTIFICATES: usize = 512;

/// How many others are revoked: more than a core's cache holds, so that the look-up is paid for.
const REVOKED: u64 = 100_000;

const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// Measures one whole path: each variant is asked for the verdict on certificate 0, 1, 2 and so on.
pub fn chain(criterion: &mut Criterion, variants: &[(&str, &dyn Fn(usize) -> bool)]) {
    let mut group = criterion.benchmark_group("chain");
    group.throughput(Throughput::Elements(1));
    for (variant, accepts) in variants {
        group.bench_function(*variant, |bencher| {
            let mut serials = 0..;
            bencher.iter(|| serials.next().map(accepts));
        });
    }
    group.finish();
}

/// Goes round `items` for ever, one a call.
pub fn round<'a, T>(items: &'a [T]) -> impl FnMut() -> &'a T {
    let mut items = items.iter().cycle();
    move || items.next().expect("fixtures are not empty")
}

/// The mean length of `items` in bytes, for a throughput.
pub fn mean_len<T: AsRef<[u8]>>(items: &[T]) -> u64 {
    (items.iter().map(|item| item.as_ref().len()).sum::<usize>() / items.len()) as u64
}

/// One person with a course of two.
pub struct Holder {
    pub uvci: Uvci,
    pub name: PersonName,
    pub birth: BirthDate,
    pub dose: Dose,
}

impl Holder {
    pub fn subject(&self) -> Subject<'_> {
        Subject { uvci: self.uvci, name: &self.name, birth: self.birth, dose: &self.dose }
    }
}

/// Holders, their certificates in both profiles, and what is needed to verify them, ours and the peer's.
pub struct Fixtures {
    /// The keys that the compact texts are signed with, in turn.
    pub ed25519: [IssuerKey; 4],
    pub p256: IssuerKey,
    pub holders: Vec<Holder>,
    /// `VN1:` texts, one a holder.
    pub compact: Vec<String>,
    /// `HC1:` texts, one a holder.
    pub hc1: Vec<String>,
    /// The proofs of `compact`.
    pub signed: Vec<Signed<'static>>,
    /// The list that trusts all keys, for each path of Ed25519 that this processor has, ready; the fastest first.
    pub lists: Vec<(Arc<ed25519::Engine>, TrustList)>,
    pub revoked: RevocationSet,
    pub rules: Rules,
    /// The ES256 key in the list of the `dgc` crate.
    pub dgc_trust: dgc::TrustList,
}

impl Fixtures {
    /// Makes everything, and makes sure that we accept each text and that the peer accepts the ones it can read.
    pub fn new() -> Fixtures {
        let mut random = Random(SEED);
        let (ed25519, p256) = ([1, 2, 3, 4].map(ed25519_key), p256_key());
        let holders: Vec<Holder> = (0..CERTIFICATES).map(|_| random.holder()).collect();
        let in_turn = holders.iter().zip(ed25519.iter().cycle());
        let compact: Vec<String> = in_turn.map(|(holder, key)| text(holder, Profile::Compact, key)).collect();
        let hc1 = holders.iter().map(|holder| text(holder, Profile::Hc1, &p256)).collect();
        let ready = |&path: &Path| {
            let engine = ed25519::Engine::new(path);
            let list = trust_list(ed25519.iter().chain([&p256]), &engine);
            list.warm();
            (engine, list)
        };
        let lists: Vec<_> = Path::available().iter().map(ready).collect();
        let (_, trust) = lists.first().expect("the library is always there");
        let proof = |text: &String| check_signature(text, trust).expect("signed by a trusted key");
        let signed = compact.iter().map(proof).collect();
        let revoked: RevocationSet = (0..REVOKED).map(|i| revocation::entry(&random.uvci(i).to_string())).collect();
        let mut dgc_trust = dgc::TrustList::new();
        let point = p256.spki_der().last_chunk::<65>().expect("the point ends the SubjectPublicKeyInfo");
        dgc_trust.add(&p256.kid().0, point.to_vec());
        let rules = Rules::default();
        let all = Fixtures { ed25519, p256, holders, compact, hc1, signed, lists, revoked, rules, dgc_trust };
        for at in 0..CERTIFICATES {
            assert!(all.es256(at) && all.dgc(at) && all.all_but_signature(at) && all.dgc_decode(at));
            assert!(all.lists.iter().all(|(_, trust)| all.one(trust, at)));
        }
        all
    }

    fn is_accepted(&self, signed: Result<Signed<'_>, Rejection>) -> bool {
        signed.is_ok_and(|signed| signed.accept(&self.revoked, &self.rules, NOW).is_ok())
    }

    /// The list for the fastest path.
    pub fn trust(&self) -> &TrustList {
        self.lists.first().map(|(_, trust)| trust).expect("the library is always there")
    }

    /// The list for this path, if the processor has it.
    pub fn trust_by(&self, path: Path) -> Option<&TrustList> {
        self.lists.iter().find(|(engine, _)| engine.path() == path).map(|(_, trust)| trust)
    }

    /// From a compact text to a `Verified`. The core keeps nothing, so each text is as one never seen before.
    pub fn one(&self, trust: &TrustList, at: usize) -> bool {
        with_signature(pick(&self.compact, at).as_str(), trust, |signed| self.is_accepted(signed))
    }

    /// The same for the texts from `first` on, as many as a batch holds. Returns how many are accepted.
    pub fn batch(&self, trust: &TrustList, first: usize) -> usize {
        let texts: Vec<&str> = (first..first + Batch::SIZE).map(|at| pick(&self.compact, at).as_str()).collect();
        let mut accepted = 0;
        check_signatures(&texts, trust, |signed| accepted += usize::from(self.is_accepted(signed)));
        accepted
    }

    /// From an HC1 text to a `Verified`.
    pub fn es256(&self, at: usize) -> bool {
        with_signature(pick(&self.hc1, at).as_str(), self.trust(), |signed| self.is_accepted(signed))
    }

    /// The peer's whole chain on an HC1 text: decoded and its signature checked, with no period, revocation or rule asked for.
    pub fn dgc(&self, at: usize) -> bool {
        dgc::validate(pick(&self.hc1, at).as_str(), &self.dgc_trust).is_ok_and(|(_, signature)| signature.is_valid())
    }

    /// The peer's chain without the signature.
    pub fn dgc_decode(&self, at: usize) -> bool {
        dgc::decode(pick(&self.hc1, at).as_str()).is_ok()
    }

    /// What `check_signature` and `accept` do on a compact text except [`PublicKey::verifies`], by the same functions.
    ///
    /// Nothing but a checked signature makes a `Signed`, and no switch turns the check off for a bench; so what stands around
    /// the check in `verify.rs` is called here in its order, and `accept` is asked of a proof made before.
    pub fn all_but_signature(&self, at: usize) -> bool {
        let decoded = codec::with_cose(pick(&self.compact, at).as_str(), |profile, bytes| {
            let sign1 = cose::parse(bytes)?;
            let certificate = codec::decode_claims(profile, sign1.payload)?;
            let kid = sign1.kid.and_then(|kid| kid.try_into().ok()).map(Kid).ok_or(CodecError::Cose)?;
            let called_so = |key: &&Arc<TrustedKey>| sign1.alg.is_some_and(|alg| key.key.algorithm().is_called(alg));
            let key = self.trust().keys(&kid).iter().find(called_so).ok_or(CodecError::Cose)?;
            let mut tbs = Vec::with_capacity(sign1.protected.len() + sign1.payload.len() + 32);
            sign1.write_tbs(&mut tbs);
            black_box(&tbs);
            let entry = revocation::entry(&certificate.uvci);
            Ok::<_, CodecError>((black_box(&certificate).birth, Arc::clone(key), entry))
        });
        let accepted = pick(&self.signed, at).accept(&self.revoked, &self.rules, NOW).is_ok();
        black_box(decoded).is_ok() && accepted
    }

    /// An engine that has seen each compact text twice, and so keeps its proof.
    pub fn warm_engine(&self) -> Engine {
        let engine = Engine::new(Clock::fixed(NOW), 64, ed25519::Engine::new(Path::Library));
        engine.set_trust(trust_list(&self.ed25519, engine.ed25519()));
        for text in self.compact.iter().chain(&self.compact) {
            engine.answer(text, &mut Vec::new());
        }
        let kept = self.compact.iter().filter(|text| engine.answer_known(text, &mut Vec::new()));
        assert_eq!(kept.count(), CERTIFICATES, "every proof is kept");
        engine
    }

    /// A verdict by `engine`, made by [`Fixtures::warm_engine`], on a text that it has proved before.
    pub fn cached(&self, engine: &Engine, at: usize) -> bool {
        let mut answer = Vec::with_capacity(512);
        engine.answer(pick(&self.compact, at).as_str(), &mut answer);
        answer.starts_with(br#"{"result":"accepted""#)
    }

    fn issued(&self, at: usize) -> String {
        text(pick(&self.holders, at), Profile::Compact, pick(&self.ed25519, at))
    }

    /// From a holder's claims to the SVG of the signed text.
    pub fn issue_svg(&self, at: usize) -> bool {
        Symbol::encode(&self.issued(at), Level::M).is_ok_and(|symbol| !black_box(svg(&symbol)).is_empty())
    }

    /// The same with the `qrcode` crate alone.
    pub fn issue_svg_qrcode(&self, at: usize) -> bool {
        let code = QrCode::with_error_correction_level(self.issued(at), EcLevel::M);
        code.is_ok_and(|code| !black_box(code.render::<Color<'_>>().build()).is_empty())
    }

    /// From a holder's claims to the PNG of the signed text.
    pub fn issue_png(&self, at: usize) -> bool {
        Symbol::encode(&self.issued(at), Level::M).is_ok_and(|symbol| !black_box(png(&symbol, SCALE)).is_empty())
    }

    /// The same with the `qrcode` and `image` crates alone.
    pub fn issue_png_qrcode_image(&self, at: usize) -> bool {
        let code = QrCode::with_error_correction_level(self.issued(at), EcLevel::M).expect("fits");
        !black_box(png_of(&code)).is_empty()
    }

    /// The COSE_Sign1 of each text of `profile`.
    pub fn coses(&self, profile: Profile) -> Vec<Vec<u8>> {
        let texts = match profile {
            Profile::Compact => &self.compact,
            Profile::Hc1 => &self.hc1,
        };
        let cose = |text: &String| codec::with_cose(text, |_, bytes| Ok::<_, CodecError>(bytes.to_vec()));
        texts.iter().map(|text| cose(text).expect("our own text")).collect()
    }

    /// What was signed and the signature, for each text of `profile`.
    pub fn signatures(&self, profile: Profile) -> Vec<(Vec<u8>, Vec<u8>)> {
        let parts = |cose: &Vec<u8>| {
            let sign1 = cose::parse(cose).expect("our own COSE_Sign1");
            let mut tbs = Vec::new();
            sign1.write_tbs(&mut tbs);
            (tbs, sign1.signature.to_vec())
        };
        self.coses(profile).iter().map(parts).collect()
    }

    /// The CWT in each text of `profile`.
    pub fn payloads(&self, profile: Profile) -> Vec<Vec<u8>> {
        let payload = |cose: &Vec<u8>| cose::parse(cose).expect("our own COSE_Sign1").payload.to_vec();
        self.coses(profile).iter().map(payload).collect()
    }
}

/// A picture by the peers alone.
pub fn png_of(code: &QrCode) -> Vec<u8> {
    let picture = code.render::<Luma<u8>>().module_dimensions(SCALE as u32, SCALE as u32).build();
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, ImageFormat::Png).expect("a vector takes all");
    out.into_inner()
}

/// The item of this number, round and round.
pub fn pick<T>(items: &[T], at: usize) -> &T {
    items.get(at % items.len()).expect("within bounds")
}

/// The public half as a verifier reads it.
pub fn public(key: &IssuerKey) -> PublicKey {
    PublicKey::from_spki_der(key.spki_der()).expect("own keys are readable")
}

/// The list that trusts `keys` at home.
pub fn trust_list<'a>(keys: impl IntoIterator<Item = &'a IssuerKey>, ed25519: &Arc<ed25519::Engine>) -> TrustList {
    let trusted = |key: &IssuerKey| TrustedKey {
        key: public(key),
        kid: key.kid(),
        country: policy::COUNTRY.into(),
        national: true,
        usages: Usages::VACCINATION,
        own: true,
        signs_from: Some(UnixSeconds(NOW.0 - 1_000_000)),
        signs_until: Some(UnixSeconds(NOW.0 + 1_000_000)),
        trusted_from: Some(UnixSeconds(NOW.0 - 1_000_000)),
        trusted_until: Some(policy::expires_at(NOW)),
        withdrawn_at: None,
        certificate: None,
    };
    TrustList::new(1, keys.into_iter().map(trusted), ed25519).expect("own keys have prime order")
}

fn text(holder: &Holder, profile: Profile, key: &IssuerKey) -> String {
    let issued_at = UnixSeconds(NOW.0 - 3600);
    issue(&holder.subject(), profile, key, issued_at, policy::expires_at(issued_at)).expect("issues").text
}

/// PKCS#8 of RFC 8410 §7: version 0, the OID of Ed25519, the seed.
fn ed25519_key(seed: u8) -> IssuerKey {
    let mut der = hex::decode("302e020100300506032b657004220420").expect("hexadecimal");
    der.extend([seed; 32]);
    IssuerKey::from_pkcs8(&der).expect("an Ed25519 key")
}

/// PKCS#8 of RFC 5915: version 0, the OIDs of elliptic curves and P-256, an ECPrivateKey of version 1 with the scalar.
fn p256_key() -> IssuerKey {
    let head = "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420";
    let mut der = hex::decode(head).expect("hexadecimal");
    der.extend([0x5E; 32]);
    IssuerKey::from_pkcs8(&der).expect("a P-256 key")
}

/// xorshift64: good enough to vary fixtures, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        pick(items, self.below(items.len() as u64) as usize)
    }

    fn uvci(&mut self, serial: u64) -> Uvci {
        Uvci((u128::from(self.below(u64::MAX)) << 64 | u128::from(serial)).to_be_bytes())
    }

    /// A person under an ordinary name, fully vaccinated in the second half of 2021.
    fn holder(&mut self) -> Holder {
        const FAMILY: [&str; 10] = ["Nguyễn", "Trần", "Lê", "Phạm", "Huỳnh", "Hoàng", "Phan", "Vũ", "Đặng", "Bùi"];
        const MIDDLE: [&str; 8] = ["Thị", "Văn", "Thị Phương", "Hữu", "Đức", "Thị Minh", "Quang", "Ngọc"];
        const GIVEN: [&str; 12] =
            ["Thảo", "Hùng", "Linh", "Thuỷ", "Dũng", "Hạnh", "Tuấn", "Phượng", "Đạt", "Nhung", "Bình", "Khuê"];
        let name = format!("{} {} {}", self.of(&FAMILY), self.of(&MIDDLE), self.of(&GIVEN));
        let month_and_day = |random: &mut Random| (random.below(12) as i16 + 1, random.below(28) as i16 + 1);
        let (month, day) = month_and_day(self);
        let birth = BirthDate::from_parts(1930 + self.below(75) as i16, Some(month), Some(day)).expect("a day");
        let of_two: Vec<_> = policy::products().iter().filter(|product| product.course == 2).collect();
        let product = Product::Code(self.of(&of_two).code.into());
        let given_on = jiff::civil::date(2021, self.below(6) as i8 + 6, self.below(28) as i8 + 1);
        let serial = self.below(u64::MAX);
        let dose = Dose { number: 2, series: 2, product, given_on };
        Holder { uvci: self.uvci(serial), name: PersonName::parse(&name).expect("a name"), birth, dose }
    }
}
