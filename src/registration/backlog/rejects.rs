//! The rejects file: refused rows as they were, with what is wrong with them, to be repaired and sent again.

use super::CellError;

/// The line of the file on which the row stood.
const LINE_HEADING: &str = "dòng_lỗi";
/// Codes with their columns.
const ERRORS_HEADING: &str = "lỗi";

/// The first line of a rejects file: a byte order mark, for Excel, and the headings with ours after them.
pub fn rejects_header(headings: &[String]) -> String {
    let mut line = String::from("\u{feff}");
    for heading in headings {
        push_cell(&mut line, heading);
        line.push(',');
    }
    line.push_str(LINE_HEADING);
    line.push(',');
    line.push_str(ERRORS_HEADING);
    line.push_str("\r\n");
    line
}

/// A line of a rejects file: the cells of a row as they were, the line it stood on, and its codes with their columns.
pub fn rejects_row(cells: &[String], line: u64, errors: &[CellError]) -> String {
    rejects_line(cells, line, errors.iter().map(|error| (error.code, error.column.as_str())))
}

/// The same of errors as they were kept: (code, column).
pub fn rejects_line<'a>(cells: &[String], line: u64, errors: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::with_capacity(256);
    for cell in cells {
        push_cell(&mut out, cell);
        out.push(',');
    }
    out.push_str(&line.to_string());
    out.push(',');
    let mut said = String::new();
    for (code, column) in errors {
        if !said.is_empty() {
            said.push_str("; ");
        }
        said.push_str(code);
        if !column.is_empty() {
            said.push_str(": ");
            said.push_str(column);
        }
    }
    push_cell(&mut out, &said);
    out.push_str("\r\n");
    out
}

/// True for a cell that a spreadsheet would run as a formula. Source: OWASP, CSV Injection.
fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// True for a cell with the apostrophe that keeps a spreadsheet from running it.
pub(super) fn is_neutralised(cell: &str) -> bool {
    cell.strip_prefix('\'').is_some_and(is_formula)
}

fn push_cell(line: &mut String, cell: &str) {
    let apostrophe = if is_formula(cell) { "'" } else { "" };
    if !cell.contains([',', ';', '\t', '"', '\r', '\n']) {
        line.push_str(apostrophe);
        line.push_str(cell);
        return;
    }
    line.push('"');
    line.push_str(apostrophe);
    line.push_str(&cell.replace('"', "\"\""));
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Said;

    #[test]
    fn formulas_are_neutralised_and_everything_else_stays() {
        let cells: Vec<String> =
            ["=cmd|' /C calc'!A0", "+84912345678", "-1", "@SUM(A1)", "\tx", "\rx", "Nguyễn, \"A\"", "'a", "a=b"]
                .map(str::to_owned)
                .to_vec();
        let errors = [
            CellError { column: "Họ tên".into(), code: "name_invalid", reason: Said { en: "", vi: "" } },
            CellError { column: String::new(), code: "row_too_long", reason: Said { en: "", vi: "" } },
        ];
        assert_eq!(
            rejects_row(&cells, 7, &errors),
            "'=cmd|' /C calc'!A0,'+84912345678,'-1,'@SUM(A1),\"'\tx\",\"'\rx\",\"Nguyễn, \"\"A\"\"\",'a,a=b,7,\
             \"name_invalid: Họ tên; row_too_long\"\r\n"
        );
        let headings = ["Họ tên".to_owned(), "=x".to_owned()];
        assert_eq!(rejects_header(&headings), "\u{feff}Họ tên,'=x,dòng_lỗi,lỗi\r\n");
    }
}
