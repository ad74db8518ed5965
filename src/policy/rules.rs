//! The rules in force: which card a statement has now, and which rule it does not meet.

use std::fmt;

use jiff::civil::Date;
use serde::{Serialize, Serializer};

use super::country::{CountryRules, RuleId};
use super::products::for_ever;
use super::{CompleteBy, ProductRow, RulesDocument, RulesError, product_by_code};
use crate::certificate::{CardColour, Dose, Product, Statement, UnixSeconds, day_from_date};

/// Which certificates are accepted, checked and ready to be asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    document: RulesDocument,
    /// Products that the built-in table does not hold.
    added: Vec<&'static ProductRow>,
    /// A country's rules, where there are any: boxed, for hardly anybody has them.
    country: Option<Box<CountryRules>>,
}

/// The name of a rule that is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleName {
    /// One of ours, such as `test_recent`.
    Ours(&'static str),
    /// A country's, such as `VR-DE-0001`.
    Country(RuleId),
}

impl RuleName {
    /// The word in answers.
    pub fn as_str(&self) -> &str {
        match self {
            RuleName::Ours(word) => word,
            RuleName::Country(id) => id.as_str(),
        }
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RuleName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A rule that a statement does not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unmet {
    /// Which.
    pub rule: RuleName,
    /// True if the rule could not be asked of it, so that nobody knows: it is not accepted all the same.
    pub open: bool,
}

impl From<&'static str> for Unmet {
    fn from(rule: &'static str) -> Unmet {
        Unmet { rule: RuleName::Ours(rule), open: false }
    }
}

impl Rules {
    /// The rules that `document` is. Errors: every [`RulesError`] but [`RulesError::Stale`].
    pub fn new(document: RulesDocument) -> Result<Rules, RulesError> {
        document.check()?;
        let country = CountryRules::compile(&document)?.map(Box::new);
        let known = |code: &str| product_by_code(code).is_some();
        let added = document.products.iter().filter(|product| !known(&product.code)).map(for_ever).collect();
        Ok(Rules { document, added, country })
    }

    /// Goes up with every change.
    pub fn version(&self) -> u64 {
        self.document.version
    }

    /// The document that they are made of.
    pub fn document(&self) -> &RulesDocument {
        &self.document
    }

    /// A country's rules, where there are any: to be asked of the whole certificate, after [`Rules::check`].
    pub fn country(&self) -> Option<&CountryRules> {
        self.country.as_deref()
    }

    /// The product that a certificate names; `None` if it is not listed.
    pub fn product(&self, product: &Product) -> Option<&'static ProductRow> {
        match product {
            Product::Code(code) => {
                product_by_code(code).or_else(|| self.added.iter().copied().find(|row| row.code == *code))
            }
            Product::UnknownNumber(number) => self.added.iter().copied().find(|row| row.number == *number),
        }
    }

    /// The colour of a statement that is accepted at `now`.
    pub fn card(&self, statement: &Statement, now: UnixSeconds) -> CardColour {
        match statement {
            Statement::Vaccination(dose) if !self.is_green(dose, now) => CardColour::Yellow,
            _ => CardColour::Green,
        }
    }

    fn is_green(&self, dose: &Dose, now: UnixSeconds) -> bool {
        let card = &self.document.card;
        let complete = match card.complete_by {
            CompleteBy::Certificate => dose.number >= dose.series,
            CompleteBy::Product => dose.number > dose.series || dose.number >= dose.series.max(self.course(dose)),
        };
        complete
            && (card.days_after_last_dose == 0
                || (!card.boosters_wait && self.is_booster(dose))
                || days_since(dose.given_on, now) >= i64::from(card.days_after_last_dose))
    }

    /// How many doses the course of its product has; 0 for one that is not listed.
    fn course(&self, dose: &Dose) -> u8 {
        self.product(&dose.product).map_or(0, |product| product.course)
    }

    /// 2/1 after a course of one, 3/3 after a course of two. Source: EU technical specifications on boosters.
    fn is_booster(&self, dose: &Dose) -> bool {
        let course = match self.course(dose) {
            0 => 2,
            course => course,
        };
        dose.number > dose.series || dose.number > course
    }

    /// Fails with the rule that `statement` does not meet at `now`; a country's rules are asked elsewhere.
    pub fn check(&self, statement: &Statement, now: UnixSeconds) -> Result<(), Unmet> {
        match statement {
            Statement::Vaccination(dose) => self.check_dose(dose, now)?,
            Statement::Test(test) => {
                let seconds = i64::from(self.document.acceptance.test.max_age_hours) * 3600;
                match () {
                    () if !test.negative => Err("test_negative")?,
                    () if now.0 > test.sampled_at.0.saturating_add(seconds) => Err("test_recent")?,
                    () => {}
                }
            }
            Statement::Recovery(recovery) => {
                let (rules, today) = (&self.document.acceptance.recovery, now.vietnamese_date());
                let age = days_since(recovery.positive_on, now);
                match () {
                    () if today < recovery.valid_from => Err("recovery_begun")?,
                    () if rules.days_after_positive > 0 && age < i64::from(rules.days_after_positive) => {
                        Err("recovery_begun")?;
                    }
                    () if today > recovery.valid_until => Err("recovery_recent")?,
                    () if rules.max_age_days.is_some_and(|most| age > i64::from(most)) => Err("recovery_recent")?,
                    () => {}
                }
            }
        }
        Ok(())
    }

    fn check_dose(&self, dose: &Dose, now: UnixSeconds) -> Result<(), &'static str> {
        let rules = &self.document.acceptance.vaccination;
        if matches!(dose.product, Product::UnknownNumber(_)) && self.product(&dose.product).is_none() {
            return Err("product_known");
        }
        if dose.given_on > now.vietnamese_date() {
            return Err("dose_given");
        }
        if let Some(codes) = &rules.products
            && !codes.iter().any(|code| self.code(dose) == Some(code))
        {
            return Err("product_accepted");
        }
        if rules.green_only && !self.is_green(dose, now) {
            return Err("course_complete");
        }
        if rules.max_age_days.is_none() && rules.booster_max_age_days.is_none() {
            return Ok(());
        }
        let most = if self.is_booster(dose) { rules.booster_max_age_days } else { rules.max_age_days };
        match most {
            Some(most) if days_since(dose.given_on, now) > i64::from(most) => Err("course_recent"),
            _ => Ok(()),
        }
    }

    /// The code of its product, also where the certificate has a number that only these rules know.
    pub fn code<'a>(&self, dose: &'a Dose) -> Option<&'a str> {
        match &dose.product {
            Product::Code(code) => Some(code),
            unknown @ Product::UnknownNumber(_) => self.product(unknown).map(|row| row.code),
        }
    }
}

/// How many days ago `day` was in Viet Nam; negative for days to come.
fn days_since(day: Date, now: UnixSeconds) -> i64 {
    day_from_date(now.vietnamese_date()) - day_from_date(day)
}

#[cfg(test)]
mod tests;
