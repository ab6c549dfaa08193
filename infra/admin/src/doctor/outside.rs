//! Checks of what the stack reaches outside AWS, and of its own API.

use serde_json::Value;

use super::Patient;
use super::finding::Finding;
use super::secrets::{Read, mode};

/// Checks that the API answers at its public address.
pub(crate) async fn api(patient: &Patient) -> Vec<Finding> {
    let url = format!("{}/api/health", patient.api_url);
    let cure = "check PublicUrl and the domain; `consigne logs --function health`";
    vec![match patient.web.get(&url, None).await {
        Ok((200, _)) => Finding::ok("API", format!("{} answers", patient.api_url)),
        Ok((status, _)) => Finding::failed("API", format!("{url} answers {status}"), cure),
        Err(why) => Finding::failed("API", format!("{url} does not answer: {why}"), cure),
    }]
}

/// Checks that Stripe answers, and knows the key.
pub(crate) async fn stripe(patient: &Patient, secrets: &Read) -> Vec<Finding> {
    let Some(key) = secrets.value("StripeApiKey").filter(|key| mode(key).is_some()) else { return Vec::new() };
    let url = format!("{}/v1/balance", patient.facts.parameter("StripeUrl"));
    vec![judge_stripe(&patient.web.get(&url, Some(key.trim())).await, mode(key).unwrap_or_default())]
}

/// Judges Stripe's answer. A restricted key may lack the permission for the balance, and is known all the same.
fn judge_stripe(answer: &Result<(u16, String), String>, mode: &str) -> Finding {
    match answer {
        Ok((401, _)) => {
            Finding::failed("Stripe", "does not know the key", "set the key of docs/guides/sell-credits.md again")
        }
        Ok((status, _)) if *status < 500 => Finding::ok("Stripe", format!("answers, in {mode}")),
        Ok((status, _)) => Finding::warning("Stripe", format!("answers {status}"), "https://status.stripe.com"),
        Err(why) => {
            Finding::failed("Stripe", format!("does not answer: {why}"), "check StripeUrl; https://status.stripe.com")
        }
    }
}

/// Checks that the language model answers, and knows the key.
pub(crate) async fn model(patient: &Patient, secrets: &Read) -> Vec<Finding> {
    let (url, model) = (patient.facts.parameter("TextModelUrl"), patient.facts.parameter("TextModel"));
    if url.is_empty() {
        let text = "TextModelUrl is empty: outside generators write texts";
        return vec![Finding::not_set_up("language model", text, "docs/guides/language-model.md")];
    }
    let key = secrets.value("TextModelKey").map(str::trim);
    vec![judge_model(&patient.web.get(&format!("{url}/models"), key).await, model)]
}

/// Judges the answer to a request for the list of models. A server that has no list is not wrong.
fn judge_model(answer: &Result<(u16, String), String>, model: &str) -> Finding {
    let (name, cure) = ("language model", "docs/guides/language-model.md");
    match answer {
        Ok((200, body)) => {
            let list: Value = serde_json::from_str(body).unwrap_or_default();
            match list["data"].as_array() {
                Some(all) if !all.iter().any(|one| one["id"] == model) => {
                    Finding::warning(name, format!("answers, and does not list {model}"), cure)
                }
                _ => Finding::ok(name, "answers"),
            }
        }
        Ok((401 | 403, _)) => Finding::failed(name, "does not accept the key", format!("set TextModelKey; {cure}")),
        Ok((status, _)) if *status < 500 || *status == 501 => {
            Finding::ok(name, format!("answers ({status} for its list of models)"))
        }
        Ok((status, _)) => Finding::warning(name, format!("answers {status}"), "try again; ask its provider"),
        Err(why) => Finding::failed(name, format!("does not answer: {why}"), format!("check TextModelUrl; {cure}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State;

    fn answer(status: u16, body: &str) -> (u16, String) {
        (status, body.to_owned())
    }

    #[test]
    fn unknown_keys_and_servers_that_do_not_answer_fail() {
        let stripe = |answer| judge_stripe(&answer, "test mode").state;
        assert_eq!((stripe(Ok(answer(200, ""))), stripe(Ok(answer(403, "")))), (State::Ok, State::Ok));
        assert_eq!((stripe(Ok(answer(401, ""))), stripe(Err("refused".to_owned()))), (State::Failed, State::Failed));
        assert_eq!(stripe(Ok(answer(503, ""))), State::Warning);
        let model = |answer| judge_model(&answer, "m").state;
        assert_eq!(model(Ok(answer(200, r#"{"data":[{"id":"m"}]}"#))), State::Ok);
        assert_eq!(model(Ok(answer(200, r#"{"data":[{"id":"n"}]}"#))), State::Warning);
        assert_eq!((model(Ok(answer(501, ""))), model(Ok(answer(200, "x")))), (State::Ok, State::Ok));
        assert_eq!((model(Ok(answer(401, ""))), model(Err("refused".to_owned()))), (State::Failed, State::Failed));
        assert_eq!(model(Ok(answer(500, ""))), State::Warning);
    }
}
