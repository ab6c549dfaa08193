//! Writes openapi.json.

use consigne_testkit::{openapi, payload};

fn main() -> std::io::Result<()> {
    let text = serde_json::to_string_pretty(&openapi::document()).map_err(std::io::Error::other)?;
    std::fs::write(payload::root().join(openapi::PATH), text + "\n")
}
