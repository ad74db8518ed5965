//! A country's own rules, in the EU's form: checked when they are loaded, asked with the DCC as it was signed.
//!
//! A rule of type Acceptance is asked where it is the country's and the region's that the document names, a rule of type
//! Invalidation where it is the issuer's; both if they are of the certificate's type and in force, each in its newest version.
//! A rule that cannot be asked of a certificate is *open*: its data are not what the logic expects, its schema is another, or it
//! would take too long. The EU leaves what comes of that to who checks, and wants it shown; CertLogic advises to take it for a
//! no. It is a no here, marked as open; a rule that failed is named rather than one that is open.
//!
//! Source: eHealth Network, EU DCC Validation Rules 1.1; validation-rule.schema.json of the EU gateway, whose checks are ours.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::rules::{RuleName, Unmet};
use super::{RulesDocument, RulesError};
use crate::certificate::{Statement, UnixSeconds};
use crate::certlogic::{Budget, Data, Expression};
use crate::keys::Kid;

const MAX_RULES: usize = 256;
/// The longest rule, description included; real ones are below 8 kB.
const MAX_RULE_BYTES: usize = 32 << 10;
/// How many operations all rules together may have.
const MAX_OPERATIONS: usize = 10_000;
/// How many steps asking them about one certificate may take: each operation once, and loops. About a millisecond.
const MAX_STEPS: u32 = 20_000;
/// The version of CertLogic that our evaluator is of.
const ENGINE_VERSION: [u32; 3] = [1, 3, 1];

/// A rule as countries publish it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct CountryRule {
    /// `GR`, `VR`, `TR`, `RR` or `IR`, the country and a number: what a verdict names.
    #[schema(example = "VR-DE-0001")]
    pub identifier: String,
    /// `Acceptance` or `Invalidation`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Whose it is: ISO 3166-1 alpha-2.
    pub country: String,
    /// For which part of the country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Its own version; the newest one that is in force counts.
    #[schema(example = "1.0.0")]
    pub version: String,
    /// The version of the DCC's schema that it was made for.
    #[schema(example = "1.3.0")]
    pub schema_version: String,
    /// `CERTLOGIC`.
    pub engine: String,
    /// The version of CertLogic that it needs.
    #[schema(example = "1.0.0")]
    pub engine_version: String,
    /// `General`, `Vaccination`, `Test` or `Recovery`.
    pub certificate_type: String,
    /// What it says, for people.
    pub description: Vec<RuleDescription>,
    /// The first instant at which it is in force.
    #[schema(example = "2021-07-03T00:00:00Z")]
    pub valid_from: String,
    /// The last instant at which it is in force.
    pub valid_to: String,
    /// Which fields of the DCC it looks at.
    pub affected_fields: Vec<String>,
    /// The logic: met if it is truthy.
    pub logic: Value,
}

/// What a rule says, in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleDescription {
    /// Which language.
    pub lang: String,
    /// What it says.
    pub desc: String,
}

/// What is wrong with a country's rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    /// There are more rules than `MAX_RULES`, or more operations in them than `MAX_OPERATIONS`.
    #[error("with it there are more rules or operations than are asked of one certificate")]
    TooMany,
    /// It is longer than `MAX_RULE_BYTES`.
    #[error("it is longer than {MAX_RULE_BYTES} bytes")]
    TooLong,
    /// Its identifier is not of the form, or not of its type and country.
    #[error("the identifier does not fit its form, its type or its country")]
    Identifier,
    /// Neither Acceptance nor Invalidation, or of no type of certificate.
    #[error("Type or CertificateType is none that there is")]
    Type,
    /// An acceptance rule of another country: it would never be asked.
    #[error("it is an acceptance rule of another country than the document's")]
    Country,
    /// A version is not three numbers.
    #[error("Version, SchemaVersion or EngineVersion is not three numbers")]
    Version,
    /// It is there twice in one version.
    #[error("it is there twice in the same version")]
    Twice,
    /// Another engine, or a newer one than ours.
    #[error("it needs another engine than CertLogic {}.{}.{}", ENGINE_VERSION[0], ENGINE_VERSION[1], ENGINE_VERSION[2])]
    Engine,
    /// Its period has no beginning or end, or ends before it begins.
    #[error("ValidFrom and ValidTo are no period")]
    Period,
    /// Its logic is no CertLogic.
    #[error("Logic: {0}")]
    Logic(String),
    /// It looks at a value set that the document does not have.
    #[error("it looks at external.valueSets.{0}, which is not among value_sets")]
    ValueSet(String),
}

impl RuleFault {
    /// The stable word.
    pub fn code(&self) -> &'static str {
        match self {
            RuleFault::TooMany => "rule_too_many",
            RuleFault::TooLong => "rule_too_long",
            RuleFault::Identifier => "rule_identifier",
            RuleFault::Type => "rule_type",
            RuleFault::Country => "rule_country",
            RuleFault::Version => "rule_version",
            RuleFault::Twice => "rule_twice",
            RuleFault::Engine => "rule_engine",
            RuleFault::Period => "rule_period",
            RuleFault::Logic(_) => "rule_logic",
            RuleFault::ValueSet(_) => "rule_value_set",
        }
    }
}

/// A rule's identifier, such as `VR-DE-0001`: always ten characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId([u8; 10]);

impl RuleId {
    /// The identifier in `text`. Source: validation-rule.schema.json.
    fn parse(text: &str) -> Option<RuleId> {
        let bytes: [u8; 10] = text.as_bytes().try_into().ok()?;
        let [a, b, b'-', country @ .., b'-', _, _, _, _] = &bytes else { return None };
        let (kind, number) = ([*a, *b], bytes.get(6..)?);
        let known = [*b"GR", *b"VR", *b"TR", *b"RR", *b"IR"].contains(&kind);
        let fits = country.iter().all(u8::is_ascii_uppercase) && number.iter().all(u8::is_ascii_digit);
        (known && fits).then_some(RuleId(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made of ASCII alone")
    }
}

impl std::fmt::Debug for RuleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A country's rules, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct CountryRules {
    country: String,
    region: String,
    /// By identifier, and the newest version of each first.
    rules: Vec<Compiled>,
    /// What `external.valueSets` is.
    value_sets: Value,
}

#[derive(Clone, Debug, PartialEq)]
struct Compiled {
    id: RuleId,
    invalidates: bool,
    country: String,
    region: String,
    version: [u32; 3],
    schema: [u32; 3],
    /// `None` for every type of certificate.
    only: Option<Only>,
    from: Timestamp,
    until: Timestamp,
    logic: Expression,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Only {
    Vaccination,
    Test,
    Recovery,
}

impl Only {
    fn is(self, statement: &Statement) -> bool {
        match statement {
            Statement::Vaccination(_) => self == Only::Vaccination,
            Statement::Test(_) => self == Only::Test,
            Statement::Recovery(_) => self == Only::Recovery,
        }
    }
}

/// A certificate that rules are asked about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The DCC as it was signed, or what a compact certificate is as one.
    pub dcc: &'a Value,
    /// What it certifies.
    pub statement: &'a Statement,
    /// The country of the key that signed it.
    pub issuer: &'a str,
    /// `iat`.
    pub issued_at: Option<UnixSeconds>,
    /// `exp`.
    pub expires_at: Option<UnixSeconds>,
    /// The key that signed it.
    pub kid: Kid,
}

impl CountryRules {
    /// The rules of `document`; `None` if it has none. Errors: [`RulesError::Rule`].
    pub(super) fn compile(document: &RulesDocument) -> Result<Option<CountryRules>, RulesError> {
        if document.certlogic.is_empty() {
            return Ok(None);
        }
        let (mut rules, mut operations) = (Vec::new(), 0);
        for (at, rule) in document.certlogic.iter().enumerate() {
            let compiled = rule.compile(document).and_then(|compiled| {
                operations += compiled.logic.size();
                match at >= MAX_RULES || operations > MAX_OPERATIONS {
                    true => Err(RuleFault::TooMany),
                    false => Ok(compiled),
                }
            });
            let named = |fault| {
                let identifier: String = rule.identifier.chars().filter(|c| !c.is_control()).take(20).collect();
                RulesError::Rule { identifier, fault }
            };
            rules.push(compiled.map_err(named)?);
        }
        rules.sort_by_key(|rule: &Compiled| (rule.id, Reverse(rule.version)));
        let twice = rules.iter().zip(rules.iter().skip(1)).find(|(a, b)| (a.id, a.version) == (b.id, b.version));
        if let Some((rule, _)) = twice {
            return Err(RulesError::Rule { identifier: rule.id.as_str().to_owned(), fault: RuleFault::Twice });
        }
        let sets = document.value_sets.iter().map(|(id, codes)| (id.clone(), Value::from(codes.clone())));
        let value_sets = Value::Object(sets.collect::<Map<_, _>>());
        Ok(Some(CountryRules { country: document.country.clone(), region: document.region.clone(), rules, value_sets }))
    }

    /// Fails with the rule that the certificate does not meet at `now`: one that failed, else one that is open.
    pub fn check(&self, asked: &Asked<'_>, now: UnixSeconds) -> Result<(), Unmet> {
        let clock = Timestamp::from_second(now.0).unwrap_or(Timestamp::MAX);
        let text = |text: &str| Value::from(text);
        let instant = |at: Option<UnixSeconds>| {
            let at = at.and_then(|at| Timestamp::from_second(at.0).ok());
            at.map_or(Value::Null, |at| at.to_string().into())
        };
        let (issued_at, expires_at) = (instant(asked.issued_at), instant(asked.expires_at));
        let (now, country, issuer) = (text(&clock.to_string()), text(&self.country), text(asked.issuer));
        let (kid, region) = (text(&asked.kid.to_string()), text(&self.region));
        let external = [
            ("valueSets", Data::Json(&self.value_sets)),
            ("validationClock", Data::Json(&now)),
            ("countryCode", Data::Json(&country)),
            ("issuerCountryCode", Data::Json(&issuer)),
            ("iat", Data::Json(&issued_at)),
            ("exp", Data::Json(&expires_at)),
            ("kid", Data::Json(&kid)),
            ("region", Data::Json(&region)),
        ];
        let data = [("payload", Data::Json(asked.dcc)), ("external", Data::Members(&external))];
        let schema = asked.dcc.get("ver").and_then(Value::as_str).and_then(version);
        let (budget, mut open, mut asked_before) = (Budget::new(MAX_STEPS), None, None);
        for rule in self.rules.iter().filter(|rule| self.applies(rule, asked, clock)) {
            if asked_before.replace(rule.id) == Some(rule.id) {
                continue; // an older version
            }
            let readable = schema.is_some_and(|schema| schema[0] == rule.schema[0] && schema >= rule.schema);
            match readable.then(|| rule.logic.is_met(Data::Members(&data), &budget)) {
                Some(Ok(true)) => {}
                Some(Ok(false)) => return Err(Unmet { rule: RuleName::Country(rule.id), open: false }),
                Some(Err(_)) | None => open = open.or(Some(rule.id)),
            }
        }
        open.map_or(Ok(()), |id| Err(Unmet { rule: RuleName::Country(id), open: true }))
    }

    fn applies(&self, rule: &Compiled, asked: &Asked<'_>, clock: Timestamp) -> bool {
        let place = match rule.invalidates {
            true => rule.country.eq_ignore_ascii_case(asked.issuer),
            false => rule.country == self.country && rule.region.eq_ignore_ascii_case(&self.region),
        };
        place && rule.only.is_none_or(|only| only.is(asked.statement)) && (rule.from..=rule.until).contains(&clock)
    }
}

impl CountryRule {
    fn compile(&self, document: &RulesDocument) -> Result<Compiled, RuleFault> {
        if serde_json::to_string(self).map_or(usize::MAX, |json| json.len()) > MAX_RULE_BYTES {
            return Err(RuleFault::TooLong);
        }
        let id = RuleId::parse(&self.identifier).ok_or(RuleFault::Identifier)?;
        let invalidates = match self.kind.as_str() {
            "Acceptance" => false,
            "Invalidation" => true,
            _ => return Err(RuleFault::Type),
        };
        let (only, prefix) = match self.certificate_type.as_str() {
            "General" => (None, "GR"),
            "Vaccination" => (Some(Only::Vaccination), "VR"),
            "Test" => (Some(Only::Test), "TR"),
            "Recovery" => (Some(Only::Recovery), "RR"),
            _ => return Err(RuleFault::Type),
        };
        let prefix = if invalidates { "IR" } else { prefix };
        if !self.identifier.starts_with(prefix) || self.identifier.get(3..5) != Some(&self.country) {
            return Err(RuleFault::Identifier);
        }
        if !invalidates && self.country != document.country {
            return Err(RuleFault::Country);
        }
        let three = |text: &str| version(text).ok_or(RuleFault::Version);
        let engine = three(&self.engine_version)?;
        if self.engine != "CERTLOGIC" || engine > ENGINE_VERSION {
            return Err(RuleFault::Engine);
        }
        let instant = |text: &str| text.parse::<Timestamp>().map_err(|_| RuleFault::Period);
        let (from, until) = (instant(&self.valid_from)?, instant(&self.valid_to)?);
        if until < from {
            return Err(RuleFault::Period);
        }
        let logic = Expression::parse(&self.logic).map_err(|issues| {
            let first = issues.first().map(|issue| issue.message.as_str()).unwrap_or_default();
            RuleFault::Logic(first.chars().filter(|c| !c.is_control()).take(200).collect())
        })?;
        let sets = logic.names_behind(&["external", "valueSets"]);
        if let Some(missing) = sets.into_iter().find(|id| !document.value_sets.contains_key(*id)) {
            return Err(RuleFault::ValueSet(missing.chars().take(100).collect()));
        }
        Ok(Compiled {
            id,
            invalidates,
            country: self.country.clone(),
            region: self.region.as_deref().unwrap_or_default().trim().to_owned(),
            version: three(&self.version)?,
            schema: three(&self.schema_version)?,
            only,
            from,
            until,
            logic,
        })
    }
}

/// The three numbers of a version, such as `1.3.0`.
fn version(text: &str) -> Option<[u32; 3]> {
    let mut parts = text.split('.').map(|part| part.parse::<u32>().ok());
    let version = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(version)
}
