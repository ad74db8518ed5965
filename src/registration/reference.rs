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
    /// Each commune's words and those of what it is part of, a space before each; nothing for other units.
    addresses: Vec<String>,
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
    let mut units = Units { all, by_code, keys, addresses: Vec::new() };
    units.addresses = units.all.iter().map(|unit| units.address(unit)).collect();
    units
});

impl Units {
    fn get(&self, code: &str) -> Option<&Unit> {
        self.by_code.get(code).and_then(|at| self.all.get(*at))
    }

    fn address(&self, commune: &Unit) -> String {
        if commune.code.len() != 5 {
            return String::new();
        }
        let district = self.get(commune.parent);
        let province = district.and_then(|district| self.get(district.parent));
        let parts = [Some(commune), district, province].into_iter().flatten();
        parts.flat_map(|unit| spoken(unit.name)).map(|word| format!(" {word}")).collect()
    }
}

/// The words by which people name a unit, abbreviations among them: `QUAN 1 Q Q1`, `THANH PHO HO CHI MINH TP HCM TPHCM`.
fn spoken(name: &str) -> Vec<String> {
    let mut words: Vec<String> = words(name).collect();
    let of_two = ["Thành phố ", "Thị trấn ", "Thị xã "].iter().any(|kind| name.starts_with(kind));
    let (kind, own) = words.split_at(words.len().min(if of_two { 2 } else { 1 }));
    let short = |words: &[String]| -> String {
        let number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
        words.iter().map(|word| if number(word) { word } else { word.get(..1).unwrap_or_default() }).collect()
    };
    let (kind, own) = (short(kind), short(own));
    words.extend([format!("{kind}{own}"), kind, own]);
    words
}

/// What is the same for one name with and without marks, in any case and spacing; digits stay: `Phường 1`.
fn search_key(text: &str) -> String {
    words(text).collect()
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let word = |word: &str| match word.bytes().all(|byte| byte.is_ascii_digit()) {
        true => word.to_owned(),
        // Digits are no part of a name, but of `q1`.
        false => word.split_inclusive(|c: char| c.is_ascii_digit()).map(part).collect(),
    };
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '.' | ';'))
        .map(word)
        .filter(|word: &String| !word.is_empty())
}

fn part(text: &str) -> String {
    let letters = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = text.get(letters.len()..).unwrap_or_default();
    format!("{}{digits}", name::transliterate(letters).unwrap_or_default().replace('<', ""))
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
    UNITS.get(code).copied()
}

/// The commune with this code.
pub fn ward(code: &str) -> Option<Ward> {
    let commune = unit(code).filter(|unit| unit.code.len() == 5)?;
    let district = unit(commune.parent)?;
    Some(Ward { unit: commune, district, province: unit(district.parent)? })
}

/// Communes whose name holds `text`, however it is written; those that begin with it after `Phường`, `Xã` or `Thị trấn`
/// first. Where there are none, those whose name, district and province hold words that begin with each word of it, in any
/// order: `ben nghe q1 hcm`. By code, at most `limit`.
pub fn wards_named(text: &str, limit: usize) -> Vec<Ward> {
    let wanted = search_key(text.get(..200).unwrap_or(text));
    if wanted.is_empty() {
        return Vec::new();
    }
    let asked: Vec<String> = words(text.get(..200).unwrap_or(text)).map(|word| format!(" {word}")).collect();
    let rank = |key: &str, address: &str| {
        let bare = ["PHUONG", "XA", "THITRAN"].iter().find_map(|kind| key.strip_prefix(kind)).unwrap_or(key);
        match () {
            () if bare == wanted => Some(0),
            () if bare.starts_with(&wanted) => Some(1),
            () if key.contains(&wanted) => Some(2),
            () => asked.iter().all(|word| address.contains(word)).then_some(3),
        }
    };
    let named = UNITS.all.iter().zip(UNITS.keys.iter().zip(&UNITS.addresses)).filter(|(unit, _)| unit.code.len() == 5);
    let mut found: Vec<(u8, &Unit)> =
        named.filter_map(|(unit, (key, address))| Some((rank(key, address)?, unit))).collect();
    found.sort_by_key(|(rank, unit)| (*rank, unit.code));
    // Where the name itself is found, words from here and there are not meant.
    let named_so = found.iter().take_while(|(rank, _)| *rank < 3).count();
    found.truncate(if named_so > 0 { named_so } else { limit });
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
        assert_eq!(wards_named(" ,. ", 5), []);
        assert_eq!(wards_named("<script>", 5), []);
    }

    #[test]
    fn communes_are_found_by_the_district_and_province_that_they_are_in() {
        let ben_nghe = "26740";
        for text in
            ["phuong ben nghe", "ben nghe quan 1", "Bến Nghé, Q.1, TP.HCM", "ben nghe q1 tphcm", "hcm q1 ben nghe"]
        {
            assert_eq!(wards_named(text, 5).first().map(|ward| ward.unit.code), Some(ben_nghe), "{text}");
        }
        assert!(wards_named("ben nghe", 20).iter().all(|ward| ward.unit.name.contains("Bến Nghé")));
        let in_hanoi = wards_named("phuc xa ha noi", 5);
        assert_eq!(in_hanoi.first().map(|ward| ward.unit.code), Some("00001"));
        assert!(in_hanoi.iter().all(|ward| ward.province.code == "01"));
        assert_eq!(wards_named("ben nghe ha noi", 5), []);
        assert!(wards_named("p1 q3 hcm", 5).iter().all(|ward| ward.province.code == "79"));
    }
}
