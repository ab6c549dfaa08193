//! Secrets that do not print.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A secret read from the configuration. It has no `Display`, and its `Debug` does not show it.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// Smallest length of a secret, in bytes: the output size of SHA-256. Source: RFC 2104, section 3.
const SECRET_MIN: usize = 32;

impl Secret {
    /// Accepts at least 32 bytes that do not look like a placeholder.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        Self::of_at_least(SECRET_MIN, bytes)
    }

    /// Accepts at least `min` bytes that do not look like a placeholder, for secrets whose length a standard defines.
    pub(crate) fn of_at_least(min: usize, bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        let varied = bytes.iter().any(|byte| *byte != bytes[0]);
        let placeholder = bytes.to_ascii_lowercase().windows(8).any(|window| window == b"changeme");
        (bytes.len() >= min && varied && !placeholder).then_some(Self(bytes))
    }

    /// Wraps bytes that were derived from a secret. They need no check, because the secret was checked.
    pub(crate) fn derived(bytes: [u8; SECRET_MIN]) -> Self {
        Self(bytes.to_vec())
    }

    /// Computes the HMAC-SHA-256 of the joined `parts` with this secret as the key. The caller must make sure that two
    /// different texts never join to the same bytes. Source: RFC 2104.
    // HMAC takes keys of any length, so this cannot panic.
    #[allow(clippy::expect_used)]
    pub(crate) fn mac<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&self.0).expect("HMAC takes any key");
        for part in parts {
            mac.update(part);
        }
        mac
    }

    /// Returns the bytes, for code that computes with them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Writes each part after its length, so that ("ab", "c") and ("a", "bc") stay different.
pub(crate) fn framed(parts: &[&str]) -> Vec<u8> {
    parts.iter().flat_map(|part| [(part.len() as u64).to_be_bytes().as_slice(), part.as_bytes()].concat()).collect()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_placeholder_secrets_are_refused_and_good_ones_do_not_print() {
        for bad in ["", "short", "changeme-changeme-changeme-changeme", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"] {
            assert!(Secret::new(bad).is_none(), "{bad}");
        }
        let secret = Secret::new("0123456789abcdef0123456789abcdef");
        assert_eq!(format!("{secret:?}"), "Some(Secret(..))");
    }
}
