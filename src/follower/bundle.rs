//! What a verifier node knows, on its disk: what it starts from when its issuer is away.
//!
//! The signed resources as they came, the slices by their names, and the instant of the last sync. What is lost if it is lost: the
//! node waits for its issuer at its next start. What one who can write to it gains: the anchor, if that is not named by `--anchor`;
//! all else is signed, and is proved when it is read.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::FollowError;
use crate::certificate::UnixSeconds;
use crate::keyring::{public_key_of_pem, public_pem};
use crate::keys::PublicKey;
use crate::revocation::SliceId;

/// A signed resource on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    TrustList,
    Rules,
    Revocations,
    Changes,
}

impl Part {
    fn file(self) -> &'static str {
        match self {
            Part::TrustList => "trust-list.cose",
            Part::Rules => "rules.cose",
            Part::Revocations => "revocations.cose",
            Part::Changes => "changes.cose",
        }
    }
}

const ANCHOR: &str = "anchor.pem";
const SLICES: &str = "slices";
const SYNCED_AT: &str = "synced-at";

/// The directory.
pub(super) struct Bundle(PathBuf);

impl Bundle {
    /// The bundle in `dir`, which is made if it is not there.
    pub fn open(dir: PathBuf) -> Result<Bundle, FollowError> {
        fs::create_dir_all(dir.join(SLICES)).map_err(|error| FollowError::Disk(error.to_string()))?;
        Ok(Bundle(dir))
    }

    /// The anchor that was pinned.
    pub fn anchor(&self) -> Result<Option<PublicKey>, FollowError> {
        let Some(bytes) = self.read(ANCHOR)? else { return Ok(None) };
        let key = std::str::from_utf8(&bytes).ok().and_then(public_key_of_pem);
        key.map(Some).ok_or(FollowError::Anchor)
    }

    /// Pins the anchor.
    pub fn pin(&self, anchor: &PublicKey) -> Result<(), FollowError> {
        self.write(&self.0.join(ANCHOR), public_pem(anchor.spki_der()).as_bytes())
    }

    /// A resource as it came.
    pub fn part(&self, part: Part) -> Result<Option<Vec<u8>>, FollowError> {
        self.read(part.file())
    }

    /// Keeps a resource.
    pub fn keep(&self, part: Part, bytes: &[u8]) -> Result<(), FollowError> {
        self.write(&self.0.join(part.file()), bytes)
    }

    /// A slice.
    pub fn slice(&self, id: &SliceId) -> Result<Option<Vec<u8>>, FollowError> {
        self.read(&format!("{SLICES}/{id}"))
    }

    /// Keeps slices, and drops those of earlier indexes. The index that names them is kept after them.
    pub fn keep_slices<'a>(&self, slices: impl Iterator<Item = (SliceId, &'a [u8])>) -> Result<(), FollowError> {
        let dir = self.0.join(SLICES);
        let mut named = Vec::new();
        for (id, bytes) in slices {
            let name = id.to_string();
            let path = dir.join(&name);
            if !path.exists() {
                self.write(&path, bytes)?;
            }
            named.push(name);
        }
        for file in fs::read_dir(&dir).into_iter().flatten().flatten() {
            if !named.iter().any(|name| file.file_name() == name.as_str()) {
                let _ = fs::remove_file(file.path()); // it costs room and nothing else
            }
        }
        Ok(())
    }

    /// When the issuer was last heard of.
    pub fn synced_at(&self) -> Option<UnixSeconds> {
        let bytes = self.read(SYNCED_AT).ok()??;
        std::str::from_utf8(&bytes).ok()?.trim().parse().ok().map(UnixSeconds)
    }

    /// Notes when the issuer was last heard of.
    pub fn note_synced(&self, at: UnixSeconds) -> Result<(), FollowError> {
        self.write(&self.0.join(SYNCED_AT), at.0.to_string().as_bytes())
    }

    fn read(&self, file: &str) -> Result<Option<Vec<u8>>, FollowError> {
        match fs::read(self.0.join(file)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FollowError::Disk(error.to_string())),
        }
    }

    /// Writes a file whole or not at all.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), FollowError> {
        let aside = self.0.join("aside.new");
        let write = || {
            let mut file = fs::File::create(&aside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&aside, path)
        };
        write().map_err(|error| FollowError::Disk(error.to_string()))
    }
}
