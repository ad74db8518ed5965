//! `thexanh synth`: a dirty backlog with its truth beside it, or QR texts on standard output.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{Answer, Context, Failure};
use crate::certificate::Profile;
use crate::issue::{self, IssueError};
use crate::keys::IssuerKey;
use crate::synth::files::{self, BACKLOG_HEADING, TRUTH_HEADING};
use crate::synth::places;
use crate::synth::random::Random;
use crate::synth::rows::{Rows, Settings};
use crate::synth::texts::Signing;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["people", "texts"]))]
pub(super) struct Synth {
    /// Write the backlog of so many people into --out: backlog.csv, truth.csv, facilities.csv
    #[arg(long, value_name = "N", requires = "out", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    people: Option<u64>,
    /// Write so many QR texts to standard output, one a line
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    texts: Option<u64>,
    /// The same seed makes the same rows
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Of 100 rows so many are dirty
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=50))]
    dirt: u64,
    /// Of 100 texts so many are bad
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=100))]
    bad: u64,
    /// The directory that the files are written into; those of the same names are replaced
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What is gathered before it is written.
const BUFFER_BYTES: usize = 1 << 20;

impl Synth {
    pub fn run(self, context: &Context) -> Result<Answer, Failure> {
        match (self.people, self.texts, &self.out) {
            (Some(people), _, Some(out)) => {
                backlog(context, Settings { people, seed: self.seed, dirt_percent: self.dirt }, out)
            }
            (_, Some(count), _) => texts(context, count, self.seed, self.bad),
            _ => Err(Failure::usage("give --people and --out, or --texts")),
        }
    }
}

fn backlog(context: &Context, settings: Settings, out: &Path) -> Result<Answer, Failure> {
    let written = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| Failure::environment("file", format!("cannot write {}: {error}", path.display()))
    };
    fs::create_dir_all(out).map_err(written(out))?;
    let (backlog, truth, facilities) = (out.join("backlog.csv"), out.join("truth.csv"), out.join("facilities.csv"));
    let create = |path: &Path| {
        let file = File::create(path).map_err(written(path))?;
        Ok::<_, Failure>(BufWriter::with_capacity(BUFFER_BYTES, file))
    };
    let bar = if context.is_for_machines() { ProgressBar::hidden() } else { ProgressBar::no_length() };
    let style = ProgressStyle::with_template("writing rows {pos}, {per_sec}");
    let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    let (mut rows_to, mut truth_to) = (create(&backlog)?, create(&truth)?);
    let (mut rows, mut dirty) = (0_u64, 0_u64);
    writeln!(rows_to, "{BACKLOG_HEADING}").map_err(written(&backlog))?;
    writeln!(truth_to, "{TRUTH_HEADING}").map_err(written(&truth))?;
    for file in Rows::new(settings) {
        for row in &file {
            files::write_backlog_row(&mut rows_to, row).map_err(written(&backlog))?;
            files::write_truth_row(&mut truth_to, row).map_err(written(&truth))?;
            dirty += u64::from(!row.dirt.is_empty());
        }
        rows += file.len() as u64;
        bar.inc(file.len() as u64);
    }
    rows_to.flush().map_err(written(&backlog))?;
    truth_to.flush().map_err(written(&truth))?;
    let mut facilities_to = create(&facilities)?;
    writeln!(facilities_to, "code,name,province").map_err(written(&facilities))?;
    for facility in places::facilities() {
        let line = writeln!(facilities_to, "{},\"{}\",{}", facility.code, facility.name, facility.province);
        line.map_err(written(&facilities))?;
    }
    facilities_to.flush().map_err(written(&facilities))?;
    bar.finish_and_clear();
    context.say(
        format_args!(
            "{rows} rows of {} people, {dirty} of them dirty, are in {}; whose each is, in {}",
            settings.people,
            backlog.display(),
            truth.display()
        ),
        &json!({"rows": rows, "people": settings.people, "dirty": dirty, "backlog": backlog, "truth": truth, "facilities": facilities}),
    )?;
    Ok(Answer::Yes)
}

fn texts(context: &Context, count: u64, seed: u64, bad_percent: u64) -> Result<Answer, Failure> {
    let algorithm = issue::algorithm(Profile::Compact);
    let made = || IssuerKey::generate(algorithm).map_err(|error| Failure::environment(error.code(), error.to_string()));
    let there = context.config.keys_dir().join("data.pem").exists();
    let keyring = if there { Some(context.keyring()?) } else { None };
    let thrown_away = made()?;
    let own = keyring.iter().flat_map(|keyring| keyring.issuers()).find(|key| key.algorithm() == algorithm);
    let key = own.as_ref().unwrap_or(&thrown_away);
    match &own {
        Some(key) => eprintln!("signed under {}, a key of {}", key.kid(), context.config.keys_dir().display()),
        None => {
            let spki: String = key.spki_der().iter().map(|byte| format!("{byte:02x}")).collect();
            eprintln!(
                "there are no keys in {}: signed under a throw-away key that nobody trusts, SubjectPublicKeyInfo {spki}",
                context.config.keys_dir().display()
            );
        }
    }
    let stranger = made()?;
    let signing = Signing { key, stranger: &stranger, now: context.clock.now(), bad_percent };
    let mut random = Random::new(seed);
    let mut to = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
    let wrote = (0..count).try_for_each(|_| {
        let (text, _) = signing.text(&mut random).map_err(Unwritten::Unsigned)?;
        writeln!(to, "{text}").map_err(Unwritten::Output)
    });
    match wrote.and_then(|()| to.flush().map_err(Unwritten::Output)) {
        // Whoever reads has had enough: `| head`.
        Err(Unwritten::Output(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::environment("file", format!("cannot write to standard output: {error}")))
        }
        Err(Unwritten::Unsigned(error)) => Err(Failure::environment(error.code(), error.to_string())),
        Ok(()) | Err(Unwritten::Output(_)) => Ok(Answer::Yes),
    }
}

/// Why texts ended early.
enum Unwritten {
    Unsigned(IssueError),
    Output(io::Error),
}
