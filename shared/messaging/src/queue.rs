//! Queues, on Amazon SQS.
//!
//! A message that names an organisation is in the organisation's message group. In a standard queue groups have no order:
//! while one group has many messages in flight, SQS hands out those of other groups first ("fair queues").

use std::time::Duration;

use aws_sdk_sqs::operation::send_message::SendMessageInput;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchInput;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use consigne_aws::{AwsConfig, Client};
use consigne_core::ports::{DELAY_MAX, SendLater, SendMessage, SendMessages};
use consigne_core::{Fault, OrgId};
use futures_util::future::try_join_all;
use serde::Deserialize;

/// Most messages in one batch of SQS.
const BATCH: usize = 10;
/// Batches that are sent at the same time.
const AT_ONCE: usize = 20;

consigne_aws::service! {
    /// Amazon SQS, with the operations used here.
    struct Sqs: "sqs" at "sqs";
    aws_sdk_sqs::send_message, SendMessage, SendMessageInputBuilder, SendMessageInput, SendMessageOutput, SendMessageError;
    aws_sdk_sqs::send_message_batch, SendMessageBatch, SendMessageBatchInputBuilder, SendMessageBatchInput, SendMessageBatchOutput, SendMessageBatchError;
}

/// One queue. Failed calls to SQS become `UNAVAILABLE`.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client<Sqs>,
    url: String,
}

impl Queue {
    /// Creates an adapter for the queue at `url`.
    pub fn new(config: &AwsConfig, url: impl Into<String>) -> Self {
        Self { client: Client::new(config), url: url.into() }
    }
}

impl SendMessage for Queue {
    async fn send_message(&self, body: &str) -> Result<(), Fault> {
        let send =
            SendMessageInput::builder().queue_url(&self.url).message_body(body).set_message_group_id(group(body));
        self.client.send(send).await.map(drop).map_err(Fault::unavailable)
    }
}

impl SendLater for Queue {
    async fn send_later(&self, body: &str, wait: Duration) -> Result<(), Fault> {
        let seconds = wait.min(DELAY_MAX).as_secs();
        let delay = i32::try_from(seconds).map_err(Fault::internal)?;
        let send = SendMessageInput::builder().queue_url(&self.url).message_body(body).delay_seconds(delay);
        let send = send.set_message_group_id(group(body));
        self.client.send(send).await.map(drop).map_err(Fault::unavailable)
    }
}

impl SendMessages for Queue {
    async fn send_messages(&self, bodies: &[String]) -> Result<(), Fault> {
        for some in bodies.chunks(BATCH * AT_ONCE) {
            try_join_all(some.chunks(BATCH).map(|batch| self.send_batch(batch))).await?;
        }
        Ok(())
    }
}

impl Queue {
    async fn send_batch(&self, bodies: &[String]) -> Result<(), Fault> {
        let mut batch = SendMessageBatchInput::builder().queue_url(&self.url);
        for (at, body) in bodies.iter().enumerate() {
            let entry = SendMessageBatchRequestEntry::builder().id(at.to_string()).message_body(body);
            let entry = entry.set_message_group_id(group(body));
            batch = batch.entries(entry.build().map_err(Fault::internal)?);
        }
        let sent = self.client.send(batch).await.map_err(Fault::unavailable)?;
        // The call succeeds even if some of its entries were refused.
        match sent.failed().first() {
            None => Ok(()),
            Some(entry) => Err(Fault::unavailable(format!("the queue refused a message: {}", entry.code()))),
        }
    }
}

/// Returns the message group: the organisation that a message names, if any.
fn group(body: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        org_id: OrgId,
    }
    serde_json::from_str(body).ok().map(|Named { org_id }| org_id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_an_organisation_form_a_group() {
        let org = "org_01M7YREWKH7VM7Z3Z2KWSH2FTR";
        let attempt = format!("{{\"org_id\": \"{org}\", \"delivery_id\": \"dlv_x\"}}");
        assert_eq!(group(&attempt).as_deref(), Some(org));
        for other in
            ["", "text", "{}", "[]", "{\"org_id\": 7}", "{\"org_id\": \"acme\"}", "{\"event\": {\"org_id\": 1}}"]
        {
            assert_eq!(group(other), None, "{other}");
        }
    }
}
