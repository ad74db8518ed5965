//! The secret keys in `DIR/keys`: made on first run, encrypted under a passphrase, readable by their owner only.
//!
//! One PEM file a key, `ENCRYPTED PRIVATE KEY` (PKCS#8, PBES2 with scrypt and AES-256-CBC):
//! `issuer-<kid in hex>.pem` sign certificates, `token.pem` signs staff tokens and nothing else, `data.pem` is the master
//! secret of the sealed columns. Whoever can read them and knows the passphrase can issue; losing `data.pem` loses the
//! identity numbers and phones in the database.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use pkcs8::pkcs5::pbes2;
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncryptedPrivateKeyInfo, LineEnding, ObjectIdentifier, PrivateKeyInfo, SecretDocument};
use zeroize::Zeroizing;

use crate::certificate::{Profile, UnixSeconds};
use crate::issue;
use crate::keys::{Algorithm, IssuerKey, KeyError};
use crate::trust::{TrustList, TrustedKey};

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
            KeyringError::Missing { .. } => "keys_missing",
            KeyringError::NoSigningKey(_) => "no_signing_key",
            KeyringError::Key(error) => error.code(),
        }
    }
}

/// How many bytes the master secret of the sealed columns has.
pub const DATA_KEY_LEN: usize = 64;

/// Every secret of this node, decrypted. Printed `REDACTED`; zeroized when dropped.
pub struct Keyring {
    issuers: Vec<IssuerKey>,
    token_pkcs8: Zeroizing<Vec<u8>>,
    data_key: Zeroizing<[u8; DATA_KEY_LEN]>,
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
        let mut issuer_files = issuer_files(dir)?;
        let (token, data) = (dir.join("token.pem"), dir.join("data.pem"));
        if issuer_files.is_empty() && !token.exists() && !data.exists() {
            // Issuer keys last: a run that is cut short here leaves a directory that the next one reports, not half uses.
            write_key(&data, &new_data_key()?, passphrase)?;
            write_key(&token, &IssuerKey::generate(Algorithm::EdDsa)?.to_pkcs8()?, passphrase)?;
            for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
                add_issuer(dir, passphrase, algorithm)?;
            }
            issuer_files = self::issuer_files(dir)?;
        }
        let mut issuers = Vec::new();
        for path in &issuer_files {
            let key = IssuerKey::from_pkcs8(&read_key(path, passphrase)?);
            issuers.push(key.map_err(|_| KeyringError::Malformed { path: path.clone() })?);
        }
        if issuers.is_empty() {
            return Err(KeyringError::Missing { path: dir.join("issuer-*.pem") });
        }
        let token_pkcs8 = read_key(&token, passphrase)?;
        let data_key = data_key_of(&read_key(&data, passphrase)?).ok_or(KeyringError::Malformed { path: data })?;
        Ok(Keyring { issuers, token_pkcs8, data_key })
    }

    /// The same with issuer keys of a hardware module, which go before those in files.
    pub fn with(mut self, keys: Vec<IssuerKey>) -> Keyring {
        self.issuers.splice(..0, keys);
        self
    }

    /// Every issuer key.
    pub fn issuers(&self) -> &[IssuerKey] {
        &self.issuers
    }

    /// The key that signs `profile` at `now`, under its kid: of those that the trust list lets sign, the one that began last.
    ///
    /// Errors: [`KeyringError::NoSigningKey`].
    pub fn signing_key(
        &self,
        profile: Profile,
        trust: &TrustList,
        now: UnixSeconds,
    ) -> Result<IssuerKey, KeyringError> {
        let algorithm = issue::algorithm(profile);
        let began = |listed: &TrustedKey| {
            let from = listed.signs_from.unwrap_or(UnixSeconds(i64::MIN));
            let until = listed.signs_until.unwrap_or(UnixSeconds(i64::MAX));
            (listed.withdrawn_at.is_none() && from <= now && now <= until).then_some(from)
        };
        let mine = trust.own().iter().filter_map(|listed| {
            let mut keys = self.issuers.iter().filter(|key| key.algorithm() == algorithm);
            let key = keys.find(|key| key.spki_der() == listed.key.spki_der())?;
            Some((began(listed)?, listed.kid, key))
        });
        let latest = mine.max_by_key(|(from, kid, _)| (*from, *kid));
        latest.map(|(_, kid, key)| key.under(kid)).ok_or(KeyringError::NoSigningKey(algorithm.as_str()))
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
    let key = IssuerKey::generate(algorithm)?;
    let hex: String = key.kid().0.iter().map(|byte| format!("{byte:02x}")).collect();
    write_key(&dir.join(format!("issuer-{hex}.pem")), &key.to_pkcs8()?, passphrase)?;
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

fn issuer_files(dir: &Path) -> Result<Vec<PathBuf>, KeyringError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(io(dir))? {
        let path = entry.map_err(io(dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("issuer-") && name.ends_with(".pem") {
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
mod tests {
    use super::*;

    /// A directory of this test's own, removed when dropped.
    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Dir {
            let unique = format!("thexanh-keyring-{name}-{}", std::process::id());
            Dir(std::env::temp_dir().join(unique))
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn keys_made_on_the_first_run_open_on_the_next() {
        let dir = Dir::new("reopen");
        let first = Keyring::open_or_create(&dir.0, "a passphrase").expect("makes");
        let second = Keyring::open_or_create(&dir.0, "a passphrase").expect("opens");
        let kids = |keyring: &Keyring| keyring.issuers().iter().map(IssuerKey::kid).collect::<Vec<_>>();
        assert_eq!(kids(&first), kids(&second));
        assert_eq!((first.data_key(), first.token_pkcs8()), (second.data_key(), second.token_pkcs8()));
        assert_eq!(first.issuers().len(), 2);
        assert_ne!(first.data_key(), &[0; DATA_KEY_LEN]);
    }

    #[test]
    fn files_are_encrypted_and_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = Dir::new("modes");
        Keyring::open_or_create(&dir.0, "a passphrase").expect("makes");
        assert_eq!(fs::metadata(&dir.0).expect("exists").permissions().mode() & 0o777, 0o700);
        let files: Vec<_> = fs::read_dir(&dir.0).expect("lists").map(|entry| entry.expect("lists").path()).collect();
        assert_eq!(files.len(), 4);
        for file in files {
            assert_eq!(fs::metadata(&file).expect("exists").permissions().mode() & 0o777, 0o600);
            assert!(fs::read_to_string(&file).expect("PEM").starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        }
    }

    #[test]
    fn a_wrong_passphrase_and_a_missing_file_are_named() {
        let dir = Dir::new("wrong");
        Keyring::open_or_create(&dir.0, "a passphrase").expect("makes");
        let code = |passphrase: &str| Keyring::open_or_create(&dir.0, passphrase).map_err(|error| error.code()).err();
        assert_eq!(code("another"), Some("keys_wrong_passphrase"));
        fs::write(dir.0.join("token.pem"), "garbage").expect("writes");
        assert_eq!(code("a passphrase"), Some("keys_malformed"));
        fs::remove_file(dir.0.join("data.pem")).expect("removes");
        fs::remove_file(dir.0.join("token.pem")).expect("removes");
        assert_eq!(code("a passphrase"), Some("keys_missing"), "never a new data key beside old issuer keys");
    }

    #[test]
    fn never_overwrites_a_key() {
        let dir = Dir::new("overwrite");
        let path = dir.0.join("passphrase");
        let first = new_passphrase_file(&path).expect("writes");
        assert_eq!(new_passphrase_file(&path).map_err(|error| error.code()).err(), Some("keys_unreadable"));
        assert_eq!(fs::read_to_string(&path).expect("reads"), *first);
    }
}
