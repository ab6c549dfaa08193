//! Listens to what becomes of mails: a mailbox that does not exist, or whose owner calls our mail spam, gets no more.
//!
//! Each event says all there is to do, and doing it twice is once; so order and repetition do not matter.

use consigne_core::Fault;
use consigne_core::mail::{Sender, Suppression};
use consigne_core::ports::SuppressMailbox;
use consigne_runtime::queue::Message;
use consigne_runtime::{Adapters, BatchFunction, function};
use serde::Deserialize;

/// An event of SES on `EventBridge`. Source: Amazon SES developer guide, "Event data that Amazon SES publishes".
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
    /// Whom the mail was for. Reports may name another address of theirs, to which it was forwarded.
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
    /// Absent from many providers' reports.
    complaint_feedback_type: Option<String>,
}

impl Detail {
    /// Decides whether the recipient gets mail again; `None` when this changes nothing.
    fn judge(&self) -> Option<Suppression> {
        match (&*self.event_type, &self.bounce, &self.complaint) {
            // `Transient` and `Undetermined` ones may go well the next time.
            ("Bounce", Some(bounce), _) => (bounce.bounce_type == "Permanent").then_some(Suppression::Bounced),
            ("Complaint", _, complaint) => {
                let kind = complaint.as_ref().and_then(|complaint| complaint.complaint_feedback_type.as_deref());
                // Somebody has taken the mail out of their spam.
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
        // What serde would quote may be an address.
        let feedback: Result<Feedback, _> = serde_json::from_str(&message.body);
        let detail = feedback.map_err(|error| Fault::internal(format!("{:?} error", error.classify())))?.detail;
        message.log.field("feedback.kind", &detail.event_type);
        let Some(why) = detail.judge() else { return Ok(()) };
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
