//! Decrypts the texts of an export: AES-256 in CBC mode with PKCS #7 padding, as Node's `aes-256-cbc` writes it.

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Bytes of a block, and of an initialisation vector.
const BLOCK: usize = 16;
/// Bytes of a key.
const KEY: usize = 32;

/// Decrypts texts. `Debug` does not show the key.
pub(super) struct Cipher(PaddedBlockDecryptingKey);

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher(..)")
    }
}

impl Cipher {
    /// Parses a key of 32 bytes in hex or base64.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let unfit = || "The key of the export must be 32 bytes in hex or base64.".to_owned();
        let bytes = Zeroizing::new(decoded(text.trim()).filter(|bytes| bytes.len() == KEY).ok_or_else(unfit)?);
        let key = UnboundCipherKey::new(&AES_256, &bytes).map_err(|_| unfit())?;
        PaddedBlockDecryptingKey::cbc_pkcs7(key).map(Self).map_err(|_| unfit())
    }

    /// Decrypts a text in any of the forms that exports have, each in hex or base64: `iv:text`; iv and text in separate
    /// fields; or both in one, the iv first. The plain text is wiped from memory when it is dropped.
    ///
    /// # Errors
    /// What is wrong, without any part of the text.
    pub(super) fn open(&self, sealed: &str, iv: Option<&str>) -> Result<Zeroizing<String>, &'static str> {
        let (iv, mut text) =
            parts(sealed, iv).ok_or("encryptedKey must contain a text and its iv, in hex or base64")?;
        if text.is_empty() || text.len() % BLOCK != 0 {
            return Err("encryptedKey must be a whole number of 16-byte blocks");
        }
        let context = DecryptionContext::Iv128(FixedLength::from(&iv));
        let wrong = "encryptedKey cannot be decrypted with this key";
        let plain = self.0.decrypt(text.as_mut_slice(), context).map_err(|_| wrong)?;
        // Checked before it is copied, so that an error contains nothing that must be wiped.
        let plain = std::str::from_utf8(plain).map_err(|_| wrong)?;
        Ok(Zeroizing::new(plain.to_owned()))
    }
}

/// Separates the initialisation vector from the text.
fn parts(sealed: &str, iv: Option<&str>) -> Option<([u8; BLOCK], Zeroizing<Vec<u8>>)> {
    let (iv, text) = match (iv, sealed.split_once(':')) {
        (Some(iv), _) => (decoded(iv)?, decoded(sealed)?),
        (None, Some((iv, text))) => (decoded(iv)?, decoded(text)?),
        (None, None) => {
            let both = decoded(sealed)?;
            let (iv, text) = both.split_at_checked(BLOCK)?;
            (iv.to_vec(), text.to_vec())
        }
    };
    Some((iv.try_into().ok()?, Zeroizing::new(text)))
}

/// Decodes hex, or base64 of either alphabet. A text that could be both counts as hex. The chance that 16 random bytes in
/// base64 look like hex is below one in ten thousand million.
fn decoded(text: &str) -> Option<Vec<u8>> {
    if text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        let digits = text.as_bytes().chunks(2);
        return digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect();
    }
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|engine| engine.decode(text).ok())
}

#[cfg(test)]
pub(super) mod tests {
    use aws_lc_rs::cipher::{EncryptionContext, PaddedBlockEncryptingKey};
    use proptest::prelude::*;

    use super::*;

    /// Encodes bytes in hex.
    pub(crate) fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    }

    /// Encrypts a text as an older installation did.
    pub(crate) fn sealed(key: &[u8; 32], iv: [u8; 16], plain: &str) -> Vec<u8> {
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, key).unwrap()).unwrap();
        let mut text = plain.as_bytes().to_vec();
        key.less_safe_encrypt(&mut text, EncryptionContext::Iv128(FixedLength::from(iv))).unwrap();
        text
    }

    #[test]
    fn what_node_sealed_is_opened() {
        // As `crypto.createCipheriv('aes-256-cbc', key, iv)` and `openssl enc -aes-256-cbc` write it.
        let key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let sealed = "101112131415161718191a1b1c1d1e1f:9eebe76cafba1f617668a5b83c55a71c2f2306584cdaf3e06e42b6965f16cd9cc29f242aa528f96483e7d4e409bf1575";
        let plain = Cipher::parse(key).unwrap().open(sealed, None).unwrap();
        assert_eq!(plain.as_str(), "sk_live_0123456789abcdefghijABCDEFGHIJ");
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for bad in ["", "short", &"0".repeat(63), &"0".repeat(66), &"z".repeat(64)] {
            let problem = Cipher::parse(bad).unwrap_err();
            assert!(problem.contains("32 bytes") && !problem.contains("short"), "{problem}");
        }
    }

    #[test]
    fn what_cannot_be_opened_is_named() {
        let cipher = Cipher::parse(&hex(&[7; 32])).unwrap();
        for (bad, why) in [
            ("é", "in hex or base64"),
            ("00:11", "in hex or base64"),
            (&format!("{}:", hex(&[1; 16])), "whole number of 16-byte blocks"),
            (&format!("{}:{}", hex(&[1; 16]), hex(&[1; 15])), "whole number of 16-byte blocks"),
            (&format!("{}:{}", hex(&[1; 16]), hex(&[1; 16])), "cannot be decrypted"),
        ] {
            assert!(cipher.open(bad, None).unwrap_err().contains(why), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_form_of_an_export_is_opened(key: [u8; 32], iv: [u8; 16], plain in "sk_[0-9A-Za-z_-]{20,128}") {
            let text = sealed(&key, iv, &plain);
            let both = [&iv[..], &text].concat();
            for written in [hex(&key), STANDARD.encode(key), URL_SAFE_NO_PAD.encode(key)] {
                let cipher = Cipher::parse(&written).unwrap();
                for (sealed, iv) in [
                    (format!("{}:{}", hex(&iv), hex(&text)), None),
                    (format!("{}:{}", STANDARD.encode(iv), STANDARD.encode(&text)), None),
                    (hex(&text), Some(hex(&iv))),
                    (STANDARD.encode(&text), Some(STANDARD.encode(iv))),
                    (STANDARD.encode(&both), None),
                    (hex(&both).to_uppercase(), None),
                ] {
                    let opened = cipher.open(&sealed, iv.as_deref()).unwrap();
                    prop_assert_eq!(opened.as_str(), &plain);
                }
            }
        }

        #[test]
        fn another_key_opens_nothing(key: [u8; 32], other: [u8; 32], iv: [u8; 16], plain in "sk_[0-9A-Za-z]{20,40}") {
            prop_assume!(key != other);
            let sealed = format!("{}:{}", hex(&iv), hex(&sealed(&key, iv, &plain)));
            let opened = Cipher::parse(&hex(&other)).unwrap().open(&sealed, None);
            prop_assert!(opened.is_err() || opened.unwrap().as_str() != plain);
        }
    }
}
