//! Removes the objects of exports.

use std::collections::BTreeSet;

use consigne_core::exports::{Export, ExportKey};
use consigne_core::ports::{ListVersionPage, RemoveVersion};
use consigne_core::{Fault, UserId};

/// Versions listed with one call.
const PAGE: u32 = 1_000;

/// Removes every version below a person's exports, except those that `kept` names, its manifest, which may be under way, and
/// those of exports after `kept`. Stops when `goes_on` says so, and then returns `false`.
///
/// # Errors
/// If the bucket does not answer. What is removed by then stays removed.
pub async fn remove_exports<B: ListVersionPage + RemoveVersion>(
    bucket: &B,
    user: &UserId,
    kept: Option<&Export>,
    goes_on: impl Fn() -> bool,
) -> Result<bool, Fault> {
    let named: BTreeSet<(String, &str)> = kept
        .iter()
        .flat_map(|export| export.objects())
        .map(|(key, part)| (key.to_string(), part.version.as_str()))
        .collect();
    let manifest = kept.map(|export| ExportKey::manifest(&export.user, export.id).to_string());
    let (prefix, mut after) = (ExportKey::prefix_of(user), None);
    loop {
        let (versions, next) = bucket.list_version_page(&prefix, after.as_ref(), PAGE).await?;
        for one in versions {
            // Ids sort by time. A worker that was held up may come here when the next export is being written already.
            if kept.is_some_and(|kept| ExportKey::export_of(&one.key).is_some_and(|id| id > kept.id)) {
                continue;
            }
            if manifest.as_ref() == Some(&one.key) || named.contains(&(one.key.clone(), one.version.as_str())) {
                continue;
            }
            if !goes_on() {
                return Ok(false);
            }
            bucket.remove_version(&one.key, &one.version).await?;
        }
        after = next;
        if after.is_none() {
            return Ok(true);
        }
    }
}
