//! The outcome of a call to the model: a text, or trouble.
//!
//! Source: OpenAI API reference, "Create chat completion" and "Error codes". Other servers with this API may leave
//! fields out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Sort, Trouble};
use crate::Timestamp;
use crate::gateway::{Answered, UpstreamOutcome};
use crate::text::cut;

/// Most bytes of an answer that are read. The longest chapter fits, with JSON escapes and the other fields.
pub const REPLY_MAX: usize = 512 * 1024;
/// How much of a server's error code goes into the log, in characters.
const WORD_MAX: usize = 64;

/// Tokens used by calls, as the model counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Tokens {
    /// Tokens that the model read.
    pub prompt: u64,
    /// Tokens that the model wrote.
    pub completion: u64,
}

impl Tokens {
    /// Adds the tokens of another call.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let add = u64::saturating_add;
        Self { prompt: add(self.prompt, other.prompt), completion: add(self.completion, other.completion) }
    }
}

/// A complete text of a model.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The text, which is not empty.
    pub text: String,
    /// Tokens used, if the server reports them.
    pub tokens: Tokens,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({} bytes, {:?})", self.text.len(), self.tokens)
    }
}

/// Converts the outcome of a call to the model's text.
///
/// # Errors
/// The trouble, if the call did not lead to a text.
pub fn read_reply(outcome: UpstreamOutcome, now: Timestamp) -> Result<Reply, Trouble> {
    let answered = match outcome {
        UpstreamOutcome::Answered(answered) => answered,
        UpstreamOutcome::Failed(failure, cause) => {
            return Err(Trouble::new(Sort::Down, format!("{failure:?}: {cause}")));
        }
    };
    let body: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
    if answered.status != 200 {
        return Err(refusal(&answered, &body, now));
    }
    let count = |name: &str| body["usage"][name].as_u64().unwrap_or(0);
    let tokens = Tokens { prompt: count("prompt_tokens"), completion: count("completion_tokens") };
    let trouble = |sort, cause: &str| Trouble { tokens, ..Trouble::new(sort, cause) };
    let choice = &body["choices"][0];
    let refused = choice["message"]["refusal"].as_str().is_some_and(|refusal| !refusal.is_empty());
    match choice["finish_reason"].as_str() {
        _ if refused => return Err(trouble(Sort::Refused, "the model refused")),
        Some("content_filter") => return Err(trouble(Sort::Refused, "finish_reason is content_filter")),
        Some("length") => return Err(trouble(Sort::Cut, "finish_reason is length")),
        _ => {}
    }
    let text =
        content(&choice["message"]["content"]).ok_or_else(|| trouble(Sort::Unusable, "the answer has no content"))?;
    let text = spoken(&text);
    if text.is_empty() {
        return Err(trouble(Sort::Unusable, "the content is empty"));
    }
    Ok(Reply { text: text.to_owned(), tokens })
}

/// Returns the content of a message, which some servers split into parts.
fn content(content: &Value) -> Option<String> {
    let parts = content.as_array().map(|parts| parts.iter().filter_map(|part| part["text"].as_str()).collect());
    content.as_str().map(str::to_owned).or(parts)
}

/// Removes the reasoning that some models write before their answer.
fn spoken(text: &str) -> &str {
    let text = text.trim();
    match text.strip_prefix("<think>") {
        Some(thought) => thought.split_once("</think>").map_or("", |(_, said)| said.trim()),
        None => text,
    }
}

/// Classifies an answer other than 200. Only the codes of its body go into the log, because its message may contain a
/// part of the API key or of the prompt.
fn refusal(answered: &Answered, body: &Value, now: Timestamp) -> Trouble {
    let status = answered.status;
    let words: Vec<String> = ["type", "code"]
        .into_iter()
        .filter_map(|name| body["error"][name].as_str())
        .map(|word| cut(word, WORD_MAX))
        .collect();
    let says = |words_of: &[&str]| words.iter().any(|word| words_of.contains(&word.as_str()));
    let sort = match status {
        // The account has no quota left, so waiting does not help.
        429 if says(&["insufficient_quota"]) => Sort::Misconfigured,
        429 => Sort::Busy,
        408 | 409 | 425 | 500.. => Sort::Down,
        413 => Sort::TooLong,
        400 if says(&["context_length_exceeded", "string_above_max_length"]) => Sort::TooLong,
        400 | 403 if says(&["content_filter", "content_policy_violation"]) => Sort::Refused,
        // This includes redirects, which are not followed.
        _ => Sort::Misconfigured,
    };
    let may_ask = matches!(sort, Sort::Busy | Sort::Down);
    let header = answered.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
    let retry_after = header.filter(|_| may_ask).and_then(|(_, value)| now.wait_asked(value));
    let cause = format!("the model answered {status} {}", words.join(" "));
    Trouble { retry_after, ..Trouble::new(sort, cause.trim_end()) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::gateway::Failure;

    const NOW: Timestamp = Timestamp::from_secs(784_111_777);

    fn outcome(status: u16, headers: &[(&str, &str)], body: &Value) -> UpstreamOutcome {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        UpstreamOutcome::Answered(Answered { status, headers, body: body.to_string().into_bytes() })
    }

    fn said(body: &Value) -> Result<Reply, Trouble> {
        read_reply(outcome(200, &[], body), NOW)
    }

    #[test]
    fn a_text_is_read_with_its_tokens() {
        let usage = json!({ "prompt_tokens": 12, "completion_tokens": 345 });
        let tokens = Tokens { prompt: 12, completion: 345 };
        for content in [
            json!(" Il pleut.\n"),
            json!([{ "type": "text", "text": "Il " }, { "type": "text", "text": "pleut." }]),
            json!("<think>Hm. Rain?</think>\n\nIl pleut."),
        ] {
            let body =
                json!({ "choices": [{ "message": { "content": content }, "finish_reason": "stop" }], "usage": usage });
            assert_eq!(said(&body), Ok(Reply { text: "Il pleut.".to_owned(), tokens }), "{body}");
        }
        let bare = json!({ "choices": [{ "message": { "content": "Il pleut." } }] });
        assert_eq!(said(&bare).unwrap().tokens, Tokens::default());
    }

    #[test]
    fn an_answer_without_a_text_is_classified_and_its_tokens_count() {
        let of = |message: Value, reason: &str| {
            let usage = json!({ "prompt_tokens": 7, "completion_tokens": 1 });
            let reply = said(&json!({ "choices": [{ "message": message, "finish_reason": reason }], "usage": usage }));
            reply.map_err(|trouble| (trouble.sort, trouble.tokens.prompt)).unwrap_err()
        };
        let text = json!({ "content": "Il pl" });
        assert_eq!(of(text.clone(), "length"), (Sort::Cut, 7));
        assert_eq!(of(text, "content_filter"), (Sort::Refused, 7));
        assert_eq!(of(json!({ "content": null, "refusal": "No." }), "stop"), (Sort::Refused, 7));
        for nothing in [json!(""), json!(" \n"), json!(null), json!(3), json!([]), json!("<think>for ever")] {
            assert_eq!(of(json!({ "content": nothing }), "stop"), (Sort::Unusable, 7));
        }
        for body in [json!({}), json!([]), json!({ "choices": [] }), json!("text"), json!(null)] {
            assert_eq!(said(&body).unwrap_err().sort, Sort::Unusable, "{body}");
        }
        let late = UpstreamOutcome::Failed(Failure::Timeout, "nothing".to_owned());
        assert_eq!(read_reply(late, NOW).unwrap_err().sort, Sort::Down);
    }

    #[test]
    fn a_refusal_is_classified_by_status_and_error_code() {
        for (status, word, want) in [
            (429, "rate_limit_exceeded", Sort::Busy),
            (429, "insufficient_quota", Sort::Misconfigured),
            (500, "", Sort::Down),
            (503, "", Sort::Down),
            (529, "overloaded_error", Sort::Down),
            (408, "", Sort::Down),
            (400, "context_length_exceeded", Sort::TooLong),
            (413, "", Sort::TooLong),
            (400, "content_filter", Sort::Refused),
            (403, "content_policy_violation", Sort::Refused),
            (400, "unsupported_parameter", Sort::Misconfigured),
            (401, "invalid_api_key", Sort::Misconfigured),
            (402, "", Sort::Misconfigured),
            (403, "", Sort::Misconfigured),
            (404, "model_not_found", Sort::Misconfigured),
            (301, "", Sort::Misconfigured),
            (204, "", Sort::Misconfigured),
        ] {
            let body = json!({ "error": { "code": word, "message": "Incorrect API key provided: sk-secret" } });
            let trouble = read_reply(outcome(status, &[], &body), NOW).unwrap_err();
            assert_eq!(trouble.sort, want, "{status} {word}");
            assert!(trouble.cause.contains(&status.to_string()) && !trouble.cause.contains("secret"), "{trouble:?}");
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let asked = |status, text: &str| {
            let trouble = read_reply(outcome(status, &[("Retry-After", text)], &json!({})), NOW).unwrap_err();
            trouble.retry_after.map(|wait| wait.as_secs())
        };
        for (text, want) in [
            ("20", Some(20)),
            (" 0 ", Some(0)),
            // `NOW` is the time of the example in RFC 9110. This is half a minute later.
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Fri, 31 Dec 1993 23:59:59 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            assert_eq!((asked(429, text), asked(503, text)), (want, want), "{text}");
        }
        assert_eq!(asked(401, "20"), None);
    }

    proptest! {
        #[test]
        fn every_answer_is_a_text_or_trouble(status in 0_u16..1000, body in proptest::collection::vec(any::<u8>(), 0..200), header in "\\PC{0,40}") {
            let headers = vec![("retry-after".to_owned(), header)];
            let outcome = UpstreamOutcome::Answered(Answered { status, headers, body });
            if let Err(trouble) = read_reply(outcome, NOW) {
                prop_assert!(trouble.wait(u32::MAX) <= Duration::from_hours(1));
            }
        }
    }
}
