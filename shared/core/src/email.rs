//! E-mail addresses. Each has one spelling, so that two can be compared, and contains nothing that could break a mail's
//! header.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::Fault;
use crate::text::pasted;

/// Longest address, in bytes. Source: RFC 5321, section 4.5.3.1.3, without the angle brackets around it.
const ADDRESS_MAX: usize = 254;
/// Longest part before the `@`, in bytes. Source: RFC 5321, section 4.5.3.1.1.
const LOCAL_MAX: usize = 64;
/// Longest label of a domain, in characters. Source: RFC 1035, section 2.3.4.
const LABEL_MAX: usize = 63;

/// An address to which mail can be sent, in lower case and NFC. `Debug` does not show it, because logs must not contain
/// addresses.
///
/// Upper and lower case are the same before the `@` too: no serious provider distinguishes them, and people write both.
/// A suffix after `+` is kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Parses an address of the common form `local@domain.tld`, without quotes, comments, routes or spaces.
    ///
    /// The part before the `@` must be ASCII, because SES accepts nothing else. The domain may be international. It is
    /// kept as written and not converted to ASCII. Spaces around the address are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let address: String = pasted(text).nfc().flat_map(char::to_lowercase).nfc().collect();
        let (local, domain) = address.split_once('@')?;
        let fits = address.len() <= ADDRESS_MAX && local.len() <= LOCAL_MAX;
        (fits && local.split('.').all(is_word) && is_domain(domain)).then_some(Self(address))
    }

    /// Parses a field of a request.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming the field.
    pub fn of_field(field: &str, text: &str) -> Result<Self, Fault> {
        let problem = || Fault::field(field, format!("{field} must be an e-mail address such as ann@example.com"));
        Self::parse(text).ok_or_else(problem)
    }

    /// Returns the address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(..)")
    }
}

/// Returns whether a text may stand between two dots before the `@`. Source: RFC 5322, section 3.2.3, `atext`.
fn is_word(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
}

fn is_domain(domain: &str) -> bool {
    let labels: Vec<&str> = domain.split('.').collect();
    // A last label without letters would be part of an IP address.
    let top = labels.last().is_some_and(|top| top.chars().any(char::is_alphabetic));
    // Letters that only look different, such as full-width ones, would be a second spelling of the domain.
    labels.len() >= 2 && top && labels.into_iter().all(is_label) && domain.nfkc().eq(domain.chars())
}

fn is_label(label: &str) -> bool {
    let letters = label.chars().all(|c| c == '-' || c.is_alphanumeric() || is_combining_mark(c));
    let edges = !label.starts_with('-') && !label.ends_with('-') && !label.starts_with(is_combining_mark);
    !label.is_empty() && label.chars().count() <= LABEL_MAX && letters && edges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<String> {
        EmailAddress::parse(text).map(|address| address.as_str().to_owned())
    }

    #[test]
    fn an_address_has_one_spelling() {
        for (written, kept) in [
            ("ann@example.com", "ann@example.com"),
            (" ann@example.com\r\n", "ann@example.com"),
            ("\u{feff}\u{a0}ann@example.com\u{200b}", "ann@example.com"),
            ("Ann.O'Hara@EXAMPLE.Com", "ann.o'hara@example.com"),
            ("ann+consigne@example.com", "ann+consigne@example.com"),
            ("ann@mail.example.co.uk", "ann@mail.example.co.uk"),
            ("ann@e\u{301}te\u{301}.example", "ann@été.example"),
            ("ANN@ÉTÉ.example", "ann@été.example"),
            ("ann@xn--t-9caa.example", "ann@xn--t-9caa.example"),
            ("ann@例え.テスト", "ann@例え.テスト"),
            // The first character is the Kelvin sign, which becomes the letter k.
            ("\u{212A}ay@example.com", "kay@example.com"),
        ] {
            assert_eq!(read(written).as_deref(), Some(kept), "{written}");
        }
        assert_ne!(EmailAddress::parse("ann+a@example.com"), EmailAddress::parse("ann@example.com"));
    }

    #[test]
    fn malformed_or_ambiguous_addresses_are_refused() {
        let long = format!("{}@{}.com", "a".repeat(64), vec!["b".repeat(63); 3].join("."));
        let (local, label) = (format!("{}@example.com", "a".repeat(65)), format!("a@{}.com", "b".repeat(64)));
        for bad in [
            "",
            "@",
            "ann",
            "ann@",
            "@example.com",
            "ann@example",
            "ann@@example.com",
            "ann@b@example.com",
            "ann@.com",
            "ann@example.com.",
            "ann@example..com",
            ".ann@example.com",
            "ann.@example.com",
            "a..b@example.com",
            "an n@example.com",
            "ann@ example.com",
            "ann @example.com",
            "ann@exa mple.com",
            "ann@example.com\r\nBcc: x@y.zz",
            "a@b\r\nBcc: x",
            "ann\u{0}@example.com",
            "ann@example.com\n",
            "ann\u{202E}@example.com",
            "ann@exam\u{200B}ple.com",
            "ann@exam\u{200D}ple.com",
            "ann@127.0.0.1",
            "ann@[127.0.0.1]",
            "\"ann\"@example.com",
            "Ann <ann@example.com>",
            "ann(x)@example.com",
            "ann,bob@example.com",
            "ann;bob@example.com",
            "ann@-example.com",
            "ann@example-.com",
            "ann@exam_ple.com",
            "élise@example.com",
            "ann@\u{FF45}xample.com",
            "ann@example\u{3002}com",
            "ann@\u{301}a.example",
            "ann%40@example.com@",
            &long,
            &local,
            &label,
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert!(read(&long.replacen('b', "", 6)).is_some(), "254 bytes is the maximum");
        let fault = EmailAddress::of_field("email", "ann").unwrap_err();
        assert_eq!(fault.details["field"], "email");
        assert_eq!(format!("{:?}", EmailAddress::parse("ann@example.com")), "Some(EmailAddress(..))");
    }

    proptest! {
        #[test]
        fn an_address_reads_back_as_itself_and_fits_one_line(text in "[a-zA-Z0-9+.é]{0,8}@?[a-zA-Z0-9.é\\-\\PC]{0,20}") {
            if let Some(address) = EmailAddress::parse(&text) {
                prop_assert_eq!(EmailAddress::parse(address.as_str()), Some(address.clone()));
                prop_assert_eq!(EmailAddress::parse(&text.to_ascii_uppercase()), Some(address.clone()));
                prop_assert_eq!(address.as_str().matches('@').count(), 1);
                prop_assert!(!address.as_str().contains(|c: char| c.is_whitespace() || crate::text::is_unfit(c)));
            }
        }
    }
}
