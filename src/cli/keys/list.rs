//! `thexanh keys list`: all keys of the trust list, and what of it is signed.

use serde_json::json;

use super::instant;
use crate::certificate::UnixSeconds;
use crate::cli::{Answer, Context, Failure};
use crate::keys::PublicKey;
use crate::signed::Kind;

pub(super) async fn run(context: &Context) -> Result<Answer, Failure> {
    let store = context.existing_store().await?;
    let (rows, signed) = (store.trust_rows().await?, store.signed_stamp(Kind::TrustList).await?);
    let now = context.clock.now();
    let is_signed = match signed {
        None => "never signed".to_owned(),
        Some((version, at)) => format!("version {version} signed {}", instant(at)),
    };
    context.say(
        format_args!("version {}, {is_signed}", rows.version),
        &json!({
            "version": rows.version, "signed_version": signed.map(|(version, _)| version),
            "signed_at": signed.map(|(_, at)| at.0),
        }),
    )?;
    for row in rows.keys {
        let algorithm = PublicKey::from_spki_der(&row.spki_der).map_or("unreadable", |key| key.algorithm().as_str());
        let state = state(row.withdrawn_at, row.signs_from, row.signs_until, now);
        let whose = if row.own { "ours" } else { "foreign" };
        context.say(
            format_args!("{}  {algorithm}  {}  {whose}  {state}", row.kid, row.country),
            &json!({
                "kid": row.kid.to_string(), "algorithm": algorithm, "country": row.country, "own": row.own,
                "national": row.national, "usages": row.usages.words(), "signs_from": row.signs_from.map(|at| at.0),
                "signs_until": row.signs_until.map(|at| at.0), "trusted_until": row.trusted_until.map(|at| at.0),
                "withdrawn_at": row.withdrawn_at.map(|at| at.0),
            }),
        )?;
    }
    for row in rows.signers {
        let state = state(row.withdrawn_at, row.signs_from, row.signs_until, now);
        context.say(
            format_args!("{}  {}  {state}", row.kid, row.purpose.as_str()),
            &json!({
                "kid": row.kid.to_string(), "purpose": row.purpose.as_str(), "signs_from": row.signs_from.map(|at| at.0),
                "signs_until": row.signs_until.map(|at| at.0), "withdrawn_at": row.withdrawn_at.map(|at| at.0),
            }),
        )?;
    }
    Ok(Answer::Yes)
}

fn state(
    withdrawn_at: Option<UnixSeconds>,
    from: Option<UnixSeconds>,
    until: Option<UnixSeconds>,
    now: UnixSeconds,
) -> String {
    match (withdrawn_at, from.filter(|from| *from > now), until) {
        (Some(at), ..) => format!("withdrawn {}", instant(at)),
        (None, Some(from), _) => format!("signs from {}", instant(from)),
        (None, None, Some(until)) if until < now => format!("signed until {}", instant(until)),
        (None, None, Some(until)) => format!("signs until {}", instant(until)),
        (None, None, None) => "in force".to_owned(),
    }
}
