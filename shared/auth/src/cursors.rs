//! Cursors of lists: encrypted and authenticated, so that a caller can neither read nor change one, nor use it in another
//! list than the one it was made for.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;

use crate::Secret;
use crate::secret::framed;

/// Encrypts and decrypts cursors with AES-256-GCM.
#[derive(Debug)]
pub struct CursorSeal {
    key: LessSafeKey,
    /// The key of the HMAC from which nonces are derived.
    nonces: Secret,
}

impl CursorSeal {
    /// Creates a seal whose keys are derived from `secret`.
    // A key of AES-256 is 32 bytes, which is what HMAC-SHA-256 returns, so this cannot panic.
    #[allow(clippy::expect_used, clippy::missing_panics_doc)]
    pub fn new(secret: &Secret) -> Self {
        let derived = |purpose: &[u8]| -> [u8; 32] { secret.mac([purpose]).finalize().into_bytes().into() };
        let key = UnboundKey::new(&AES_256_GCM, &derived(b"cursor key")).expect("the key has 32 bytes");
        Self { key: LessSafeKey::new(key), nonces: Secret::derived(derived(b"cursor nonces")) }
    }

    /// Encrypts a position for one context: the list, its owner and its filter.
    ///
    /// The nonce is derived from both, so it repeats only for the same cursor, which then is the same text again.
    /// Source: NIST SP 800-38D, section 8, which asks that a nonce never serves two messages.
    // AES-GCM encrypts up to 64 GB, and a position is a key of the table, so this cannot panic.
    #[allow(clippy::expect_used, clippy::missing_panics_doc)]
    pub fn seal(&self, context: &[&str], position: &str) -> String {
        let context = framed(context);
        let tag = self.nonces.mac([context.as_slice(), &u64::MAX.to_be_bytes(), position.as_bytes()]).finalize();
        let mut nonce = [0; NONCE_LEN];
        nonce.iter_mut().zip(tag.into_bytes()).for_each(|(byte, derived)| *byte = derived);
        let mut text = position.as_bytes().to_vec();
        let sealed = self.key.seal_in_place_append_tag(Nonce::from(&nonce), Aad::from(context), &mut text);
        sealed.expect("a position is short");
        URL_SAFE_NO_PAD.encode([&nonce[..], &text].concat())
    }

    /// Returns the position in a cursor, or `None` if it was altered or made for another context.
    pub fn open(&self, context: &[&str], cursor: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (nonce, text) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let position = self.key.open_in_place(nonce, Aad::from(framed(context)), &mut text).ok()?;
        String::from_utf8(position.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seal() -> CursorSeal {
        CursorSeal::new(&Secret::new("0123456789abcdef0123456789abcdef").unwrap())
    }

    #[test]
    fn a_cursor_opens_in_its_context_only() {
        let cursor = seal().seal(&["user_ann1", "image"], "here");
        assert_eq!(seal().open(&["user_ann1", "image"], &cursor).as_deref(), Some("here"));
        for other in [&["user_ann1", "video"][..], &["user_ann12", "image"], &["user_ann1"], &["user_ann1image"], &[]] {
            assert_eq!(seal().open(other, &cursor), None, "{other:?}");
        }
        let elsewhere = CursorSeal::new(&Secret::new("fedcba9876543210fedcba9876543210").unwrap());
        assert_eq!(elsewhere.open(&["user_ann1", "image"], &cursor), None);
    }

    #[test]
    fn no_bit_of_a_cursor_can_be_flipped() {
        let cursor = seal().seal(&["a"], "position");
        let bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(seal().open(&["a"], &URL_SAFE_NO_PAD.encode(altered)), None);
        }
    }

    #[test]
    fn a_cursor_does_not_show_its_position() {
        let cursor = seal().seal(&["a"], r#"{"start":{"pk":"ORG#1"}}"#);
        let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("ORG"));
    }

    proptest! {
        #[test]
        fn anything_seals_and_opens_and_garbage_does_not(position in ".*", garbage in ".*") {
            let seal = seal();
            prop_assert_eq!(seal.open(&["c"], &seal.seal(&["c"], &position)), Some(position));
            prop_assert_eq!(seal.open(&["c"], &garbage), None);
        }
    }
}
