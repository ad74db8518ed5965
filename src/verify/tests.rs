use super::*;
use crate::certificate::{BirthDate, Dose, Product, Uvci};
use crate::ed25519;
use crate::issue::{Subject, issue};
use crate::keys::{Algorithm, IssuerKey, PublicKey};
use crate::name::PersonName;
use crate::trust::Usages;

const ISSUED_AT: UnixSeconds = UnixSeconds(1_627_784_100); // 2021-08-01T02:15:00Z
const EXPIRES_AT: UnixSeconds = UnixSeconds(1_659_320_100); // 2022-08-01T02:15:00Z, twelve months later

fn dose() -> Dose {
    let given_on = "2021-08-01".parse().expect("a date");
    Dose { number: 1, series: 2, product: Product::Code("EU/1/20/1528".into()), given_on }
}

fn text(profile: Profile, key: &IssuerKey) -> String {
    let name = PersonName::parse("Nguyễn Thị Phương Thảo").expect("a name");
    let dose = dose();
    let subject = Subject { uvci: Uvci([7; 16]), name: &name, birth: BirthDate::Year(1983), dose: &dose };
    issue(&subject, profile, key, ISSUED_AT, EXPIRES_AT).expect("issues").text
}

fn key(algorithm: Algorithm) -> IssuerKey {
    IssuerKey::generate(algorithm).expect("generates")
}

fn trusted(key: &IssuerKey) -> TrustedKey {
    TrustedKey {
        key: PublicKey::from_spki_der(key.spki_der()).expect("an own key"),
        kid: key.kid(),
        country: "VN".into(),
        national: true,
        usages: Usages::VACCINATION,
        own: true,
        signs_from: None,
        signs_until: None,
        trusted_from: None,
        trusted_until: None,
        withdrawn_at: None,
    }
}

fn list(keys: impl IntoIterator<Item = TrustedKey>) -> TrustList {
    TrustList::new(1, keys, &ed25519::Engine::new(ed25519::Path::Portable)).expect("own keys have prime order")
}

fn verdict(text: &str, trust: &TrustList, now: UnixSeconds) -> Result<CardColour, Rejection> {
    let signed = check_signature(text, trust)?;
    signed.accept(&RevocationSet::default(), &Rules::default(), now).map(|verified| verified.card())
}

/// A text around any COSE_Sign1, signed by `key` over any payload, with any `alg`.
fn forged(profile: Profile, key: &IssuerKey, alg: i64, payload: &[u8]) -> String {
    let cose = cose::build(alg, key.kid().0, payload, |tbs| key.sign(tbs));
    codec::encode_text(profile, &cose).expect("short")
}

fn revoked<const N: usize>(entries: [revocation::Entry; N]) -> RevocationSet {
    RevocationSet::default().with_ahead(&entries.map(revocation::Change::Add))
}

#[test]
fn accepts_both_profiles_and_says_the_same_of_both() {
    let (ed, p256) = (key(Algorithm::EdDsa), key(Algorithm::Es256));
    let trust = list([trusted(&ed), trusted(&p256)]);
    let (compact, hc1) = (text(Profile::Compact, &ed), text(Profile::Hc1, &p256));
    let (compact, hc1) =
        (check_signature(&compact, &trust).expect("signed"), check_signature(&hc1, &trust).expect("signed"));
    let none = RevocationSet::default();
    let first = compact.accept(&none, &Rules::default(), ISSUED_AT).expect("accepted");
    let second = hc1.accept(&none, &Rules::default(), ISSUED_AT).expect("accepted");
    assert_eq!((first.card(), first.country(), first.kid()), (CardColour::Yellow, "VN", ed.kid()));
    let mut other = second.certificate().clone();
    assert_eq!(other.profile, Profile::Hc1);
    other.profile = Profile::Compact;
    assert_eq!(*first.certificate(), other, "one statement in two forms");
    assert_eq!(first.certificate().statement, crate::certificate::Statement::Vaccination(dose()));
    assert_eq!(first.certificate().name, "Nguyễn Thị Phương Thảo");
}

#[test]
fn rejects_a_certificate_one_second_after_it_expires() {
    let key = key(Algorithm::EdDsa);
    let (text, trust) = (text(Profile::Compact, &key), list([trusted(&key)]));
    let at = |offset: i64| verdict(&text, &trust, UnixSeconds(EXPIRES_AT.0 + offset));
    assert_eq!((at(-1), at(0), at(1)), (Ok(CardColour::Yellow), Ok(CardColour::Yellow), Err(Rejection::Expired)));
}

#[test]
fn lets_another_clock_run_a_minute_ahead_and_no_more() {
    let key = key(Algorithm::EdDsa);
    let (text, trust) = (text(Profile::Compact, &key), list([trusted(&key)]));
    let at = |offset: i64| verdict(&text, &trust, UnixSeconds(ISSUED_AT.0 + offset)).map(|_| ());
    assert_eq!((at(-59), at(-60), at(-61)), (Ok(()), Ok(()), Err(Rejection::NotYetValid)));
}

#[test]
fn a_proof_does_not_outlive_its_certificate() {
    let key = key(Algorithm::EdDsa);
    let signed = check_signature(&text(Profile::Compact, &key), &list([trusted(&key)])).expect("signed");
    let rules = Rules::default();
    let revoked: RevocationSet = [revocation::entry(&Uvci([7; 16]).to_string())].into_iter().collect();
    assert!(signed.accept(&RevocationSet::default(), &rules, ISSUED_AT).is_ok());
    assert_eq!(signed.accept(&revoked, &rules, ISSUED_AT).map(|_| ()), Err(Rejection::Revoked));
    let late = UnixSeconds(EXPIRES_AT.0 + 1);
    assert_eq!(signed.accept(&RevocationSet::default(), &rules, late).map(|_| ()), Err(Rejection::Expired));
}

/// A text of another country, its ES256 signature, and the same signature as r and n - s.
fn foreign(uci: &str) -> (TrustList, String, Vec<u8>, String) {
    let key = key(Algorithm::Es256);
    let trust = list([TrustedKey { own: false, national: false, country: "DE".into(), ..trusted(&key) }]);
    let bytes = codec::with_cose(&text(Profile::Hc1, &key), |_, bytes| Ok::<_, CodecError>(bytes.to_vec()));
    let bytes = bytes.expect("a COSE_Sign1");
    let payload = cose::parse(&bytes).expect("parses").payload.to_vec();
    let at = |part: &[u8]| payload.windows(part.len()).position(|window| window == part).expect("is there");
    // As long as ours, so that the CBOR around it stays.
    let ours = Uvci([7; 16]).to_string();
    assert_eq!(uci.len(), ours.len());
    let (uci_at, iss_at) = (at(ours.as_bytes()), at(b"\x01\x62VN"));
    let mut payload = payload.clone();
    payload[uci_at..uci_at + uci.len()].copy_from_slice(uci.as_bytes());
    payload[iss_at + 2..iss_at + 4].copy_from_slice(b"DE");
    let mut signature = Vec::new();
    let first = cose::build(-7, key.kid().0, &payload, |tbs| {
        signature = key.sign(tbs);
        signature.clone()
    });
    let other = cose::build(-7, key.kid().0, &payload, |_| [&signature[..32], &opposite(&signature[32..])].concat());
    let encode = |bytes: &[u8]| codec::encode_text(Profile::Hc1, bytes).expect("short");
    (trust, encode(&first), signature, encode(&other))
}

/// n - s, n the order of P-256's group. Source: SEC 2 §2.4.2.
fn opposite(s: &[u8]) -> Vec<u8> {
    let n: [u8; 32] = [
        0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6,
        0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
    ];
    let mut borrow = 0;
    let mut digits: Vec<u8> = (n.iter().rev().zip(s.iter().rev()))
        .map(|(n, s)| {
            let digit = i16::from(*n) - i16::from(*s) - borrow;
            borrow = i16::from(digit < 0);
            digit.rem_euclid(256) as u8
        })
        .collect();
    digits.reverse();
    digits
}

#[test]
fn a_foreign_certificate_is_revoked_by_its_signature_its_uci_or_country_and_uci() {
    const UCI: &str = "urn:uvci:01:DE:7777777777777777777777777777#7/#";
    let (trust, text, signature, _) = foreign(UCI);
    let by = revocation::foreign::entries(UCI, "DE", Algorithm::Es256, &signature);
    let upper = revocation::entry(&UCI.to_ascii_uppercase());
    let others = revocation::foreign::entries(&UCI[9..], "VN", Algorithm::Ps256, &signature);
    let (rules, none) = (Rules::default(), RevocationSet::default());
    let alone = check_signature(&text, &trust).expect("signed");
    let mut together = None;
    check_signatures(&[&text], &trust, |signed| together = signed.map(Signed::into_owned).ok());
    for signed in [alone, together.expect("signed")] {
        assert!(signed.accept(&none, &rules, ISSUED_AT).is_ok());
        for entry in by.into_iter().chain([upper]) {
            let set = revoked([entry]);
            assert_eq!(signed.accept(&set, &rules, ISSUED_AT).map(|_| ()), Err(Rejection::Revoked));
        }
        for entry in others {
            assert!(signed.accept(&revoked([entry]), &rules, ISSUED_AT).is_ok());
        }
    }
}

#[test]
fn a_signature_made_anew_from_a_revoked_one_is_revoked() {
    let (trust, text, signature, anew) = foreign("URN:UVCI:01:DE:77777777777777777777777777777777");
    assert_ne!(text, anew);
    let set = revoked([revocation::foreign::entries("", "", Algorithm::Es256, &signature)[0]]);
    for text in [text, anew] {
        let signed = check_signature(&text, &trust).expect("both are signatures of this key");
        assert!(signed.accept(&RevocationSet::default(), &Rules::default(), ISSUED_AT).is_ok());
        assert_eq!(signed.accept(&set, &Rules::default(), ISSUED_AT).map(|_| ()), Err(Rejection::Revoked));
    }
}

#[test]
fn a_certificate_of_ours_is_asked_for_by_its_uvci_alone() {
    let key = key(Algorithm::Es256);
    let text = text(Profile::Hc1, &key);
    let signed = check_signature(&text, &list([trusted(&key)])).expect("signed");
    assert!(signed.standing().foreign_entries.is_none(), "so that it costs one look-up");
}

#[test]
fn says_which_layer_is_broken() {
    let key = key(Algorithm::EdDsa);
    let trust = list([trusted(&key)]);
    let coded = |bytes: &[u8]| {
        let mut text = String::from("VN1:");
        codec::base45::encode_onto(&mut text, bytes);
        text
    };
    let not_zlib = coded(b"no zlib").replacen("VN1:", "HC1:", 1);
    let bomb = {
        let mut out = Vec::with_capacity(4096);
        let bytes = vec![0; 1 << 20];
        flate2::Compress::new(flate2::Compression::best(), true)
            .compress_vec(&bytes, &mut out, flate2::FlushCompress::Finish)
            .expect("deflates");
        coded(&out).replacen("VN1:", "HC1:", 1)
    };
    for (text, expected) in [
        ("A".repeat(4097), Rejection::TooLarge),
        (bomb, Rejection::TooLarge),
        ("A".repeat(4096), Rejection::NotACertificate),
        (String::new(), Rejection::NotACertificate),
        ("https://example.vn/?id=1".into(), Rejection::NotACertificate),
        ("HC2:6BF".into(), Rejection::UnknownPrefix),
        ("NL2:6BF".into(), Rejection::UnknownPrefix),
        ("VN1:6bf".into(), Rejection::MalformedBase45),
        ("VN1: 6BF\u{a0}".into(), Rejection::MalformedBase45),
        (not_zlib, Rejection::MalformedZlib),
        (coded(b""), Rejection::MalformedCose),
        (coded(b"\xD2\x84"), Rejection::MalformedCose),
        (forged(Profile::Compact, &key, -8, b"\xA0"), Rejection::MalformedClaims),
        (forged(Profile::Compact, &key, -8, b""), Rejection::MalformedClaims),
        (forged(Profile::Hc1, &key, -8, b"\xA1\x01\x62VN"), Rejection::MalformedClaims),
    ] {
        assert_eq!(verdict(&text, &trust, ISSUED_AT), Err(expected), "{}", text.chars().take(40).collect::<String>());
    }
}

#[test]
fn drops_white_space_at_the_ends_and_nowhere_else() {
    let key = key(Algorithm::EdDsa);
    let (text, trust) = (text(Profile::Compact, &key), list([trusted(&key)]));
    assert!(verdict(&format!("\r\n \t{text}\r\n"), &trust, ISSUED_AT).is_ok());
    let inside = text.replacen("VN1:", "VN1: ", 1);
    assert!(verdict(&inside, &trust, ISSUED_AT).is_err());
}

#[test]
fn the_key_decides_the_algorithm() {
    let (ed, p256) = (key(Algorithm::EdDsa), key(Algorithm::Es256));
    let trust = list([trusted(&ed), trusted(&p256)]);
    let payload =
        |text: &str| codec::with_cose(text, |_, bytes| Ok::<_, CodecError>(cose::parse(bytes)?.payload.to_vec()));
    let payload = payload(&text(Profile::Compact, &ed)).expect("well-formed");
    let with = |alg: i64| verdict(&forged(Profile::Compact, &ed, alg, &payload), &trust, ISSUED_AT).map(|_| ());
    assert_eq!(with(-8), Ok(()));
    assert_eq!(with(-7), Err(Rejection::AlgorithmMismatch));
    assert_eq!(with(-37), Err(Rejection::AlgorithmMismatch));
}

#[test]
fn every_key_with_the_kid_is_tried() {
    let (ours, other, p256) = (key(Algorithm::EdDsa), key(Algorithm::EdDsa), key(Algorithm::Es256));
    let text = text(Profile::Compact, &ours);
    let colliding = |key: &IssuerKey| TrustedKey { kid: ours.kid(), ..trusted(key) };
    let verdict = |keys: Vec<TrustedKey>| verdict(&text, &list(keys), ISSUED_AT).map(|_| ());
    assert_eq!(verdict(vec![colliding(&p256), colliding(&other), trusted(&ours)]), Ok(()));
    assert_eq!(verdict(vec![colliding(&p256), colliding(&other)]), Err(Rejection::BadSignature));
    assert_eq!(verdict(vec![colliding(&p256)]), Err(Rejection::AlgorithmMismatch));
    assert_eq!(verdict(vec![trusted(&other)]), Err(Rejection::UnknownKey));
    assert_eq!(verdict(vec![]), Err(Rejection::UnknownKey));
}

#[test]
fn holds_keys_to_their_periods_and_usages() {
    let key = key(Algorithm::EdDsa);
    let text = text(Profile::Compact, &key);
    let with = |change: fn(&mut TrustedKey)| {
        let mut trusted = trusted(&key);
        change(&mut trusted);
        verdict(&text, &list([trusted]), ISSUED_AT).map(|_| ())
    };
    let at = |offset: i64| Some(UnixSeconds(ISSUED_AT.0 + offset));
    assert_eq!((at(0), at(1)), (Some(ISSUED_AT), Some(UnixSeconds(1_627_784_101))));
    assert_eq!(with(|key| key.signs_from = Some(ISSUED_AT)), Ok(()));
    assert_eq!(with(|key| key.signs_from = Some(UnixSeconds(ISSUED_AT.0 + 1))), Err(Rejection::KeyNotYetValid));
    assert_eq!(with(|key| key.signs_until = Some(ISSUED_AT)), Ok(()));
    assert_eq!(with(|key| key.signs_until = Some(UnixSeconds(ISSUED_AT.0 - 1))), Err(Rejection::KeyExpired));
    assert_eq!(with(|key| key.trusted_until = Some(ISSUED_AT)), Ok(()));
    assert_eq!(with(|key| key.trusted_until = Some(UnixSeconds(ISSUED_AT.0 - 1))), Err(Rejection::KeyExpired));
    assert_eq!(with(|key| key.trusted_from = Some(UnixSeconds(ISSUED_AT.0 + 60))), Ok(()));
    assert_eq!(with(|key| key.trusted_from = Some(UnixSeconds(ISSUED_AT.0 + 61))), Err(Rejection::KeyNotYetValid));
    assert_eq!(with(|key| key.withdrawn_at = Some(ISSUED_AT)), Err(Rejection::KeyWithdrawn));
    assert_eq!(with(|key| key.usages = Usages { test: true, ..Usages::default() }), Err(Rejection::KeyUsage));
    assert_eq!(with(|key| key.country = "XV".into()), Err(Rejection::IssuerMismatch));
    // Foreign keys have a trust period only: what their list says of signing is not ours to judge.
    assert_eq!(with(|key| (key.own, key.signs_until) = (false, Some(UnixSeconds(0)))), Ok(()));
}

#[test]
fn compact_certificates_need_a_national_key() {
    let (ed, p256) = (key(Algorithm::EdDsa), key(Algorithm::Es256));
    let foreign = |key: &IssuerKey| TrustedKey { national: false, ..trusted(key) };
    let trust = list([foreign(&ed), foreign(&p256)]);
    assert_eq!(verdict(&text(Profile::Compact, &ed), &trust, ISSUED_AT), Err(Rejection::KeyUsage));
    assert_eq!(verdict(&text(Profile::Hc1, &p256), &trust, ISSUED_AT), Ok(CardColour::Yellow));
}

#[test]
fn a_product_number_from_tomorrow_is_not_acceptable_rather_than_malformed() {
    let key = key(Algorithm::EdDsa);
    let trust = list([trusted(&key)]);
    let text = text(Profile::Compact, &key);
    let payload = codec::with_cose(&text, |_, bytes| Ok::<_, CodecError>(cose::parse(bytes)?.payload.to_vec()));
    let payload = payload.expect("well-formed");
    // The product is the last item but one: 04 (number 4), then 19 49 98 (day 18,840).
    let at = payload.len() - 4;
    let mut tomorrow = payload.clone();
    assert_eq!(tomorrow[at..], [0x04, 0x19, 0x49, 0x98]);
    tomorrow[at] = 0x17; // number 23
    let rejection = verdict(&forged(Profile::Compact, &key, -8, &tomorrow), &trust, ISSUED_AT);
    assert_eq!(rejection, Err(Rejection::NotAcceptable { rule: RuleName::Ours("product_known"), open: false }));
}

#[test]
fn an_issuer_that_names_no_country_contradicts_none() {
    let key = key(Algorithm::Es256);
    let with = |iss: &str| {
        let list = list([trusted(&key)]);
        let signed = check_signature(&text(Profile::Hc1, &key), &list).expect("signed");
        let certificate = Certificate { issuer: Some(iss.into()), ..signed.certificate };
        let unsigned = cose::CoseSign1 { protected: &[], alg: None, kid: None, payload: &[], signature: &[] };
        Signed::new(certificate, &unsigned, &list.keys(&key.kid())[0])
            .accept(&RevocationSet::default(), &Rules::default(), ISSUED_AT)
            .map(|_| ())
    };
    assert_eq!(with("VN"), Ok(()));
    assert_eq!(with("vn"), Ok(()));
    assert_eq!(with("Ministry of Health"), Ok(()));
    assert_eq!(with("FR"), Err(Rejection::IssuerMismatch));
}

#[test]
fn texts_together_have_the_answers_that_each_has_alone() {
    let (one, other, travel) = (key(Algorithm::EdDsa), key(Algorithm::EdDsa), key(Algorithm::Es256));
    let list = list([trusted(&one), trusted(&other), trusted(&travel)]);
    list.warm();
    let (good, long) = (text(Profile::Compact, &one), "A".repeat(5000));
    assert!(codec::begins_as_eddsa(&good) && !codec::begins_as_eddsa(&text(Profile::Hc1, &travel)));
    let mut spoilt = good.clone();
    spoilt.replace_range(good.len() - 1.., if good.ends_with('0') { "1" } else { "0" });
    let texts = [
        good.clone(),
        text(Profile::Hc1, &travel),
        String::new(),
        spoilt,
        text(Profile::Compact, &other),
        long,
        text(Profile::Compact, &key(Algorithm::EdDsa)),
        "HC1:junk".into(),
        forged(Profile::Compact, &one, -8, &[0xA0]),
        forged(
            Profile::Compact,
            &one,
            -7,
            &codec::with_cose(&good, |_, bytes| Ok::<_, CodecError>(cose::parse(bytes)?.payload.to_vec()))
                .expect("ours"),
        ),
    ];
    let many: Vec<&str> = texts.iter().map(String::as_str).cycle().take(130).collect();
    let mut answers = many.iter();
    check_signatures(&many, &list, |together| {
        let text = answers.next().expect("an answer a text");
        let alone = check_signature(text, &list);
        let certificates = (together.map(|signed| signed.certificate.clone()), alone.map(|signed| signed.certificate));
        assert_eq!(certificates.0.map(Certificate::into_owned), certificates.1);
    });
    assert_eq!(answers.next(), None);
}
