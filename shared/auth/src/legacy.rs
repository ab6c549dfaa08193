//! The text of an API key of an older installation. It may have any prefix, and has no checksum that reveals a mistyped
//! key.

use consigne_core::keys::KeyMode;

use crate::KeyPrefix;

/// Fewest and most characters after the prefix.
const LENGTH: std::ops::RangeInclusive<usize> = 20..=128;
/// Fewest and most characters of a key with another prefix, which are counted with the prefix.
const OTHER_LENGTH: std::ops::RangeInclusive<usize> = 20..=160;
/// Longest word at the start of a key that is shown as its prefix, in characters. A longer one may be part of the secret.
const WORD_MAX: usize = 10;

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
    /// Parses a key of any prefix: with this installation's as [`Self::with_prefix`] does, else 20 to 160 letters, digits,
    /// hyphens and underscores. Such a key counts as one for tests if `test` follows its first `_`.
    pub fn parse(prefix: &KeyPrefix, text: &'a str) -> Option<Self> {
        let ours = text.strip_prefix(prefix.word()).is_some_and(|rest| rest.starts_with('_'));
        if ours {
            return Self::with_prefix(prefix, text);
        }
        let is_test = text.split('_').nth(1) == Some(KeyMode::Test.word());
        let environment = if is_test { KeyMode::Test } else { KeyMode::Production };
        (is_plain(text) && OTHER_LENGTH.contains(&text.len())).then_some(Self { text, environment })
    }

    /// Parses the prefix's word, optionally `live` or `test`, and 20 to 128 letters, digits, hyphens and underscores.
    pub fn with_prefix(prefix: &KeyPrefix, text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix(prefix.word())?.strip_prefix('_')?;
        let of = |environment: KeyMode| {
            let rest = rest.strip_prefix(environment.word())?.strip_prefix('_')?;
            Some((rest, environment))
        };
        // Some older installations did not write the mode into the key. Such a key counts as one for production.
        let (rest, environment) =
            of(KeyMode::Test).or_else(|| of(KeyMode::Production)).unwrap_or((rest, KeyMode::Production));
        (is_plain(rest) && LENGTH.contains(&rest.len())).then_some(Self { text, environment })
    }

    /// Returns the text, for code that must hash it.
    pub fn expose(&self) -> &'a str {
        self.text
    }

    /// Returns the key's mode, which decides what it spends.
    pub fn environment(&self) -> KeyMode {
        self.environment
    }

    /// Returns the start of the text that may be shown, such as `pk_live`; empty if the text has no short word before its
    /// first `_`.
    pub fn prefix(&self) -> &'a str {
        let Some((word, rest)) = self.text.split_once('_').filter(|(word, _)| word.len() <= WORD_MAX) else {
            return "";
        };
        let mode = [KeyMode::Test, KeyMode::Production].map(KeyMode::word).into_iter();
        let mode = mode.filter(|mode| rest.strip_prefix(mode).is_some_and(|rest| rest.starts_with('_')));
        &self.text[..word.len() + mode.map(|mode| mode.len() + 1).sum::<usize>()]
    }

    /// Returns the last four characters, by which people tell keys apart.
    pub fn hint(&self) -> &'a str {
        &self.text[self.text.len() - 4..]
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
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
    fn a_key_of_another_prefix_shows_its_word_and_last_characters() {
        for (text, environment, prefix) in [
            ("pk_live_0123456789abcdef0123", KeyMode::Production, "pk_live"),
            ("acme_test_0123456789abcdef", KeyMode::Test, "acme_test"),
            ("acme_0123456789abcdef0123", KeyMode::Production, "acme"),
            ("0123456789abcdef0123", KeyMode::Production, ""),
            ("0123456789abcdef_0123", KeyMode::Production, ""),
            ("skip_0123456789abcdef0123", KeyMode::Production, "skip"),
        ] {
            let key = LegacyText::parse(&sk(), text).unwrap();
            assert_eq!((key.environment(), key.prefix()), (environment, prefix), "{text}");
            assert_eq!(LegacyText::with_prefix(&sk(), text), None, "{text}");
        }
        assert_eq!(LegacyText::parse(&sk(), &"a".repeat(161)), None);
    }

    #[test]
    fn other_shapes_are_no_keys() {
        let (short, long) = (format!("sk_live_{}", "a".repeat(19)), format!("sk_live_{}", "a".repeat(129)));
        let (just, most) = (format!("sk_live_{}", "a".repeat(20)), format!("sk_live_{}", "a".repeat(128)));
        for bad in
            ["", "sk_", &short, &long, "pk_live_0123", "sk_live_0123456789 abcdef0123", "pk_live_0123456789.abcdef0123"]
        {
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
