//! What goes wrong when doses are written down, and how often.

use jiff::civil::Date;
use unicode_normalization::UnicodeNormalization as _;

use super::names::{self, Name};
use super::people::Identity;
use super::places::{Place, Site};
use super::random::Random;
use super::rows::{Birth, Row};

/// A way in which a row is dirty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dirt {
    /// Two digits of the identity number change places.
    SwappedDigits,
    /// A twin's row has the other one's identity number.
    TwinsNumber,
    /// 3 August becomes 8 March.
    SwappedDayMonth,
    /// Another family name.
    MarriedName,
    /// Another middle name, or none.
    ChangedMiddle,
    /// Given name first.
    WordOrder,
    /// Only the year of birth.
    YearOnly,
    /// The leading zeros of identity and phone are lost, as spreadsheets lose them.
    LostZero,
    /// No phone.
    NoPhone,
    /// No identity number.
    NoIdentity,
    /// A neighbour's phone.
    OthersPhone,
    /// The district's health post's phone, which many rows have.
    PostPhone,
    /// Decomposed letters (NFD).
    Decomposed,
    /// The Icelandic Eth in the place of Đ.
    Eth,
    /// The tone on the other vowel: Thuỳ and Thùy.
    TonePlace,
    /// Capital letters.
    UpperCase,
    /// Letters without marks.
    Unmarked,
    /// Two spaces where one belongs.
    DoubleSpaces,
    /// The same dose once more, from another facility: the second row of the two.
    Again,
    /// Born on the 30th of February.
    ImpossibleDate,
    /// A product that is none.
    UnknownProduct,
}

impl Dirt {
    /// Every kind.
    pub const ALL: [Dirt; 21] = [
        Dirt::SwappedDigits,
        Dirt::TwinsNumber,
        Dirt::SwappedDayMonth,
        Dirt::MarriedName,
        Dirt::ChangedMiddle,
        Dirt::WordOrder,
        Dirt::YearOnly,
        Dirt::LostZero,
        Dirt::NoPhone,
        Dirt::NoIdentity,
        Dirt::OthersPhone,
        Dirt::PostPhone,
        Dirt::Decomposed,
        Dirt::Eth,
        Dirt::TonePlace,
        Dirt::UpperCase,
        Dirt::Unmarked,
        Dirt::DoubleSpaces,
        Dirt::Again,
        Dirt::ImpossibleDate,
        Dirt::UnknownProduct,
    ];

    /// Its word in the truth.
    pub fn as_str(self) -> &'static str {
        match self {
            Dirt::SwappedDigits => "swapped_digits",
            Dirt::TwinsNumber => "twins_number",
            Dirt::SwappedDayMonth => "swapped_day_month",
            Dirt::MarriedName => "married_name",
            Dirt::ChangedMiddle => "changed_middle",
            Dirt::WordOrder => "word_order",
            Dirt::YearOnly => "year_only",
            Dirt::LostZero => "lost_zero",
            Dirt::NoPhone => "no_phone",
            Dirt::NoIdentity => "no_identity",
            Dirt::OthersPhone => "others_phone",
            Dirt::PostPhone => "post_phone",
            Dirt::Decomposed => "decomposed",
            Dirt::Eth => "eth",
            Dirt::TonePlace => "tone_place",
            Dirt::UpperCase => "upper_case",
            Dirt::Unmarked => "unmarked",
            Dirt::DoubleSpaces => "double_spaces",
            Dirt::Again => "again",
            Dirt::ImpossibleDate => "impossible_date",
            Dirt::UnknownProduct => "unknown_product",
        }
    }

    /// Of the dirty rows so many are dirty in this way; a tenth of them are so in two ways.
    pub fn share(self) -> f64 {
        f64::from(self.wanted()) / 1000.0
    }

    /// Of 1000 dirty rows.
    fn wanted(self) -> u16 {
        match self {
            Dirt::SwappedDigits | Dirt::SwappedDayMonth | Dirt::NoPhone | Dirt::NoIdentity => 90,
            Dirt::YearOnly | Dirt::LostZero => 100,
            Dirt::MarriedName => 70,
            Dirt::ChangedMiddle | Dirt::OthersPhone | Dirt::Decomposed | Dirt::UpperCase | Dirt::Again => 60,
            Dirt::PostPhone | Dirt::Eth | Dirt::Unmarked | Dirt::DoubleSpaces => 40,
            Dirt::WordOrder | Dirt::TonePlace | Dirt::ImpossibleDate | Dirt::UnknownProduct => 20,
            Dirt::TwinsNumber => 4,
        }
    }

    /// How often it is tried: what seldom can be done is tried more often, so that it is done as often as it should.
    fn weight(self) -> u16 {
        let can: f64 = match self {
            Dirt::TwinsNumber => 0.006,
            Dirt::SwappedDayMonth => 0.36,
            Dirt::Eth => 0.13,
            Dirt::TonePlace => 0.04,
            Dirt::SwappedDigits | Dirt::NoIdentity => 0.95,
            _ => 1.0,
        };
        (f64::from(self.wanted()) / can) as u16
    }
}

/// What is needed to spoil a row.
pub(super) struct About {
    pub name: Name,
    pub place: Place,
    /// The other twin's number, if there is one.
    pub twin_number: Option<Identity>,
}

/// Spoils a row in one way, or in two, and gives the second row that this makes of it, if it does.
pub(super) fn spoil(row: &mut Row, about: &About, random: &mut Random) -> Option<Row> {
    let kinds = Dirt::ALL.map(|kind| (kind, kind.weight()));
    let mut name = Written::new(about.name);
    let wanted = if random.happens(100) { 2 } else { 1 };
    while row.dirt.len() < wanted {
        let kind = random.weighted(&kinds);
        if !row.dirt.contains(&kind) && apply(kind, row, &mut name, about, random) {
            row.dirt.push(kind);
        }
    }
    row.name = name.text();
    let again = row.dirt.contains(&Dirt::Again).then(|| {
        let site = Site::any(random, row.site.province);
        Row { site, ..row.clone() }
    });
    row.dirt.retain(|kind| *kind != Dirt::Again);
    again
}

/// A name while it is being spoilt: its words first, its letters last.
struct Written {
    name: Name,
    given_first: bool,
    /// The dirt of its letters.
    letters: Vec<Dirt>,
}

impl Written {
    fn new(name: Name) -> Written {
        Written { name, given_first: false, letters: Vec::new() }
    }

    fn text(&self) -> String {
        let Name { family, middle, given } = self.name;
        let text = match self.given_first {
            true => [given, family, middle].join(" ").trim_end().to_owned(),
            false => self.name.written(),
        };
        self.letters.iter().fold(text, |text, kind| relettered(*kind, &text).unwrap_or(text))
    }
}

/// The text with its letters written otherwise; `None` if that changes nothing.
fn relettered(kind: Dirt, text: &str) -> Option<String> {
    let changed = match kind {
        Dirt::Decomposed => text.nfd().collect(),
        Dirt::Eth => text.replace('Đ', "Ð").replace('đ', "ð"),
        Dirt::TonePlace => TONES.iter().fold(text.to_owned(), |text, (one, other)| text.replace(one, other)),
        Dirt::UpperCase => text.to_uppercase(),
        Dirt::Unmarked => unmarked(text),
        Dirt::DoubleSpaces => text.replace(' ', "  "),
        _ => return None,
    };
    (changed != text).then_some(changed)
}

/// The two places of one tone. Source: the older and the newer way of writing oa, oe, uy.
const TONES: [(&str, &str); 6] = [("òa", "oà"), ("óa", "oá"), ("ỏa", "oả"), ("ùy", "uỳ"), ("úy", "uý"), ("ủy", "uỷ")];

fn unmarked(text: &str) -> String {
    let plain = |c| match c {
        'Đ' | 'Ð' => 'D',
        'đ' | 'ð' => 'd',
        c => c,
    };
    text.nfd().filter(|c| !unicode_normalization::char::is_combining_mark(*c)).map(plain).collect()
}

/// Does one thing to a row; false if it cannot be done to this one.
fn apply(kind: Dirt, row: &mut Row, name: &mut Written, about: &About, random: &mut Random) -> bool {
    match kind {
        Dirt::SwappedDigits => match row.identity.and_then(|identity| swapped_digits(identity, random)) {
            Some(identity) => row.identity = Some(identity),
            None => return false,
        },
        Dirt::TwinsNumber => match about.twin_number.filter(|_| row.identity.is_some()) {
            Some(identity) => row.identity = Some(identity),
            None => return false,
        },
        Dirt::SwappedDayMonth => match row.birth {
            Birth::Day(day) => match Date::new(day.year(), day.day(), day.month()) {
                Ok(swapped) if swapped != day => row.birth = Birth::Day(swapped),
                _ => return false,
            },
            _ => return false,
        },
        Dirt::MarriedName | Dirt::ChangedMiddle => {
            let before = name.name;
            match kind {
                Dirt::MarriedName => name.name.family = names::family(random),
                _ if random.happens(300) => name.name.middle = "",
                _ => name.name.middle = names::middle(random, row.female),
            }
            return name.name != before;
        }
        Dirt::WordOrder => name.given_first = true,
        Dirt::YearOnly => match row.birth {
            Birth::Day(day) => row.birth = Birth::Year(day.year()),
            _ => return false,
        },
        // How it is written is the file's affair.
        Dirt::LostZero => return row.phone.is_some(),
        Dirt::NoPhone => return row.phone.take().is_some(),
        Dirt::NoIdentity => return row.identity.take().is_some(),
        Dirt::OthersPhone => match row.phone {
            Some(phone) => row.phone = Some(phone - phone % 1000 + random.below(1000) as u32),
            None => return false,
        },
        Dirt::PostPhone => {
            let district: u32 = about.place.district.parse().unwrap_or_default();
            row.phone = Some(240_000_000 + district);
        }
        Dirt::Decomposed | Dirt::Eth | Dirt::TonePlace | Dirt::UpperCase | Dirt::Unmarked | Dirt::DoubleSpaces => {
            if relettered(kind, &name.text()).is_none() {
                return false;
            }
            name.letters.push(kind);
        }
        Dirt::Again => {}
        Dirt::ImpossibleDate => match row.birth {
            Birth::Day(day) => row.birth = Birth::Impossible(day.year()),
            _ => return false,
        },
        Dirt::UnknownProduct => row.product = "X-VAC",
    }
    true
}

/// The number with two neighbouring digits swapped; `None` if there are no two that differ where it was tried.
fn swapped_digits(identity: Identity, random: &mut Random) -> Option<Identity> {
    let place = 10_u64.pow(random.below(u64::from(identity.digits) - 1) as u32);
    let (low, high) = (identity.number / place % 10, identity.number / place / 10 % 10);
    let number = identity.number - (high * 10 + low) * place + (low * 10 + high) * place;
    (low != high).then_some(Identity { number, ..identity })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_neighbouring_digits_change_places() {
        let mut random = Random::new(1);
        let identity = Identity { number: 1_183_012_345, digits: 12 };
        for _ in 0..200 {
            let Some(swapped) = swapped_digits(identity, &mut random) else { continue };
            let (one, other) = (identity.written(), swapped.written());
            let differing: Vec<usize> = (0..12).filter(|at| one.as_bytes()[*at] != other.as_bytes()[*at]).collect();
            assert!(matches!(differing[..], [a, b] if b == a + 1), "{one} {other}");
            assert_eq!((one.as_bytes()[differing[0]]), other.as_bytes()[differing[1]]);
        }
    }

    #[test]
    fn letters_change_and_names_stay() {
        let key = |text: &str| crate::name::transliterate(text).expect("a name");
        let name = "Đặng Thị Thùy Hòa";
        for kind in [Dirt::Decomposed, Dirt::Eth, Dirt::TonePlace, Dirt::UpperCase, Dirt::Unmarked, Dirt::DoubleSpaces]
        {
            let changed = relettered(kind, name).expect("changes something");
            assert_ne!(changed, name);
            assert_eq!(key(&changed), key(name), "{kind:?}");
        }
        assert_eq!(relettered(Dirt::Eth, "Lan"), None);
    }
}
