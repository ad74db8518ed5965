//! Keys: the issuer's secret half, public halves of several algorithms, and the kid. Of ours it uses `ed25519` alone.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::encoding::PublicKeyX509Der;
use aws_lc_rs::signature::{self as aws, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs8::der::Decode as _;
use pkcs8::der::asn1::UintRef;
use pkcs8::spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

use crate::ed25519;

/// Algorithm identifiers of the COSE registry. Source: RFC 9053 §2, RFC 8230, RFC 9864 §2.
pub mod alg {
    /// ECDSA with SHA-256, on a curve that the key says.
    pub const ES256: i64 = -7;
    /// EdDSA, on a curve that the key says.
    pub const EDDSA: i64 = -8;
    /// ECDSA with SHA-256 on P-256.
    pub const ESP256: i64 = -9;
    /// EdDSA on Ed25519.
    pub const ED25519: i64 = -19;
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes.
    pub const PS256: i64 = -37;
}

/// A hint which key signed; may collide. First 8 bytes of SHA-256 over the DER certificate, or for a bare key over its
/// SubjectPublicKeyInfo. Source: HCERT §3.3.3; for bare keys ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid(pub [u8; 8]);

impl Kid {
    /// The kid of a DER certificate or a DER SubjectPublicKeyInfo.
    pub fn of_der(der: &[u8]) -> Kid {
        let mut kid = [0; 8];
        kid.iter_mut().zip(digest(&SHA256, der).as_ref()).for_each(|(to, from)| *to = *from);
        Kid(kid)
    }
}

impl fmt::Display for Kid {
    /// Standard base64, as the field writes kids in JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl std::str::FromStr for Kid {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD.decode(text).map_err(|_| KeyError::Kid)?;
        bytes.try_into().map(Kid).map_err(|_| KeyError::Kid)
    }
}

/// Why bytes are not a key that we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a DER SubjectPublicKeyInfo.
    #[error("the public key is not a DER SubjectPublicKeyInfo")]
    Spki,
    /// Not a PKCS#8 private key of its algorithm.
    #[error("the secret key is not a PKCS#8 key of Ed25519 or P-256")]
    Pkcs8,
    /// Neither Ed25519, P-256 nor RSA of 2,048 ..= 8,192 bits.
    #[error("the key is of an algorithm, curve or size that is not accepted")]
    Algorithm,
    /// Not the base64 of eight bytes.
    #[error("a kid is the base64 of eight bytes")]
    Kid,
    /// A hardware module that holds the key does not sign now.
    #[error("the module that holds the key does not sign; see the log")]
    Unavailable,
    /// An Ed25519 key that is not canonical or not of prime order.
    #[error("the Ed25519 key is not canonical or not of prime order")]
    WeakPoint,
}

impl KeyError {
    /// The stable word for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            KeyError::Spki => "key_not_spki",
            KeyError::Pkcs8 => "key_not_pkcs8",
            KeyError::Algorithm => "key_algorithm",
            KeyError::Kid => "key_kid",
            KeyError::Unavailable => "key_unavailable",
            KeyError::WeakPoint => "key_weak_point",
        }
    }
}

/// How a key signs. The key decides, never the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// Ed25519: COSE -8 and -19.
    EdDsa,
    /// ECDSA on P-256 with SHA-256, signature r||s: COSE -7 and -9.
    Es256,
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes: COSE -37.
    Ps256,
}

impl Algorithm {
    /// The JOSE name.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Es256 => "ES256",
            Algorithm::Ps256 => "PS256",
        }
    }

    /// The identifier that we write.
    pub fn cose(self) -> i64 {
        match self {
            Algorithm::EdDsa => alg::EDDSA,
            Algorithm::Es256 => alg::ES256,
            Algorithm::Ps256 => alg::PS256,
        }
    }

    /// True if a header may call this algorithm so. Source: RFC 9053, RFC 9864.
    pub fn is_called(self, header: i64) -> bool {
        match self {
            Algorithm::EdDsa => matches!(header, alg::EDDSA | alg::ED25519),
            Algorithm::Es256 => matches!(header, alg::ES256 | alg::ESP256),
            Algorithm::Ps256 => header == alg::PS256,
        }
    }
}

impl std::str::FromStr for Algorithm {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Ps256]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or(KeyError::Algorithm)
    }
}

/// The public half of a key, parsed once and ready to verify.
pub struct PublicKey {
    spki_der: Vec<u8>,
    verifier: Verifier,
}

enum Verifier {
    EdDsa(Box<ed25519::Key>),
    Es256(Box<aws::ParsedPublicKey>),
    Ps256(Box<aws::ParsedPublicKey>),
}

const OID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const OID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const OID_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const OID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const OID_RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// How many bits the modulus of an RSAPublicKey has. Source: RFC 8017 A.1.1.
fn rsa_bits(der: &[u8]) -> Result<u32, KeyError> {
    let numbers = Vec::<UintRef<'_>>::from_der(der).map_err(|_| KeyError::Spki)?;
    let [modulus, _exponent] = numbers.as_slice() else { return Err(KeyError::Spki) };
    let first = modulus.as_bytes().first().map_or(8, |byte| byte.leading_zeros());
    Ok(u32::try_from(modulus.as_bytes().len() * 8).map_err(|_| KeyError::Spki)?.saturating_sub(first))
}

impl PublicKey {
    /// The key in a DER SubjectPublicKeyInfo.
    ///
    /// Errors: [`KeyError::Spki`], [`KeyError::Algorithm`]. An Ed25519 key with torsion is read: the gate that refuses it
    /// is the trust list's, so that the verdict of `verify_strict` can be tested below it. Source: RFC 5280 §4.1.2.7, RFC 8410.
    pub fn from_spki_der(der: &[u8]) -> Result<PublicKey, KeyError> {
        let spki = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| KeyError::Spki)?;
        let bits = spki.subject_public_key.as_bytes().ok_or(KeyError::Spki)?;
        let parsed =
            |algorithm| aws::ParsedPublicKey::new(algorithm, bits).map(Box::new).map_err(|_| KeyError::Algorithm);
        let verifier = match spki.algorithm.oid {
            OID_ED25519 => {
                let bytes = bits.try_into().map_err(|_| KeyError::Spki)?;
                Verifier::EdDsa(Box::new(ed25519::Key::from_bytes(bytes).ok_or(KeyError::WeakPoint)?))
            }
            OID_EC if spki.algorithm.parameters_oid() == Ok(OID_P256) => {
                Verifier::Es256(parsed(&aws::ECDSA_P256_SHA256_FIXED)?)
            }
            OID_RSA | OID_RSA_PSS if (2048..=8192).contains(&rsa_bits(bits)?) => {
                Verifier::Ps256(parsed(&aws::RSA_PSS_2048_8192_SHA256)?)
            }
            _ => return Err(KeyError::Algorithm),
        };
        Ok(PublicKey { spki_der: der.to_vec(), verifier })
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        match self.verifier {
            Verifier::EdDsa(_) => Algorithm::EdDsa,
            Verifier::Es256(_) => Algorithm::Es256,
            Verifier::Ps256(_) => Algorithm::Ps256,
        }
    }

    /// The kid of the bare key.
    pub fn kid(&self) -> Kid {
        Kid::of_der(&self.spki_der)
    }

    /// The DER SubjectPublicKeyInfo that it was read from.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The SHA-256 of that: what names the key, where a kid may collide.
    pub fn spki_hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.iter_mut().zip(digest(&SHA256, &self.spki_der).as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }

    /// True if `signature` is this key's over `tbs`: 64 bytes r||s or R||s, or as long as the RSA modulus.
    ///
    /// Ed25519 has `verify_strict`'s verdict: no cofactor, s canonical, neither R nor the key of small order. A trust list,
    /// which meets a key again and again, verifies through its [`ed25519::Engine`] instead.
    pub fn verifies(&self, signature: &[u8], tbs: &[u8]) -> bool {
        match &self.verifier {
            Verifier::EdDsa(key) => key.verifies_by_library(signature, tbs),
            Verifier::Es256(key) | Verifier::Ps256(key) => key.verify_sig(tbs, signature).is_ok(),
        }
    }

    /// The Ed25519 key that this is, if it is one.
    pub fn ed25519(&self) -> Option<&ed25519::Key> {
        match &self.verifier {
            Verifier::EdDsa(key) => Some(key),
            Verifier::Es256(_) | Verifier::Ps256(_) => None,
        }
    }

    /// Gives an Ed25519 key a place among the keys of `engine`.
    pub fn prepare(&mut self, engine: &ed25519::Engine) {
        if let Verifier::EdDsa(key) = &mut self.verifier {
            engine.prepare(key);
        }
    }

    /// Fails for an Ed25519 key that is not canonical and of prime order: under such a key one message can have verdicts
    /// that differ between implementations.
    pub fn check_prime_order(&self) -> Result<(), KeyError> {
        match &self.verifier {
            Verifier::EdDsa(key) if !key.is_canonical_of_prime_order() => Err(KeyError::WeakPoint),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.algorithm().as_str(), self.kid())
    }
}

/// The secret half that signs certificates, Ed25519 or P-256. Never printed, and zeroized with its last clone.
#[derive(Clone)]
pub struct IssuerKey {
    kid: Kid,
    secret: Arc<Secret>,
}

struct Secret {
    spki_der: Vec<u8>,
    signer: Signer,
}

/// Signs what it is given, or says why not.
type Sign = dyn Fn(&[u8]) -> Result<Vec<u8>, KeyError> + Send + Sync;

enum Signer {
    EdDsa(aws::Ed25519KeyPair),
    Es256(aws::EcdsaKeyPair),
    /// Its secret half is not in this process.
    Elsewhere(Algorithm, Box<Sign>),
}

impl IssuerKey {
    /// A new key. Errors: [`KeyError::Algorithm`] for RSA, which we read and never write.
    pub fn generate(algorithm: Algorithm) -> Result<IssuerKey, KeyError> {
        let signer = match algorithm {
            Algorithm::EdDsa => Signer::EdDsa(aws::Ed25519KeyPair::generate().map_err(|_| KeyError::Pkcs8)?),
            Algorithm::Es256 => {
                let pair = aws::EcdsaKeyPair::generate(&aws::ECDSA_P256_SHA256_FIXED_SIGNING);
                Signer::Es256(pair.map_err(|_| KeyError::Pkcs8)?)
            }
            Algorithm::Ps256 => return Err(KeyError::Algorithm),
        };
        IssuerKey::new(signer)
    }

    /// The key in an unencrypted DER PKCS#8. Errors: [`KeyError::Pkcs8`].
    pub fn from_pkcs8(der: &[u8]) -> Result<IssuerKey, KeyError> {
        if let Ok(pair) = aws::Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return IssuerKey::new(Signer::EdDsa(pair));
        }
        let pair = aws::EcdsaKeyPair::from_pkcs8(&aws::ECDSA_P256_SHA256_FIXED_SIGNING, der);
        IssuerKey::new(Signer::Es256(pair.map_err(|_| KeyError::Pkcs8)?))
    }

    /// A key whose secret half stays where it is, in a hardware module say.
    ///
    /// `spki_der`: its public half. `sign`: from the bytes to be signed to the signature, as [`IssuerKey::sign`] gives it.
    pub fn elsewhere(
        algorithm: Algorithm,
        spki_der: Vec<u8>,
        sign: impl Fn(&[u8]) -> Result<Vec<u8>, KeyError> + Send + Sync + 'static,
    ) -> IssuerKey {
        let (kid, signer) = (Kid::of_der(&spki_der), Signer::Elsewhere(algorithm, Box::new(sign)));
        IssuerKey { kid, secret: Arc::new(Secret { spki_der, signer }) }
    }

    fn new(signer: Signer) -> Result<IssuerKey, KeyError> {
        let spki: PublicKeyX509Der<'_> = match &signer {
            Signer::EdDsa(pair) => pair.public_key().as_der(),
            Signer::Es256(pair) => pair.public_key().as_der(),
            Signer::Elsewhere(..) => return Err(KeyError::Pkcs8),
        }
        .map_err(|_| KeyError::Spki)?;
        let spki_der = spki.as_ref().to_vec();
        Ok(IssuerKey { kid: Kid::of_der(&spki_der), secret: Arc::new(Secret { spki_der, signer }) })
    }

    /// The same key signing under another kid: that of a certificate over it.
    pub fn under(&self, kid: Kid) -> IssuerKey {
        IssuerKey { kid, secret: Arc::clone(&self.secret) }
    }

    /// The unencrypted DER PKCS#8, zeroized when dropped. Errors: [`KeyError::Pkcs8`], for a key that is elsewhere too.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let document = match &self.secret.signer {
            Signer::EdDsa(pair) => pair.to_pkcs8v1(),
            Signer::Es256(pair) => pair.to_pkcs8v1(),
            Signer::Elsewhere(..) => return Err(KeyError::Pkcs8),
        };
        document.map(|document| Zeroizing::new(document.as_ref().to_vec())).map_err(|_| KeyError::Pkcs8)
    }

    /// The kid that goes into the header: the bare key's, unless it signs [`IssuerKey::under`] another.
    pub fn kid(&self) -> Kid {
        self.kid
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        match self.secret.signer {
            Signer::EdDsa(_) => Algorithm::EdDsa,
            Signer::Es256(_) => Algorithm::Es256,
            Signer::Elsewhere(algorithm, _) => algorithm,
        }
    }

    /// The public half's DER SubjectPublicKeyInfo.
    pub fn spki_der(&self) -> &[u8] {
        &self.secret.spki_der
    }

    /// The signature over `tbs`, 64 bytes: R||s or r||s. Errors: [`KeyError::Unavailable`], for a key that is elsewhere.
    pub fn sign(&self, tbs: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.secret.signer {
            Signer::EdDsa(pair) => Ok(pair.sign(tbs).as_ref().to_vec()),
            Signer::Es256(pair) => {
                let random = aws_lc_rs::rand::SystemRandom::new();
                Ok(pair.sign(&random, tbs).expect("signing fails only without randomness or memory").as_ref().to_vec())
            }
            Signer::Elsewhere(_, sign) => sign(tbs),
        }
    }
}

impl fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerKey({}, REDACTED)", self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_pkcs8_and_verifies_its_own_signatures_only() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let key = IssuerKey::generate(algorithm).expect("generates");
            let again = IssuerKey::from_pkcs8(&key.to_pkcs8().expect("encodes")).expect("decodes");
            assert_eq!((again.kid(), again.algorithm()), (key.kid(), algorithm));
            let public = PublicKey::from_spki_der(key.spki_der()).expect("own keys are accepted");
            assert_eq!((public.kid(), public.algorithm()), (key.kid(), algorithm));
            assert_eq!(public.check_prime_order(), Ok(()));
            let signature = again.sign(b"tbs").expect("signs");
            assert_eq!(signature.len(), 64);
            assert!(public.verifies(&signature, b"tbs"));
            assert!(!public.verifies(&signature, b"tbt") && !public.verifies(&signature[..63], b"tbs"));
        }
    }

    #[test]
    fn refuses_what_is_no_key_of_ours() {
        assert_eq!(PublicKey::from_spki_der(b"").map(|_| ()), Err(KeyError::Spki));
        assert_eq!(IssuerKey::from_pkcs8(b"nothing").map(|_| ()), Err(KeyError::Pkcs8));
        assert_eq!(IssuerKey::generate(Algorithm::Ps256).map(|_| ()), Err(KeyError::Algorithm));
        assert_eq!("AAAA".parse::<Kid>(), Err(KeyError::Kid));
    }

    #[test]
    fn a_key_that_is_elsewhere_signs_there_and_says_when_it_cannot() {
        let key = IssuerKey::generate(Algorithm::Es256).expect("generates");
        let (spki_der, there) = (key.spki_der().to_vec(), key.clone());
        let sign = move |tbs: &[u8]| if tbs.is_empty() { Err(KeyError::Unavailable) } else { there.sign(tbs) };
        let elsewhere = IssuerKey::elsewhere(Algorithm::Es256, spki_der, sign);
        assert_eq!((elsewhere.kid(), elsewhere.algorithm()), (key.kid(), Algorithm::Es256));
        let public = PublicKey::from_spki_der(elsewhere.spki_der()).expect("a key");
        assert!(public.verifies(&elsewhere.sign(b"tbs").expect("signs"), b"tbs"));
        assert_eq!(
            (elsewhere.sign(b""), elsewhere.to_pkcs8().map(|_| ())),
            (Err(KeyError::Unavailable), Err(KeyError::Pkcs8))
        );
    }

    #[test]
    fn secrets_print_redacted() {
        let key = IssuerKey::generate(Algorithm::EdDsa).expect("generates");
        assert!(format!("{key:?}").ends_with("REDACTED)"));
    }
}
