//! What an auditor has seen, on its disk.
//!
//! What is lost if it is lost: the auditor begins anew, and does not see that the log was rewritten before. What one who can write
//! to it gains: the same, and the anchor unless that is named.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::AuditError;
use crate::keys::PublicKey;
use crate::tlog::{Frontier, Hash};

/// The largest file that is read.
const MAX_LEN: u64 = 64 << 10;

/// What was seen of a log.
#[derive(Default)]
pub(super) struct KeptLog {
    pub anchor: Option<PublicKey>,
    pub trust_version: u64,
    pub origin: Option<String>,
    pub frontier: Frontier,
    /// The checkpoint, as it was signed.
    pub note: String,
}

/// As it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    url: String,
    anchor: Option<String>,
    trust_version: u64,
    origin: Option<String>,
    size: u64,
    subtrees: Vec<String>,
    checkpoint: String,
}

/// Where it is kept.
pub(super) struct Kept {
    dir: PathBuf,
    url: String,
}

impl Kept {
    /// What was seen of the log at `url`, below `dir`; nothing if it was never looked at.
    pub fn open(dir: PathBuf, url: &str) -> Result<(Kept, KeptLog), AuditError> {
        let name =
            BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, url.as_bytes()).as_ref().get(..12).unwrap_or_default());
        let kept = Kept { dir: dir.join(name), url: url.to_owned() };
        fs::create_dir_all(&kept.dir).map_err(|error| kept.failed(&kept.dir, error))?;
        let path = kept.path();
        let known = match fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => KeptLog::default(),
            Err(error) => return Err(kept.failed(&path, error)),
            Ok(file) if file.len() > MAX_LEN => return Err(kept.failed(&path, "it is too large")),
            Ok(_) => {
                let bytes = fs::read(&path).map_err(|error| kept.failed(&path, error))?;
                let document: Option<Document> = serde_json::from_slice(&bytes).ok();
                let known = document.filter(|document| document.url == url).and_then(read);
                known.ok_or_else(|| kept.failed(&path, "it is not what was written; put it aside to begin anew"))?
            }
        };
        Ok((kept, known))
    }

    fn path(&self) -> PathBuf {
        self.dir.join("log.json")
    }

    fn failed(&self, path: &Path, problem: impl std::fmt::Display) -> AuditError {
        AuditError::Disk { path: path.to_owned(), problem: problem.to_string() }
    }

    /// Keeps what was seen, whole or not at all.
    pub fn put(&self, known: &KeptLog) -> Result<(), AuditError> {
        let document = Document {
            url: self.url.clone(),
            anchor: known.anchor.as_ref().map(|key| BASE64_STANDARD.encode(key.spki_der())),
            trust_version: known.trust_version,
            origin: known.origin.clone(),
            size: known.frontier.size(),
            subtrees: known.frontier.peaks().iter().map(|hash| BASE64_STANDARD.encode(hash)).collect(),
            checkpoint: known.note.clone(),
        };
        let json = serde_json::to_vec_pretty(&document).expect("text keys");
        self.write(&self.path(), &json)
    }

    /// Keeps a checkpoint that does not go with what was seen: signed, it proves it to everybody.
    pub fn put_evidence(&self, note: &[u8], size: u64) -> Result<(), AuditError> {
        self.write(&self.dir.join(format!("against-{size}.note")), note)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), AuditError> {
        let aside = self.dir.join("aside.new");
        let write = || {
            let mut file = fs::File::create(&aside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&aside, path)
        };
        write().map_err(|error| self.failed(path, error))
    }
}

fn read(document: Document) -> Option<KeptLog> {
    let key = |text: String| PublicKey::from_spki_der(&BASE64_STANDARD.decode(text).ok()?).ok();
    let anchor = match document.anchor {
        Some(text) => Some(key(text)?),
        None => None,
    };
    let hash = |text: &String| Hash::try_from(BASE64_STANDARD.decode(text).ok()?).ok();
    let subtrees = document.subtrees.iter().map(hash).collect::<Option<Vec<Hash>>>()?;
    let frontier = Frontier::new(document.size, subtrees)?;
    let (trust_version, origin, note) = (document.trust_version, document.origin, document.checkpoint);
    Some(KeptLog { anchor, trust_version, origin, frontier, note })
}
