//! Looks for anomalies in the use of a key and in the keys of an organisation.

use consigne_core::anomalies::{COUNTRIES_MAX, Finding, countries, keys_created, usage_jump};
use consigne_core::audit::AuditAction;
use consigne_core::keys::ApiKey;
use consigne_core::ports::{ListAudit, ListCalls, PageAsk};
use consigne_core::{Fault, OrgId, Timestamp};

use crate::time_is_left;

/// Most calls of a key that are read, newest first. If a key makes more within an hour and a half, the countries of the
/// older ones are missed.
const CALLS: usize = 20_000;
/// Entries of an audit log read in one query.
const PAGE: u32 = 100;

/// Finds anomalies in the use of a key. `seen` is the number of countries in its activity; the calls themselves are
/// read only if it exceeds [`COUNTRIES_MAX`].
pub(crate) async fn in_use_of<F: ListCalls>(
    table: &F,
    key: &ApiKey,
    seen: usize,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<Finding>, Fault> {
    let mut found: Vec<Finding> = usage_jump(key, now).into_iter().collect();
    if seen > COUNTRIES_MAX {
        let calls = table.list_calls(key.org, key.id, since, CALLS).await?;
        let calls: Vec<(Timestamp, &str)> = calls.iter().map(|(at, country)| (*at, country.as_str())).collect();
        found.extend(countries(&calls, now));
    }
    Ok(found)
}

/// Finds anomalies in the creation of an organisation's keys. It reads the audit log, because that also shows keys that
/// were deleted since.
///
/// # Errors
/// `UNAVAILABLE` when time runs short, and the errors of the table.
pub(crate) async fn in_keys_made<F: ListAudit>(
    table: &F,
    org: OrgId,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<Finding>, Fault> {
    let (mut made, mut page) = (Vec::new(), PageAsk { limit: PAGE, after: None });
    loop {
        let listed = table.list_audit(org, &page).await?;
        let recent = listed.items.iter().filter(|entry| entry.at >= since);
        made.extend(recent.filter(|entry| entry.action == AuditAction::KeyIssued).map(|entry| entry.at));
        let goes_back_further = listed.items.last().is_some_and(|entry| entry.at < since);
        page.after = listed.next;
        if goes_back_further || page.after.is_none() {
            return Ok(keys_created(&made, now).into_iter().collect());
        }
        time_is_left()?;
    }
}
