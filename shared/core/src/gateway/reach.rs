//! The network of an IP address, and whether it may be called.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The reach of an IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A public address, which may always be called.
    Public,
    /// A loopback, private or shared address.
    Private,
    /// An address that must never be called: link-local addresses, where clouds serve credentials, and addresses that
    /// do not belong to a single host.
    Never,
}

impl Reach {
    /// Returns the reach of an address. Source: the IANA special-purpose address registries for IPv4 and IPv6.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }

    /// Returns whether the address may be called. With `private`, private addresses may be called too.
    pub fn is_allowed(self, private: bool) -> bool {
        match self {
            Self::Public => true,
            Self::Private => private,
            Self::Never => false,
        }
    }
}

fn of_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [0 | 224..=255, ..] | [169, 254, ..] | [192, 0, 0, _] => Reach::Never,
        [10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] | [198, 18 | 19, ..] => {
            Reach::Private
        }
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Reach::Private,
        _ => Reach::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Reach {
    if let Some(inner) = address.to_ipv4_mapped() {
        return of_v4(inner);
    }
    let [first, second, third, .., sixth, seventh, eighth] = address.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        of_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (first, second) {
        // AWS also serves instance metadata here, at `fd00:ec2::254`.
        (0xfd00, 0x0ec2) => Reach::Never,
        _ if address == Ipv6Addr::LOCALHOST => Reach::Private,
        // These IPv6 addresses contain an IPv4 address (NAT64 and 6to4), whose reach counts.
        (0x64, 0xff9b) if third == 0 && sixth == 0 => inner(seventh, eighth),
        (0x2002, _) => inner(second, third),
        (0xfc00..=0xfdff, _) | (0x2001, 0x0db8) | (0x64, 0xff9b) => Reach::Private,
        (0x2001, 0..=0x01ff) => Reach::Never,
        (0x2000..=0x3fff, _) => Reach::Public,
        _ => Reach::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_address_has_its_reach() {
        for (text, want) in [
            ("1.1.1.1", Reach::Public),
            ("172.15.255.255", Reach::Public),
            ("172.32.0.0", Reach::Public),
            ("100.63.255.255", Reach::Public),
            ("192.0.1.1", Reach::Public),
            ("2600:1f18::1", Reach::Public),
            ("64:ff9b::1.1.1.1", Reach::Public),
            ("2002:0101:0101::1", Reach::Public),
            ("127.0.0.1", Reach::Private),
            ("127.255.255.254", Reach::Private),
            ("10.0.0.1", Reach::Private),
            ("172.16.0.1", Reach::Private),
            ("172.31.255.255", Reach::Private),
            ("192.168.1.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("::1", Reach::Private),
            ("::ffff:10.0.0.1", Reach::Private),
            ("64:ff9b::10.0.0.1", Reach::Private),
            ("fd12::1", Reach::Private),
            ("0.0.0.0", Reach::Never),
            ("169.254.169.254", Reach::Never),
            ("::ffff:169.254.169.254", Reach::Never),
            ("64:ff9b::169.254.169.254", Reach::Never),
            ("2002:a9fe:a9fe::1", Reach::Never),
            ("fd00:ec2::254", Reach::Never),
            ("fe80::1", Reach::Never),
            ("::", Reach::Never),
            ("::127.0.0.1", Reach::Never),
            ("ff02::1", Reach::Never),
            ("2001::1", Reach::Never),
            ("224.0.0.1", Reach::Never),
            ("255.255.255.255", Reach::Never),
        ] {
            assert_eq!(Reach::of(text.parse().unwrap()), want, "{text}");
        }
    }

    #[test]
    fn private_addresses_can_be_allowed_and_forbidden_ones_never() {
        let allowed = |reach: Reach| [reach.is_allowed(false), reach.is_allowed(true)];
        assert_eq!(allowed(Reach::Public), [true, true]);
        assert_eq!(allowed(Reach::Private), [false, true]);
        assert_eq!(allowed(Reach::Never), [false, false]);
    }
}
