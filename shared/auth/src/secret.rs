//! Secrets that do not print.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A secret read from configuration. It has no `Display`, and its `Debug` says nothing.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// Fewest bytes a secret may have: the output size of SHA-256. Source: RFC 2104, section 3.
const SECRET_MIN: usize = 32;

impl Secret {
    /// Takes a secret of at least 32 bytes that does not look like a placeholder.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        Self::of_at_least(SECRET_MIN, bytes)
    }

    /// Takes a secret of which a standard says how many bytes it has at least.
    pub(crate) fn of_at_least(min: usize, bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        let varied = bytes.iter().any(|byte| *byte != bytes[0]);
        let placeholder = bytes.to_ascii_lowercase().windows(8).any(|window| window == b"changeme");
        (bytes.len() >= min && varied && !placeholder).then_some(Self(bytes))
    }

    /// Takes what was derived from a secret, which by that is one.
    pub(crate) fn derived(bytes: [u8; SECRET_MIN]) -> Self {
        Self(bytes.to_vec())
    }

    /// Authenticates a text made of parts with this secret as its key. Whoever calls sees to it that no two texts have the
    /// same parts behind one another. Source: RFC 2104.
    // HMAC takes keys of any length, so this cannot panic.
    #[allow(clippy::expect_used)]
    pub(crate) fn mac<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&self.0).expect("HMAC takes any key");
        for part in parts {
            mac.update(part);
        }
        mac
    }

    /// Gives the bytes to whoever computes with them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Writes each part behind its length, which keeps ("ab", "c") and ("a", "bc") apart.
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
