//! The EU Digital COVID Certificate, schema 1.3. Source: ehn-dcc-schema DCC.combined-schema.json.
//!
//! ```cddl
//! dcc = { "ver": tstr, "nam": name, "dob": tstr, ("v": [vaccination] // "t": [test] // "r": [recovery]), * tstr => any }
//! name = { ? "fn": tstr, ? "gn": tstr, "fnt": tstr, ? "gnt": tstr }
//! vaccination = { "tg", "vp", "mp", "ma", "co", "is", "ci": tstr, "dn": number, "sd": number, "dt": tstr / #6.0(tstr) }
//! test = { "tg", "tt", "co", "is", "ci", "tr": tstr, "sc": tstr / #6.0(tstr), * tstr => any }
//! recovery = { "tg", "co", "is", "ci": tstr, "fr", "df", "du": tstr / #6.0(tstr) }
//! ```
//!
//! Read as issuers write it, not only as the schema says: floats for dn and sd, tagged dates, null groups, a missing gn,
//! keys of later versions. The value sets are not checked: they grow, and a verdict must not depend on their age.

use jiff::civil::Date;
use serde_json::Value as Json;

use super::CodecError;
use super::cbor::{Item, Reader};
use crate::certificate::{
    BirthDate, Dose, Product, Recovery, Statement, Test, UnixSeconds, Uvci, UvciText, strip_check_character,
};
use crate::name::PersonName;
use crate::policy;

/// The version that we write.
const VERSION: &str = "1.3.0";
/// `tg`: COVID-19, in SNOMED CT.
const COVID_19: &str = "840539006";
/// `tr`: not detected, in SNOMED CT.
const NOT_DETECTED: &str = "260415000";

/// What a DCC says; the claims around it say the rest.
#[derive(Debug, PartialEq)]
pub(super) struct Dcc {
    pub uvci: UvciText<'static>,
    pub name: String,
    pub birth: BirthDate,
    pub statement: Statement,
}

/// The DCC in `reader`.
///
/// Errors: [`CodecError::Claims`] for a missing or mistyped field, a date that is none, more or fewer than one statement.
pub(super) fn decode(mut reader: Reader<'_>) -> Result<Dcc, CodecError> {
    let (mut version, mut name, mut birth, mut entry) = (None, None, None, None);
    reader.map(|key, value| {
        let Item::Text(key) = key else { return Err(CodecError::Claims) };
        let value = &mut value.whole()?;
        match key {
            "ver" => version = Some(text(value)?),
            "nam" => name = Some(decode_name(value)?),
            "dob" => birth = Some(decode_birth(value)?),
            "v" | "t" | "r" => {
                if let Some(fields) = only_entry(value)?
                    && entry.replace((key, fields)).is_some()
                {
                    return Err(CodecError::Claims);
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    reader.end()?;
    version.ok_or(CodecError::Claims)?;
    let (group, fields) = entry.ok_or(CodecError::Claims)?;
    let (uvci, statement) = decode_entry(group, fields)?;
    let (name, birth) = (name.ok_or(CodecError::Claims)?, birth.ok_or(CodecError::Claims)?);
    Ok(Dcc { uvci, name, birth, statement })
}

/// The one entry of a group; `None` for a null group, which is as if it were not there.
fn only_entry<'a>(value: &mut Reader<'a>) -> Result<Option<Reader<'a>>, CodecError> {
    match value.item()? {
        Item::Null => Ok(None),
        Item::Array(1) => Ok(Some(*value)),
        _ => Err(CodecError::Claims),
    }
}

fn text<'a>(value: &mut Reader<'a>) -> Result<&'a str, CodecError> {
    match value.item()? {
        Item::Text(text) => Ok(text),
        _ => Err(CodecError::Claims),
    }
}

/// The name to show: as written, else the transliterated one with spaces.
fn decode_name(value: &mut Reader<'_>) -> Result<String, CodecError> {
    let (mut family, mut given, mut family_mrz, mut given_mrz) = (None, None, None, None);
    value.map(|key, value| {
        let field = match key {
            Item::Text("fn") => &mut family,
            Item::Text("gn") => &mut given,
            Item::Text("fnt") => &mut family_mrz,
            Item::Text("gnt") => &mut given_mrz,
            _ => return Ok(()),
        };
        *field = match value.scalar()? {
            Item::Text(text) if text.len() <= 4 * crate::name::MAX_NAME_CHARS => {
                Some(text).filter(|text| !text.is_empty())
            }
            Item::Null => None,
            _ => return Err(CodecError::Claims),
        };
        Ok(())
    })?;
    let parts = match (family, given) {
        (None, None) => [family_mrz, given_mrz],
        written => [written.0, written.1],
    };
    let mut name = String::with_capacity(64);
    for part in parts.into_iter().flatten() {
        if !name.is_empty() {
            name.push(' ');
        }
        name.push_str(part);
    }
    if family.is_none() && given.is_none() {
        name = name.replace('<', " ");
    }
    if name.trim().is_empty() { Err(CodecError::Claims) } else { Ok(name) }
}

fn decode_birth(value: &mut Reader<'_>) -> Result<BirthDate, CodecError> {
    let text = date_text(value)?;
    let text = text.split_once('T').map_or(text, |(day, _)| day); // some issuers write an instant
    // The schema's pattern admits 00 for a month or a day, and issuers write it where nobody knows.
    let known = if matches!(text.len(), 7 | 10) { text.trim_end_matches("-00") } else { text };
    known.parse().map_err(|_| CodecError::Claims)
}

/// A text, or a text tagged 0 as CBOR's date type.
fn date_text<'a>(value: &mut Reader<'a>) -> Result<&'a str, CodecError> {
    match value.item()? {
        Item::Text(text) => Ok(text),
        Item::Tag(0) => text(value),
        _ => Err(CodecError::Claims),
    }
}

/// A day, written as such or as an instant whose day counts.
fn date(value: &mut Reader<'_>) -> Result<Date, CodecError> {
    let text = date_text(value)?;
    let day = match text.split_once('T') {
        Some((day, _)) => day,
        None => text,
    };
    if day.len() != 10 {
        return Err(CodecError::Claims);
    }
    day.parse().map_err(|_| CodecError::Claims)
}

/// A whole number 1 ..= 255; some issuers write it as a float.
fn count(value: &mut Reader<'_>) -> Result<u8, CodecError> {
    match value.item()? {
        Item::Int(count @ 1..=255) => Ok(count as u8),
        Item::Float(count) if (1.0..=255.0).contains(&count) && count.fract() == 0.0 => Ok(count as u8),
        _ => Err(CodecError::Claims),
    }
}

/// An instant with its offset (RFC 3339; offsets also written +02, +0200).
fn instant(value: &mut Reader<'_>) -> Result<UnixSeconds, CodecError> {
    let text = date_text(value)?;
    let timestamp: jiff::Timestamp = text.parse().map_err(|_| CodecError::Claims)?;
    Ok(UnixSeconds(timestamp.as_second()))
}

#[derive(Default)]
struct Entry<'a> {
    target: Option<&'a str>,
    uvci: Option<&'a str>,
    country: Option<&'a str>,
    issuer: Option<&'a str>,
    product: Option<&'a str>,
    number: Option<u8>,
    series: Option<u8>,
    given_on: Option<Date>,
    result: Option<&'a str>,
    sampled_at: Option<UnixSeconds>,
    positive_on: Option<Date>,
    valid_from: Option<Date>,
    valid_until: Option<Date>,
}

fn decode_entry(group: &str, mut fields: Reader<'_>) -> Result<(UvciText<'static>, Statement), CodecError> {
    let mut entry = Entry::default();
    fields.map(|key, value| {
        let Item::Text(key) = key else { return Err(CodecError::Claims) };
        let value = &mut value.whole()?;
        match (key, group) {
            ("tg", _) => entry.target = Some(text(value)?),
            ("ci", _) => entry.uvci = Some(text(value)?),
            ("co", _) => entry.country = Some(text(value)?),
            ("is", _) => entry.issuer = Some(text(value)?),
            ("mp", "v") => entry.product = Some(text(value)?),
            ("dn", "v") => entry.number = Some(count(value)?),
            ("sd", "v") => entry.series = Some(count(value)?),
            ("dt", "v") => entry.given_on = Some(date(value)?),
            ("tr", "t") => entry.result = Some(text(value)?),
            ("sc", "t") => entry.sampled_at = Some(instant(value)?),
            ("fr", "r") => entry.positive_on = Some(date(value)?),
            ("df", "r") => entry.valid_from = Some(date(value)?),
            ("du", "r") => entry.valid_until = Some(date(value)?),
            _ => {}
        }
        Ok(())
    })?;
    fields.end()?;
    entry.finish(group).ok_or(CodecError::Claims)
}

impl Entry<'_> {
    /// UVCI and statement; `None` if a field that the group must have is missing.
    fn finish(self, group: &str) -> Option<(UvciText<'static>, Statement)> {
        self.target.and(self.country).and(self.issuer)?;
        let statement = match group {
            "v" => Statement::Vaccination(Dose {
                number: self.number?,
                series: self.series?,
                product: Product::Code(self.product?.to_owned().into()),
                given_on: self.given_on?,
            }),
            "t" => Statement::Test(Test { negative: self.result? == NOT_DETECTED, sampled_at: self.sampled_at? }),
            _ => Statement::Recovery(Recovery {
                positive_on: self.positive_on?,
                valid_from: self.valid_from?,
                valid_until: self.valid_until?,
            }),
        };
        Some((normalized_uvci(self.uvci?), statement))
    }
}

/// Upper case and without a right check character; a wrong one stays, for then the `#` is no separator.
fn normalized_uvci(uvci: &str) -> UvciText<'static> {
    let upper = uvci.to_ascii_uppercase();
    let text = strip_check_character(&upper).unwrap_or(&upper).to_owned();
    let written = (text != uvci).then(|| uvci.to_owned().into());
    UvciText::Foreign { text: text.into(), written }
}

/// The DCC in `reader` as JSON, as it was signed: what rules are asked about.
///
/// Dates lose their tag and whole floats their point, as JSON has neither; what JSON cannot say is null. Errors:
/// [`CodecError::Cbor`].
pub(super) fn to_json(reader: &mut Reader<'_>) -> Result<Json, CodecError> {
    Ok(match reader.item()? {
        Item::Int(int) => int.into(),
        // Below 2^53 in size a float's whole part is exact.
        Item::Float(float) if float.fract() == 0.0 && float.abs() < 9e15 => (float as i64).into(),
        Item::Float(float) => float.into(),
        Item::Text(text) => text.into(),
        Item::Bool(truth) => truth.into(),
        Item::Bytes(_) | Item::Null | Item::Other => Json::Null,
        Item::Tag(_) => to_json(reader)?,
        Item::Array(len) => (0..len).map(|_| to_json(reader)).collect::<Result<_, _>>()?,
        Item::Map(len) => {
            let mut members = serde_json::Map::new();
            for _ in 0..len {
                let mut key = Reader::new(reader.skip()?);
                let value = to_json(reader)?;
                if let Item::Text(key) = key.item()? {
                    members.insert(key.to_owned(), value);
                }
            }
            Json::Object(members)
        }
    })
}

/// Encodes a dose as a DCC. Holder and prophylaxis come from the product's own row, so a wrong pair cannot be written.
pub(super) fn encode(
    uvci: Uvci,
    name: &PersonName,
    birth: BirthDate,
    dose: &Dose,
    product: &policy::ProductRow,
) -> ciborium::Value {
    use ciborium::Value;
    let map =
        |fields: Vec<(&str, Value)>| Value::Map(fields.into_iter().map(|(key, value)| (key.into(), value)).collect());
    let (family_mrz, given_mrz) = match name.given() {
        Some(_) => split_matching_key(name),
        None => (name.matching_key(), None),
    };
    let mut nam = vec![("fn", name.family().into()), ("fnt", family_mrz.into())];
    nam.extend(name.given().map(|given| ("gn", given.into())));
    nam.extend(given_mrz.map(|given| ("gnt", given.into())));
    let entry = map(vec![
        ("tg", COVID_19.into()),
        ("vp", product.prophylaxis.into()),
        ("mp", product.code.into()),
        ("ma", product.holder.into()),
        ("dn", dose.number.into()),
        ("sd", dose.series.into()),
        ("dt", dose.given_on.to_string().into()),
        ("co", policy::COUNTRY.into()),
        ("is", policy::ISSUER_NAME.into()),
        ("ci", uvci.to_string().into()),
    ]);
    map(vec![
        ("ver", VERSION.into()),
        ("nam", map(nam)),
        ("dob", birth.to_string().into()),
        ("v", Value::Array(vec![entry])),
    ])
}

/// The matching key split where the family name ends; a hyphenated family name has several parts in it.
fn split_matching_key(name: &PersonName) -> (&str, Option<&str>) {
    let family_len = crate::name::transliterate(name.family()).map_or(0, |family| family.len());
    let key = name.matching_key();
    match (key.get(..family_len), key.get(family_len + 1..)) {
        (Some(family), Some(given)) if !family.is_empty() => (family, Some(given)),
        _ => (key, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_or_day_of_00_is_not_known() {
        let birth = |dob: &str| {
            let mut bytes = Vec::new();
            ciborium::into_writer(dob, &mut bytes).expect("a vector takes all");
            decode_birth(&mut Reader::new(&bytes)).map(|birth| birth.to_string())
        };
        for (dob, known) in [("1963-00", "1963"), ("1963-00-00", "1963"), ("1963-02-00", "1963-02"), ("1963", "1963")] {
            assert_eq!(birth(dob).as_deref(), Ok(known), "{dob}");
        }
        for dob in ["1963-00-02", "1963-00-00-00", "-00", "-00-00", "1863-00"] {
            assert_eq!(birth(dob), Err(CodecError::Claims), "{dob}");
        }
    }
}
