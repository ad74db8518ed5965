//! The rules: which dose may be certified and what course the doses make (here), which products there are, and, as data with
//! versions, which card a statement has and whether it is accepted.

mod country;
mod difference;
mod document;
mod products;
mod rules;

use jiff::civil::Date;

use crate::certificate::{CardColour, Dose, Product, Statement, UnixSeconds};

pub use country::{Asked, CountryRule, CountryRules, RuleDescription, RuleFault, RuleId};
pub use difference::{Difference, differences};
pub use document::{
    AcceptanceRules, CardRules, CompleteBy, ListedProduct, MAX_DOCUMENT_BYTES, RecoveryRules, RulesDocument,
    RulesError, TestRules, VaccinationRules,
};
pub use products::{ProductRow, product_by_code, product_by_number, products};
pub use rules::{RuleName, Rules, Unmet};

/// Whose certificates we sign. Source: ISO 3166-1 alpha-2.
pub const COUNTRY: &str = "VN";
/// `is` of what we sign. Source: Decision 5772/QĐ-BYT: the ministry signs centrally.
pub const ISSUER_NAME: &str = "Ministry of Health";
/// How far another clock may run ahead of ours, in seconds.
pub const CLOCK_SKEW_S: i64 = 60;
/// For how many months a certificate is valid. Source: Decision 5772/QĐ-BYT.
pub const VALID_MONTHS: i64 = 12;

/// A dose as it was given and recorded: what the rules judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenDose {
    /// What was given.
    pub product: &'static ProductRow,
    /// The day it was given on, in Viet Nam.
    pub given_on: Date,
    /// The number that the facility wrote down.
    pub number: u8,
}

/// What is remarkable about a recorded dose; it is certified all the same, for it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    /// Its number is not the one that follows from the doses known.
    Sequence,
    /// Given sooner after the one before than its product allows.
    Interval,
    /// Another product than the dose before.
    MixedProducts,
    /// The same dose was recorded before under another number.
    Duplicate,
    /// Given after the last day on which its lot may be used.
    LotExpired,
    /// It cannot be said which of several known people it was given to, or whether to any: enrolled anew.
    PersonUnclear,
    /// Known by the identity number, but the name or the birth date is not as it is known: see which is right.
    PersonDiffers,
}

impl Flag {
    /// The word used in answers and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Flag::Sequence => "sequence",
            Flag::Interval => "interval",
            Flag::MixedProducts => "mixed_products",
            Flag::Duplicate => "duplicate",
            Flag::LotExpired => "lot_expired",
            Flag::PersonUnclear => "person_unclear",
            Flag::PersonDiffers => "person_differs",
        }
    }
}

/// The course that `doses` make, as certified: its latest dose, counted by the doses known and not by what was written down.
///
/// `doses`: all of one person's, in any order. Returns `None` for none. The course is as long as the first product's; doses
/// beyond it are boosters: 3/3 after a course of two, 2/1 after a course of one. Source: EU technical specifications on boosters.
pub fn course(doses: &[GivenDose]) -> Option<Dose> {
    let first = doses.iter().min_by_key(|dose| (dose.given_on, dose.number))?;
    let latest = doses.iter().max_by_key(|dose| (dose.given_on, dose.number))?;
    let number = u8::try_from(doses.len()).unwrap_or(u8::MAX);
    let series = match first.product.course {
        1 => 1,
        course => course.max(number),
    };
    let product = Product::Code(latest.product.code.into());
    Some(Dose { number, series, product, given_on: latest.given_on })
}

/// What is remarkable about `dose` beside the `others` that the person was given.
pub fn flags(dose: &GivenDose, others: &[GivenDose]) -> Vec<Flag> {
    let before = others.iter().filter(|other| other.given_on < dose.given_on);
    let previous = before.clone().max_by_key(|other| other.given_on);
    let mut flags = Vec::new();
    if usize::from(dose.number) != before.count() + 1 {
        flags.push(Flag::Sequence);
    }
    let too_close = |other: &&GivenDose| {
        let days = crate::certificate::day_from_date(dose.given_on) - crate::certificate::day_from_date(other.given_on);
        days.abs() < i64::from(dose.product.min_interval_days.min(other.product.min_interval_days))
    };
    if others.iter().any(|other| too_close(&other)) {
        flags.push(Flag::Interval);
    }
    if previous.is_some_and(|other| other.product != dose.product) {
        flags.push(Flag::MixedProducts);
    }
    flags
}

/// The colour of a statement by its facts alone, as it is printed and listed: green for a complete course, a test or a recovery,
/// else yellow. What a verifier shows may be otherwise by the rules of the day: [`Rules::card`].
pub fn card(statement: &Statement) -> CardColour {
    match statement {
        Statement::Vaccination(dose) if dose.number < dose.series => CardColour::Yellow,
        _ => CardColour::Green,
    }
}

/// When a certificate issued at `issued_at` expires: [`VALID_MONTHS`] later by Viet Nam's calendar.
pub fn expires_at(issued_at: UnixSeconds) -> UnixSeconds {
    let later = jiff::Timestamp::from_second(issued_at.0).ok().and_then(|instant| {
        let local = jiff::tz::offset(7).to_datetime(instant);
        let later = local.checked_add(jiff::Span::new().months(VALID_MONTHS)).ok()?;
        jiff::tz::offset(7).to_timestamp(later).ok()
    });
    // Only the last year of jiff's calendar has no day twelve months later.
    later.map_or(issued_at, |later| UnixSeconds(later.as_second()))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn given(code: &str, given_on: Date, number: u8) -> GivenDose {
        GivenDose { product: product_by_code(code).expect(code), given_on, number }
    }

    #[test]
    fn counts_the_course_by_the_doses_known() {
        const PFIZER: &str = "EU/1/20/1528";
        const JANSSEN: &str = "EU/1/20/1525";
        let (july, august, winter) = (date(2021, 7, 1), date(2021, 8, 1), date(2021, 12, 20));
        let of = |doses: &[GivenDose]| course(doses).map(|dose| (dose.number, dose.series, dose.given_on));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[given(PFIZER, july, 1)]), Some((1, 2, july)));
        assert_eq!(
            of(&[given(PFIZER, august, 2)]),
            Some((1, 2, august)),
            "a first dose nobody entered is not certified"
        );
        assert_eq!(of(&[given(PFIZER, august, 2), given(PFIZER, july, 1)]), Some((2, 2, august)), "in any order");
        assert_eq!(
            of(&[given(PFIZER, july, 1), given(PFIZER, august, 2), given(PFIZER, winter, 3)]),
            Some((3, 3, winter))
        );
        assert_eq!(of(&[given(JANSSEN, july, 1)]), Some((1, 1, july)));
        assert_eq!(of(&[given(JANSSEN, july, 1), given(PFIZER, winter, 2)]), Some((2, 1, winter)));
        assert_eq!(of(&[given("Abdala", august, 1), given("Abdala", winter, 2)]), Some((2, 3, winter)));
    }

    #[test]
    fn flags_what_is_remarkable_and_nothing_else() {
        let first = given("EU/1/21/1529", date(2021, 7, 1), 1);
        assert_eq!(flags(&first, &[]), []);
        assert_eq!(flags(&given("EU/1/21/1529", date(2021, 7, 29), 2), &[first]), []);
        assert_eq!(flags(&given("EU/1/21/1529", date(2021, 7, 28), 2), &[first]), [Flag::Interval]);
        assert_eq!(flags(&given("EU/1/20/1528", date(2021, 9, 1), 2), &[first]), [Flag::MixedProducts]);
        assert_eq!(flags(&given("EU/1/21/1529", date(2021, 9, 1), 2), &[]), [Flag::Sequence]);
        assert_eq!(flags(&first, &[given("EU/1/21/1529", date(2021, 9, 1), 2)]), [], "a first dose entered late");
    }

    #[test]
    fn a_certificate_expires_twelve_months_later_by_the_calendar() {
        let at = |text: &str| UnixSeconds(text.parse::<jiff::Timestamp>().expect(text).as_second());
        assert_eq!(expires_at(at("2021-08-01T02:15:00Z")), at("2022-08-01T02:15:00Z"));
        assert_eq!(expires_at(at("2024-02-28T18:00:00Z")), at("2025-02-27T18:00:00Z"), "29 February in Viet Nam");
    }
}
