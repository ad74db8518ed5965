//! The products that are certified here, in one append-only table; rules may add to it what was licensed since.

use std::sync::{Mutex, PoisonError};

use jiff::civil::{Date, date};

use super::ListedProduct;

/// A product that we certify, in one row, so that holder and prophylaxis cannot be paired wrongly.
#[derive(Debug, PartialEq, Eq)]
pub struct ProductRow {
    /// Its number in the compact profile. Append-only: a number is never given again.
    pub number: u64,
    /// `mp`: EU value set `vaccines-covid-19-names`.
    pub code: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// `ma`: EU value set `vaccines-covid-19-auth-holders`.
    pub holder: &'static str,
    /// `vp`: EU value set `sct-vaccines-covid-19`.
    pub prophylaxis: &'static str,
    /// How many doses its course has.
    pub course: u8,
    /// Days between two doses under which the interval is flagged as too short.
    pub min_interval_days: u16,
    /// The day of its first authorisation anywhere: nobody was given it earlier, trials apart.
    pub exists_since: Date,
}

/// The products licensed in Viet Nam. Source: FACTS §1; EU value set `vaccines-covid-19-encoding-instructions` of 2023-05-05
/// for code, holder and prophylaxis; first authorisations: MHRA 2020-12-02 and 2020-12-30, FDA 2020-12-18 and 2021-02-27,
/// Minzdrav 2020-08-11, MOHAP 2020-12-09 and 2021-03-28, CECMED 2021-07-09.
static PRODUCTS: [ProductRow; 8] = [
    row(1, "EU/1/21/1529", "AstraZeneca (Vaxzevria)", "ORG-100001699", VIRAL_VECTOR, 2, 28, date(2020, 12, 30)),
    row(2, "Sputnik-V", "Sputnik V", "Gamaleya-Research-Institute", VIRAL_VECTOR, 2, 21, date(2020, 8, 11)),
    row(3, "BBIBP-CorV", "Vero Cell (Sinopharm)", "ORG-100020693", INACTIVATED, 2, 21, date(2020, 12, 9)),
    row(4, "EU/1/20/1528", "Pfizer-BioNTech (Comirnaty)", "ORG-100030215", MRNA, 2, 21, date(2020, 12, 2)),
    row(5, "EU/1/20/1507", "Moderna (Spikevax)", "ORG-100031184", MRNA, 2, 28, date(2020, 12, 18)),
    row(6, "EU/1/20/1525", "Janssen (Jcovden)", "ORG-100001417", VIRAL_VECTOR, 1, 28, date(2021, 2, 27)),
    row(7, "Hayat-Vax", "Hayat-Vax", "ORG-100023050", INACTIVATED, 2, 21, date(2021, 3, 28)),
    row(8, "Abdala", "Abdala", "CIGB", COVID_19_VACCINE, 3, 14, date(2021, 7, 9)),
];

const MRNA: &str = "1119349007";
const VIRAL_VECTOR: &str = "29061000087103";
const INACTIVATED: &str = "1157024006";
const COVID_19_VACCINE: &str = "28531000087107";

#[expect(clippy::too_many_arguments, reason = "a table row, read column by column above")]
const fn row(
    number: u64,
    code: &'static str,
    name: &'static str,
    holder: &'static str,
    prophylaxis: &'static str,
    course: u8,
    min_interval_days: u16,
    exists_since: Date,
) -> ProductRow {
    ProductRow { number, code, name, holder, prophylaxis, course, min_interval_days, exists_since }
}

/// Every product that we certify, by number.
pub fn products() -> &'static [ProductRow] {
    &PRODUCTS
}

/// The product with this number in the compact profile.
pub fn product_by_number(number: u64) -> Option<&'static ProductRow> {
    PRODUCTS.iter().find(|product| product.number == number)
}

/// The product with this code.
pub fn product_by_code(code: &str) -> Option<&'static ProductRow> {
    PRODUCTS.iter().find(|product| product.code == code)
}

/// The row that `listed` describes, there for ever.
///
/// A number is never given again, so neither is its row ever taken back: what a proof or an answer says of a product may outlive
/// the rules that it was read in. One that came before is not kept twice, and few are ever added.
pub(super) fn for_ever(listed: &ListedProduct) -> &'static ProductRow {
    static ADDED: Mutex<Vec<&'static ProductRow>> = Mutex::new(Vec::new());
    let mut added = ADDED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = PRODUCTS.iter().chain(added.iter().copied()).find(|row| listed.is(row)) {
        return known;
    }
    let text = |text: &str| -> &'static str { Box::leak(text.into()) };
    let row: &'static ProductRow = Box::leak(Box::new(ProductRow {
        number: listed.number,
        code: text(&listed.code),
        name: text(&listed.name),
        holder: text(&listed.holder),
        prophylaxis: text(&listed.prophylaxis),
        course: listed.course,
        min_interval_days: listed.min_interval_days,
        exists_since: listed.exists_since,
    }));
    added.push(row);
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_numbers_and_codes_are_unique_and_numbered_from_one() {
        for (i, product) in products().iter().enumerate() {
            assert_eq!(product.number, i as u64 + 1, "append only");
            assert_eq!(product_by_code(product.code), Some(product));
            assert_eq!(product_by_number(product.number), Some(product));
        }
        assert_eq!(product_by_number(0), None);
    }

    #[test]
    fn a_row_that_was_added_before_is_the_same_row() {
        let known = product_by_number(4).expect("Pfizer's");
        assert!(std::ptr::eq(for_ever(&ListedProduct::of(known)), known));
        let new = ListedProduct { number: 900, code: "a test's".to_owned(), ..ListedProduct::of(known) };
        let row = for_ever(&new);
        assert!(new.is(row) && std::ptr::eq(for_ever(&new), row));
    }
}
