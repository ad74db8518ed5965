//! How well people were matched: what the truth says against whom each row was given to.

/// A row after matching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Whose it is, in truth.
    pub truly: u64,
    /// Whom it was given to.
    pub assigned: u128,
    /// True if it waits in the queue for people to say whose it is.
    pub queued: bool,
}

/// What came of it. Rows that were refused are nowhere counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Rows that were matched.
    pub rows: u64,
    /// The people whose rows they are.
    pub people: u64,
    /// Pairs of two people who were made one.
    pub wrong_merges: u64,
    /// People who were made several, and nobody is asked about it.
    pub missed_people: u64,
    /// Rows that wait for people to decide.
    pub queued_rows: u64,
    /// Of the pairs of rows that were given to one person, the share that is of one person. 1 if there are none.
    pub precision: f64,
    /// Of the pairs of rows of one person, the share that was given to one person. 1 if there are none.
    pub recall: f64,
}

impl Score {
    /// Wrong merges for every 100,000 people.
    pub fn wrong_per_100k(&self) -> f64 {
        self.wrong_merges as f64 * 100_000.0 / self.people.max(1) as f64
    }

    /// Of 100 people so many were missed.
    pub fn missed_percent(&self) -> f64 {
        self.missed_people as f64 * 100.0 / self.people.max(1) as f64
    }

    /// Of 100 rows so many were queued.
    pub fn queued_percent(&self) -> f64 {
        self.queued_rows as f64 * 100.0 / self.rows.max(1) as f64
    }
}

/// Scores `rows`, which stand in the order in which they were matched.
pub fn score(rows: &[Matched]) -> Score {
    // (assigned, truly, place), so that each group's first row comes first.
    let mut cells: Vec<(u128, u64, usize)> =
        rows.iter().enumerate().map(|(at, row)| (row.assigned, row.truly, at)).collect();
    cells.sort_unstable();
    let (mut wrong_merges, mut pairs_together, mut pairs_right) = (0, 0, 0);
    // Whoever was enrolled by a queued row is no miss: the queue asks whether that is somebody known.
    let mut unasked: Vec<u64> = Vec::new();
    for group in cells.chunk_by(|a, b| a.0 == b.0) {
        let people: Vec<_> = group.chunk_by(|a, b| a.1 == b.1).collect();
        wrong_merges += pairs(people.len());
        pairs_together += pairs(group.len());
        pairs_right += people.iter().map(|rows| pairs(rows.len())).sum::<u64>();
        let first = group.iter().map(|(_, _, at)| *at).min().and_then(|at| rows.get(at));
        if first.is_some_and(|first| !first.queued) {
            unasked.extend(people.iter().filter_map(|rows| rows.first()).map(|(_, truly, _)| *truly));
        }
    }
    unasked.sort_unstable();
    let missed_people = unasked.chunk_by(|a, b| a == b).filter(|same| same.len() > 1).count() as u64;
    let mut people: Vec<u64> = rows.iter().map(|row| row.truly).collect();
    people.sort_unstable();
    let (mut count, mut pairs_true) = (0, 0);
    for own in people.chunk_by(|a, b| a == b) {
        count += 1;
        pairs_true += pairs(own.len());
    }
    let share = |part: u64, whole: u64| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
    Score {
        rows: rows.len() as u64,
        people: count,
        wrong_merges,
        missed_people,
        queued_rows: rows.iter().filter(|row| row.queued).count() as u64,
        precision: share(pairs_right, pairs_together),
        recall: share(pairs_right, pairs_true),
    }
}

/// How many pairs `n` things make.
fn pairs(n: usize) -> u64 {
    let n = n as u64;
    n * n.saturating_sub(1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(truly: u64, assigned: u128) -> Matched {
        Matched { truly, assigned, queued: false }
    }

    #[test]
    fn all_right_is_all_right() {
        let score = score(&[row(1, 10), row(1, 10), row(2, 20)]);
        let right = Score { rows: 3, people: 2, precision: 1.0, recall: 1.0, ..Score::default() };
        assert_eq!(score, right);
        assert_eq!(super::score(&[]), Score { precision: 1.0, recall: 1.0, ..Score::default() });
    }

    #[test]
    fn three_people_made_one_are_three_wrong_merges() {
        let score = score(&[row(1, 10), row(2, 10), row(3, 10), row(3, 10)]);
        assert_eq!((score.wrong_merges, score.missed_people, score.people), (3, 0, 3));
        assert_eq!((score.precision, score.recall), (1.0 / 6.0, 1.0));
        assert_eq!(score.wrong_per_100k(), 100_000.0);
    }

    #[test]
    fn one_made_two_is_missed_unless_somebody_is_asked() {
        let missed = score(&[row(1, 10), row(1, 11), row(2, 20), row(2, 20)]);
        assert_eq!((missed.missed_people, missed.queued_rows), (1, 0));
        assert_eq!((missed.precision, missed.recall, missed.missed_percent()), (1.0, 0.5, 50.0));
        let asked = score(&[row(1, 10), Matched { queued: true, ..row(1, 11) }, row(2, 20), row(2, 20)]);
        assert_eq!((asked.missed_people, asked.queued_rows, asked.queued_percent()), (0, 1, 25.0));
        assert_eq!(asked.recall, 0.5, "nothing is found before it is answered");
    }

    #[test]
    fn a_row_queued_earlier_does_not_excuse_one_missed_later() {
        let queued = Matched { queued: true, ..row(1, 11) };
        assert_eq!(score(&[row(1, 10), queued, row(1, 12)]).missed_people, 1);
        assert_eq!(score(&[row(1, 10), queued, row(1, 11)]).missed_people, 0, "the later row follows the queued one");
    }
}
