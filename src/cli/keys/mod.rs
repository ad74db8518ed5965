//! `thexanh keys`: make, list and withdraw the keys that sign certificates.

mod csr;
mod export;
mod import;

use jiff::Timestamp;
use serde_json::json;

use super::{Answer, Context, Failure};
use crate::certificate::UnixSeconds;
use crate::keyring;
use crate::keys::{Algorithm, Kid, PublicKey};
use crate::policy;
use crate::store::IssuerKeyRow;
use crate::trust::Usages;

/// For how long verifiers know a new key before it signs, unless said otherwise: the longest they go without asking.
const AHEAD_S: i64 = 24 * 3600;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Keys {
    /// Make one more key: verifiers know it at once, and it signs from a later instant on
    New {
        /// EdDSA signs the compact profile, ES256 the EU's
        #[arg(long, default_value = "EdDSA", value_parser = algorithm)]
        algorithm: Algorithm,
        /// From when it signs, such as 2021-08-01T00:00:00Z [default: in 24 hours]
        #[arg(long, value_name = "INSTANT")]
        from: Option<Timestamp>,
        /// Make it in the hardware module that keys.pkcs11 names; it never leaves that
        #[arg(long)]
        token: bool,
    },
    /// List the trusted keys
    List,
    /// Stop trusting a key, now and for good: every certificate that it signed is rejected
    Withdraw {
        /// The key, as listed
        kid: String,
    },
    /// Ask a national CA to certify a key of ours: a PKCS#10 request
    Csr(csr::Csr),
    /// Take other issuers' keys into the trust list, or the certificate over a key of ours
    Import(import::Import),
    /// Write the trusted keys in a format of others
    Export(export::Export),
}

fn algorithm(word: &str) -> Result<Algorithm, String> {
    let made = word.parse().ok().filter(|algorithm| matches!(algorithm, Algorithm::EdDsa | Algorithm::Es256));
    made.ok_or_else(|| "keys are made for EdDSA or ES256".to_owned())
}

impl Keys {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Keys::New { algorithm, from, token } => new(context, algorithm, from, token).await,
            Keys::List => list(context).await,
            Keys::Withdraw { kid } => withdraw(context, &kid).await,
            Keys::Csr(csr) => csr.run(context).await,
            Keys::Import(import) => import.run(context).await,
            Keys::Export(export) => export.run(context).await,
        }
    }
}

async fn new(
    context: &Context,
    algorithm: Algorithm,
    from: Option<Timestamp>,
    in_token: bool,
) -> Result<Answer, Failure> {
    let now = context.clock.now();
    let signs_from = from.map_or(UnixSeconds(now.0 + AHEAD_S), |at| UnixSeconds(at.as_second()));
    if signs_from < now {
        return Err(Failure::usage("--from must not be in the past: verifiers must know a key before it signs"));
    }
    let passphrase = context.passphrase()?;
    context.keyring()?; // the first run's keys, and proof that the passphrase is theirs
    let store = context.store().await?;
    let key = match in_token {
        false => keyring::add_issuer(&context.config.keys_dir(), &passphrase, algorithm)?,
        true => {
            let token = context.token()?;
            token.ok_or_else(|| Failure::usage("--token needs keys.pkcs11.module"))?.generate(algorithm)?
        }
    };
    let row = IssuerKeyRow {
        kid: key.kid(),
        spki_der: key.spki_der().to_vec(),
        country: policy::COUNTRY.to_owned(),
        national: true,
        usages: Usages::VACCINATION,
        own: true,
        signs_from: Some(signs_from),
        signs_until: None,
        trusted_from: None,
        trusted_until: None,
        withdrawn_at: None,
        certificate: None,
    };
    store.put_issuer_key(&row).await?;
    let kid = key.kid().to_string();
    context.say(
        format_args!(
            "{kid} ({}) is listed and signs from {}; nodes take it up when they are started again",
            algorithm.as_str(),
            instant(signs_from)
        ),
        &json!({"kid": kid, "algorithm": algorithm.as_str(), "signs_from": signs_from.0}),
    )?;
    Ok(Answer::Yes)
}

async fn list(context: &Context) -> Result<Answer, Failure> {
    let (version, rows) = context.existing_store().await?.issuer_keys().await?;
    context.tell(format_args!("version {version}"))?;
    for row in rows {
        let algorithm = PublicKey::from_spki_der(&row.spki_der).map_or("unreadable", |key| key.algorithm().as_str());
        let state = match (row.withdrawn_at, row.signs_from.filter(|from| *from > context.clock.now())) {
            (Some(at), _) => format!("withdrawn {}", instant(at)),
            (None, Some(from)) => format!("signs from {}", instant(from)),
            (None, None) => "in force".to_owned(),
        };
        let whose = if row.own { "ours" } else { "foreign" };
        context.say(
            format_args!("{}  {algorithm}  {}  {whose}  {state}", row.kid, row.country),
            &json!({
                "kid": row.kid.to_string(), "algorithm": algorithm, "country": row.country, "own": row.own,
                "national": row.national, "usages": row.usages.words(), "signs_from": row.signs_from.map(|at| at.0),
                "signs_until": row.signs_until.map(|at| at.0), "withdrawn_at": row.withdrawn_at.map(|at| at.0),
            }),
        )?;
    }
    Ok(Answer::Yes)
}

async fn withdraw(context: &Context, kid: &str) -> Result<Answer, Failure> {
    let kid: Kid = kid.parse().map_err(|_| Failure::usage("a kid reads as `thexanh keys list` prints it"))?;
    let withdrawn = context.existing_store().await?.withdraw_issuer_key(kid, context.clock.now()).await?;
    let text = if withdrawn { "withdrawn: all that it signed is rejected" } else { "no key in force has this kid" };
    context.say(text, &json!({"kid": kid.to_string(), "withdrawn": withdrawn}))?;
    Ok(if withdrawn { Answer::Yes } else { Answer::No })
}

fn instant(at: UnixSeconds) -> String {
    Timestamp::from_second(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}
