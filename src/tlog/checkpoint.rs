//! Checkpoints: how large the tree is and what its root is, as a note that is signed. Source: C2SP tlog-checkpoint, signed-note.
//!
//! ```text
//! <origin>\n<size>\n<root in base64>\n\n— <origin> <base64 of key id and signature>\n
//! ```
//!
//! The key's name is the origin. What is signed is the text up to and with the third line's end; it begins with a character of
//! UTF-8, and so is no Sig_structure: the publisher's signature of a checkpoint is none of a signed resource, nor the other way.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{Hash, MAX_SIZE, sha256};
use crate::keys::{Algorithm, IssuerKey, KeyError, PublicKey};

/// The largest checkpoint that is read, in bytes: a log's with some twenty signatures of witnesses.
pub const MAX_LEN: usize = 16 << 10;
/// Ed25519, among the types of signatures. Source: C2SP signed-note.
const ED25519: u8 = 1;
/// How the DER SubjectPublicKeyInfo of an Ed25519 key begins; the 32 bytes of the key follow. Source: RFC 8410.
const SPKI_LEN: usize = 12;
const DASH: &str = "\u{2014} ";

/// How large a log is, and what its root is then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Names the log for ever: its address without the scheme.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
}

/// Why a note is not taken as a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Over [`MAX_LEN`] bytes, or not of the form above.
    #[error("it is not a checkpoint")]
    Malformed,
    /// None of the keys that may sign it did.
    #[error("no key that may sign it did")]
    UnknownSigner,
    /// A signature under a key that may sign it is not of this text.
    #[error("its signature is wrong")]
    BadSignature,
}

impl CheckpointError {
    /// The stable word for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            CheckpointError::Malformed => "checkpoint_malformed",
            CheckpointError::UnknownSigner => "checkpoint_unknown_signer",
            CheckpointError::BadSignature => "checkpoint_bad_signature",
        }
    }
}

/// True if a log may be named so: not empty, no space, no plus, no control character, and short.
pub fn is_origin(name: &str) -> bool {
    let is_bad = |char: char| char.is_whitespace() || char.is_control() || char == '+';
    !name.is_empty() && name.len() <= 256 && !name.contains(is_bad)
}

/// How verifiers of notes are told a key: `name+id+key`. `None` for a key that is no Ed25519 key.
pub fn verifier_key(name: &str, key: &PublicKey) -> Option<String> {
    let public = raw(key.spki_der()).filter(|_| key.algorithm() == Algorithm::EdDsa)?;
    let id = key_id(name, public);
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{name}+{hex}+{}", BASE64_STANDARD.encode([&[ED25519], public].concat())))
}

fn raw(spki_der: &[u8]) -> Option<&[u8]> {
    spki_der.get(SPKI_LEN..).filter(|key| key.len() == 32)
}

fn key_id(name: &str, public: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = sha256(&[name.as_bytes(), &[b'\n', ED25519], public].concat());
    [a, b, c, d]
}

/// A note of this text under the signature of the key, which is called `name`.
fn sign_note(name: &str, text: &str, key: &IssuerKey) -> Result<String, KeyError> {
    let public = raw(key.spki_der()).filter(|_| key.algorithm() == Algorithm::EdDsa).ok_or(KeyError::Algorithm)?;
    let signature = key.sign(text.as_bytes())?;
    let signature = BASE64_STANDARD.encode([&key_id(name, public)[..], &signature].concat());
    Ok(format!("{text}\n{DASH}{name} {signature}\n"))
}

impl Checkpoint {
    /// What is signed.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64_STANDARD.encode(self.root))
    }

    /// The note, signed. Errors: [`KeyError::Algorithm`] for a key of another algorithm than Ed25519, [`KeyError::Unavailable`].
    pub fn sign(&self, key: &IssuerKey) -> Result<String, KeyError> {
        sign_note(&self.origin, &self.text(), key)
    }

    /// The checkpoint in a note, proved to be one of the signers'. Extension lines and other signatures are passed over.
    ///
    /// `signers`: the keys that may sign it. Errors: [`CheckpointError`].
    pub fn open<'k>(
        note: &[u8],
        signers: impl IntoIterator<Item = &'k PublicKey>,
    ) -> Result<Checkpoint, CheckpointError> {
        const MALFORMED: CheckpointError = CheckpointError::Malformed;
        let note = Some(note).filter(|note| note.len() <= MAX_LEN).and_then(|note| std::str::from_utf8(note).ok());
        let is_control = |char: char| char < ' ' && char != '\n';
        let note = note.filter(|note| note.ends_with('\n') && !note.contains(is_control)).ok_or(MALFORMED)?;
        let text_len = note.rfind("\n\n").ok_or(MALFORMED)? + 1;
        let (text, signatures) = (note.get(..text_len).ok_or(MALFORMED)?, note.get(text_len + 1..).ok_or(MALFORMED)?);
        let checkpoint = Checkpoint::read(text).ok_or(MALFORMED)?;
        let signatures: Option<Vec<_>> = signatures.lines().map(signature).collect();
        let signatures = signatures.filter(|signatures| !signatures.is_empty()).ok_or(MALFORMED)?;
        let mut proved = false;
        for key in signers.into_iter().filter(|key| key.algorithm() == Algorithm::EdDsa) {
            let Some(public) = raw(key.spki_der()) else { continue };
            let id = key_id(&checkpoint.origin, public);
            for (_, _, signature) in signatures.iter().filter(|(name, of, _)| *name == checkpoint.origin && *of == id) {
                if !key.verifies(signature, text.as_bytes()) {
                    return Err(CheckpointError::BadSignature);
                }
                proved = true;
            }
        }
        if proved { Ok(checkpoint) } else { Err(CheckpointError::UnknownSigner) }
    }

    fn read(text: &str) -> Option<Checkpoint> {
        let mut lines = text.split_terminator('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        if !is_origin(origin) || lines.any(str::is_empty) {
            return None;
        }
        let number: u64 = size.parse().ok().filter(|size| *size <= MAX_SIZE)?;
        let root: Hash = BASE64_STANDARD.decode(root).ok()?.try_into().ok()?;
        (number.to_string() == size).then(|| Checkpoint { origin: origin.to_owned(), size: number, root })
    }
}

/// A line of a signature: the key's name, its id, and the signature.
fn signature(line: &str) -> Option<(&str, [u8; 4], Vec<u8>)> {
    let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
    let bytes = BASE64_STANDARD.decode(signature).ok()?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    (is_origin(name) && !signature.is_empty()).then(|| (name, *id, signature.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> (IssuerKey, PublicKey) {
        let key = IssuerKey::generate(Algorithm::EdDsa).expect("generates");
        let public = PublicKey::from_spki_der(key.spki_der()).expect("a key");
        (key, public)
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "log.example/v1/log".to_owned(), size: 20_852_163, root: [7; 32] }
    }

    /// The key and the note of golang.org/x/mod/sumdb/note's tests.
    #[test]
    fn signs_and_names_keys_as_the_note_package_of_go_does() {
        const SEED: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
        // PKCS#8 of an Ed25519 seed: SEQUENCE { 0, SEQUENCE { 1.3.101.112 }, OCTET STRING { OCTET STRING } }, RFC 8410 §7.
        let mut pkcs8 = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
        pkcs8.extend(BASE64_STANDARD.decode(SEED).expect("base64").iter().skip(1));
        let key = IssuerKey::from_pkcs8(&pkcs8).expect("a key");
        let public = PublicKey::from_spki_der(key.spki_der()).expect("a key");
        let expected = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert_eq!(verifier_key("PeterNeumann", &public).as_deref(), Some(expected));
        let text =
            "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let signed = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        let note = sign_note("PeterNeumann", text, &key).expect("signs");
        assert_eq!(note, format!("{text}\n\u{2014} PeterNeumann {signed}\n"));
    }

    #[test]
    fn what_was_signed_is_opened_and_no_bit_of_it_can_be_changed() {
        let ((key, public), (other, other_public)) = (key(), key());
        let note = checkpoint().sign(&key).expect("signs");
        assert_eq!(Checkpoint::open(note.as_bytes(), [&other_public, &public]), Ok(checkpoint()));
        assert_eq!(Checkpoint::open(note.as_bytes(), [&other_public]), Err(CheckpointError::UnknownSigner));
        for at in 0..note.len() * 8 {
            let mut bytes = note.clone().into_bytes();
            bytes[at / 8] ^= 1 << (at % 8);
            let opened = Checkpoint::open(&bytes, [&public]);
            assert!(opened.is_err(), "bit {at}: {opened:?}");
        }
        for len in 0..note.len() {
            assert!(Checkpoint::open(&note.as_bytes()[..len], [&public]).is_err(), "cut at {len}");
        }
        let es256 = IssuerKey::generate(Algorithm::Es256).expect("generates");
        assert_eq!(checkpoint().sign(&es256), Err(KeyError::Algorithm));
        // Signed by two, one of whom is not known; and by one who is known, wrongly.
        let line = |note: &str| note.lines().last().expect("a signature").to_owned() + "\n";
        let both = note.clone() + &line(&checkpoint().sign(&other).expect("signs"));
        assert_eq!(Checkpoint::open(both.as_bytes(), [&public]), Ok(checkpoint()));
        let wrong = Checkpoint { size: 1, ..checkpoint() }.sign(&other).expect("signs");
        let both = note.clone() + &line(&wrong);
        assert_eq!(Checkpoint::open(both.as_bytes(), [&public]), Ok(checkpoint()));
        assert_eq!(Checkpoint::open(both.as_bytes(), [&public, &other_public]), Err(CheckpointError::BadSignature));
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        let (key, public) = key();
        let root = BASE64_STANDARD.encode([7; 32]);
        let open = |text: &str| {
            let name = text.lines().next().unwrap_or_default();
            Checkpoint::open(sign_note(name, text, &key).expect("signs").as_bytes(), [&public])
        };
        assert!(open(&format!("a\n{MAX_SIZE}\n{root}\n")).is_ok());
        assert!(open(&format!("a\n0\n{root}\nan extension\n")).is_ok());
        for text in [
            format!("a\n{}\n{root}\n", MAX_SIZE + 1),
            format!("a\n01\n{root}\n"),
            format!("a\n+1\n{root}\n"),
            format!("a\n-1\n{root}\n"),
            format!("a\n\n{root}\n"),
            format!("a b\n1\n{root}\n"),
            format!("a\n1\n{}\n", BASE64_STANDARD.encode([7; 31])),
            format!("a\n1\n{root}\n\nmore\n"),
            "a\n1\n".to_owned(),
        ] {
            assert_eq!(open(&text), Err(CheckpointError::Malformed), "{text}");
        }
        let note = checkpoint().sign(&key).expect("signs");
        let (text, _) = note.split_once("\n\n").expect("two parts");
        for signatures in ["", "x\n", "\u{2014} a\n", "\u{2014} a AAAA\n", "\u{2014} a+b AAAAAAAA\n"] {
            let note = format!("{text}\n\n{signatures}");
            assert_eq!(Checkpoint::open(note.as_bytes(), [&public]), Err(CheckpointError::Malformed), "{note}");
        }
        let long = note.clone() + &format!("{}\n", note.lines().last().expect("a line")).repeat(MAX_LEN / 90);
        assert!(long.len() > MAX_LEN);
        assert_eq!(Checkpoint::open(long.as_bytes(), [&public]), Err(CheckpointError::Malformed));
    }
}
