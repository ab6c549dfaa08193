//! The upstreams of services, as the setting lists them. The gateway calls no other servers.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::Reach;
use crate::services::{Service, service};
use crate::{Code, Fault};

/// The server to which calls of one service go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Scheme and authority, such as `https://pdf.example.com:8443`.
    pub origin: String,
    /// Base path of all calls, without a slash at the end; empty for the root.
    pub base: String,
}

/// The upstreams, by service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstreams {
    by_service: BTreeMap<&'static str, Upstream>,
    /// Whether upstreams may have private addresses.
    pub private: bool,
}

/// Why the setting cannot be parsed. It is safe to log: of the setting it contains only the name of a service.
#[derive(Debug, PartialEq, Eq)]
pub struct UpstreamsError(String);

impl fmt::Display for UpstreamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UpstreamsError {}

impl Upstreams {
    /// Parses `{"pdf": "https://..."}` or `pdf=https://...,ai=https://...`. An empty text means no upstreams. With
    /// `private`, private addresses are accepted too, and loopback addresses even without TLS.
    ///
    /// # Errors
    /// If the text has another form, a service is unknown or named twice, or an address must not be called.
    pub fn parse(text: &str, private: bool) -> Result<Self, UpstreamsError> {
        let mut by_service = BTreeMap::new();
        for (name, address) in pairs(text.trim())? {
            let Some(service) = service(&name) else {
                return Err(UpstreamsError(format!("names the unknown service {name:?}")));
            };
            let upstream = Upstream::parse(&address, private)
                .map_err(|problem| UpstreamsError(format!("gives {name} an upstream that {problem}")))?;
            if by_service.insert(service.name, upstream).is_some() {
                return Err(UpstreamsError(format!("names {name} twice")));
            }
        }
        Ok(Self { by_service, private })
    }

    /// Returns the upstream of a service.
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` if the setting has none.
    pub fn of(&self, service: &Service) -> Result<&Upstream, Fault> {
        let none = || {
            let message = format!("service `{}` has no upstream; set the parameter Upstreams", service.name);
            Fault::new(Code::ServiceUnavailable, message).detail("service", service.name)
        };
        self.by_service.get(service.name).ok_or_else(none)
    }
}

fn pairs(text: &str) -> Result<Vec<(String, String)>, UpstreamsError> {
    if text.starts_with('{') {
        let read: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(text);
        let read = read.map_err(|_| UpstreamsError("is not a JSON object of addresses by service".to_owned()))?;
        let address = |(name, value): (String, serde_json::Value)| Some((name, value.as_str()?.to_owned()));
        let pairs: Option<Vec<_>> = read.into_iter().map(address).collect();
        return pairs.ok_or_else(|| UpstreamsError("contains a value that is not an address".to_owned()));
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, address) =
                part.split_once('=').ok_or_else(|| UpstreamsError("is not a list of service=url".to_owned()))?;
            Ok((name.trim().to_owned(), address.trim().to_owned()))
        })
        .collect()
}

impl Upstream {
    /// Parses `https://host`, with an optional port and path. It is stricter than the URL standard: a URL that two
    /// parsers could understand differently is refused.
    ///
    /// # Errors
    /// The problem, as the end of a sentence such as "an upstream that has no TLS".
    pub fn parse(text: &str, private: bool) -> Result<Self, &'static str> {
        let Some((scheme, rest)) = text.split_once("://") else { return Err("is not a URL") };
        let at = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let host = host(authority)?;
        let loopback = host.eq_ignore_ascii_case("localhost") || address(host).is_some_and(|ip| ip.is_loopback());
        match scheme {
            "https" => {}
            "http" if loopback && private => {}
            "http" => return Err("has no TLS; use https"),
            _ => return Err("has a protocol other than HTTP; use https"),
        }
        let allowed = match address(host) {
            Some(ip) => Reach::of(ip).is_allowed(private),
            None => !loopback || private,
        };
        if !allowed {
            return Err("has an address that is not allowed");
        }
        let base = path.trim_end_matches('/');
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
        let hops = |segment: &str| segment.is_empty() || segment.chars().all(|c| c == '.');
        if !base.bytes().all(plain) || base.split('/').skip(1).any(hops) {
            return Err("has a path that is not plain");
        }
        Ok(Self { origin: format!("{scheme}://{authority}"), base: base.to_owned() })
    }
}

/// Returns the host of an authority, including brackets.
///
/// # Errors
/// If the authority has a user name, a malformed port, or a host in an unusual spelling.
pub(crate) fn host(authority: &str) -> Result<&str, &'static str> {
    let end = if authority.starts_with('[') { authority.find(']').map(|at| at + 1) } else { authority.find(':') };
    let (host, port) = authority.split_at(end.unwrap_or(authority.len()));
    let is_port =
        |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    let port_is_valid = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    let label = |label: &str| {
        let edges = !label.starts_with('-') && !label.ends_with('-');
        !label.is_empty() && edges && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    // A name that ends in a number is another spelling of an IP address. Only one spelling is accepted.
    let number =
        |label: &str| label.bytes().all(|b| b.is_ascii_digit()) || label.to_ascii_lowercase().starts_with("0x");
    let named = host.split('.').all(label) && !host.rsplit('.').next().is_some_and(number);
    if port_is_valid && (named || address(host).is_some()) { Ok(host) } else { Err("has no plain host and port") }
}

/// Parses a host that is an IP address.
pub(crate) fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(v6) => v6.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin_and_base(text: &str, private: bool) -> Result<(String, String), &'static str> {
        Upstream::parse(text, private).map(|upstream| (upstream.origin, upstream.base))
    }

    #[test]
    fn both_forms_of_the_setting_are_equivalent() {
        let json = Upstreams::parse(r#"{"pdf": "https://pdf.example.com", "ai": "https://ai.example.com/v2/"}"#, false);
        let list = Upstreams::parse(" pdf=https://pdf.example.com , ai=https://ai.example.com/v2,", false);
        assert_eq!(json, list);
        let (pdf, mileage) = (service("pdf").unwrap(), service("mileage").unwrap());
        let upstreams = list.unwrap();
        assert_eq!(upstreams.of(pdf).unwrap().origin, "https://pdf.example.com");
        assert_eq!(upstreams.of(mileage).unwrap_err().code, Code::ServiceUnavailable);
        assert_eq!(Upstreams::parse("", false), Ok(Upstreams::default()));
        assert_eq!(Upstreams::parse("{}", false), Ok(Upstreams::default()));
    }

    #[test]
    fn a_malformed_setting_names_the_problem() {
        for (text, want) in [
            ("pdf", "is not a list of service=url"),
            ("{\"pdf\"", "is not a JSON object of addresses by service"),
            ("{\"pdf\": 1}", "contains a value that is not an address"),
            ("fax=https://a.example", "names the unknown service \"fax\""),
            ("pdf=https://a.example,pdf=https://b.example", "names pdf twice"),
            ("pdf=http://a.example", "gives pdf an upstream that has no TLS; use https"),
        ] {
            assert_eq!(Upstreams::parse(text, false).unwrap_err().to_string(), want, "{text}");
        }
    }

    #[test]
    fn addresses_have_only_one_spelling() {
        let good = |text: &str, origin: &str, base: &str| {
            assert_eq!(origin_and_base(text, false), Ok((origin.to_owned(), base.to_owned())), "{text}");
        };
        good("https://a.example", "https://a.example", "");
        good("https://a.example:8443/", "https://a.example:8443", "");
        good("https://a-b.example/v1/pdf/", "https://a-b.example", "/v1/pdf");
        good("https://1.1.1.1/x", "https://1.1.1.1", "/x");
        good("https://[2600:1f18::1]:8443", "https://[2600:1f18::1]:8443", "");
        for bad in [
            "",
            "a.example",
            "//a.example",
            "ftp://a.example",
            "HTTPS://a.example",
            "https://",
            "https:///x",
            "https://a b",
            "https://u@a.example",
            "https://u:p@a.example",
            "https://a.example:0",
            "https://a.example:65536",
            "https://a.example:",
            "https://a.example:+1",
            "https://a..example",
            "https://.example",
            "https://-a.example",
            "https://a_b.example",
            "https://a.example\\@b.example",
            "https://a.example?x",
            "https://a.example/?x",
            "https://a.example#x",
            "https://a.example/a//b",
            "https://a.example/../b",
            "https://a.example/%2e%2e/b",
            "https://a.example/.",
            "https://127.1",
            "https://2130706433",
            "https://0x7f000001",
            "https://0177.0.0.1",
            "https://[::1",
            "https://[a.example]",
            "https://é.example",
        ] {
            assert!(origin_and_base(bad, true).is_err(), "{bad}");
        }
    }

    #[test]
    fn private_addresses_can_be_allowed_but_link_local_ones_never() {
        for (text, without, with) in [
            ("https://a.example", true, true),
            ("http://a.example", false, false),
            ("http://127.0.0.1:8000", false, true),
            ("http://localhost:8000", false, true),
            ("http://[::1]:8000", false, true),
            ("https://localhost", false, true),
            ("https://10.0.0.1", false, true),
            ("http://10.0.0.1", false, false),
            ("https://[fd12::1]", false, true),
            ("https://169.254.169.254", false, false),
            ("https://[fe80::1]", false, false),
            ("https://0.0.0.0", false, false),
        ] {
            let taken = [false, true].map(|private| origin_and_base(text, private).is_ok());
            assert_eq!(taken, [without, with], "{text}");
        }
    }
}
