//! The answer to "is this accepted now?", as DESIGN §3 spells it: absent fields are absent, a rejected answer holds no facts.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::certificate::{BirthDate, CardColour, Product, Profile, Statement, UnixSeconds};
use crate::verify::{Rejection, Verified};

/// The answer for one text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Verdict {
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
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "inner")]
    #[schema(value_type = Option<Facts>)]
    certificate: Option<Arc<Facts>>,
    /// The key that signed it, in standard base64.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "kid")]
    #[schema(value_type = Option<String>, example = "LPCGKdiZxq8=")]
    kid: Option<crate::keys::Kid>,
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
pub struct Facts {
    /// Names the certificate for ever.
    #[schema(example = "URN:UVCI:01:VN:FFFE3D31FABD035899134A9D3BAE9BCF")]
    pub uvci: String,
    /// The holder's name, family name first.
    #[schema(example = "Nguyễn Thị Phương Thảo")]
    pub name: String,
    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "1983-10-10")]
    pub birth: Option<String>,
    /// Which dose of the course.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dose: Option<u8>,
    /// How many doses the course has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<u8>,
    /// The product's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "EU/1/20/1528")]
    pub product: Option<String>,
    /// The day of the dose.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2021-08-01")]
    pub given_on: Option<String>,
    /// When the sample of a test was taken, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampled_at: Option<i64>,
    /// The day of a recovery's first positive test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positive_on: Option<String>,
    /// The first day of a recovery's validity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// The last day of a recovery's validity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// The country of the key that signed it.
    #[schema(example = "VN")]
    pub issuer: String,
    /// The last second of the certificate, since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

impl Facts {
    /// The facts of a certificate that is accepted.
    pub fn of(verified: &Verified<'_>) -> Facts {
        let certificate = verified.certificate();
        let birth = (certificate.birth != BirthDate::Unknown).then(|| certificate.birth.to_string());
        let mut facts = Facts {
            uvci: certificate.uvci.clone(),
            name: certificate.name.clone(),
            birth,
            dose: None,
            series: None,
            product: None,
            given_on: None,
            sampled_at: None,
            positive_on: None,
            valid_from: None,
            valid_until: None,
            issuer: verified.country().to_owned(),
            expires_at: certificate.expires_at.map(|at| at.0),
        };
        match &certificate.statement {
            Statement::Vaccination(dose) => {
                facts.dose = Some(dose.number);
                facts.series = Some(dose.series);
                facts.given_on = Some(dose.given_on.to_string());
                facts.product = match &dose.product {
                    Product::Code(code) => Some(code.clone()),
                    Product::UnknownNumber(_) => None,
                };
            }
            Statement::Test(test) => facts.sampled_at = Some(test.sampled_at.0),
            Statement::Recovery(recovery) => {
                facts.positive_on = Some(recovery.positive_on.to_string());
                facts.valid_from = Some(recovery.valid_from.to_string());
                facts.valid_until = Some(recovery.valid_until.to_string());
            }
        }
        facts
    }
}

impl Verdict {
    /// Yes, with the facts.
    pub fn accepted(verified: &Verified<'_>, facts: Arc<Facts>, now: UnixSeconds, as_of: AsOf) -> Verdict {
        let certificate = verified.certificate();
        let profile: Profile = certificate.profile;
        Verdict {
            result: Outcome::Accepted,
            card: verified.card().as_str(),
            reason: None,
            rule: None,
            profile: Some(profile.as_str()),
            kind: Some(certificate.statement.as_str()),
            certificate: Some(facts),
            checked_at: now.0,
            as_of,
            kid: Some(verified.kid()),
        }
    }

    /// No, and why; nothing else of what was sent.
    pub fn rejected(rejection: Rejection, now: UnixSeconds, as_of: AsOf) -> Verdict {
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
    pub fn facts(&self) -> Option<&Facts> {
        self.certificate.as_deref()
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

fn inner<S: serde::Serializer>(facts: &Option<Arc<Facts>>, serializer: S) -> Result<S::Ok, S::Error> {
    facts.as_deref().serialize(serializer)
}

fn kid<S: serde::Serializer>(kid: &Option<crate::keys::Kid>, serializer: S) -> Result<S::Ok, S::Error> {
    match kid {
        Some(kid) => serializer.collect_str(kid),
        None => serializer.serialize_none(),
    }
}
