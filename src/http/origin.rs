//! From where a request comes, and over what: the address of the connection or the one that a trusted proxy names, and whether the
//! browser came by https.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;

use crate::config::{Config, Network};

/// Addresses looked at in `X-Forwarded-For`: more than there are proxies in a row anywhere.
const MAX_HOPS: usize = 16;

/// The address that a request is counted under; `None` where the connection has none (a socket of this machine).
///
/// Each proxy appends whom it speaks to at the right of `X-Forwarded-For`; what stands left of the first address that is not a
/// trusted proxy's is that one's own say, and proves nothing. `Forwarded` (RFC 7239) is not read: a proxy that keeps one of the
/// two headers hands the other on as it came, and whoever sent it could choose their address.
pub fn address(request: &HttpRequest, trusted: &[Network]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let lines: Vec<&str> =
        request.headers().get_all("X-Forwarded-For").map(|line| line.to_str().unwrap_or_default()).collect();
    Some(named(peer, &lines, trusted))
}

/// Whether whoever sent this came by https: we speak it, our public address says so, or a trusted proxy does.
///
/// A proxy that adds its word to another's is believed in whatever says https: the worst that comes of it is a cookie that a
/// browser does not take, where the other way round it would send one in the clear.
pub fn is_https(request: &HttpRequest, config: &Config) -> bool {
    let from_proxy = || {
        let peer = request.peer_addr().map(|peer| peer.ip());
        peer.is_some_and(|peer| config.http.trusted_proxies.iter().any(|network| network.contains(peer)))
    };
    let forwarded = || {
        let lines = request.headers().get_all("X-Forwarded-Proto").filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).any(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
    };
    config.tls.cert.is_some() || config.http.public_url.starts_with("https://") || (from_proxy() && forwarded())
}

/// The rightmost address that is not a trusted proxy's, or the last before one that cannot be read.
fn named(peer: IpAddr, lines: &[&str], trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut last = peer;
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')).take(MAX_HOPS) {
        match hop_address(hop.trim()) {
            Some(address) if is_trusted(last) => last = address,
            _ => break,
        }
    }
    last
}

/// An address with or without brackets and a port.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who sent it, behind proxies at 10.0.0.0/8 and fd00::/8.
    fn from(peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().expect("a network"));
        named(peer.parse().expect("an address"), lines, &trusted).to_string()
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxys_counts() {
        assert_eq!(from("10.0.0.1", &["203.0.113.5"]), "203.0.113.5");
        assert_eq!(from("10.0.0.1", &["198.51.100.1, 203.0.113.5, 10.0.0.2"]), "203.0.113.5");
        assert_eq!(from("10.0.0.1", &["198.51.100.1", "203.0.113.5,10.0.0.2", "fd00::1"]), "203.0.113.5");
        assert_eq!(from("::ffff:10.0.0.1", &["[2001:db8::5]:443"]), "2001:db8::5");
        assert_eq!(from("10.0.0.1", &["203.0.113.5:1234"]), "203.0.113.5");
        assert_eq!(from("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3", "all of them are ours");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn nobody_chooses_their_own_address() {
        assert_eq!(from("203.0.113.5", &["198.51.100.1"]), "203.0.113.5", "it did not come from a proxy");
        assert_eq!(from("10.0.0.1", &["10.0.0.9, 203.0.113.5"]), "203.0.113.5");
        for broken in ["unknown", "", "198.51.100.1, ", "198.51.100.1, x, 10.0.0.2", "198.51.100.1 10.0.0.2"] {
            let counted = from("10.0.0.1", &[broken]);
            assert!(counted.starts_with("10.0.0."), "{broken}: the proxy's own bucket, not {counted}");
        }
    }

    #[test]
    fn so_many_hops_are_looked_at_and_no_more() {
        for (proxies, counted) in [(14, "203.0.113.5"), (15, "203.0.113.5"), (16, "10.0.0.2"), (10_000, "10.0.0.2")] {
            let line = format!("203.0.113.5{}", ", 10.0.0.2".repeat(proxies));
            assert_eq!(from("10.0.0.1", &[&line]), counted, "{proxies}");
        }
    }
}
