//! Writes openapi.json, the schemas of events, and the generated parts of docs/reference that only the code knows.

use std::fs::write;
use std::io::{Error, Result};
use std::path::PathBuf;

use consigne_core::events::EventKind;
use consigne_testkit::payload::root;
use consigne_testkit::{openapi, reference, schemas};
use serde_json::Value;

fn main() -> Result<()> {
    let (document, descriptions) = openapi::overlay::split(openapi::whole());
    write(root().join(openapi::PATH), openapi::written(&document))?;
    write(root().join(openapi::overlay::PATH), openapi::overlay::written(&descriptions))?;
    EventKind::ALL.into_iter().try_for_each(|kind| write_json(&schemas::path(kind), &schemas::document(kind)))?;
    reference::pages(&command_line()?).iter().try_for_each(|page| write(root().join(page.path), page.filled_in()))
}

/// Returns the operator's command line, which `make openapi` has built beside this program.
fn command_line() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("consigne"))
}

fn write_json(path: &str, document: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(document).map_err(Error::other)?;
    write(root().join(path), text + "\n")
}
