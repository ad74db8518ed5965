//! A public key <-> the numbers that it is made of, which JWK and COSE_Key write one by one.

use pkcs8::SubjectPublicKeyInfoRef;
use pkcs8::der::asn1::{AnyRef, BitStringRef, SequenceOf, UintRef};
use pkcs8::der::{Decode as _, Encode as _};
use pkcs8::spki::{AlgorithmIdentifierRef, ObjectIdentifier};

use crate::keys::{Algorithm, KeyError, PublicKey};

const OID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const OID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const OID_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const OID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// The longest number of a key: an RSA modulus of 8,192 bits and the zero byte that some write before it.
const MAX_NUMBER_LEN: usize = 1025;

/// What a public key is made of; numbers are big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts<'a> {
    /// The point as RFC 8032 writes it, 32 bytes.
    Ed25519(&'a [u8]),
    /// The point's coordinates.
    P256 {
        /// 32 bytes.
        x: &'a [u8],
        /// 32 bytes.
        y: &'a [u8],
    },
    /// An RSA key's.
    Rsa {
        /// The modulus.
        n: &'a [u8],
        /// The public exponent.
        e: &'a [u8],
    },
}

/// The parts of a key. `None` for a point written in short (RFC 5480 §2.2): JWK has no room for it.
pub fn of(key: &PublicKey) -> Option<Parts<'_>> {
    let bits = SubjectPublicKeyInfoRef::try_from(key.spki_der()).ok()?.subject_public_key.as_bytes()?;
    match key.algorithm() {
        Algorithm::EdDsa => Some(Parts::Ed25519(bits)),
        Algorithm::Es256 => {
            let (x, y) = bits.strip_prefix(&[4]).filter(|point| point.len() == 64)?.split_at_checked(32)?;
            Some(Parts::P256 { x, y })
        }
        // RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } (RFC 8017 A.1.1)
        Algorithm::Ps256 => match Vec::<UintRef<'_>>::from_der(bits).ok()?.as_slice() {
            [n, e] => Some(Parts::Rsa { n: n.as_bytes(), e: e.as_bytes() }),
            _ => None,
        },
    }
}

impl Parts<'_> {
    /// The DER SubjectPublicKeyInfo of these parts; whether it is a key that we use [`PublicKey`] says.
    ///
    /// Coordinates and numbers may have zero bytes before them or lack some, as big integers of Java are written in the
    /// lists of the WHO. Errors: [`KeyError::Spki`] for parts that are too long or empty. Source: RFC 5480, RFC 8410, RFC 8017.
    pub fn to_spki_der(self) -> Result<Vec<u8>, KeyError> {
        match self {
            Parts::Ed25519(point) => spki(OID_ED25519, None, point),
            Parts::P256 { x, y } => {
                let mut point = [0; 65];
                let [tag, coordinates @ ..] = &mut point;
                *tag = 4;
                let (to_x, to_y) = coordinates.split_at_mut(32);
                pad(to_x, x)?;
                pad(to_y, y)?;
                let curve = AnyRef::from(&OID_P256);
                spki(OID_EC, Some(curve), &point)
            }
            Parts::Rsa { n, e } => {
                let mut numbers = SequenceOf::<UintRef<'_>, 2>::new();
                for number in [n, e] {
                    let number = Some(number).filter(|number| (1..=MAX_NUMBER_LEN).contains(&number.len()));
                    let number = UintRef::new(number.ok_or(KeyError::Spki)?).map_err(|_| KeyError::Spki)?;
                    numbers.add(number).map_err(|_| KeyError::Spki)?;
                }
                let key = numbers.to_der().map_err(|_| KeyError::Spki)?;
                spki(OID_RSA, Some(AnyRef::NULL), &key)
            }
        }
    }
}

/// Writes a number right-aligned.
fn pad(to: &mut [u8], number: &[u8]) -> Result<(), KeyError> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = number.get(zeros..).filter(|number| !number.is_empty()).ok_or(KeyError::Spki)?;
    let from = to.len().checked_sub(number.len()).ok_or(KeyError::Spki)?;
    to.iter_mut().skip(from).zip(number).for_each(|(to, from)| *to = *from);
    Ok(())
}

fn spki(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, bits: &[u8]) -> Result<Vec<u8>, KeyError> {
    let subject_public_key = BitStringRef::from_bytes(bits).map_err(|_| KeyError::Spki)?;
    let algorithm = AlgorithmIdentifierRef { oid, parameters };
    SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().map_err(|_| KeyError::Spki)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::IssuerKey;

    #[test]
    fn a_key_is_made_of_its_parts_again() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let issuer = IssuerKey::generate(algorithm).expect("generates");
            let key = PublicKey::from_spki_der(issuer.spki_der()).expect("a key");
            assert_eq!(of(&key).expect("parts").to_spki_der().as_deref(), Ok(key.spki_der()));
        }
        let (n, e) = ([&[0xC1][..], &[7; 255]].concat(), [1, 0, 1]);
        let parts = Parts::Rsa { n: &n, e: &e };
        let key = PublicKey::from_spki_der(&parts.to_spki_der().expect("encodes")).expect("a key");
        assert_eq!((key.algorithm(), of(&key)), (Algorithm::Ps256, Some(parts)));
    }

    #[test]
    fn coordinates_come_with_zeros_before_them_and_without() {
        let (x, y) = ([&[0][..], &[9; 31]].concat(), [0x81; 32]);
        let whole = Parts::P256 { x: &x, y: &y }.to_spki_der().expect("encodes");
        assert_eq!(
            Parts::P256 { x: &x[1..], y: &[&[0][..], &y].concat() }.to_spki_der().as_deref(),
            Ok(whole.as_slice())
        );
        for x in [&[][..], &[0; 32], &[1; 33], &[1; 4096]] {
            assert_eq!(Parts::P256 { x, y: &y }.to_spki_der(), Err(KeyError::Spki), "{}", x.len());
        }
        assert_eq!(Parts::Rsa { n: &[], e: &[3] }.to_spki_der(), Err(KeyError::Spki));
        assert!(Parts::Rsa { n: &[1; MAX_NUMBER_LEN], e: &[3] }.to_spki_der().is_ok());
        assert_eq!(Parts::Rsa { n: &[1; MAX_NUMBER_LEN + 1], e: &[3] }.to_spki_der(), Err(KeyError::Spki));
    }
}
