//! A list of certificates to revoke: a sheet with the columns `uvci` and `why`, in the forms in which backlog files come.

use std::io::{self, Read};

use super::ListError;
use crate::certificate::Uvci;
use crate::registration::backlog::sheet;
use crate::registration::backlog::window::{Window, line_end};
use crate::registration::record::bounded;

/// How long a reason may be.
pub const MAX_WHY_CHARS: usize = 500;

/// Reads a list row by row, in memory that does not grow. What cannot be read costs its row.
pub struct List<R: Read> {
    window: Window<R>,
    delimiter: u8,
    width: usize,
    uvci: usize,
    why: usize,
}

/// A row that is not empty.
pub struct ListRow {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// Which certificate and why, or the column that is malformed; empty where the whole row is.
    pub asked: Result<(Uvci, String), &'static str>,
}

impl<R: Read> List<R> {
    /// The list in `source`, past its headings.
    ///
    /// Errors: [`ListError::Empty`], [`ListError::Columns`], [`ListError::Io`].
    pub fn open(source: R) -> Result<List<R>, ListError> {
        let mut window = Window::open(source)?;
        while !window.ahead().is_empty() && first_line(window.ahead()).trim().is_empty() {
            window.skip_line()?;
        }
        if window.ahead().is_empty() {
            return Err(ListError::Empty);
        }
        let headings = first_line(window.ahead());
        let found = b",;\t".iter().find_map(|delimiter| columns(headings, *delimiter)).ok_or(ListError::Columns)?;
        window.skip_line()?;
        let (delimiter, width, uvci, why) = found;
        Ok(List { window, delimiter, width, uvci, why })
    }

    /// The next row that is not empty; `None` at the end.
    pub fn next_row(&mut self) -> io::Result<Option<ListRow>> {
        while let Some(row) = sheet::next(&mut self.window, self.delimiter, Some(self.width))? {
            if row.trouble.is_some() {
                return Ok(Some(ListRow { line: row.line, asked: Err("") }));
            }
            if row.cells.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            let cell = |at: usize| row.cells.get(at).map_or("", |cell| cell.trim());
            let asked = match cell(self.uvci).parse() {
                Err(_) => Err("uvci"),
                Ok(uvci) => match bounded(cell(self.why).to_owned(), MAX_WHY_CHARS) {
                    None => Err("why"),
                    Some(why) => Ok((uvci, why)),
                },
            };
            return Ok(Some(ListRow { line: row.line, asked }));
        }
        Ok(None)
    }
}

fn first_line(text: &str) -> &str {
    line_end(text.as_bytes()).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// The delimiter, how many columns there are, and where the two are that we read.
fn columns(headings: &str, delimiter: u8) -> Option<(u8, usize, usize, usize)> {
    let cells = || headings.split(char::from(delimiter)).map(|cell| cell.trim_matches([' ', '"']));
    let only = |name: &str| {
        let mut places = cells().enumerate().filter(|(_, cell)| cell.eq_ignore_ascii_case(name));
        places.next().filter(|_| places.next().is_none()).map(|(place, _)| place)
    };
    Some((delimiter, cells().count(), only("uvci")?, only("why")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "URN:UVCI:01:VN:01010101010101010101010101010101";

    /// The line of a row, and what it asks for or the column that is to blame.
    type Read = (u64, Result<(Uvci, String), &'static str>);

    fn rows(text: &[u8]) -> Vec<Read> {
        let mut list = List::open(text).unwrap_or_else(|error| panic!("opens: {error}"));
        std::iter::from_fn(|| list.next_row().expect("reads")).map(|row| (row.line, row.asked)).collect()
    }

    #[test]
    fn reads_the_columns_wherever_they_stand_and_however_they_are_written() {
        let good = |why: &str| Ok((Uvci([1; 16]), why.to_owned()));
        for text in [
            format!("uvci,why\n{ONE},a test\n"),
            format!("\u{feff}UVCI;Why\r\n{};\"a test\"\r\n", ONE.to_lowercase()),
            format!("no\t\"why\"\tuvci\n1\t a test \t{}\n", &ONE[9..]),
        ] {
            assert_eq!(rows(text.as_bytes()), [(2, good("a test"))], "{text}");
        }
        let utf16: Vec<u8> =
            format!("\u{feff}uvci,why\n{ONE},lỗi\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(rows(&utf16), [(2, good("lỗi"))]);
        let quoted = format!("\n\nuvci,why\n\n{ONE},\"one, two\"\n");
        assert_eq!(rows(quoted.as_bytes()), [(5, good("one, two"))]);
    }

    #[test]
    fn a_row_that_cannot_be_read_costs_itself() {
        let (longest, longer) = ("x".repeat(500), "x".repeat(501));
        let text = format!(
            "uvci,why\njunk,a test\n{ONE},\n{ONE}\n=cmd|' /C calc'!A0,x\n{ONE},a\u{7}b\n{ONE},{longer}\n\"{ONE},open\n{ONE},{longest}\n"
        );
        let asked: Vec<_> = rows(text.as_bytes()).into_iter().map(|(line, row)| (line, row.err())).collect();
        let expected = [Some("uvci"), Some("why"), Some("why"), Some("uvci"), Some("why"), Some("why"), Some(""), None];
        assert_eq!(asked, (2..).zip(expected).collect::<Vec<_>>());
    }

    #[test]
    fn a_list_without_its_columns_is_refused() {
        let code = |text: &str| List::open(text.as_bytes()).err().map(|error| error.code());
        assert_eq!(code(""), Some("file_empty"));
        assert_eq!(code("\n \n"), Some("file_empty"));
        for text in [ONE, "uvci", "uvci,reason", "uvci,why,uvci", "uvci|why"] {
            assert_eq!(code(text), Some("columns_missing"), "{text}");
        }
        assert_eq!(code("uvci,why"), None);
    }
}
