//! Writes a mail in MIME.

use consigne_core::Fault;
use consigne_core::mail::{Mail, Sender};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::url::URL;

/// Longest encoded text in an encoded-word, in bytes. With what is around it, a word may have 75.
const ENCODED_MAX: usize = 60;

/// Writes a mail as MIME, with its text and its HTML.
///
/// A mail with a topic has headers with which mail programs can unsubscribe by a button of their own. Source: RFC 8058.
pub(super) fn write(sender: &Sender, mail: &Mail) -> Result<Vec<u8>, Fault> {
    let from = Address::new_address(sender.name.as_deref(), sender.address.as_str());
    let message = MessageBuilder::new().from(from).to(mail.to.as_str());
    // A name could contain an encoded-word, which mail programs would decode to another text.
    let message = if mail.subject.contains("=?") {
        message.header("Subject", Raw::new(encoded_words(&mail.subject)))
    } else {
        message.subject(mail.subject.as_str())
    };
    let mut message = message
        .date(mail.at.as_secs())
        // Asks vacation notices and other automatic replies not to answer. Source: RFC 3834, section 5.
        .header("Auto-Submitted", Raw::new("auto-generated"))
        .text_body(mail.text.as_str())
        .html_body(mail.html.as_str());
    if let Some(url) = &mail.unsubscribe {
        message = message
            .header("List-Unsubscribe", URL::new(url.as_str()))
            .header("List-Unsubscribe-Post", Raw::new("List-Unsubscribe=One-Click"));
    }
    message.write_to_vec().map_err(Fault::internal)
}

/// Encodes a text as encoded-words, so that mail programs show exactly this text. Source: RFC 2047, sections 2 and 4.2.
fn encoded_words(text: &str) -> String {
    let mut words = vec![String::new()];
    for character in text.chars() {
        let mut buffer = [0; 4];
        let encoded: String = match character {
            plain if plain.is_ascii_alphanumeric() => plain.to_string(),
            other => {
                other.encode_utf8(&mut buffer).bytes().fold(String::new(), |text, byte| format!("{text}={byte:02X}"))
            }
        };
        // A character must not be split between words.
        match words.last_mut() {
            Some(word) if word.len() + encoded.len() <= ENCODED_MAX => word.push_str(&encoded),
            _ => words.push(encoded),
        }
    }
    let words = words.iter().map(|word| format!("=?utf-8?Q?{word}?="));
    words.collect::<Vec<_>>().join(" ")
}
