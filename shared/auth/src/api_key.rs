//! The text of an API key. It is shown once; afterwards only its MAC is known.
//!
//! It is `sk_live_` or `sk_test_`, then 43 base-62 characters: 37 with the key's 220 bits, and 6 with the CRC-32 of
//! everything before them. So a mistyped or invented key is refused without a lookup.

use consigne_core::keys::KeyMode;

/// The digits of base 62 in ASCII order, as in GitHub's and Stripe's keys.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Number of characters that carry the key's bits.
const RANDOM: usize = 37;
/// Number of characters of the checksum: the fewest that hold 32 bits.
const CHECKSUM: usize = 6;

/// The word keys start with. Stripe's keys start with `sk` too, so an installation may choose another word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// Parses a word of 2 to 12 lower-case letters and digits.
    pub fn parse(word: &str) -> Option<Self> {
        let plain = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        (plain && (2..=12).contains(&word.len())).then(|| Self(word.to_owned()))
    }

    /// Returns the word, such as `sk`.
    pub fn word(&self) -> &str {
        &self.0
    }

    /// Returns the common prefix of all keys of a mode, without the last underscore, such as `sk_live`.
    pub fn of(&self, environment: KeyMode) -> String {
        format!("{}_{}", self.0, environment.word())
    }
}

/// A key as its owner holds it. `Debug` does not print it; [`Self::expose`] is for the one answer that shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(String);

impl std::fmt::Debug for KeyText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyText(..)")
    }
}

impl KeyText {
    /// Builds a key from 32 random or derived bytes. They must be unguessable.
    pub fn write(prefix: &KeyPrefix, environment: KeyMode, entropy: [u8; 32]) -> Self {
        let mut text = prefix.of(environment);
        text.push('_');
        let mut number = entropy;
        for _ in 0..RANDOM {
            text.push(char::from(DIGITS[usize::from(divide(&mut number))]));
        }
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self(text)
    }

    /// Parses a key of this installation. Prefix, length, alphabet and checksum must be right. Looks nothing up.
    pub fn parse(prefix: &KeyPrefix, text: &str) -> Option<Self> {
        let random = text.len().checked_sub(CHECKSUM)?;
        let (body, end) = text.split_at_checked(random)?;
        let own = [KeyMode::Production, KeyMode::Test].iter().any(|environment| {
            let start = prefix.of(*environment);
            body.strip_prefix(&start)
                .and_then(|rest| rest.strip_prefix('_'))
                .is_some_and(|rest| rest.len() == RANDOM && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
        });
        (own && checksum(body) == end).then(|| Self(text.to_owned()))
    }

    /// Returns the text, for code that must show or hash it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the last four characters, by which people tell keys apart.
    pub fn hint(&self) -> &str {
        &self.0[self.0.len() - 4..]
    }
}

/// Returns whether a credential looks like an API key of any installation: a word, `_live_` or `_test_`, and no dots.
pub(crate) fn looks_like_key(text: &str) -> bool {
    let mut parts = text.splitn(3, '_');
    let word = parts.next().and_then(KeyPrefix::parse);
    word.is_some()
        && matches!(parts.next(), Some("live" | "test"))
        && parts.next().is_some_and(|rest| !rest.contains('.'))
}

/// Returns the CRC-32 (ISO 3309, as in zip) of a text in base 62.
fn checksum(text: &str) -> String {
    let mut crc = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(crc % 62) as usize];
        crc /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// Divides a big-endian number by 62 and returns the remainder.
///
/// 2^256 is not a multiple of 62^37, so some keys are more likely than others, but by less than one part in 2^35.
fn divide(number: &mut [u8; 32]) -> u8 {
    let mut rest: u16 = 0;
    for byte in number.iter_mut() {
        let value = rest << 8 | u16::from(*byte);
        // The quotient fits a byte: the largest value, 61 * 256 + 255, divided by 62 is below 256.
        *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
        rest = value % 62;
    }
    u8::try_from(rest).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sk() -> KeyPrefix {
        KeyPrefix::parse("sk").unwrap()
    }

    #[test]
    fn a_key_starts_with_its_mode_and_does_not_print() {
        let key = KeyText::write(&sk(), KeyMode::Production, [7; 32]);
        assert_eq!(key.expose().len(), "sk_live_".len() + 43);
        assert!(key.expose().starts_with("sk_live_"));
        assert_eq!(key.hint(), &key.expose()[47..]);
        assert_eq!(format!("{key:?}"), "KeyText(..)");
        assert!(KeyText::write(&sk(), KeyMode::Test, [7; 32]).expose().starts_with("sk_test_"));
    }

    #[test]
    fn keys_of_other_shapes_are_refused() {
        let key = KeyText::write(&sk(), KeyMode::Production, [7; 32]);
        let text = key.expose();
        let swapped = text.replacen("live", "test", 1);
        let cut = &text[..text.len() - 1];
        let longer = format!("{text}0");
        let other = KeyText::write(&KeyPrefix::parse("ck").unwrap(), KeyMode::Production, [7; 32]);
        for bad in ["", "sk_live_", "é", cut, &longer, &swapped, other.expose(), &text.to_uppercase()] {
            assert_eq!(KeyText::parse(&sk(), bad), None, "{bad}");
        }
    }

    #[test]
    fn keys_of_any_installation_are_distinguished_from_tokens() {
        for key in ["sk_live_x", "sk_test_", "acme_live_0aZ"] {
            assert!(looks_like_key(key), "{key}");
        }
        for token in ["", "live_x", "eyJ_live_x.y.z", "sk_other_x", "SK_live_x"] {
            assert!(!looks_like_key(token), "{token}");
        }
    }

    proptest! {
        #[test]
        fn every_key_reads_back_and_no_changed_character_passes(
            entropy: [u8; 32], test: bool, at in 0_usize..51, to in "[0-9A-Za-z_]",
        ) {
            let environment = if test { KeyMode::Test } else { KeyMode::Production };
            let key = KeyText::write(&sk(), environment, entropy);
            prop_assert_eq!(KeyText::parse(&sk(), key.expose()), Some(key.clone()));
            let mut changed = key.expose().to_owned();
            changed.replace_range(at..=at, &to);
            prop_assert_eq!(KeyText::parse(&sk(), &changed).is_some(), changed == key.expose());
        }

        #[test]
        fn two_keys_differ(a: [u8; 32], b: [u8; 32]) {
            let write = |entropy| KeyText::write(&sk(), KeyMode::Production, entropy);
            prop_assert_eq!(write(a) == write(b), a == b);
        }

        #[test]
        fn arbitrary_text_is_refused(text in ".*") {
            prop_assert_eq!(KeyText::parse(&sk(), &text), None);
        }
    }
}
