//! The member states' test data: each step that a file says should succeed or fail, done by our code.
//!
//! Source: eu-digital-green-certificates/dgc-testdata; its README says what each expectation means, and that a step whose
//! expectation is not stated is not tested. Each step is judged alone: a file whose statement breaks the schema may still
//! have a good signature.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;
use thexanh::certificate::{
    BirthDate, Certificate, Dose, Product, Profile, Recovery, Statement, Test, UnixSeconds, strip_check_character,
};
use thexanh::codec::cbor::{Item, Reader};
use thexanh::codec::cwt::{self, Hcert};
use thexanh::codec::x509::{self, SignerCertificate};
use thexanh::codec::{self, CodecError, MAX_DECODED_LEN, base45, cose, zlib};
use thexanh::keys::PublicKey;
use thexanh::policy::{RuleName, Rules};
use thexanh::render::read::{ReadError, read};
use thexanh::revocation::RevocationSet;
use thexanh::trust::{TrustList, TrustedKey, Usages};
use thexanh::verify::{self, Rejection, Signed};

use crate::app::config;

/// One file. The fields that its steps do not need may be absent.
#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Vector {
    /// The DCC.
    json: Option<Value>,
    /// In hexadecimal: the CWT, or the bare DCC.
    cbor: Option<String>,
    /// In hexadecimal.
    cose: Option<String>,
    /// In hexadecimal.
    compressed: Option<String>,
    base45: Option<String>,
    /// The QR text.
    prefix: String,
    /// A PNG in base64.
    #[serde(rename = "2DCODE")]
    picture: Option<String>,
    testctx: Context,
    expectedresults: BTreeMap<String, bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Context {
    /// DER in base64.
    certificate: String,
    validationclock: String,
}

/// Why a step did not succeed.
#[derive(Debug)]
enum Stop {
    /// We refuse: the word for it, `differs` where we read something else than the file says.
    Refused(&'static str),
    /// The file lacks what the step starts from.
    NoInput,
    /// We refuse the statement, as the file says we should, and so have no verdict on what comes after it.
    Moot,
}

type Outcome = Result<(), Stop>;

impl From<CodecError> for Stop {
    fn from(error: CodecError) -> Stop {
        Stop::Refused(error.code())
    }
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Stop {
        Stop::Refused(rejection.code())
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Stop {
        Stop::Refused(error.code())
    }
}

fn same(same: bool) -> Outcome {
    if same { Ok(()) } else { Err(Stop::Refused("differs")) }
}

fn given<T>(field: &Option<T>) -> Result<&T, Stop> {
    field.as_ref().ok_or(Stop::NoInput)
}

fn bytes(field: &Option<String>) -> Result<Vec<u8>, Stop> {
    Ok(hex::decode(given(field)?).expect("the corpus has no other bytes than hexadecimal ones"))
}

/// Expectations that we do not meet, by the fault of the file or on purpose: each of `expectations` in each of `paths`.
struct Allowed {
    reason: &'static str,
    expectations: &'static [&'static str],
    paths: &'static [&'static str],
}

const ALLOWED: [Allowed; 6] = [
    Allowed {
        reason: "the file says under EXPECTEDSCHEMAVALIDATION, and rightly, that the same breaks the schema",
        expectations: &["EXPECTEDVALIDOBJECT"],
        paths: &[
            "NL/006", "NL/014", "NL/022", "NL/030", "NL/038", "NL/046", "NL/054", "NL/062", "NL/070", "NL/078",
            "NL/079", "NL/086", "NL/094", "NL/102", "NL/110", "NL/118", "NL/126", "NL/134", "NL/139", "NL/141",
            "NL/142", "NL/150", "NL/158", "NL/166", "NL/174", "NL/182", "NL/190", "NL/198", "NL/206", "NL/214",
            "NL/222", "NL/230", "NL/238", "NL/246", "NL/254", "NL/262", "NL/270", "NL/278", "NL/286",
        ],
    },
    Allowed {
        reason: "the schema lets a transliteration be empty: that one of emoji may not be is the issuer's own rule",
        expectations: &["EXPECTEDSCHEMAVALIDATION"],
        paths: &[
            "NL/064", "NL/065", "NL/066", "NL/067", "NL/068", "NL/069", "NL/071", "NL/136", "NL/137", "NL/138",
            "NL/140", "NL/143", "NL/208", "NL/209", "NL/210", "NL/211", "NL/212", "NL/213", "NL/215", "NL/280",
            "NL/281", "NL/282", "NL/283", "NL/284", "NL/285", "NL/287",
        ],
    },
    Allowed {
        reason: "the schema takes birth dates up to 2099: that none may be to come is the issuer's own rule",
        expectations: &["EXPECTEDSCHEMAVALIDATION"],
        paths: &[
            "NL/007", "NL/015", "NL/023", "NL/031", "NL/039", "NL/047", "NL/055", "NL/063", "NL/087", "NL/095",
            "NL/103", "NL/111", "NL/119", "NL/127", "NL/135", "NL/151", "NL/159", "NL/167", "NL/175", "NL/183",
            "NL/191", "NL/199", "NL/207", "NL/223", "NL/231", "NL/239", "NL/247", "NL/255", "NL/263", "NL/271",
            "NL/279",
        ],
    },
    Allowed {
        reason: "a dose or a series of 0, and the schema counts from 1",
        expectations: &[
            "EXPECTEDVALIDOBJECT",
            "EXPECTEDSCHEMAVALIDATION",
            "EXPECTEDKEYUSAGE",
            "EXPECTEDEXPIRATIONCHECK",
        ],
        paths: &["NL/104", "NL/109", "NL/121", "NL/130"],
    },
    Allowed {
        reason: "two doses in one DCC: the schema of then bounded their number below only, that of 1.3 admits one",
        expectations: &["EXPECTEDSCHEMAVALIDATION", "EXPECTEDEXPIRATIONCHECK"],
        paths: &["RO/2"],
    },
    Allowed {
        reason: "its JSON has the sample two hours before its CBOR",
        expectations: &["EXPECTEDDECODE", "EXPECTEDVALIDJSON"],
        paths: &["FR/test_pcr_ok"],
    },
];

/// An expectation, the step that answers it, and each answer of ours with the number of files that get it.
type Step = (&'static str, fn(&Vector) -> Outcome, &'static [(&'static str, usize)]);

const STEPS: [Step; 13] = [
    ("EXPECTEDVALIDOBJECT", valid_object, &[("malformed_claims", 43), ("succeeds", 304)]),
    ("EXPECTEDENCODE", encode, &[("succeeds", 32)]),
    ("EXPECTEDPICTUREDECODE", picture_decode, &[("no input", 22), ("picture_unreadable", 1), ("succeeds", 362)]),
    ("EXPECTEDUNPREFIX", unprefix, &[("not_a_certificate", 1), ("succeeds", 395), ("unknown_prefix", 2)]),
    ("EXPECTEDB45DECODE", base45_decode, &[("malformed_base45", 1), ("no input", 1), ("succeeds", 389)]),
    ("EXPECTEDCOMPRESSION", compression, &[("malformed_zlib", 2), ("no input", 1), ("succeeds", 389)]),
    ("EXPECTEDVERIFY", verify, &[("bad_signature", 1), ("malformed_cose", 1), ("succeeds", 398), ("unknown_key", 2)]),
    ("EXPECTEDDECODE", decode, &[("differs", 1), ("no CBOR", 1), ("succeeds", 393)]),
    ("EXPECTEDVALIDJSON", valid_json, &[("differs", 1), ("succeeds", 389)]),
    ("EXPECTEDSCHEMAVALIDATION", schema_validation, &[("malformed_claims", 46), ("succeeds", 347)]),
    ("EXPECTEDKEYUSAGE", key_usage, &[("key_usage", 69), ("malformed_claims", 4), ("moot", 39), ("succeeds", 223)]),
    (
        "EXPECTEDEXPIRATIONCHECK",
        expiration_check,
        &[("expired", 1), ("malformed_claims", 5), ("moot", 39), ("not_yet_valid", 1), ("succeeds", 311)],
    ),
    // So misspelt in four files, which are in force at their clocks.
    ("EXPTECTEDEXPIRED", expiration_check, &[("succeeds", 4)]),
];

/// The JSON is a DCC by the schema: we read it, once it is CBOR.
fn valid_object(vector: &Vector) -> Outcome {
    codec::decode_claims(Profile::Hc1, &claims_around(given(&vector.json)?))?;
    Ok(())
}

/// The JSON as CBOR is the CBOR, in any order. What we encode is ours, so ciborium encodes and we read both.
fn encode(vector: &Vector) -> Outcome {
    let encoded = claims_around(given(&vector.json)?);
    same(statement(&encoded)? == statement(&claims(&bytes(&vector.cbor)?)?)?)
}

/// The picture holds the QR text.
fn picture_decode(vector: &Vector) -> Outcome {
    let file = BASE64_STANDARD.decode(given(&vector.picture)?).expect("the corpus has all pictures in base64");
    same(read(&file)?.contains(&vector.prefix))
}

/// The QR text is the context identifier and the Base45.
fn unprefix(vector: &Vector) -> Outcome {
    let (profile, coded) = codec::split_context_identifier(&vector.prefix)?;
    same(profile == Profile::Hc1 && coded == given(&vector.base45)?)
}

/// The Base45 holds the zlib stream.
fn base45_decode(vector: &Vector) -> Outcome {
    let mut decoded = [0; MAX_DECODED_LEN];
    let len = base45::decode_into(&mut decoded, given(&vector.base45)?.as_bytes())?;
    same(decoded[..len] == bytes(&vector.compressed)?)
}

/// The zlib stream inflates to the COSE_Sign1.
fn compression(vector: &Vector) -> Outcome {
    same(zlib::inflate(&bytes(&vector.compressed)?)? == bytes(&vector.cose)?)
}

/// The certificate's key made the signature, and the COSE_Sign1 calls the key so.
fn verify(vector: &Vector) -> Outcome {
    match signed(vector, Usages::ALL) {
        // The statement is another step's matter: here the signature alone.
        Err(Stop::Moot | Stop::Refused("malformed_claims")) => {
            let cose = bytes(&vector.cose)?;
            let sign1 = cose::parse(&cose)?;
            let certificate = certificate(vector);
            let mut tbs = Vec::new();
            sign1.write_tbs(&mut tbs);
            same(sign1.kid == Some(&certificate.kid.0) && key(&certificate).verifies(sign1.signature, &tbs))
        }
        verdict => verdict.map(|_| ()),
    }
}

/// The CBOR says what the JSON says, and so does the COSE_Sign1 where there is one.
fn decode(vector: &Vector) -> Outcome {
    says_its_json(vector, &claims(&bytes(&vector.cbor)?)?)?;
    match &vector.cose {
        Some(_) => says_its_json(vector, cose::parse(&bytes(&vector.cose)?)?.payload),
        None => Ok(()),
    }
}

/// The QR text says what the JSON says, through the whole chain.
fn valid_json(vector: &Vector) -> Outcome {
    codec::with_cose(&vector.prefix, |_, bytes| says_its_json(vector, cose::parse(bytes)?.payload))
}

/// The CBOR is a DCC by the schema: we read it.
fn schema_validation(vector: &Vector) -> Outcome {
    codec::decode_claims(Profile::Hc1, &claims(&bytes(&vector.cbor)?)?)?;
    Ok(())
}

/// The certificate's extended key usages allow the statement.
fn key_usage(vector: &Vector) -> Outcome {
    match signed(vector, certificate(vector).usages)?.accept(
        &RevocationSet::default(),
        &Rules::default(),
        clock(vector),
    ) {
        Err(Rejection::KeyUsage) => Err(Rejection::KeyUsage.into()),
        _ => Ok(()), // the usage is asked first of all that can be wrong here
    }
}

/// The claims are in force at the validation clock.
fn expiration_check(vector: &Vector) -> Outcome {
    match signed(vector, Usages::ALL)?.accept(&RevocationSet::default(), &Rules::default(), clock(vector)) {
        Ok(_) | Err(Rejection::NotAcceptable { .. }) => Ok(()), // our rules are asked last, and not here
        Err(rejection) => Err(rejection.into()),
    }
}

/// What we prove of the COSE_Sign1 under the certificate's key, listed without bounds but for `usages`.
fn signed(vector: &Vector, usages: Usages) -> Result<Signed<'static>, Stop> {
    let cose = bytes(&vector.cose)?;
    let certificate = certificate(vector);
    // The country is whatever `iss` says, so that only the step's own question is answered.
    let claims = cose::parse(&cose).and_then(|sign1| cwt::parse(sign1.payload));
    let country = claims.ok().and_then(|claims| claims.iss).unwrap_or_default().to_owned();
    let listed = TrustedKey { country, usages, ..listed(&certificate) };
    let trust = TrustList::new(1, [listed], &config().ed25519_engine()).expect("no key of the corpus is of Ed25519");
    let text = codec::encode_text(Profile::Hc1, &cose)?;
    match verify::check_signature(&text, &trust) {
        Err(Rejection::MalformedClaims) if vector.expectedresults.get("EXPECTEDSCHEMAVALIDATION") == Some(&false) => {
            Err(Stop::Moot)
        }
        verdict => Ok(verdict?),
    }
}

/// The certificate's key as a list has it that knows no bounds but its usages.
fn listed(certificate: &SignerCertificate) -> TrustedKey {
    TrustedKey {
        key: key(certificate),
        kid: certificate.kid,
        country: String::new(),
        national: false,
        usages: certificate.usages,
        own: false,
        signs_from: None,
        signs_until: None,
        trusted_from: None,
        trusted_until: None,
        withdrawn_at: None,
    }
}

fn certificate(vector: &Vector) -> SignerCertificate {
    let der = BASE64_STANDARD.decode(&vector.testctx.certificate).expect("the corpus has all certificates in base64");
    x509::parse(&der).expect("every certificate of the corpus is read")
}

fn key(certificate: &SignerCertificate) -> PublicKey {
    PublicKey::from_spki_der(&certificate.spki_der).expect("every key of the corpus is one that we use")
}

/// An instant with its offset, or without one: then it is UTC.
fn clock(vector: &Vector) -> UnixSeconds {
    let text = &vector.testctx.validationclock;
    let instant = text.parse::<jiff::Timestamp>().or_else(|_| format!("{text}Z").parse());
    UnixSeconds(instant.expect("an instant").as_second())
}

/// The CWT in `cbor`, or one around it if it is the bare DCC.
///
/// Bare ones are written with indefinite lengths, which no COSE_Sign1 of the corpus has and which we refuse: ciborium reads
/// those and writes them again.
fn claims(cbor: &[u8]) -> Result<Vec<u8>, Stop> {
    if cwt::parse(cbor).is_ok() {
        return Ok(cbor.to_vec());
    }
    let dcc: ciborium::Value = ciborium::from_reader(cbor).map_err(|_| Stop::Refused("no CBOR"))?;
    Ok(claims_around(&dcc))
}

/// A CWT around a DCC: {4: 0, -260: {1: dcc}}.
fn claims_around(dcc: &impl serde::Serialize) -> Vec<u8> {
    use ciborium::Value;
    let dcc = Value::serialized(dcc).expect("JSON and CBOR are values");
    let hcert = Value::Map(vec![(1.into(), dcc)]);
    let claims = Value::Map(vec![(4.into(), 0.into()), ((-260).into(), hcert)]);
    let mut payload = Vec::new();
    ciborium::into_writer(&claims, &mut payload).expect("a vector takes all");
    payload
}

/// Whether the DCC in a CWT is the file's JSON: every field as our CBOR reader reads it, and the facts that we keep.
fn says_its_json(vector: &Vector, payload: &[u8]) -> Outcome {
    let json = given(&vector.json)?;
    same(statement(payload)? == normal(json.clone()))?;
    match codec::decode_claims(Profile::Hc1, payload) {
        Ok(certificate) => same(says(&certificate, json)),
        // Whether the statement is one by the schema, the file asks in a step of its own.
        Err(_) if vector.expectedresults.contains_key("EXPECTEDSCHEMAVALIDATION") => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The DCC in a CWT as JSON.
fn statement(payload: &[u8]) -> Result<Value, Stop> {
    match cwt::parse(payload)?.hcert {
        Hcert::Dcc(mut reader) => Ok(normal(to_json(&mut reader)?)),
        Hcert::Compact(_) => Err(Stop::Refused("compact")),
    }
}

fn to_json(reader: &mut Reader<'_>) -> Result<Value, CodecError> {
    Ok(match reader.item()? {
        Item::Int(int) => int.into(),
        Item::Float(float) => float.into(),
        Item::Text(text) => text.into(),
        Item::Bool(bool) => bool.into(),
        Item::Null => Value::Null,
        Item::Tag(_) => to_json(reader)?,
        Item::Array(len) => (0..len).map(|_| to_json(reader)).collect::<Result<_, _>>()?,
        Item::Map(len) => {
            let entry = |_| match reader.item()? {
                Item::Text(key) => Ok((key.to_owned(), to_json(reader)?)),
                _ => Err(CodecError::Cbor),
            };
            Value::Object((0..len).map(entry).collect::<Result<_, _>>()?)
        }
        Item::Bytes(_) | Item::Other => return Err(CodecError::Cbor),
    })
}

/// The same without what makes no difference: null fields, and the point of a whole number.
fn normal(json: Value) -> Value {
    match json {
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(fields) => {
            fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key, normal(value))).collect()
        }
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 => (float as i64).into(),
            _ => Value::Number(number),
        },
        other => other,
    }
}

/// Whether `certificate` states the facts of the JSON, which are read from it here without our codec.
fn says(certificate: &Certificate, json: &Value) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let day = |value: &Value| text(value).get(..10).and_then(|day| day.parse().ok());
    let entry = ["v", "t", "r"].into_iter().find_map(|group| Some((group, json.get(group)?.get(0)?)));
    let Some((group, entry)) = entry else { return false };
    let statement = || {
        Some(match group {
            "v" => Statement::Vaccination(Dose {
                number: entry["dn"].as_f64()? as u8,
                series: entry["sd"].as_f64()? as u8,
                product: Product::Code(text(&entry["mp"]).into()),
                given_on: day(&entry["dt"])?,
            }),
            "t" => Statement::Test(Test {
                negative: entry["tr"] == "260415000",
                sampled_at: UnixSeconds(text(&entry["sc"]).parse::<jiff::Timestamp>().ok()?.as_second()),
            }),
            _ => Statement::Recovery(Recovery {
                positive_on: day(&entry["fr"])?,
                valid_from: day(&entry["df"])?,
                valid_until: day(&entry["du"])?,
            }),
        })
    };
    let part = |key: &str| Some(text(&json["nam"][key])).filter(|part| !part.is_empty());
    let name: Vec<String> = ["fn", "gn"].into_iter().filter_map(part).collect();
    let uvci = text(&entry["ci"]).to_uppercase();
    let birth = text(&json["dob"]).chars().take(10).collect::<String>().replace("-00", "").parse::<BirthDate>();
    *certificate.uvci == *strip_check_character(&uvci).unwrap_or(&uvci)
        && certificate.name == name.join(" ")
        && Ok(certificate.birth) == birth
        && Some(&certificate.statement) == statement().as_ref()
}

/// Every file under `directory`, by its path without what all paths have: `DE/1`, and `NL/007` for `007-NL-test`.
fn vectors(directory: &Path) -> BTreeMap<String, Vector> {
    let mut vectors = BTreeMap::new();
    let mut directories: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(current) = directories.pop() {
        for entry in std::fs::read_dir(&current).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let name = path.strip_prefix(directory).expect("below it").with_extension("");
                let name = name.to_str().expect("ASCII").replace("2DCode/raw/", "");
                let name = name.split_once("-NL-").map_or(name.as_str(), |(number, _)| number).to_owned();
                let file = std::fs::read(&path).expect("readable");
                let replaced = vectors.insert(name, serde_json::from_slice(&file).expect("a vector"));
                assert!(replaced.is_none(), "two files of one name");
            }
        }
    }
    vectors
}

#[test]
fn every_expectation_of_every_file_is_met() {
    let Some(directory) = super::corpus("dgc-testdata") else { return };
    let vectors = vectors(&directory);
    assert_eq!(vectors.len(), 428, "files");
    let mut allowed: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for group in &ALLOWED {
        for path in group.paths {
            allowed.extend(group.expectations.iter().map(|expectation| ((*path, *expectation), group.reason)));
        }
    }
    let mut answers: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut unmet = Vec::new();
    for (path, vector) in &vectors {
        for (expectation, expected) in &vector.expectedresults {
            let step = STEPS.iter().find(|(name, ..)| name == expectation);
            let &(name, step, _) = step.expect("an expectation that the README names");
            let (answer, met) = match step(vector) {
                Ok(()) => ("succeeds", *expected),
                Err(Stop::Refused(word)) => (word, !expected),
                Err(Stop::NoInput) => ("no input", true),
                Err(Stop::Moot) => ("moot", true),
            };
            *answers.entry(name).or_default().entry(answer).or_default() += 1;
            if !met && allowed.remove(&(path, name)).is_none() {
                unmet.push(format!("{path} {name}: expected {expected}, {answer}"));
            }
        }
    }
    assert!(unmet.is_empty(), "not met: {unmet:#?}");
    assert!(allowed.is_empty(), "allowed, and no longer needed: {allowed:#?}");
    for (name, _, counts) in STEPS {
        assert_eq!(answers.remove(name), Some(counts.iter().copied().collect()), "{name}");
    }
}

/// What a trust list made of the certificates says to each COSE_Sign1 at its file's clock.
#[test]
fn listed_as_its_certificate_says_each_file_has_its_verdict() {
    let Some(directory) = super::corpus("dgc-testdata") else { return };
    let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
    for vector in vectors(&directory).into_values() {
        let Ok(cose) = bytes(&vector.cose) else { continue };
        let certificate = certificate(&vector);
        let listed = TrustedKey {
            country: certificate.country.clone().unwrap_or_else(|| "AT".to_owned()), // Austria made those that name none
            trusted_from: Some(certificate.valid_from),
            trusted_until: Some(certificate.valid_until),
            ..listed(&certificate)
        };
        let trust =
            TrustList::new(1, [listed], &config().ed25519_engine()).expect("no key of the corpus is of Ed25519");
        let text = codec::encode_text(Profile::Hc1, &cose).expect("short enough");
        let word = match verify::check_signature(&text, &trust) {
            Ok(signed) => match signed.accept(&RevocationSet::default(), &Rules::default(), clock(&vector)) {
                Ok(_) => "accepted",
                Err(Rejection::NotAcceptable { rule: RuleName::Ours(rule), .. }) => rule,
                Err(rejection) => rejection.code(),
            },
            Err(rejection) => rejection.code(),
        };
        *verdicts.entry(word).or_default() += 1;
    }
    let expected = [
        ("accepted", 195), // two of them under a ministry's name as `iss`
        ("bad_signature", 1),
        ("key_expired", 1),
        ("key_not_yet_valid", 1),
        ("key_usage", 70),
        ("malformed_claims", 44),
        ("malformed_cose", 1),
        ("not_yet_valid", 5), // their clocks are before their `iat`, and no expectation of theirs asks
        ("test_negative", 49), // most have no result at all
        ("test_recent", 47),
        ("unknown_key", 2),
    ];
    assert_eq!(verdicts, expected.into());
}
