//! URLs to which webhooks are sent. Path and query may contain a secret of the receiver, so `Debug` shows only the
//! host.

use std::fmt;
use std::net::IpAddr;

use crate::Fault;
use crate::gateway::{Reach, address, host};

/// Longest URL, in bytes.
pub const URL_MAX: usize = 2048;
/// Longest host name. Source: RFC 1035, section 2.3.4.
const HOST_MAX: usize = 253;
/// Smallest allowed port, apart from 443. Lower ones belong to services other than web servers.
const PORT_MIN: u16 = 1024;
/// The port of HTTP.
const HTTP: u16 = 80;
/// The port of HTTPS.
const HTTPS: u16 = 443;
/// Characters that a URL may contain beside letters and digits. Source: RFC 3986, section 2, without `#` and the
/// brackets of IPv6 addresses.
const PLAIN: &[u8] = b"-._~!$&'()*+,;=:@/?%";

/// The URL of an endpoint: `https`, a public host in one spelling, a path, and perhaps a query.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HookUrl {
    text: String,
    /// Index at which the path begins.
    path: usize,
}

impl HookUrl {
    /// Parses a URL. It is stricter than the URL standard: a URL that two parsers could understand differently is
    /// refused. With `private`, private addresses are accepted too, and loopback addresses even without TLS.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `url`.
    pub fn parse(text: &str, private: bool) -> Result<Self, Fault> {
        Self::read(text, private).map_err(|problem| Fault::field("url", format!("url {problem}")))
    }

    /// Parses a stored URL. Check [`Self::is_allowed`] before calling it: the rules may have changed since.
    pub fn kept(text: &str) -> Option<Self> {
        Self::read(text, true).ok()
    }

    fn read(text: &str, private: bool) -> Result<Self, String> {
        if text.len() > URL_MAX {
            return Err(format!("must have at most {URL_MAX} bytes"));
        }
        let Some((scheme, rest)) = text.split_once("://") else { return Err("must begin with https://".to_owned()) };
        let at = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(at);
        let shape = shape_of(authority, target);
        if let Err(problem) = shape {
            return Err(problem.to_owned());
        }
        let url = Self { text: text.to_owned(), path: text.len() - target.len() };
        match scheme {
            "https" => {}
            "http" if private && url.is_loopback() => {}
            _ => return Err("must begin with https://".to_owned()),
        }
        if !private && url.port().is_some_and(|port| port != HTTPS && port < PORT_MIN) {
            return Err(format!("must have port {HTTPS} or a port from {PORT_MIN} to 65535"));
        }
        if url.is_allowed(private) { Ok(url) } else { Err("must have a public host".to_owned()) }
    }

    /// Returns whether the URL itself may be called. The addresses to which a host name resolves are checked
    /// separately, when it is resolved.
    pub fn is_allowed(&self, private: bool) -> bool {
        match address(self.authority_host()) {
            Some(ip) => Reach::of(ip).is_allowed(private),
            // A name without a dot is one of a local network.
            None => private || (self.host().contains('.') && !self.is_loopback()),
        }
    }

    /// Requires that all addresses to which the host name resolves may be called.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `url`.
    pub fn require_public(&self, addresses: &[IpAddr], private: bool) -> Result<(), Fault> {
        if addresses.iter().all(|address| Reach::of(*address).is_allowed(private)) {
            return Ok(());
        }
        Err(Fault::field("url", "url must have a public host"))
    }

    /// Returns the whole URL. It may contain a secret, so it must not be logged.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the host, without brackets.
    pub fn host(&self) -> &str {
        self.authority_host().trim_start_matches('[').trim_end_matches(']')
    }

    /// Returns whether the host is a name and not an IP address.
    pub fn is_named(&self) -> bool {
        address(self.authority_host()).is_none()
    }

    /// Returns scheme and authority.
    pub fn origin(&self) -> &str {
        &self.text[..self.path]
    }

    /// Returns path and query.
    pub fn target(&self) -> String {
        let target = &self.text[self.path..];
        if target.starts_with('/') { target.to_owned() } else { format!("/{target}") }
    }

    /// Returns the URL in one spelling, which two URLs have in common if they lead to the same place: the host in lower
    /// case, without the default port, with a path, and with percent-encoding only where it is needed.
    pub fn same(&self) -> String {
        let scheme = self.text.split_once("://").map_or("", |(scheme, _)| scheme);
        let default = if scheme == "http" { HTTP } else { HTTPS };
        let port = self.port().filter(|port| *port != default).map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{}{port}{}", self.authority_host().to_ascii_lowercase(), decode_plain(&self.target()))
    }

    fn authority(&self) -> &str {
        self.origin().split_once("://").map_or("", |(_, authority)| authority)
    }

    fn authority_host(&self) -> &str {
        host(self.authority()).unwrap_or_default()
    }

    fn port(&self) -> Option<u16> {
        self.authority()[self.authority_host().len()..].strip_prefix(':')?.parse().ok()
    }

    fn is_loopback(&self) -> bool {
        let name = self.host().to_ascii_lowercase();
        let local = name == "localhost" || name.ends_with(".localhost");
        local || address(self.authority_host()).is_some_and(|ip| ip.is_loopback())
    }
}

/// Checks the form of an authority and of what follows it.
fn shape_of(authority: &str, target: &str) -> Result<(), &'static str> {
    if authority.contains('@') {
        return Err("must not contain a user name or password");
    }
    let host =
        host(authority).map_err(|_| "must have a host in its plain form and, if it has a port, a number as port")?;
    if host.len() > HOST_MAX {
        return Err("must have a host of at most 253 characters");
    }
    if target.contains('#') {
        return Err("must not contain a fragment (#)");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || PLAIN.contains(&byte);
    let escaped = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !target.bytes().all(plain) || !target.split('%').skip(1).all(escaped) {
        return Err("must have only ASCII characters in path and query; percent-encode all others");
    }
    Ok(())
}

/// Decodes percent-encoded characters that mean the same without encoding, and writes the others in upper case. Source:
/// RFC 3986, section 6.2.2.
fn decode_plain(target: &str) -> String {
    let mut parts = target.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        match u8::from_str_radix(digits, 16) {
            Ok(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => out.push(char::from(byte)),
            _ => {
                out.push('%');
                out.push_str(&digits.to_ascii_uppercase());
            }
        }
        out.push_str(rest);
    }
    out
}

impl fmt::Debug for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HookUrl({}, ..)", self.host())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_taken(text: &str, private: bool) -> bool {
        HookUrl::parse(text, private).is_ok()
    }

    #[test]
    fn a_url_is_split_as_it_is_called() {
        for (text, host, origin, target) in [
            ("https://a.example", "a.example", "https://a.example", "/"),
            ("https://a.example/", "a.example", "https://a.example", "/"),
            ("https://a.example?x=1", "a.example", "https://a.example", "/?x=1"),
            ("https://A.example:8443/h/%41?t=a/b&u=c@d", "A.example", "https://A.example:8443", "/h/%41?t=a/b&u=c@d"),
            ("https://1.1.1.1/x", "1.1.1.1", "https://1.1.1.1", "/x"),
            ("https://[2600:1f18::1]:443/x", "2600:1f18::1", "https://[2600:1f18::1]:443", "/x"),
            ("https://xn--t-tfa.example/h", "xn--t-tfa.example", "https://xn--t-tfa.example", "/h"),
        ] {
            let url = HookUrl::parse(text, false).unwrap();
            assert_eq!((url.host(), url.origin(), url.target().as_str()), (host, origin, target));
            assert_eq!((url.as_str(), HookUrl::kept(text).as_ref()), (text, Some(&url)));
            assert!(!format!("{url:?}").contains("t=a"), "{url:?}");
        }
    }

    #[test]
    fn spellings_of_one_url_are_the_same() {
        let same = |text: &str| HookUrl::kept(text).unwrap().same();
        for spelling in [
            "https://A.Example/h%2fx/~a?t=%41",
            "https://a.example:443/h%2Fx/%7Ea?t=A",
            "https://a.example:0443/h%2Fx/%7ea?t=A",
        ] {
            assert_eq!(same(spelling), "https://a.example/h%2Fx/~a?t=A", "{spelling}");
        }
        assert_eq!(same("https://a.example"), same("https://a.example:443/"));
        assert_eq!(same("http://127.0.0.1:80"), same("http://127.0.0.1/"));
        for other in ["https://a.example/H", "https://a.example/h/", "https://a.example/h?", "https://a.example:8443/h"]
        {
            assert_ne!(same(other), same("https://a.example/h"));
        }
    }

    #[test]
    fn ambiguous_and_private_urls_are_refused_in_all_spellings() {
        let long = format!("https://a.example/{}", "a".repeat(URL_MAX));
        for bad in [
            "",
            "a.example",
            "//a.example",
            "https:a.example",
            "HTTPS://a.example",
            "ftp://a.example",
            "http://a.example",
            "http://1.1.1.1",
            "https://",
            "https:///x",
            "https://a b.example",
            "https://a.example/a b",
            "https://a.example/\r\nx: y",
            "https://a.example/é",
            "https://a.example/%",
            "https://a.example/%4",
            "https://a.example/%zz",
            "https://a.example/#x",
            "https://a.example#x",
            "https://a.example\\@127.0.0.1/",
            "https://a.example/\\x",
            "https://u@a.example",
            "https://u:p@a.example",
            "https://a.example:0",
            "https://a.example:22",
            "https://a.example:80",
            "https://a.example:65536",
            "https://a.example:",
            "https://a.example:+443",
            "https://a..example",
            "https://a.example.",
            "https://é.example",
            "https://intranet",
            "https://localhost",
            "https://LOCALHOST/",
            "https://a.localhost",
            "https://127.0.0.1",
            "https://127.1",
            "https://0x7f.1",
            "https://2130706433",
            "https://0x7f000001",
            "https://0177.0.0.1",
            "https://017700000001",
            "https://10.0.0.1",
            "https://172.16.0.1",
            "https://192.168.1.1",
            "https://100.64.0.1",
            "https://169.254.169.254/latest/meta-data/",
            "https://2852039166/",
            "https://0xa9fea9fe/",
            "https://0251.0376.0251.0376/",
            "https://169.254.43518/",
            "https://0.0.0.0",
            "https://[::1]",
            "https://[::]",
            "https://[::ffff:127.0.0.1]",
            "https://[::ffff:a9fe:a9fe]",
            "https://[::127.0.0.1]",
            "https://[64:ff9b::a9fe:a9fe]",
            "https://[64:ff9b::10.0.0.1]",
            "https://[2002:a9fe:a9fe::1]",
            "https://[2002:7f00:1::]",
            "https://[2001:0:a9fe:a9fe::]",
            "https://[fd00:ec2::254]",
            "https://[fe80::1]",
            "https://[fe80::1%25eth0]",
            "https://[fc00::1]",
            "https://[ff02::1]",
            "https://[::1",
            "https://①②⑦.0.0.1",
            &long,
        ] {
            assert!(!is_taken(bad, false), "{bad}");
        }
    }

    #[test]
    fn private_addresses_can_be_allowed_but_link_local_ones_never() {
        for good in [
            "http://127.0.0.1:9000/hooks",
            "http://localhost:9000",
            "http://[::1]:9000/",
            "https://10.0.0.1",
            "https://intranet:80/x",
            "https://a.example",
        ] {
            assert!(is_taken(good, true), "{good}");
        }
        for bad in [
            "http://a.example",
            "http://10.0.0.1",
            "http://169.254.169.254/",
            "https://169.254.169.254/",
            "https://[fd00:ec2::254]/",
            "https://[::ffff:169.254.169.254]/",
            "https://[fe80::1]",
            "https://0.0.0.0",
        ] {
            assert!(!is_taken(bad, true), "{bad}");
        }
        let kept = HookUrl::kept("http://127.0.0.1:9000/hooks").unwrap();
        assert!(kept.is_allowed(true) && !kept.is_allowed(false), "a stored url is checked again");
    }

    proptest! {
        #[test]
        fn an_accepted_url_is_safe_in_a_request_line(text in "https://[a-z0-9.:@%/?#\\[\\] \\\\x-]{1,40}") {
            if let Ok(url) = HookUrl::parse(&text, false) {
                prop_assert!(url.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(url.target().starts_with('/') && !url.target().contains('#'));
                let (whole, plain) = (format!("{}{}", url.origin(), url.target()), |text: &str| text.replace("/?", "?"));
                prop_assert_eq!(plain(&whole).trim_end_matches('/').to_owned(), plain(&text).trim_end_matches('/').to_owned());
                if let Ok(ip) = url.host().parse() {
                    prop_assert_eq!(Reach::of(ip), Reach::Public);
                }
            }
        }
    }
}
