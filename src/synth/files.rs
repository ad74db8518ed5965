//! The rows as files: the backlog as facilities have it, and the truth, a row each, beside it.

use std::io::{self, Write};

use jiff::civil::Date;

use super::dirt::Dirt;
use super::rows::{Birth, Row};

/// The heading of the backlog.
pub const BACKLOG_HEADING: &str = "stt,ho_ten,ngay_sinh,gioi_tinh,cmnd_cccd,dien_thoai,ma_xa,vac_xin,so_lo,han_dung,ngay_tiem,mui_so,ma_co_so,so_ho_so";

/// The heading of the truth: the row, whose it is, which dose of theirs, whether they are a twin, what was done to the row.
pub const TRUTH_HEADING: &str = "stt,nguoi,mui,sinh_doi,loi";

/// Writes `row` as a line of the backlog. No cell holds a comma, a quote or an end of line, so none is quoted.
pub fn write_backlog_row(to: &mut impl Write, row: &Row) -> io::Result<()> {
    let lost = row.dirt.contains(&Dirt::LostZero);
    // Each facility has its way of writing.
    let way = row.site.number % 4;
    write!(to, "{},{},", row.record_no, row.name)?;
    match row.birth {
        Birth::Day(day) => write_date(to, day, way)?,
        Birth::Year(year) => write!(to, "{year}")?,
        Birth::Impossible(year) => write!(to, "30/02/{year}")?,
    }
    to.write_all(if row.female { ",Nữ,".as_bytes() } else { b",Nam," })?;
    match row.identity {
        Some(identity) if lost => write!(to, "{}", identity.number)?,
        Some(identity) => write!(to, "{:0width$}", identity.number, width = usize::from(identity.digits))?,
        None => {}
    }
    match (row.phone, way) {
        (Some(phone), _) if lost => write!(to, ",{phone}")?,
        (Some(phone), 1) => write!(to, ",+84{phone}")?,
        (Some(phone), 2) => {
            write!(to, ",0{} {:03} {:03}", phone / 1_000_000, phone / 1000 % 1000, phone % 1000)?;
        }
        (Some(phone), _) => write!(to, ",0{phone}")?,
        (None, _) => to.write_all(b",")?,
    }
    write!(to, ",{},{},L{},", row.ward, product_name(row.product), row.lot)?;
    write_date(to, Date::constant(2022, 12, 31), way)?;
    to.write_all(b",")?;
    write_date(to, row.on, way)?;
    let site = row.site;
    writeln!(to, ",{},{}{:03},HS{:08}", row.number, site.province, site.number, row.record_no)
}

/// Writes the truth of `row` as a line.
pub fn write_truth_row(to: &mut impl Write, row: &Row) -> io::Result<()> {
    write!(to, "{},{},{},{},", row.record_no, row.person, row.dose, u8::from(row.twin))?;
    for (nth, dirt) in row.dirt.iter().enumerate() {
        write!(to, "{}{}", if nth == 0 { "" } else { "+" }, dirt.as_str())?;
    }
    to.write_all(b"\n")
}

fn write_date(to: &mut impl Write, date: Date, way: u8) -> io::Result<()> {
    let (year, month, day) = (date.year(), date.month(), date.day());
    match way {
        0 => write!(to, "{day}/{month}/{year}"),
        1 => write!(to, "{year}-{month:02}-{day:02}"),
        2 => write!(to, "{day:02}-{month:02}-{year}"),
        _ => write!(to, "{day:02}/{month:02}/{year}"),
    }
}

/// What facilities call a product.
fn product_name(code: &str) -> &str {
    match code {
        "EU/1/21/1529" => "AstraZeneca",
        "EU/1/20/1528" => "Pfizer",
        "EU/1/20/1507" => "Moderna",
        "EU/1/20/1525" => "Janssen",
        "BBIBP-CorV" => "Vero Cell",
        code => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::rows::{Rows, Settings};

    fn files(seed: u64) -> (String, String) {
        let (mut backlog, mut truth) = (Vec::new(), Vec::new());
        for row in Rows::new(Settings { people: 3_000, seed, dirt_percent: 20 }).flatten() {
            write_backlog_row(&mut backlog, &row).expect("writes to memory");
            write_truth_row(&mut truth, &row).expect("writes to memory");
        }
        (String::from_utf8(backlog).expect("UTF-8"), String::from_utf8(truth).expect("UTF-8"))
    }

    #[test]
    fn one_seed_makes_the_same_bytes_and_another_makes_others() {
        let first = files(7);
        assert_eq!(first, files(7));
        assert_ne!(first.0, files(8).0);
    }

    #[test]
    fn every_row_has_its_cells_and_its_truth() {
        let (backlog, truth) = files(7);
        assert_eq!(backlog.lines().count(), truth.lines().count());
        for ((line, true_line), number) in backlog.lines().zip(truth.lines()).zip(1..) {
            let cells: Vec<&str> = line.split(',').collect();
            assert_eq!(cells.len(), BACKLOG_HEADING.split(',').count(), "{line}");
            assert!(!line.contains('"'));
            let truth: Vec<&str> = true_line.split(',').collect();
            assert_eq!(truth.len(), TRUTH_HEADING.split(',').count(), "{true_line}");
            assert_eq!((cells[0], truth[0]), (&*format!("{number}"), &*format!("{number}")));
            assert_eq!(cells[13], format!("HS{number:08}"));
            assert!(truth[1].parse::<u64>().is_ok_and(|person| person < 3_000));
            let lost = truth[4].contains("lost_zero");
            let identity = cells[4];
            assert!(identity.is_empty() || matches!(identity.len(), 9 | 12) || lost, "{line}");
            assert_eq!(
                cells[4].is_empty() && truth[4].contains("swapped_digits"),
                truth[4].contains("no_identity") && truth[4].contains("swapped_digits")
            );
        }
    }
}
