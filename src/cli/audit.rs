//! `thexanh audit`: the transparency log of a node, looked at from outside.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{Answer, Context, Failure};
use crate::auditor::{AuditError, Auditor, Seen, Standing};
use crate::codec::MAX_TEXT_LEN;
use crate::tls;

#[derive(Debug, clap::Args)]
pub(super) struct Audit {
    /// The node whose log it is, https://.. [default: http.public_url, else the address that `serve` listens on]
    url: Option<String>,
    /// The anchor that signs its trust list, as `thexanh keys anchor --out FILE` writes it [default: the first that is seen]
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    /// A certificate's text that must be in the log; given many times, or - for one a line from standard input
    #[arg(long, value_name = "TEXT")]
    text: Vec<String>,
}

/// Texts read from standard input at most.
const MAX_TEXTS: usize = 100_000;

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Failure {
        Failure::environment(error.code(), format!("{error}; nothing can be said of the log"))
    }
}

impl Audit {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        let config = &context.config;
        let url = self.url.clone().unwrap_or_else(|| match config.http.public_url.as_str() {
            "" => format!("http://{}", config.http.listen),
            url => url.to_owned(),
        });
        let anchor = self.anchor.as_ref().map(|path| {
            std::fs::read_to_string(path).map_err(|error| {
                Failure::environment("anchor_unreadable", format!("cannot read {}: {error}", path.display()))
            })
        });
        let (anchor, texts) = (anchor.transpose()?, self.texts()?);
        let roots = tls::roots(config.verifier.ca.as_deref());
        let roots = roots.map_err(|error| Failure::environment(error.code(), format!("verifier.ca: {error}")))?;
        let dir = config.data.join("audit");
        let mut auditor = Auditor::new(&url, roots, dir, anchor.as_deref(), context.clock.clone())?;
        let bar = bar(context);
        let told = |seen: u64, of: u64| {
            bar.set_length(of);
            bar.set_position(seen);
        };
        let seen = auditor.look(&texts, told).await?;
        bar.finish_and_clear();
        let seen = match seen {
            Ok(seen) => seen,
            Err(finding) => {
                let value =
                    json!({"result": "broken", "url": url, "code": finding.code(), "detail": finding.to_string()});
                context.say(format_args!("BROKEN  {finding}"), &value)?;
                return Ok(Answer::No);
            }
        };
        let anchor = auditor.anchor().map(|anchor| BASE64_STANDARD.encode(anchor.spki_hash())).unwrap_or_default();
        say(context, &url, &anchor, &texts, &seen)
    }

    /// The texts that must be in the log.
    fn texts(&self) -> Result<Vec<String>, Failure> {
        let mut texts = Vec::new();
        for text in &self.text {
            if text != "-" {
                texts.push(text.clone());
                continue;
            }
            let mut input = std::io::stdin().lock();
            let mut line = Vec::new();
            loop {
                line.clear();
                let failed = |error| Failure::environment("file_unreadable", format!("standard input: {error}"));
                if input.by_ref().take(MAX_TEXT_LEN as u64 + 2).read_until(b'\n', &mut line).map_err(failed)? == 0 {
                    break;
                }
                if line.last() != Some(&b'\n') {
                    input.skip_until(b'\n').map_err(failed)?;
                }
                texts.push(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned());
                if texts.len() > MAX_TEXTS {
                    return Err(Failure::usage("that are more texts than are looked for at once: 100,000"));
                }
            }
        }
        Ok(texts)
    }
}

/// Prints what was seen.
fn say(context: &Context, url: &str, anchor: &str, texts: &[String], seen: &Seen) -> Result<Answer, Failure> {
    let Seen { checkpoint, before, verifier_key, texts: standings } = seen;
    let text = |(line, standing): (usize, &Standing)| {
        let mut value = json!({"line": line, "result": standing.code()});
        if let (Standing::Logged(index), Some(members)) = (standing, value.as_object_mut()) {
            members.insert("index".to_owned(), (*index).into());
        }
        value
    };
    let is_logged = |standing: &Standing| matches!(standing, Standing::Logged(_));
    let (bad, answers): (usize, Vec<Value>) =
        (standings.iter().filter(|standing| !is_logged(standing)).count(), (1..).zip(standings).map(text).collect());
    let root = BASE64_STANDARD.encode(checkpoint.root);
    let mut plain = format!(
        "{}  {url}\n  {} entries, {before} of them seen before; all of them make the root that is signed, {root}\n  key {verifier_key}\n  anchor {anchor}",
        if bad == 0 { "SOUND" } else { "NOT ALL LOGGED" },
        checkpoint.size,
    );
    for (line, standing) in (1..).zip(standings).filter(|(_, standing)| !is_logged(standing)) {
        let line: usize = line;
        plain.push_str(&format!("\n  text {line} of {}: {}", texts.len(), describe(*standing)));
    }
    let value = json!({
        "result": if bad == 0 { "sound" } else { "not_logged" },
        "url": url, "origin": checkpoint.origin, "size": checkpoint.size, "before": before, "root": root,
        "verifier_key": verifier_key, "anchor": anchor, "texts": answers,
    });
    context.say(plain, &value)?;
    Ok(if bad == 0 { Answer::Yes } else { Answer::No })
}

fn describe(standing: Standing) -> String {
    match standing {
        Standing::Logged(index) => format!("entry {index}"),
        Standing::NotLogged => {
            "not in the log: signed behind the registry's back, unless the node's /readyz says that the log is late"
                .to_owned()
        }
        Standing::NotProved => "the log says where it is, and does not prove it".to_owned(),
        Standing::Unreadable(error) => format!("no certificate: {error}"),
    }
}

/// How far it is, for people at a terminal.
fn bar(context: &Context) -> ProgressBar {
    if context.is_for_machines() || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} entries, {eta}");
    let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
