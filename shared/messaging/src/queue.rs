//! A queue, on SQS.

use aws_sdk_sqs::Client;
use consigne_core::Fault;
use consigne_core::ports::SendMessage;

/// One queue.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// Makes an adapter for the queue at a URL.
    pub fn new(config: &aws_types::SdkConfig, url: impl Into<String>) -> Self {
        Self { client: Client::new(config), url: url.into() }
    }
}

impl SendMessage for Queue {
    async fn send_message(&self, body: &str) -> Result<(), Fault> {
        let send = self.client.send_message().queue_url(&self.url).message_body(body);
        send.send().await.map(drop).map_err(Fault::unavailable)
    }
}
