//! What comes of looking at a log: why that could not be, what is wrong with it, and what is so of a text.

use std::path::PathBuf;

use crate::codec::CodecError;
use crate::follower::FollowError;
use crate::tlog::checkpoint::CheckpointError;
use crate::trust::DocumentError;

/// Why a log could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// It does not answer, or not as it should.
    #[error("{0}")]
    Node(FollowError),
    /// The anchor that was named is no public key.
    #[error("the anchor is not a public key in PEM, as `thexanh keys anchor --out FILE` writes it")]
    Anchor,
    /// What was seen before cannot be read, or what was seen now not kept.
    #[error("what was seen cannot be kept at {path}: {problem}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl AuditError {
    /// The stable word for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            AuditError::Node(error) => error.code(),
            AuditError::Anchor => "anchor_malformed",
            AuditError::Disk { .. } => "disk",
        }
    }
}

impl From<FollowError> for AuditError {
    fn from(error: FollowError) -> AuditError {
        AuditError::Node(error)
    }
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The trust list is refused, so that nobody is known who may sign.
    #[error("the trust list is refused: {0}")]
    TrustList(DocumentError),
    /// The checkpoint is refused.
    #[error("the checkpoint is refused: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// It is another log than before.
    #[error("the log is called otherwise than it was")]
    Renamed,
    /// It is smaller than it was.
    #[error("the log had {before} entries, and has {now}: an older checkpoint, or a shorter log")]
    Shrunk {
        /// Entries of the one that was seen before.
        before: u64,
        /// Entries now.
        now: u64,
    },
    /// What it has beyond what was seen does not make the root that is signed.
    #[error(
        "the log does not go on from what was seen before: it was forked or rewritten, or its entries are not those that are signed"
    )]
    Forked,
    /// What a log has, by its checkpoint or at all, is not served.
    #[error("the log does not serve {0}, and must")]
    Missing(String),
    /// What is served is not of its form.
    #[error("the log serves {0} in a form that it cannot have")]
    Malformed(String),
}

impl Finding {
    /// The stable word for answers.
    pub fn code(&self) -> &'static str {
        match self {
            Finding::TrustList(error) => error.code(),
            Finding::Checkpoint(error) => error.code(),
            Finding::Renamed => "log_renamed",
            Finding::Shrunk { .. } => "log_shrunk",
            Finding::Forked => "log_forked",
            Finding::Missing(_) => "log_missing",
            Finding::Malformed(_) => "log_malformed",
        }
    }
}

/// What is so of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is in the log, and that was proved.
    Logged(u64),
    /// It is not in the log: signed behind the registry's back, unless the node's `/readyz` says that the log is late.
    NotLogged,
    /// The log says that it is there, and does not prove it.
    NotProved,
    /// It is no certificate.
    Unreadable(CodecError),
}

impl Standing {
    /// The stable word for answers.
    pub fn code(self) -> &'static str {
        match self {
            Standing::Logged(_) => "logged",
            Standing::NotLogged => "not_logged",
            Standing::NotProved => "not_proved",
            Standing::Unreadable(error) => error.code(),
        }
    }
}
