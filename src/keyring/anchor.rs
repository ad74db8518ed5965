//! The anchor, which signs the trust list: its secret half where it is kept, its public half everywhere.

use std::fs;
use std::path::Path;

use pkcs8::LineEnding;
use pkcs8::der::pem;

use super::{KeyringError, io, make_private_dir, read_key, write_key, write_secret};
use crate::keys::{Algorithm, IssuerKey, PublicKey};

/// The file of the anchor, if it is kept here.
pub const ANCHOR: &str = "anchor.pem";
pub(super) const ANCHOR_PUBLIC: &str = "anchor.pub.pem";
const SPKI_LABEL: &str = "PUBLIC KEY";

/// Makes the anchor in `dir`, Ed25519: `anchor.pem`, encrypted, and `anchor.pub.pem`, its public half; returns it.
///
/// `dir` need not hold anything else: the machine that keeps the anchor has no other key. Errors: [`KeyringError`], also
/// when there is one.
pub fn add_anchor(dir: &Path, passphrase: &str) -> Result<IssuerKey, KeyringError> {
    make_private_dir(dir)?;
    let key = IssuerKey::generate(Algorithm::EdDsa)?;
    write_key(&dir.join(ANCHOR), &key.to_pkcs8()?, passphrase)?;
    write_secret(&dir.join(ANCHOR_PUBLIC), public_pem(key.spki_der()).as_bytes())?;
    Ok(key)
}

/// The anchor of `dir`. Errors: [`KeyringError::NoAnchor`] and those of a file that does not open.
pub fn anchor(dir: &Path, passphrase: &str) -> Result<IssuerKey, KeyringError> {
    let path = dir.join(ANCHOR);
    if !path.exists() {
        return Err(KeyringError::NoAnchor { path });
    }
    let key = IssuerKey::from_pkcs8(&read_key(&path, passphrase)?).ok();
    key.filter(|key| key.algorithm() == Algorithm::EdDsa).ok_or(KeyringError::Malformed { path })
}

/// The DER SubjectPublicKeyInfo in the PEM text of a public key. `None` if it is none that we use.
pub fn public_key_of_pem(text: &str) -> Option<PublicKey> {
    let (label, der) = pem::decode_vec(text.as_bytes()).ok()?;
    Some(PublicKey::from_spki_der(&der).ok()?).filter(|_| label == SPKI_LABEL)
}

/// The PEM text of a DER SubjectPublicKeyInfo. Source: RFC 7468 §13.
pub fn public_pem(spki_der: &[u8]) -> String {
    pem::encode_string(SPKI_LABEL, LineEnding::LF, spki_der).expect("a key is short, and its label plain")
}

/// Says in `dir` which one the anchor is, in place of the one before. Errors: [`KeyringError::Io`].
pub fn put_anchor_spki_der(dir: &Path, spki_der: &[u8]) -> Result<(), KeyringError> {
    make_private_dir(dir)?;
    let path = dir.join(ANCHOR_PUBLIC);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(&path)(error)),
        _ => write_secret(&path, public_pem(spki_der).as_bytes()),
    }
}

/// The DER SubjectPublicKeyInfo of the anchor whose public half is in `dir`. Errors: [`KeyringError::NotPublic`].
pub fn anchor_spki_der(dir: &Path) -> Result<Option<Vec<u8>>, KeyringError> {
    let path = dir.join(ANCHOR_PUBLIC);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(KeyringError::Io { path, source }),
    };
    match public_key_of_pem(&text) {
        Some(key) => Ok(Some(key.spki_der().to_vec())),
        None => Err(KeyringError::NotPublic { path }),
    }
}
