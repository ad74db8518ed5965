//! Accounts by phone number and one-time code: a code is sent, tried, and opens a session; a number is changed for another.

use jiff::civil::Date;
use uuid::Uuid;

use super::citizen::CitizenError;
use super::doses::Desk;
use super::record::{InvalidField, normalize_phone, refuse};
use crate::certificate::UnixSeconds;
use crate::sealing::DataKey;
use crate::store::{Audited, Challenge, Hash, PhoneDay, StoreError, Tx, Work};

/// Seconds for which a code is good.
pub const CODE_LIFETIME_S: i64 = 5 * 60;
/// How often one code may be tried.
pub const TRIES_PER_CODE: i64 = 5;
/// Seconds between two codes to one number.
pub const RESEND_AFTER_S: i64 = 60;
/// Codes to one number on one day.
pub const CODES_PER_DAY: i64 = 5;
/// Tries of one number's codes on one day, over all of them.
pub const TRIES_PER_DAY: i64 = 15;

/// A code on its way. Never logged; its code is in no answer.
pub struct Sent {
    /// Names the challenge.
    pub id: Uuid,
    /// The number, `+84..`.
    pub phone: String,
    /// Six digits.
    pub code: String,
    /// Until when it is good.
    pub expires_at: UnixSeconds,
    /// From when another may be sent.
    pub resend_after: UnixSeconds,
}

/// The number in `phone` as it is kept: `+84` and nine or ten digits.
pub fn phone_of(phone: &str) -> Result<String, InvalidField> {
    normalize_phone(phone).ok_or(refuse(
        "phone",
        "phone_invalid",
        "expected a Vietnamese phone number",
        "cần số điện thoại Việt Nam",
    ))
}

impl Desk {
    /// A new code for `phone`, written down; the caller sends it. Known and unknown numbers are answered alike.
    ///
    /// Errors: [`CitizenError::Invalid`], [`CitizenError::TooSoon`], [`CitizenError::DaySpent`], [`CitizenError::Store`].
    pub async fn send_code(&self, phone: &str, now: UnixSeconds) -> Result<Sent, CitizenError> {
        let phone = phone_of(phone)?;
        let (id, code) = (Uuid::new_v4(), new_code());
        let challenge = Challenge {
            id,
            phone_hash: self.data_key.lookup_hash("phone", &phone),
            phone_sealed: self.data_key.seal("phone", &phone),
            code_hash: code_hash(&self.data_key, id, &code),
            expires_at: UnixSeconds(now.0 + CODE_LIFETIME_S),
            tries_left: TRIES_PER_CODE,
            used_at: None,
        };
        let expires_at = challenge.expires_at;
        self.store.transact(&Send { challenge, now }).await??;
        Ok(Sent { id, phone, code, expires_at, resend_after: UnixSeconds(now.0 + RESEND_AFTER_S) })
    }

    /// The account that the code opens, with its epoch; a new one for a number that has none.
    ///
    /// Errors: [`CitizenError::WrongCode`] for all that may be wrong with a code, [`CitizenError::DaySpent`],
    /// [`CitizenError::Store`].
    pub async fn confirm_code(
        &self,
        challenge: Uuid,
        code: &str,
        now: UnixSeconds,
    ) -> Result<(Uuid, i64), CitizenError> {
        self.store.transact(&Confirm { desk: self, challenge, code, now }).await?
    }

    /// Lets `account` answer to the number to which `challenge` was sent, and no longer to its own. Its sessions so far are over.
    ///
    /// Errors: as [`Desk::confirm_code`], and [`CitizenError::PhoneInUse`].
    pub async fn change_phone(
        &self,
        account: Uuid,
        challenge: Uuid,
        code: &str,
        audited: Audited,
    ) -> Result<(), CitizenError> {
        self.store.transact(&Move { desk: self, account, challenge, code, audited }).await?
    }
}

/// Six digits, each as likely as any other.
fn new_code() -> String {
    const FAIR: u32 = 4_294_000_000; // the largest multiple of a million that four bytes hold
    loop {
        let mut bytes = [0; 4];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
        let number = u32::from_le_bytes(bytes);
        if number < FAIR {
            return format!("{:06}", number % 1_000_000);
        }
    }
}

fn code_hash(data_key: &DataKey, challenge: Uuid, code: &str) -> Hash {
    data_key.lookup_hash("code", &format!("{challenge} {code}"))
}

/// The hash under which an account's number is found.
fn phone_hash(data_key: &DataKey, sealed: &[u8]) -> Result<Hash, StoreError> {
    let phone = data_key.open("phone", sealed).map_err(|_| StoreError::Unreadable("account"))?;
    Ok(data_key.lookup_hash("phone", &phone))
}

fn day(now: UnixSeconds) -> Date {
    now.vietnamese_date()
}

/// What a transaction leaves when it has nothing to undo: an answer, or a refusal whose count is kept.
type Kept<T> = Result<T, CitizenError>;

struct Send {
    challenge: Challenge,
    now: UnixSeconds,
}

impl Work for Send {
    type Output = Kept<()>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Kept<()>, StoreError> {
        let (phone, now) = (&self.challenge.phone_hash, self.now);
        let so_far = tx.phone_day(phone, day(now)).await?;
        // Just before and just after midnight are a moment apart as well.
        let before = tx.phone_day(phone, day(UnixSeconds(now.0 - RESEND_AFTER_S))).await?;
        let waits =
            [so_far.sent_at, before.sent_at].into_iter().flatten().map(|at| at.0 + RESEND_AFTER_S - now.0).max();
        match waits {
            Some(wait) if wait > 0 => return Ok(Err(CitizenError::TooSoon(wait))),
            _ if so_far.sent >= CODES_PER_DAY => return Ok(Err(CitizenError::DaySpent)),
            _ => {}
        }
        tx.put_phone_day(phone, day(now), &PhoneDay { sent: so_far.sent + 1, sent_at: Some(now), ..so_far }).await?;
        tx.insert_challenge(&self.challenge).await?;
        Ok(Ok(()))
    }
}

/// Tries `code`, and counts it. The challenge, if the code is right.
async fn try_code(
    tx: &Tx<'_>,
    data_key: &DataKey,
    challenge: Uuid,
    code: &str,
    now: UnixSeconds,
) -> Result<Kept<Challenge>, StoreError> {
    let Some(mut challenge) = tx.challenge(challenge).await? else { return Ok(Err(CitizenError::WrongCode)) };
    if now >= challenge.expires_at || challenge.used_at.is_some() || challenge.tries_left <= 0 {
        return Ok(Err(CitizenError::WrongCode));
    }
    let so_far = tx.phone_day(&challenge.phone_hash, day(now)).await?;
    if so_far.tries >= TRIES_PER_DAY {
        return Ok(Err(CitizenError::DaySpent));
    }
    tx.put_phone_day(&challenge.phone_hash, day(now), &PhoneDay { tries: so_far.tries + 1, ..so_far }).await?;
    let said = code_hash(data_key, challenge.id, code);
    let right = aws_lc_rs::constant_time::verify_slices_are_equal(&said, &challenge.code_hash).is_ok();
    challenge.tries_left -= 1;
    challenge.used_at = right.then_some(now);
    tx.spend_challenge(&challenge).await?;
    Ok(if right { Ok(challenge) } else { Err(CitizenError::WrongCode) })
}

struct Confirm<'a> {
    desk: &'a Desk,
    challenge: Uuid,
    code: &'a str,
    now: UnixSeconds,
}

impl Work for Confirm<'_> {
    type Output = Kept<(Uuid, i64)>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Self::Output, StoreError> {
        let data_key = &self.desk.data_key;
        let challenge = match try_code(tx, data_key, self.challenge, self.code, self.now).await? {
            Ok(challenge) => challenge,
            Err(refused) => return Ok(Err(refused)),
        };
        if let Some(account) = tx.account_by_phone(&challenge.phone_hash).await? {
            let Some((sealed, epoch)) = tx.lock_account(account).await? else {
                return Ok(Err(CitizenError::WrongCode));
            };
            // It may have moved to another number since it was found: a session of its new epoch is not this number's.
            let same = phone_hash(data_key, &sealed)? == challenge.phone_hash;
            return Ok(if same { Ok((account, epoch)) } else { Err(CitizenError::WrongCode) });
        }
        let account = Uuid::new_v4();
        tx.insert_account(account, &challenge.phone_hash, &challenge.phone_sealed, self.now).await?;
        Ok(Ok((account, 0)))
    }
}

struct Move<'a> {
    desk: &'a Desk,
    account: Uuid,
    challenge: Uuid,
    code: &'a str,
    audited: Audited,
}

impl Work for Move<'_> {
    type Output = Kept<()>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Kept<()>, StoreError> {
        let data_key = &self.desk.data_key;
        let challenge = match try_code(tx, data_key, self.challenge, self.code, self.audited.at).await? {
            Ok(challenge) => challenge,
            Err(refused) => return Ok(Err(refused)),
        };
        let Some((sealed, _)) = tx.lock_account(self.account).await? else { return Ok(Err(CitizenError::NotYours)) };
        match tx.account_by_phone(&challenge.phone_hash).await? {
            Some(holder) if holder == self.account => return Ok(Ok(())),
            Some(_) => return Ok(Err(CitizenError::PhoneInUse)),
            None => {}
        }
        let own = phone_hash(data_key, &sealed)?;
        let new = (&challenge.phone_hash, challenge.phone_sealed.as_slice());
        tx.move_account(self.account, &own, new, self.audited.at).await?;
        tx.audit(&self.audited).await?;
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_six_digits_and_hardly_ever_the_same() {
        let codes: std::collections::HashSet<String> = (0..1000).map(|_| new_code()).collect();
        assert!(codes.iter().all(|code| code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit())));
        assert!(codes.len() > 980, "a thousand of a million: half a pair is expected");
    }

    #[test]
    fn the_hash_of_a_code_is_of_its_challenge_alone() {
        let key = DataKey::new(&[7; 64]);
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(code_hash(&key, one, "123456"), code_hash(&key, one, "123456"));
        assert_ne!(code_hash(&key, one, "123456"), code_hash(&key, two, "123456"));
    }
}
