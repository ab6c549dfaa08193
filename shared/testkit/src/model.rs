//! A language model for tests: the faults it can have, a fake in memory, and a client for the laptop's stand-in.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use consigne_core::gateway::{Answered, Failure, UpstreamOutcome};
use consigne_core::texts::{Prompt, Sort};
use serde_json::{Value, json};

use crate::http::Client;
use crate::stack::Stack;

/// A fault of a call to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelFault {
    /// The answer is an error with a status, a code, and `Retry-After` in seconds.
    Status(u16, &'static str, Option<&'static str>),
    /// There is no answer.
    Hang,
    /// The connection ends without an answer.
    Lost,
    /// The answer is incomplete JSON.
    Malformed,
    /// The text is empty.
    Empty,
    /// The text is truncated, because it reached the model's limit.
    Cut,
    /// The text was withheld by a content filter.
    Filtered,
    /// The text is far too short.
    Terse,
}

impl ModelFault {
    /// All faults, with the sort of trouble they count as. `None` if only the text itself is wrong.
    pub const ALL: [(Self, Option<Sort>); 17] = [
        (Self::Status(429, "rate_limit_exceeded", Some("7")), Some(Sort::Busy)),
        (Self::Status(429, "rate_limit_exceeded", None), Some(Sort::Busy)),
        (Self::Status(429, "insufficient_quota", None), Some(Sort::Misconfigured)),
        (Self::Status(500, "server_error", None), Some(Sort::Down)),
        (Self::Status(503, "overloaded", Some("7")), Some(Sort::Down)),
        (Self::Hang, Some(Sort::Down)),
        (Self::Lost, Some(Sort::Down)),
        (Self::Malformed, Some(Sort::Unusable)),
        (Self::Empty, Some(Sort::Unusable)),
        (Self::Terse, None),
        (Self::Cut, Some(Sort::Cut)),
        (Self::Filtered, Some(Sort::Refused)),
        (Self::Status(400, "content_filter", None), Some(Sort::Refused)),
        (Self::Status(400, "context_length_exceeded", None), Some(Sort::TooLong)),
        (Self::Status(401, "invalid_api_key", None), Some(Sort::Misconfigured)),
        (Self::Status(403, "", None), Some(Sort::Misconfigured)),
        (Self::Status(404, "model_not_found", None), Some(Sort::Misconfigured)),
    ];

    /// Returns the fault as the stand-in expects it.
    pub fn as_json(self) -> Value {
        match self {
            Self::Status(status, code, None) => json!({ "status": status, "code": code }),
            Self::Status(status, code, Some(wait)) => json!({ "status": status, "code": code, "retry_after": wait }),
            Self::Hang => json!("hang"),
            Self::Lost => json!("lost"),
            Self::Malformed => json!("malformed"),
            Self::Empty => json!("empty"),
            Self::Cut => json!("cut"),
            Self::Filtered => json!("filtered"),
            Self::Terse => json!("terse"),
        }
    }

    /// Returns the outcome of a call to the fake that has this fault.
    pub fn outcome(self, prompt: &Prompt) -> UpstreamOutcome {
        let half = written(prompt).chars().take(40).collect::<String>();
        match self {
            Self::Status(status, code, wait) => {
                let headers = wait.map(|wait| ("retry-after".to_owned(), wait.to_owned()));
                let body = json!({ "error": { "type": "planned", "code": code, "message": "No." } });
                let (headers, body) = (headers.into_iter().collect(), body.to_string().into_bytes());
                UpstreamOutcome::Answered(Answered { status, headers, body })
            }
            Self::Hang => UpstreamOutcome::Failed(Failure::Timeout, "planned: no answer".to_owned()),
            Self::Lost => UpstreamOutcome::Failed(Failure::Broken, "planned: the connection ended".to_owned()),
            Self::Malformed => answered(r#"{"choices": [{"message""#.to_owned()),
            Self::Empty => said("", "stop"),
            Self::Cut => said(&half, "length"),
            Self::Filtered => said(&half, "content_filter"),
            Self::Terse => said("I would rather not.", "stop"),
        }
    }
}

/// Returns the outcome of a call without a fault. It uses 100 prompt tokens and 50 completion tokens.
pub fn answer(prompt: &Prompt) -> UpstreamOutcome {
    said(&written(prompt), "stop")
}

fn answered(body: String) -> UpstreamOutcome {
    UpstreamOutcome::Answered(Answered { status: 200, headers: Vec::new(), body: body.into_bytes() })
}

fn said(text: &str, reason: &str) -> UpstreamOutcome {
    let choice = json!({ "message": { "role": "assistant", "content": text }, "finish_reason": reason });
    let usage = json!({ "prompt_tokens": 100, "completion_tokens": 50 });
    answered(json!({ "choices": [choice], "usage": usage }).to_string())
}

/// Returns the name of a prompt's task: `outline`, `chapter 1` and so on.
pub fn named(prompt: &Prompt) -> String {
    let request = request(prompt);
    let number = request["number"].as_u64();
    number.map_or_else(|| "outline".to_owned(), |number| format!("chapter {number}"))
}

fn request(prompt: &Prompt) -> Value {
    serde_json::from_str(&prompt.user).expect("a prompt's data is JSON")
}

/// Writes the requested text. A chapter contains a hash of the text before it, so tests can check their order.
fn written(prompt: &Prompt) -> String {
    let request = request(prompt);
    let topic = request["topic"].as_str().expect("every text has a topic");
    let Some(number) = request["number"].as_u64() else {
        let count = request["chapters"].as_u64().expect("an outline has a number of chapters");
        let chapter = |number: u64| json!({ "title": format!("Part {number}"), "about": format!("{topic} {number}") });
        return json!({ "title": format!("On {topic}"), "chapters": (1..=count).map(chapter).collect::<Vec<_>>() })
            .to_string();
    };
    let mut mark = DefaultHasher::new();
    request["before"].as_str().hash(&mut mark);
    let sentence = format!("This is chapter {number} of {topic}, which goes on from {:016x}. ", mark.finish());
    format!("# Part {number}\n\n{}\n", sentence.repeat(6))
}

/// A client for the stand-in of the laptop's stack.
pub struct StandIn {
    client: Client,
    address: String,
}

impl StandIn {
    /// Finds the stand-in of a stack.
    pub fn of(stack: &Stack) -> Self {
        let address = stack.name("TEXT_MODEL_URL").trim_end_matches("/v1").to_owned();
        Self { client: Client::default(), address }
    }

    /// Plans faults of the calls about a topic: those in `next`, one for each call, then `always`.
    pub async fn fail(&self, topic: &str, next: &[ModelFault], always: Option<ModelFault>) {
        let next: Vec<Value> = next.iter().map(|fault| fault.as_json()).collect();
        let always = always.map_or(Value::Null, ModelFault::as_json);
        self.post("faults", &json!({ "topic": topic, "next": next, "always": always })).await;
    }

    /// Returns the tasks of the calls about a topic, in order.
    pub async fn calls(&self, topic: &str) -> Vec<String> {
        let answer = self.post("calls", &json!({ "topic": topic })).await;
        serde_json::from_value(answer["calls"].clone()).expect("calls are texts")
    }

    async fn post(&self, what: &str, body: &Value) -> Value {
        let url = format!("{}/_stand-in/{what}", self.address);
        let headers = [("content-type", "application/json")];
        let answer = self.client.send("POST", &url, &headers, body.to_string().into_bytes()).await;
        assert_eq!(answer.status, 200, "the stand-in answers");
        answer.json()
    }
}
