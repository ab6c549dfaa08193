//! The queue messages of texts. Each leads to one step of a text, and so to at most one call to the model.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::events::{EventData, EventMessage, JobRequested};
use crate::{Fault, JobId};

/// Requests the next step of a job's text. It does not name the step, which follows from the draft. So a message that
/// is delivered twice or late does no harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextMessage {
    /// The job whose text is written.
    #[serde(rename = "job_id")]
    pub job: JobId,
}

impl TextMessage {
    /// Encodes the message as JSON.
    pub fn message(&self) -> String {
        json!(self).to_string()
    }

    /// Parses a message of ours, or the whole event `job.requested` as the bus delivers it.
    ///
    /// # Errors
    /// `INTERNAL` if it is neither. It then goes to the dead-letter queue.
    pub fn parse(message: &str) -> Result<Self, Fault> {
        if let Ok(ours) = serde_json::from_str(message) {
            return Ok(ours);
        }
        match EventMessage::parse(message).map_err(Fault::internal)?.data {
            Some(EventData::JobRequested(JobRequested { job_id: job, .. })) => Ok(Self { job }),
            _ => Err(Fault::internal("the message names no job")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_and_our_own_message_have_the_same_job() {
        let job = "job_01M7YREWKH7VM7Z3Z2KWSH2FTRann1";
        let ours = TextMessage::parse(&format!(r#"{{"job_id": "{job}"}}"#)).unwrap();
        let detail = json!({
            "event_id": "01M7YREWKH7VM7Z3Z2KWSH2FTS", "occurred_at": "2026-11-21T10:30:00Z", "job_id": job,
            "user_id": "user_ann1", "kind": "book", "topic": "t", "uploads_url": "https://a", "callback_url": "https://b",
            "deadline": "2026-11-21T22:30:00Z",
        });
        let event = json!({ "detail-type": "job.requested", "detail": detail }).to_string();
        assert_eq!(TextMessage::parse(&event).unwrap(), ours);
        assert_eq!(TextMessage::parse(&ours.message()).unwrap(), ours);
        for bad in ["", "[]", "{}", r#"{"job_id": 1}"#, r#"{"job_id": "job_x"}"#, r#"{"detail": "job_x"}"#] {
            assert!(TextMessage::parse(bad).is_err(), "{bad}");
        }
    }
}
