//! TLS where we are the client: the provider is the service's own, and whose certificates are believed is said by whoever asks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// The roots that were named cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the certificates of {path}: {problem}; name a PEM file of root certificates")]
pub struct RootsError {
    path: PathBuf,
    problem: String,
}

impl RootsError {
    /// The one stable word for this error.
    pub fn code(&self) -> &'static str {
        "tls_roots"
    }
}

/// The root certificates of the PEM file `path`, one at least; without one those that browsers believe.
pub fn roots(path: Option<&Path>) -> Result<RootCertStore, RootsError> {
    let Some(path) = path else { return Ok(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()) };
    let fail = |problem: &dyn std::fmt::Display| RootsError { path: path.to_owned(), problem: problem.to_string() };
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(path).map_err(|error| fail(&error))? {
        roots.add(root.map_err(|error| fail(&error))?).map_err(|error| fail(&error))?;
    }
    if roots.is_empty() { Err(fail(&"there is no certificate in it")) } else { Ok(roots) }
}

/// What an HTTP client is built from that believes these roots. It follows no redirection: what it sends is for whom it is sent to.
///
/// Every client of ours begins here: the library's own asks the operating system for roots, and fails where there are none.
pub fn http_client(roots: RootCertStore) -> reqwest::ClientBuilder {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(config).redirect(reqwest::redirect::Policy::none())
}
