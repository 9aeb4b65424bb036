//! Which addresses a name may resolve to.
//!
//! A connector can put any name into a request that policy allows, and whoever
//! answers for the name decides where it leads. So the host looks at the
//! addresses and connects to the one it looked at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not reachable for a connector, or `None` if it is.
pub fn forbidden(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => forbidden_v4(address),
        IpAddr::V6(address) => forbidden_v6(address),
    }
}

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0, ..) => Some("this network"),
        (127, ..) => Some("loopback"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Some("private network"),
        (100, 64..=127, _) => Some("carrier-grade NAT"),
        // 169.254.169.254 and its neighbours: metadata services of the clouds.
        (169, 254, _) => Some("link-local or metadata service"),
        (192, 0, 0) => Some("protocol assignments"),
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => Some("documentation"),
        (198, 18..=19, _) => Some("benchmarking"),
        (224..=239, ..) => Some("multicast"),
        (240..=255, ..) => Some("reserved or broadcast"),
        _ => None,
    }
}

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address == Ipv6Addr::UNSPECIFIED {
        return Some("unspecified");
    }
    if address == Ipv6Addr::LOCALHOST {
        return Some("loopback");
    }
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        forbidden_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // IPv4-mapped and -compatible, NAT64 and 6to4 carry an IPv4 address.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => embedded(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x64, 0xff9b, 1, ..] => Some("local NAT64"),
        [0x2002, high, low, ..] => embedded(high, low),
        [0xfe80..=0xfebf, ..] => Some("link-local"),
        [0xfec0..=0xfeff, ..] => Some("site-local"),
        [0xfc00..=0xfdff, ..] => Some("private network"),
        [0xff00..=0xffff, ..] => Some("multicast"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some("documentation"),
        [0x2001, 0, ..] => Some("Teredo"),
        [0x100, 0, 0, 0, ..] => Some("discard"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_lead_inside_are_forbidden() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.31.0.1",
            "192.168.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
        ] {
            let parsed: IpAddr = address.parse().expect("an address");
            assert!(forbidden(parsed).is_some(), "{address} must be forbidden");
        }
    }

    #[test]
    fn public_addresses_are_reachable() {
        for address in ["1.1.1.1", "44.230.14.5", "172.32.0.1", "2606:4700::1111"] {
            let parsed: IpAddr = address.parse().expect("an address");
            assert_eq!(forbidden(parsed), None, "{address} must be reachable");
        }
    }
}
