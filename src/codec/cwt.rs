//! The CWT inside: who issued it, when, until when, and the health certificate it carries. Source: RFC 8392; HCERT §3.3.
//!
//! ```cddl
//! claims = { 1: tstr .size 2, 4: numeric-date, 6: numeric-date, -260: { 1: dcc } / { -1: compact }, * any => any }
//! ```

use super::CodecError;
use super::cbor::{Item, Reader, Value};
use crate::certificate::UnixSeconds;

const CLAIM_ISS: i64 = 1;
const CLAIM_EXP: i64 = 4;
const CLAIM_IAT: i64 = 6;
const CLAIM_HCERT: i64 = -260;
/// In `hcert`: an EU DCC. Source: HCERT §3.3.7.
const HCERT_DCC: i64 = 1;
/// In `hcert`: our compact form. Negative keys are free (WHO registers 3, 4 and 5).
const HCERT_COMPACT: i64 = -1;

/// The claims, unproved, borrowed from the payload.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'a> {
    /// `iss`.
    pub iss: Option<&'a str>,
    /// `exp`.
    pub exp: Option<UnixSeconds>,
    /// `iat`.
    pub iat: Option<UnixSeconds>,
    /// `hcert`: which form, and its CBOR.
    pub hcert: Hcert<'a>,
}

/// The two forms of `hcert` that we read; each holds one well-formed CBOR item.
#[derive(Clone, Copy, Debug)]
pub enum Hcert<'a> {
    /// Key 1.
    Dcc(Reader<'a>),
    /// Key -1.
    Compact(Reader<'a>),
}

/// The claims in `payload`.
///
/// Claims and keys that we do not know are passed over; a float is read as its whole seconds. Errors:
/// [`CodecError::Claims`] for anything that is not well-formed, a claim of another type, an `hcert` of neither form.
pub fn parse(payload: &[u8]) -> Result<Claims<'_>, CodecError> {
    parse_claims(payload).map_err(|_| CodecError::Claims)
}

fn parse_claims(payload: &[u8]) -> Result<Claims<'_>, CodecError> {
    let (mut iss, mut exp, mut iat, mut hcert) = (None, None, None, None);
    let mut reader = Reader::new(payload);
    reader.map(|key, value| {
        match key {
            Item::Int(CLAIM_ISS) => {
                iss = match value.scalar()? {
                    Item::Text(text) => Some(text),
                    Item::Null => None,
                    _ => return Err(CodecError::Claims),
                }
            }
            Item::Int(CLAIM_EXP) => exp = numeric_date(value.scalar()?)?,
            Item::Int(CLAIM_IAT) => iat = numeric_date(value.scalar()?)?,
            Item::Int(CLAIM_HCERT) => hcert = parse_hcert(value)?,
            _ => {}
        }
        Ok(())
    })?;
    reader.end()?;
    Ok(Claims { iss, exp, iat, hcert: hcert.ok_or(CodecError::Claims)? })
}

/// Seconds, whole or not, within the years that calendars reach (±2^40 s).
fn numeric_date(value: Item<'_>) -> Result<Option<UnixSeconds>, CodecError> {
    const LIMIT: i64 = 1 << 40;
    let seconds = match value {
        Item::Int(seconds) => seconds,
        Item::Float(seconds) if seconds.abs() < LIMIT as f64 => seconds.floor() as i64,
        Item::Null => return Ok(None),
        _ => return Err(CodecError::Claims),
    };
    if seconds.abs() < LIMIT { Ok(Some(UnixSeconds(seconds))) } else { Err(CodecError::Claims) }
}

fn parse_hcert<'a>(value: Value<'_, 'a>) -> Result<Option<Hcert<'a>>, CodecError> {
    let mut hcert = None;
    value.map(|key, value| {
        match key {
            Item::Int(HCERT_DCC) if hcert.is_none() => hcert = Some(Hcert::Dcc(value.whole()?)),
            Item::Int(HCERT_COMPACT) if hcert.is_none() => hcert = Some(Hcert::Compact(value.whole()?)),
            Item::Int(HCERT_DCC | HCERT_COMPACT) => return Err(CodecError::Claims), // two statements in one
            _ => {}
        }
        Ok(())
    })?;
    Ok(hcert)
}

/// Encodes the claims around an `hcert` of one form.
pub(super) fn encode(iss: &str, iat: UnixSeconds, exp: UnixSeconds, hcert: (i64, ciborium::Value)) -> Vec<u8> {
    use ciborium::Value;
    let (key, statement) = hcert;
    let claims = Value::Map(vec![
        (CLAIM_ISS.into(), iss.into()),
        (CLAIM_EXP.into(), exp.0.into()),
        (CLAIM_IAT.into(), iat.0.into()),
        (CLAIM_HCERT.into(), Value::Map(vec![(key.into(), statement)])),
    ]);
    let mut payload = Vec::with_capacity(512);
    ciborium::into_writer(&claims, &mut payload).expect("a Vec takes every byte");
    payload
}

/// The `hcert` entry of a DCC.
pub(super) fn dcc(statement: ciborium::Value) -> (i64, ciborium::Value) {
    (HCERT_DCC, statement)
}

/// The `hcert` entry of our compact form.
pub(super) fn compact(statement: ciborium::Value) -> (i64, ciborium::Value) {
    (HCERT_COMPACT, statement)
}
