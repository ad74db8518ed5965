//! Certificates to send: some that are sent again and again, many that are sent once.

use anyhow::Result;
use thexanh::certificate::{BirthDate, Dose, Product, Profile, UnixSeconds, Uvci};
use thexanh::clock::Clock;
use thexanh::issue::{Subject, issue};
use thexanh::keys::{Algorithm, IssuerKey};
use thexanh::name::PersonName;
use thexanh::policy;

/// Texts that are sent again and again: a big checkpoint's morning.
pub const HOT: usize = 10_000;

/// Signed texts; the number of each is in its UVCI, so that its answer can be told from any other's.
pub struct Texts {
    key: IssuerKey,
    all: Vec<String>,
}

impl Texts {
    /// `cold` texts to be sent once, and the hot ones.
    pub fn new(cold: usize) -> Result<Texts> {
        let key = IssuerKey::generate(Algorithm::EdDsa)?;
        let now = Clock::system().now();
        let all = (0..HOT + cold).map(|number| text(&key, number, now)).collect::<Result<_>>()?;
        Ok(Texts { key, all })
    }

    /// The public half of the key that signed them.
    pub fn spki_der(&self) -> &[u8] {
        self.key.spki_der()
    }

    /// The numbers of those that are sent in batches: a third of the cold ones.
    pub fn batches(&self) -> std::ops::Range<usize> {
        let cold = self.all.len() - HOT;
        HOT + cold / 3 * 2..self.all.len()
    }

    /// The text of this number.
    pub fn get(&self, number: usize) -> &str {
        self.all.get(number).map_or("", String::as_str)
    }
}

/// What stands in the answer to the text of this number, and in no other: the UVCI's 32 hexadecimal digits.
pub fn uvci(number: usize) -> [u8; 32] {
    std::array::from_fn(|at| {
        let nibble = (number as u128 >> (4 * (31 - at))) as u8 & 15;
        if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }
    })
}

fn text(key: &IssuerKey, number: usize, now: UnixSeconds) -> Result<String> {
    const GIVEN: [&str; 8] = ["Thảo", "Hùng", "Linh", "Thuỷ", "Dũng", "Hạnh", "Tuấn", "Đạt"];
    let given = GIVEN.get(number % GIVEN.len()).copied().unwrap_or_default();
    let name = PersonName::parse(&format!("Nguyễn Thị Phương {given}"))?;
    let product = Product::Code("EU/1/20/1528".into());
    let dose = Dose { number: 2, series: 2, product, given_on: jiff::civil::date(2021, 8, 1) };
    let birth = BirthDate::Day(jiff::civil::date(1940 + (number % 60) as i16, 10, 10));
    let subject = Subject { uvci: Uvci((number as u128).to_be_bytes()), name: &name, birth, dose: &dose };
    Ok(issue(&subject, Profile::Compact, key, now, policy::expires_at(now))?.text)
}
