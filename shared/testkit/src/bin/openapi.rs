//! Writes openapi.json and the schemas of events.

use consigne_core::events::EventKind;
use consigne_testkit::{openapi, payload, schemas};
use serde_json::Value;

fn main() -> std::io::Result<()> {
    write(openapi::PATH, &openapi::document())?;
    EventKind::ALL.into_iter().try_for_each(|kind| write(&schemas::path(kind), &schemas::document(kind)))
}

fn write(path: &str, document: &Value) -> std::io::Result<()> {
    let text = serde_json::to_string_pretty(document).map_err(std::io::Error::other)?;
    std::fs::write(payload::root().join(path), text + "\n")
}
