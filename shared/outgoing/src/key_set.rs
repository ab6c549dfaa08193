//! Fetches the keys with which session tokens are verified from their issuer.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use consigne_auth::{FetchError, KeySource};

use crate::client::body_within;
use crate::connector::connector;

/// Longest time for the issuer's key endpoint to answer.
const KEYS_WAIT: Duration = Duration::from_secs(3);

/// Largest key set, in bytes. Real ones contain a few keys of half a kilobyte.
const KEY_SET_MAX: usize = 256 * 1024;

/// Creates a key source that fetches the key set from a URL.
pub fn fetched_keys(url: String) -> KeySource {
    let connector = connector(KEYS_WAIT);
    KeySource::fetched(Box::new(move || {
        let (connector, url) = (connector.clone(), url.clone());
        Box::pin(async move {
            let mut answer = connector.call(HttpRequest::get(url)?).await?;
            if !answer.status().is_success() {
                return Err(FetchError::from(format!("the key endpoint answered {}", answer.status().as_u16())));
            }
            let body = body_within(&mut answer, KEY_SET_MAX).await;
            Ok(String::from_utf8(body.map_err(|(_, why)| why)?)?)
        })
    }))
}
