//! `thexanh verify`: the verdict on a QR text, on every line of standard input, or on the QR codes of a picture.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{Answer, Context, Failure};
use crate::app::{Engine, Outcome, Verdict};
use crate::certificate::UnixSeconds;
use crate::clock::Clock;
use crate::codec::MAX_TEXT_LEN;
use crate::ed25519::Batch;
use crate::keyring;
use crate::render::read;
use crate::signed;
use crate::trust::{DocumentError, TrustList, TrustListDocument};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["text", "image"]))]
pub(super) struct Verify {
    /// The text as scanned, or - for one text a line from standard input
    text: Option<String>,
    /// A PNG or JPEG picture; every QR code in it is verified
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// A trust list as `/v1/trust-list` gives it, instead of the database's: JSON, or signed. Revocations are then not known
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// The anchor that must have signed that list, as `thexanh keys anchor --out FILE` writes it
    #[arg(long, value_name = "FILE", requires = "trust")]
    anchor: Option<PathBuf>,
    /// As of this instant, in seconds since 1970, instead of now
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    at: Option<i64>,
}

impl Verify {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        let clock = self.at.map_or_else(|| context.clock.clone(), |at| Clock::fixed(UnixSeconds(at)));
        let engine = Engine::new(clock, 1, context.config.ed25519_engine());
        match &self.trust {
            Some(path) => engine.set_trust(trust_list(context, path, self.anchor.as_deref(), &engine)?),
            None => {
                let (store, node) = (context.existing_store().await?, Uuid::new_v4());
                engine.refresh(&store, node).await?;
                store.stop_sequencing(node).await?;
            }
        }
        let mut judged = Judged { context, asked: 0, accepted: 0 };
        match (self.text.as_deref(), &self.image) {
            (_, Some(path)) => {
                let texts = picture(path)?;
                judged.all(&engine, &texts)?;
            }
            (Some("-"), None) => lines(|texts| judged.all(&engine, texts))?,
            (Some(text), None) => judged.all(&engine, &[text.to_owned()])?,
            (None, None) => return Err(Failure::usage("give a text, - or --image")),
        }
        if judged.asked == 0 {
            return Err(Failure::environment("nothing_read", "standard input was empty; no text was verified"));
        }
        Ok(if judged.accepted == judged.asked { Answer::Yes } else { Answer::No })
    }
}

/// Prints verdicts and counts them.
struct Judged<'a> {
    context: &'a Context,
    asked: u64,
    accepted: u64,
}

impl Judged<'_> {
    fn all(&mut self, engine: &Engine, texts: &[String]) -> Result<(), Failure> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut printed = Ok(());
        engine.verify_all(&texts, |verdict| {
            self.asked += 1;
            self.accepted += u64::from(verdict.outcome() == Outcome::Accepted);
            if printed.is_ok() {
                printed = self.context.say(describe(verdict), verdict);
            }
        });
        printed
    }
}

fn unreadable(path: &Path, problem: impl std::fmt::Display) -> Failure {
    Failure::environment("file_unreadable", format!("{}: {problem}", path.display()))
}

fn open(path: &Path) -> Result<fs::File, Failure> {
    fs::File::open(path).map_err(|error| unreadable(path, format_args!("{error}; name a file that this user can read")))
}

/// The list in a file. One that is signed is held to the anchor, and is said to be stale if it is.
fn trust_list(context: &Context, path: &Path, anchor: Option<&Path>, engine: &Engine) -> Result<TrustList, Failure> {
    let mut bytes = Vec::new();
    let file = open(path)?.take(signed::MAX_LEN as u64 + 1);
    BufReader::new(file).read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
    let refused = |error: DocumentError| match error {
        DocumentError::Signed(refusal) => Failure::environment(refusal.code(), format!("{}: {error}", path.display())),
        _ => unreadable(path, format_args!("this is no trust list: {error}")),
    };
    let document = match (anchor, signed::is_signed(&bytes)) {
        (Some(anchor), true) => {
            let mut pem = String::new();
            open(anchor)?.take(64 << 10).read_to_string(&mut pem).map_err(|error| unreadable(anchor, error))?;
            let key = keyring::public_key_of_pem(&pem);
            let key = key.ok_or_else(|| unreadable(anchor, "this is not the PEM of a public key"))?;
            let now = context.clock.now();
            let document = TrustListDocument::open(&bytes, [&key], now, 0).map_err(refused)?;
            if document.stamp().is_stale(now) {
                let text = format!("{}: there should be a newer one by now; ask for it", path.display());
                context.warn(&Failure::environment("stale", text));
            }
            document
        }
        (Some(_), false) => {
            return Err(unreadable(path, "it is not signed; leave --anchor out to believe it unsigned"));
        }
        (None, true) => {
            return Err(Failure::usage("a signed trust list is held to its anchor: name that with --anchor"));
        }
        (None, false) => TrustListDocument::from_json(&bytes).map_err(refused)?,
    };
    document.into_list(engine.ed25519()).map_err(refused)
}

fn picture(path: &Path) -> Result<Vec<String>, Failure> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(read::MAX_FILE_LEN as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
    read::read(&bytes).map_err(|error| unreadable(path, error))
}

/// Hands the lines of standard input to `judge`, as many at a time as are there already, at most a batch, so that answers keep
/// step with who types or sends. What is too long is judged by its beginning.
fn lines(mut judge: impl FnMut(&[String]) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut input = BufReader::with_capacity(64 << 10, std::io::stdin().lock());
    let (mut texts, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        let failed = |error| Failure::environment("file_unreadable", format!("standard input: {error}"));
        if input.by_ref().take(MAX_TEXT_LEN as u64 + 2).read_until(b'\n', &mut line).map_err(failed)? == 0 {
            return judge(&texts);
        }
        if line.last() != Some(&b'\n') {
            input.skip_until(b'\n').map_err(failed)?;
        }
        texts.push(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned());
        if texts.len() == Batch::SIZE || !input.buffer().contains(&b'\n') {
            judge(&texts)?;
            texts.clear();
        }
    }
}

/// A verdict for people, in Vietnamese and English: colour, words and, if it is accepted, the facts.
pub(super) fn describe(verdict: &Verdict<'_>) -> String {
    let Some(facts) = verdict.facts() else {
        let reason = verdict.reason().unwrap_or_default();
        return format!("■ KHÔNG HỢP LỆ  rejected, {}: {reason}", verdict.card());
    };
    let doses = facts.dose.zip(facts.series).map(|(dose, series)| format!("  {dose}/{series} MŨI")).unwrap_or_default();
    let birth = facts.birth.map_or_else(|| "-".to_owned(), |birth| birth.to_string());
    let product = facts.product.unwrap_or("-");
    let given_on = facts.given_on.map_or_else(|| "-".to_owned(), |given_on| given_on.to_string());
    format!(
        "● HỢP LỆ{doses}  accepted, {}\n  {}, born {birth}\n  {product} given on {given_on}, certified by {}\n  {}",
        verdict.card(),
        facts.name,
        facts.issuer,
        facts.uvci
    )
}
