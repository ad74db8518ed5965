//! `thexanh rules`: what is green, what is yellow and what is accepted, shown, checked and set.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Context, Failure};
use crate::policy::{CountryRule, Difference, MAX_DOCUMENT_BYTES, Rules, RulesDocument, RulesError, differences};
use crate::store::{Audited, SetRules, Store};

#[derive(Debug, clap::Subcommand)]
pub(super) enum RulesCommand {
    /// Print the rules in force, as they are published: a file to change and set
    Show,
    /// Check a file, and say what would be otherwise by it than it is; nothing is changed
    Check(Source),
    /// Put a file's rules in force, on every node on this database within a second
    Set {
        #[command(flatten)]
        source: Source,
        /// Why; kept in the audit trail
        #[arg(long, value_name = "REASON", default_value = "")]
        why: String,
    },
}

/// Where the rules come from.
#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// Rules as `show` prints them; or a country's, an array in the EU's form: they take the place of those in `certlogic`
    file: PathBuf,
    /// A value set in the EU's form that a country's rules look at; may be given several times
    #[arg(long, value_name = "FILE")]
    value_set: Vec<PathBuf>,
    /// Whose acceptance rules to ask, if an array has several countries'
    #[arg(long, value_name = "CC")]
    country: Option<String>,
    /// The region whose acceptance rules to ask [default: the one that all of an array's rules are for, if they are for one]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

impl RulesCommand {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        let store = context.existing_store().await?;
        let in_force = in_force(&store).await?;
        match self {
            RulesCommand::Show => show(context, &in_force),
            RulesCommand::Check(source) => {
                let candidate = match source.candidate(&in_force)? {
                    Ok(candidate) => candidate,
                    Err(error) => return refused(context, &error),
                };
                let found = tell(context, &in_force, &candidate)?;
                let text = if found == 0 { "these are the rules in force" } else { "they can be set" };
                context.say(text, &json!({"result": "good", "differences": found}))?;
                Ok(Answer::Yes)
            }
            RulesCommand::Set { source, why } => match source.candidate(&in_force)? {
                Ok(candidate) => set(context, &store, &in_force, candidate, why).await,
                Err(error) => refused(context, &error),
            },
        }
    }
}

async fn in_force(store: &Store) -> Result<RulesDocument, Failure> {
    let Some(json) = store.rules().await? else { return Ok(RulesDocument::default()) };
    RulesDocument::read(json.as_bytes())
        .map_err(|error| Failure::environment(error.code(), format!("the rules in force cannot be read: {error}")))
}

fn show(context: &Context, in_force: &RulesDocument) -> Result<Answer, Failure> {
    context.say(serde_json::to_string_pretty(in_force).expect("rules have text keys"), in_force)?;
    Ok(Answer::Yes)
}

/// Says what is otherwise. Returns how much.
fn tell(context: &Context, in_force: &RulesDocument, candidate: &RulesDocument) -> Result<usize, Failure> {
    let found = differences(in_force, candidate);
    for difference in &found {
        let Difference { path, before, after } = difference;
        context.say(format_args!("{path}: {} -> {}", short(before.as_ref()), short(after.as_ref())), difference)?;
    }
    Ok(found.len())
}

fn short(value: Option<&Value>) -> String {
    const MOST: usize = 100;
    let text = value.map_or_else(|| "-".to_owned(), Value::to_string);
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}..", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// A file that cannot be the rules: a negative answer. Those in force stay.
fn refused(context: &Context, error: &RulesError) -> Result<Answer, Failure> {
    let code = error.code();
    context.say(
        format_args!("refused, {code}: {error}; the rules in force stay"),
        &json!({"result": "refused", "code": code, "detail": error.to_string()}),
    )?;
    Ok(Answer::No)
}

async fn set(
    context: &Context,
    store: &Store,
    in_force: &RulesDocument,
    mut candidate: RulesDocument,
    why: String,
) -> Result<Answer, Failure> {
    if tell(context, in_force, &candidate)? == 0 {
        context.say("these are the rules in force", &json!({"result": "unchanged", "version": in_force.version}))?;
        return Ok(Answer::Yes);
    }
    let made_from = in_force.version;
    candidate.version = made_from + 1;
    let done = Audited {
        at: context.clock.now(),
        role: "operator".to_owned(),
        subject: "command line".to_owned(),
        place: String::new(),
        action: "rules.set",
        about: None,
        why: format!("version {}: {why}", candidate.version).trim_end_matches([' ', ':']).to_owned(),
    };
    match store.set_rules(candidate.version, &candidate.to_json(), &done).await? {
        SetRules::Stale(in_force) => refused(context, &RulesError::Stale { made_from, in_force }),
        SetRules::Set => {
            context.say(
                format_args!(
                    "version {} is in force on every node on this database within a second",
                    candidate.version
                ),
                &json!({"result": "set", "version": candidate.version}),
            )?;
            Ok(Answer::Yes)
        }
    }
}

/// A value set as the EU publishes it, of which we need the codes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ValueSet {
    value_set_id: String,
    value_set_values: BTreeMap<String, Value>,
}

impl Source {
    /// The rules that the files make, checked, and that they may follow those in force.
    fn candidate(&self, in_force: &RulesDocument) -> Result<Result<RulesDocument, RulesError>, Failure> {
        let json = read(&self.file)?;
        let mut sets = BTreeMap::new();
        for path in &self.value_set {
            let set: ValueSet = serde_json::from_slice(&read(path)?).map_err(|error| {
                Failure::usage(format!("{} is no value set in the EU's form: {error}", path.display()))
            })?;
            sets.insert(set.value_set_id, set.value_set_values.into_keys().collect());
        }
        if json.len() > MAX_DOCUMENT_BYTES {
            return Ok(Err(RulesError::TooLong));
        }
        let mut candidate = match json.trim_ascii_start().first() {
            Some(b'[') => match serde_json::from_slice::<Vec<CountryRule>>(&json) {
                Ok(rules) => self.country_rules(in_force, rules)?,
                Err(error) => return Ok(Err(RulesError::Malformed(error.to_string()))),
            },
            _ => match RulesDocument::read(&json) {
                Ok(document) => document,
                Err(error) => return Ok(Err(error)),
            },
        };
        candidate.country = self.country.clone().unwrap_or(candidate.country);
        candidate.region = self.region.clone().unwrap_or(candidate.region);
        candidate.value_sets.extend(sets);
        let checked = candidate.may_follow(in_force).and_then(|()| Rules::new(candidate));
        Ok(checked.and_then(|rules| match rules.document().to_json().len() <= MAX_DOCUMENT_BYTES {
            true => Ok(rules.document().clone()),
            false => Err(RulesError::TooLong),
        }))
    }

    /// The rules in force with a country's in the place of those that they had.
    fn country_rules(&self, in_force: &RulesDocument, mut rules: Vec<CountryRule>) -> Result<RulesDocument, Failure> {
        if let Some(country) = &self.country {
            rules.retain(|rule| rule.kind != "Acceptance" || rule.country == *country);
        }
        let acceptance = || rules.iter().filter(|rule| rule.kind == "Acceptance");
        let mut countries: Vec<&str> = acceptance().map(|rule| rule.country.as_str()).collect();
        countries.dedup();
        let country = match (&self.country, countries.as_slice()) {
            (None, []) => in_force.country.clone(),
            (None, [country]) => (*country).to_owned(),
            (None, _) => {
                return Err(Failure::usage("the file has rules of several countries; say which with --country"));
            }
            (Some(country), _) => country.clone(),
        };
        let mut regions = acceptance().map(|rule| rule.region.clone().unwrap_or_default());
        let first = regions.next().unwrap_or_default();
        let region = if regions.all(|region| region == first) { first } else { String::new() };
        Ok(RulesDocument { country, region, certlogic: rules, ..in_force.clone() })
    }
}

/// A file's bytes; of one that is too long as many as show that.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error| Failure::environment("file_unreadable", format!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_DOCUMENT_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}
