//! `thexanh import FILE`: a backlog file into the database, with a progress bar; stopped or killed, it goes on where it stopped.

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Context, Failure};
use crate::app;
use crate::registration::backlog::Media;
use crate::registration::imports::{self, Checking, Ended, ImportError, Places, Rejected};
use crate::sealing::DataKey;
use crate::store::{Hash, ImportCounts, ImportRow, ImportStatus, Realm, Store};

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The file: CSV as a spreadsheet saves it, or FHIR R4 Immunization resources, one a line
    file: PathBuf,
    /// The facility whose doses they are, where a row does not say
    #[arg(long, value_name = "CODE")]
    facility: Option<String>,
    /// Read and check the file, show the first errors, and record nothing
    #[arg(long)]
    dry_run: bool,
    /// Write the rows that are not taken to this file, to be repaired and imported
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

/// How many errors are shown.
const FIRST_ERRORS: usize = 20;
/// Rejected rows read at a time.
const PAGE: i64 = 1_000;
/// How often machines hear of the progress.
const HEARD_EVERY: Duration = Duration::from_secs(1);

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Failure {
        match error {
            ImportError::Store(error) => {
                let text = format!("{error}; what was recorded stays, and the same command goes on from there");
                Failure::environment(error.code(), text)
            }
            error => Failure::environment(error.code(), error.to_string()),
        }
    }
}

impl Import {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        let keyring = Arc::new(context.keyring()?);
        let store = context.store().await?;
        let places = Places::read(&store, Realm::All).await?;
        if let Some(facility) = &self.facility {
            let unknown = |_| Failure::usage("--facility: no facility of the reference data has this code");
            places.province_of(facility).map_err(unknown)?;
        }
        let province = self.facility.as_ref().and_then(|code| places.province_of(code).ok()).map(str::to_owned);
        let checking = Checking {
            places,
            facility: self.facility.clone(),
            subject: "command line".to_owned(),
            media: Media::Guess,
            now: context.clock.now(),
        };
        let stop = stopped_by_signal()?;
        if self.dry_run {
            return self.check(context, checking, DataKey::new(keyring.data_key()), &stop).await;
        }
        app::enlist(&store, &keyring, context.clock.now()).await?;
        let desk = app::desk(&context.config, &context.clock, &store, keyring).await?;
        let row = self.begin(context, &store, province).await?;
        let mut progress = Progress::new(context, row.bytes_total, row.counts);
        let moved = |counts: &ImportCounts| {
            progress.moved(counts);
            !stop.load(Ordering::Relaxed)
        };
        let (counts, ended) = imports::run(&desk, open(&self.file)?, checking, &row, &context.clock, moved).await?;
        progress.finish();
        self.write_rejects(&store, &desk.data_key, row.id).await?;
        let first = imports::rejected(&store, &desk.data_key, row.id, 0, FIRST_ERRORS as i64).await?;
        show(context, &first)?;
        conclude(context, &counts, ended, false)
    }

    /// The import's row: a new one, or the unfinished one of the same file.
    async fn begin(&self, context: &Context, store: &Store, province: Option<String>) -> Result<ImportRow, Failure> {
        let path = self.file.clone();
        let hashed = tokio::task::spawn_blocking(move || hash(&path)).await;
        let (file_hash, bytes_total) =
            hashed.map_err(|_| Failure::environment("internal", "the file was not read to its end"))??;
        let now = context.clock.now();
        let new = ImportRow {
            id: Uuid::new_v4(),
            facility: self.facility.clone(),
            province,
            realm: Realm::All,
            made_by: "command line".to_owned(),
            media: app::imports::media_word(Media::Guess).to_owned(),
            file_hash,
            headings: Vec::new(),
            status: ImportStatus::Running,
            bytes_total,
            counts: ImportCounts::default(),
            started_at: now,
            updated_at: now,
            ended_at: None,
        };
        let row = store.begin_import(&new).await?;
        if row.counts.rows > 0 {
            let rows = row.counts.rows;
            context.tell(format_args!("going on after {rows} rows that an earlier run recorded"))?;
        }
        Ok(row)
    }

    /// Reads and checks the file, and records nothing.
    async fn check(
        &self,
        context: &Context,
        checking: Checking,
        data_key: DataKey,
        stop: &AtomicBool,
    ) -> Result<Answer, Failure> {
        let source = open(&self.file)?;
        let total = source.metadata().map_or(0, |about| about.len());
        let mut progress = Progress::new(context, total, ImportCounts::default());
        let mut rejects = self.rejects.as_deref().map(Rejects::create).transpose()?;
        let (mut first, mut failed) = (Vec::new(), None);
        let rejected = |headings: &[String], row: Rejected| {
            let written = rejects.as_mut().map_or(Ok(()), |rejects| rejects.write(headings, &row));
            failed = failed.take().or(written.err());
            if first.len() < FIRST_ERRORS {
                first.push(row);
            }
        };
        let moved = |counts: &ImportCounts| {
            progress.moved(counts);
            !stop.load(Ordering::Relaxed)
        };
        let (counts, ended) = imports::preview(Arc::new(data_key), source, checking, rejected, moved).await?;
        progress.finish();
        if let Some(failure) = failed {
            return Err(failure);
        }
        rejects.map_or(Ok(()), Rejects::finish)?;
        show(context, &first)?;
        conclude(context, &counts, ended, true)
    }

    /// Writes all rows that were not taken, also in earlier runs of the same import.
    async fn write_rejects(&self, store: &Store, data_key: &DataKey, id: Uuid) -> Result<(), Failure> {
        let Some(path) = &self.rejects else { return Ok(()) };
        let headings = store.import(id).await?.map(|row| row.headings).unwrap_or_default();
        let (mut rejects, mut after) = (Rejects::create(path)?, 0);
        loop {
            let page = imports::rejected(store, data_key, id, after, PAGE).await?;
            let Some(last) = page.last().map(|row| row.line) else { break };
            page.iter().try_for_each(|row| rejects.write(&headings, row))?;
            after = last;
        }
        rejects.finish()
    }
}

/// Set by the first SIGINT or SIGTERM: the import stops after its chunk.
fn stopped_by_signal() -> Result<Arc<AtomicBool>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| {
        signal(kind).map_err(|error| Failure::environment("signals", format!("cannot wait for signals: {error}")))
    };
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.store(true, Ordering::Relaxed);
    });
    Ok(stop)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::environment("file_unreadable", format!("cannot read {}: {error}; make it readable", path.display()))
}

fn open(path: &Path) -> Result<File, Failure> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    match file.metadata().is_ok_and(|about| about.is_dir()) {
        true => Err(Failure::usage(format!("{} is a directory; name a file", path.display()))),
        false => Ok(file),
    }
}

/// The file's SHA-256 and its length.
fn hash(path: &Path) -> Result<(Hash, u64), Failure> {
    let mut file = open(path)?;
    let mut context = digest::Context::new(&digest::SHA256);
    let (mut buffer, mut len) = (vec![0; 1 << 20], 0);
    loop {
        let read = file.read(&mut buffer).map_err(|error| unreadable(path, &error))?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        context.update(part);
        len += part.len() as u64;
    }
    let mut hash = [0; 32];
    hash.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    Ok((hash, len))
}

/// The file of rows that were not taken.
struct Rejects {
    file: BufWriter<File>,
    path: PathBuf,
    begun: bool,
}

impl Rejects {
    fn create(path: &Path) -> Result<Rejects, Failure> {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Its rows hold personal data.
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = file.map_err(|error| unwritable(path, &error))?;
        Ok(Rejects { file: BufWriter::new(file), path: path.to_owned(), begun: false })
    }

    fn write(&mut self, headings: &[String], row: &Rejected) -> Result<(), Failure> {
        let header = if self.begun { String::new() } else { imports::rejects_header(headings) };
        self.begun = true;
        let written = self.file.write_all(header.as_bytes()).and_then(|()| self.file.write_all(row.csv().as_bytes()));
        written.map_err(|error| unwritable(&self.path, &error))
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.file.flush().map_err(|error| unwritable(&self.path, &error))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::environment("file_unwritable", format!("cannot write {}: {error}; name another file", path.display()))
}

/// How far it is: a bar for people, a line now and then for machines.
struct Progress {
    bar: ProgressBar,
    for_machines: bool,
    before: ImportCounts,
    total: u64,
    began: Instant,
    said: Instant,
}

impl Progress {
    fn new(context: &Context, total: u64, before: ImportCounts) -> Progress {
        let for_machines = context.is_for_machines();
        let shown = !for_machines && std::io::stderr().is_terminal();
        let bar = if shown { ProgressBar::new(total) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} % {msg}, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_position(before.bytes);
        bar.reset_eta();
        let now = Instant::now();
        Progress { bar, for_machines, before, total, began: now, said: now }
    }

    fn moved(&mut self, counts: &ImportCounts) {
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let rate = (counts.rows.saturating_sub(self.before.rows)) as f64 / seconds;
        self.bar.set_message(format!("{} rows, {rate:.0}/s", counts.rows));
        self.bar.set_position(counts.bytes.min(self.total));
        if self.for_machines && self.said.elapsed() >= HEARD_EVERY {
            self.said = Instant::now();
            let speed = counts.bytes.saturating_sub(self.before.bytes) as f64 / seconds;
            let left = self.total.saturating_sub(counts.bytes) as f64 / speed.max(1.0);
            let mut line = told(counts, "running");
            if let Some(line) = line.as_object_mut() {
                line.insert("rate".to_owned(), (rate as u64).into());
                line.insert("seconds_left".to_owned(), (left as u64).into());
            }
            // Whoever does not read the progress reads the answer, or neither.
            let _ = super::context::print(line);
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn told(counts: &ImportCounts, status: &str) -> Value {
    json!({
        "status": status, "rows": counts.rows, "new_doses": counts.new_doses, "known_doses": counts.known_doses,
        "queued": counts.queued, "rejected": counts.rejected,
    })
}

/// Shows the first rows that were not taken.
fn show(context: &Context, first: &[Rejected]) -> Result<(), Failure> {
    let reasons = first.iter().flat_map(|row| row.reasons.iter().map(move |reason| (row.line, reason)));
    for (line, reason) in reasons.take(FIRST_ERRORS) {
        let column = if reason.column.is_empty() { String::new() } else { format!(", {}", reason.column) };
        context.say(
            format_args!("line {line}{column}: {} ({})", reason.en, reason.code),
            &json!({"line": line, "column": reason.column, "code": reason.code, "detail": reason.en}),
        )?;
    }
    Ok(())
}

fn conclude(context: &Context, counts: &ImportCounts, ended: Ended, dry_run: bool) -> Result<Answer, Failure> {
    let status = match (ended, dry_run) {
        (Ended::Stopped, _) => "interrupted",
        (Ended::Done, true) => "checked",
        (Ended::Done, false) => "done",
    };
    let ImportCounts { rows, new_doses, known_doses, queued, rejected, .. } = counts;
    let plain = match dry_run {
        true => format!("{rows} rows checked: {} are good, {rejected} are not", rows.saturating_sub(*rejected)),
        false => format!(
            "{rows} rows: {new_doses} new doses, {queued} of them waiting to be told whose they are; {known_doses} known; {rejected} rejected"
        ),
    };
    context.say(plain, &told(counts, status))?;
    match ended {
        Ended::Stopped if dry_run => Err(Failure::environment("stopped", "stopped before the whole file was checked")),
        Ended::Stopped => {
            let text = "stopped; what was recorded stays, and the same command goes on from there";
            Err(Failure::environment("stopped", text))
        }
        Ended::Done if *rejected > 0 => Ok(Answer::No),
        Ended::Done => Ok(Answer::Yes),
    }
}
