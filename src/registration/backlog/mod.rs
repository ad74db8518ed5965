//! Reading backlog files: rows of CSV and of FHIR Immunization NDJSON as doses.

use std::io::Read;

use super::{DoseRecord, PersonRecord};
use crate::language::Said;

/// What is wrong with a cell.
pub struct CellError {
    /// The heading.
    pub column: String,
    /// The stable word.
    pub code: &'static str,
    /// One sentence.
    pub reason: Said,
}

/// A row.
pub struct BacklogRow {
    /// Its line.
    pub line: u64,
    /// As it was.
    pub cells: Vec<String>,
    /// Whose.
    pub facility: Option<String>,
    /// What it says.
    pub record: Result<DoseRecord, Vec<CellError>>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Either.
    Guess,
    /// CSV.
    Csv,
    /// FHIR.
    Fhir,
}

/// Why a file cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {}", reason.en)]
pub struct FileError {
    /// The stable word.
    pub code: &'static str,
    /// One sentence for people.
    pub reason: Said,
    /// The columns that are missing or there twice, as our template names them; empty where it is something else.
    pub columns: Vec<&'static str>,
}

/// Why a file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its bytes could not be read.
    #[error("the file could not be read")]
    Io(#[from] std::io::Error),
    /// It is no backlog file.
    #[error(transparent)]
    File(#[from] FileError),
}

impl OpenError {
    /// The stable word for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            OpenError::Io(_) => "file_unreadable",
            OpenError::File(error) => error.code,
        }
    }
}

/// Header.
pub fn rejects_header(headings: &[String]) -> String {
    format!("\u{feff}{},line,errors\r\n", headings.join(","))
}

/// Row.
pub fn rejects_row<'a>(cells: &[String], line: u64, errors: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let codes: Vec<&str> = errors.map(|(code, _)| code).collect();
    format!("{},{line},{}\r\n", cells.join(","), codes.join(";"))
}

/// Reads rows.
pub struct BacklogReader<R> {
    csv: csv::Reader<R>,
    headings: Vec<String>,
}

impl<R: Read> BacklogReader<R> {
    /// Opens.
    pub fn open(source: R, _media: Media) -> Result<Self, OpenError> {
        let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(source);
        let headings = csv.headers().map_err(|error| OpenError::Io(error.into()))?.iter().map(str::to_owned).collect();
        Ok(BacklogReader { csv, headings })
    }

    /// Headings.
    pub fn headings(&self) -> &[String] {
        &self.headings
    }

    /// The next row.
    pub fn next(&mut self) -> Result<Option<BacklogRow>, std::io::Error> {
        let mut record = csv::StringRecord::new();
        if !self.csv.read_record(&mut record)? {
            return Ok(None);
        }
        let cells: Vec<String> = record.iter().map(str::to_owned).collect();
        let cell = |name: &str| {
            let at = self.headings.iter().position(|heading| heading == name)?;
            cells.get(at).filter(|cell| !cell.is_empty()).cloned()
        };
        let dose = DoseRecord {
            record_no: cell("record_no").unwrap_or_default(),
            person: PersonRecord {
                name: cell("name").unwrap_or_default(),
                birth: cell("birth").unwrap_or_default(),
                sex: cell("sex"),
                phone: cell("phone"),
                identity: cell("identity"),
                ward: cell("ward"),
            },
            product: cell("product").unwrap_or_default(),
            lot: cell("lot").unwrap_or_default(),
            lot_expires_on: cell("lot_expires_on"),
            given_at: cell("given_at").unwrap_or_default(),
            number: cell("number").and_then(|number| number.parse().ok()).unwrap_or(0),
        };
        let line = record.position().map_or(0, csv::Position::line);
        Ok(Some(BacklogRow { line, facility: cell("facility"), record: Ok(dose), cells }))
    }

    /// Column.
    pub fn column_of(&self, field: &str) -> String {
        field.to_owned()
    }

    /// How far.
    pub fn bytes_read(&self) -> u64 {
        self.csv.position().byte()
    }
}
