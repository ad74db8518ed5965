//! Files that were sent, imported one at a time by a task of the service; what a stop or a crash cut short goes on at the next
//! start, from its last committed chunk.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::App;
use super::spool::{Spool, SpoolFile, SpoolReader, SpoolWriter};
use crate::registration::backlog::{BacklogReader, Media};
use crate::registration::imports::{self, Checking, Ended, ImportError, Places};
use crate::store::{ImportCounts, ImportRow, ImportStatus, Store};

/// How many files wait at most: more are refused while disk and time are short.
const MAX_WAITING: usize = 64;
/// How long after a failure it is tried again.
const PAUSE: Duration = Duration::from_secs(5);

/// What the service needs to import what was sent.
pub struct Imports {
    spool: Spool,
    /// Told when a file was sent.
    sent: Notify,
}

/// The word of a media in the table.
pub fn media_word(media: Media) -> &'static str {
    match media {
        Media::Guess => "guess",
        Media::Csv => "csv",
        Media::Fhir => "fhir",
    }
}

fn media_of(word: &str) -> Media {
    match word {
        "csv" => Media::Csv,
        "fhir" => Media::Fhir,
        _ => Media::Guess,
    }
}

impl Imports {
    /// What is sent is kept in `spool`.
    pub(super) fn new(spool: Spool) -> Imports {
        Imports { spool, sent: Notify::new() }
    }

    /// The place for the file of import `id`; `None` while too many wait.
    pub fn receive(&self, id: Uuid) -> std::io::Result<Option<SpoolWriter>> {
        match self.spool.waiting()?.len() < MAX_WAITING {
            true => self.spool.create(id).map(Some),
            false => Ok(None),
        }
    }

    /// What was received of import `id`.
    pub fn received(&self, id: Uuid) -> std::io::Result<SpoolReader> {
        self.spool.open(id)
    }

    /// Forgets the file of import `id`.
    fn forget(&self, id: Uuid) {
        if let Err(error) = self.spool.remove(id) {
            tracing::error!(cause = %error, "a file that was imported cannot be removed");
        }
    }

    /// Says whether what was received of import `id` is a backlog file. Errors: [`ImportError::Open`], [`ImportError::Read`].
    pub fn recognise(&self, id: Uuid, media: Media) -> Result<(), ImportError> {
        BacklogReader::open(self.received(id)?, media)?;
        Ok(())
    }

    /// Begins the import `new` of `file`, or gives the unfinished one of the same file.
    ///
    /// Errors: [`ImportError::Store`]; [`ImportError::Read`] if the disk does not do it.
    pub async fn begin(&self, store: &Store, new: &ImportRow, file: SpoolFile) -> Result<ImportRow, ImportError> {
        let begun = store.begin_import(new).await?;
        // One that was begun before may have been sent to another node, or on the command line: it goes on with this file.
        self.spool.give(file, begun.id).map_err(ImportError::Read)?;
        self.sent.notify_one();
        Ok(begun)
    }
}

impl App {
    /// Imports what was sent, and what an earlier process left, until `stop` says so.
    pub(super) async fn import_what_is_sent(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let spool = &self.imports.spool;
        if let Err(error) = spool.sweep() {
            tracing::error!(cause = %error, "the directory of files to import cannot be swept");
        }
        loop {
            let stopped = stop.clone();
            let pause = match self.import_all(&move || *stopped.borrow()).await {
                Ok(()) => None,
                Err(error) => {
                    tracing::error!(code = error.code(), cause = %error, "an import was cut short; it is tried again");
                    Some(PAUSE)
                }
            };
            let wait = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => self.imports.sent.notified().await,
                }
            };
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = wait => {}
            }
        }
    }

    /// Imports every file that waits, one after the other.
    async fn import_all(&self, stopped: &(impl Fn() -> bool + Sync)) -> Result<(), ImportError> {
        // One that cannot go on now does not hold the others up.
        let mut cut_short = Ok(());
        for id in self.imports.spool.waiting()? {
            if stopped() {
                return Ok(());
            }
            let row = self.store.import(id).await?.filter(|row| row.status.is_unfinished());
            let Some(row) = row else {
                // Done when the process ended.
                self.imports.forget(id);
                continue;
            };
            match self.import(&row, stopped).await {
                Ok(Ended::Done) => self.imports.forget(id),
                Ok(Ended::Stopped) => return Ok(()),
                Err(error @ (ImportError::Open(_) | ImportError::Unread | ImportError::Read(_))) => {
                    tracing::error!(code = error.code(), import = %id, "a file cannot be imported");
                    self.store.set_import_status(id, ImportStatus::Failed, self.clock.now()).await?;
                    self.imports.forget(id);
                }
                Err(error) => cut_short = Err(error),
            }
        }
        cut_short
    }

    async fn import(&self, row: &ImportRow, stopped: &(impl Fn() -> bool + Sync)) -> Result<Ended, ImportError> {
        let checking = Checking {
            places: Places::read(&self.store, row.realm.clone()).await?,
            facility: row.facility.clone(),
            subject: row.made_by.clone(),
            media: media_of(&row.media),
            now: self.clock.now(),
        };
        let source = self.imports.received(row.id)?;
        let mut told = row.counts.new_doses;
        let moved = |counts: &ImportCounts| {
            self.tallies().meters().doses.add(counts.new_doses.saturating_sub(told));
            told = counts.new_doses;
            !stopped()
        };
        let (_, ended) = imports::run(&self.desk, source, checking, row, &self.clock, moved).await?;
        Ok(ended)
    }
}
