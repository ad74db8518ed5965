//! Rows for spreadsheets: CSV in UTF-8 with a byte order mark, and no cell that a spreadsheet would take for a formula.

use std::borrow::Cow;

use actix_web::web::Bytes;

/// The media type.
pub const CSV: &str = "text/csv; charset=utf-8";

/// What says that a file is UTF-8, to those who would guess another.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A cell as a spreadsheet shows it and never runs it: an apostrophe before what would begin a formula.
pub fn cell(text: &str) -> Cow<'_, str> {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

/// The first bytes of a sheet, with its headings.
pub fn head(headings: &[&str]) -> Bytes {
    Bytes::from([BYTE_ORDER_MARK, &*rows(std::iter::once(headings.iter().copied()))].concat())
}

/// Rows of a sheet; lines end as in RFC 4180.
pub fn rows<R, C>(all: impl Iterator<Item = R>) -> Bytes
where
    R: IntoIterator<Item = C>,
    C: AsRef<str>,
{
    let mut writer = csv::WriterBuilder::new().flexible(true).terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in all {
        for text in row {
            // Writing to a vector does not fail.
            let _ = writer.write_field(cell(text.as_ref()).as_bytes());
        }
        let _ = writer.write_record(None::<&[u8]>);
    }
    Bytes::from(writer.into_inner().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_taken_for_a_formula() {
        for (text, shown) in [
            ("=1+1", "'=1+1"),
            ("+84912345678", "'+84912345678"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("Nguyễn", "Nguyễn"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(cell(text), shown);
        }
    }

    #[test]
    fn cells_with_commas_quotes_and_line_ends_stay_one_cell() {
        let sheet = rows([["a,b", "say \"x\"", "1\n2"], ["=cmd|' /C calc'!A0", "", "Đ"]].into_iter());
        assert_eq!(&sheet[..], "\"a,b\",\"say \"\"x\"\"\",\"1\n2\"\r\n'=cmd|' /C calc'!A0,,Đ\r\n".as_bytes());
        assert_eq!(&head(&["one", "two"])[..], b"\xef\xbb\xbfone,two\r\n");
    }
}
