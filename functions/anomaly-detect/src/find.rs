//! Looks closer at what was going on.

use consigne_core::anomalies::{COUNTRIES_MAX, Finding, countries, keys_created, usage_jump};
use consigne_core::audit::AuditAction;
use consigne_core::keys::ApiKey;
use consigne_core::ports::{ListAudit, ListCalls, PageAsk};
use consigne_core::{Fault, OrgId, Timestamp};

use crate::time_is_left;

/// Most calls of a key that are read, the latest ones. Of a key that makes more in an hour and a half only those are looked
/// at: countries that came before them are then missed.
const CALLS: usize = 20_000;
/// Entries of an audit trail read in one question to the table.
const PAGE: u32 = 100;

/// Finds what is unusual about a key's use. Its calls are read only when they came from so many countries at all.
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

/// Finds what is unusual about the keys an organisation has made: by its trail, which keeps those that are gone again, however
/// much else stands in it.
///
/// # Errors
/// `UNAVAILABLE` when time runs short, besides what the table answers.
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
