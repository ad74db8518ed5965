//! What is read of each format, and what is refused by which name. That whole lists go out and come in again, and real
//! certificates come in, `tests/it/trust_lists.rs` shows.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::keys::IssuerKey;

/// Made for these tests: openssl req -x509 -new -key (P-256) -subj /C=FI/CN=DSC -days 730
/// -addext extendedKeyUsage=1.3.6.1.4.1.1847.2021.1.2
const FI: &str = "MIIBojCCAUmgAwIBAgIUH0+smsUWpohEdT+E+QEvBt4EoZcwCgYIKoZIzj0EAwIwGzELMAkGA1UEBhMCRkkxDDAKBgNVBAMMA0RTQzAeFw0yNj\
    ExMjcxNTM2MTJaFw0yODExMjYxNTM2MTJaMBsxCzAJBgNVBAYTAkZJMQwwCgYDVQQDDANEU0MwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATC\
    BnIxM8Z2Lk8+nm4zWWGOfQ3H47Sbp/s/pJQVTJfOosT2qsMVls5OlCyGPp+1Qdn7X/8N6LSCkNbd/2bxLPZ0o2swaTAdBgNVHQ4EFgQU6tlcV7\
    qR17Fos125gpimmepc+zQwHwYDVR0jBBgwFoAU6tlcV7qR17Fos125gpimmepc+zQwDwYDVR0TAQH/BAUwAwEB/zAWBgNVHSUEDzANBgsrBgEE\
    AY43j2UBAjAKBggqhkjOPQQDAgNHADBEAiBGlpYXqKbPi1I9mi3eGVjJy5y5Zq+7saCvBFG/W0yDmAIgC1drYWfcFWZOEkoGpY4O1SpoWZyVzn\
    drg7AfvOYOj7A=";
const FI_KID: &str = "piQqxlfZhUQ=";
/// Its validity.
const FI_FROM: i64 = 1_795_793_772;
const FI_UNTIL: i64 = 1_858_865_772;

fn fi() -> Vec<u8> {
    BASE64_STANDARD.decode(FI).expect("base64")
}

/// The words for what became of the entries.
fn words(bytes: &[u8], country: Option<&str>) -> Vec<&'static str> {
    let list = read(bytes, country).expect("a list");
    list.entries.iter().map(|entry| entry.key.as_ref().map_or_else(|refusal| refusal.code(), |_| "read")).collect()
}

fn json_words(document: &Value) -> Vec<&'static str> {
    words(document.to_string().as_bytes(), None)
}

/// The only entry's key.
fn only(bytes: &[u8], country: Option<&str>) -> TrustedKey {
    let mut list = read(bytes, country).expect("a list");
    assert_eq!(list.entries.len(), 1);
    list.entries.remove(0).key.expect("a key")
}

fn assert_is_fi(key: &TrustedKey) {
    assert_eq!((key.kid.to_string().as_str(), key.country.as_str()), (FI_KID, "FI"));
    assert_eq!((key.usages, key.own, key.national), (Usages::VACCINATION, false, false));
    let (from, until) = (key.trusted_from.map(|at| at.0), key.trusted_until.map(|at| at.0));
    assert_eq!((from, until), (Some(FI_FROM), Some(FI_UNTIL)));
    assert_eq!((key.signs_from, key.signs_until, key.withdrawn_at), (None, None, None));
    assert_eq!(key.certificate.as_deref(), Some(fi().as_slice()));
}

/// A JWK of a new key.
fn ed25519_jwk() -> Value {
    let key = IssuerKey::generate(Algorithm::EdDsa).expect("generates");
    let point = key.spki_der().last_chunk::<32>().expect("a point");
    json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64_URL_SAFE_NO_PAD.encode(point), "country": "FI"})
}

fn with(mut object: Value, members: &[(&str, Value)]) -> Value {
    for (name, value) in members {
        object[*name] = value.clone();
    }
    object
}

fn jwks(key: &Value) -> Value {
    json!({ "keys": [key] })
}

#[test]
fn a_certificate_is_read_however_it_is_wrapped() {
    let pem = format!("-----BEGIN CERTIFICATE-----\n{FI}\n-----END CERTIFICATE-----\n");
    let narrow = pem.replace(
        FI,
        &FI.as_bytes().chunks(20).map(|line| format!("  {}\r\n", String::from_utf8_lossy(line))).collect::<String>(),
    );
    let around = format!("\u{FEFF}subject: C = FI, CN = a signer\r\nnote: \r\n{narrow}the end");
    let answer = format!("HTTP/1.1 200 \r\nX-RESUME-TOKEN: 7\r\nX-KID: {FI_KID}\r\n\r\n{FI}");
    let entry = json!({
        "kid": FI_KID, "timestamp": "2021-05-20T14:05:00+02:00", "country": "FI", "certificateType": "DSC",
        "thumbprint": null, "signature": "TUlJ", "rawData": FI,
    });
    let german = format!("c2lnbmF0dXJl\n{}", json!({ "certificates": [entry] }));
    let method = json!({
        "id": format!("did:web:tng-cdn.who.int:v2:trustlist:DDCC:FIN:DSC#{FI_KID}"), "type": "JsonWebKey2020",
        "publicKeyJwk": {"kty": "EC", "crv": "UNKNOWN CURVE", "kid": FI_KID, "x5c": [FI, FI]},
    });
    let cases: [(Vec<u8>, Format); 10] = [
        (fi(), Format::Certificates),
        (pem.into_bytes(), Format::Certificates),
        (around.into_bytes(), Format::Certificates),
        (FI.into(), Format::Certificates),
        (answer.into_bytes(), Format::Certificates),
        (jwks(&json!({"x5c": [FI]})).to_string().into_bytes(), Format::Jwks),
        (json!([entry]).to_string().into_bytes(), Format::Gateway),
        (german.into_bytes(), Format::Gateway),
        (json!({"FI": [{"kid": FI_KID, "rawData": FI}]}).to_string().into_bytes(), Format::Gateway),
        (json!({"id": "did:web:a", "verificationMethod": [method]}).to_string().into_bytes(), Format::Did),
    ];
    for (bytes, format) in cases {
        assert_eq!(read(&bytes, None).map(|list| list.format), Ok(format));
        assert_is_fi(&only(&bytes, None));
    }
}

#[test]
fn what_a_certificate_says_is_held_against_what_stands_beside_it() {
    let other = "AAAAAAAAAAA=";
    let jwk = json!({"kty": "EC", "x5c": [FI]});
    assert_eq!(json_words(&jwks(&with(jwk.clone(), &[("kid", other.into())]))), ["kid_mismatch"]);
    assert_eq!(
        json_words(&jwks(&with(jwk.clone(), &[("kid", "signer of 2021".into())]))),
        ["read"],
        "no kid of a text"
    );
    assert_eq!(json_words(&jwks(&with(ed25519_jwk(), &[("x5c", json!([FI]))]))), ["key_mismatch"]);
    assert_eq!(json_words(&jwks(&with(jwk.clone(), &[("alg", "EdDSA".into())]))), ["key_algorithm"]);
    assert_eq!(json_words(&jwks(&with(jwk, &[("alg", "ES256".into())]))), ["read"]);
    let entry = |name: &str, value: Value| json_words(&json!([with(json!({"rawData": FI}), &[(name, value)])]));
    assert_eq!(entry("kid", other.into()), ["kid_mismatch"]);
    assert_eq!(entry("kid", "short".into()), ["kid_mismatch"]);
    assert_eq!(entry("thumbprint", "00".into()), ["kid_mismatch"]);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &fi());
    assert_eq!(entry("thumbprint", hex::encode_upper(digest).into()), ["read"]);
    let answer = format!("x-kid: {other}\n\n{FI}");
    assert_eq!(words(answer.as_bytes(), None), ["kid_mismatch"]);
}

#[test]
fn only_signers_of_such_certificates_are_taken() {
    for (kind, word) in [("DSC", "read"), ("CSCA", "not_a_signer"), ("UPLOAD", "not_a_signer"), ("dsc", "not_a_signer")]
    {
        assert_eq!(json_words(&json!([{"rawData": FI, "certificateType": kind}])), [word], "{kind}");
    }
    let jwk = json!({"kid": FI_KID, "x5c": [FI]});
    let method = |id: &str, code: [Option<&str>; 3]| {
        let [domain, participant, usage] = code.map(|code| code.map(|code| json!({"code": format!("#{code}")})));
        let document = json!({"id": "did:web:h:v2:trustlist:DCC:-:DSC", "verificationMethod": [{
            "id": format!("{id}#{FI_KID}"), "domain": domain, "participant": participant, "keyusage": usage, "publicKeyJwk": jwk,
        }]});
        let list = read(document.to_string().as_bytes(), None).expect("a list");
        list.entries[0].key.as_ref().map_or_else(|refusal| refusal.code().to_owned(), |key| key.country.clone())
    };
    let none = [None; 3];
    assert_eq!(
        method("did:web:h:v2:trustlist:DDCC:EST:DSC", none),
        "EE",
        "the list says whose it is, not the certificate"
    );
    assert_eq!(method("did:web:h:v2:trustlist:DCC:FIN:DSC", none), "FI");
    assert_eq!(method("", none), "FI", "the document's own id, and its certificate's country");
    assert_eq!(method("did:web:h:v2:trustlist:-:-:-", [Some("DCC"), Some("SWE"), Some("DSC")]), "SE");
    assert_eq!(method("did:web:h:v2:trustlist:-:-:DSC", [Some("PH4H"), Some("CHL"), None]), "other_domain");
    assert_eq!(method("did:web:h:v2:trustlist:DCC:FIN:SCA", none), "not_a_signer");
    assert_eq!(method("did:web:h:v2:trustlist:DCC:FIN:DSC", [None, None, Some("CSCA")]), "not_a_signer");
    assert_eq!(method("did:web:h:trustlist:fin", none), "not_a_signer", "version 1 does not say what a key is for");
    assert_eq!(method("did:web:h:v2:trustlist:DCC:XXA:DSC", none), "unknown_country");
    let linked = json!({"id": "did:web:h", "verificationMethod": ["did:web:h:v2:trustlist:DCC:FIN:DSC", 7]});
    assert_eq!(json_words(&linked), ["reference", "malformed"]);
    assert_eq!(json_words(&jwks(&with(ed25519_jwk(), &[("use", "enc".into())]))), ["not_a_signer"]);
    assert_eq!(json_words(&jwks(&with(ed25519_jwk(), &[("key_ops", json!(["sign"]))]))), ["not_a_signer"]);
    assert_eq!(json_words(&jwks(&with(ed25519_jwk(), &[("key_ops", json!(["verify"]))]))), ["read"]);
}

#[test]
fn a_bare_key_has_its_own_kid_unless_another_is_said() {
    let jwk = ed25519_jwk();
    let of = |jwk: &Value| only(jwks(jwk).to_string().as_bytes(), None);
    let key = of(&jwk);
    assert_eq!((key.kid, key.usages, key.trusted_until), (key.key.kid(), Usages::ALL, None));
    for said in ["AQIDBAUGB_8=", "AQIDBAUGB_8", "AQIDBAUGB/8="] {
        assert_eq!(of(&with(jwk.clone(), &[("kid", said.into())])).kid, Kid([1, 2, 3, 4, 5, 6, 7, 0xFF]), "{said}");
    }
    for said in ["AQIDBAUGBw==", "AQIDBAUGBwgJ", "", "a name", "AQIDBAUGBwgJCgsMDQ4PEA=="] {
        assert_eq!(json_words(&jwks(&with(jwk.clone(), &[("kid", said.into())]))), ["key_kid"], "{said}");
    }
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", BASE64_STANDARD.encode(key.key.spki_der()));
    assert_eq!(words(pem.as_bytes(), None), ["no_country"]);
    assert_eq!(only(pem.as_bytes(), Some("SE")).country, "SE");
    assert_eq!(
        only(format!("kid: AQIDBAUGBwg=\ncountry: SE\nusages: test\n{pem}").as_bytes(), None).usages.words(),
        ["test"]
    );
}

#[test]
fn nobody_but_the_list_or_who_imports_it_says_whose_a_key_is() {
    let of = |country: Value, assumed: Option<&str>| {
        let document = jwks(&with(ed25519_jwk(), &[("country", country)])).to_string();
        let mut list = read(document.as_bytes(), assumed).expect("a list");
        list.entries.remove(0).key.map_or_else(|refusal| refusal.code().to_owned(), |key| key.country)
    };
    assert_eq!((of(Value::Null, None), of(Value::Null, Some("FI"))), ("no_country".into(), "FI".into()));
    assert_eq!((of("fin".into(), None), of("EL".into(), None)), ("FI".into(), "GR".into()));
    assert_eq!((of("FI".into(), Some("FI")), of("FI".into(), Some("SE"))), ("FI".into(), "country_mismatch".into()));
    assert_eq!((of("WHO".into(), None), of("WHO".into(), Some("SE"))), ("unknown_country".into(), "SE".into()));
    assert_eq!(of(7.into(), None), "malformed");
    assert_eq!(words(&fi(), Some("SE")), ["country_mismatch"]);
}

#[test]
fn one_bad_entry_stops_no_other() {
    let good = ed25519_jwk();
    let p256 = |x: &[u8], y: &[u8]| json!({"kty": "EC", "crv": "P-256", "x": BASE64_URL_SAFE_NO_PAD.encode(x), "y": BASE64_URL_SAFE_NO_PAD.encode(y), "country": "FI"});
    let weak = BASE64_URL_SAFE_NO_PAD.encode([&[1][..], &[0; 31]].concat()); // the point of order 1
    let document = json!({"keys": [
        7, null, "text", [], {}, good,
        {"kty": "oct", "k": "AAAA"}, with(good.clone(), &[("d", "AAAA".into())]),
        with(good.clone(), &[("x", "AAAA".into())]), with(good.clone(), &[("x", weak.into())]), with(good.clone(), &[("x", 5.into())]),
        with(good.clone(), &[("crv", "X25519".into())]), {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"},
        p256(&[1; 32], &[1; 32]), p256(&[1; 33], &[1; 32]), {"kty": "RSA", "n": "AQAB", "e": "AQAB", "country": "FI"},
        with(good.clone(), &[("x5c", json!(["AAAA"]))]), with(good.clone(), &[("x5c", "AAAA".into())]),
        with(good.clone(), &[("x5c", json!(["A".repeat(MAX_LIST_LEN / 4)]))]), with(good.clone(), &[("trusted_until", "soon".into())]),
        good,
    ]});
    let expected = [
        "malformed",
        "malformed",
        "malformed",
        "malformed",
        "malformed",
        "read",
        "private_key",
        "private_key",
        "key_not_spki",
        "key_weak_point",
        "malformed",
        "key_algorithm",
        "key_algorithm",
        "key_algorithm",
        "key_not_spki",
        "key_algorithm",
        "malformed_x509",
        "malformed",
        "x509_too_large",
        "malformed",
        "read",
    ];
    assert_eq!(json_words(&document), expected);
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----BEGIN CERTIFICATE-----\n{FI}\n-----END CERTIFICATE-----\n\
         -----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n\
         -----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n-----BEGIN CRL-----\nAAAA\n-----END CRL-----\n\
         trusted_until: soon\n-----BEGIN CERTIFICATE-----\n{FI}\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n{FI}",
        "A".repeat(20_000)
    );
    let expected =
        ["malformed", "read", "private_key", "malformed", "x509_too_large", "malformed", "malformed", "malformed"];
    assert_eq!(words(pem.as_bytes(), None), expected);
}

#[test]
fn a_cose_key_set_is_read_key_by_key() {
    let bytes = |hex: &str| hex::decode(hex.replace(' ', "")).expect("hexadecimal digits");
    let key = IssuerKey::generate(Algorithm::EdDsa).expect("generates");
    let x = hex::encode(key.spki_der().last_chunk::<32>().expect("a point"));
    // {1: 1, -1: 6, -2: x, "country": "FI"}
    let good = format!("A4 01 01 20 06 21 5820 {x} 67636F756E747279 624649");
    let with = |more: &str| good.replace("A4 ", "A5 ") + more;
    let keys = [
        (good.clone(), "read"),
        (with("02 48 0102030405060708"), "read"),
        (with("02 47 01020304050607"), "key_kid"),
        (with("02 01"), "malformed"),
        (with("03 27"), "read"),                      // alg -8
        (with("03 32"), "read"),                      // alg -19
        (with("03 26"), "key_algorithm"),             // alg -7
        (with("03 65 4564445341"), "key_algorithm"),  // alg "EdDSA"
        (with("04 81 01"), "not_a_signer"),           // key_ops [sign]
        (with("04 81 02"), "read"),                   // key_ops [verify]
        (with("23 5820") + &x, "private_key"),        // d
        (with("63666F6F 83 01 02 03"), "read"),       // "foo": [1, 2, 3]
        (good.replace("624649", "07"), "no_country"), // "country": 7
        ("A0".into(), "key_algorithm"),
        ("A1 01 04".into(), "key_algorithm"),   // symmetric
        ("A2 01 01 20 06".into(), "malformed"), // no x
        ("01".into(), "malformed"),
        ("A2 01 01 01 01".into(), ""), // a key twice: the whole set is none
    ];
    let set = |keys: &[(String, &str)]| {
        bytes(&format!("98 {:02X} {}", keys.len(), keys.iter().map(|(key, _)| key.as_str()).collect::<String>()))
    };
    let (last, sound) = keys.split_last().expect("some");
    assert_eq!(words(&set(sound), None), sound.iter().map(|(_, word)| *word).collect::<Vec<_>>());
    assert_eq!(read(&set(std::slice::from_ref(last)), None).err(), Some(ListError::Malformed));
    assert_eq!(read(&[set(sound), vec![0]].concat(), None).err(), Some(ListError::Malformed), "bytes behind it");
    let many = |len: u16| {
        read(&[&[0x99][..], &len.to_be_bytes(), &vec![0x00; len.into()]].concat(), None).map(|list| list.entries.len())
    };
    assert_eq!((many(129), many(20_000), many(20_001)), (Ok(129), Ok(MAX_KEYS), Err(ListError::Malformed)));
    assert_eq!(read(&bytes("9B FFFFFFFFFFFFFFFF"), None).err(), Some(ListError::Malformed));
}

#[test]
fn what_is_no_list_is_refused_whole_and_within_bounds() {
    let code = |bytes: &[u8]| read(bytes, None).map(|list| list.entries.len()).map_err(|error| error.code());
    for bytes in [
        &b""[..],
        b"  ",
        b"text",
        b"{}",
        b"7",
        b"\"text\"",
        b"{\"keys\": 7}",
        b"{\"FI\": 7}",
        b"{\"version\": []}",
        b"AAAA",
    ] {
        assert_eq!(code(bytes), Err("list_unknown_format"), "{}", String::from_utf8_lossy(bytes));
    }
    for bytes in [&b"{"[..], b"[1", b"{\"keys\": []} x", b"[\xFF]"] {
        assert_eq!(code(bytes), Err("list_malformed"));
    }
    let nested = |depth: usize| code(format!("{}{}", "[".repeat(depth), "]".repeat(depth)).as_bytes());
    assert_eq!((nested(127), nested(128), nested(100_000)), (Ok(1), Err("list_malformed"), Err("list_malformed")));
    let zeros = |len: usize| code(format!("[{}0]", "0,".repeat(len - 1)).as_bytes());
    assert_eq!(
        (zeros(MAX_KEYS - 1), zeros(MAX_KEYS), zeros(MAX_KEYS + 1)),
        (Ok(MAX_KEYS - 1), Ok(MAX_KEYS), Err("list_too_large"))
    );
    assert_eq!(zeros(1_000_000), Err("list_too_large"), "before it is parsed");
    assert_eq!(code(&vec![b' '; MAX_LIST_LEN]), Err("list_unknown_format"));
    assert_eq!(code(&vec![b' '; MAX_LIST_LEN + 1]), Err("list_too_large"));
    assert_eq!((code(b"{\"keys\": []}"), code(b"[]"), code(b"\x80")), (Ok(0), Ok(0), Ok(0)));
}

#[test]
fn no_cut_and_no_flipped_bit_makes_it_panic() {
    let pem = format!("kid: {FI_KID}\n-----BEGIN CERTIFICATE-----\n{FI}\n-----END CERTIFICATE-----\n");
    let document = json!({"keys": [ed25519_jwk(), {"x5c": [FI]}]}).to_string();
    for bytes in [pem.into_bytes(), document.into_bytes(), fi()] {
        for cut in 0..bytes.len() {
            let _ = read(bytes.get(..cut).expect("within"), None);
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            if let Some(byte) = flipped.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            let _ = read(&flipped, Some("FI"));
        }
    }
}
