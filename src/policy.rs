//! The rules as data: which products there are, which dose may be certified, which card that makes, what is acceptable.

use jiff::civil::{Date, date};

use crate::certificate::{CardColour, Dose, Product, Statement, UnixSeconds};

/// Whose certificates we sign. Source: ISO 3166-1 alpha-2.
pub const COUNTRY: &str = "VN";
/// `is` of what we sign. Source: Decision 5772/QĐ-BYT: the ministry signs centrally.
pub const ISSUER_NAME: &str = "Ministry of Health";
/// How far another clock may run ahead of ours, in seconds.
pub const CLOCK_SKEW_S: i64 = 60;
/// For how many months a certificate is valid. Source: Decision 5772/QĐ-BYT.
pub const VALID_MONTHS: i64 = 12;

/// A product that we certify, in one row, so that holder and prophylaxis cannot be paired wrongly.
#[derive(Debug, PartialEq, Eq)]
pub struct ProductRow {
    /// Its number in the compact profile. Append-only: a number is never given again.
    pub number: u64,
    /// `mp`: EU value set `vaccines-covid-19-names`.
    pub code: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// `ma`: EU value set `vaccines-covid-19-auth-holders`.
    pub holder: &'static str,
    /// `vp`: EU value set `sct-vaccines-covid-19`.
    pub prophylaxis: &'static str,
    /// How many doses its course has.
    pub course: u8,
    /// Days between two doses under which the interval is flagged as too short.
    pub min_interval_days: u16,
    /// The day of its first authorisation anywhere: nobody was given it earlier, trials apart.
    pub exists_since: Date,
}

/// The products licensed in Viet Nam. Source: FACTS §1; EU value set `vaccines-covid-19-encoding-instructions` of 2023-05-05
/// for code, holder and prophylaxis; first authorisations: MHRA 2020-12-02 and 2020-12-30, FDA 2020-12-18 and 2021-02-27,
/// Minzdrav 2020-08-11, MOHAP 2020-12-09 and 2021-03-28, CECMED 2021-07-09.
static PRODUCTS: [ProductRow; 8] = [
    row(1, "EU/1/21/1529", "AstraZeneca (Vaxzevria)", "ORG-100001699", VIRAL_VECTOR, 2, 28, date(2020, 12, 30)),
    row(2, "Sputnik-V", "Sputnik V", "Gamaleya-Research-Institute", VIRAL_VECTOR, 2, 21, date(2020, 8, 11)),
    row(3, "BBIBP-CorV", "Vero Cell (Sinopharm)", "ORG-100020693", INACTIVATED, 2, 21, date(2020, 12, 9)),
    row(4, "EU/1/20/1528", "Pfizer-BioNTech (Comirnaty)", "ORG-100030215", MRNA, 2, 21, date(2020, 12, 2)),
    row(5, "EU/1/20/1507", "Moderna (Spikevax)", "ORG-100031184", MRNA, 2, 28, date(2020, 12, 18)),
    row(6, "EU/1/20/1525", "Janssen (Jcovden)", "ORG-100001417", VIRAL_VECTOR, 1, 28, date(2021, 2, 27)),
    row(7, "Hayat-Vax", "Hayat-Vax", "ORG-100023050", INACTIVATED, 2, 21, date(2021, 3, 28)),
    row(8, "Abdala", "Abdala", "CIGB", COVID_19_VACCINE, 3, 14, date(2021, 7, 9)),
];

const MRNA: &str = "1119349007";
const VIRAL_VECTOR: &str = "29061000087103";
const INACTIVATED: &str = "1157024006";
const COVID_19_VACCINE: &str = "28531000087107";

#[expect(clippy::too_many_arguments, reason = "a table row, read column by column above")]
const fn row(
    number: u64,
    code: &'static str,
    name: &'static str,
    holder: &'static str,
    prophylaxis: &'static str,
    course: u8,
    min_interval_days: u16,
    exists_since: Date,
) -> ProductRow {
    ProductRow { number, code, name, holder, prophylaxis, course, min_interval_days, exists_since }
}

/// Every product that we certify, by number.
pub fn products() -> &'static [ProductRow] {
    &PRODUCTS
}

/// The product with this number in the compact profile.
pub fn product_by_number(number: u64) -> Option<&'static ProductRow> {
    PRODUCTS.iter().find(|product| product.number == number)
}

/// The product with this code.
pub fn product_by_code(code: &str) -> Option<&'static ProductRow> {
    PRODUCTS.iter().find(|product| product.code == code)
}

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

/// The colour of a statement that is accepted: green for a complete course, a test or a recovery, else yellow.
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

/// Which certificates are accepted, as data with a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Goes up with every change.
    pub version: u64,
    /// For how long after its sample a negative test is accepted, in hours.
    pub test_max_age_hours: i64,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { version: 1, test_max_age_hours: 72 }
    }
}

impl Rules {
    /// Fails with the rule that `statement` does not meet at `now`.
    pub fn check(&self, statement: &Statement, now: UnixSeconds) -> Result<(), &'static str> {
        let today = now.vietnamese_date();
        match statement {
            Statement::Vaccination(Dose { product: Product::UnknownNumber(_), .. }) => Err("product_known"),
            Statement::Vaccination(dose) if dose.given_on > today => Err("dose_given"),
            Statement::Vaccination(_) => Ok(()),
            Statement::Test(test) if !test.negative => Err("test_negative"),
            Statement::Test(test) if now.0 > test.sampled_at.0.saturating_add(self.test_max_age_hours * 3600) => {
                Err("test_recent")
            }
            Statement::Test(_) => Ok(()),
            Statement::Recovery(recovery) if today < recovery.valid_from => Err("recovery_begun"),
            Statement::Recovery(recovery) if today > recovery.valid_until => Err("recovery_recent"),
            Statement::Recovery(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(code: &str, given_on: Date, number: u8) -> GivenDose {
        GivenDose { product: product_by_code(code).expect(code), given_on, number }
    }

    #[test]
    fn product_numbers_and_codes_are_unique_and_numbered_from_one() {
        for (i, product) in products().iter().enumerate() {
            assert_eq!(product.number, i as u64 + 1, "append only");
            assert_eq!(product_by_code(product.code), Some(product));
            assert_eq!(product_by_number(product.number), Some(product));
        }
        assert_eq!(product_by_number(0), None);
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
