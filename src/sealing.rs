//! Sealed columns: identity numbers and phones at rest, and the keyed hashes that find them. Uses nothing of ours.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;

/// What seals and finds: AES-256-GCM and HMAC-SHA256 under the two halves of one secret. Printed `REDACTED`.
pub struct DataKey {
    seal: LessSafeKey,
    find: hmac::Key,
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(REDACTED)")
    }
}

/// How many bytes were sealed into `sealed_len` of them: sealing hides what a number is, not how long.
pub fn plain_len(sealed_len: i32) -> usize {
    usize::try_from(sealed_len).unwrap_or(0).saturating_sub(NONCE_LEN + AES_256_GCM.tag_len())
}

/// A sealed value does not open: another key, another column, or changed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open under this data key")]
pub struct SealingError;

impl DataKey {
    /// The key made of 64 secret bytes, 32 for sealing and 32 for finding.
    pub fn new(secret: &[u8; 64]) -> DataKey {
        let (seal, find) = secret.split_at(32);
        let seal = UnboundKey::new(&AES_256_GCM, seal).expect("32 bytes are an AES-256 key");
        DataKey { seal: LessSafeKey::new(seal), find: hmac::Key::new(hmac::HMAC_SHA256, find) }
    }

    /// `plain` sealed for one column: 12 bytes of nonce, the ciphertext, 16 bytes of tag.
    ///
    /// `column`: authenticated with it, so that a value moved to another column does not open.
    pub fn seal(&self, column: &str, plain: &str) -> Vec<u8> {
        self.seal_bytes(column, plain.as_bytes())
    }

    /// `plain` sealed as [`DataKey::seal`] does it: up to 64 GiB, though what is short is kinder to memory.
    pub fn seal_bytes(&self, column: &str, plain: &[u8]) -> Vec<u8> {
        // Random nonces are safe for 2^32 values a key; a country has fewer numbers than that.
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).expect("the system has randomness");
        let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.extend(nonce);
        sealed.extend(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let text = sealed.get_mut(NONCE_LEN..).unwrap_or_default();
        let tag = self.seal.seal_in_place_separate_tag(nonce, Aad::from(column.as_bytes()), text);
        sealed.extend(tag.expect("what fits in memory here is never too long to seal").as_ref());
        sealed
    }

    /// What was sealed for `column`. Errors: [`SealingError`].
    pub fn open(&self, column: &str, sealed: &[u8]) -> Result<String, SealingError> {
        String::from_utf8(self.open_bytes(column, sealed)?).map_err(|_| SealingError)
    }

    /// What [`DataKey::seal_bytes`] sealed for `column`. Errors: [`SealingError`].
    pub fn open_bytes(&self, column: &str, sealed: &[u8]) -> Result<Vec<u8>, SealingError> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealingError)?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain =
            self.seal.open_in_place(nonce, Aad::from(column.as_bytes()), &mut text).map_err(|_| SealingError)?.len();
        text.truncate(plain);
        Ok(text)
    }

    /// The keyed hash under which `value` of `kind` is found; the same value of another kind has another.
    pub fn lookup_hash(&self, kind: &str, value: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.find);
        context.update(kind.as_bytes());
        context.update(&[0]); // no kind holds a zero byte, so kind and value cannot be cut elsewhere
        context.update(value.as_bytes());
        let mut hash = [0; 32];
        hash.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_sealed_and_nothing_else() {
        let key = DataKey::new(&[7; 64]);
        let sealed = key.seal("phone", "+84912345678");
        assert_eq!(key.open("phone", &sealed).as_deref(), Ok("+84912345678"));
        assert_ne!(key.seal("phone", "+84912345678"), sealed, "each sealing has its nonce");
        assert_eq!(key.open("identity", &sealed), Err(SealingError), "another column");
        assert_eq!(DataKey::new(&[8; 64]).open("phone", &sealed), Err(SealingError), "another key");
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert_eq!(key.open("phone", &changed), Err(SealingError), "byte {i} changed");
            assert_eq!(key.open("phone", &sealed[..i]), Err(SealingError), "cut at {i}");
        }
    }

    #[test]
    fn one_value_has_one_hash_a_kind_and_key() {
        let key = DataKey::new(&[7; 64]);
        assert_eq!(key.lookup_hash("phone", "1"), key.lookup_hash("phone", "1"));
        assert_ne!(key.lookup_hash("phone", "1"), key.lookup_hash("identity", "1"));
        assert_ne!(key.lookup_hash("phone", "1"), DataKey::new(&[8; 64]).lookup_hash("phone", "1"));
    }
}
