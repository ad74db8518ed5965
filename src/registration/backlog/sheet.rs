//! Rows and cells of a sheet: RFC 4180 as spreadsheets really write it.
//!
//! A quote that is never closed, or closes in another row, costs the line that it is on and no other.

use std::io::{self, Read};

use super::cells::{Refused, refused};
use super::headings::{self, Column};
use super::window::{MAX_ROW_BYTES, Window, line_end};

/// The longest cell, in bytes of UTF-8.
pub(super) const MAX_CELL_BYTES: usize = 10_000;

/// Among how many rows the headings are looked for: titles of the sheet stand above them.
const HEADINGS_WITHIN: usize = 20;

/// Fewer headings than this are chance.
const MIN_KNOWN_HEADINGS: usize = 2;

const ROW_TOO_LONG: Refused = refused("row_too_long", "the row is longer than 64 kB", "dòng dài quá 64 kB");
const FIELD_TOO_LONG: Refused = refused("field_too_long", "a cell is longer than 10 kB", "có ô dài quá 10 kB");
const QUOTE_UNCLOSED: Refused =
    refused("quote_unclosed", "a quotation mark is not closed in its row", "dấu nháy kép không được đóng trong dòng");

/// A row of a sheet.
pub(in crate::registration) struct Row {
    /// The line on which it begins, from 1.
    pub line: u64,
    pub cells: Vec<String>,
    /// Why it cannot be used.
    pub trouble: Option<Refused>,
}

/// The next row, which may be empty; `None` at the end. `width`: how many cells the headings have, once they are known.
pub(in crate::registration) fn next<R: Read>(
    window: &mut Window<R>,
    delimiter: u8,
    width: Option<usize>,
) -> io::Result<Option<Row>> {
    if window.ahead().is_empty() {
        return Ok(None);
    }
    let line = window.line();
    let mut cells = Vec::with_capacity(width.unwrap_or(16));
    let trouble = match split(window.ahead(), delimiter, width, &mut cells) {
        Ok(Split { bytes, lines, too_long }) => {
            window.advance(bytes, lines)?;
            too_long.then_some(FIELD_TOO_LONG)
        }
        Err(trouble) => {
            if trouble == QUOTE_UNCLOSED {
                split_line(window.ahead(), delimiter, &mut cells);
            }
            window.skip_line()?;
            Some(trouble)
        }
    };
    Ok(Some(Row { line, cells, trouble }))
}

/// Finds the delimiter and the headings, and moves past them; `None` if there are none.
pub(super) fn find_headings<R: Read>(window: &mut Window<R>) -> io::Result<Option<(u8, Vec<String>)>> {
    let said = said_delimiter(window.ahead());
    if said.is_some() {
        window.skip_line()?;
    }
    let delimiters = said.map_or_else(|| b",;\t".to_vec(), |delimiter| vec![delimiter]);
    let mut best: Option<(usize, u8, usize)> = None;
    for delimiter in delimiters {
        for (place, known) in known_headings(window.ahead(), delimiter).into_iter().enumerate() {
            if known >= MIN_KNOWN_HEADINGS && best.is_none_or(|(most, ..)| known > most) {
                best = Some((known, delimiter, place));
            }
        }
    }
    let Some((_, delimiter, place)) = best else { return Ok(None) };
    for _ in 0..place {
        next(window, delimiter, None)?;
    }
    let headings = next(window, delimiter, None)?.map(|row| row.cells).unwrap_or_default();
    // The database takes no zero byte, and headings are kept there with what is wrong under them.
    let kept = |text: &String| text.trim().replace('\0', "\u{fffd}");
    Ok(Some((delimiter, headings.iter().map(kept).collect())))
}

/// The delimiter of a first line `sep=;`, with which Excel is told.
fn said_delimiter(text: &str) -> Option<u8> {
    let (end, _) = line_end(text.as_bytes())?;
    let line = text.get(..end)?.trim_matches(|c| c == '"' || c == ' ');
    let (word, delimiter) = line.split_at_checked(4)?;
    let delimiter = if delimiter.is_empty() { b'\t' } else { *delimiter.as_bytes().first()? };
    (word.eq_ignore_ascii_case("sep=") && line.len() <= 5 && matches!(delimiter, b',' | b';' | b'\t' | b'|'))
        .then_some(delimiter)
}

/// How many headings each of the first rows has, if cells end at `delimiter`.
fn known_headings(mut text: &str, delimiter: u8) -> Vec<usize> {
    let mut counts = Vec::new();
    let mut cells = Vec::new();
    while counts.len() < HEADINGS_WITHIN && !text.is_empty() {
        cells.clear();
        let bytes = match split(text, delimiter, None, &mut cells) {
            Ok(split) => split.bytes,
            Err(_) => line_end(text.as_bytes()).map_or(text.len(), |(_, next)| next),
        };
        let known = cells.iter().filter(|cell| Column::of(cell).is_some() || headings::is_ignored(cell)).count();
        counts.push(known);
        text = text.get(bytes..).unwrap_or_default();
    }
    counts
}

/// How far a row goes.
struct Split {
    bytes: usize,
    lines: u64,
    /// One of its cells was too long, and is left empty.
    too_long: bool,
}

/// Splits the first row of `text` into `cells`. Errors: it cannot be told where the row ends, so it ends with its line.
fn split(text: &str, delimiter: u8, width: Option<usize>, cells: &mut Vec<String>) -> Result<Split, Refused> {
    let within = text.as_bytes().get(..text.len().min(MAX_ROW_BYTES)).unwrap_or_default();
    let cut = text.len() > MAX_ROW_BYTES;
    let (mut at, mut lines, mut too_long, mut stray) = (0, 1, false, false);
    loop {
        let mut cell = String::new();
        let is_quoted = within.get(at) == Some(&b'"');
        if is_quoted {
            let (after, inner) = quoted(text, within, at + 1, &mut cell).ok_or(QUOTE_UNCLOSED)?;
            at = after;
            lines += inner;
        }
        let (stop, next) = end_of_cell(text.as_bytes(), within, at, delimiter, cut)?;
        let plain = text.get(at..stop).unwrap_or_default();
        stray |= is_quoted && !plain.trim().is_empty();
        push(cells, cell, plain, &mut too_long);
        match next {
            None => at = stop + 1,
            Some(next) => {
                let fits = width.is_none_or(|width| cells.len() == width) && !stray;
                return if lines == 1 || fits {
                    Ok(Split { bytes: next, lines, too_long })
                } else {
                    Err(QUOTE_UNCLOSED)
                };
            }
        }
    }
}

/// Splits the first line of `text` into `cells` as if no quote were any: what is refused is shown without its neighbours.
fn split_line(text: &str, delimiter: u8, cells: &mut Vec<String>) {
    cells.clear();
    let within = text.as_bytes().get(..text.len().min(MAX_ROW_BYTES)).unwrap_or_default();
    let Some(end) = line_end(within).map(|(end, _)| end).or((text.len() == within.len()).then_some(text.len())) else {
        return;
    };
    for cell in text.get(..end).unwrap_or_default().split(char::from(delimiter)) {
        push(cells, String::new(), cell, &mut false);
    }
}

/// Takes the quoted text from `at` into `cell`. Returns where it is closed and how many line ends it holds.
fn quoted(text: &str, within: &[u8], mut at: usize, cell: &mut String) -> Option<(usize, u64)> {
    let mut lines = 0;
    loop {
        let end = at + memchr::memchr(b'"', within.get(at..)?)?;
        let part = text.get(at..end)?;
        cell.push_str(part);
        let mut rest = part.as_bytes();
        while let Some((_, next)) = line_end(rest) {
            lines += 1;
            rest = rest.get(next..)?;
        }
        if within.get(end + 1) != Some(&b'"') {
            return Some((end + 1, lines));
        }
        cell.push('"');
        at = end + 2;
    }
}

/// Where a cell ends, and where the next line begins if its row ends there too.
fn end_of_cell(
    bytes: &[u8],
    within: &[u8],
    at: usize,
    delimiter: u8,
    cut: bool,
) -> Result<(usize, Option<usize>), Refused> {
    let rest = within.get(at..).unwrap_or_default();
    match memchr::memchr3(delimiter, b'\n', b'\r', rest).map(|place| at + place) {
        Some(stop) if within.get(stop) == Some(&delimiter) => Ok((stop, None)),
        Some(stop) => {
            let pair = bytes.get(stop..stop + 2) == Some(b"\r\n");
            Ok((stop, Some(stop + if pair { 2 } else { 1 })))
        }
        None if cut => Err(ROW_TOO_LONG),
        None => Ok((within.len(), Some(within.len()))),
    }
}

/// Appends a cell: what was quoted and what follows it. One that is too long is left empty.
fn push(cells: &mut Vec<String>, mut cell: String, plain: &str, too_long: &mut bool) {
    cell.push_str(plain);
    if cell.len() > MAX_CELL_BYTES {
        *too_long = true;
        cell.clear();
    } else if super::rejects::is_neutralised(&cell) {
        cell.remove(0);
    }
    cells.push(cell);
}
