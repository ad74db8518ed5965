//! `thexanh verify`: the verdict on a QR text, on every line of standard input, or on the QR codes of a picture.

use std::fs;
use std::io::{BufRead as _, Read as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{Answer, Context, Failure};
use crate::app::{Engine, Outcome, Verdict};
use crate::codec::MAX_TEXT_LEN;
use crate::http::trust_list::TrustListDocument;
use crate::render::read;
use crate::trust::TrustList;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["text", "image"]))]
pub(super) struct Verify {
    /// The text as scanned, or - for one text a line from standard input
    text: Option<String>,
    /// A PNG or JPEG picture; every QR code in it is verified
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// A trust list as `/v1/trust-list` gives it, instead of the database's. Revocations are then not known
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

/// The largest trust list that is read: some 50,000 keys.
const MAX_TRUST_LIST_BYTES: u64 = 32 << 20;

impl Verify {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        let engine = Engine::new(context.clock.clone(), 1, context.config.ed25519_engine());
        match &self.trust {
            Some(path) => engine.set_trust(trust_list(path, &engine)?),
            None => {
                let (store, node) = (context.existing_store().await?, Uuid::new_v4());
                engine.refresh(&store, node).await?;
                store.stop_sequencing(node).await?;
            }
        }
        let (mut asked, mut accepted) = (0_u64, 0_u64);
        let mut judge = |text: &str| {
            let verdict = engine.verify(text);
            asked += 1;
            accepted += u64::from(verdict.outcome() == Outcome::Accepted);
            context.say(describe(&verdict), &verdict)
        };
        match (self.text.as_deref(), &self.image) {
            (_, Some(path)) => picture(path)?.iter().try_for_each(|text| judge(text))?,
            (Some("-"), None) => lines(judge)?,
            (Some(text), None) => judge(text)?,
            (None, None) => return Err(Failure::usage("give a text, - or --image")),
        }
        if asked == 0 {
            return Err(Failure::environment("nothing_read", "standard input was empty; no text was verified"));
        }
        Ok(if accepted == asked { Answer::Yes } else { Answer::No })
    }
}

fn unreadable(path: &Path, problem: impl std::fmt::Display) -> Failure {
    Failure::environment("file_unreadable", format!("{}: {problem}", path.display()))
}

fn open(path: &Path) -> Result<fs::File, Failure> {
    fs::File::open(path).map_err(|error| unreadable(path, format_args!("{error}; name a file that this user can read")))
}

fn trust_list(path: &Path, engine: &Engine) -> Result<TrustList, Failure> {
    let file = open(path)?;
    let document: TrustListDocument = serde_json::from_reader(std::io::BufReader::new(file.take(MAX_TRUST_LIST_BYTES)))
        .map_err(|error| unreadable(path, format_args!("this is no trust list: {error}")))?;
    document.into_list(engine.ed25519()).map_err(|error| unreadable(path, error))
}

fn picture(path: &Path) -> Result<Vec<String>, Failure> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(read::MAX_FILE_LEN as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
    read::read(&bytes).map_err(|error| unreadable(path, error))
}

/// Hands every line of standard input to `judge`, so that answers keep step. What is too long is judged by its beginning.
fn lines(mut judge: impl FnMut(&str) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let failed = |error| Failure::environment("file_unreadable", format!("standard input: {error}"));
        if input.by_ref().take(MAX_TEXT_LEN as u64 + 2).read_until(b'\n', &mut line).map_err(failed)? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            input.skip_until(b'\n').map_err(failed)?;
        }
        let text = String::from_utf8_lossy(&line);
        judge(text.trim_end_matches(['\r', '\n']))?;
    }
}

/// A verdict for people, in Vietnamese and English: colour, words and, if it is accepted, the facts.
pub(super) fn describe(verdict: &Verdict) -> String {
    let Some(facts) = verdict.facts() else {
        let reason = verdict.reason().unwrap_or_default();
        return format!("■ KHÔNG HỢP LỆ  rejected, {}: {reason}", verdict.card());
    };
    let doses = facts.dose.zip(facts.series).map(|(dose, series)| format!("  {dose}/{series} MŨI")).unwrap_or_default();
    let birth = facts.birth.as_deref().unwrap_or("-");
    let product = facts.product.as_deref().unwrap_or("-");
    let given_on = facts.given_on.as_deref().unwrap_or("-");
    format!(
        "● HỢP LỆ{doses}  accepted, {}\n  {}, born {birth}\n  {product} given on {given_on}, certified by {}\n  {}",
        verdict.card(),
        facts.name,
        facts.issuer,
        facts.uvci
    )
}
