//! Checks answers exactly, because a function is only measured if it has done the work.

use consigne_core::text::hex;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{Problem, scene, stub};

/// Checks a function's answer to its first payload.
///
/// # Errors
/// If the answer is wrong. The error contains the answer.
pub(crate) fn check(name: &str, answer: &str) -> Result<(), Problem> {
    let answer: Value = serde_json::from_str(answer).map_err(|error| error.to_string())?;
    let body = answer["body"].as_str().unwrap_or_default();
    let body: Value = serde_json::from_str(body).map_err(|error| format!("no JSON: {error}"))?;
    let right = if name.starts_with("presign") { ticket(&body) } else { charged(&body) };
    if right { Ok(()) } else { Err(format!("answered {body}")) }
}

/// Returns whether the stub's key was found valid and was charged, with a receipt.
fn charged(body: &Value) -> bool {
    let data = &body["data"];
    let receipt = data["receipt_id"].as_str().unwrap_or_default();
    data["valid"] == true && data["code"] == "VALID" && data["key_id"] == stub::API_KEY && !receipt.is_empty()
}

/// Returns whether S3 would accept a ticket: for the file's version, with the requested validity, and correctly signed.
fn ticket(body: &Value) -> bool {
    let url = body["url"].as_str().unwrap_or_default();
    let Some((path, query)) = url.split_once('?') else { return false };
    let host = path.split('/').nth(2).unwrap_or_default();
    let ours = path.ends_with(&format!("/bucket/{}", stub::KEY));
    let has = |pair: &str| query.split('&').any(|other| other == pair);
    ours && has("versionId=v1") && has("X-Amz-Expires=600") && signed(host, path, query)
}

/// Computes the signature of a URL again and compares.
///
/// Source: Amazon S3 API reference, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
fn signed(host: &str, path: &str, query: &str) -> bool {
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let (Some(at), Some(scope), Some(signature), Some("host")) = (
        value("X-Amz-Date"),
        value("X-Amz-Credential").map(|credential| credential.replace("%2F", "/")),
        value("X-Amz-Signature"),
        value("X-Amz-SignedHeaders"),
    ) else {
        return false;
    };
    let Some(scope) = scope.strip_prefix(&format!("{}/", scene::ACCESS_KEY)) else { return false };
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("X-Amz-Signature=")).collect();
    pairs.sort_unstable();
    let path = path.split_once(host).map_or("", |(_, path)| path);
    let request = format!("GET\n{path}\n{}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD", pairs.join("&"));
    let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", hex(&Sha256::digest(request)));
    let first = format!("AWS4{}", scene::SECRET_KEY).into_bytes();
    let key = scope.split('/').fold(first, |key, part| mac(&key, part));
    hex(&mac(&key, &text)) == signature
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC accepts keys of any length, so this cannot fail.
    #[allow(clippy::expect_used)]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
