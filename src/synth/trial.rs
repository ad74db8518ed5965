//! Matching put to the test: synthetic rows go through the plan that the service makes, and the truth says how well it went.

use std::collections::BTreeMap;

use super::dirt::Dirt;
use super::rows::{Row, Rows, Settings};
use super::score::{self, Matched, Score};
use crate::certificate::UnixSeconds;
use crate::keys::KeyError;
use crate::registration::book::{Assigned, Book};

/// What came of a trial.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Every row that was recorded.
    pub score: Score,
    /// Rows that were refused, as the impossible ones must be.
    pub refused: u64,
    /// Rows that were refused and could have been taken, or were taken and should not: none.
    pub wrongly_judged: u64,
    /// Rows of somebody known by their number under another name or birth date.
    pub differing: u64,
    /// The queued rows by what was done to them; by no word for clean ones.
    pub queued_by_dirt: BTreeMap<&'static str, u64>,
    /// The rows of each group in which several people were made one, as `person dirt+dirt`.
    pub wrong: Vec<String>,
}

/// When synthetic rows are recorded: 2023-01-01, after the last dose.
const RECORDED_AT: UnixSeconds = UnixSeconds(1_672_531_200);

/// How many rows are planned together, as a chunk of an import is.
const CHUNK: usize = 1_000;

/// Records the rows of `settings`, at most `max_rows` of them, and scores whose they were said to be. `progress` is told of
/// each chunk. Errors: [`KeyError`].
pub fn run(settings: Settings, max_rows: usize, mut progress: impl FnMut(usize)) -> Result<Trial, KeyError> {
    let mut book = Book::new(RECORDED_AT)?;
    let mut matched = Vec::new();
    let mut dirt: Vec<Vec<Dirt>> = Vec::new();
    let mut trial = Trial {
        score: Score::default(),
        refused: 0,
        wrongly_judged: 0,
        differing: 0,
        queued_by_dirt: BTreeMap::new(),
        wrong: Vec::new(),
    };
    let mut left = max_rows;
    for rows in Rows::new(settings) {
        let rows = rows.get(..left).unwrap_or(&rows);
        left -= rows.len();
        for chunk in rows.chunks(CHUNK) {
            let answers = book.record(chunk.iter().map(|row| (row.site.code(), row.record())));
            for (row, answer) in chunk.iter().zip(answers) {
                let impossible =
                    [Dirt::ImpossibleDate, Dirt::UnknownProduct].iter().any(|kind| row.dirt.contains(kind));
                trial.wrongly_judged += u64::from(answer.is_ok() == impossible);
                match answer {
                    Ok(assigned) => {
                        matched.push(trial.note(row, assigned));
                        dirt.push(row.dirt.clone());
                    }
                    Err(_) => trial.refused += 1,
                }
            }
            progress(chunk.len());
        }
    }
    trial.score = score::score(&matched);
    if trial.score.wrong_merges > 0 {
        trial.wrong = wrong(&matched, &dirt);
    }
    Ok(trial)
}

/// What there is to see of each wrong merge.
fn wrong(matched: &[Matched], dirt: &[Vec<Dirt>]) -> Vec<String> {
    let mut groups: BTreeMap<u128, Vec<(u64, &[Dirt])>> = BTreeMap::new();
    for (row, dirt) in matched.iter().zip(dirt) {
        groups.entry(row.assigned).or_default().push((row.truly, dirt));
    }
    let mixed =
        groups.into_values().filter(|rows| rows.iter().any(|(truly, _)| Some(truly) != rows.first().map(|row| &row.0)));
    let words = |dirt: &[Dirt]| dirt.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join("+");
    mixed
        .map(|rows| rows.iter().map(|(truly, dirt)| format!("{truly} {}", words(dirt))).collect::<Vec<_>>().join(", "))
        .collect()
}

impl Trial {
    fn note(&mut self, row: &Row, assigned: Assigned) -> Matched {
        self.differing += u64::from(assigned.differs);
        if assigned.queued {
            let word = row.dirt.first().map_or(if row.twin { "twin" } else { "" }, |kind| kind.as_str());
            *self.queued_by_dirt.entry(word).or_default() += 1;
        }
        Matched { truly: row.person, assigned: assigned.person.as_u128(), queued: assigned.queued }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_thousand_people_are_matched_within_the_targets() {
        let trial = run(Settings { people: 20_000, seed: 1, dirt_percent: 5 }, usize::MAX, |_| {}).expect("a key");
        let score = trial.score;
        assert_eq!((score.wrong_merges, trial.wrongly_judged), (0, 0), "{trial:?}");
        assert!(score.missed_percent() < 2.0 && score.queued_percent() < 3.0, "{trial:?}");
        assert!(score.precision == 1.0 && score.recall > 0.97, "{trial:?}");
        assert!(trial.refused > 0 && score.queued_rows > 0 && trial.differing > 0, "{trial:?}");
        assert!(score.people > 19_900 && score.rows > 35_000, "{trial:?}");
    }

    #[test]
    fn with_six_times_the_dirt_only_twins_under_one_number_and_one_name_without_marks_are_merged() {
        let trial = run(Settings { people: 5_000, seed: 2, dirt_percent: 30 }, usize::MAX, |_| {}).expect("a key");
        // Nothing of what is known tells these apart; everybody else is.
        let alike = |rows: &String| rows.contains("twins_number") && rows.contains("unmarked");
        assert!(trial.wrong.iter().all(alike) && trial.score.wrong_merges <= 1, "{trial:?}");
        assert!(trial.score.missed_percent() < 5.0 && trial.score.queued_percent() < 5.0, "{trial:?}");
    }
}
