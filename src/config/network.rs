//! Networks as settings name them: `10.0.0.0/8`, `2001:db8::/32`, or one address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// The address as a number, and how many bits it has.
fn number(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (address.into(), 128),
    }
}

impl Network {
    /// Whether `address` is one of them. An IPv4 address written as an IPv6 one is that IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let ((own, width), (other, other_width)) = (number(self.address), number(address.to_canonical()));
        width == other_width && (own ^ other).checked_shr(width - self.bits).unwrap_or(0) == 0
    }
}

impl FromStr for Network {
    type Err = &'static str;

    /// Reads `address` or `address/bits`.
    fn from_str(text: &str) -> Result<Network, Self::Err> {
        const EXPECTED: &str = "expected an address, or a network such as 10.0.0.0/8 with no bits behind its own";
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| EXPECTED)?;
        let (own, width) = number(address);
        let bits = bits.map_or(Ok(width), str::parse).map_err(|_| EXPECTED)?;
        let rest = width.checked_sub(bits).ok_or(EXPECTED)?;
        // A bit behind the network's is a slip of the pen, and a mapped address would contain nothing.
        match own.trailing_zeros() >= rest && address == address.to_canonical() {
            true => Ok(Network { address, bits }),
            false => Err(EXPECTED),
        }
    }
}

impl TryFrom<String> for Network {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Network, Self::Error> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_that_begin_with_its_bits() {
        let cases = [
            ("10.0.0.0/8", "10.0.0.0 10.255.255.255 ::ffff:10.1.2.3", "9.255.255.255 11.0.0.0 ::a00:1"),
            ("192.0.2.4/31", "192.0.2.4 192.0.2.5", "192.0.2.3 192.0.2.6"),
            ("192.0.2.4", "192.0.2.4", "192.0.2.3 192.0.2.5"),
            ("0.0.0.0/0", "0.0.0.0 255.255.255.255", "::1"),
            ("2001:db8::/32", "2001:db8:: 2001:db8:ffff::1", "2001:db7:ffff:: 2001:db9::"),
            ("::/0", "::1 ffff::", "192.0.2.1 ::ffff:192.0.2.1"),
            ("::1", "::1", "::2 127.0.0.1"),
        ];
        for (text, inside, outside) in cases {
            let network: Network = text.parse().expect(text);
            let contains = |address: &str| network.contains(address.parse().expect(address));
            assert!(inside.split(' ').all(contains), "{text}");
            assert!(!outside.split(' ').any(contains), "{text}");
            assert_eq!(network.to_string().parse(), Ok(network));
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "x",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/",
            "10.1.0.0/8",
            "::1/64",
            "::/129",
            "::ffff:10.0.0.0/104",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert!("10.0.0.0/32".parse::<Network>().is_ok() && "::/128".parse::<Network>().is_ok());
    }
}
