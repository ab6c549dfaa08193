//! The event bus, on Amazon EventBridge.

use aws_sdk_eventbridge::operation::put_events::PutEventsInput;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::DateTime;
use consigne_aws::{AwsConfig, Client};
use consigne_core::Fault;
use consigne_core::events::{OutboxEntry, SOURCE};
use consigne_core::ports::PublishEvent;

consigne_aws::service! {
    /// Amazon EventBridge, with the operation used here.
    struct EventBridge: "events" at "events";
    aws_sdk_eventbridge::put_events, PutEvents, PutEventsInputBuilder, PutEventsInput, PutEventsOutput, PutEventsError;
}

/// The event bus. Failed calls to EventBridge become `UNAVAILABLE`.
#[derive(Clone, Debug)]
pub struct Bus {
    client: Client<EventBridge>,
    name: String,
}

impl Bus {
    /// Creates an adapter for the bus `name`.
    pub fn new(config: &AwsConfig, name: impl Into<String>) -> Self {
        Self { client: Client::new(config), name: name.into() }
    }
}

impl PublishEvent for Bus {
    async fn publish_event(&self, entry: &OutboxEntry) -> Result<(), Fault> {
        let event = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(&entry.kind)
            .detail(&entry.detail)
            .time(DateTime::from_millis(entry.occurred_at.as_millis()))
            .build();
        let events = PutEventsInput::builder().entries(event);
        let answer = self.client.send(events).await.map_err(Fault::unavailable)?;
        // The call succeeds even if its only entry was refused.
        match answer.entries().iter().find_map(|entry| entry.error_code()) {
            None => Ok(()),
            Some(code) => Err(Fault::unavailable(format!("the bus refused the event: {code}"))),
        }
    }
}
