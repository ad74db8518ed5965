//! The rules as they are written down, stored and published: one JSON document, checked whole before any of it is in force.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use super::country::{CountryRule, RuleFault};
use super::{COUNTRY, ProductRow, products};

/// The longest document that is read: the largest country's rules take some 100 kB.
pub const MAX_DOCUMENT_BYTES: usize = 1 << 20;
const MAX_PRODUCTS: usize = 128;
const MAX_TEXT_BYTES: usize = 200;
const MAX_DAYS: u16 = 3650;
const MAX_HOURS: u16 = 8760;
const MAX_VALUE_SETS: usize = 32;
const MAX_CODES: usize = 1000;

/// What is green, what is yellow and what is accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesDocument {
    /// Goes up with every change.
    pub version: u64,
    /// The products that a compact certificate may name by number. Rows are added, and never change.
    pub products: Vec<ListedProduct>,
    /// When the card of an accepted vaccination is green.
    pub card: CardRules,
    /// What is accepted.
    pub acceptance: AcceptanceRules,
    /// Whose acceptance rules `certlogic` holds: ISO 3166-1 alpha-2.
    #[serde(default = "home")]
    #[schema(example = "VN")]
    pub country: String,
    /// For which part of the country; empty for all of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// Rules of the EU's form, asked after all others.
    #[serde(default)]
    pub certlogic: Vec<CountryRule>,
    /// What `external.valueSets` is for them: the codes of each set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub value_sets: BTreeMap<String, Vec<String>>,
}

fn home() -> String {
    COUNTRY.to_owned()
}

/// A product of the append-only table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListedProduct {
    /// Its number in the compact profile, never given again.
    #[schema(example = 4)]
    pub number: u64,
    /// Its code in the EU value set `vaccines-covid-19-names`.
    #[schema(example = "EU/1/20/1528")]
    pub code: String,
    /// What people call it.
    pub name: String,
    /// Its holder in the EU value set `vaccines-covid-19-auth-holders`.
    pub holder: String,
    /// Its kind in the EU value set `sct-vaccines-covid-19`.
    pub prophylaxis: String,
    /// How many doses its course has.
    pub course: u8,
    /// Days between two doses under which the interval is flagged as too short.
    pub min_interval_days: u16,
    /// The day of its first authorisation anywhere.
    #[serde(serialize_with = "write_day", deserialize_with = "read_day")]
    #[schema(value_type = String, example = "2020-12-02")]
    pub exists_since: Date,
}

fn write_day<S: Serializer>(day: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(day)
}

fn read_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text = String::deserialize(deserializer)?;
    let day = Some(&text).filter(|text| text.len() == 10).and_then(|text| text.parse().ok());
    day.ok_or_else(|| serde::de::Error::custom("expected YYYY-MM-DD, a day of the calendar"))
}

/// When the card of an accepted vaccination is green; before that it is yellow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CardRules {
    /// From how many days after its last dose a complete course is green.
    pub days_after_last_dose: u16,
    /// Whether a booster (3/3 after a course of two, 2/1 after a course of one) has those days to wait as well.
    pub boosters_wait: bool,
    /// What says that a course is complete.
    pub complete_by: CompleteBy,
}

/// What says that a course is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompleteBy {
    /// The certificate: its dose is the last of its series, or one beyond it.
    Certificate,
    /// That, and the product's course in the table, where it is listed there.
    Product,
}

/// What is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptanceRules {
    /// Of vaccinations.
    pub vaccination: VaccinationRules,
    /// Of tests; positive ones never are.
    pub test: TestRules,
    /// Of recoveries, within the days that the certificate itself names.
    pub recovery: RecoveryRules,
}

/// Which vaccinations are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VaccinationRules {
    /// The codes of the only products that are; absent for every product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub products: Option<Vec<String>>,
    /// Whether only those are whose card is green.
    pub green_only: bool,
    /// For how many days after its last dose a course is; absent for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_days: Option<u16>,
    /// The same for boosters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booster_max_age_days: Option<u16>,
}

/// Which tests are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRules {
    /// For how many hours after its sample a negative test is.
    pub max_age_hours: u16,
}

/// Which recoveries are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoveryRules {
    /// From how many days after the first positive test they are.
    pub days_after_positive: u16,
    /// Until how many days after the first positive test they are; absent for no bound but the certificate's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_days: Option<u16>,
}

/// Why a document cannot be the rules. The ones in force stay.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RulesError {
    /// Longer than [`MAX_DOCUMENT_BYTES`].
    #[error("it is longer than {MAX_DOCUMENT_BYTES} bytes")]
    TooLong,
    /// No JSON, or not of the shape of rules.
    #[error("it is not written as rules are: {0}")]
    Malformed(String),
    /// Made from other rules than those in force.
    #[error("it was made from version {made_from}, and version {in_force} is in force: look at that first")]
    Stale {
        /// The version that it says.
        made_from: u64,
        /// The version in force.
        in_force: u64,
    },
    /// A number, or a text's or a list's length, is not within its bounds.
    #[error("{0} is not within its bounds")]
    OutOfBounds(&'static str),
    /// Two products have one number, or one code.
    #[error("product {0} is listed twice, or its code is")]
    ProductTwice(u64),
    /// A product that was listed is no more.
    #[error("product {0} is no longer listed; numbers are never taken back")]
    ProductGone(u64),
    /// A product is no longer what it was.
    #[error("product {0} is not what it was; numbers never change their meaning")]
    ProductChanged(u64),
    /// A country's rule cannot be asked.
    #[error("rule {identifier}: {fault}")]
    Rule {
        /// Which rule, as far as it can be said.
        identifier: String,
        /// What is wrong with it.
        fault: RuleFault,
    },
}

impl RulesError {
    /// The stable word.
    pub fn code(&self) -> &'static str {
        match self {
            RulesError::TooLong => "rules_too_long",
            RulesError::Malformed(_) => "rules_malformed",
            RulesError::Stale { .. } => "rules_stale",
            RulesError::OutOfBounds(_) => "rules_out_of_bounds",
            RulesError::ProductTwice(_) => "product_twice",
            RulesError::ProductGone(_) => "product_gone",
            RulesError::ProductChanged(_) => "product_changed",
            RulesError::Rule { fault, .. } => fault.code(),
        }
    }
}

impl Default for RulesDocument {
    /// Version 1, which is in force until another one is set.
    fn default() -> Self {
        RulesDocument {
            version: 1,
            products: products().iter().map(ListedProduct::of).collect(),
            card: CardRules { days_after_last_dose: 0, boosters_wait: false, complete_by: CompleteBy::Certificate },
            acceptance: AcceptanceRules {
                vaccination: VaccinationRules {
                    products: None,
                    green_only: false,
                    max_age_days: None,
                    booster_max_age_days: None,
                },
                test: TestRules { max_age_hours: 72 },
                recovery: RecoveryRules { days_after_positive: 0, max_age_days: None },
            },
            country: home(),
            region: String::new(),
            certlogic: Vec::new(),
            value_sets: BTreeMap::new(),
        }
    }
}

impl RulesDocument {
    /// The document in `json`, not checked any further.
    ///
    /// Errors: [`RulesError::TooLong`], [`RulesError::Malformed`], also for a member that rules do not have.
    pub fn read(json: &[u8]) -> Result<RulesDocument, RulesError> {
        if json.len() > MAX_DOCUMENT_BYTES {
            return Err(RulesError::TooLong);
        }
        serde_json::from_slice(json).map_err(|error| RulesError::Malformed(error.to_string()))
    }

    /// The document as it is stored, signed and published.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("rules have text keys")
    }

    /// Fails unless every number, text and list is within its bounds, and every product is there once and unchanged.
    pub(super) fn check(&self) -> Result<(), RulesError> {
        let within = |fits: bool, what: &'static str| if fits { Ok(()) } else { Err(RulesError::OutOfBounds(what)) };
        let (vaccination, test, recovery) =
            (&self.acceptance.vaccination, &self.acceptance.test, &self.acceptance.recovery);
        let days = |days: Option<u16>| days.is_none_or(|days| days <= MAX_DAYS);
        // What JavaScript can count to.
        within((1..1 << 53).contains(&self.version), "version")?;
        within(self.card.days_after_last_dose <= MAX_DAYS, "card.days_after_last_dose")?;
        within(days(vaccination.max_age_days), "acceptance.vaccination.max_age_days")?;
        within(days(vaccination.booster_max_age_days), "acceptance.vaccination.booster_max_age_days")?;
        within((1..=MAX_HOURS).contains(&test.max_age_hours), "acceptance.test.max_age_hours")?;
        within(recovery.days_after_positive <= MAX_DAYS, "acceptance.recovery.days_after_positive")?;
        within(days(recovery.max_age_days), "acceptance.recovery.max_age_days")?;
        let codes = vaccination.products.as_deref().unwrap_or_default();
        within(
            codes.len() <= MAX_PRODUCTS && codes.iter().all(|code| is_text(code)),
            "acceptance.vaccination.products",
        )?;
        let is_country = self.country.len() == 2 && self.country.bytes().all(|byte| byte.is_ascii_uppercase());
        within(is_country, "country")?;
        within(self.region.len() <= 5, "region")?;
        let sets = &self.value_sets;
        let fits = |(id, codes): (&String, &Vec<String>)| {
            is_text(id) && codes.len() <= MAX_CODES && codes.iter().all(|code| is_text(code))
        };
        within(sets.len() <= MAX_VALUE_SETS && sets.iter().all(fits), "value_sets")?;
        self.check_products()
    }

    fn check_products(&self) -> Result<(), RulesError> {
        if self.products.len() > MAX_PRODUCTS || !self.products.iter().all(ListedProduct::is_within_bounds) {
            return Err(RulesError::OutOfBounds("products"));
        }
        for (at, product) in self.products.iter().enumerate() {
            let mut earlier = self.products.iter().take(at);
            if earlier.any(|other| other.number == product.number || other.code == product.code) {
                return Err(RulesError::ProductTwice(product.number));
            }
        }
        products().iter().try_for_each(|row| self.keeps(&ListedProduct::of(row)))
    }

    /// Fails unless this version may come after `before`: no product is gone, and none is another.
    pub fn may_follow(&self, before: &RulesDocument) -> Result<(), RulesError> {
        if self.version != before.version {
            return Err(RulesError::Stale { made_from: self.version, in_force: before.version });
        }
        before.products.iter().try_for_each(|product| self.keeps(product))
    }

    fn keeps(&self, product: &ListedProduct) -> Result<(), RulesError> {
        match self.products.iter().find(|listed| listed.number == product.number) {
            None => Err(RulesError::ProductGone(product.number)),
            Some(listed) if listed != product => Err(RulesError::ProductChanged(product.number)),
            Some(_) => Ok(()),
        }
    }
}

fn is_text(text: &str) -> bool {
    (1..=MAX_TEXT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

impl ListedProduct {
    /// How a row of the table is listed.
    pub fn of(row: &ProductRow) -> ListedProduct {
        ListedProduct {
            number: row.number,
            code: row.code.to_owned(),
            name: row.name.to_owned(),
            holder: row.holder.to_owned(),
            prophylaxis: row.prophylaxis.to_owned(),
            course: row.course,
            min_interval_days: row.min_interval_days,
            exists_since: row.exists_since,
        }
    }

    /// True if `row` says the same.
    pub(super) fn is(&self, row: &ProductRow) -> bool {
        let texts = |a: [&str; 4], b: [&str; 4]| a == b;
        (self.number, self.course, self.min_interval_days, self.exists_since)
            == (row.number, row.course, row.min_interval_days, row.exists_since)
            && texts(
                [&self.code, &self.name, &self.holder, &self.prophylaxis],
                [row.code, row.name, row.holder, row.prophylaxis],
            )
    }

    fn is_within_bounds(&self) -> bool {
        (1..1 << 31).contains(&self.number)
            && [&self.code, &self.name, &self.holder, &self.prophylaxis].into_iter().all(|text| is_text(text))
            && (1..=9).contains(&self.course)
            && self.min_interval_days <= MAX_DAYS
    }
}
