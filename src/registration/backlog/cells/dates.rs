//! Days as people and spreadsheets write them: day first, or year first, or Excel's count of days. Month first is refused.

use jiff::civil::{Date, Time};
use jiff::tz::Offset;

use super::{Refused, refused};
use crate::certificate::{BirthDate, date_from_day, day_from_date};

const DATE_INVALID: Refused = refused(
    "date_invalid",
    "expected a day of the calendar such as 03/08/2021 or 2021-08-03",
    "cần một ngày có thật như 03/08/2021 hoặc 2021-08-03",
);
const DATE_MONTH_FIRST: Refused = refused(
    "date_month_first",
    "the month seems to stand before the day: write the day first",
    "có vẻ tháng đứng trước ngày: hãy ghi ngày trước",
);
const DATE_INCOMPLETE: Refused =
    refused("date_incomplete", "the day is needed, not only the month or year", "cần đủ ngày, tháng, năm");
const YEAR_UNCLEAR: Refused = refused(
    "year_unclear",
    "two digits do not tell which century: write the year in four",
    "hai chữ số không rõ năm nào: hãy ghi năm đủ bốn chữ số",
);

/// When a dose was given if its day is all that is known: the day is what counts, and nine in the morning is on it.
const USUAL_HOUR: Time = Time::constant(9, 0, 0, 0);

/// Viet Nam's.
const OFFSET: Offset = Offset::constant(7);

/// Nobody vaccinated is younger, in years, and hardly anybody older: what tells 1916 from 2016.
const AGES: std::ops::RangeInclusive<i16> = 5..=105;

/// The year and century of a text that gives two digits, when nothing else tells: doses are given from 2020 on.
const CENTURY: i16 = 2000;

/// What a text says of a day.
struct Written {
    year: i16,
    /// Written with two digits, so that `year` is below 100.
    short: bool,
    month: Option<i16>,
    day: Option<i16>,
    time: Option<(Time, Option<Offset>)>,
}

/// The instant that a dose was given at in RFC 3339, in Viet Nam's time; a day alone is nine o'clock of it.
///
/// Errors: `date_invalid`, `date_month_first`, `date_incomplete`.
pub(in super::super) fn given_at(text: &str) -> Result<String, Refused> {
    let written = read(text)?;
    let date = written.date(written.year + if written.short { CENTURY } else { 0 })?;
    let (date, time) = match written.time {
        Some((time, Some(offset))) => {
            let instant = offset.to_timestamp(date.to_datetime(time)).map_err(|_| DATE_INVALID)?;
            let local = OFFSET.to_datetime(instant);
            (local.date(), local.time())
        }
        // Midnight is what a spreadsheet makes of a day.
        Some((time, None)) if time != Time::midnight() => (date, time),
        _ => (date, USUAL_HOUR),
    };
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    Ok(format!("{date}T{hour:02}:{minute:02}:{second:02}+07:00"))
}

/// A birth date as `YYYY-MM-DD`, `YYYY-MM` or `YYYY`. `given`: the year in which the dose was given, if known.
///
/// Errors: `date_invalid`, `date_month_first`, `year_unclear`.
pub(in super::super) fn birth(text: &str, given: Option<i16>) -> Result<String, Refused> {
    let written = read(text)?;
    let year = match written.short {
        false => written.year,
        true => {
            let given = given.unwrap_or(2021);
            let fits = |century: i16| AGES.contains(&(given - century - written.year));
            match (fits(1900), fits(2000)) {
                (true, false) => 1900 + written.year,
                (false, true) => 2000 + written.year,
                _ => return Err(YEAR_UNCLEAR),
            }
        }
    };
    if written.day.is_some() {
        written.date(year)?; // says which way it is wrong
    }
    let birth = BirthDate::from_parts(year, written.month, written.day).map_err(|_| DATE_INVALID)?;
    Ok(birth.to_string())
}

/// The last day of a lot as `YYYY-MM-DD`; of a month it is the month's last. Errors: `date_invalid`, `date_month_first`, `date_incomplete`.
pub(in super::super) fn last_day(text: &str) -> Result<String, Refused> {
    let mut written = read(text)?;
    let year = written.year + if written.short { CENTURY } else { 0 };
    if let (Some(month), None) = (written.month, written.day) {
        let first = i8::try_from(month).ok().and_then(|month| Date::new(year, month, 1).ok()).ok_or(DATE_INVALID)?;
        written.day = Some(first.days_in_month().into());
    }
    Ok(written.date(year)?.to_string())
}

impl Written {
    fn date(&self, year: i16) -> Result<Date, Refused> {
        let (Some(month), Some(day)) = (self.month, self.day) else { return Err(DATE_INCOMPLETE) };
        let small = |part: i16| i8::try_from(part).map_err(|_| DATE_INVALID);
        match (1900..=2099).contains(&year) {
            true if (13..=31).contains(&month) && (1..=12).contains(&day) => Err(DATE_MONTH_FIRST),
            true => Date::new(year, small(month)?, small(day)?).map_err(|_| DATE_INVALID),
            false => Err(DATE_INVALID),
        }
    }
}

/// Reads `text` up to where a time may follow.
fn read(text: &str) -> Result<Written, Refused> {
    let text = text.trim();
    if text.len() > 40 || !text.is_ascii() {
        return Err(DATE_INVALID);
    }
    if let Some(written) = serial(text) {
        return Ok(written);
    }
    let mut rest = text;
    let first = digits(&mut rest).ok_or(DATE_INVALID)?;
    if rest.is_empty() {
        return alone(first);
    }
    let second = separated(&mut rest).and_then(|()| digits(&mut rest)).ok_or(DATE_INVALID)?;
    if rest.is_empty() {
        return match (first.len(), second.len()) {
            (4, 1..=2) => written(first, second, None, None),
            (1..=2, 4) => written(second, first, None, None),
            _ => Err(DATE_INVALID),
        };
    }
    let third = separated(&mut rest).and_then(|()| digits(&mut rest)).ok_or(DATE_INVALID)?;
    let time = match rest.trim_start_matches([' ', 'T', ',']) {
        _ if rest.is_empty() => None,
        time if time.len() < rest.len() => Some(self::time(time).ok_or(DATE_INVALID)?),
        _ => return Err(DATE_INVALID),
    };
    match (first.len(), second.len(), third.len()) {
        (4, 1..=2, 1..=2) => written(first, second, Some(third), time),
        (1..=2, 1..=2, 2 | 4) => written(third, second, Some(first), time),
        _ => Err(DATE_INVALID),
    }
}

fn written(
    year: &str,
    month: &str,
    day: Option<&str>,
    time: Option<(Time, Option<Offset>)>,
) -> Result<Written, Refused> {
    let number = |text: &str| text.parse::<i16>().map_err(|_| DATE_INVALID);
    let day = day.map(number).transpose()?;
    Ok(Written { year: number(year)?, short: year.len() == 2, month: Some(number(month)?), day, time })
}

/// A year, or eight digits: 20210803 or 03082021. Only one of the two can be a day of our years.
fn alone(digits: &str) -> Result<Written, Refused> {
    let part = |range: std::ops::Range<usize>| digits.get(range).ok_or(DATE_INVALID);
    match digits.len() {
        4 => {
            let year = digits.parse().map_err(|_| DATE_INVALID)?;
            Ok(Written { year, short: false, month: None, day: None, time: None })
        }
        8 => {
            let year_first = written(part(0..4)?, part(4..6)?, Some(part(6..8)?), None)?;
            match year_first.date(year_first.year) {
                Ok(_) => Ok(year_first),
                Err(_) => written(part(4..8)?, part(2..4)?, Some(part(0..2)?), None),
            }
        }
        _ => Err(DATE_INVALID),
    }
}

/// Excel's count of days: five digits, and a time of day behind a point or comma. Four digits are a year.
fn serial(text: &str) -> Option<Written> {
    let (days, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if days.len() != 5 || !all_digits(days) || !all_digits(fraction) {
        return None;
    }
    // Day 1 is 1900-01-01, but Excel has a 1900-02-29, as Lotus 1-2-3 had: from March 1900 on it counts one too many.
    let date = date_from_day(days.parse::<i64>().ok()? - 1 + day_from_date(Date::constant(1900, 1, 1)) - 1);
    let seconds = (format!("0.{fraction}").parse::<f64>().ok()? * 86_400.0).round().min(86_399.0);
    let time = Time::midnight().checked_add(jiff::SignedDuration::from_secs_f64(seconds)).ok()?;
    Some(Written {
        year: date.year(),
        short: false,
        month: Some(date.month().into()),
        day: Some(date.day().into()),
        time: Some((time, None)),
    })
}

/// Takes the digits at the beginning.
fn digits<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at_checked(end)?;
    *rest = after;
    (!digits.is_empty()).then_some(digits)
}

/// Takes a slash, hyphen or point with spaces around it, or spaces alone.
fn separated(rest: &mut &str) -> Option<()> {
    let after = rest.trim_start_matches(' ');
    let after = after.strip_prefix(['/', '-', '.']).unwrap_or(after).trim_start_matches(' ');
    let some = after.len() < rest.len();
    *rest = after;
    some.then_some(())
}

/// `8:30`, `08h30`, `08:30:15.5`, `2:30 PM`, `2:30 CH`, with `Z` or `+07:00` behind it.
fn time(text: &str) -> Option<(Time, Option<Offset>)> {
    let mut rest = text;
    let number = |rest: &mut &str| digits(rest).filter(|digits| digits.len() <= 2)?.parse::<i8>().ok();
    let mut hour = number(&mut rest)?;
    rest = rest.strip_prefix([':', 'h', 'H'])?;
    let minute = if rest.is_empty() { 0 } else { number(&mut rest)? };
    let mut second = 0;
    if let Some(after) = rest.strip_prefix(':') {
        rest = after;
        second = number(&mut rest)?;
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = fraction;
            digits(&mut rest)?;
        }
    }
    rest = rest.trim_start();
    let half = rest.get(..2).map(str::to_ascii_uppercase);
    match half.as_deref() {
        Some("AM" | "SA") if (1..=12).contains(&hour) => hour %= 12,
        Some("PM" | "CH") if (1..=12).contains(&hour) => hour = hour % 12 + 12,
        _ => {}
    }
    if matches!(half.as_deref(), Some("AM" | "SA" | "PM" | "CH")) {
        rest = rest.get(2..)?;
    }
    Some((Time::new(hour, minute, second, 0).ok()?, offset(rest)?))
}

/// `None` inside for no offset at all.
fn offset(text: &str) -> Option<Option<Offset>> {
    let (sign, mut rest) = match text {
        "" => return Some(None),
        "Z" | "z" => return Some(Some(Offset::UTC)),
        _ => (if text.starts_with('-') { -1 } else { 1 }, text.strip_prefix(['+', '-'])?),
    };
    let hours: i32 = digits(&mut rest).filter(|digits| digits.len() == 2)?.parse().ok()?;
    let minutes: i32 = rest.strip_prefix(':').filter(|digits| digits.len() == 2)?.parse().ok()?;
    let seconds = sign * (hours * 3600 + minutes * 60);
    Offset::from_seconds(seconds).ok().filter(|_| hours <= 14 && (0..60).contains(&minutes)).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Result<String, &'static str> {
        given_at(text).map_err(|refused| refused.code)
    }

    fn born(text: &str) -> Result<String, &'static str> {
        birth(text, Some(2021)).map_err(|refused| refused.code)
    }

    #[test]
    fn reads_days_in_every_order_but_month_first() {
        for text in [
            "03/08/2021",
            "3/8/2021",
            "3-8-2021",
            "3.8.2021",
            "3 8 2021",
            "3 / 8 / 2021",
            "03 - 08 - 2021",
            "3-8-21",
            "03/08/21",
            "2021-08-03",
            "2021/8/3",
            "2021.08.03",
            "20210803",
            "03082021",
            "44411",
            "44411.0",
            "03/08/2021 00:00:00",
            " 03/08/2021 ",
            "2021-08-03T00:00",
        ] {
            assert_eq!(day(text).as_deref(), Ok("2021-08-03T09:00:00+07:00"), "{text}");
        }
        for text in ["08/25/2021", "8-25-21", "2021-25-08", "12/31/2021"] {
            assert_eq!(day(text), Err("date_month_first"), "{text}");
        }
        for text in ["2021", "08/2021", "2021-08"] {
            assert_eq!(day(text), Err("date_incomplete"), "{text}");
        }
    }

    #[test]
    fn refuses_days_that_the_calendar_lacks() {
        for text in ["29/02/2020", "28/02/2021", "30/04/2021", "31/12/2021", "01/01/1900", "31/12/2099"] {
            assert!(day(text).is_ok(), "{text}");
        }
        for text in [
            "30/02/2020",
            "29/02/2021",
            "31/04/2021",
            "00/08/2021",
            "03/00/2021",
            "32/08/2021",
            "31/13/2021",
            "31/12/1899",
            "01/01/2100",
            "3/8/021",
            "3/8/20211",
            "003/8/2021",
            "3/8",
            "3//8/2021",
            "3/8/2021/",
            "3:8:2021",
            "hôm nay",
            "",
            "-3/8/2021",
            "99999",
            "3/8/2021x",
            "３/８/2021",
            "2021-08-03T",
            "120210803",
            "9",
        ] {
            assert_eq!(day(text), Err("date_invalid"), "{text}");
        }
        assert_eq!(day(&"3".repeat(1_000_000)), Err("date_invalid"));
    }

    #[test]
    fn reads_times_of_day_where_they_are_given() {
        for (text, expected) in [
            ("03/08/2021 8:30", "2021-08-03T08:30:00+07:00"),
            ("03/08/2021 08h30", "2021-08-03T08:30:00+07:00"),
            ("2021-08-03 14:05:59.999", "2021-08-03T14:05:59+07:00"),
            ("3/8/21 2:30 PM", "2021-08-03T14:30:00+07:00"),
            ("3/8/21 12:30 AM", "2021-08-03T00:30:00+07:00"),
            ("3/8/21 12:30 CH", "2021-08-03T12:30:00+07:00"),
            ("2021-08-02T19:15:00Z", "2021-08-03T02:15:00+07:00"),
            ("2021-08-03T09:15:00+07:00", "2021-08-03T09:15:00+07:00"),
            ("44411.375", "2021-08-03T09:00:00+07:00"),
            ("44411,604166666667", "2021-08-03T14:30:00+07:00"),
            ("44411.9999999", "2021-08-03T23:59:59+07:00"),
        ] {
            assert_eq!(day(text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["3/8/2021 24:00", "3/8/2021 8:60", "3/8/2021 8", "3/8/2021 8:30 +0700x", "2021-08-03T08:00+15:00"]
        {
            assert_eq!(day(text), Err("date_invalid"), "{text}");
        }
    }

    #[test]
    fn counts_days_as_excel_does() {
        assert_eq!(born("10000").as_deref(), Ok("1927-05-18"));
        assert_eq!(born("30599").as_deref(), Ok("1983-10-10"));
        assert_eq!(born("73050").as_deref(), Ok("2099-12-31"));
        assert_eq!(born("73051"), Err("date_invalid"));
        assert_eq!(born("09999"), Ok("1927-05-17".into()));
        assert_eq!(born("00061").as_deref(), Ok("1900-03-01"), "the day after the one that never was");
    }

    #[test]
    fn births_may_be_a_year_only_and_short_years_must_be_clear() {
        assert_eq!(born("1983").as_deref(), Ok("1983"));
        assert_eq!(born("10/1983").as_deref(), Ok("1983-10"));
        assert_eq!(born("1983-10").as_deref(), Ok("1983-10"));
        assert_eq!(born("10/10/1983").as_deref(), Ok("1983-10-10"));
        assert_eq!(born("1983-10-10 00:00:00").as_deref(), Ok("1983-10-10"));
        assert_eq!(born("10/10/83").as_deref(), Ok("1983-10-10"));
        // In 2021, aged 5 to 105: 2015 (6 years) and not 1915 (106); 1916 (105) or 2016 (5); 1917 (104) and not 2017 (4).
        assert_eq!(born("10/10/15").as_deref(), Ok("2015-10-10"));
        assert_eq!(born("10/10/16"), Err("year_unclear"));
        assert_eq!(born("10/10/17").as_deref(), Ok("1917-10-10"));
        for text in ["1899", "2100", "13/1983", "0/1983", "83", "30/02/1983", "x"] {
            assert_eq!(born(text), Err("date_invalid"), "{text}");
        }
        assert_eq!(born("10/25/1983"), Err("date_month_first"));
    }

    #[test]
    fn a_lot_lasts_to_the_end_of_its_month() {
        let last = |text: &str| last_day(text).map_err(|refused| refused.code);
        assert_eq!(last("31/12/2021").as_deref(), Ok("2021-12-31"));
        assert_eq!(last("2/2024").as_deref(), Ok("2024-02-29"));
        assert_eq!(last("02/2023").as_deref(), Ok("2023-02-28"));
        assert_eq!(last("13/2023"), Err("date_invalid"));
        assert_eq!(last("2023"), Err("date_incomplete"));
    }
}
