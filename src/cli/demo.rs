//! `thexanh demo`: the whole service in one minute, over its own HTTP API: a dirty backlog imported, synthetic people and
//! their doses, a yellow and a green certificate as pictures, the pictures read back and verified, a forgery refused.

#![allow(clippy::indexing_slicing, reason = "a JSON value that is indexed by a name it does not have answers null")]

mod backlog;
mod desk;
mod people;
mod visitor;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{Answer, Context, Failure, serve};
use crate::codec::qr::{Level, Symbol};
use crate::http::access::Role;
use crate::http::{Shared, serve as listen};
use crate::keyring::{self, KeyringError};
use crate::render::{read, terminal};
use crate::tls;
use visitor::{Certified, Visitor, failed};

#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// Stop after the verification instead of serving; the exit status says whether every verdict was right
    #[arg(long)]
    once: bool,
    /// How many synthetic people get their doses
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(4..=1_000_000))]
    people: u32,
    /// The address and port to serve on [default: 127.0.0.1:8080; with --once any free port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

/// Person 0 has one dose, person 1 two: see [`people::doses_of`].
const YELLOW: u32 = 0;
const GREEN: u32 = 1;

/// One picture of a certificate, and what must come of it.
struct Exhibit<'a> {
    /// The name of its files, without their endings.
    name: &'static str,
    certified: &'a Certified,
    profile: &'static str,
    card: &'static str,
}

impl Demo {
    /// Where to listen, if not where the settings say.
    pub fn listen(&self) -> Option<SocketAddr> {
        self.listen.or(self.once.then_some(SocketAddr::from(([127, 0, 0, 1], 0))))
    }

    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        // 1. The database, the keys, the reference data.
        if context.config.keys.passphrase_file.is_none() && !context.config.keys_dir().join("data.pem").exists() {
            let path = context.demo_passphrase_file();
            match keyring::new_passphrase_file(&path) {
                // Another demo was faster, or one was cut short: its passphrase is ours.
                Err(KeyringError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => drop(made?),
            }
        }
        let keyring = context.keyring()?;
        let store = context.store().await?;
        store.put_reference(&[], &people::facilities()).await?;

        // 2. The service, and somebody who uses it.
        let (app, tokens) = context.start(store, keyring).await?;
        let shared = Shared::new(Arc::clone(&app), Arc::clone(&tokens)).with_openid()?;
        let serving = listen(shared.for_demo(people::staff()))?;
        let url = serve::url(context, &serving);
        let roots = tls::roots(None).map_err(|error| failed("an HTTP client", error))?;
        let client = tls::http_client(roots).no_proxy().timeout(Duration::from_secs(120)).build();
        let client = client.map_err(|error| failed("an HTTP client", error))?;
        let visitor = Visitor { url: &url, tokens: &tokens, clock: &context.clock, client };

        // 3. What was never entered, from a file; then doses in, certificates out.
        let mut right = import(context, &visitor, u64::from(self.people)).await?;
        let progress = progress(
            context,
            "recording doses",
            (0..self.people).map(|person| u64::from(people::doses_of(person))).sum(),
        );
        let certified = visitor.record(self.people, |done| progress.inc(done)).await?;
        progress.finish_and_clear();
        context.tell(format_args!("{} people have their certificates", certified.len()))?;
        let of = |person| certified.get(&person).ok_or_else(|| failed("recording doses", "a certificate is missing"));
        let (yellow, green) = (of(YELLOW)?, of(GREEN)?);

        // 4. Pictures out, read back, verified.
        let dir = context.config.data.join("demo");
        fs::create_dir_all(&dir).map_err(|error| unwritable(&dir, error))?;
        let exhibits = [
            Exhibit { name: "yellow", certified: yellow, profile: "compact", card: "yellow" },
            Exhibit { name: "green", certified: green, profile: "compact", card: "green" },
            Exhibit { name: "green-travel", certified: green, profile: "hc1", card: "green" },
        ];
        for exhibit in &exhibits {
            right &= show(context, &visitor, &dir, exhibit).await?;
        }
        right &= forge(context, &visitor, green).await?;
        context.tell(if right { "every verdict was right" } else { "a verdict was WRONG" })?;

        // 5. For others to use, each site with its day before it.
        if self.once {
            serving.stop().await;
            app.stop().await;
            return Ok(if right { Answer::Yes } else { Answer::No });
        }
        desk::prepare(&visitor).await?;
        invite(context, &visitor)?;
        serve::until_stopped(context, serving, app.stop()).await
    }
}

/// People in the backlog for each whose doses are recorded, and at most.
const BACKLOG: (u64, u64) = (20, 100_000);

/// Imports a dirty backlog. Returns whether what could be taken was, and nothing else.
async fn import(context: &Context, visitor: &Visitor<'_>, people: u64) -> Result<bool, Failure> {
    let mut backlog = backlog::of((people * BACKLOG.0).min(BACKLOG.1))?;
    let progress = progress(context, "importing a backlog", backlog.rows);
    let moved = |import: &Value| progress.set_position(import["rows"].as_u64().unwrap_or_default());
    let import = visitor.import(std::mem::take(&mut backlog.file), backlog::PROVINCE, moved).await?;
    progress.finish_and_clear();
    let right = backlog.is_right(&import);
    let count = |name: &str| import[name].as_u64().unwrap_or_default();
    let (new, queued, known) = (count("new_doses"), count("queued"), count("known_doses"));
    let wrong = if right { "" } else { "  WRONG" };
    context.say(
        format_args!(
            "a backlog of {} rows about {} people: {new} new doses, {queued} of them waiting to be told whose they are; {known} known; {} rejected{wrong}",
            backlog.rows, backlog.people, count("rejected"),
        ),
        &json!({
            "what": "a backlog", "rows": backlog.rows, "new_doses": new, "queued": queued, "known_doses": known,
            "rejected": count("rejected"), "right": right,
        }),
    )?;
    Ok(right)
}

/// Writes a certificate's pictures, reads the PNG back and has it verified. Returns whether the verdict was right.
async fn show(context: &Context, visitor: &Visitor<'_>, dir: &Path, exhibit: &Exhibit<'_>) -> Result<bool, Failure> {
    let mut png = PathBuf::new();
    for format in ["svg", "png", "pdf"] {
        let bytes = visitor.picture(exhibit.certified, &format!("{format}?profile={}", exhibit.profile)).await?;
        png = if format == "png" { dir.join(format!("{}.png", exhibit.name)) } else { png };
        let path = dir.join(format!("{}.{format}", exhibit.name));
        fs::write(&path, bytes).map_err(|error| unwritable(&path, error))?;
    }
    let bytes = fs::read(&png).map_err(|error| unwritable(&png, error))?;
    let texts = read::read(&bytes).map_err(|error| failed("reading the picture back", error))?;
    let [text] = texts.as_slice() else { return Ok(false) };
    let verdict = visitor.verify(text).await?;
    let right = verdict["result"] == "accepted"
        && verdict["card"] == exhibit.card
        && verdict["profile"] == exhibit.profile
        && verdict["certificate"]["uvci"] == exhibit.certified.uvci
        && (exhibit.profile != "compact" || *text == exhibit.certified.text && exhibit.certified.card == exhibit.card);
    if exhibit.profile == "compact" {
        let symbol = Symbol::encode(text, Level::M).map_err(|error| failed("a QR code", error))?;
        context.tell(format_args!("\n{}", terminal::terminal(&symbol)))?;
    }
    report(context, &png.display().to_string(), &verdict, right)?;
    Ok(right)
}

/// Has a certificate verified in which one character was changed. Returns whether it was refused.
async fn forge(context: &Context, visitor: &Visitor<'_>, certified: &Certified) -> Result<bool, Failure> {
    // The last three characters are the signature's end.
    let mut text = certified.text.clone();
    let last = text.pop();
    text.push(if last == Some('0') { '1' } else { '0' });
    let verdict = visitor.verify(&text).await?;
    let right = verdict["result"] == "rejected" && verdict["card"] == "red" && verdict.get("certificate").is_none();
    report(context, "the green one with its last character changed", &verdict, right)?;
    Ok(right)
}

fn report(context: &Context, what: &str, verdict: &Value, right: bool) -> Result<(), Failure> {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let facts = &verdict["certificate"];
    let course = match (facts["dose"].as_u64(), facts["series"].as_u64()) {
        (Some(dose), Some(series)) => format!(", {dose}/{series} MŨI, {}", word(&facts["name"])),
        _ => format!(", {}", word(&verdict["reason"])),
    };
    let wrong = if right { "" } else { "  WRONG" };
    context.say(
        format_args!("{what}\n  -> {}, {}{course}{wrong}", word(&verdict["result"]), word(&verdict["card"])),
        &json!({"what": what, "verdict": verdict, "right": right}),
    )
}

fn progress(context: &Context, what: &'static str, rows: u64) -> ProgressBar {
    let bar = if context.is_for_machines() { ProgressBar::hidden() } else { ProgressBar::new(rows) };
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len}, {per_sec}, {eta} left");
    bar.with_message(what).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Says where everything is, with a bearer token for each role: the pages have a button for each.
fn invite(context: &Context, visitor: &Visitor<'_>) -> Result<(), Failure> {
    let url = visitor.url;
    context.say(
        format_args!("\nserving on {url}\n  pages          {url}/ leads to every role's, with a button to log in as each; {url}/scan scans\n  documentation  {url}/docs\n  trust list     {url}/v1/trust-list\n"),
        &json!({"listening": url}),
    )?;
    for role in Role::STAFF {
        let token = visitor.token(role, "79001", "79")?;
        context.say(
            format_args!("bearer token, role {}:\n  {token}", role.as_str()),
            &json!({"role": role.as_str(), "token": token}),
        )?;
    }
    context.tell("\nCtrl-C stops")?;
    Ok(())
}

fn unwritable(path: &Path, error: std::io::Error) -> Failure {
    Failure::environment(
        "file_unwritable",
        format!("{}: {error}; give a directory that this user can write with --data", path.display()),
    )
}
