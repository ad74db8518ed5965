//! Dates and instants as rules and certificates write them.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _, Zoned};

use super::Unit;

/// The instant in `text`: an RFC 3339 one (offsets also `+02`, `+0200`; UTC where there is none), or a date, which begins at
/// midnight UTC; of a month or a year alone it is the last day. `None` for anything else.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    if text.len() <= 10 {
        return midnight(last_day(text)?);
    }
    let (clock, offset) = match text.get(11..)?.find(['Z', '+', '-']) {
        Some(at) => text.split_at_checked(11 + at)?,
        None => (text, "Z"),
    };
    let clock: DateTime = clock.parse().ok()?;
    let utc = clock.to_zoned(TimeZone::UTC).ok()?.timestamp();
    utc.checked_sub(offset_of(offset)?).ok()
}

/// The birth date of a DCC: a whole date, a month or a year, nothing more. Of a month or a year it is the last day.
pub(super) fn birth(text: &str) -> Option<Timestamp> {
    midnight(last_day(text)?)
}

fn last_day(text: &str) -> Option<Date> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    match text.len() {
        4 if digits => Date::new(text.parse().ok()?, 12, 31).ok(),
        7 if digits => format!("{text}-01").parse::<Date>().ok().map(Date::last_of_month),
        10 if digits => text.parse().ok(),
        _ => None,
    }
}

fn midnight(date: Date) -> Option<Timestamp> {
    date.to_zoned(TimeZone::UTC).ok().map(|zoned: Zoned| zoned.timestamp())
}

/// `Z`, `+02:00`, `+0200`, `+02`.
fn offset_of(text: &str) -> Option<Span> {
    if text == "Z" {
        return Some(Span::new());
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<i64>().ok());
    let (hours, minutes) = match digits.len() {
        2 => (number(digits.get(..2))?, 0),
        4 => (number(digits.get(..2))?, number(digits.get(2..))?),
        _ => return None,
    };
    Span::new().try_minutes(sign * (hours * 60 + minutes)).ok()
}

/// `instant` and so many units of the calendar (UTC), which may be fewer than none. A year after 29 February is 28 February.
pub(super) fn plus(instant: Timestamp, amount: i64, unit: Unit) -> Option<Timestamp> {
    let amount = i32::try_from(amount).ok()?;
    let span = match unit {
        Unit::Year => Span::new().try_years(amount).ok()?,
        Unit::Month => Span::new().try_months(amount).ok()?,
        Unit::Day => Span::new().try_days(amount).ok()?,
        Unit::Hour => return instant.checked_add(i64::from(amount).hours()).ok(),
    };
    instant.to_zoned(TimeZone::UTC).checked_add(span).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        read(text).map(|instant| instant.to_string())
    }

    #[test]
    fn instants_are_read_as_certificates_write_them() {
        for text in [
            "2021-08-01T02:15:00Z",
            "2021-08-01T02:15:00",
            "2021-08-01T09:15:00+07:00",
            "2021-08-01T09:15:00+0700",
            "2021-08-01T09:15:00+07",
            "2021-07-31T22:15:00-04:00",
            "2021-08-01T02:15:00.000Z",
        ] {
            assert_eq!(shown(text).as_deref(), Some("2021-08-01T02:15:00Z"), "{text}");
        }
        for (text, instant) in [("2004", "2004-12-31"), ("2004-02", "2004-02-29"), ("2004-02-01", "2004-02-01")] {
            assert_eq!(shown(text), Some(format!("{instant}T00:00:00Z")));
        }
        for text in ["", "20", "2021-13", "2021-02-30", "2021-08-01T", "yesterday", "2021-08-01T02:15:00+7", "+021"] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn calendar_units_are_added_by_the_calendar() {
        let plus = |text: &str, amount, unit| plus(read(text)?, amount, unit).map(|instant| instant.to_string());
        assert_eq!(plus("2020-02-29", 1, Unit::Year).as_deref(), Some("2021-02-28T00:00:00Z"));
        assert_eq!(plus("2021-01-31", 1, Unit::Month).as_deref(), Some("2021-02-28T00:00:00Z"));
        assert_eq!(plus("2021-06-23", -180, Unit::Day).as_deref(), Some("2020-12-25T00:00:00Z"));
        assert_eq!(plus("2021-06-01", 40, Unit::Hour).as_deref(), Some("2021-06-02T16:00:00Z"));
        assert_eq!(plus("2021-06-01", i64::MAX, Unit::Hour), None);
        assert_eq!(plus("2021-06-01", 1_000_000, Unit::Year), None);
    }
}
