//! Reference data that every installation begins with.

use crate::store::Province;

/// The 63 provinces with the General Statistics Office's codes, as of 2021.
pub fn provinces() -> Vec<Province> {
    let rows = include_str!("reference/provinces.csv").lines().skip(1);
    let rows = rows.filter_map(|row| row.split_once(','));
    rows.map(|(code, name)| Province { code: code.to_owned(), name: name.to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_63_provinces_in_the_order_of_their_codes() {
        let provinces = provinces();
        assert_eq!(provinces.len(), 63);
        assert!(provinces.is_sorted_by(|a, b| a.code < b.code));
        assert_eq!(provinces.first().map(|province| province.name.as_str()), Some("Thành phố Hà Nội"));
        assert!(provinces.iter().all(|province| province.code.len() == 2 && !province.name.is_empty()));
    }
}
