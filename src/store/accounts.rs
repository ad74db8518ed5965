//! Citizens' accounts: phone numbers, the codes sent to them, how often both were tried, and whose records an account holds.

use std::collections::HashMap;

use deadpool_postgres::Object;
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::people::{hash_of, seconds, timestamp};
use super::{Hash, Store, StoreError, Tx};
use crate::certificate::UnixSeconds;

/// What was sent to a number on a day, and how often codes were tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhoneDay {
    /// Codes sent.
    pub sent: i64,
    /// Codes tried.
    pub tries: i64,
    /// When the last was sent.
    pub sent_at: Option<UnixSeconds>,
}

/// A one-time code that was sent.
#[derive(Clone)]
pub struct Challenge {
    /// Which.
    pub id: Uuid,
    /// To which number, as a keyed hash.
    pub phone_hash: Hash,
    /// The number, sealed.
    pub phone_sealed: Vec<u8>,
    /// The HMAC of its id and the code.
    pub code_hash: Hash,
    /// Until when it is good.
    pub expires_at: UnixSeconds,
    /// How often it may still be tried.
    pub tries_left: i64,
    /// When it was used.
    pub used_at: Option<UnixSeconds>,
}

impl std::fmt::Debug for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Challenge(REDACTED)")
    }
}

impl Tx<'_> {
    /// What happened with a number on a day; its row is made if need be, and is this transaction's alone until it ends.
    pub async fn phone_day(&self, phone: &Hash, day: Date) -> Result<PhoneDay, StoreError> {
        let sql = "-- phone day
                   INSERT INTO phone_day (phone_hash, on_day, sent, tries) VALUES ($1, $2, 0, 0)
                   ON CONFLICT (phone_hash, on_day) DO UPDATE SET sent = phone_day.sent
                   RETURNING sent, tries, sent_at";
        let stmt = self.inner.prepare_cached(sql).await?;
        let row = self.inner.query_one(&stmt, &[/* phone_hash */ &phone.as_slice(), /* on_day */ &day]).await?;
        let sent_at = row.get::<_, Option<Timestamp>>(2).map(seconds);
        Ok(PhoneDay { sent: row.get(0), tries: row.get(1), sent_at })
    }

    /// Notes what happened with a number on a day that [`Tx::phone_day`] gave.
    pub async fn put_phone_day(&self, phone: &Hash, day: Date, so_far: &PhoneDay) -> Result<(), StoreError> {
        let sql = "-- put phone day
                   UPDATE phone_day SET sent = $3, tries = $4, sent_at = $5 WHERE phone_hash = $1 AND on_day = $2";
        let stmt = self.inner.prepare_cached(sql).await?;
        let sent_at = so_far.sent_at.map(timestamp);
        self.inner.execute(&stmt, &[&phone.as_slice(), &day, &so_far.sent, &so_far.tries, &sent_at]).await?;
        Ok(())
    }

    /// Writes a code's challenge down.
    pub async fn insert_challenge(&self, new: &Challenge) -> Result<(), StoreError> {
        let sql = "-- challenge
                   INSERT INTO challenge (challenge_id, phone_hash, phone, code_hash, expires_at, tries_left)
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let stmt = self.inner.prepare_cached(sql).await?;
        let (phone, code) = (new.phone_hash.as_slice(), new.code_hash.as_slice());
        let expires_at = timestamp(new.expires_at);
        self.inner.execute(&stmt, &[&new.id, &phone, &new.phone_sealed, &code, &expires_at, &new.tries_left]).await?;
        Ok(())
    }

    /// The challenge of this id, this transaction's alone until it ends.
    pub async fn challenge(&self, id: Uuid) -> Result<Option<Challenge>, StoreError> {
        let sql = "-- challenge by id
                   SELECT challenge_id, phone_hash, phone, code_hash, expires_at, tries_left, used_at
                   FROM challenge WHERE challenge_id = $1 FOR UPDATE";
        let stmt = self.inner.prepare_cached(sql).await?;
        let row = self.inner.query_opt(&stmt, &[/* challenge_id */ &id]).await?;
        let hash = |bytes: &[u8]| hash_of(bytes).ok_or(StoreError::Unreadable("challenge"));
        row.map(|row| {
            Ok(Challenge {
                id: row.get(0),
                phone_hash: hash(row.get(1))?,
                phone_sealed: row.get(2),
                code_hash: hash(row.get(3))?,
                expires_at: seconds(row.get(4)),
                tries_left: row.get(5),
                used_at: row.get::<_, Option<Timestamp>>(6).map(seconds),
            })
        })
        .transpose()
    }

    /// Notes that a code was tried, and used if it was right.
    pub async fn spend_challenge(&self, tried: &Challenge) -> Result<(), StoreError> {
        let sql = "-- spend challenge\nUPDATE challenge SET tries_left = $2, used_at = $3 WHERE challenge_id = $1";
        let stmt = self.inner.prepare_cached(sql).await?;
        self.inner.execute(&stmt, &[&tried.id, &tried.tries_left, &tried.used_at.map(timestamp)]).await?;
        Ok(())
    }

    /// The account that answers to a number.
    pub async fn account_by_phone(&self, phone: &Hash) -> Result<Option<Uuid>, StoreError> {
        let sql = "-- account by phone\nSELECT account_id FROM account_by_phone WHERE phone_hash = $1";
        let stmt = self.inner.prepare_cached(sql).await?;
        let row = self.inner.query_opt(&stmt, &[/* phone_hash */ &phone.as_slice()]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Opens an account, in epoch 0. A number that has one fails with 23505, and the transaction is run again.
    pub async fn insert_account(
        &self,
        account: Uuid,
        phone: &Hash,
        phone_sealed: &[u8],
        at: UnixSeconds,
    ) -> Result<(), StoreError> {
        let sql = "-- open account\nINSERT INTO account (account_id, phone, created_at, epoch) VALUES ($1, $2, $3, 0)";
        let stmt = self.inner.prepare_cached(sql).await?;
        self.inner.execute(&stmt, &[&account, &phone_sealed, &timestamp(at)]).await?;
        self.insert_account_phone(account, phone).await
    }

    async fn insert_account_phone(&self, account: Uuid, phone: &Hash) -> Result<(), StoreError> {
        let sql = "-- account under phone\nINSERT INTO account_by_phone (phone_hash, account_id) VALUES ($1, $2)";
        let stmt = self.inner.prepare_cached(sql).await?;
        self.inner.execute(&stmt, &[&phone.as_slice(), &account]).await?;
        Ok(())
    }

    /// An account's number, sealed, and its epoch; the account is this transaction's alone until it ends.
    pub async fn lock_account(&self, account: Uuid) -> Result<Option<(Vec<u8>, i64)>, StoreError> {
        let sql = "-- lock account\nSELECT phone, epoch FROM account WHERE account_id = $1 FOR UPDATE";
        let stmt = self.inner.prepare_cached(sql).await?;
        let row = self.inner.query_opt(&stmt, &[/* account_id */ &account]).await?;
        Ok(row.map(|row| (row.get(0), row.get(1))))
    }

    /// Lets an account answer to another number from now on, and no longer to `old`; its sessions so far are over.
    pub async fn move_account(
        &self,
        account: Uuid,
        old: &Hash,
        (new, new_sealed): (&Hash, &[u8]),
        at: UnixSeconds,
    ) -> Result<(), StoreError> {
        let sql = "-- leave phone\nDELETE FROM account_by_phone WHERE phone_hash = $1 AND account_id = $2";
        let stmt = self.inner.prepare_cached(sql).await?;
        self.inner.execute(&stmt, &[&old.as_slice(), &account]).await?;
        let sql = "-- move account
                   UPDATE account SET phone = $2, epoch = epoch + 1 WHERE account_id = $1 RETURNING epoch";
        let stmt = self.inner.prepare_cached(sql).await?;
        let epoch: i64 = self.inner.query_one(&stmt, &[&account, &new_sealed]).await?.get(0);
        let sql = "-- end sessions
                   INSERT INTO session_end (bucket, account_id, epoch) VALUES ($1, $2, $3)
                   ON CONFLICT (bucket, account_id) DO UPDATE SET epoch = excluded.epoch";
        let stmt = self.inner.prepare_cached(sql).await?;
        self.inner.execute(&stmt, &[&hour(at.0), &account, &epoch]).await?;
        self.insert_account_phone(account, new).await
    }

    /// Counts `tries` more claims of an account on a day, and returns how many there are now.
    pub async fn count_claims(&self, account: Uuid, day: Date, tries: i64) -> Result<i64, StoreError> {
        let sql = "-- count claims
                   INSERT INTO claim_day (account_id, on_day, tries) VALUES ($1, $2, $3)
                   ON CONFLICT (account_id, on_day) DO UPDATE SET tries = claim_day.tries + excluded.tries
                   RETURNING tries";
        let stmt = self.inner.prepare_cached(sql).await?;
        Ok(self.inner.query_one(&stmt, &[&account, &day, &tries]).await?.get(0))
    }

    /// Which account holds each of these people; those whom none holds are left out.
    ///
    /// A claim says it, else the registration.
    pub async fn holders(&self, people: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
        let sql = "-- holders
                   SELECT coalesce(c.person_id, r.person_id), coalesce(c.account_id, r.account_id)
                   FROM (SELECT person_id, account_id FROM person_claim WHERE person_id = ANY($1)) c
                   FULL JOIN (SELECT person_id, account_id FROM registration WHERE person_id = ANY($1)) r
                   ON r.person_id = c.person_id";
        let stmt = self.inner.prepare_cached(sql).await?;
        let rows = self.inner.query(&stmt, &[/* people */ &people]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Hangs a person's record on `account`, and off `before` if that account held it.
    pub async fn hold(
        &self,
        account: Uuid,
        person: Uuid,
        before: Option<Uuid>,
        at: UnixSeconds,
    ) -> Result<(), StoreError> {
        if let Some(before) = before.filter(|before| *before != account) {
            let sql = "-- lose member\nDELETE FROM account_member WHERE account_id = $1 AND person_id = $2";
            let stmt = self.inner.prepare_cached(sql).await?;
            self.inner.execute(&stmt, &[&before, &person]).await?;
            let sql = "-- registration changes hands\nUPDATE registration SET account_id = $2 WHERE person_id = $1";
            self.inner.execute(&self.inner.prepare_cached(sql).await?, &[&person, &account]).await?;
        }
        let sql = "-- claim person
                   INSERT INTO person_claim (person_id, account_id, claimed_at) VALUES ($1, $2, $3)
                   ON CONFLICT (person_id) DO UPDATE SET account_id = excluded.account_id, claimed_at = excluded.claimed_at";
        let stmt = self.inner.prepare_cached(sql).await?;
        self.inner.execute(&stmt, &[&person, &account, &timestamp(at)]).await?;
        let sql = "-- claimed member
                   INSERT INTO account_member (account_id, person_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        self.inner.execute(&self.inner.prepare_cached(sql).await?, &[&account, &person]).await?;
        Ok(())
    }

    /// Whether a person's record hangs on an account.
    pub async fn is_member(&self, account: Uuid, person: Uuid) -> Result<bool, StoreError> {
        let stmt = self.inner.prepare_cached(IS_MEMBER).await?;
        Ok(self.inner.query_opt(&stmt, &[&account, &person]).await?.is_some())
    }
}

/// Whose records an account may see.
///
/// Asked for before what is known of them: a statement that says whose rows it wants goes to their servers alone.
pub(super) async fn members_of(store: &Store, account: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let sql = "-- members of account\nSELECT person_id FROM account_member WHERE account_id = $1";
    let rows = store.rows(sql, &[/* account */ &account]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The sealed phone numbers of accounts.
pub(super) async fn phones_of(store: &Store, accounts: &[Uuid]) -> Result<HashMap<Uuid, Vec<u8>>, StoreError> {
    if accounts.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "-- phones of accounts\nSELECT account_id, phone FROM account WHERE account_id = ANY($1)";
    let rows = store.rows(sql, &[/* accounts */ &accounts]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// The bucket of [`Store::ended_sessions`]: `2021-08-01T02`.
fn hour(at: i64) -> String {
    let at = Timestamp::from_second(at).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H").to_string()
}

const IS_MEMBER: &str = "-- is member\nSELECT 1 FROM account_member WHERE account_id = $1 AND person_id = $2";

/// Whether this person's record hangs on this account.
pub(super) async fn is_member(client: &Object, account: Uuid, person: Uuid) -> Result<bool, StoreError> {
    let stmt = client.prepare_cached(IS_MEMBER).await?;
    Ok(client.query_opt(&stmt, &[&account, &person]).await?.is_some())
}

impl Store {
    /// The accounts whose sessions were ended in the last `lifetime_s` seconds, each with the epoch that stands now.
    ///
    /// An hour more on both sides: the nodes' clocks may differ.
    pub async fn ended_sessions(&self, now: UnixSeconds, lifetime_s: i64) -> Result<Vec<(Uuid, i64)>, StoreError> {
        let hours = -1..=(lifetime_s + 3599) / 3600 + 1;
        let buckets: Vec<String> = hours.map(|ago| hour(now.0 - ago * 3600)).collect();
        let client = self.client().await?;
        let sql = "-- ended sessions
                   SELECT account_id, max(epoch) FROM session_end WHERE bucket = ANY($1) GROUP BY account_id";
        let stmt = client.prepare_cached(sql).await?;
        let rows = client.query(&stmt, &[/* buckets */ &buckets]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Whether a person's record hangs on an account.
    pub async fn is_member(&self, account: Uuid, person: Uuid) -> Result<bool, StoreError> {
        Ok(self.found(IS_MEMBER, &[&account, &person]).await?.is_some())
    }
}
