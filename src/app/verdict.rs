//! The answer to "is this accepted now?", as DESIGN §3 spells it: absent fields are absent, a rejected answer holds no facts.

use std::fmt::Display;

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::certificate::{BirthDate, CardColour, Product, Profile, Statement, UnixSeconds};
use crate::keys::Kid;
use crate::verify::{Rejection, Verified};

/// The answer for one text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Verdict<'a> {
    /// Whether the certificate is accepted now.
    result: Outcome,
    /// The colour to show, always with words and a shape.
    #[schema(value_type = String, example = "green")]
    card: &'static str,
    /// Why not, in one stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "expired")]
    reason: Option<&'static str>,
    /// Which rule is not met, when `reason` is `not_acceptable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    rule: Option<&'static str>,
    /// `compact` or `hc1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "compact")]
    profile: Option<&'static str>,
    /// `vaccination`, `test` or `recovery`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "vaccination")]
    kind: Option<&'static str>,
    /// The facts that were signed; only in an accepted answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Facts<'a>>,
    /// The key that signed it, in standard base64.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    #[schema(value_type = Option<String>, example = "LPCGKdiZxq8=")]
    kid: Option<Kid>,
    /// The instant of the check, in seconds since 1970.
    checked_at: i64,
    /// The versions of what it was checked against.
    as_of: AsOf,
}

/// Whether a certificate is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Signed by a trusted key, in force, not revoked, and acceptable by the rules.
    Accepted,
    /// Not accepted, for the `reason` given.
    Rejected,
}

/// The versions of what a text was checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AsOf {
    /// Of the trust list.
    pub trust: u64,
    /// Of the revocations.
    pub revocations: u64,
    /// Of the rules.
    pub rules: u64,
}

/// The facts of an accepted certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Facts<'a> {
    /// Names the certificate for ever.
    #[schema(example = "URN:UVCI:01:VN:FFFE3D31FABD035899134A9D3BAE9BCF")]
    pub uvci: &'a str,
    /// The holder's name, family name first.
    #[schema(example = "Nguyễn Thị Phương Thảo")]
    pub name: &'a str,
    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    #[schema(value_type = Option<String>, example = "1983-10-10")]
    pub birth: Option<BirthDate>,
    /// Which dose of the course.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dose: Option<u8>,
    /// How many doses the course has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<u8>,
    /// The product's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "EU/1/20/1528")]
    pub product: Option<&'a str>,
    /// The day of the dose.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    #[schema(value_type = Option<String>, example = "2021-08-01")]
    pub given_on: Option<Date>,
    /// When the sample of a test was taken, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampled_at: Option<i64>,
    /// The day of a recovery's first positive test.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    #[schema(value_type = Option<String>)]
    pub positive_on: Option<Date>,
    /// The first day of a recovery's validity.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    #[schema(value_type = Option<String>)]
    pub valid_from: Option<Date>,
    /// The last day of a recovery's validity.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    #[schema(value_type = Option<String>)]
    pub valid_until: Option<Date>,
    /// The country of the key that signed it.
    #[schema(example = "VN")]
    pub issuer: &'a str,
    /// The last second of the certificate, since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

impl<'a> Facts<'a> {
    /// The facts of a certificate that is accepted.
    fn of(verified: Verified<'a>) -> Facts<'a> {
        let certificate = verified.certificate();
        let mut facts = Facts {
            uvci: &certificate.uvci,
            name: &certificate.name,
            birth: Some(certificate.birth).filter(|birth| *birth != BirthDate::Unknown),
            dose: None,
            series: None,
            product: None,
            given_on: None,
            sampled_at: None,
            positive_on: None,
            valid_from: None,
            valid_until: None,
            issuer: verified.country(),
            expires_at: certificate.expires_at.map(|at| at.0),
        };
        match &certificate.statement {
            Statement::Vaccination(dose) => {
                facts.dose = Some(dose.number);
                facts.series = Some(dose.series);
                facts.given_on = Some(dose.given_on);
                facts.product = match &dose.product {
                    Product::Code(code) => Some(code),
                    Product::UnknownNumber(_) => None,
                };
            }
            Statement::Test(test) => facts.sampled_at = Some(test.sampled_at.0),
            Statement::Recovery(recovery) => {
                facts.positive_on = Some(recovery.positive_on);
                facts.valid_from = Some(recovery.valid_from);
                facts.valid_until = Some(recovery.valid_until);
            }
        }
        facts
    }
}

impl<'a> Verdict<'a> {
    /// Yes, with the facts.
    pub fn accepted(verified: Verified<'a>, now: UnixSeconds, as_of: AsOf) -> Verdict<'a> {
        let certificate = verified.certificate();
        let profile: Profile = certificate.profile;
        Verdict {
            result: Outcome::Accepted,
            card: verified.card().as_str(),
            reason: None,
            rule: None,
            profile: Some(profile.as_str()),
            kind: Some(certificate.statement.as_str()),
            certificate: Some(Facts::of(verified)),
            checked_at: now.0,
            as_of,
            kid: Some(verified.kid()),
        }
    }

    /// No, and why; nothing else of what was sent.
    pub fn rejected(rejection: Rejection, now: UnixSeconds, as_of: AsOf) -> Verdict<'static> {
        let rule = match rejection {
            Rejection::NotAcceptable { rule } => Some(rule),
            _ => None,
        };
        Verdict {
            result: Outcome::Rejected,
            card: CardColour::Red.as_str(),
            reason: Some(rejection.code()),
            rule,
            profile: None,
            kind: None,
            certificate: None,
            checked_at: now.0,
            as_of,
            kid: None,
        }
    }

    /// Whether the certificate is accepted.
    pub fn outcome(&self) -> Outcome {
        self.result
    }

    /// Why not; `None` if it is accepted.
    pub fn reason(&self) -> Option<&'static str> {
        self.reason
    }

    /// The facts that were signed; `None` if it is not accepted.
    pub fn facts(&self) -> Option<&Facts<'a>> {
        self.certificate.as_ref()
    }

    /// The colour to show.
    pub fn card(&self) -> &'static str {
        self.card
    }

    /// Adds the answer's JSON, one line without its end, to `out`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self).expect("a verdict has text keys and a vector takes every byte");
    }
}

/// An accepted answer's JSON but for when and against what it was checked, which stands at its end: made once, told again and
/// again, each time with an end of its own.
pub struct Told(Box<[u8]>);

/// Where the part begins that changes.
const CHANGING: &[u8] = br#""checked_at":"#;

impl Told {
    /// The lasting part of an answer's `json`; `None` if it has no end that changes.
    pub fn of(json: &[u8]) -> Option<Told> {
        let at = json.windows(CHANGING.len()).rposition(|window| window == CHANGING)?;
        json.get(..at).map(|lasting| Told(lasting.into()))
    }

    /// Adds the whole answer to `out`, as of now.
    pub fn write_json(&self, now: UnixSeconds, as_of: AsOf, out: &mut Vec<u8>) {
        #[derive(Serialize)]
        struct End {
            checked_at: i64,
            as_of: AsOf,
        }
        out.extend_from_slice(&self.0);
        let begin = out.len();
        serde_json::to_writer(&mut *out, &End { checked_at: now.0, as_of }).expect("a vector takes every byte");
        out.remove(begin); // the brace that opens an object of its own
    }

    /// How many bytes it takes.
    pub fn size_bytes(&self) -> usize {
        size_of::<Told>() + self.0.len()
    }
}

fn text<T: Display, S: serde::Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
