//! The secret keys in `DIR/keys`: made on first run, encrypted under a passphrase, readable by their owner only.
//!
//! One PEM file a key, `ENCRYPTED PRIVATE KEY` (PKCS#8, PBES2 with scrypt and AES-256-CBC):
//! `issuer-<kid in hex>.pem` sign certificates, `publisher-<kid in hex>.pem` what verifiers follow, `anchor.pem` the trust
//! list, `token.pem` staff tokens and nothing else, `data.pem` is the master secret of the sealed columns. Whoever can read
//! them and knows the passphrase can issue; losing `data.pem` loses the identity numbers and phones in the database.
//!
//! The anchor may be elsewhere: `anchor.pub.pem`, its public half, is not secret, and says which one it is. A directory that
//! holds it before the first run gets no anchor of its own.

mod anchor;
pub mod backup;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use pkcs8::pkcs5::pbes2;
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncryptedPrivateKeyInfo, LineEnding, ObjectIdentifier, PrivateKeyInfo, SecretDocument};
use zeroize::Zeroizing;

pub use anchor::{ANCHOR, add_anchor, anchor, anchor_spki_der, public_key_of_pem, public_pem, put_anchor_spki_der};

use crate::certificate::{Profile, UnixSeconds};
use crate::issue;
use crate::keys::{Algorithm, IssuerKey, KeyError, Kid};
use crate::trust::{Publisher, TrustList};

/// Why the secret keys cannot be used. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A file or the directory cannot be read or written.
    #[error("{path}: {source}; give a directory that this user can write with --keys DIR")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The passphrase does not open a key.
    #[error("{path} does not open with this passphrase; set keys.passphrase_file to the one it was made with")]
    WrongPassphrase {
        /// Which key.
        path: PathBuf,
    },
    /// A file is not what it should be.
    #[error("{path} is not an encrypted PKCS#8 key; restore it from a backup")]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
    /// A public key is not what it should be.
    #[error("{path} is not the PEM of a public key; write it again with `thexanh keys anchor --out FILE`")]
    NotPublic {
        /// Which file.
        path: PathBuf,
    },
    /// There are issuer keys but not the other secrets, or the reverse: making new ones would lose data.
    #[error(
        "{path} is missing while other keys exist; restore it from a backup, or remove the directory if nothing was ever issued"
    )]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// No key of ours may sign this profile now.
    #[error("no {0} key may sign now; make one with `thexanh keys new`")]
    NoSigningKey(&'static str),
    /// No publisher key of ours is one that the trust list names now.
    #[error("no publisher key here is one that the trust list names; make one with `thexanh keys publisher new`")]
    NoPublisherKey,
    /// The anchor's secret half is not here.
    #[error("{path} is not here; have the list signed where the anchor is kept: `thexanh keys sign --export FILE`")]
    NoAnchor {
        /// Where it would be.
        path: PathBuf,
    },
    /// A key could not be made.
    #[error("a key could not be made: {0}")]
    Key(#[from] KeyError),
}

impl KeyringError {
    /// The stable word for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            KeyringError::Io { .. } => "keys_unreadable",
            KeyringError::WrongPassphrase { .. } => "keys_wrong_passphrase",
            KeyringError::Malformed { .. } => "keys_malformed",
            KeyringError::NotPublic { .. } => "keys_not_public",
            KeyringError::Missing { .. } => "keys_missing",
            KeyringError::NoSigningKey(_) => "no_signing_key",
            KeyringError::NoPublisherKey => "no_publisher_key",
            KeyringError::NoAnchor { .. } => "no_anchor",
            KeyringError::Key(error) => error.code(),
        }
    }
}

/// How many bytes the master secret of the sealed columns has.
pub const DATA_KEY_LEN: usize = 64;

/// What the keys of the directory are for: the beginning of their files' names.
const ISSUER: &str = "issuer-";
const PUBLISHER: &str = "publisher-";

/// Every secret of this node, decrypted. Printed `REDACTED`; zeroized when dropped.
pub struct Keyring {
    dir: PathBuf,
    passphrase: Zeroizing<String>,
    /// Swapped whole by [`Keyring::reread`].
    signers: ArcSwap<Signers>,
    /// The keys that the signed list names, once there is one: see [`Keyring::verifiers_know`].
    known: ArcSwapOption<Vec<(Kid, Vec<u8>)>>,
    anchor: Option<IssuerKey>,
    anchor_spki_der: Option<Vec<u8>>,
    token_pkcs8: Zeroizing<Vec<u8>>,
    data_key: Zeroizing<[u8; DATA_KEY_LEN]>,
}

/// The keys that are made and put away while the service runs.
#[derive(Clone, Default)]
struct Signers {
    /// Each with its file, which names it.
    issuers: Vec<(PathBuf, IssuerKey)>,
    publishers: Vec<(PathBuf, IssuerKey)>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(REDACTED)")
    }
}

impl Keyring {
    /// The keys in `dir`; in an empty or absent directory new ones, one for each profile.
    ///
    /// `passphrase`: opens every file. Errors: all of [`KeyringError`] but `NoSigningKey`.
    pub fn open_or_create(dir: &Path, passphrase: &str) -> Result<Keyring, KeyringError> {
        make_private_dir(dir)?;
        // Two first runs at once take turns, and the second finds the first one's keys.
        let turn = fs::File::open(dir).map_err(io(dir))?;
        rustix::fs::flock(&turn, rustix::fs::FlockOperation::LockExclusive).map_err(|error| io(dir)(error.into()))?;
        let (token, data) = (dir.join("token.pem"), dir.join("data.pem"));
        if files(dir, ISSUER)?.is_empty() && !token.exists() && !data.exists() {
            // Issuer keys last: a run that is cut short here leaves a directory that the next one reports, not half uses.
            write_key(&data, &new_data_key()?, passphrase)?;
            write_key(&token, &IssuerKey::generate(Algorithm::EdDsa)?.to_pkcs8()?, passphrase)?;
            if !dir.join(anchor::ANCHOR_PUBLIC).exists() {
                add_anchor(dir, passphrase)?;
            }
            add_publisher(dir, passphrase)?;
            for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
                add_issuer(dir, passphrase, algorithm)?;
            }
        }
        let signers = Signers::default().and_new(dir, passphrase)?;
        if signers.issuers.is_empty() {
            return Err(KeyringError::Missing { path: dir.join("issuer-*.pem") });
        }
        let anchor = if dir.join(ANCHOR).exists() { Some(anchor(dir, passphrase)?) } else { None };
        let token_pkcs8 = read_key(&token, passphrase)?;
        let data_key = data_key_of(&read_key(&data, passphrase)?).ok_or(KeyringError::Malformed { path: data })?;
        Ok(Keyring {
            dir: dir.to_owned(),
            passphrase: Zeroizing::new(passphrase.to_owned()),
            signers: ArcSwap::from_pointee(signers),
            known: ArcSwapOption::empty(),
            anchor_spki_der: match &anchor {
                Some(anchor) => Some(anchor.spki_der().to_vec()),
                None => anchor_spki_der(dir)?,
            },
            anchor,
            token_pkcs8,
            data_key,
        })
    }

    /// Takes over issuer and publisher keys that were put into the directory since. Returns whether there are any.
    ///
    /// Takes some 30 ms a new key. What was known stays, whatever became of its file: a directory that is away for a moment
    /// must not stop the signing. Errors: as [`Keyring::open_or_create`].
    pub fn reread(&self) -> Result<bool, KeyringError> {
        let known = self.signers.load_full();
        let read = known.and_new(&self.dir, &self.passphrase)?;
        let has_new = (read.issuers.len(), read.publishers.len()) != (known.issuers.len(), known.publishers.len());
        if has_new {
            self.signers.store(Arc::new(read));
        }
        Ok(has_new)
    }

    /// Every issuer key.
    pub fn issuers(&self) -> Vec<IssuerKey> {
        self.signers.load().issuers.iter().map(|(_, key)| key.clone()).collect()
    }

    /// Every publisher key.
    pub fn publishers(&self) -> Vec<IssuerKey> {
        self.signers.load().publishers.iter().map(|(_, key)| key.clone()).collect()
    }

    /// The anchor, if its secret half is kept here.
    pub fn anchor(&self) -> Option<&IssuerKey> {
        self.anchor.as_ref()
    }

    /// The DER SubjectPublicKeyInfo of the anchor, wherever its secret half is; `None` if nobody said which one it is.
    pub fn anchor_spki_der(&self) -> Option<&[u8]> {
        self.anchor_spki_der.as_deref()
    }

    /// Says which keys verifiers know: those that the signed list names, by their kid and DER SubjectPublicKeyInfo.
    pub fn verifiers_know(&self, keys: Vec<(Kid, Vec<u8>)>) {
        self.known.store(Some(Arc::new(keys)));
    }

    /// The key that signs `profile` at `now`: of those that the trust list lets sign, the one that began last.
    ///
    /// One that verifiers do not know yet, because the anchor has not signed for it, signs only where no other may.
    ///
    /// Errors: [`KeyringError::NoSigningKey`].
    pub fn signing_key(
        &self,
        profile: Profile,
        trust: &TrustList,
        now: UnixSeconds,
    ) -> Result<IssuerKey, KeyringError> {
        let algorithm = issue::algorithm(profile);
        let began = |key: &IssuerKey| {
            let listed = trust.keys(&key.kid()).iter().find(|listed| listed.key.spki_der() == key.spki_der())?;
            let from = listed.signs_from.unwrap_or(UnixSeconds(i64::MIN));
            let until = listed.signs_until.unwrap_or(UnixSeconds(i64::MAX));
            (listed.own && listed.withdrawn_at.is_none() && from <= now && now <= until).then_some(from)
        };
        let signers = self.signers.load();
        let mine = signers.issuers.iter().map(|(_, key)| key).filter(|key| key.algorithm() == algorithm);
        let known = self.known.load();
        let is_known = |key: &IssuerKey| {
            known.as_ref().is_none_or(|known| known.iter().any(|(kid, der)| *kid == key.kid() && der == key.spki_der()))
        };
        let latest = mine.filter_map(|key| Some((began(key)?, key)));
        let latest = latest.max_by_key(|(from, key)| (is_known(key), *from, key.kid()));
        latest.map(|(_, key)| key.clone()).ok_or(KeyringError::NoSigningKey(algorithm.as_str()))
    }

    /// The key that signs rules, revocations and changes at `now`: of those that are `named`, the one that began last.
    ///
    /// Errors: [`KeyringError::NoPublisherKey`].
    pub fn publisher_key<'a>(
        &self,
        named: impl IntoIterator<Item = &'a Publisher>,
        now: UnixSeconds,
    ) -> Result<IssuerKey, KeyringError> {
        let signers = self.signers.load();
        let mine = named.into_iter().filter(|named| named.may_sign(now)).filter_map(|named| {
            let mut keys = signers.publishers.iter().map(|(_, key)| key);
            Some((named.from, keys.find(|key| key.spki_der() == named.key.spki_der())?))
        });
        let latest = mine.max_by_key(|(from, key)| (*from, key.kid()));
        latest.map(|(_, key)| key.clone()).ok_or(KeyringError::NoPublisherKey)
    }

    /// The PKCS#8 of the key that signs staff tokens and nothing else.
    pub fn token_pkcs8(&self) -> &[u8] {
        &self.token_pkcs8
    }

    /// The master secret of the sealed columns.
    pub fn data_key(&self) -> &[u8; DATA_KEY_LEN] {
        &self.data_key
    }
}

/// Makes one more issuer key in `dir` and returns it; it signs once the trust list says so.
///
/// Errors: [`KeyringError`]; RSA keys are read and never made.
pub fn add_issuer(dir: &Path, passphrase: &str, algorithm: Algorithm) -> Result<IssuerKey, KeyringError> {
    add(dir, passphrase, ISSUER, algorithm)
}

/// Makes one more publisher key in `dir`, Ed25519, and returns it; it signs once the trust list names it.
///
/// Errors: [`KeyringError`].
pub fn add_publisher(dir: &Path, passphrase: &str) -> Result<IssuerKey, KeyringError> {
    add(dir, passphrase, PUBLISHER, Algorithm::EdDsa)
}

fn add(dir: &Path, passphrase: &str, purpose: &str, algorithm: Algorithm) -> Result<IssuerKey, KeyringError> {
    let key = IssuerKey::generate(algorithm)?;
    let hex: String = key.kid().0.iter().map(|byte| format!("{byte:02x}")).collect();
    write_key(&dir.join(format!("{purpose}{hex}.pem")), &key.to_pkcs8()?, passphrase)?;
    Ok(key)
}

/// Writes a new random passphrase to `path`, readable by its owner only, and returns it: what the demo does.
///
/// Errors: [`KeyringError::Io`], also when the file exists.
pub fn new_passphrase_file(path: &Path) -> Result<Zeroizing<String>, KeyringError> {
    if let Some(dir) = path.parent() {
        make_private_dir(dir)?;
    }
    let passphrase: String = random::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    write_secret(path, passphrase.as_bytes())?;
    Ok(Zeroizing::new(passphrase))
}

/// Makes `dir` for its owner alone; the directories above it, which hold more than secrets, as the system makes them.
fn make_private_dir(dir: &Path) -> Result<(), KeyringError> {
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent).map_err(io(parent))?;
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io(dir))
}

impl Signers {
    /// These keys and those that are in `dir` beside them.
    fn and_new(&self, dir: &Path, passphrase: &str) -> Result<Signers, KeyringError> {
        let and_new = |known: &[(PathBuf, IssuerKey)], purpose| -> Result<Vec<_>, KeyringError> {
            let mut keys = known.to_vec();
            for path in files(dir, purpose)? {
                if known.iter().all(|(known, _)| *known != path) {
                    let key = IssuerKey::from_pkcs8(&read_key(&path, passphrase)?);
                    let key = key.map_err(|_| KeyringError::Malformed { path: path.clone() })?;
                    keys.push((path, key));
                }
            }
            Ok(keys)
        };
        Ok(Signers { issuers: and_new(&self.issuers, ISSUER)?, publishers: and_new(&self.publishers, PUBLISHER)? })
    }
}

/// The key files of `dir` with this purpose, ordered by name.
fn files(dir: &Path, purpose: &str) -> Result<Vec<PathBuf>, KeyringError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(io(dir))? {
        let path = entry.map_err(io(dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(purpose) && name.ends_with(".pem") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> KeyringError + '_ {
    move |source| KeyringError::Io { path: path.to_owned(), source }
}

fn random<const N: usize>() -> Result<[u8; N], KeyringError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| KeyringError::Key(KeyError::Pkcs8))?;
    Ok(bytes)
}

/// HKDF with SHA-256 (RFC 8619): what a PKCS#8 file calls a secret that other keys are derived from.
const OID_HKDF_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.3.28");

fn new_data_key() -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let secret = Zeroizing::new(random::<DATA_KEY_LEN>()?);
    let algorithm = AlgorithmIdentifierRef { oid: OID_HKDF_SHA256, parameters: None };
    let document = SecretDocument::try_from(PrivateKeyInfo::new(algorithm, secret.as_slice()));
    let document = document.map_err(|_| KeyringError::Key(KeyError::Pkcs8))?;
    Ok(Zeroizing::new(document.as_bytes().to_vec()))
}

fn data_key_of(pkcs8: &[u8]) -> Option<Zeroizing<[u8; DATA_KEY_LEN]>> {
    let info = PrivateKeyInfo::try_from(pkcs8).ok().filter(|info| info.algorithm.oid == OID_HKDF_SHA256)?;
    info.private_key.try_into().ok().map(Zeroizing::new)
}

/// Encrypts and writes a key whole or not at all; an existing file is never overwritten.
fn write_key(path: &Path, pkcs8: &[u8], passphrase: &str) -> Result<(), KeyringError> {
    let malformed = || KeyringError::Malformed { path: path.to_owned() };
    // N = 2^14, r = 8, p = 1: 16 MiB and some 30 ms a key, at every start.
    let cost = pkcs8::pkcs5::scrypt::Params::new(14, 8, 1, 32).map_err(|_| malformed())?;
    let (salt, iv) = (random::<16>()?, random::<16>()?);
    let scheme = pbes2::Parameters::scrypt_aes256cbc(cost, &salt, &iv).map_err(|_| malformed())?;
    let info = PrivateKeyInfo::try_from(pkcs8).map_err(|_| malformed())?;
    let sealed = info.encrypt_with_params(scheme, passphrase).map_err(|_| malformed())?;
    let pem = sealed.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF).map_err(|_| malformed())?;
    write_secret(path, pem.as_bytes())
}

fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), KeyringError> {
    let aside = path.with_extension("new");
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::hard_link(&aside, path)?; // unlike rename, fails if the file exists
        fs::remove_file(&aside)
    };
    write().map_err(io(path))
}

fn read_key(path: &Path, passphrase: &str) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let pem = match fs::read_to_string(path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(KeyringError::Missing { path: path.to_owned() });
        }
        Err(source) => return Err(KeyringError::Io { path: path.to_owned(), source }),
    };
    let malformed = || KeyringError::Malformed { path: path.to_owned() };
    let (_, der) = SecretDocument::from_pem(&pem).map_err(|_| malformed())?;
    let sealed = EncryptedPrivateKeyInfo::try_from(der.as_bytes()).map_err(|_| malformed())?;
    let opened = sealed.decrypt(passphrase).map_err(|_| KeyringError::WrongPassphrase { path: path.to_owned() })?;
    Ok(Zeroizing::new(opened.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests;
