//! Writes a mail in MIME.

use consigne_core::Fault;
use consigne_core::mail::{Mail, Sender};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::url::URL;

/// Writes a mail as MIME, with its text and its HTML.
///
/// A mail with a topic has headers with which mail programs can unsubscribe by a button of their own. Source: RFC 8058.
pub(super) fn write(sender: &Sender, mail: &Mail) -> Result<Vec<u8>, Fault> {
    let from = Address::new_address(sender.name.as_deref(), sender.address.as_str());
    let mut message = MessageBuilder::new()
        .from(from)
        .to(mail.to.as_str())
        .subject(mail.subject.as_str())
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
