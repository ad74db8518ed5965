//! The verify engine: snapshots of what is trusted, revoked and ruled, proofs already made, and the clock, put to one text.
//!
//! What is kept is the proof of a signature, which no clock changes, and how its answer reads. Time, revocation and acceptance
//! are asked every time.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::{ArcSwap, Guard};
use aws_lc_rs::digest::{SHA256, digest};

use super::proofs::{Name, Proof, ProofKey, Proofs};
use super::tallies::Tallies;
use super::verdict::{AsOf, Outcome, Told, Verdict};
use crate::certificate::UnixSeconds;
use crate::clock::Clock;
use crate::codec::MAX_TEXT_LEN;
use crate::ed25519;
use crate::policy::Rules;
use crate::revocation::{Change, RevocationSet};
use crate::trust::TrustList;
use crate::verify::{self, Rejection, Signed};

/// Answers whether a QR text is accepted now. Shared by all threads; snapshots are swapped whole.
pub struct Engine {
    clock: Clock,
    trust: Arc<ArcSwap<TrustList>>,
    ed25519: Arc<ed25519::Engine>,
    revoked: ArcSwap<RevocationSet>,
    rules: ArcSwap<Rules>,
    proofs: Proofs,
    /// When a verifier node last heard of its issuer, or one that is cut off of its database, in seconds since 1970; else 0.
    synced_at: AtomicI64,
    tallies: Tallies,
}

impl Engine {
    /// An engine that trusts nobody yet. `proofs_mib`: how much memory proofs may be kept in.
    pub fn new(clock: Clock, proofs_mib: u64, ed25519: Arc<ed25519::Engine>) -> Engine {
        let nobody = TrustList::new(0, [], &ed25519).expect("no key is weak");
        Engine {
            clock,
            trust: Arc::new(ArcSwap::from_pointee(nobody)),
            ed25519,
            revoked: ArcSwap::from_pointee(RevocationSet::default()),
            rules: ArcSwap::from_pointee(Rules::default()),
            proofs: Proofs::new(proofs_mib.saturating_mul(1 << 20)),
            synced_at: AtomicI64::new(0),
            tallies: Tallies::register(),
        }
    }

    /// Calls `then` with the verdict on a text, as of now. Nothing is kept, and nothing that was kept is asked.
    pub fn verify<T>(&self, text: &str, then: impl FnOnce(&Verdict<'_>) -> T) -> T {
        let instant = self.instant();
        verify::with_signature(text, &instant.trust, |signed| then(&self.judge(signed.as_ref(), &instant)))
    }

    /// Adds the answer on a text, as of now, to `out`: one line of JSON without its end.
    ///
    /// `text`: as scanned. One that was accepted before costs a SHA-256 and a look-up; one that was not, the whole chain.
    /// Returns what the registry is to be asked, of a certificate that is accepted under an own key and that it was not asked of.
    pub fn answer(&self, text: &str, out: &mut Vec<u8>) -> Option<Unasked> {
        let instant = self.instant();
        let key = key_of(text, &instant.trust);
        if let Some(key) = key
            && let Some((proof, accepted)) = self.answer_kept(text, &key, &instant, out)
        {
            return proof.unasked(accepted).map(|name| Unasked { name, key: Some(key) });
        }
        verify::with_signature(text, &instant.trust, |signed| {
            let verdict = self.judge(signed.as_ref(), &instant);
            let begin = out.len();
            verdict.write_json(out);
            let (Ok(signed), Outcome::Accepted) = (&signed, verdict.outcome()) else { return None };
            let name = name_of(signed);
            if let Some(key) = key {
                self.tallies.missed();
                self.proofs.keep(key, || {
                    let told = Told::of(out.get(begin..).unwrap_or_default())?;
                    Some(Proof { standing: signed.standing().clone(), told, name, registered: AtomicBool::new(false) })
                });
            }
            name.map(|name| Unasked { name, key })
        })
    }

    /// Notes that the registry knows a certificate: it is not asked again while the proof is kept.
    pub fn note_registered(&self, asked: &Unasked) {
        if let Some(proof) = asked.key.and_then(|key| self.proofs.recall(&key)) {
            proof.registered.store(true, Ordering::Relaxed);
        }
    }

    /// Adds the answer to `out` if the text was accepted before and is kept. Returns whether it is; never more than a look-up's
    /// work, and a country's rules where there are any.
    pub fn answer_known(&self, text: &str, out: &mut Vec<u8>) -> bool {
        let instant = self.instant();
        key_of(text, &instant.trust).is_some_and(|key| self.answer_kept(text, &key, &instant, out).is_some())
    }

    /// Calls `each` with the verdict on each text, in their order, all as of one instant, their signatures proved together.
    /// Nothing is kept.
    pub fn verify_all(&self, texts: &[&str], mut each: impl FnMut(&Verdict<'_>)) {
        let instant = self.instant();
        verify::check_signatures(texts, &instant.trust, |signed| each(&self.judge(signed.as_ref(), &instant)));
    }

    /// The answers on those of `texts` that are kept, and places for the others: never more than look-ups. `asks`: whether the
    /// registry is to be asked of those that it was not asked of.
    pub fn recall_all(&self, texts: &[&str], asks: bool) -> Answers {
        let mut answers = Answers {
            lines: Vec::with_capacity(texts.len() * 420),
            places: Vec::with_capacity(texts.len()),
            names: asks.then(|| Vec::with_capacity(texts.len())),
        };
        let instant = self.instant();
        for text in texts {
            let begin = answers.lines.len();
            let kept =
                key_of(text, &instant.trust).and_then(|key| self.answer_kept(text, &key, &instant, &mut answers.lines));
            if kept.is_some() {
                answers.lines.push(b'\n');
            }
            answers.places.push(kept.is_some().then_some(begin..answers.lines.len()));
            if let Some(names) = &mut answers.names {
                names.push(kept.and_then(|(proof, accepted)| proof.unasked(accepted)));
            }
        }
        answers
    }

    /// All answers on `texts`, a line each, in their order: those that `answers` has, and the others, proved together. And of
    /// which lines the registry is to be asked, and how; none, unless `answers` asks.
    pub fn complete(&self, answers: Answers, texts: &[&str]) -> (Vec<u8>, Vec<Option<Name>>) {
        let Answers { lines, places, names } = answers;
        let missing: Vec<usize> = missing(&places).collect();
        // Empty, where nobody asks.
        let mut names = names.unwrap_or_default();
        if missing.is_empty() {
            return (lines, names);
        }
        let mut out = Vec::with_capacity(texts.len() * 420);
        let mut rest = places.iter();
        // Up to the next one that is missing.
        let mut copy = |out: &mut Vec<u8>| {
            for place in rest.by_ref().map_while(Option::as_ref) {
                out.extend_from_slice(lines.get(place.clone()).unwrap_or_default());
            }
        };
        let unknown: Vec<&str> = missing.iter().filter_map(|at| texts.get(*at).copied()).collect();
        let (instant, mut at) = (self.instant(), missing.iter());
        verify::check_signatures(&unknown, &instant.trust, |signed| {
            copy(&mut out);
            let verdict = self.judge(signed.as_ref(), &instant);
            verdict.write_json(&mut out);
            out.push(b'\n');
            let name = at.next().and_then(|at| names.get_mut(*at));
            if let (Some(name), Ok(signed), Outcome::Accepted) = (name, &signed, verdict.outcome()) {
                *name = name_of(signed);
            }
        });
        copy(&mut out);
        (out, names)
    }

    /// What is so now, for one text or for a batch.
    fn instant(&self) -> Instant {
        let (trust, revoked, rules) = (self.trust.load(), self.revoked.load(), self.rules.load());
        let synced_at = self.synced_at().map(|at| at.0);
        let as_of = AsOf { trust: trust.version(), revocations: revoked.version(), rules: rules.version(), synced_at };
        Instant { now: self.clock.now(), trust, revoked, rules, as_of }
    }

    /// The proof that is kept, and whether it is accepted now; its answer is added to `out`.
    fn answer_kept(
        &self,
        text: &str,
        key: &ProofKey,
        instant: &Instant,
        out: &mut Vec<u8>,
    ) -> Option<(Arc<Proof>, bool)> {
        let proof = self.proofs.recall(key)?;
        self.tallies.hit();
        let Instant { now, revoked, rules, as_of, .. } = instant;
        let verdict = proof.standing.check(text, revoked, rules, *now);
        match verdict {
            Ok(card) => proof.told.write_json(card, *now, *as_of, out),
            Err(rejection) => Verdict::rejected(rejection, *now, *as_of).write_json(out),
        }
        self.tallies.judged(verdict.err().map(Rejection::code));
        Some((proof, verdict.is_ok()))
    }

    fn judge<'a>(&self, signed: Result<&'a Signed<'a>, &Rejection>, instant: &Instant) -> Verdict<'a> {
        let Instant { now, revoked, rules, as_of, .. } = instant;
        let accepted = signed.map_err(|rejection| *rejection).and_then(|signed| signed.accept(revoked, rules, *now));
        let verdict = match accepted {
            Ok(verified) => Verdict::accepted(verified, *now, *as_of),
            Err(rejection) => Verdict::rejected(rejection, *now, *as_of),
        };
        self.tallies.judged(verdict.reason());
        verdict
    }

    /// Through which Ed25519 keys verify, one trust list after the other.
    pub fn ed25519(&self) -> &Arc<ed25519::Engine> {
        &self.ed25519
    }

    /// The trust list in force, for those who sign by it: swapped whole when a new one comes.
    pub fn trust_in_force(&self) -> Arc<ArcSwap<TrustList>> {
        Arc::clone(&self.trust)
    }

    /// What is counted.
    pub fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    /// The keys that are trusted now.
    pub fn trust(&self) -> Arc<TrustList> {
        self.trust.load_full()
    }

    /// The revocations known now.
    pub fn revoked(&self) -> Arc<RevocationSet> {
        self.revoked.load_full()
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Trusts `list` from now on, unless a newer one is in force: of two who read it at once the slower may come last. Proofs made
    /// under another version are not found again.
    pub fn set_trust(&self, list: TrustList) {
        let list = Arc::new(list);
        self.trust.rcu(|in_force| Arc::clone(if list.version() >= in_force.version() { &list } else { in_force }));
    }

    /// Judges by `rules` from now on, unless newer ones are in force. Proofs stay: acceptance is asked at every request.
    pub fn set_rules(&self, rules: Rules) {
        let rules = Arc::new(rules);
        self.rules.rcu(|in_force| Arc::clone(if rules.version() > in_force.version() { &rules } else { in_force }));
    }

    /// Puts changes in force at once, ahead of the list's version.
    pub fn put_ahead(&self, changes: &[Change]) {
        if !changes.is_empty() {
            self.revoked.rcu(|set| set.with_ahead(changes));
        }
    }

    /// Puts changes in force that a look at the list found which began with `before`: see [`RevocationSet::with_found`].
    pub fn put_found(&self, before: &RevocationSet, changes: &[Change]) {
        if !changes.is_empty() {
            self.revoked.rcu(|set| set.with_found(before, changes));
        }
    }

    /// Takes over events with their versions, in their order; those that are known are passed over.
    pub fn take_events(&self, events: &[(u64, Change)]) {
        if !events.is_empty() {
            self.revoked.rcu(|set| set.after(events));
        }
    }

    /// Drops what is ahead of the list by mistake, after a whole look at it that began with `before`: see
    /// [`RevocationSet::settled`].
    pub fn settle(&self, before: &RevocationSet, unnumbered: &[Change]) {
        if before.is_ahead() {
            self.revoked.rcu(|set| set.settled(before, unnumbered));
        }
    }

    /// Judges by `set` from now on, unless what is known is of a later version.
    pub fn set_revoked(&self, set: RevocationSet) {
        let set = Arc::new(set);
        self.revoked.rcu(|known| Arc::clone(if set.version() > known.version() { &set } else { known }));
    }

    /// Notes when a verifier node last heard of its issuer, or one that is cut off of its database: its answers say so. `None` for
    /// a node that has its database.
    pub fn set_synced_at(&self, at: Option<UnixSeconds>) {
        self.synced_at.store(at.map_or(0, |at| at.0), Ordering::Relaxed);
    }

    /// What was noted last.
    pub fn synced_at(&self) -> Option<UnixSeconds> {
        Some(self.synced_at.load(Ordering::Relaxed)).filter(|at| *at != 0).map(UnixSeconds)
    }

    /// How many proofs are kept, for the metrics.
    pub fn proofs_kept(&self) -> u64 {
        self.proofs.len()
    }
}

/// A certificate that the registry is to be asked of.
pub struct Unasked {
    /// What it is called.
    pub name: Name,
    /// Where its proof is kept, if it is.
    key: Option<ProofKey>,
}

/// What a certificate is called, if an own key signed it: the registry knows all of those.
fn name_of(signed: &Signed<'_>) -> Option<Name> {
    signed.is_own().then(|| signed.uvci().parse().map_or(Name::Invented, Name::Ours))
}

/// The snapshots and the time that a text is judged by.
struct Instant {
    now: UnixSeconds,
    trust: Guard<Arc<TrustList>>,
    revoked: Guard<Arc<RevocationSet>>,
    rules: Guard<Arc<Rules>>,
    as_of: AsOf,
}

/// Answers under way, a line each.
pub struct Answers {
    lines: Vec<u8>,
    /// Where in `lines` each one is; `None` for one that is missing.
    places: Vec<Option<Range<usize>>>,
    /// How the registry is to be asked of each, where it is to be asked.
    names: Option<Vec<Option<Name>>>,
}

impl Answers {
    /// The numbers of the texts that have no answer yet.
    pub fn missing(&self) -> impl Iterator<Item = usize> + '_ {
        missing(&self.places)
    }
}

fn missing(places: &[Option<Range<usize>>]) -> impl Iterator<Item = usize> + '_ {
    places.iter().enumerate().filter_map(|(at, place)| place.is_none().then_some(at))
}

/// Under which key the proof of `text` is kept; `None` if the text is too long to have one.
fn key_of(text: &str, trust: &TrustList) -> Option<ProofKey> {
    if text.len() > MAX_TEXT_LEN {
        return None;
    }
    // Without its ends: else one certificate with spaces around it in many ways would fill the cache.
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
    let digest = digest(&SHA256, trimmed.as_bytes());
    Some(ProofKey { trust: trust.version(), text: digest.as_ref().try_into().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::{BirthDate, Dose, Product, Profile, Uvci};
    use crate::ed25519::Path;
    use crate::issue::{Subject, issue};
    use crate::keys::{Algorithm, IssuerKey, PublicKey};
    use crate::name::PersonName;
    use crate::trust::{TrustedKey, Usages};

    const NOW: UnixSeconds = UnixSeconds(1_627_784_100); // 2021-08-01T02:15:00Z

    fn text(key: &IssuerKey, serial: u128) -> String {
        let name = PersonName::parse("Nguyễn Thị Phương Thảo").expect("a name");
        let given_on = "2021-08-01".parse().expect("a date");
        let dose = Dose { number: 1, series: 2, product: Product::Code("EU/1/20/1528".into()), given_on };
        let uvci = Uvci(serial.to_be_bytes());
        let subject = Subject { uvci, name: &name, birth: BirthDate::Year(1983), dose: &dose };
        issue(&subject, Profile::Compact, key, NOW, UnixSeconds(NOW.0 + 1000)).expect("issues").text
    }

    fn engine(key: &IssuerKey, proofs_mib: u64) -> Engine {
        let engine = Engine::new(Clock::fixed(NOW), proofs_mib, ed25519::Engine::new(Path::Portable));
        let key = TrustedKey {
            key: PublicKey::from_spki_der(key.spki_der()).expect("a key"),
            kid: key.kid(),
            country: "VN".into(),
            national: true,
            usages: Usages::ALL,
            own: true,
            signs_from: None,
            signs_until: None,
            trusted_from: None,
            trusted_until: None,
            withdrawn_at: None,
            certificate: None,
        };
        engine.set_trust(TrustList::new(1, [key], engine.ed25519()).expect("a list"));
        engine
    }

    fn ask(engine: &Engine, text: &str) {
        let mut out = Vec::new();
        engine.answer(text, &mut out);
        assert!(out.starts_with(br#"{"result":"accepted""#));
    }

    #[test]
    fn a_trust_list_that_is_older_than_the_one_in_force_is_passed_over() {
        let engine = engine(&IssuerKey::generate(Algorithm::EdDsa).expect("generates"), 1);
        for (version, in_force) in [(2, 2), (1, 2), (2, 2), (3, 3)] {
            engine.set_trust(TrustList::new(version, [], engine.ed25519()).expect("a list"));
            assert_eq!(engine.trust().version(), in_force, "{version}");
        }
    }

    #[test]
    fn a_flood_of_texts_seen_once_or_twice_does_not_push_out_the_hot_ones() {
        let key = IssuerKey::generate(Algorithm::EdDsa).expect("generates");
        let engine = engine(&key, 1); // room for some thousand
        let hot: Vec<String> = (0..50).map(|serial| text(&key, serial)).collect();
        for _ in 0..10 {
            hot.iter().for_each(|text| ask(&engine, text));
        }
        assert!(hot.iter().all(|text| engine.answer_known(text, &mut Vec::new())));
        for serial in 1000..7000 {
            let text = text(&key, serial);
            let times = if serial < 4000 { 1 } else { 2 };
            (0..times).for_each(|_| ask(&engine, &text));
            if serial % 100 == 0 {
                // Hot texts go on being asked for, which is what makes them hot.
                hot.iter().for_each(|text| ask(&engine, text));
            }
        }
        let kept = hot.iter().filter(|text| engine.answer_known(text, &mut Vec::new())).count();
        assert!(kept >= 45, "{kept} of 50 hot texts are still known");
    }

    #[test]
    fn one_certificate_with_spaces_around_it_in_many_ways_is_one_proof() {
        let key = IssuerKey::generate(Algorithm::EdDsa).expect("generates");
        let engine = engine(&key, 1);
        let text = text(&key, 1);
        ask(&engine, &text);
        ask(&engine, &format!(" {text}"));
        for padded in [format!("  {text}"), format!("{text}\r\n"), format!("\t{text} ")] {
            assert!(engine.answer_known(&padded, &mut Vec::new()));
        }
    }

    #[test]
    fn what_is_ahead_is_in_force_and_the_version_never_goes_back() {
        let engine = Engine::new(Clock::fixed(NOW), 1, ed25519::Engine::new(Path::Portable));
        let state = || (engine.revoked().version(), engine.revoked().len());
        engine.put_ahead(&[Change::Add([1; 16])]);
        assert_eq!(state(), (0, 1));
        engine.take_events(&[(1, Change::Add([1; 16])), (3, Change::Add([2; 16]))]);
        assert_eq!(state(), (3, 2));
        engine.take_events(&[(2, Change::Add([3; 16]))]);
        assert_eq!(state(), (3, 2), "an event of a version that is passed is known");
        engine.put_ahead(&[Change::Remove([2; 16])]);
        assert_eq!(state(), (3, 1));
        engine.settle(&engine.revoked(), &[]);
        assert_eq!(state(), (3, 2), "the list says otherwise");
    }
}
