//! Processes bounces and complaints: a mailbox that does not exist, or whose owner reports our mail as spam, gets no
//! more mail.
//!
//! Events may arrive in any order and more than once. Each is processed by itself, and processing it twice changes nothing.

use consigne_core::Fault;
use consigne_core::mail::{Sender, Suppression};
use consigne_core::ports::SuppressMailbox;
use consigne_runtime::queue::Message;
use consigne_runtime::{Adapters, BatchFunction, function};
use serde::Deserialize;

/// An SES event from `EventBridge`. Source: Amazon SES developer guide, "Event data that Amazon SES publishes".
#[derive(Deserialize)]
struct Feedback {
    detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    event_type: String,
    mail: Mail,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
}

#[derive(Deserialize)]
struct Mail {
    /// The addresses that the mail was sent to. The report itself may name another one, to which the mail was
    /// forwarded.
    destination: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    bounce_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    /// Many providers omit it.
    complaint_feedback_type: Option<String>,
}

impl Detail {
    /// Returns why the recipient gets no more mail, or `None` if they still do.
    fn suppression(&self) -> Option<Suppression> {
        match (&*self.event_type, &self.bounce, &self.complaint) {
            // After a `Transient` or `Undetermined` bounce the next mail may arrive.
            ("Bounce", Some(bounce), _) => (bounce.bounce_type == "Permanent").then_some(Suppression::Bounced),
            ("Complaint", _, complaint) => {
                let kind = complaint.as_ref().and_then(|complaint| complaint.complaint_feedback_type.as_deref());
                // `not-spam` means that somebody moved the mail out of their spam folder.
                (kind != Some("not-spam")).then_some(Suppression::Complained)
            }
            _ => None,
        }
    }
}

function! {
    table: A::Table = table(),
}

impl<A: Adapters<Table: SuppressMailbox>> BatchFunction for Function<A> {
    type Record = Message;

    async fn handle(&self, message: &Message) -> Result<(), Fault> {
        // Do not log serde's message: it may quote an e-mail address.
        let feedback: Result<Feedback, _> = serde_json::from_str(&message.body);
        let detail = feedback.map_err(|error| Fault::internal(format!("{:?} error", error.classify())))?.detail;
        message.log.field("feedback.kind", &detail.event_type);
        let Some(why) = detail.suppression() else { return Ok(()) };
        message.log.field("feedback.suppressed", why.name());
        for address in detail.mail.destination.iter().filter_map(|text| Sender::parse(text)) {
            self.table.suppress_mailbox(&address.address.mailbox(), why, message.now).await?;
            message.log.count(match why {
                Suppression::Bounced => "MailsBounced",
                Suppression::Complained => "MailsComplainedOf",
            });
        }
        Ok(())
    }
}
