//! How often one address may ask for what costs: a bounded number of token buckets in memory.
//!
//! What is lost when they are lost: who asked how often in the last minute. The limits per number stand in the database.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpRequest;
use moka::sync::Cache;

use super::origin;
use super::problem::{Kind, Problem};
use crate::certificate::UnixSeconds;
use crate::config::Network;

/// Addresses remembered at most: a flood from more of them forgets the oldest.
const ADDRESSES: u64 = 100_000;

/// A bucket of tokens for each address.
pub struct Quota {
    per_minute: u64,
    trusted_proxies: Vec<Network>,
    buckets: Cache<IpAddr, Arc<Mutex<Bucket>>>,
}

/// Sixtieths of a token, so that a second's share is a whole number of them.
struct Bucket {
    sixtieths: u64,
    at: UnixSeconds,
}

impl Quota {
    /// `per_minute` for each address, as many at once; 0 for no limit. `trusted_proxies` say whose address it is.
    pub fn new(per_minute: u64, trusted_proxies: Vec<Network>) -> Quota {
        let buckets = Cache::builder().max_capacity(ADDRESSES).time_to_idle(Duration::from_secs(120)).build();
        Quota { per_minute, trusted_proxies, buckets }
    }

    /// Takes one token of the address that `request` comes from. Errors: [`Kind::TOO_MANY_REQUESTS`].
    pub fn take(&self, request: &HttpRequest, now: UnixSeconds) -> Result<(), Problem> {
        match origin::address(request, &self.trusted_proxies) {
            Some(address) if !self.allows(address, now) => Err(Problem::new(Kind::TOO_MANY_REQUESTS).retry_after(2)),
            Some(_) | None => Ok(()),
        }
    }

    fn allows(&self, address: IpAddr, now: UnixSeconds) -> bool {
        if self.per_minute == 0 {
            return true;
        }
        let full = self.per_minute.saturating_mul(60);
        let bucket =
            self.buckets.get_with(network(address), || Arc::new(Mutex::new(Bucket { sixtieths: full, at: now })));
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = u64::try_from(now.0 - bucket.at.0).unwrap_or(0);
        bucket.sixtieths = bucket.sixtieths.saturating_add(passed.saturating_mul(self.per_minute)).min(full);
        bucket.at = now;
        match bucket.sixtieths.checked_sub(60) {
            Some(left) => {
                bucket.sixtieths = left;
                true
            }
            None => false,
        }
    }
}

/// Whoever has one address of a /64 has all of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::from((u128::from(v6) >> 64 << 64).to_be_bytes()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_660_000_000);

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_has_so_many_a_minute_and_gets_them_back_one_by_one() {
        let quota = Quota::new(30, Vec::new());
        let ask = |at: i64| quota.allows(address("192.0.2.1"), UnixSeconds(NOW.0 + at));
        assert_eq!((0..31).filter(|_| ask(0)).count(), 30);
        assert!(!ask(1), "half a token");
        assert!(ask(2) && !ask(2));
        assert_eq!((0..100).filter(|_| ask(3600)).count(), 30, "no more than a full bucket");
        assert!(quota.allows(address("192.0.2.2"), NOW), "another address");
    }

    #[test]
    fn the_addresses_of_one_network_share_a_bucket_and_no_limit_is_none() {
        let quota = Quota::new(1, Vec::new());
        assert!(quota.allows(address("2001:db8::1"), NOW));
        assert!(!quota.allows(address("2001:db8::ffff:1"), NOW));
        assert!(quota.allows(address("2001:db8:0:1::1"), NOW));
        assert!(quota.allows(address("::ffff:192.0.2.1"), NOW) && !quota.allows(address("192.0.2.1"), NOW));
        let off = Quota::new(0, Vec::new());
        assert!((0..1000).all(|_| off.allows(address("192.0.2.1"), NOW)));
    }
}
