use super::*;

const NOW: UnixSeconds = UnixSeconds(1_660_000_000);
const STAMP: Stamp = Stamp { version: 12, issued_at: NOW, next_update: UnixSeconds(NOW.0 + 86_400) };
const PAYLOAD: &[u8] = br#"{"version":12}"#;

fn key() -> IssuerKey {
    IssuerKey::generate(Algorithm::EdDsa).expect("generates")
}

fn public(key: &IssuerKey) -> PublicKey {
    PublicKey::from_spki_der(key.spki_der()).expect("own keys are accepted")
}

/// An Ed25519 key that is the same in every run: its seed is 0, 1, 2 ..= 31.
fn fixed_key() -> IssuerKey {
    let mut pkcs8 =
        vec![0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    pkcs8.extend(0..32);
    IssuerKey::from_pkcs8(&pkcs8).expect("RFC 8410")
}

/// The resource with another header, signed all the same.
fn with_header(protected: &[u8], key: &IssuerKey) -> Vec<u8> {
    let mut tbs = Vec::new();
    cose::write_tbs(&mut tbs, protected, PAYLOAD);
    assemble(protected, &[0xA0], &key.sign(&tbs))
}

fn assemble(protected: &[u8], unprotected: &[u8], signature: &[u8]) -> Vec<u8> {
    let bytes = |bytes: &[u8]| {
        let mut out = Vec::new();
        ciborium::into_writer(&ciborium::Value::Bytes(bytes.to_vec()), &mut out).expect("writes");
        out
    };
    [&[0xD2, 0x84], &bytes(protected)[..], unprotected, &bytes(PAYLOAD), &bytes(signature)].concat()
}

/// The header that [`sign`] writes, with its entries replaced by what `change` makes of them.
fn header(key: &IssuerKey, change: impl FnOnce(&mut Vec<(ciborium::Value, ciborium::Value)>)) -> Vec<u8> {
    let mut entries = vec![
        (1.into(), (-8).into()),
        (4.into(), ciborium::Value::Bytes(key.kid().0.to_vec())),
        (16.into(), "thexanh/trust-list".into()),
        ("version".into(), 12.into()),
        ("issued_at".into(), NOW.0.into()),
        ("next_update".into(), (NOW.0 + 86_400).into()),
    ];
    change(&mut entries);
    let mut out = Vec::new();
    ciborium::into_writer(&ciborium::Value::Map(entries), &mut out).expect("writes");
    out
}

#[test]
fn what_is_signed_opens_under_its_signer_and_says_who_that_is() {
    let (key, other) = (key(), key());
    for kind in [Kind::TrustList, Kind::Rules, Kind::Revocations, Kind::Changes] {
        let bytes = sign(kind, STAMP, PAYLOAD, &key).expect("signs");
        let opened = open(kind, &bytes, &[public(&other), public(&key)], NOW, 0).expect("opens");
        assert_eq!((opened.stamp, opened.payload, opened.signer()), (STAMP, PAYLOAD, key.kid()));
        assert!(is_signed(&bytes) && !is_signed(PAYLOAD));
    }
}

#[test]
fn is_written_byte_for_byte_as_the_docs_say() {
    let key = fixed_key();
    let bytes = sign(Kind::TrustList, STAMP, PAYLOAD, &key).expect("signs");
    let kid = key.kid().0;
    let mut protected = vec![0xA6, 0x01, 0x27, 0x04, 0x48]; // {1: -8, 4: h'
    protected.extend(kid);
    protected.extend(b"\x10\x72thexanh/trust-list"); // 16: a text of 18
    protected.extend(b"\x67version\x0c"); // "version": 12
    protected.extend(b"\x69issued_at\x1a"); // "issued_at": an integer of four bytes
    protected.extend(1_660_000_000_u32.to_be_bytes());
    protected.extend(b"\x6bnext_update\x1a"); // "next_update": the same
    protected.extend(1_660_086_400_u32.to_be_bytes());
    assert_eq!(bytes, with_header(&protected, &key));
    assert_eq!(bytes, sign(Kind::TrustList, STAMP, PAYLOAD, &key).expect("signs"), "the same again");
}

#[test]
fn a_signature_for_one_resource_is_none_for_another() {
    let key = key();
    let bytes = sign(Kind::Rules, STAMP, PAYLOAD, &key).expect("signs");
    for kind in [Kind::TrustList, Kind::Revocations, Kind::Changes] {
        assert_eq!(open(kind, &bytes, &[public(&key)], NOW, 0), Err(Refusal::WrongType));
    }
}

#[test]
fn only_the_signers_named_may_sign() {
    let (key, other) = (key(), key());
    let bytes = sign(Kind::TrustList, STAMP, PAYLOAD, &key).expect("signs");
    assert_eq!(open(Kind::TrustList, &bytes, &[], NOW, 0), Err(Refusal::UnknownSigner));
    assert_eq!(open(Kind::TrustList, &bytes, &[public(&other)], NOW, 0), Err(Refusal::UnknownSigner));
    // Another key that claims the signer's kid.
    let claimed = header(&other, |_| {});
    let forged = with_header(&claimed, &key);
    assert_eq!(open(Kind::TrustList, &forged, &[public(&other)], NOW, 0), Err(Refusal::BadSignature));
}

#[test]
fn only_ed25519_signs() {
    let p256 = IssuerKey::generate(Algorithm::Es256).expect("generates");
    assert_eq!(sign(Kind::TrustList, STAMP, PAYLOAD, &p256), Err(KeyError::Algorithm));
    let claimed = with_header(&header(&p256, |_| {}), &p256);
    assert_eq!(open(Kind::TrustList, &claimed, &[public(&p256)], NOW, 0), Err(Refusal::UnknownSigner));
}

#[test]
fn refuses_every_flipped_bit_and_every_cut() {
    let key = key();
    let bytes = sign(Kind::TrustList, STAMP, PAYLOAD, &key).expect("signs");
    let signers = [public(&key)];
    let open = |bytes: &[u8]| open(Kind::TrustList, bytes, &signers, NOW, 0).map(|opened| opened.stamp);
    assert_eq!(open(&bytes), Ok(STAMP));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&flipped).is_err(), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert_eq!(open(&bytes[..len]), Err(Refusal::Malformed), "cut at {len}");
    }
    let more = [&bytes[..], &[0]].concat();
    assert_eq!(open(&more), Err(Refusal::Malformed));
}

#[test]
fn a_version_may_be_the_one_that_is_known_and_not_an_older_one() {
    let key = key();
    let bytes = sign(Kind::TrustList, STAMP, PAYLOAD, &key).expect("signs");
    let at_least = |version| open(Kind::TrustList, &bytes, &[public(&key)], NOW, version).map(|_| ());
    assert_eq!((at_least(11), at_least(12), at_least(13)), (Ok(()), Ok(()), Err(Refusal::OlderVersion)));
}

#[test]
fn a_clock_that_is_a_little_slow_opens_it_and_one_that_is_slower_does_not() {
    let key = key();
    let bytes = sign(Kind::TrustList, STAMP, PAYLOAD, &key).expect("signs");
    let early =
        |seconds: i64| open(Kind::TrustList, &bytes, &[public(&key)], UnixSeconds(NOW.0 - seconds), 0).map(|_| ());
    assert_eq!((early(59), early(60), early(61)), (Ok(()), Ok(()), Err(Refusal::FromTheFuture)));
}

#[test]
fn one_that_is_stale_opens_and_says_so() {
    let key = key();
    let bytes = sign(Kind::TrustList, STAMP, PAYLOAD, &key).expect("signs");
    let stale = |after: i64| {
        let now = UnixSeconds(STAMP.next_update.0 + after);
        open(Kind::TrustList, &bytes, &[public(&key)], now, 12).expect("opens").stamp.is_stale(now)
    };
    assert_eq!((stale(-1), stale(0), stale(1)), (false, false, true));
}

#[test]
fn refuses_headers_that_say_too_little_or_what_we_do_not_process() {
    let key = key();
    let opened = |protected: &[u8]| {
        open(Kind::TrustList, &with_header(protected, &key), &[public(&key)], NOW, 0).map(|opened| opened.stamp)
    };
    assert_eq!(opened(&header(&key, |_| {})), Ok(STAMP));
    let later = header(&key, |entries| entries.push(("a later one".into(), vec![ciborium::Value::from(1)].into())));
    assert_eq!(opened(&later), Ok(STAMP), "what a later version adds is passed over");
    for missing in 0..6 {
        let without = header(&key, |entries| drop(entries.remove(missing)));
        assert_eq!(opened(&without), Err(Refusal::Malformed), "without entry {missing}");
        let twice = header(&key, |entries| entries.push(entries[missing].clone()));
        assert_eq!(opened(&twice), Err(Refusal::Malformed), "entry {missing} twice");
        let wrong = header(&key, |entries| entries[missing].1 = 1.5.into());
        assert_eq!(opened(&wrong), Err(Refusal::Malformed), "entry {missing} of another type");
    }
    let critical = header(&key, |entries| entries.push((2.into(), vec![ciborium::Value::from(16)].into())));
    assert_eq!(opened(&critical), Err(Refusal::Malformed), "crit");
    let es256 = header(&key, |entries| entries[0].1 = (-7).into());
    assert_eq!(opened(&es256), Err(Refusal::Malformed), "another algorithm");
    let negative = header(&key, |entries| entries[3].1 = (-1).into());
    assert_eq!(opened(&negative), Err(Refusal::Malformed), "a version below zero");
    let backwards = header(&key, |entries| entries[5].1 = (NOW.0 - 1).into());
    assert_eq!(opened(&backwards), Err(Refusal::Malformed), "promised before it was signed");
    assert_eq!(opened(&[]), Err(Refusal::Malformed), "no header");
}

#[test]
fn refuses_what_is_not_protected_and_what_is_too_large() {
    let key = key();
    let protected = header(&key, |_| {});
    let mut tbs = Vec::new();
    cose::write_tbs(&mut tbs, &protected, PAYLOAD);
    let signature = key.sign(&tbs);
    let opened = |bytes: &[u8]| open(Kind::TrustList, bytes, &[public(&key)], NOW, 0).map(|_| ());
    assert_eq!(opened(&assemble(&protected, &[0xA0], &signature)), Ok(()));
    let unprotected = assemble(&protected, &[0xA1, 0x04, 0x41, 0x01], &signature); // {4: h'01'}
    assert_eq!(opened(&unprotected), Err(Refusal::Malformed));
    let untagged = &assemble(&protected, &[0xA0], &signature)[1..];
    assert_eq!(opened(untagged), Err(Refusal::Malformed));
    assert_eq!(opened(&vec![0; MAX_LEN]), Err(Refusal::Malformed));
    assert_eq!(opened(&vec![0; MAX_LEN + 1]), Err(Refusal::TooLarge));
}
