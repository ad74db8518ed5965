//! All of `DIR/keys` in one encrypted file, and back.
//!
//! ```text
//! "thexanh keys 1\n"  15 bytes
//! salt                16 bytes   for scrypt, N = 2^17, r = 8, p = 1, to 32 bytes
//! nonce               12 bytes
//! ciphertext, tag     the rest   AES-256-GCM, the first 43 bytes authenticated with it
//! ```
//!
//! What is encrypted is JSON, `{"made_at": seconds since 1970, "files": {"token.pem": "its text", ..}}`. The files' own
//! passphrase still holds: the one of the backup lies over it. A few lines in any language with scrypt and AES-GCM open one
//! when nothing of ours runs any more.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeyringError, io, make_private_dir, random, write_secret};
use crate::certificate::UnixSeconds;
use crate::keys::KeyError;

const MAGIC: &[u8] = b"thexanh keys 1\n";
const SALT_LEN: usize = 16;
const HEAD_LEN: usize = MAGIC.len() + SALT_LEN + NONCE_LEN;
/// The largest file of a key directory that is taken: keys have some hundred bytes.
const MAX_FILE_BYTES: u64 = 64 << 10;
/// The largest backup that is read: 256 such files.
pub const MAX_BACKUP_BYTES: u64 = 16 << 20;

/// Why a backup is not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or a directory cannot be read or written.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Another passphrase, or bytes that were changed: nobody can tell which.
    #[error("the backup does not open: the passphrase is another, or the file is damaged")]
    DoesNotOpen,
    /// Not a backup, or one of a later version.
    #[error("this is no backup of keys that this version knows")]
    Malformed,
    /// There are keys already where it would be restored to.
    #[error("there are keys there already; restore into an empty directory with --keys DIR")]
    NotEmpty,
}

impl BackupError {
    /// The stable word for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            BackupError::Keyring(error) => error.code(),
            BackupError::DoesNotOpen => "backup_does_not_open",
            BackupError::Malformed => "backup_malformed",
            BackupError::NotEmpty => "keys_not_empty",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    made_at: i64,
    files: BTreeMap<String, Zeroizing<String>>,
}

/// The backup of all files in `dir`, and their names. `passphrase`: of the backup. Takes half a second and 128 MiB.
pub fn backup(dir: &Path, passphrase: &str, now: UnixSeconds) -> Result<(Vec<u8>, Vec<String>), BackupError> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(io(dir))? {
        let path = entry.map_err(io(dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).filter(|name| is_plain(name));
        let (Some(name), Ok(metadata)) = (name, fs::symlink_metadata(&path)) else { continue };
        // A key that is being written has another ending until it is whole.
        if metadata.is_file() && metadata.len() <= MAX_FILE_BYTES && !name.ends_with(".new") {
            files.insert(name.to_owned(), Zeroizing::new(fs::read_to_string(&path).map_err(io(&path))?));
        }
    }
    let names = files.keys().cloned().collect();
    let contents = Contents { made_at: now.0, files };
    let plain = Zeroizing::new(serde_json::to_vec(&contents).expect("names and texts are JSON"));
    let (salt, nonce) = (random::<SALT_LEN>()?, random::<NONCE_LEN>()?);
    let head = [MAGIC, &salt, &nonce].concat();
    let mut sealed = Vec::with_capacity(head.len() + plain.len() + AES_256_GCM.tag_len());
    sealed.extend_from_slice(&head);
    sealed.extend_from_slice(&plain);
    let key = key(passphrase, &salt);
    let text = sealed.get_mut(HEAD_LEN..).unwrap_or_default();
    let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&head), text);
    sealed.extend(tag.map_err(|_| KeyringError::Key(KeyError::Pkcs8))?.as_ref());
    Ok((sealed, names))
}

/// Writes the files of a backup into `dir`, which must hold none of them, nor any other key. Returns their names, and when
/// the backup was made.
pub fn restore(dir: &Path, backup: &[u8], passphrase: &str) -> Result<(Vec<String>, UnixSeconds), BackupError> {
    let (head, sealed) = backup.split_at_checked(HEAD_LEN).ok_or(BackupError::Malformed)?;
    let (salt, nonce) = head.strip_prefix(MAGIC).ok_or(BackupError::Malformed)?.split_at(SALT_LEN);
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| BackupError::Malformed)?;
    let mut sealed = Zeroizing::new(sealed.to_vec());
    let opened = key(passphrase, salt).open_in_place(nonce, Aad::from(head), &mut sealed);
    let plain = opened.map_err(|_| BackupError::DoesNotOpen)?;
    let contents: Contents = serde_json::from_slice(plain).map_err(|_| BackupError::Malformed)?;
    if !contents.files.keys().all(|name| is_plain(name)) {
        return Err(BackupError::Malformed);
    }
    make_private_dir(dir)?;
    if fs::read_dir(dir).map_err(io(dir))?.next().is_some() {
        return Err(BackupError::NotEmpty);
    }
    for (name, text) in &contents.files {
        write_secret(&dir.join(name), text.as_bytes())?;
    }
    Ok((contents.files.into_keys().collect(), UnixSeconds(contents.made_at)))
}

/// True if a file of this name stays in its directory.
fn is_plain(name: &str) -> bool {
    !name.starts_with('.') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

fn key(passphrase: &str, salt: &[u8]) -> LessSafeKey {
    // Eight times what the keys themselves cost: it is paid once, and a backup lies about for longer.
    let cost = scrypt::Params::new(17, 8, 1, 32).expect("N is a power of two, and r, p and the length are small");
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(passphrase.as_bytes(), salt, &cost, key.as_mut_slice()).expect("32 bytes are a length it gives");
    let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).expect("32 bytes are an AES-256 key");
    LessSafeKey::new(key)
}

#[cfg(test)]
mod tests {
    use super::super::tests::Dir;
    use super::*;
    use crate::keyring::Keyring;

    const NOW: UnixSeconds = UnixSeconds(1_660_000_000);

    #[test]
    fn what_is_backed_up_is_restored_file_by_file_and_opens() {
        use std::os::unix::fs::PermissionsExt as _;
        let (from, to) = (Dir::new("backup"), Dir::new("restore"));
        let made = Keyring::open_or_create(&from.0, "a passphrase").expect("makes");
        fs::write(from.0.join("half.new"), "half a key").expect("writes");
        let (bytes, names) = backup(&from.0, "of the backup", NOW).expect("backs up");
        assert_eq!((names.len(), names.contains(&"half.new".to_owned())), (7, false));
        assert_eq!(restore(&to.0, &bytes, "of the backup").expect("restores"), (names.clone(), NOW));
        for name in &names {
            assert_eq!(fs::read(from.0.join(name)).expect("reads"), fs::read(to.0.join(name)).expect("reads"));
            let mode = fs::metadata(to.0.join(name)).expect("exists").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let restored = Keyring::open_or_create(&to.0, "a passphrase").expect("opens");
        assert_eq!(restored.data_key(), made.data_key());
        let again = restore(&to.0, &bytes, "of the backup");
        assert!(matches!(again, Err(BackupError::NotEmpty)), "never over keys that are there");
    }

    #[test]
    fn a_backup_that_is_damaged_cut_or_of_another_passphrase_does_not_open() {
        let (from, to) = (Dir::new("damaged-from"), Dir::new("damaged-to"));
        fs::create_dir_all(&from.0).expect("makes");
        fs::write(from.0.join("token.pem"), "a text").expect("writes");
        let (bytes, _) = backup(&from.0, "right", NOW).expect("backs up");
        let code = |bytes: &[u8], passphrase| restore(&to.0, bytes, passphrase).map_err(|error| error.code()).err();
        assert_eq!(code(&bytes, "wrong"), Some("backup_does_not_open"));
        for at in [MAGIC.len(), HEAD_LEN - 1, HEAD_LEN, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(code(&damaged, "right"), Some("backup_does_not_open"), "byte {at}");
        }
        assert_eq!(code(&bytes[..bytes.len() - 1], "right"), Some("backup_does_not_open"));
        assert_eq!(code(&bytes[..HEAD_LEN - 1], "right"), Some("backup_malformed"));
        assert_eq!(code(&bytes[1..], "right"), Some("backup_malformed"));
        assert!(!to.0.exists(), "nothing is written before it is opened");
    }

    #[test]
    fn names_stay_in_their_directory() {
        for (name, plain) in
            [("token.pem", true), ("issuer-00ff.pem", true), ("a/b", false), ("..", false), (".x", false)]
        {
            assert_eq!(is_plain(name), plain, "{name}");
        }
    }
}
