//! The transparency log looked at from outside: that it only grows, that it is one for everybody, and that what is shown is in it.
//!
//! Everything that the log says is bounded and proved: the trust list by the anchor, the checkpoint by a publisher that the list
//! names, the entries by the root that is signed. What was seen last is kept on disk, and a log that does not go on from there is
//! not the same log: one that was rewritten, or one that is shown to us alone.

mod finding;
mod kept;

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use serde::Deserialize;

use crate::certificate::UnixSeconds;
use crate::clock::Clock;
use crate::codec::{self, CodecError, cose};
use crate::follower::{FollowError, Issuer};
use crate::keys::PublicKey;
use crate::signed;
use crate::tlog::checkpoint;
use crate::tlog::merkle::{leaf_hash, proves};
use crate::tlog::{
    Checkpoint, Frontier, Hash, Resource, Tile, Tiles, WIDTH, entry_of_text, head_of, needed, prefix_digits,
};
use crate::trust::TrustListDocument;
pub use finding::{AuditError, Finding, Standing};
use kept::{Kept, KeptLog};

const CHECKPOINT: &str = "v1/log/checkpoint";
/// Bundles of entries asked for at once.
const AT_ONCE: usize = 8;
/// The largest answer on a prefix that is read: ten times as many entries as there may be.
const MAX_NAMED_BYTES: usize = 1 << 20;
/// The most entries that a prefix has in an honest log: twice what is expected at most.
const MAX_NAMED: usize = 512;
/// Tiles that are kept between two texts at most: 32 MiB of them.
const MAX_TILES: usize = 4_096;
/// By when what was signed is in the log, and a second more.
const PROMISED: Duration = Duration::from_secs(11);
/// For how long a node may be behind another at the same address, and a cache behind both, before the log is judged by it.
const SETTLES: Duration = Duration::from_secs(3);
/// How often one that was signed a moment ago, or is not on this node yet, is looked for until then.
const AGAIN: Duration = Duration::from_millis(500);

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What is signed now.
    pub checkpoint: Checkpoint,
    /// How many entries were seen before.
    pub before: u64,
    /// How verifiers of notes are told the key that signed it.
    pub verifier_key: String,
    /// What is so of each text.
    pub texts: Vec<Standing>,
}

/// Where the log says that an entry is.
#[derive(Deserialize)]
struct Named {
    /// Its first digits.
    begins: String,
    index: u64,
}

/// The digits of an entry that an answer on a prefix has.
fn begins(entry: &Hash) -> String {
    format!("{:016x}", head_of(entry))
}

/// Either the log is as it must be, or it is said what is wrong.
type Judged<T> = Result<Result<T, Finding>, AuditError>;

/// Hands on what is wrong.
macro_rules! sound {
    ($judged:expr) => {
        match $judged {
            Ok(sound) => sound,
            Err(finding) => return Ok(Err(finding.into())),
        }
    };
}

/// Looks at the log of one node.
pub struct Auditor {
    node: Issuer,
    clock: Clock,
    kept: Kept,
    known: KeptLog,
    /// Tiles of the checkpoint at hand; what is made of them is proved each time.
    tiles: Tiles,
    have: HashSet<Tile>,
}

impl Auditor {
    /// An auditor of the node at `url`, that keeps what it sees below `dir`.
    ///
    /// `anchor`: the PEM text of the anchor that the trust list is held to; `None`: the one that is kept, else the first that is
    /// seen. `roots`: whose TLS certificates are believed. Errors: [`AuditError`].
    pub fn new(
        url: &str,
        roots: rustls::RootCertStore,
        dir: PathBuf,
        anchor: Option<&str>,
        clock: Clock,
    ) -> Result<Auditor, AuditError> {
        let named = anchor.map(|pem| crate::keyring::public_key_of_pem(pem).ok_or(AuditError::Anchor)).transpose()?;
        let (kept, mut known) = Kept::open(dir, url)?;
        if named.is_some() {
            known.anchor = named;
        }
        Ok(Auditor {
            node: Issuer::new(url, roots)?,
            clock,
            kept,
            known,
            tiles: Tiles::default(),
            have: HashSet::new(),
        })
    }

    /// The anchor that the trust list is held to.
    pub fn anchor(&self) -> Option<&PublicKey> {
        self.known.anchor.as_ref()
    }

    /// Looks at the log: at its checkpoint, at all entries that were not seen before, and at whether `texts` are in it.
    ///
    /// `told`: hears how many entries were looked at, and of how many. What is sound is kept; what is not is kept beside it, as
    /// evidence. Errors: [`AuditError`]; then nothing can be said of the log.
    pub async fn look(&mut self, texts: &[String], told: impl Fn(u64, u64)) -> Judged<Seen> {
        let before = self.known.frontier.size();
        let began = Instant::now();
        loop {
            let late = began.elapsed() > PROMISED;
            let (checkpoint, verifier_key) = match self.follow(&told).await? {
                // Nothing was in it yet, and something is to be.
                Err(Finding::Missing(path))
                    if path == CHECKPOINT && !late && texts.iter().any(|text| self.is_new(text)) =>
                {
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
                followed => sound!(followed),
            };
            let mut standings = Vec::with_capacity(texts.len());
            for text in texts {
                standings.push(sound!(self.stands(text, &checkpoint).await?));
            }
            let may_come =
                |(text, standing): (&String, &Standing)| *standing == Standing::NotLogged && self.is_new(text);
            if late || !texts.iter().zip(&standings).any(may_come) {
                return Ok(Ok(Seen { checkpoint, before, verifier_key, texts: standings }));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// True if a text says that it was signed so short a time ago that it need not be in the log yet.
    fn is_new(&self, text: &str) -> bool {
        let issued_at = codec::with_cose(text, |profile, bytes| {
            Ok::<_, CodecError>(codec::decode_claims(profile, cose::parse(bytes)?.payload)?.issued_at)
        });
        let issued_at = issued_at.ok().flatten().unwrap_or(UnixSeconds(i64::MIN));
        issued_at.0 > self.clock.now().0.saturating_sub(PROMISED.as_secs() as i64)
    }

    /// Takes the newest checkpoint, and everything between what was seen before and it.
    async fn follow(&mut self, told: &impl Fn(u64, u64)) -> Judged<(Checkpoint, String)> {
        let signers = sound!(self.signers().await?);
        let began = Instant::now();
        let (note, checkpoint) = loop {
            let note = sound!(self.get(CHECKPOINT.to_owned(), checkpoint::MAX_LEN).await?);
            let checkpoint = sound!(Checkpoint::open(&note, &signers));
            if checkpoint.size >= self.known.frontier.size() || began.elapsed() > SETTLES {
                break (note, checkpoint);
            }
            tokio::time::sleep(AGAIN).await;
        };
        let alone = |key: &&PublicKey| Checkpoint::open(&note, [*key]).is_ok();
        let signer = signers.iter().find(alone).and_then(|key| checkpoint::verifier_key(&checkpoint.origin, key));
        let finding = match &self.known.origin {
            Some(origin) if *origin != checkpoint.origin => Some(Finding::Renamed),
            _ if checkpoint.size < self.known.frontier.size() => {
                Some(Finding::Shrunk { before: self.known.frontier.size(), now: checkpoint.size })
            }
            _ => None,
        };
        let finding = match finding {
            Some(finding) => Some(finding),
            None => {
                let frontier = sound!(self.grown(checkpoint.size, told).await?);
                let same = frontier.root() == checkpoint.root;
                if same {
                    self.known.frontier = frontier;
                }
                (!same).then_some(Finding::Forked)
            }
        };
        if let Some(finding) = finding {
            self.kept.put_evidence(&note, checkpoint.size)?;
            return Ok(Err(finding));
        }
        (self.tiles, self.have) = (Tiles::default(), HashSet::new());
        self.known.origin = Some(checkpoint.origin.clone());
        self.known.note = String::from_utf8_lossy(&note).into_owned();
        self.kept.put(&self.known)?;
        Ok(Ok((checkpoint, signer.unwrap_or_default())))
    }

    /// The keys that may sign checkpoints now, by the trust list that the anchor signed.
    async fn signers(&mut self) -> Judged<Vec<PublicKey>> {
        let (bytes, now) = (self.node.signed("v1/trust-list").await?, self.clock.now());
        let anchor = match self.known.anchor.take() {
            Some(anchor) => anchor,
            None => sound!(TrustListDocument::anchor_named_in(&bytes).map_err(Finding::TrustList)),
        };
        let list = TrustListDocument::open(&bytes, [&anchor], now, self.known.trust_version);
        let list = list.and_then(|list| Ok((list.stamp().version, list.publishers()?)));
        self.known.anchor = Some(anchor);
        let (version, publishers) = sound!(list.map_err(Finding::TrustList));
        self.known.trust_version = version;
        let may_sign = publishers.into_iter().filter(|publisher| publisher.may_sign(now));
        Ok(Ok(may_sign.map(|publisher| publisher.key).collect()))
    }

    /// What was seen before with the entries up to `size`.
    async fn grown(&self, size: u64, told: &impl Fn(u64, u64)) -> Judged<Frontier> {
        let mut frontier = self.known.frontier.clone();
        let tiles = (frontier.size() / WIDTH..size.div_ceil(WIDTH)).filter_map(|n| Tile::of_tree(0, n, size));
        let mut bundles = stream::iter(tiles).map(|tile| self.entries(tile)).buffered(AT_ONCE);
        while let Some(entries) = bundles.next().await {
            // Of the first bundle some may be known.
            let entries = sound!(entries?);
            let known = frontier.size() % WIDTH;
            entries.iter().skip(known as usize).for_each(|entry| frontier.push(entry));
            told(frontier.size(), size);
        }
        Ok(Ok(frontier))
    }

    async fn entries(&self, tile: Tile) -> Judged<Vec<Hash>> {
        let path = format!("v1/log/tile/{}", Resource::Entries(tile));
        let bytes = sound!(self.get(path.clone(), usize::from(tile.width) * 34).await?);
        // Each behind its length in two bytes.
        let entry = |bytes: &[u8; 34]| bytes.strip_prefix(&[0, 32]).and_then(|entry| entry.try_into().ok());
        let entries: Option<Vec<Hash>> = match bytes.as_chunks::<34>() {
            (entries, []) => entries.iter().map(entry).collect(),
            _ => None,
        };
        Ok(entries.filter(|entries| entries.len() == usize::from(tile.width)).ok_or(Finding::Malformed(path)))
    }

    /// Whether a text is in the log. The node learns the first digits of its entry, and nothing else: the tiles of all that
    /// begin so are fetched, in an order that says nothing.
    async fn stands(&mut self, text: &str, checkpoint: &Checkpoint) -> Judged<Standing> {
        let entry = match entry_of_text(text.trim_matches([' ', '\t', '\r', '\n'])) {
            Ok(entry) => entry,
            Err(error) => return Ok(Ok(Standing::Unreadable(error))),
        };
        let named = sound!(self.named(&entry, checkpoint.size).await?);
        if self.have.len() > MAX_TILES {
            (self.tiles, self.have) = (Tiles::default(), HashSet::new());
        }
        let all = named.iter().filter(|named| named.index < checkpoint.size);
        sound!(self.fetch(all.flat_map(|named| needed(named.index, checkpoint.size)).collect()).await?);
        let begins = begins(&entry);
        let mut standing = Standing::NotLogged;
        for Named { index, .. } in named.into_iter().filter(|named| named.begins == begins).take(4) {
            if index >= checkpoint.size {
                continue;
            }
            let proof = self.tiles.inclusion(index, checkpoint.size).unwrap_or_default();
            if proves(&leaf_hash(&entry), index, checkpoint.size, &proof, &checkpoint.root) {
                return Ok(Ok(Standing::Logged(index)));
            }
            standing = Standing::NotProved;
        }
        Ok(Ok(standing))
    }

    /// Where the log says that the entries are which begin as `entry` does.
    async fn named(&self, entry: &Hash, size: u64) -> Judged<Vec<Named>> {
        #[derive(Deserialize)]
        struct Answer {
            size: u64,
            entries: Vec<Named>,
        }
        let begins = begins(entry);
        // Never by more digits, whatever the node says: they would tell it more.
        let digits = prefix_digits(size) as usize;
        let path = format!("v1/log/by-prefix/{}", begins.get(..digits).unwrap_or(&begins));
        let began = Instant::now();
        loop {
            let json = match self.node.plain(&path, MAX_NAMED_BYTES).await {
                // A node that is behind may have no log yet, or one for which this is too much.
                Err(FollowError::Answer(400 | 404)) => None,
                Err(FollowError::TooLarge) => return Ok(Err(Finding::Malformed(path))),
                json => Some(json?),
            };
            if let Some(json) = json {
                let Ok(answer) = serde_json::from_slice::<Answer>(&json) else {
                    return Ok(Err(Finding::Malformed(path)));
                };
                // Of a node that is behind it says nothing that an entry is not named.
                if answer.entries.len() > MAX_NAMED {
                    return Ok(Err(Finding::Malformed(path)));
                }
                if answer.size >= size {
                    return Ok(Ok(answer.entries));
                }
            }
            if began.elapsed() > SETTLES {
                return Ok(Err(Finding::Missing(path)));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Fetches those of the tiles that are not at hand.
    async fn fetch(&mut self, wanted: BTreeSet<Tile>) -> Judged<()> {
        let mut fetched = Vec::new();
        {
            let wanted = wanted.into_iter().filter(|tile| !self.have.contains(tile));
            let mut tiles = stream::iter(wanted).map(|tile| self.hashes(tile)).buffered(AT_ONCE);
            while let Some(tile) = tiles.next().await {
                fetched.push(sound!(tile?));
            }
        }
        for (tile, hashes) in fetched {
            self.tiles.add(tile.level, tile.n, hashes);
            self.have.insert(tile);
        }
        Ok(Ok(()))
    }

    async fn hashes(&self, tile: Tile) -> Judged<(Tile, Vec<Hash>)> {
        let path = format!("v1/log/tile/{}", Resource::Hashes(tile));
        let bytes = sound!(self.get(path.clone(), usize::from(tile.width) * 32).await?);
        Ok(match bytes.as_chunks::<32>() {
            (hashes, []) if hashes.len() == usize::from(tile.width) => Ok((tile, hashes.to_vec())),
            _ => Err(Finding::Malformed(path)),
        })
    }

    /// What is at `path`, `most` bytes at most; missing only if it stays so.
    async fn get(&self, path: String, most: usize) -> Judged<Vec<u8>> {
        let began = Instant::now();
        loop {
            match self.node.plain(&path, most.min(signed::MAX_LEN)).await {
                Ok(bytes) => return Ok(Ok(bytes)),
                Err(FollowError::Answer(404)) if began.elapsed() > SETTLES => return Ok(Err(Finding::Missing(path))),
                Err(FollowError::Answer(404)) => tokio::time::sleep(AGAIN).await,
                Err(FollowError::TooLarge) => return Ok(Err(Finding::Malformed(path))),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
