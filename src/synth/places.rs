//! Where synthetic people live and are vaccinated: the communes of the reference data, and facilities in each province.

use crate::registration::reference;
use crate::store::Facility;

use super::random::Random;

/// How many facilities a province has here.
const FACILITIES_A_PROVINCE: u64 = 24;

/// A commune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Five digits.
    pub ward: &'static str,
    /// The district's three.
    pub district: &'static str,
    /// The province's two.
    pub province: &'static str,
}

/// Every commune.
pub struct Places(Vec<Place>);

impl Places {
    /// All there are in the reference data.
    pub fn new() -> Places {
        let mut places = Vec::new();
        for province in reference::provinces() {
            let Some(province) = reference::unit(&province.code) else { continue };
            for district in reference::parts_of(province.code) {
                let place = |ward: &reference::Unit| Place {
                    ward: ward.code,
                    district: district.code,
                    province: province.code,
                };
                places.extend(reference::parts_of(district.code).map(place));
            }
        }
        Places(places)
    }

    /// One of them.
    pub fn pick(&self, random: &mut Random) -> Place {
        *random.pick(&self.0)
    }
}

impl Default for Places {
    fn default() -> Self {
        Places::new()
    }
}

/// Which facility: its province, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// The province's two digits.
    pub province: &'static str,
    /// From 1.
    pub number: u8,
}

impl Site {
    /// The facility where the people of a district mostly go.
    pub fn home(place: Place) -> Site {
        let district: u64 = place.district.parse().unwrap_or_default();
        Site { province: place.province, number: (district % FACILITIES_A_PROVINCE) as u8 + 1 }
    }

    /// Any facility of a province.
    pub fn any(random: &mut Random, province: &'static str) -> Site {
        Site { province, number: random.below(FACILITIES_A_PROVINCE) as u8 + 1 }
    }

    /// Its code: the province's digits and three more.
    pub fn code(self) -> String {
        format!("{}{:03}", self.province, self.number)
    }
}

/// Every facility that synthetic doses are given at.
pub fn facilities() -> Vec<Facility> {
    let mut facilities = Vec::new();
    for province in reference::provinces() {
        for number in 1..=FACILITIES_A_PROVINCE {
            facilities.push(Facility {
                code: format!("{}{number:03}", province.code),
                name: format!("Điểm tiêm chủng số {number}, {}", province.name),
                province: province.code.clone(),
            });
        }
    }
    facilities
}
