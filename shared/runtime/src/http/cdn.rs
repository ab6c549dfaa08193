//! Reads the caller's address and country from the headers of a CDN in front of the API.
//!
//! Behind a CDN every request comes from the CDN's address, and the CDN adds headers with the caller's address and
//! country. Anybody can send such headers to the API's original address, so they count only together with a secret that
//! the CDN alone knows. The setting contains the secret's SHA-256, which needs no protection and no call at start.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::settings::{self, EnvVars, SettingError};

/// Header in which the CDN sends its secret.
pub const SECRET_HEADER: &str = "x-consigne-edge";
/// CloudFront's header with the address. It always ends in a port, even behind an IPv6 address without brackets.
///
/// Source: Amazon CloudFront developer guide, "Add CloudFront request headers".
const CLOUDFRONT_ADDRESS: &str = "cloudfront-viewer-address";

/// The settings of the CDN. The default is no CDN.
#[derive(Clone, Debug, Default)]
pub struct Cdn {
    /// SHA-256 of each valid secret. There are two while one replaces the other.
    hashes: Vec<[u8; 32]>,
    address_header: Option<String>,
    country_header: Option<String>,
}

/// Where a request came from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CallerAddress {
    /// The other end of the connection is the caller.
    OfTheConnection,
    /// The CDN named the caller.
    Known(IpAddr),
    /// The request came through the CDN, and the CDN's header is missing or cannot be read. The connection's address is
    /// the CDN's own, which all its callers share, so it is not used.
    Unknown,
}

impl Cdn {
    /// Creates the settings from the secrets' SHA-256 (in hexadecimal, separated by commas) and the names of the
    /// headers.
    ///
    /// Returns `None` if a hash is not 64 hexadecimal digits.
    pub fn new(hashes: &str, address_header: Option<String>, country_header: Option<String>) -> Option<Self> {
        let hashes = hashes.split(',').filter(|hash| !hash.is_empty()).map(hash_of).collect::<Option<_>>()?;
        Some(Self { hashes, address_header, country_header })
    }

    /// Reads the settings.
    ///
    /// # Errors
    /// If a hash is not 64 hexadecimal digits.
    pub fn from_environment(environment: &EnvVars) -> Result<Self, SettingError> {
        let hashes = environment.optional(&settings::EDGE_SECRET_HASH).filter(|_| !environment.is_describing());
        let headers = [&settings::ADDRESS_HEADER, &settings::COUNTRY_HEADER].map(|name| environment.optional(name));
        let [address, country] = headers;
        let bad = || SettingError::new(&settings::EDGE_SECRET_HASH, "must be SHA-256 hashes of 64 hex digits");
        Self::new(&hashes.unwrap_or_default(), address, country).ok_or_else(bad)
    }

    /// Returns where the request came from, and the caller's country from the CDN's header. A request that did not come
    /// through the CDN has no country.
    pub(super) fn caller(&self, headers: &HeaderMap) -> (CallerAddress, Option<String>) {
        if !self.vouches_for(headers) {
            return (CallerAddress::OfTheConnection, None);
        }
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
        let address = match &self.address_header {
            None => CallerAddress::OfTheConnection,
            Some(name) => match text(name).and_then(|text| self.address(text)) {
                Some(address) => CallerAddress::Known(address),
                None => CallerAddress::Unknown,
            },
        };
        (address, self.country_header.as_deref().and_then(text).and_then(country))
    }

    fn vouches_for(&self, headers: &HeaderMap) -> bool {
        let Some(secret) = headers.get(SECRET_HEADER) else { return false };
        let hash: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        self.hashes.contains(&hash)
    }

    fn address(&self, text: &str) -> Option<IpAddr> {
        if self.address_header.as_deref() == Some(CLOUDFRONT_ADDRESS) {
            return text.rsplit_once(':')?.0.parse().ok();
        }
        text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
    }
}

/// Parses 64 hexadecimal digits.
fn hash_of(hex: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let plain = hex.len() == 64 && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2).filter(|_| plain)?, 16).ok()?;
    }
    Some(hash)
}

/// Parses a country code of ISO 3166: two letters.
fn country(text: &str) -> Option<String> {
    let letters = text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
    letters.then(|| text.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `edge-secret` and of `older-secret`, as `sha256sum` prints them.
    const HASH: &str = "0b863617d30f02eb2cc8e2f26787bdf34a19a06b7ab72c7da72185ed734fce13";
    const OLDER: &str = "2d0beb7784fd5a6336d327e67d5a56209c303da76525d43b95f2156811fccbf3";

    fn cdn(address_header: &str) -> Cdn {
        let hashes = format!("{HASH},{OLDER}");
        Cdn::new(&hashes, Some(address_header.to_owned()), Some("cloudfront-viewer-country".to_owned())).unwrap()
    }

    fn caller(cdn: &Cdn, sent: &[(&'static str, &str)]) -> (Option<String>, Option<String>) {
        let headers = sent.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let (address, country) = cdn.caller(&headers);
        let address = match address {
            CallerAddress::Known(address) => Some(address.to_string()),
            CallerAddress::OfTheConnection => None,
            CallerAddress::Unknown => Some("unknown".to_owned()),
        };
        (address, country)
    }

    #[test]
    fn address_and_country_count_only_beside_the_secret() {
        let sent = [("cloudfront-viewer-address", "198.51.100.7:4653"), ("cloudfront-viewer-country", "fr")];
        let believed = (Some("198.51.100.7".to_owned()), Some("FR".to_owned()));
        let with = |secret| [sent.as_slice(), &[("x-consigne-edge", secret)]].concat();
        let cdn = cdn("cloudfront-viewer-address");
        assert_eq!(caller(&cdn, &with("edge-secret")), believed);
        assert_eq!(caller(&cdn, &with("older-secret")), believed);
        for wrong in ["", "edge-secre", "edge-secret ", "EDGE-SECRET", HASH] {
            assert_eq!(caller(&cdn, &with(wrong)), (None, None), "{wrong:?}");
        }
        assert_eq!(caller(&cdn, &sent), (None, None));
        assert_eq!(caller(&Cdn::default(), &with("edge-secret")), (None, None), "no CDN is known");
    }

    #[test]
    fn every_spelling_of_an_address_is_read() {
        for (header, value, want) in [
            ("cloudfront-viewer-address", "198.51.100.7:46532", Some("198.51.100.7")),
            ("cloudfront-viewer-address", "2001:db8::1:4653", Some("2001:db8::1")),
            ("cloudfront-viewer-address", "198.51.100.7", Some("unknown")),
            ("cf-connecting-ip", "198.51.100.7", Some("198.51.100.7")),
            ("cf-connecting-ip", "2001:db8::1:4653", Some("2001:db8::1:4653")),
            ("cf-connecting-ip", "[2001:db8::1]:443", Some("2001:db8::1")),
            ("cf-connecting-ip", "198.51.100.7, 10.0.0.1", Some("unknown")),
            ("cf-connecting-ip", "somebody", Some("unknown")),
        ] {
            let headers = [("x-consigne-edge", "edge-secret"), (header, value)];
            assert_eq!(caller(&cdn(header), &headers).0.as_deref(), want, "{header}: {value}");
        }
        let secret_alone = [("x-consigne-edge", "edge-secret")];
        assert_eq!(
            caller(&cdn("cf-connecting-ip"), &secret_alone).0.as_deref(),
            Some("unknown"),
            "the header is missing"
        );
        let no_address = Cdn::new(HASH, None, None).unwrap();
        assert_eq!(caller(&no_address, &secret_alone).0, None, "no header is known");
    }

    #[test]
    fn a_country_is_two_letters() {
        let read =
            |value| caller(&cdn("x"), &[("x-consigne-edge", "edge-secret"), ("cloudfront-viewer-country", value)]).1;
        assert_eq!(read("de").as_deref(), Some("DE"));
        for bad in ["", "d", "deu", "d1", "dé"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn hashes_are_64_hex_digits_each() {
        assert!(Cdn::new("", None, None).is_some() && Cdn::new(HASH, None, None).is_some());
        for bad in ["x", &HASH[1..], &format!("{HASH},x"), &HASH.replace('a', "g"), &format!("+{}", &HASH[1..])] {
            assert!(Cdn::new(bad, None, None).is_none(), "{bad}");
        }
    }
}
