//! What is known of people, in memory: matching driven without a database, as it is when it is scored.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::doses::{self, DoseError, Reporter};
use super::plan::{Answer, Plan, Writes};
use super::record::DoseRecord;
use crate::certificate::UnixSeconds;
use crate::keys::{Algorithm, IssuerKey, KeyError};
use crate::policy::Flag;
use crate::sealing::DataKey;
use crate::store::{Candidate, DoseRow, Hash, LookupKind, PersonRow};

/// Whom a dose was given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The person.
    pub person: Uuid,
    /// True if it cannot be said for certain: enrolled anew, and people are asked.
    pub queued: bool,
    /// True if they are known by their number under another name or birth date.
    pub differs: bool,
}

/// People and their doses. It answers as the store does, and takes what a plan writes; certificates are signed and dropped,
/// and facilities' record numbers are not kept.
pub struct Book {
    key: IssuerKey,
    data_key: DataKey,
    now: UnixSeconds,
    people: HashMap<Uuid, PersonRow>,
    doses: HashMap<Uuid, Vec<DoseRow>>,
    lookups: HashMap<(LookupKind, Hash), Vec<(i64, Uuid)>>,
}

impl Book {
    /// A book in which nobody is known yet. `now`: when its doses are recorded. Errors: [`KeyError`].
    pub fn new(now: UnixSeconds) -> Result<Book, KeyError> {
        Ok(Book {
            key: IssuerKey::generate(Algorithm::EdDsa)?,
            data_key: DataKey::new(&[0; 64]),
            now,
            people: HashMap::new(),
            doses: HashMap::new(),
            lookups: HashMap::new(),
        })
    }

    /// Records doses, each with the facility that gave it, as one transaction would. Each one's answer stands at its place.
    pub fn record(
        &mut self,
        doses: impl IntoIterator<Item = (String, DoseRecord)>,
    ) -> Vec<Result<Assigned, DoseError>> {
        let row = |(facility, dose): (String, DoseRecord)| {
            let by = Reporter { facility, subject: "synth".to_owned() };
            doses::row(&self.data_key, &by, dose, self.now)
        };
        let rows: Vec<_> = doses.into_iter().map(row).collect();
        let mut asked = HashSet::new();
        for row in rows.iter().flatten() {
            asked.extend(row.identity_hash.map(|hash| (LookupKind::Identity, hash)));
            asked.extend(row.phone_hash.map(|hash| (LookupKind::Phone, hash)));
        }
        let candidates = self.candidates(&asked);
        let people: HashSet<Uuid> = candidates.iter().map(|candidate| candidate.row.person).collect();
        let known = people.iter().filter_map(|person| self.doses.get(person)).flatten().cloned().collect();
        let mut plan = Plan::new(&self.key, self.now, Vec::new(), candidates, known);
        let answers = rows
            .into_iter()
            .map(|row| row.map_err(DoseError::from).and_then(|row| assigned(plan.take(&row))))
            .collect();
        let writes = std::mem::take(&mut plan.writes);
        self.take(writes);
        answers
    }

    fn candidates(&self, asked: &HashSet<(LookupKind, Hash)>) -> Vec<Candidate> {
        let under = |(kind, hash): &(LookupKind, Hash)| {
            let (kind, hash) = (*kind, *hash);
            let people = self.lookups.get(&(kind, hash)).into_iter().flatten();
            people.filter_map(move |(nth, person)| {
                Some(Candidate { kind, hash, nth: *nth, row: self.people.get(person)?.clone() })
            })
        };
        asked.iter().flat_map(under).collect()
    }

    fn take(&mut self, writes: Writes) {
        self.people.extend(writes.people.into_iter().map(|new| (new.row.person, new.row)));
        for lookup in writes.lookups {
            self.lookups.entry((lookup.kind, lookup.hash)).or_default().push((lookup.nth, lookup.person));
        }
        for dose in writes.doses {
            self.doses.entry(dose.person).or_default().push(dose);
        }
    }
}

fn assigned(answer: Answer) -> Result<Assigned, DoseError> {
    match answer {
        Answer::Ready(recorded) => {
            let recorded = recorded?;
            let flagged = |flag: Flag| recorded.new && recorded.flags.iter().any(|word| word == flag.as_str());
            let (queued, differs) = (flagged(Flag::PersonUnclear), flagged(Flag::PersonDiffers));
            Ok(Assigned { person: recorded.dose.person, queued, differs })
        }
        Answer::Stored(dose) => Ok(Assigned { person: dose.person, queued: false, differs: false }),
    }
}
