//! Reference data that every installation begins with: provinces, districts and communes with the General Statistics
//! Office's codes, as of 2021.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::name;
use crate::store::Province;

/// A province, a district or a commune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Two digits for a province, three for a district, five for a commune.
    pub code: &'static str,
    /// The code of the unit that it is part of; empty for a province.
    pub parent: &'static str,
    /// Its name, with what it is: `Phường Phúc Xá`.
    pub name: &'static str,
}

/// A commune with what it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ward {
    /// The commune.
    pub unit: Unit,
    /// Its district.
    pub district: Unit,
    /// Its province.
    pub province: Unit,
}

/// Every unit, and where each is.
struct Units {
    /// Provinces, then districts, then communes, each by code.
    all: Vec<Unit>,
    by_code: HashMap<&'static str, usize>,
    /// The transliterated name of each, without spaces: what is looked for in.
    keys: Vec<String>,
}

static UNITS: LazyLock<Units> = LazyLock::new(|| {
    let rows = include_str!("reference/units.csv").lines().skip(1);
    let unit = |row: &'static str| {
        let mut cells = row.splitn(3, ',');
        Some(Unit { code: cells.next()?, parent: cells.next()?, name: cells.next()? })
    };
    let all: Vec<Unit> = rows.filter_map(unit).collect();
    let by_code = all.iter().enumerate().map(|(at, unit)| (unit.code, at)).collect();
    let keys = all.iter().map(|unit| search_key(unit.name)).collect();
    Units { all, by_code, keys }
});

/// What is the same for one name with and without marks, in any case and spacing; digits stay: `Phường 1`.
fn search_key(text: &str) -> String {
    let word = |word: &str| match word.bytes().all(|byte| byte.is_ascii_digit()) {
        true => word.to_owned(),
        false => name::transliterate(word).unwrap_or_default().replace('<', ""),
    };
    text.split_whitespace().map(word).collect()
}

/// The units whose code has this many digits, by code: 2 for provinces, 3 for districts, 5 for communes.
pub fn of_level(len: usize) -> impl Iterator<Item = &'static Unit> {
    UNITS.all.iter().filter(move |unit| unit.code.len() == len)
}

/// The 63 provinces.
pub fn provinces() -> Vec<Province> {
    of_level(2).map(|unit| Province { code: unit.code.to_owned(), name: unit.name.to_owned() }).collect()
}

/// The units that are part of the one with this code, by code: districts of a province, communes of a district.
pub fn parts_of(code: &str) -> impl Iterator<Item = &'static Unit> {
    UNITS.all.iter().filter(move |unit| unit.parent == code && !code.is_empty())
}

/// The province, district or commune with this code.
pub fn unit(code: &str) -> Option<Unit> {
    UNITS.by_code.get(code).and_then(|at| UNITS.all.get(*at)).copied()
}

/// The commune with this code.
pub fn ward(code: &str) -> Option<Ward> {
    let commune = unit(code).filter(|unit| unit.code.len() == 5)?;
    let district = unit(commune.parent)?;
    Some(Ward { unit: commune, district, province: unit(district.parent)? })
}

/// Communes whose name holds `text`, however it is written; those that begin with it after `Phường`, `Xã` or `Thị trấn`
/// first, then by code, at most `limit`.
pub fn wards_named(text: &str, limit: usize) -> Vec<Ward> {
    let wanted = search_key(text.get(..200).unwrap_or(text));
    if wanted.is_empty() {
        return Vec::new();
    }
    let rank = |key: &str| {
        let bare = ["PHUONG", "XA", "THITRAN"].iter().find_map(|kind| key.strip_prefix(kind)).unwrap_or(key);
        match () {
            () if bare == wanted => Some(0),
            () if bare.starts_with(&wanted) => Some(1),
            () => key.contains(&wanted).then_some(2),
        }
    };
    let named = UNITS.all.iter().zip(&UNITS.keys).filter(|(unit, _)| unit.code.len() == 5);
    let mut found: Vec<(u8, &Unit)> = named.filter_map(|(unit, key)| Some((rank(key)?, unit))).collect();
    found.sort_by_key(|(rank, unit)| (*rank, unit.code));
    found.into_iter().take(limit).filter_map(|(_, unit)| ward(unit.code)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_part_of_one_that_is_there() {
        let count = |len| of_level(len).count();
        assert_eq!((count(2), count(3), count(5)), (63, 707, 10_767));
        assert!(provinces().is_sorted_by(|a, b| a.code < b.code));
        for unit in UNITS.all.iter().filter(|unit| unit.code.len() > 2) {
            let parent = super::unit(unit.parent).unwrap_or_else(|| panic!("{}", unit.code));
            assert_eq!(parent.code.len(), if unit.code.len() == 3 { 2 } else { 3 });
            assert!(!unit.name.is_empty());
        }
        assert_eq!(ward("00001").map(|ward| (ward.unit.name, ward.province.code)), Some(("Phường Phúc Xá", "01")));
        assert_eq!((ward("99999"), ward("001"), ward("")), (None, None, None));
        assert_eq!(parts_of("001").next().map(|unit| unit.name), Some("Phường Phúc Xá"));
    }

    #[test]
    fn communes_are_found_by_typing_without_marks() {
        for text in ["phuc xa", "Phúc Xá", "PHUC XÁ", "phuong phuc xa", "phucxa"] {
            assert_eq!(wards_named(text, 5).first().map(|ward| ward.unit.code), Some("00001"), "{text}");
        }
        assert!(wards_named("an", 7).len() == 7);
        assert!(wards_named("phuong 1", 500).iter().any(|ward| ward.unit.name == "Phường 1"));
        assert_eq!(wards_named("", 5), []);
        assert_eq!(wards_named("<script>", 5), []);
    }
}
