//! A language model behind the chat completions of OpenAI's API, which most model servers implement.
//!
//! A request has only what all of them support: a model name and two messages. The prompt asks for a length in words.
//! The time of a call and the size of its answer are limited.
//!
//! Source: OpenAI API reference, "Create chat completion".

use std::time::Duration;

use consigne_auth::{Refreshed, Secret};
use consigne_core::gateway::{Upstream, UpstreamCall};
use consigne_core::ports::{AskModel, CallUpstream};
use consigne_core::texts::{Prompt, REPLY_MAX, Reply, Trouble, read_reply};
use consigne_core::{Fault, Timestamp};
use serde_json::json;

use crate::client::Outgoing;

/// Longest time for an answer. The function's timeout in the template leaves time to store it.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(100);
/// Longest API key, in characters.
const KEY_MAX: usize = 1_024;

/// The adapter of a language model.
#[derive(Debug)]
pub struct LanguageModel {
    outgoing: Outgoing,
    at: Upstream,
    name: String,
    key: Refreshed<ModelKey>,
    timeout: Duration,
    now: fn() -> Timestamp,
}

/// The API key of a language model, which is safe in a header.
#[derive(Clone, Debug)]
pub struct ModelKey(Secret);

impl ModelKey {
    /// Parses a key of visible ASCII characters.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let plain = text.len() <= KEY_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
        Secret::new(text).filter(|_| plain).map(Self)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", String::from_utf8_lossy(self.0.expose()))
    }
}

impl LanguageModel {
    /// Creates an adapter for the model `name` at an address. A call may take as long as `timeout`. `now` reads the clock.
    pub fn new(
        outgoing: Outgoing,
        at: Upstream,
        name: String,
        key: Refreshed<ModelKey>,
        timeout: Duration,
        now: fn() -> Timestamp,
    ) -> Self {
        Self { outgoing, at, name, key, timeout, now }
    }

    async fn call(&self, prompt: &Prompt) -> UpstreamCall {
        let message = |role: &str, content: &str| json!({ "role": role, "content": content });
        let messages = [message("system", &prompt.system), message("user", &prompt.user)];
        let body = json!({ "model": self.name, "messages": messages }).to_string().into_bytes();
        let headers = [
            ("authorization", self.key.get((self.now)()).await.bearer()),
            ("content-type", "application/json".to_owned()),
            ("content-length", body.len().to_string()),
            ("accept", "application/json".to_owned()),
        ];
        UpstreamCall {
            method: "POST".to_owned(),
            origin: self.at.origin.clone(),
            target: format!("{}/chat/completions", self.at.base),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body,
            timeout: self.timeout,
            response_max: REPLY_MAX,
        }
    }
}

impl AskModel for LanguageModel {
    async fn ask_model(&self, prompt: &Prompt) -> Result<Result<Reply, Trouble>, Fault> {
        let outcome = self.outgoing.call_upstream(&self.call(prompt).await).await?;
        Ok(read_reply(outcome, (self.now)()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_header_has_the_key_and_debug_does_not_print_it() {
        let key = "sk-proj-0123456789abcdef_0123456789";
        let at = Upstream::parse("https://models.example.com/openai/v1/", false).unwrap();
        let known = Refreshed::fixed(ModelKey::parse(&format!("{key}\n")).unwrap());
        let model = LanguageModel::new(Outgoing::new(false), at, "gpt-x".to_owned(), known, REPLY_TIMEOUT, || {
            Timestamp::from_secs(0)
        });
        let prompt = Prompt { system: "Plan.".to_owned(), user: "{}".to_owned() };
        let call = model.call(&prompt).await;
        assert_eq!(
            (call.origin.as_str(), call.target.as_str()),
            ("https://models.example.com", "/openai/v1/chat/completions")
        );
        assert_eq!(call.headers[0], ("authorization".to_owned(), format!("Bearer {key}")));
        let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
        let messages = json!([{ "role": "system", "content": "Plan." }, { "role": "user", "content": "{}" }]);
        assert_eq!(body, json!({ "model": "gpt-x", "messages": messages }));
        assert!(!format!("{model:?}").contains("sk-proj"));
    }

    #[test]
    fn a_key_fits_into_a_header_or_is_refused() {
        assert!(ModelKey::parse("0123456789abcdef0123456789abcdeX").is_some());
        for bad in
            ["short", "0123456789abcdef 0123456789abcdef", "0123456789abcdef0123456789abcdef\r\nx: y", &"é".repeat(40)]
        {
            assert!(ModelKey::parse(bad).is_none(), "{bad}");
        }
    }
}
