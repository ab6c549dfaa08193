//! The queue messages that distribute the nightly count.

use serde::{Deserialize, Serialize};

use super::Tally;
use crate::periods::Day;
use crate::{Fault, OrgId, Timestamp};

/// A queue message: an organisation's day to count, with the partial count to continue, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsMessage {
    /// The organisation to count.
    pub org: OrgId,
    /// The day to count.
    pub day: Day,
    /// The partial count of earlier messages.
    pub begun: Option<Begun>,
}

/// A partial count: the invocation before ran out of time. It is in the message itself, so a message that is delivered
/// twice leads to the same statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// When the count began.
    pub at: Timestamp,
    /// The position after which to continue.
    pub after: String,
    /// The count so far.
    pub tally: Tally,
}

#[derive(Deserialize, Serialize)]
struct Wire {
    org: String,
    day: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    begun: Option<BegunWire>,
}

#[derive(Deserialize, Serialize)]
struct BegunWire {
    at_ms: i64,
    after: String,
    tally: Tally,
}

impl StatsMessage {
    /// Creates the message that starts the count of a day.
    pub fn new(org: OrgId, day: Day) -> Self {
        Self { org, day, begun: None }
    }

    /// Encodes the message as JSON.
    ///
    /// # Errors
    /// `INTERNAL` if the JSON encoding fails, which it does not for this type.
    pub fn message(&self) -> Result<String, Fault> {
        let begun = |begun: &Begun| BegunWire {
            at_ms: begun.at.as_millis(),
            after: begun.after.clone(),
            tally: begun.tally.clone(),
        };
        let wire = Wire { org: self.org.to_string(), day: self.day.to_string(), begun: self.begun.as_ref().map(begun) };
        serde_json::to_string(&wire).map_err(Fault::internal)
    }

    /// Parses a message.
    ///
    /// # Errors
    /// `INTERNAL` if it is malformed. It then goes to the dead-letter queue.
    pub fn parse(message: &str) -> Result<Self, Fault> {
        let wire: Wire = serde_json::from_str(message).map_err(Fault::internal)?;
        let org = OrgId::parse(&wire.org).ok_or_else(|| Fault::internal("the message names no organisation"))?;
        let day = Day::parse(&wire.day).ok_or_else(|| Fault::internal("the message names no day"))?;
        let begun = wire.begun.map(|begun| Begun {
            at: Timestamp::from_millis(begun.at_ms),
            after: begun.after,
            tally: begun.tally,
        });
        Ok(Self { org, day, begun })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_back() {
        let (org, day) = (OrgId::mint(Timestamp::from_secs(1)), Day::parse("2026-11-21").unwrap());
        let fresh = StatsMessage::new(org, day);
        let begun = Begun { at: Timestamp::from_millis(1_234), after: "{}".to_owned(), tally: Tally::default() };
        for task in [fresh.clone(), StatsMessage { begun: Some(begun), ..fresh.clone() }] {
            assert_eq!(StatsMessage::parse(&task.message().unwrap()).unwrap(), task);
        }
        assert_eq!(fresh.message().unwrap(), format!(r#"{{"org":"{org}","day":"2026-11-21"}}"#));
        for bad in
            ["", "{}", "[]", r#"{"org":"org_x","day":"2026-11-21"}"#, &format!(r#"{{"org":"{org}","day":"21"}}"#)]
        {
            assert!(StatsMessage::parse(bad).is_err(), "{bad}");
        }
    }
}
