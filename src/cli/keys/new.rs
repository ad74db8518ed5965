//! `thexanh keys new` and `rotate`: one more key that signs certificates.

use jiff::Timestamp;
use serde_json::json;

use super::{begin, change, instant, sign};
use crate::app::{StartError, enlist, issuer_row, rotation};
use crate::cli::{Answer, Context, Failure};
use crate::keyring;
use crate::keys::Algorithm;
use crate::store::KeyChange;

/// `rotates`: the keys before stop some time after it has begun.
pub(super) async fn run(
    context: &Context,
    algorithm: Algorithm,
    signs_from: Option<Timestamp>,
    rotates: bool,
) -> Result<Answer, Failure> {
    let signs_from = begin(context, signs_from)?;
    let passphrase = context.passphrase()?;
    let keyring = context.keyring()?; // the first run's keys, and proof that the passphrase is theirs
    let store = context.store().await?;
    enlist(&store, &keyring, context.clock.now()).await?;
    let (_, listed) = store.issuer_keys().await?;
    let key = keyring::add_issuer(&context.config.keys_dir(), &passphrase, algorithm)?;
    let (action, changes) = match rotates {
        true => ("key.rotate", rotation(&listed, &key, signs_from).map_err(StartError::Key)?),
        false => ("key.list", vec![KeyChange::List(issuer_row(&key, signs_from))]),
    };
    let (kid, from) = (key.kid().to_string(), instant(signs_from));
    change(context, &store, &changes, action, &format!("{kid} from {from}")).await?;
    let ends = changes.iter().filter_map(|change| match change {
        KeyChange::End { kid, signs_until, .. } => Some((kid.to_string(), *signs_until)),
        _ => None,
    });
    let ends: Vec<_> = ends.collect();
    context.say(
        format_args!("{kid} ({}) is listed and signs from {from}", algorithm.as_str()),
        &json!({
            "kid": kid, "algorithm": algorithm.as_str(), "signs_from": signs_from.0,
            "ends": ends.iter().map(|(kid, at)| json!({"kid": kid, "signs_until": at.0})).collect::<Vec<_>>(),
        }),
    )?;
    for (kid, at) in ends {
        context.tell(format_args!("{kid} signs until {}; what it signed stays good", instant(at)))?;
    }
    context.tell("nodes with key directories of their own need a copy of the new file before that; no restart")?;
    sign::after_a_change(context, &store).await?;
    Ok(Answer::Yes)
}
