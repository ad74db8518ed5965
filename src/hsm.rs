//! Issuer keys in a PKCS#11 token: they sign there, and their secret halves never leave it. Source: PKCS #11 3.0 §2.3.
//!
//! Ours are the key pairs of the token that are labelled [`LABEL`], each half with the same CKA_ID. Signing is a call into
//! the module and blocks for as long as the token takes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use crate::keys::{Algorithm, IssuerKey, KeyError};
use crate::trust::parts::Parts;

/// CKA_LABEL of the key pairs that sign certificates.
pub const LABEL: &str = "thexanh issuer";

/// CKA_EC_PARAMS: the object identifier of P-256, and the name of edwards25519 as tokens without its identifier know it too.
const P256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const EDWARDS25519: &[u8] = b"\x13\x0Cedwards25519";

/// Why the keys of a token cannot be used. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum HsmError {
    /// The module cannot be loaded.
    #[error("{path} cannot be loaded as a PKCS#11 module: {cause}; see keys.pkcs11.module")]
    Module {
        /// Which.
        path: PathBuf,
        /// What the loader or the module says.
        cause: Error,
    },
    /// There is no such token.
    #[error("no token is labelled {0}; see keys.pkcs11.token_label")]
    NoToken(String),
    /// The PIN cannot be read.
    #[error("{path}: {source}; name a file with the token's PIN in keys.pkcs11.pin_file")]
    Pin {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The token does not do it.
    #[error("the token refused: {0}; see keys.pkcs11")]
    Refused(#[from] Error),
    /// A key pair of it is none that signs here.
    #[error("a key labelled {LABEL:?} in the token cannot be used: {0}")]
    Key(#[from] KeyError),
}

impl HsmError {
    /// The stable word for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            HsmError::Module { .. } => "hsm_module",
            HsmError::NoToken(_) => "hsm_no_token",
            HsmError::Pin { .. } => "hsm_pin_unreadable",
            HsmError::Refused(_) => "hsm_refused",
            HsmError::Key(error) => error.code(),
        }
    }
}

/// A token that we are logged in to.
pub struct Token {
    pkcs11: Pkcs11,
    slot: Slot,
    pin: AuthPin,
    /// Sessions that nobody signs in now: one has one signature under way at a time.
    idle: Mutex<Vec<Session>>,
}

impl Token {
    /// The token with this label, behind `module`, opened with the PIN in the first line of `pin_file`.
    ///
    /// Errors: every [`HsmError`] but `Key`.
    pub fn open(module: &Path, label: &str, pin_file: &Path) -> Result<Arc<Token>, HsmError> {
        let pin =
            std::fs::read_to_string(pin_file).map_err(|source| HsmError::Pin { path: pin_file.to_owned(), source })?;
        let pin = AuthPin::new(pin.lines().next().unwrap_or_default().into());
        let unusable = |cause| HsmError::Module { path: module.to_owned(), cause };
        let pkcs11 = Pkcs11::new(module).map_err(unusable)?;
        match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // It is once a process, however often it is opened.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(unusable(error)),
        }
        for slot in pkcs11.get_slots_with_initialized_token()? {
            if pkcs11.get_token_info(slot)?.label() == label {
                let token = Token { pkcs11, slot, pin, idle: Mutex::default() };
                let session = token.session()?; // proof of the PIN
                token.give_back(session);
                return Ok(Arc::new(token));
            }
        }
        Err(HsmError::NoToken(label.to_owned()))
    }

    /// The issuer keys in it. Errors: [`HsmError::Refused`], [`HsmError::Key`].
    pub fn keys(self: &Arc<Self>) -> Result<Vec<IssuerKey>, HsmError> {
        let session = self.session()?;
        let ours = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Label(LABEL.into())];
        let keys = session.find_objects(&ours)?.into_iter().map(|public| self.key(&session, public));
        let keys = keys.collect();
        self.give_back(session);
        keys
    }

    /// Makes one more issuer key in it. Errors: [`HsmError`]; no RSA keys are made.
    pub fn generate(self: &Arc<Self>, algorithm: Algorithm) -> Result<IssuerKey, HsmError> {
        let (mechanism, curve) = match algorithm {
            Algorithm::EdDsa => (Mechanism::EccEdwardsKeyPairGen, EDWARDS25519),
            Algorithm::Es256 => (Mechanism::EccKeyPairGen, P256),
            Algorithm::Ps256 => return Err(KeyError::Algorithm.into()),
        };
        let session = self.pkcs11.open_rw_session(self.slot)?;
        let id = session.generate_random_vec(16)?;
        let both = [Attribute::Token(true), Attribute::Label(LABEL.into()), Attribute::Id(id)];
        let public = [&both[..], &[Attribute::Verify(true), Attribute::EcParams(curve.to_vec())]].concat();
        let secret = [Attribute::Private(true), Attribute::Sensitive(true), Attribute::Extractable(false)];
        let private = [&both[..], &[Attribute::Sign(true)], &secret].concat();
        let (public, _) = session.generate_key_pair(&mechanism, &public, &private)?;
        self.key(&session, public)
    }

    /// The issuer key whose public half is this object.
    fn key(self: &Arc<Self>, session: &Session, public: ObjectHandle) -> Result<IssuerKey, HsmError> {
        let wanted = [AttributeType::KeyType, AttributeType::EcPoint, AttributeType::Id];
        let (mut kind, mut point, mut id) = (None, Vec::new(), Vec::new());
        for attribute in session.get_attributes(public, &wanted)? {
            match attribute {
                Attribute::KeyType(found) => kind = Some(found),
                Attribute::EcPoint(found) => point = found,
                Attribute::Id(found) => id = found,
                _ => {}
            }
        }
        // The point is to be wrapped as an OCTET STRING; some tokens give it bare.
        let point = match point.as_slice() {
            [0x04, 32, point @ ..] if point.len() == 32 => point,
            [0x04, 65, point @ ..] if point.len() == 65 => point,
            bare => bare,
        };
        let (algorithm, spki_der) = match (kind, point) {
            (Some(kind), point) if kind == KeyType::EC_EDWARDS => {
                (Algorithm::EdDsa, Parts::Ed25519(point).to_spki_der()?)
            }
            (Some(kind), [0x04, point @ ..]) if kind == KeyType::EC && point.len() == 64 => {
                let (x, y) = point.split_at_checked(32).ok_or(KeyError::Spki)?;
                (Algorithm::Es256, Parts::P256 { x, y }.to_spki_der()?)
            }
            _ => return Err(KeyError::Algorithm.into()),
        };
        let token = Arc::clone(self);
        let sign = move |tbs: &[u8]| {
            token.sign(&id, algorithm, tbs).map_err(|error| {
                tracing::error!(code = error.code(), cause = %error, "the token did not sign");
                KeyError::Unavailable
            })
        };
        Ok(IssuerKey::elsewhere(algorithm, spki_der, sign))
    }

    /// Signs in a session that is there, and if that fails in a new one: a token may have been away, and back.
    fn sign(&self, id: &[u8], algorithm: Algorithm, tbs: &[u8]) -> Result<Vec<u8>, HsmError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(session) = idle
            && let Ok(signature) = sign(&session, id, algorithm, tbs)
        {
            self.give_back(session);
            return Ok(signature);
        }
        let session = self.session()?;
        let signature = sign(&session, id, algorithm, tbs)?;
        self.give_back(session);
        Ok(signature)
    }

    /// A new session, logged in. All sessions of a process are logged in together.
    fn session(&self) -> Result<Session, Error> {
        let session = self.pkcs11.open_ro_session(self.slot)?;
        match session.login(UserType::User, Some(&self.pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(error) => Err(error),
        }
    }

    fn give_back(&self, session: Session) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }
}

/// The signature over `tbs`, 64 bytes.
fn sign(session: &Session, id: &[u8], algorithm: Algorithm, tbs: &[u8]) -> Result<Vec<u8>, HsmError> {
    let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Id(id.to_vec())];
    let key = session.find_objects(&wanted)?.into_iter().next().ok_or(KeyError::Unavailable)?;
    let signature = match algorithm {
        Algorithm::EdDsa => session.sign(&Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)), key, tbs)?,
        _ => session.sign(&Mechanism::Ecdsa, key, digest(&SHA256, tbs).as_ref())?,
    };
    if signature.len() == 64 { Ok(signature) } else { Err(KeyError::Unavailable.into()) }
}
