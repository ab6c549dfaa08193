//! The text of an API key of an older installation. It has our prefix, but no checksum that reveals a mistyped key.

use consigne_core::keys::KeyMode;

use crate::KeyPrefix;

/// Fewest and most characters after the prefix.
const LENGTH: std::ops::RangeInclusive<usize> = 20..=128;

/// A text that may be a key of an older installation. `Debug` does not print it. It is borrowed, so that its owner can
/// wipe it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LegacyText<'a> {
    text: &'a str,
    environment: KeyMode,
}

impl std::fmt::Debug for LegacyText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LegacyText(..)")
    }
}

impl<'a> LegacyText<'a> {
    /// Parses the prefix's word, optionally `live` or `test`, and 20 to 128 letters, digits, hyphens and underscores.
    pub fn parse(prefix: &KeyPrefix, text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix(prefix.word())?.strip_prefix('_')?;
        let of = |environment: KeyMode| {
            let rest = rest.strip_prefix(environment.word())?.strip_prefix('_')?;
            Some((rest, environment))
        };
        // Some older installations did not write the mode into the key. Such a key counts as one for production.
        let (rest, environment) =
            of(KeyMode::Test).or_else(|| of(KeyMode::Production)).unwrap_or((rest, KeyMode::Production));
        let plain = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        (plain && LENGTH.contains(&rest.len())).then_some(Self { text, environment })
    }

    /// Returns the text, for code that must hash it.
    pub fn expose(&self) -> &'a str {
        self.text
    }

    /// Returns the key's mode, which decides what it spends.
    pub fn environment(&self) -> KeyMode {
        self.environment
    }

    /// Returns the last four characters, by which people tell keys apart.
    pub fn hint(&self) -> &'a str {
        &self.text[self.text.len() - 4..]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sk() -> KeyPrefix {
        KeyPrefix::parse("sk").unwrap()
    }

    #[test]
    fn the_prefix_decides_the_mode_of_a_key() {
        for (text, environment) in [
            ("sk_live_0123456789abcdef0123", KeyMode::Production),
            ("sk_test_0123456789abcdef0123", KeyMode::Test),
            ("sk_0123456789abcdef0123", KeyMode::Production),
            ("sk_prod_0123456789-_ZzA", KeyMode::Production),
        ] {
            let key = LegacyText::parse(&sk(), text).unwrap();
            assert_eq!((key.environment(), key.expose()), (environment, text));
            assert_eq!((key.hint(), format!("{key:?}").as_str()), (&text[text.len() - 4..], "LegacyText(..)"));
        }
    }

    #[test]
    fn other_shapes_are_no_keys() {
        let (short, long) = (format!("sk_live_{}", "a".repeat(19)), format!("sk_live_{}", "a".repeat(129)));
        let (just, most) = (format!("sk_live_{}", "a".repeat(20)), format!("sk_live_{}", "a".repeat(128)));
        for bad in ["", "sk_", &short, &long, "pk_live_0123456789abcdef0123", "sk_live_0123456789 abcdef0123"] {
            assert_eq!(LegacyText::parse(&sk(), bad), None, "{bad}");
        }
        assert_eq!(LegacyText::parse(&sk(), "sk_live_é0123456789abcdef0123"), None);
        assert!(LegacyText::parse(&sk(), &just).is_some() && LegacyText::parse(&sk(), &most).is_some());
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_parsed_unchanged_or_refused(text in ".*") {
            if let Some(key) = LegacyText::parse(&sk(), &text) {
                prop_assert_eq!(key.expose(), text.as_str());
            }
        }
    }
}
