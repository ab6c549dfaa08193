//! A queue that receives events from the bus.

use aws_sdk_eventbridge::types::Target;
use consigne_testkit::stack::{Stack, until};
use serde_json::{Value, json};

/// The queue.
pub struct BusListener {
    sqs: aws_sdk_sqs::Client,
    url: String,
}

impl BusListener {
    /// Receives the events whose detail has this id in this field. The queue belongs to this test only.
    pub async fn on(stack: &Stack, field: &str, id: &str) -> Self {
        Self::to(stack, id, &json!({ "source": ["consigne"], "detail": { field: [id] } })).await
    }

    /// Receives the events that match a pattern. `name` becomes the name of rule and queue.
    pub async fn to(stack: &Stack, name: &str, pattern: &Value) -> Self {
        let config = stack.aws().sdk_config();
        let sqs = aws_sdk_sqs::Client::new(&config);
        let url = sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
        let attributes =
            sqs.get_queue_attributes().queue_url(&url).attribute_names("QueueArn".into()).send().await.unwrap();
        let arn = attributes.attributes.unwrap().into_values().next().unwrap();
        let bus = aws_sdk_eventbridge::Client::new(&config);
        let on = stack.name("BUS_NAME");
        bus.put_rule().event_bus_name(on).name(name).event_pattern(pattern.to_string()).send().await.unwrap();
        let target = Target::builder().id("ear").arn(arn).build().unwrap();
        bus.put_targets().event_bus_name(on).rule(name).targets(target).send().await.unwrap();
        Self { sqs, url }
    }

    /// Waits for an event of a kind, and returns it. Skips events of other kinds.
    pub async fn wait_for(&self, kind: &str) -> Value {
        let event = until(async || {
            let event = self.take(1).await.into_iter().next()?;
            (event["detail-type"] == kind).then_some(event)
        });
        event.await.unwrap_or_else(|| panic!("no event {kind} was published"))
    }

    /// Deletes rule and queue.
    pub async fn close(self, stack: &Stack) {
        let bus = aws_sdk_eventbridge::Client::new(&stack.aws().sdk_config());
        let (on, name) = (stack.name("BUS_NAME"), self.url.rsplit('/').next().unwrap());
        bus.remove_targets().event_bus_name(on).rule(name).ids("ear").send().await.unwrap();
        bus.delete_rule().event_bus_name(on).name(name).send().await.unwrap();
        self.sqs.delete_queue().queue_url(&self.url).send().await.unwrap();
    }

    /// Returns up to `most` events that have arrived, at most ten.
    pub async fn take(&self, most: i32) -> Vec<Value> {
        let asked = self.sqs.receive_message().queue_url(&self.url).max_number_of_messages(most);
        let mut events = Vec::new();
        for message in asked.send().await.unwrap().messages.unwrap_or_default() {
            let handle = message.receipt_handle.unwrap();
            self.sqs.delete_message().queue_url(&self.url).receipt_handle(handle).send().await.unwrap();
            events.push(serde_json::from_str(&message.body.unwrap()).unwrap());
        }
        events
    }
}
