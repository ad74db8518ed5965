//! Backlog files as facilities have them, read row by row into dose records: sheets (CSV) and FHIR R4 Immunization NDJSON.
//!
//! Pure: bytes in, records out, in memory bounded whatever the file holds. Nothing in a file stops it being read further:
//! what cannot be read costs its row, and says which line, column and code.

mod cells;
mod encoding;
mod fhir;
mod headings;
mod rejects;
mod rows;
pub(super) mod sheet;
pub(super) mod window;

#[cfg(test)]
mod tests;

use std::io::{self, Read};

pub use encoding::Encoding;
pub use headings::Column;
pub use rejects::{rejects_header, rejects_line, rejects_row};

use self::cells::{Refused, refused};
use self::rows::Layout;
use self::window::Window;
use crate::language::Said;
use crate::registration::DoseRecord;

/// What a file is said to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Media {
    /// Nothing is said: a file that begins with `{` is FHIR, any other a sheet.
    #[default]
    Guess,
    /// A sheet: values separated by commas, semicolons or tabs.
    Csv,
    /// FHIR R4 Immunization resources, one a line.
    Fhir,
}

/// What a file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Values separated by `delimiter`.
    Sheet {
        /// How its characters are written.
        encoding: Encoding,
        /// `,`, `;` or a tab.
        delimiter: u8,
        /// What each of [`BacklogReader::headings`] was understood as.
        columns: Vec<Option<Column>>,
        /// The headings that were not understood, as they are in the file.
        unknown: Vec<String>,
    },
    /// FHIR R4 Immunization, one resource a line.
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
    Io(#[from] io::Error),
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

/// Why a cell, or with an empty `column` the whole row, is refused. What it held is never repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellError {
    /// The heading as it is in the file, or the FHIR path; empty for the whole row.
    pub column: String,
    /// The stable word.
    pub code: &'static str,
    /// One sentence for people.
    pub reason: Said,
}

/// A row of a backlog file that is not empty.
pub struct BacklogRow {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// Its cells as they were, one for each of [`BacklogReader::headings`]; what was too long is left out.
    pub cells: Vec<String>,
    /// The facility's code, if the row says one.
    pub facility: Option<String>,
    /// The dose, its fields in the forms that [`DoseRecord`] documents, or everything that is wrong with the row.
    pub record: Result<DoseRecord, Vec<CellError>>,
}

/// Reads a backlog file row by row.
pub struct BacklogReader<R: Read> {
    window: Window<R>,
    format: Format,
    /// Without those that only our rejects have.
    headings: Vec<String>,
    layout: Layout,
    /// How many columns the file has, and the places of those that only our rejects have.
    width: usize,
    ours: Vec<usize>,
}

impl<R: Read> BacklogReader<R> {
    /// The reader of `source`, past its headings.
    ///
    /// Errors: [`OpenError::Io`]; [`OpenError::File`] with `file_empty`, `file_workbook`, `file_encoding`, `header_missing`,
    /// `columns_missing` or `columns_repeated`.
    pub fn open(source: R, media: Media) -> Result<Self, OpenError> {
        let window = Window::open(source)?;
        if window.ahead().starts_with("PK\u{3}\u{4}") {
            return Err(file_error(FILE_WORKBOOK, Vec::new()).into());
        }
        if window.is_eight_bit() {
            return Err(file_error(FILE_ENCODING, Vec::new()).into());
        }
        let start = window.ahead().trim_start();
        if start.is_empty() && window.ended() {
            return Err(file_error(FILE_EMPTY, Vec::new()).into());
        }
        match media {
            Media::Fhir => Ok(Self::fhir(window)),
            Media::Guess if start.starts_with('{') => Ok(Self::fhir(window)),
            Media::Guess | Media::Csv => Self::sheet(window),
        }
    }

    fn fhir(window: Window<R>) -> Self {
        let headings: Vec<String> = fhir::COLUMNS.iter().map(|(column, _)| column.heading().to_owned()).collect();
        let columns: Vec<Option<Column>> = fhir::COLUMNS.iter().map(|(column, _)| Some(*column)).collect();
        let names = fhir::COLUMNS.iter().map(|(_, path)| (*path).to_owned()).collect();
        let layout = Layout::new(&columns, names);
        BacklogReader { window, format: Format::Fhir, width: headings.len(), headings, layout, ours: Vec::new() }
    }

    fn sheet(mut window: Window<R>) -> Result<Self, OpenError> {
        let Some((delimiter, found)) = sheet::find_headings(&mut window)? else {
            return Err(file_error(HEADER_MISSING, Vec::new()).into());
        };
        let width = found.len();
        let ours: Vec<usize> =
            found.iter().enumerate().filter(|(_, text)| headings::is_of_rejects(text)).map(|(at, _)| at).collect();
        let headings: Vec<String> = found.into_iter().filter(|text| !headings::is_of_rejects(text)).collect();
        let columns: Vec<Option<Column>> = headings.iter().map(|text| Column::of(text)).collect();
        let missing = headings::missing(&columns);
        if !missing.is_empty() {
            return Err(file_error(COLUMNS_MISSING, missing).into());
        }
        let repeated = headings::repeated(&columns);
        if !repeated.is_empty() {
            return Err(file_error(COLUMNS_REPEATED, repeated).into());
        }
        let unknown = headings
            .iter()
            .zip(&columns)
            .filter(|(text, column)| column.is_none() && !text.is_empty() && !headings::is_ignored(text))
            .map(|(text, _)| text.clone())
            .collect();
        let layout = Layout::new(&columns, headings.clone());
        let format = Format::Sheet { encoding: window.encoding(), delimiter, columns, unknown };
        Ok(BacklogReader { window, format, headings, layout, width, ours })
    }

    /// What the file turned out to be.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// The headings of [`BacklogRow::cells`]: as they are in the file, or for FHIR those of our template.
    pub fn headings(&self) -> &[String] {
        &self.headings
    }

    /// How many bytes of the file were taken in: how far it is read, to a few hundred kilobytes.
    pub fn bytes_read(&self) -> u64 {
        self.window.bytes_read()
    }

    /// The heading, or the FHIR path, of a [`DoseRecord`] field such as `person.name`; the field itself if it has none.
    pub fn column_of(&self, field: &str) -> String {
        self.layout.name_of(field).unwrap_or(field).to_owned()
    }

    /// The next row that is not empty; `None` at the end of the file.
    #[expect(clippy::should_implement_trait, reason = "an iterator of results would end at the first failure")]
    pub fn next(&mut self) -> Result<Option<BacklogRow>, io::Error> {
        match self.format {
            Format::Fhir => self.next_resource(),
            Format::Sheet { delimiter, .. } => self.next_of_sheet(delimiter),
        }
    }

    fn next_of_sheet(&mut self, delimiter: u8) -> Result<Option<BacklogRow>, io::Error> {
        while let Some(row) = sheet::next(&mut self.window, delimiter, Some(self.width))? {
            let sheet::Row { line, mut cells, trouble } = row;
            if trouble.is_none() && cells.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            let misfit = fit(&mut cells, self.width, char::from(delimiter));
            let trouble = trouble.or(misfit);
            for &place in self.ours.iter().rev() {
                if place < cells.len() {
                    cells.remove(place);
                }
            }
            return Ok(Some(self.row(line, cells, trouble)));
        }
        Ok(None)
    }

    fn next_resource(&mut self) -> Result<Option<BacklogRow>, io::Error> {
        while let Some((line, read)) = fhir::next(&mut self.window)? {
            let (cells, trouble) = match read {
                Ok(None) => continue,
                Ok(Some(cells)) => (cells, None),
                Err((cells, trouble)) => (cells, Some(trouble)),
            };
            return Ok(Some(self.row(line, cells, trouble)));
        }
        Ok(None)
    }

    fn row(&self, line: u64, cells: Vec<String>, trouble: Option<Refused>) -> BacklogRow {
        let (facility, record) = match trouble {
            Some(Refused { code, reason }) => {
                (self.layout.facility(&cells), Err(vec![CellError { column: String::new(), code, reason }]))
            }
            None => self.layout.read(&cells),
        };
        BacklogRow { line, cells, facility, record }
    }
}

/// Makes `cells` `width` long; what is beyond goes into the last one, and if that is anything, the row cannot be trusted.
fn fit(cells: &mut Vec<String>, width: usize, delimiter: char) -> Option<Refused> {
    let beyond = cells.split_off(cells.len().min(width));
    cells.resize(width, String::new());
    if beyond.iter().all(|cell| cell.trim().is_empty()) {
        return None;
    }
    if let Some(last) = cells.last_mut() {
        for cell in beyond {
            last.push(delimiter);
            last.push_str(&cell);
        }
    }
    Some(TOO_MANY_CELLS)
}

fn file_error(Refused { code, reason }: Refused, columns: Vec<&'static str>) -> FileError {
    FileError { code, reason, columns }
}

const FILE_EMPTY: Refused = refused("file_empty", "the file is empty", "tệp không có nội dung");
const FILE_WORKBOOK: Refused = refused(
    "file_workbook",
    "the file is a workbook (xlsx, zip): save its sheet as CSV",
    "tệp là sổ tính (xlsx, zip): hãy lưu bảng dưới dạng CSV",
);
const FILE_ENCODING: Refused = refused(
    "file_encoding",
    "the file is written in an old character set: save it as UTF-8 or as Unicode text",
    "tệp dùng bảng mã cũ (TCVN3, VNI, windows-1258): hãy lưu lại dạng UTF-8 hoặc Unicode Text",
);
const HEADER_MISSING: Refused = refused(
    "header_missing",
    "no line of headings was found among the first lines",
    "không thấy dòng tiêu đề cột trong các dòng đầu",
);
const COLUMNS_MISSING: Refused =
    refused("columns_missing", "columns that every dose needs are missing", "thiếu cột bắt buộc");
const COLUMNS_REPEATED: Refused =
    refused("columns_repeated", "several columns say the same thing", "nhiều cột cùng ghi một nội dung");
const TOO_MANY_CELLS: Refused =
    refused("too_many_cells", "the row has more cells than there are headings", "dòng có nhiều ô hơn số cột tiêu đề");
