//! QR texts for load testers: good ones, and bad ones of each kind that a verifier meets.

use jiff::civil::date;

use super::names;
use super::random::Random;
use crate::certificate::{BirthDate, Dose, Product, Profile, UnixSeconds, Uvci};
use crate::issue::{IssueError, Subject, issue};
use crate::keys::IssuerKey;
use crate::name::PersonName;
use crate::policy;

/// How a text is bad, and so what a verifier answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// One character is another: `bad_signature`, or malformed.
    Altered,
    /// Signed by somebody whom nobody trusts: `unknown_key`.
    Stranger,
    /// Its time is over: `expired`.
    Expired,
    /// The end is missing: malformed.
    Cut,
    /// The code of something else: `not_a_certificate`.
    Foreign,
}

impl Fault {
    /// Every kind, each as likely as the others.
    pub const ALL: [Fault; 5] = [Fault::Altered, Fault::Stranger, Fault::Expired, Fault::Cut, Fault::Foreign];
}

/// Who signs, when, and how much of it is bad.
pub struct Signing<'a> {
    /// The key of the good texts.
    pub key: &'a IssuerKey,
    /// A key that no verifier trusts.
    pub stranger: &'a IssuerKey,
    /// When they are signed.
    pub now: UnixSeconds,
    /// Of 100 texts so many are bad.
    pub bad_percent: u64,
}

impl Signing<'_> {
    /// The next text, and its fault if it is bad. Errors: [`IssueError`].
    pub fn text(&self, random: &mut Random) -> Result<(String, Option<Fault>), IssueError> {
        let fault = (random.below(100) < self.bad_percent).then(|| *random.pick(&Fault::ALL));
        if fault == Some(Fault::Foreign) {
            return Ok((format!("https://example.vn/menu/{}", random.below(1_000_000)), fault));
        }
        let female = random.happens(500);
        let family = names::family(random);
        let name = PersonName::parse(&names::person(random, family, female).written());
        let name = name.map_err(|_| IssueError::UnknownProduct)?;
        let product = random.pick(policy::products());
        let number = random.below(u64::from(product.course)) as u8 + 1;
        let given_on = date(2021, 8, 1) + jiff::Span::new().days(random.below(120) as i64);
        let dose = Dose { number, series: product.course, product: Product::Code(product.code.into()), given_on };
        let birth = date(1940, 1, 1) + jiff::Span::new().days(random.below(24_000) as i64);
        let mut uvci = [0; 16];
        uvci.iter_mut().for_each(|byte| *byte = random.draw() as u8);
        let subject = Subject { uvci: Uvci(uvci), name: &name, birth: BirthDate::Day(birth), dose: &dose };
        let key = if fault == Some(Fault::Stranger) { self.stranger } else { self.key };
        let (from, until) = match fault {
            Some(Fault::Expired) => (UnixSeconds(self.now.0 - 400 * 86_400), UnixSeconds(self.now.0 - 35 * 86_400)),
            _ => (self.now, policy::expires_at(self.now)),
        };
        let mut text = issue(&subject, Profile::Compact, key, from, until)?.text;
        match fault {
            Some(Fault::Cut) => text.truncate(text.len() * 2 / 3),
            Some(Fault::Altered) => text = altered(&text, random),
            _ => {}
        }
        Ok((text, fault))
    }
}

/// The text with one digit or letter behind its context identifier changed.
fn altered(text: &str, random: &mut Random) -> String {
    let at = 4 + random.below(text.len() as u64 - 4) as usize;
    text.char_indices().map(|(i, c)| if i == at { if c == 'A' { 'B' } else { 'A' } } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ed25519;
    use crate::keys::{Algorithm, PublicKey};
    use crate::revocation::RevocationSet;
    use crate::trust::{TrustList, TrustedKey, Usages};
    use crate::verify::{Rejection, check_signature};

    fn trusting(key: &IssuerKey) -> TrustList {
        let listed = TrustedKey {
            key: PublicKey::from_spki_der(key.spki_der()).expect("an own key"),
            kid: key.kid(),
            country: "VN".into(),
            national: true,
            usages: Usages::VACCINATION,
            own: true,
            signs_from: None,
            signs_until: None,
            trusted_from: None,
            trusted_until: None,
            withdrawn_at: None,
            certificate: None,
        };
        TrustList::new(1, [listed], &ed25519::Engine::new(ed25519::Path::Portable)).expect("own keys have prime order")
    }

    #[test]
    fn the_good_are_accepted_and_the_bad_rejected_each_for_its_reason() {
        let key = IssuerKey::generate(Algorithm::EdDsa).expect("a key");
        let stranger = IssuerKey::generate(Algorithm::EdDsa).expect("a key");
        let trust = trusting(&key);
        let now = UnixSeconds(1_660_000_000);
        let signing = Signing { key: &key, stranger: &stranger, now, bad_percent: 30 };
        let mut random = Random::new(5);
        let mut faults = Vec::new();
        for _ in 0..400 {
            let (text, fault) = signing.text(&mut random).expect("signs");
            let verdict = check_signature(&text, &trust).and_then(|signed| {
                signed.accept(&RevocationSet::default(), &policy::Rules::default(), now).map(|_| ())
            });
            match fault {
                None => assert_eq!(verdict, Ok(()), "{text}"),
                Some(Fault::Stranger) => assert_eq!(verdict, Err(Rejection::UnknownKey)),
                Some(Fault::Expired) => assert_eq!(verdict, Err(Rejection::Expired)),
                Some(Fault::Foreign) => assert_eq!(verdict, Err(Rejection::NotACertificate)),
                Some(Fault::Altered | Fault::Cut) => assert!(verdict.is_err(), "{text}"),
            }
            faults.extend(fault);
        }
        assert!((80..160).contains(&faults.len()), "{}", faults.len());
        assert!(Fault::ALL.iter().all(|kind| faults.contains(kind)));
    }
}
