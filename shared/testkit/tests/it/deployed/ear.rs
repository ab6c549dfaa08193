//! Listening to the bus.

use aws_sdk_eventbridge::types::Target;
use consigne_testkit::stack::{Stack, until};
use serde_json::{Value, json};

/// A queue that hears what the bus says about one user or organisation.
pub struct Ear {
    sqs: aws_sdk_sqs::Client,
    url: String,
}

impl Ear {
    /// Listens for events whose detail has this id under this name. Nobody else listens for it.
    pub async fn on(stack: &Stack, field: &str, id: &str) -> Self {
        let config = stack.aws().config;
        let sqs = aws_sdk_sqs::Client::new(&config);
        let url = sqs.create_queue().queue_name(id).send().await.unwrap().queue_url.unwrap();
        let attributes =
            sqs.get_queue_attributes().queue_url(&url).attribute_names("QueueArn".into()).send().await.unwrap();
        let arn = attributes.attributes.unwrap().into_values().next().unwrap();
        let bus = aws_sdk_eventbridge::Client::new(&config);
        let pattern = json!({"source": ["consigne"], "detail": {field: [id]}}).to_string();
        let name = stack.name("BUS_NAME");
        bus.put_rule().event_bus_name(name).name(id).event_pattern(pattern).send().await.unwrap();
        let target = Target::builder().id("ear").arn(arn).build().unwrap();
        bus.put_targets().event_bus_name(name).rule(id).targets(target).send().await.unwrap();
        Self { sqs, url }
    }

    /// Waits for an event of a kind; what else arrives meanwhile must be of another kind.
    pub async fn hear(&self, kind: &str) -> Value {
        let heard = until(async || {
            let received = self.sqs.receive_message().queue_url(&self.url).send().await.unwrap();
            let message = received.messages.unwrap_or_default().into_iter().next()?;
            let handle = message.receipt_handle.unwrap();
            self.sqs.delete_message().queue_url(&self.url).receipt_handle(handle).send().await.unwrap();
            let event: Value = serde_json::from_str(&message.body.unwrap()).unwrap();
            (event["detail-type"] == kind).then_some(event)
        });
        heard.await.unwrap_or_else(|| panic!("no {kind} on the bus"))
    }
}
