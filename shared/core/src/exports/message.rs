//! The queue messages of exports. Each leads to one object of an export.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::events::{AccountExportRequested, EventData, EventMessage};
use crate::{ExportId, Fault, UserId};

/// Requests the next object of an export. It does not name the object, which follows from the export. So a message that is
/// delivered twice or late does no harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportMessage {
    /// Id of the export.
    pub export_id: ExportId,
    /// Whose data it is.
    pub user_id: UserId,
}

impl ExportMessage {
    /// Encodes the message as JSON.
    pub fn message(&self) -> String {
        json!(self).to_string()
    }

    /// Parses a message of ours, or the whole event `account.export-requested` as the bus delivers it.
    ///
    /// # Errors
    /// `INTERNAL` if it is neither. It then goes to the dead-letter queue.
    pub fn parse(message: &str) -> Result<Self, Fault> {
        if let Ok(ours) = serde_json::from_str(message) {
            return Ok(ours);
        }
        match EventMessage::parse(message).map_err(Fault::internal)?.data {
            Some(EventData::AccountExportRequested(AccountExportRequested { export_id, user_id })) => {
                Ok(Self { export_id, user_id })
            }
            _ => Err(Fault::internal("the message names no export")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_and_our_own_message_name_the_same_export() {
        let id = "exp_01M7YREWKH7VM7Z3Z2KWSH2FTR";
        let ours = ExportMessage::parse(&format!(r#"{{"export_id": "{id}", "user_id": "user_ann1"}}"#)).unwrap();
        let detail = json!({
            "event_id": "01M7YREWKH7VM7Z3Z2KWSH2FTS", "occurred_at": "2026-11-21T10:30:00Z", "export_id": id,
            "user_id": "user_ann1",
        });
        let event = json!({ "detail-type": "account.export-requested", "detail": detail }).to_string();
        assert_eq!(ExportMessage::parse(&event).unwrap(), ours);
        assert_eq!(ExportMessage::parse(&ours.message()).unwrap(), ours);
        for bad in ["", "{}", r#"{"export_id": "exp_x", "user_id": "user_ann1"}"#, r#"{"detail": {}}"#] {
            assert!(ExportMessage::parse(bad).is_err(), "{bad}");
        }
    }
}
