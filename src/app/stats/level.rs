//! The places that counts are told of: a level of units within a part of the country.

use crate::registration::reference;

/// Which part of the country.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Within {
    /// All of it.
    Country,
    /// The province with this code.
    Province(String),
    /// The district with this code.
    District(String),
}

impl Within {
    /// Its code; nothing for the country.
    pub fn code(&self) -> &str {
        match self {
            Within::Country => "",
            Within::Province(code) | Within::District(code) => code,
        }
    }
}

/// Of which places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Provinces.
    Province,
    /// Districts.
    District,
    /// Communes.
    Ward,
}

impl Level {
    /// The codes and names of this level within a part, in order.
    pub fn places(self, within: &Within) -> Vec<(&'static str, &'static str)> {
        let named = |unit: &reference::Unit| (unit.code, unit.name);
        let units: Vec<reference::Unit> = match within {
            Within::Country => reference::of_level(2).copied().collect(),
            Within::Province(code) | Within::District(code) => reference::unit(code).into_iter().collect(),
        };
        let part = |units: Vec<reference::Unit>| {
            units.iter().flat_map(|unit| reference::parts_of(unit.code)).copied().collect::<Vec<reference::Unit>>()
        };
        let length = match self {
            Level::Province => 2,
            Level::District => 3,
            Level::Ward => 5,
        };
        let mut units = units;
        while units.first().is_some_and(|unit| unit.code.len() < length) {
            units = part(units);
        }
        units.iter().filter(|unit| unit.code.len() == length).map(named).collect()
    }
}

/// A commune's district and province, as the counters ask for them.
pub fn places_of(ward: &str) -> Option<(&'static str, &'static str)> {
    reference::ward(ward).map(|ward| (ward.district.code, ward.province.code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_of_a_level_are_those_within() {
        let count = |level: Level, within: Within| level.places(&within).len();
        assert_eq!(count(Level::Province, Within::Country), 63);
        assert_eq!(count(Level::District, Within::Country), 707);
        assert_eq!(
            Level::Province.places(&Within::Province("79".to_owned())).first().map(|(code, _)| *code),
            Some("79")
        );
        assert_eq!(
            Level::District.places(&Within::Province("79".to_owned())).first().map(|(code, _)| *code),
            Some("760")
        );
        let wards = Level::Ward.places(&Within::District("760".to_owned()));
        assert!(wards.len() > 5 && wards.iter().all(|(code, _)| places_of(code) == Some(("760", "79"))));
        assert_eq!(count(Level::Province, Within::District("760".to_owned())), 0);
        assert_eq!(count(Level::Ward, Within::Province("nowhere".to_owned())), 0);
    }
}
