//! Sealed text: its holder can read it, but cannot change it or use it in another context than the one it was made for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::Secret;
use crate::secret::framed;

/// Bytes of the tag that are kept. 128 bits cannot be guessed. Source: RFC 2104, section 5.
const TAG: usize = 16;

/// Seals and opens text with HMAC-SHA-256.
#[derive(Clone, Debug)]
pub struct Seal {
    secret: Secret,
}

impl Seal {
    /// Creates a seal with the key `secret`.
    pub fn new(secret: Secret) -> Self {
        Self { secret }
    }

    /// Seals a payload for one context, such as its owner and its purpose. The payload is encoded, not encrypted.
    pub fn seal(&self, context: &[&str], payload: &str) -> String {
        let tag = self.mac(context, payload.as_bytes()).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([&tag[..TAG], payload.as_bytes()].concat())
    }

    /// Returns the payload of a sealed text, or `None` if it was altered or made for another context.
    pub fn open(&self, context: &[&str], sealed: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (tag, payload) = bytes.split_at_checked(TAG)?;
        self.mac(context, payload).verify_truncated_left(tag).ok()?;
        String::from_utf8(payload.to_vec()).ok()
    }

    fn mac(&self, context: &[&str], payload: &[u8]) -> Hmac<Sha256> {
        self.secret.mac([framed(context).as_slice(), &u64::MAX.to_be_bytes(), payload])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seal() -> Seal {
        Seal::new(Secret::new("0123456789abcdef0123456789abcdef").unwrap())
    }

    #[test]
    fn a_sealed_text_opens_in_its_context_only() {
        let sealed = seal().seal(&["user_ann1", "image"], "here");
        assert_eq!(seal().open(&["user_ann1", "image"], &sealed).as_deref(), Some("here"));
        for other in [&["user_ann1", "video"][..], &["user_ann12", "image"], &["user_ann1"], &["user_ann1image"], &[]] {
            assert_eq!(seal().open(other, &sealed), None, "{other:?}");
        }
    }

    #[test]
    fn no_bit_of_a_sealed_text_can_be_flipped() {
        let sealed = seal().seal(&["a"], "payload");
        let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(seal().open(&["a"], &URL_SAFE_NO_PAD.encode(altered)), None);
        }
    }

    proptest! {
        #[test]
        fn anything_seals_and_opens_and_garbage_does_not(payload in ".*", garbage in ".*") {
            let seal = seal();
            prop_assert_eq!(seal.open(&["c"], &seal.seal(&["c"], &payload)), Some(payload));
            prop_assert_eq!(seal.open(&["c"], &garbage), None);
        }
    }
}
