//! The compact statement: what fits a QR code of version 9. Ours.
//!
//! ```cddl
//! compact = [ uvci: bstr .size 16, name: tstr .size (1..320), birth, dose: 1..255, series: 1..255, product: uint, given_on: day ]
//! birth = day / [ year: 1900..2099 ] / [ year: 1900..2099, month: 1..12 ] / null
//! day = int   ; days since 1970-01-01, negative before
//! ```
//!
//! A year alone is an array of one, because 1983 as a day number is a day in 1975; null is a birth date nobody knows. `product` is a number of the append-only table in [`crate::policy`]; one that the table does not hold
//! (yet) is well-formed, and not acceptable.

use super::CodecError;
use super::cbor::{Item, Reader};
use crate::certificate::{BirthDate, Dose, Product, Statement, Uvci, date_from_day, day_from_date};
use crate::name::MAX_NAME_CHARS;
use crate::policy;

/// The days that jiff's calendar has around the ones that can matter: 0001-01-01 ..= 9999-12-31.
const DAYS: std::ops::RangeInclusive<i64> = -719_162..=2_932_896;

/// What a compact statement says; the claims around it say the rest.
#[derive(Debug, PartialEq)]
pub(super) struct Compact<'a> {
    pub uvci: Uvci,
    pub name: &'a str,
    pub birth: BirthDate,
    pub statement: Statement,
}

/// The statement in `reader`, a whole array of exactly seven items.
///
/// Errors: [`CodecError::Claims`].
pub(super) fn decode<'a>(mut reader: Reader<'a>) -> Result<Compact<'a>, CodecError> {
    if reader.item()? != Item::Array(7) {
        return Err(CodecError::Claims);
    }
    let Item::Bytes(uvci) = reader.item()? else { return Err(CodecError::Claims) };
    let uvci = Uvci(uvci.try_into().map_err(|_| CodecError::Claims)?);
    let Item::Text(name) = reader.item()? else { return Err(CodecError::Claims) };
    if name.is_empty() || name.len() > 4 * MAX_NAME_CHARS {
        return Err(CodecError::Claims);
    }
    let birth = decode_birth(&mut reader)?;
    let (number, series) = (decode_count(&mut reader)?, decode_count(&mut reader)?);
    let Item::Int(product @ 0..) = reader.item()? else { return Err(CodecError::Claims) };
    let product = match policy::product_by_number(product as u64) {
        Some(product) => Product::Code(product.code.into()),
        None => Product::UnknownNumber(product as u64),
    };
    let given_on = decode_day(reader.item()?)?;
    reader.end()?;
    Ok(Compact { uvci, name, birth, statement: Statement::Vaccination(Dose { number, series, product, given_on }) })
}

fn decode_birth(reader: &mut Reader<'_>) -> Result<BirthDate, CodecError> {
    let first = reader.item()?;
    let mut part = || match reader.item()? {
        Item::Int(part) => i16::try_from(part).map_err(|_| CodecError::Claims),
        _ => Err(CodecError::Claims),
    };
    let birth = match first {
        Item::Null => Ok(BirthDate::Unknown),
        Item::Array(1) => BirthDate::from_parts(part()?, None, None),
        Item::Array(2) => BirthDate::from_parts(part()?, Some(part()?), None),
        day => Ok(BirthDate::Day(decode_day(day)?)),
    };
    birth.map_err(|_| CodecError::Claims)
}

fn decode_count(reader: &mut Reader<'_>) -> Result<u8, CodecError> {
    match reader.item()? {
        Item::Int(count @ 1..=255) => Ok(count as u8),
        _ => Err(CodecError::Claims),
    }
}

fn decode_day(item: Item<'_>) -> Result<jiff::civil::Date, CodecError> {
    match item {
        Item::Int(day) if DAYS.contains(&day) => Ok(date_from_day(day)),
        _ => Err(CodecError::Claims),
    }
}

/// Encodes a dose as the compact statement.
pub(super) fn encode(uvci: Uvci, name: &str, birth: BirthDate, dose: &Dose, product_number: u64) -> ciborium::Value {
    use ciborium::Value;
    let birth = match birth {
        BirthDate::Unknown => Value::Null,
        BirthDate::Year(year) => Value::Array(vec![year.into()]),
        BirthDate::YearMonth(year, month) => Value::Array(vec![year.into(), month.into()]),
        BirthDate::Day(date) => day_from_date(date).into(),
    };
    Value::Array(vec![
        Value::Bytes(uvci.0.to_vec()),
        name.into(),
        birth,
        dose.number.into(),
        dose.series.into(),
        product_number.into(),
        day_from_date(dose.given_on).into(),
    ])
}
