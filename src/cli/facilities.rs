//! `thexanh facilities`: the vaccination sites, put into the reference data from a file; all of its rows, or none.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};
use serde_json::json;

use super::{Answer, Context, Failure};
use crate::app::by_command_line;
use crate::registration::{bounded, reference};
use crate::store::{Facility, PutFacilities};

/// The heading, as `thexanh synth` writes it too.
const HEADING: [&str; 3] = ["code", "name", "province"];
/// The longest file, and how many rows are read of it.
const MAX_BYTES: u64 = 16 << 20;
const MAX_ROWS: usize = 100_000;
const MAX_CODE_CHARS: usize = 40;
const MAX_NAME_CHARS: usize = 200;

#[derive(Debug, clap::Args)]
pub(super) struct Facilities {
    /// A CSV file in UTF-8 with the heading code,name,province: new facilities are added, known ones get these names
    file: PathBuf,
}

/// Why a row is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Row,
    Code,
    Name,
    Province,
    Twice,
    Moves,
}

impl Wrong {
    /// The one stable word for it.
    fn code(self) -> &'static str {
        match self {
            Wrong::Row => "row_malformed",
            Wrong::Code => "code",
            Wrong::Name => "name",
            Wrong::Province => "province_unknown",
            Wrong::Twice => "code_twice",
            Wrong::Moves => "province_changes",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Wrong::Row => "the row cannot be read: it must have three cells of UTF-8",
            Wrong::Code => "the code must have 1 to 40 characters",
            Wrong::Name => "the name must have 1 to 200 characters",
            Wrong::Province => "there is no province with this code",
            Wrong::Twice => "the code stands on an earlier line too",
            Wrong::Moves => {
                "it is in another province, in which its doses were counted: a facility that moves gets a new code"
            }
        }
    }
}

/// What the file says, by line; and what is wrong with it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sheet {
    rows: Vec<(u64, Facility)>,
    /// The line, the code as far as it can be read, and why.
    wrong: Vec<(u64, String, Wrong)>,
}

impl Facilities {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        let mut sheet = read(&bytes_of(&self.file)?)?;
        if !sheet.wrong.is_empty() {
            return refused(context, &sheet);
        }
        let facilities: Vec<Facility> = sheet.rows.iter().map(|(_, facility)| facility.clone()).collect();
        let why = format!("{} facilities from a file", facilities.len());
        let done = by_command_line("reference.facilities", why, context.clock.now());
        match context.existing_store().await?.put_facilities(&facilities, &done).await? {
            PutFacilities::Moving(codes) => {
                let moving = sheet.rows.iter().filter(|(_, facility)| codes.contains(&facility.code));
                sheet.wrong = moving.map(|(line, facility)| (*line, facility.code.clone(), Wrong::Moves)).collect();
                refused(context, &sheet)
            }
            PutFacilities::Put { new, renamed } => {
                let text = format!("{new} new, {renamed} renamed, the others as they were");
                let count = facilities.len();
                context.say(text, &json!({"result": "put", "facilities": count, "new": new, "renamed": renamed}))?;
                Ok(Answer::Yes)
            }
        }
    }
}

/// Says what is wrong, row by row.
fn refused(context: &Context, sheet: &Sheet) -> Result<Answer, Failure> {
    for (line, code, wrong) in &sheet.wrong {
        let value = json!({"line": line, "code": code, "wrong": wrong.code()});
        context.say(format_args!("line {line}, {code:?}: {}", wrong.text()), &value)?;
    }
    let count = sheet.wrong.len();
    context.say(
        format_args!("refused for {count} rows; nothing was changed"),
        &json!({"result": "refused", "rows": count}),
    )?;
    Ok(Answer::No)
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| {
        Failure::environment("file_unreadable", format!("cannot read {}: {error}; make it readable", path.display()))
    })?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(too_long()),
        false => Ok(bytes),
    }
}

fn too_long() -> Failure {
    Failure { code: "file_too_long", ..Failure::usage("the file has more than 16 MiB or 100,000 rows; divide it") }
}

/// The rows of a file.
fn read(bytes: &[u8]) -> Result<Sheet, Failure> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(bytes);
    if !reader.headers().is_ok_and(|heading| heading == HEADING[..]) {
        let text = "the first line must be code,name,province, and the file in UTF-8";
        return Err(Failure { code: "columns_missing", ..Failure::usage(text) });
    }
    let (mut sheet, mut lines) = (Sheet::default(), HashMap::new());
    for (nth, record) in reader.records().enumerate() {
        if nth >= MAX_ROWS {
            return Err(too_long());
        }
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                sheet.wrong.push((line, String::new(), Wrong::Row));
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let facility = facility(&record).and_then(|facility| match lines.insert(facility.code.clone(), line) {
            None => Ok(facility),
            Some(_) => Err(Wrong::Twice),
        });
        match facility {
            Ok(facility) => sheet.rows.push((line, facility)),
            Err(wrong) => {
                let code = record.get(0).unwrap_or_default().chars().take(MAX_CODE_CHARS).collect();
                sheet.wrong.push((line, code, wrong));
            }
        }
    }
    Ok(sheet)
}

fn facility(record: &StringRecord) -> Result<Facility, Wrong> {
    let cell = |at: usize, most| record.get(at).and_then(|text| bounded(text.to_owned(), most));
    let code = cell(0, MAX_CODE_CHARS).ok_or(Wrong::Code)?;
    let name = cell(1, MAX_NAME_CHARS).ok_or(Wrong::Name)?;
    let province = record.get(2).filter(|code| code.len() == 2 && reference::unit(code).is_some());
    Ok(Facility { code, name, province: province.ok_or(Wrong::Province)?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_that_is_wrong_is_named_by_its_line_and_code() {
        let long = "x".repeat(MAX_CODE_CHARS + 1);
        let text = format!(
            "code,name,province\n79001,\"Trạm y tế, Quận 1\",79\n ,a,79\n79002,,79\n79003,a,00\n79003,a,001\n79001,a,79\n79004,a\n{long},a,79\n79005, a ,79\n"
        );
        let sheet = read(text.as_bytes()).expect("reads");
        let rows: Vec<(u64, &str, &str)> =
            sheet.rows.iter().map(|(line, row)| (*line, row.code.as_str(), row.name.as_str())).collect();
        assert_eq!(rows, [(2, "79001", "Trạm y tế, Quận 1"), (10, "79005", "a")]);
        let wrong: Vec<(u64, &str, Wrong)> =
            sheet.wrong.iter().map(|(line, code, wrong)| (*line, code.as_str(), *wrong)).collect();
        let expected = [
            (3, "", Wrong::Code),
            (4, "79002", Wrong::Name),
            (5, "79003", Wrong::Province),
            (6, "79003", Wrong::Province),
            (7, "79001", Wrong::Twice),
            (8, "", Wrong::Row),
            (9, &long[..MAX_CODE_CHARS], Wrong::Code),
        ];
        assert_eq!(wrong, expected);
    }

    #[test]
    fn a_file_needs_its_heading_and_has_so_many_rows() {
        for text in ["", "79001,a,79\n", "code;name;province\n", "code,name\n", "name,code,province\n"] {
            assert_eq!(read(text.as_bytes()).map_err(|failure| failure.code), Err("columns_missing"), "{text}");
        }
        for (rows, good) in [(MAX_ROWS - 1, true), (MAX_ROWS, true), (MAX_ROWS + 1, false)] {
            let text = format!("\u{feff}code,name,province\r\n{}", "1,a,79\r\n".repeat(rows));
            assert_eq!(read(text.as_bytes()).is_ok(), good, "{rows}");
        }
    }
}
