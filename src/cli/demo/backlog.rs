//! The demo's backlog: what two facilities of a province never entered, dirty as such files are; sent and imported as theirs are.

use serde_json::Value;

use super::visitor::failed;
use crate::cli::Failure;
use crate::synth::dirt::Dirt;
use crate::synth::files::{self, BACKLOG_HEADING};
use crate::synth::places::Site;
use crate::synth::rows::{Rows, Settings};

/// Whose department sends it: facilities 1 and 2 of this province are among the demo's.
pub(super) const PROVINCE: &str = "79";

/// A file, and what must come of it.
pub(super) struct Backlog {
    pub file: Vec<u8>,
    pub people: u64,
    pub rows: u64,
    /// Rows that nobody could take: of a day that never was, or of a product that there is not.
    pub impossible: u64,
}

/// The backlog of so many people: the same for the same number, so that a second demo finds its doses known.
pub(super) fn of(people: u64) -> Result<Backlog, Failure> {
    let mut backlog = Backlog { file: format!("{BACKLOG_HEADING}\n").into_bytes(), people, rows: 0, impossible: 0 };
    for mut row in Rows::new(Settings { people, seed: 1, dirt_percent: 5 }).flatten() {
        row.site = Site { province: PROVINCE, number: row.site.number % 2 + 1 };
        let impossible = [Dirt::ImpossibleDate, Dirt::UnknownProduct].iter().any(|kind| row.dirt.contains(kind));
        backlog.rows += 1;
        backlog.impossible += u64::from(impossible);
        files::write_backlog_row(&mut backlog.file, &row).map_err(|error| failed("writing a backlog", error))?;
    }
    Ok(backlog)
}

impl Backlog {
    /// Whether every row was looked at, and all were taken but the impossible ones. `import`: how it ended.
    pub fn is_right(&self, import: &Value) -> bool {
        let count = |name: &str| import.get(name).and_then(Value::as_u64);
        count("rows") == Some(self.rows)
            && count("rejected") == Some(self.impossible)
            && count("new_doses").zip(count("known_doses")).map(|(new, known)| new + known)
                == Some(self.rows - self.impossible)
    }
}
