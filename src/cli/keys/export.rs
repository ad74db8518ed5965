//! `thexanh keys export`: the trusted keys in the formats of others.

use std::io::Write as _;

use crate::cli::{Answer, Context, Failure};
use crate::store::IssuerKeyRow;
use crate::trust::{TrustedKey, export};

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// JWK set (RFC 7517)
    Jwks,
    /// COSE key set (RFC 9052), binary
    Cose,
    /// DID document, as the WHO's trust list
    Did,
    /// Certificates where there are any, else bare public keys
    Pem,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Export {
    /// What it is written in, to standard output
    #[arg(long)]
    format: Format,
    /// Only the keys of this registry
    #[arg(long)]
    own: bool,
}

impl Export {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        let (_, rows) = context.existing_store().await?.issuer_keys().await?;
        let rows = rows.into_iter().filter(|row| row.own || !self.own);
        let keys = rows.map(IssuerKeyRow::trusted).collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<&TrustedKey> = keys.iter().collect();
        let unwritable = |problem: String| Failure::environment("output", format!("cannot write the keys: {problem}"));
        let json = |document| serde_json::to_vec(&document).map_err(|error| unwritable(error.to_string()));
        let bytes = match self.format {
            Format::Jwks => json(export::jwks(&keys))?,
            Format::Cose => export::cose_key_set(&keys).map_err(|error| unwritable(error.to_string()))?,
            Format::Did => json(export::did_document(&keys, &context.config.trust_list_did()))?,
            Format::Pem => export::pem(&keys).into_bytes(),
        };
        std::io::stdout().lock().write_all(&bytes).map_err(|error| unwritable(error.to_string()))?;
        Ok(Answer::Yes)
    }
}
