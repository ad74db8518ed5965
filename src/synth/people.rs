//! Who is vaccinated, in truth: families under one phone, their numbers, twins among them, and the doses that they were given.

use std::collections::HashMap;

use jiff::civil::{Date, date};
use jiff::{Span, ToSpan as _};

use super::names::{self, Name};
use super::places::{Place, Places, Site};
use super::random::Random;

/// An identity number: nine digits or twelve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Its value.
    pub number: u64,
    /// How many digits it has, leading zeros among them.
    pub digits: u8,
}

impl Identity {
    /// Its digits.
    pub fn written(self) -> String {
        format!("{:0width$}", self.number, width = usize::from(self.digits))
    }
}

/// A person as they are.
#[derive(Clone, Debug)]
pub struct Person {
    /// From 0: what the truth says.
    pub number: u64,
    /// Their name.
    pub name: Name,
    /// True for women and girls.
    pub female: bool,
    /// The day of birth.
    pub birth: Date,
    /// The family's phone, without its 0.
    pub phone: u32,
    /// The old number, if they have one.
    pub old: Option<Identity>,
    /// The new number, if they have one.
    pub new: Option<Identity>,
    /// Where they live.
    pub place: Place,
    /// True for twins.
    pub twin: bool,
    /// The doses that they were given, by date.
    pub doses: Vec<Given>,
}

/// A dose, in truth.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    /// The product's code.
    pub product: &'static str,
    /// The day.
    pub on: Date,
    /// From 1.
    pub number: u8,
    /// Where.
    pub site: Site,
    /// The number that was shown: the old one perhaps before, the new one after.
    pub identity: Option<Identity>,
}

/// Makes families one after the other, for ever.
pub struct Families {
    random: Random,
    places: Places,
    twins_per_mille: u64,
    people: u64,
    families: u64,
    /// How many new numbers were given out, by what stands before their last six digits.
    given_out: HashMap<u64, u64>,
}

impl Families {
    /// The families that follow from `seed`. `twins_per_mille`: of 1000 people so many are twins.
    pub fn new(seed: u64, twins_per_mille: u64) -> Families {
        Families {
            random: Random::new(seed ^ 0x005e_ed0f_fa31_11e5),
            places: Places::new(),
            twins_per_mille,
            people: 0,
            families: 0,
            given_out: HashMap::new(),
        }
    }

    /// The next family: one to six people under one phone.
    pub fn next_family(&mut self) -> Vec<Person> {
        let place = self.places.pick(&mut self.random);
        let phone = phone(self.families);
        self.families += 1;
        let family = names::family(&mut self.random);
        let mut members: Vec<Person> = Vec::new();
        let children = self.random.weighted(&[(0_u8, 45), (1, 30), (2, 20), (3, 5)]);
        // The mother keeps her own family's name.
        let hers = names::family(&mut self.random);
        let born = |random: &mut Random, years: std::ops::Range<u64>| {
            let year = years.start + random.below(years.end - years.start);
            date(year as i16, 1, 1) + Span::new().days(random.below(365) as i64)
        };
        let birth = born(&mut self.random, 1945..1990);
        members.push(self.person(hers, true, birth, phone, place));
        if self.random.happens(850) {
            let birth = born(&mut self.random, 1943..1988);
            members.push(self.person(family, false, birth, phone, place));
        }
        for _ in 0..children {
            let birth = born(&mut self.random, 1995..2009);
            let female = self.random.happens(485);
            members.push(self.person(family, female, birth, phone, place));
        }
        if self.random.happens(200) {
            let birth = born(&mut self.random, 1922..1944);
            let female = self.random.happens(600);
            members.push(self.person(family, female, birth, phone, place));
        }
        // Two people a pair, and a family has somewhat less than three.
        if self.random.happens(self.twins_per_mille * 29 / 20) {
            self.add_twin(&mut members, phone, place);
        }
        members
    }

    /// Gives the last child of the family, or its mother, a twin.
    fn add_twin(&mut self, members: &mut Vec<Person>, phone: u32, place: Place) {
        let at = if members.len() > 2 { members.len() - 1 } else { 0 };
        let Some((name, female, birth)) = members.get(at).map(|first| (first.name, first.female, first.birth)) else {
            return;
        };
        let (first_name, second_name) = names::twin(&mut self.random, &name, female);
        let mut second = self.person(name.family, female, birth, phone, place);
        second.name = second_name;
        second.twin = true;
        if let Some(first) = members.get_mut(at) {
            (first.name, first.twin) = (first_name, true);
        }
        members.push(second);
    }

    fn person(&mut self, family: &'static str, female: bool, birth: Date, phone: u32, place: Place) -> Person {
        let number = self.people;
        self.people += 1;
        let name = names::person(&mut self.random, family, female);
        let age = 2021 - birth.year();
        // Cards come at fourteen; until 2021 many had the old one only, and those who changed it have both.
        let (has_old, has_new) = match age {
            ..14 => (false, self.random.happens(300)),
            14..20 => (false, true),
            _ => self.random.weighted(&[((true, false), 25), ((false, true), 55), ((true, true), 20)]),
        };
        let old = has_old.then(|| Identity { number: mixed(number, 1_000_000_000), digits: 9 });
        let new = has_new.then(|| self.new_number(female, birth, place));
        let doses = self.doses(age, old, new, place);
        Person { number, name, female, birth, phone, old, new, place, twin: false, doses }
    }

    /// Province, century and sex, year of birth, and six digits that nobody else of these has. Source: Circular 59/2021/TT-BCA.
    fn new_number(&mut self, female: bool, birth: Date, place: Place) -> Identity {
        let province: u64 = place.province.parse().unwrap_or_default();
        let century = if birth.year() < 2000 { 0 } else { 2 } + u64::from(female);
        let before = (province * 10 + century) * 100 + birth.year().rem_euclid(100) as u64;
        let nth = self.given_out.entry(before).or_default();
        *nth += 1;
        Identity { number: before * 1_000_000 + mixed(*nth + before * 7, 1_000_000), digits: 12 }
    }

    fn doses(&mut self, age: i16, old: Option<Identity>, new: Option<Identity>, place: Place) -> Vec<Given> {
        let random = &mut self.random;
        let begins = if age < 18 { date(2021, 11, 1) } else { date(2021, 5, 1) };
        let (product, interval, course) = random.weighted(if age < 18 { &FOR_CHILDREN } else { &PRODUCTS });
        let begins = if product == "Abdala" { date(2021, 10, 1) } else { begins };
        let first = begins + (random.below(120) as i64).days();
        let wanted = random.weighted(&[(1_u8, 25), (2, 60), (3, 15)]);
        let home = Site::home(place);
        // Whoever has both numbers showed the old one until some dose.
        let renewed = 2 + random.below(2) as u8;
        let mut on = first;
        (1..=wanted)
            .map(|number| {
                if number > 1 {
                    let pause = if number > course { 90 } else { interval };
                    on += (i64::from(pause) + random.below(12) as i64).days();
                }
                let site = match random.below(100) {
                    0..80 => home,
                    80..97 => Site::any(random, place.province),
                    _ => {
                        let elsewhere = self.places.pick(random).province;
                        Site::any(random, elsewhere)
                    }
                };
                let identity = match (old, new) {
                    (Some(old), Some(new)) => Some(if number < renewed { old } else { new }),
                    (old, new) => old.or(new),
                };
                let product = if number > course && random.happens(500) { "EU/1/20/1528" } else { product };
                Given { product, on, number, site, identity }
            })
            .collect()
    }
}

/// (code, days between two doses, doses of its course), as often as they were given.
const PRODUCTS: [((&str, u16, u8), u16); 6] = [
    (("EU/1/21/1529", 56, 2), 42),
    (("BBIBP-CorV", 21, 2), 25),
    (("EU/1/20/1528", 28, 2), 20),
    (("EU/1/20/1507", 28, 2), 8),
    (("Abdala", 14, 3), 4),
    (("EU/1/20/1525", 60, 1), 1),
];
const FOR_CHILDREN: [((&str, u16, u8), u16); 1] = [(("EU/1/20/1528", 28, 2), 1)];

/// A mobile number of nine digits without its 0 that no other family has.
fn phone(family: u64) -> u32 {
    const FIRST: [u64; 5] = [3, 5, 7, 8, 9];
    let mixed = mixed(family, 500_000_000);
    let first = FIRST.get((mixed / 100_000_000) as usize).copied().unwrap_or(9);
    (first * 100_000_000 + mixed % 100_000_000) as u32
}

/// Another number below `bound` for every `n` below it; `bound` has no prime factors but 2 and 5.
fn mixed(n: u64, bound: u64) -> u64 {
    // Odd, and no multiple of five: multiplying by it is a permutation.
    const FACTOR: u64 = 618_033_989;
    ((n % bound) * (FACTOR % bound) + 271_828_183) % bound
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::policy;

    #[test]
    fn nobody_shares_a_number_but_a_family_its_phone() {
        let mut families = Families::new(1, 10);
        let (mut numbers, mut phones, mut twins, mut people) = (HashSet::new(), HashSet::new(), 0, 0);
        while people < 30_000 {
            let family = families.next_family();
            assert!((1..=7).contains(&family.len()));
            assert!(phones.insert(family[0].phone), "one phone a family");
            assert!(family.iter().all(|member| member.phone == family[0].phone));
            for person in family {
                assert_eq!(person.number, people);
                people += 1;
                twins += u32::from(person.twin);
                for identity in [person.old, person.new].into_iter().flatten() {
                    assert!(numbers.insert(identity), "one person a number");
                    assert_eq!(identity.written().len(), usize::from(identity.digits));
                }
            }
        }
        assert!((200..450).contains(&twins), "ten in a thousand: {twins}");
    }

    #[test]
    fn doses_are_given_after_birth_and_licence_and_each_after_the_one_before() {
        let mut families = Families::new(2, 10);
        let mut counts = [0; 4];
        for person in (0..5_000).flat_map(|_| families.next_family()) {
            counts[person.doses.len()] += 1;
            let mut before = person.birth;
            for (dose, number) in person.doses.iter().zip(1..) {
                let product = policy::product_by_code(dose.product).expect("a product of ours");
                assert!(dose.on > before && dose.on >= product.exists_since && dose.number == number);
                before = dose.on;
            }
        }
        assert!(counts[0] == 0 && counts[2] > counts[1] && counts[1] > counts[3]);
    }
}
