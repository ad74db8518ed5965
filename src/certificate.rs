//! The facts a certificate states: who, which dose, when, and what colour its card has. Uses nothing of ours.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// An instant in whole seconds since 1970-01-01T00:00:00Z; negative before. Source: RFC 8392 §2 (NumericDate).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub i64);

impl UnixSeconds {
    /// The calendar day it is in Viet Nam at this instant (UTC+7, no daylight saving since 1975).
    ///
    /// Instants outside the years -9999 ..= 9999 give the nearest day inside.
    pub fn vietnamese_date(self) -> Date {
        date_from_day(self.0.saturating_add(7 * 3600).div_euclid(86_400))
    }
}

/// The date that lies `day` days after 1970-01-01, held to jiff's range of years (-9999 ..= 9999).
pub fn date_from_day(day: i64) -> Date {
    // By way of an instant, which jiff turns into a date several times as fast as it adds a span.
    match Timestamp::from_second(day.saturating_mul(86_400)) {
        Ok(midnight) => Offset::UTC.to_datetime(midnight).date(),
        Err(_) if day < 0 => Date::MIN,
        Err(_) => Date::MAX,
    }
}

/// How many days `date` lies after 1970-01-01; negative before.
pub fn day_from_date(date: Date) -> i64 {
    let span = EPOCH.duration_until(date);
    span.as_hours() / 24
}

const EPOCH: Date = Date::constant(1970, 1, 1);

/// A birth date as precisely as it is known. Source: DCC schema 1.3 `dob`; many registers know the year only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BirthDate {
    /// Nothing is known (an empty `dob`).
    Unknown,
    /// The year only, 1900 ..= 2099.
    Year(i16),
    /// Year and month (1 ..= 12).
    YearMonth(i16, i8),
    /// The day.
    Day(Date),
}

/// A text is no birth date: not empty, `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, or not a day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a birth date: expected YYYY, YYYY-MM or YYYY-MM-DD")]
pub struct BirthDateError;

impl BirthDate {
    /// True when nothing said by the one contradicts the other and both name a year: 1983 agrees with 1983-10-10.
    pub fn agrees_with(self, other: BirthDate) -> bool {
        let (a, b) = (self.parts(), other.parts());
        let known = a.0.is_some() && b.0.is_some();
        let same = |x: Option<i16>, y: Option<i16>| x.is_none() || y.is_none() || x == y;
        known && same(a.0, b.0) && same(a.1, b.1) && same(a.2, b.2)
    }

    /// The first day on which the person may have been born; `None` if the year is unknown.
    pub fn earliest(self) -> Option<Date> {
        match self {
            BirthDate::Unknown => None,
            BirthDate::Year(year) => Date::new(year, 1, 1).ok(),
            BirthDate::YearMonth(year, month) => Date::new(year, month, 1).ok(),
            BirthDate::Day(date) => Some(date),
        }
    }

    fn parts(self) -> (Option<i16>, Option<i16>, Option<i16>) {
        match self {
            BirthDate::Unknown => (None, None, None),
            BirthDate::Year(year) => (Some(year), None, None),
            BirthDate::YearMonth(year, month) => (Some(year), Some(month.into()), None),
            BirthDate::Day(date) => (Some(date.year()), Some(date.month().into()), Some(date.day().into())),
        }
    }
}

impl fmt::Display for BirthDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BirthDate::Unknown => Ok(()),
            BirthDate::Year(year) => write!(f, "{year:04}"),
            BirthDate::YearMonth(year, month) => write!(f, "{year:04}-{month:02}"),
            BirthDate::Day(date) => write!(f, "{date}"),
        }
    }
}

impl FromStr for BirthDate {
    type Err = BirthDateError;

    /// Reads an empty text, `YYYY`, `YYYY-MM` or `YYYY-MM-DD`. Years outside 1900 ..= 2099 are refused (DCC schema 1.3).
    fn from_str(text: &str) -> Result<Self, BirthDateError> {
        if text.is_empty() {
            return Ok(BirthDate::Unknown);
        }
        let digits = |part: &str, len: usize| match part.len() == len && part.bytes().all(|b| b.is_ascii_digit()) {
            true => part.parse::<i16>().map_err(|_| BirthDateError),
            false => Err(BirthDateError),
        };
        let mut parts = text.split('-');
        let year = digits(parts.next().unwrap_or_default(), 4)?;
        let month = parts.next().map(|part| digits(part, 2)).transpose()?;
        let day = parts.next().map(|part| digits(part, 2)).transpose()?;
        if parts.next().is_some() {
            return Err(BirthDateError);
        }
        BirthDate::from_parts(year, month, day)
    }
}

impl BirthDate {
    /// The birth date made of a year (1900 ..= 2099), a month (1 ..= 12) and a day, each only if the one before is there.
    ///
    /// Errors: [`BirthDateError`] for a day that the calendar lacks.
    pub fn from_parts(year: i16, month: Option<i16>, day: Option<i16>) -> Result<Self, BirthDateError> {
        if !(1900..=2099).contains(&year) {
            return Err(BirthDateError);
        }
        let small = |part: i16| i8::try_from(part).map_err(|_| BirthDateError);
        match (month, day) {
            (None, None) => Ok(BirthDate::Year(year)),
            (Some(month @ 1..=12), None) => Ok(BirthDate::YearMonth(year, small(month)?)),
            (Some(month), Some(day)) => {
                Date::new(year, small(month)?, small(day)?).map(BirthDate::Day).map_err(|_| BirthDateError)
            }
            _ => Err(BirthDateError),
        }
    }
}

/// Names one of our certificates for ever: 16 random bytes, written `URN:UVCI:01:VN:` and 32 upper-case hex digits.
///
/// The same in both profiles; never parsed for meaning. Source: DCC schema `ci`; eHealth Network UVCI, option 3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uvci(pub [u8; 16]);

/// What every UVCI of ours begins with.
pub const UVCI_PREFIX: &str = "URN:UVCI:01:VN:";
const UVCI_LEN: usize = UVCI_PREFIX.len() + 32;

/// A text is not one of our UVCIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UVCI of ours: expected URN:UVCI:01:VN: and 32 hexadecimal digits")]
pub struct UvciError;

impl Uvci {
    /// The text, on the stack.
    pub fn text(&self) -> UvciText<'static> {
        let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 };
        let mut text = [0; UVCI_LEN];
        let (prefix, digits) = text.split_at_mut(UVCI_PREFIX.len());
        prefix.copy_from_slice(UVCI_PREFIX.as_bytes());
        for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(self.0) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        UvciText::Ours(text)
    }
}

impl fmt::Display for Uvci {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// The upper-case text of a UVCI, without its check character: one of ours, or a foreign one as it came.
#[derive(Clone)]
pub enum UvciText<'a> {
    /// `URN:UVCI:01:VN:` and 32 hexadecimal digits.
    Ours([u8; UVCI_LEN]),
    /// Never parsed for meaning.
    Foreign {
        /// Upper case, without a right check character.
        text: Cow<'a, str>,
        /// As the certificate writes it, if that is something else.
        written: Option<Cow<'a, str>>,
    },
}

impl UvciText<'_> {
    /// The same, borrowing nothing.
    pub fn into_owned(self) -> UvciText<'static> {
        match self {
            UvciText::Ours(text) => UvciText::Ours(text),
            UvciText::Foreign { text, written } => UvciText::Foreign {
                text: Cow::Owned(text.into_owned()),
                written: written.map(|written| Cow::Owned(written.into_owned())),
            },
        }
    }

    /// As the certificate writes it, check character and all: what other countries' revocation batches are hashes of.
    pub fn as_written(&self) -> &str {
        match self {
            UvciText::Foreign { written: Some(written), .. } => written,
            text => text,
        }
    }
}

impl std::ops::Deref for UvciText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            UvciText::Ours(text) => std::str::from_utf8(text).expect("the prefix and digits are ASCII"),
            UvciText::Foreign { text, .. } => text,
        }
    }
}

impl PartialEq for UvciText<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for UvciText<'_> {
    /// Names a person's certificate, so it never reaches a log by accident.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UvciText(REDACTED)")
    }
}

impl fmt::Debug for Uvci {
    /// Names a person's certificate, so it never reaches a log by accident.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Uvci(REDACTED)")
    }
}

impl FromStr for Uvci {
    type Err = UvciError;

    /// Reads one of our UVCIs in either case, with or without `URN:UVCI:`; a check character (`#c`) is checked and dropped.
    fn from_str(text: &str) -> Result<Self, UvciError> {
        let upper = text.to_ascii_uppercase();
        let bare = strip_check_character(&upper).ok_or(UvciError)?;
        let short = UVCI_PREFIX.strip_prefix("URN:UVCI:").expect("the prefix begins so");
        let hex = bare.strip_prefix("URN:UVCI:").unwrap_or(bare).strip_prefix(short).ok_or(UvciError)?;
        let mut bytes = [0; 16];
        if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(UvciError);
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| UvciError)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| UvciError)?;
        }
        Ok(Uvci(bytes))
    }
}

/// The UVCI text without its `#c`; `None` if `c` is not its check character. A text without `#` comes back as it is.
///
/// `c` is Luhn mod 38 over `A-Z 0-9 / :` in that order, prefix included. Source: eHealth Network UVCI, annex 2.
pub fn strip_check_character(uvci: &str) -> Option<&str> {
    const ALPHABET: &[u8; 38] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/:";
    let Some((bare, check)) = uvci.rsplit_once('#') else {
        return Some(uvci);
    };
    let code = |byte: u8| ALPHABET.iter().position(|&c| c == byte);
    let sum = bare.bytes().rev().enumerate().try_fold(0, |sum, (i, byte)| {
        let doubled = code(byte)? * if i % 2 == 0 { 2 } else { 1 };
        Some(sum + doubled / 38 + doubled % 38)
    })?;
    let expected = ALPHABET.get((38 - sum % 38) % 38)?;
    (check.as_bytes() == [*expected]).then_some(bare)
}

/// Which of the two forms of the certificate a QR text carries. Source: DESIGN §4 as laid down in ARCHITECTURE.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// `VN1:`, integer-keyed claims, Ed25519, no compression: the default at home.
    Compact,
    /// `HC1:`, the EU Digital COVID Certificate 1.3: for travel.
    Hc1,
}

impl Profile {
    /// The word used in answers and in `?profile=`.
    pub fn as_str(self) -> &'static str {
        match self {
            Profile::Compact => "compact",
            Profile::Hc1 => "hc1",
        }
    }
}

impl FromStr for Profile {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Profile::Compact, Profile::Hc1].into_iter().find(|profile| profile.as_str() == text).ok_or(())
    }
}

/// What a certificate says, as decoded or as about to be signed. True only once a signature was proved over it.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate<'a> {
    /// The form it came in.
    pub profile: Profile,
    /// `iss`: an ISO 3166-1 alpha-2 country; may be absent on foreign certificates.
    pub issuer: Option<Cow<'a, str>>,
    /// `iat`.
    pub issued_at: Option<UnixSeconds>,
    /// `exp`.
    pub expires_at: Option<UnixSeconds>,
    /// `ci`: the upper-case UVCI without its check character. Foreign ones are kept as they came.
    pub uvci: UvciText<'a>,
    /// The holder's name, family name first.
    pub name: Cow<'a, str>,
    /// The holder's birth date.
    pub birth: BirthDate,
    /// What happened.
    pub statement: Statement,
}

impl Certificate<'_> {
    /// The same, borrowing nothing.
    pub fn into_owned(self) -> Certificate<'static> {
        let Certificate { profile, issuer, issued_at, expires_at, uvci, name, birth, statement } = self;
        let issuer = issuer.map(|issuer| Cow::Owned(issuer.into_owned()));
        let (uvci, name) = (uvci.into_owned(), Cow::Owned(name.into_owned()));
        Certificate { profile, issuer, issued_at, expires_at, uvci, name, birth, statement }
    }
}

/// What a certificate certifies: exactly one thing. Source: DCC schema 1.3 `v`, `t`, `r`.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// `v`: a dose.
    Vaccination(Dose),
    /// `t`: a test.
    Test(Test),
    /// `r`: a recovery.
    Recovery(Recovery),
}

impl Statement {
    /// The word used in answers.
    pub fn as_str(&self) -> &'static str {
        match self {
            Statement::Vaccination(_) => "vaccination",
            Statement::Test(_) => "test",
            Statement::Recovery(_) => "recovery",
        }
    }
}

/// One administered dose. Source: DCC schema 1.3 `vaccination_entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dose {
    /// `dn`: this dose's number, from 1.
    pub number: u8,
    /// `sd`: how many doses the course has, from 1.
    pub series: u8,
    /// `mp`: what was given.
    pub product: Product,
    /// `dt`: the day it was given on.
    pub given_on: Date,
}

/// A medicinal product as a certificate names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Product {
    /// A code of the EU value set `vaccines-covid-19-names`, or what a country put there instead.
    Code(Cow<'static, str>),
    /// A number of the compact profile that our table does not hold (yet).
    UnknownNumber(u64),
}

/// A test. Source: DCC schema 1.3 `test_entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// `tr` is SNOMED CT 260415000: not detected.
    pub negative: bool,
    /// `sc`: when the sample was taken.
    pub sampled_at: UnixSeconds,
}

/// A recovery. Source: DCC schema 1.3 `recovery_entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// `fr`: the day of the first positive test.
    pub positive_on: Date,
    /// `df`: valid from this day.
    pub valid_from: Date,
    /// `du`: valid to the end of this day.
    pub valid_until: Date,
}

/// The colour of a card, always shown with words and a shape. Source: DESIGN §3; Decision 5772/QĐ-BYT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CardColour {
    /// A course begun and not complete.
    Yellow,
    /// A complete course; also accepted tests and recoveries.
    Green,
    /// Rejected.
    Red,
    /// Off line, and to be confirmed on line.
    Amber,
}

impl CardColour {
    /// The word used in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            CardColour::Yellow => "yellow",
            CardColour::Green => "green",
            CardColour::Red => "red",
            CardColour::Amber => "amber",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_convert_both_ways() {
        let days = [(0, "1970-01-01"), (-1, "1969-12-31"), (18_840, "2021-08-01"), (5_030, "1983-10-10")];
        let ends = [(-719_162, "0001-01-01"), (2_932_895, "9999-12-30"), (2_932_896, "9999-12-31")];
        for (day, text) in days.into_iter().chain(ends) {
            assert_eq!(date_from_day(day).to_string(), text);
            assert_eq!(day_from_date(text.parse().expect("a date")), day);
        }
        assert_eq!(date_from_day(i64::MAX), Date::MAX);
        assert_eq!(date_from_day(i64::MIN), Date::MIN);
    }

    #[test]
    fn tomorrow_begins_in_viet_nam_at_17_utc() {
        let seventeen = 1_627_837_200; // 2021-08-01T17:00:00Z
        assert_eq!(UnixSeconds(seventeen - 1).vietnamese_date().to_string(), "2021-08-01");
        assert_eq!(UnixSeconds(seventeen).vietnamese_date().to_string(), "2021-08-02");
    }

    #[test]
    fn birth_dates_keep_the_precision_they_came_with() {
        for text in ["", "1983", "1983-10", "1983-10-10", "1900", "2099-12-31"] {
            assert_eq!(text.parse::<BirthDate>().expect(text).to_string(), text);
        }
        for text in [
            "83",
            "1983-13",
            "1983-00",
            "1983-1",
            "1983-02-30",
            "1983-10-10-1",
            "1983-10-10T00:00:00",
            "1899",
            "2100",
            "+983",
        ] {
            assert_eq!(text.parse::<BirthDate>(), Err(BirthDateError), "{text}");
        }
    }

    #[test]
    fn birth_dates_agree_when_neither_contradicts_the_other() {
        let agree = |a: &str, b: &str| {
            let (a, b) = (a.parse::<BirthDate>().expect(a), b.parse::<BirthDate>().expect(b));
            assert_eq!(a.agrees_with(b), b.agrees_with(a));
            a.agrees_with(b)
        };
        assert!(agree("1983", "1983-10-10") && agree("1983-10", "1983-10-10") && agree("1983-10-10", "1983-10-10"));
        assert!(
            !agree("1984", "1983-10-10") && !agree("1983-10-10", "1983-10-11") && !agree("", "1983") && !agree("", "")
        );
    }

    #[test]
    fn reads_a_check_character_and_writes_none() {
        assert_eq!(strip_check_character("URN:UVCI:01:NL:187/37512422923#Z"), Some("URN:UVCI:01:NL:187/37512422923"));
        assert_eq!(strip_check_character("URN:UVCI:01:NL:187/37512422923#Y"), None);
        assert_eq!(strip_check_character("URN:UVCI:01:NL:187/37512422923"), Some("URN:UVCI:01:NL:187/37512422923"));
        let uvci: Uvci = "urn:uvci:01:vn:fffe3d31fabd035899134a9d3bae9bcf".parse().expect("a UVCI");
        assert_eq!(uvci.to_string(), "URN:UVCI:01:VN:FFFE3D31FABD035899134A9D3BAE9BCF");
        assert_eq!("01:VN:FFFE3D31FABD035899134A9D3BAE9BCF".parse(), Ok(uvci));
        assert_eq!("URN:UVCI:01:VN:FFFE3D31FABD035899134A9D3BAE9BC".parse::<Uvci>(), Err(UvciError));
        assert_eq!("URN:UVCI:01:VN:+FFE3D31FABD035899134A9D3BAE9BCF".parse::<Uvci>(), Err(UvciError));
    }
}
