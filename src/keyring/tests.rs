use super::*;
use crate::keys::PublicKey;

/// A directory of this test's own, removed when dropped.
pub(super) struct Dir(pub PathBuf);

impl Dir {
    pub fn new(name: &str) -> Dir {
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
    assert_eq!(files.len(), 7);
    for file in files {
        assert_eq!(fs::metadata(&file).expect("exists").permissions().mode() & 0o777, 0o600);
        if file.ends_with("anchor.pub.pem") {
            continue; // no secret
        }
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

#[test]
fn a_key_that_is_put_beside_the_others_is_taken_over_and_one_that_is_gone_is_kept() {
    let dir = Dir::new("reread");
    let keyring = Keyring::open_or_create(&dir.0, "a passphrase").expect("makes");
    assert!(!keyring.reread().expect("reads"), "nothing is new");
    let issuer = add_issuer(&dir.0, "a passphrase", Algorithm::EdDsa).expect("makes");
    let publisher = add_publisher(&dir.0, "a passphrase").expect("makes");
    assert!(keyring.reread().expect("reads"));
    assert!(keyring.issuers().iter().any(|key| key.kid() == issuer.kid()));
    assert!(keyring.publishers().iter().any(|key| key.kid() == publisher.kid()));
    for file in fs::read_dir(&dir.0).expect("lists") {
        fs::remove_file(file.expect("lists").path()).expect("removes");
    }
    assert!(!keyring.reread().expect("reads"));
    assert_eq!((keyring.issuers().len(), keyring.publishers().len()), (3, 2));
}

#[test]
fn the_anchor_is_made_once_and_may_be_elsewhere() {
    let dir = Dir::new("anchor");
    let made = Keyring::open_or_create(&dir.0, "a passphrase").expect("makes");
    let spki_der = made.anchor().expect("made with the others").spki_der().to_vec();
    assert_eq!(made.anchor_spki_der(), Some(&spki_der[..]));
    assert_eq!(add_anchor(&dir.0, "a passphrase").map_err(|error| error.code()).err(), Some("keys_unreadable"));

    // Carried away: its public half says which one it is.
    fs::remove_file(dir.0.join("anchor.pem")).expect("removes");
    let without = Keyring::open_or_create(&dir.0, "a passphrase").expect("works without");
    assert!(without.anchor().is_none());
    assert_eq!(without.anchor_spki_der(), Some(&spki_der[..]));
    assert_eq!(anchor(&dir.0, "a passphrase").map_err(|error| error.code()).err(), Some("no_anchor"));
    fs::write(dir.0.join("anchor.pub.pem"), "garbage").expect("writes");
    let code = Keyring::open_or_create(&dir.0, "a passphrase").map_err(|error| error.code()).err();
    assert_eq!(code, Some("keys_not_public"));

    // Known before the first run: none is made.
    let other = Dir::new("anchor-elsewhere");
    fs::create_dir_all(&other.0).expect("makes");
    fs::write(other.0.join("anchor.pub.pem"), public_pem(&spki_der)).expect("writes");
    let keyring = Keyring::open_or_create(&other.0, "a passphrase").expect("makes the others");
    assert!(keyring.anchor().is_none() && !other.0.join("anchor.pem").exists());
    assert_eq!(keyring.anchor_spki_der(), Some(&spki_der[..]));
}

#[test]
fn the_publisher_that_began_last_signs_and_only_one_that_is_named() {
    let dir = Dir::new("publishers");
    let keyring = Keyring::open_or_create(&dir.0, "a passphrase").expect("makes");
    add_publisher(&dir.0, "a passphrase").expect("makes");
    keyring.reread().expect("reads");
    let [first, second] = keyring.publishers().try_into().expect("two");
    let named = |key: &IssuerKey, from: i64, until: i64| Publisher {
        key: PublicKey::from_spki_der(key.spki_der()).expect("a key"),
        from: Some(UnixSeconds(from)),
        until: Some(UnixSeconds(until)),
    };
    let both = [named(&first, 0, 29), named(&second, 20, 40)];
    let at = |now: i64| keyring.publisher_key(&both, UnixSeconds(now)).map(|key| key.kid()).ok();
    assert_eq!((at(-1), at(0), at(19)), (None, Some(first.kid()), Some(first.kid())));
    assert_eq!((at(20), at(29), at(40), at(41)), (Some(second.kid()), Some(second.kid()), Some(second.kid()), None));
    assert!(keyring.publisher_key(&[], UnixSeconds(0)).is_err(), "none is named");
}
