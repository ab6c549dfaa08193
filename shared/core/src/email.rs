//! E-mail addresses. Each has one spelling, so that two can be compared, and contains nothing that could break a mail's
//! header.

use std::fmt;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::Fault;
use crate::text::pasted;

/// Longest address, in bytes. Source: RFC 5321, section 4.5.3.1.3, without the angle brackets around it.
pub const ADDRESS_MAX: usize = 254;
/// Longest part before the `@`, in bytes. Source: RFC 5321, section 4.5.3.1.1.
const LOCAL_MAX: usize = 64;
/// What an encoded-word begins with. Source: RFC 2047, section 2.
pub(crate) const ENCODED_WORD: &str = "=?";
/// Longest label of a domain, in characters. Source: RFC 1035, section 2.3.4.
const LABEL_MAX: usize = 63;

/// An address to which mail can be sent: ASCII in lower case, with an international domain as IDNA writes it (`xn--`).
/// SES accepts only that spelling, and so both spellings of a domain are the same address. `Debug` does not show it,
/// because logs must not contain addresses.
///
/// Upper and lower case are the same before the `@` too: no serious provider distinguishes them, and people write both.
/// A suffix after `+` is kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Parses an address of the common form `local@domain.tld`, without quotes, comments, routes or spaces.
    ///
    /// The part before the `@` must be ASCII, because SES accepts nothing else. It must not contain `=?`, because mail
    /// software may decode it as an encoded-word (RFC 2047) to another address. The domain may be international, in
    /// either spelling. Spaces around the address are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let address: String = pasted(text).nfc().flat_map(char::to_lowercase).nfc().collect();
        let (local, domain) = address.split_once('@')?;
        let plain = local.split('.').all(is_word) && !local.contains(ENCODED_WORD);
        if local.len() > LOCAL_MAX || !plain || !is_domain(domain) {
            return None;
        }
        let address = format!("{local}@{}", ascii_domain(domain)?);
        (address.len() <= ADDRESS_MAX).then_some(Self(address))
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

/// Writes a domain in ASCII. Returns `None` if IDNA does not allow it, such as an `xn--` label that does not decode or
/// decodes to another spelling. Source: Unicode Technical Standard 46.
fn ascii_domain(domain: &str) -> Option<String> {
    let bytes = domain.as_bytes();
    let ascii = Uts46::new().to_ascii(bytes, AsciiDenyList::STD3, Hyphens::Allow, DnsLength::Verify);
    ascii.ok().map(std::borrow::Cow::into_owned)
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
            ("ann@e\u{301}te\u{301}.example", "ann@xn--t-9fab.example"),
            ("ANN@ÉTÉ.example", "ann@xn--t-9fab.example"),
            ("ann@xn--t-9fab.example", "ann@xn--t-9fab.example"),
            ("ann@例え.テスト", "ann@xn--r8jz45g.xn--zckzah"),
            ("ann@XN--T-9FAB.Example", "ann@xn--t-9fab.example"),
            ("ann@straße.example", "ann@xn--strae-oqa.example"),
            ("ann@a--b.example", "ann@a--b.example"),
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
            "ann@exam\nple.com",
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
            "=?utf-8?q?ann?=@example.com",
            "=?utf-8?q?eve=40evil.example=3e=00?=@example.com",
            "a=?b@example.com",
            "ann@xn--.example",
            "ann@xn--zzzzzzzz99999.example",
            "ann@xn--example-.com",
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
                prop_assert!(crate::mail::Address::parse(address.as_str()).is_some(), "mail can be sent to it");
                prop_assert!(!address.as_str().contains(|c: char| c.is_whitespace() || crate::text::is_unfit(c)));
            }
        }
    }
}
