//! Converts what a file's record keeps of its malware scan to and from attributes of its item.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use consigne_core::Fault;
use consigne_core::files::{Scan, ScanResult, ScanState, Unscanned, Verdict};

use crate::table::item::{Reader, malformed, text};

/// How far the scan has come.
const STATE: &str = "scan";
/// Why the file was not scanned.
const WHY: &str = "unscanned_because";
/// Verdicts about versions that were not announced yet: by version, the result and the name of the malware.
const EARLY: &str = "early_verdicts";

/// Returns the attributes to write. There are none where files are not scanned.
pub(super) fn write(scan: &Scan) -> Vec<(&'static str, AttributeValue)> {
    let mut attributes = Vec::new();
    if let Some(state) = scan.state {
        attributes.push((STATE, text(state.name())));
        attributes.extend(state.why().map(|why| (WHY, text(why.name()))));
    }
    if !scan.early.is_empty() {
        let early = scan.early.iter().map(|(version, verdict)| (version.clone(), text(words(verdict))));
        attributes.push((EARLY, AttributeValue::M(early.collect())));
    }
    attributes
}

/// Reads the attributes.
pub(super) fn read(reader: &Reader<'_>) -> Result<Scan, Fault> {
    let why = reader.optional_parsed(WHY, Unscanned::from_name)?;
    let state = reader.optional_parsed(STATE, |name| ScanState::parse(name, why))?;
    let early = reader.map_of_texts(EARLY)?.into_iter();
    let early = early.map(|(version, words)| Some((version, parse(&words)?)));
    let early = early.collect::<Option<BTreeMap<_, _>>>().ok_or_else(|| malformed(EARLY))?;
    Ok(Scan { state, early })
}

/// Returns a verdict as one text: `THREATS_FOUND EICAR-Test-File`.
fn words(verdict: &Verdict) -> String {
    match &verdict.threat {
        Some(threat) => format!("{} {threat}", verdict.result.name()),
        None => verdict.result.name().to_owned(),
    }
}

fn parse(words: &str) -> Option<Verdict> {
    let (result, threat) = words.split_once(' ').map_or((words, None), |(result, threat)| (result, Some(threat)));
    Some(Verdict { result: ScanResult::from_name(result)?, threat: threat.map(str::to_owned) })
}
