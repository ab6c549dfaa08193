//! The messages by which a text is written. Each stands for one call to the model.

use serde_json::{Value, json};

use crate::{Fault, JobId};

/// Asks for the next step of a job's text. It names no chapter, because the draft says what is next. So a message that
/// comes twice or late does no harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextMessage {
    /// The job whose text is written.
    pub job: JobId,
}

impl TextMessage {
    /// Encodes the message as JSON.
    pub fn message(&self) -> String {
        json!({ "job_id": self.job }).to_string()
    }

    /// Parses a message of ours, or the whole event `job.requested` as the bus delivers it.
    ///
    /// # Errors
    /// `INTERNAL` if it is neither. It then goes to the dead-letter queue.
    pub fn parse(message: &str) -> Result<Self, Fault> {
        let value: Value = serde_json::from_str(message).map_err(Fault::internal)?;
        let named = value["detail"]["job_id"].as_str().or(value["job_id"].as_str());
        let job = named.and_then(JobId::parse).ok_or_else(|| Fault::internal("the message names no job"))?;
        Ok(Self { job })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_and_a_message_of_ours_name_the_same_job() {
        let job = "job_01M7YREWKH7VM7Z3Z2KWSH2FTRann1";
        let ours = TextMessage::parse(&format!(r#"{{"job_id": "{job}"}}"#)).unwrap();
        let event = format!(r#"{{"detail-type": "job.requested", "detail": {{"job_id": "{job}", "kind": "book"}}}}"#);
        assert_eq!(TextMessage::parse(&event).unwrap(), ours);
        assert_eq!(TextMessage::parse(&ours.message()).unwrap(), ours);
        for bad in ["", "[]", "{}", r#"{"job_id": 1}"#, r#"{"job_id": "job_x"}"#, r#"{"detail": "job_x"}"#] {
            assert!(TextMessage::parse(bad).is_err(), "{bad}");
        }
    }
}
