//! Exports of people's data, and the walk through what a person owns.

use aws_sdk_dynamodb::types::Put;
use consigne_core::audit::AuditEntry;
use consigne_core::events::Event;
use consigne_core::exports::{EXPORT_REPEATED, EXPORTS_A_DAY, Export, PersonRecord, too_many_exports};
use consigne_core::idempotency::CommitOutcome;
use consigne_core::mail::Topic;
use consigne_core::periods::Day;
use consigne_core::ports::{AdvanceExport, ForgetExport, GetExport, RequestExport, WalkPerson};
use consigne_core::{EndpointId, Fault, FileId, JobId, OrgId, Timestamp, UserId};

use crate::table::credits::wallet_item;
use crate::table::files::{file_item, ledger_item};
use crate::table::item::{Item, Reader, count_one, key, malformed, number, text, user_pk};
use crate::table::jobs::{drafts, job_item};
use crate::table::people::profiles;
use crate::table::transact::{Outcome, failed_at};
use crate::table::{Table, audit, outbox};

/// Sort key of every export.
const SK: &str = "EXPORT";
/// Attribute with the time at which it was complete.
const READY_AT: &str = "ready_at";
/// How long the record of an export is kept after it has expired, so that the person sees that it has.
const REMEMBERED: std::time::Duration = std::time::Duration::from_hours(30 * 24);

fn write(export: &Export) -> Result<Item, Fault> {
    let mut item = key(user_pk(&export.user), SK);
    item.insert("export".to_owned(), text(serde_json::to_string(export).map_err(Fault::internal)?));
    item.insert("requested_at".to_owned(), number(export.requested_at.as_millis()));
    item.insert("expires_at".to_owned(), number(export.expires_at.as_millis()));
    if let Some(ready_at) = export.ready_at {
        item.insert(READY_AT.to_owned(), number(ready_at.as_millis()));
    }
    item.insert("revision".to_owned(), number(export.revision));
    item.insert("ttl".to_owned(), number(export.expires_at.plus(REMEMBERED).as_secs()));
    Ok(item)
}

fn read(item: &Item) -> Result<Export, Fault> {
    Reader(item).parsed("export", |export| serde_json::from_str(export).ok())
}

impl RequestExport for Table {
    async fn request_export(&self, export: &Export, entry: Option<&AuditEntry>) -> Result<Export, Fault> {
        let (now, day) = (export.requested_at, Day::of(export.requested_at));
        // Written as `Export::answers` decides.
        let put = Put::builder()
            .set_item(Some(write(export)?))
            .condition_expression(format!(
                "attribute_not_exists(pk) OR expires_at <= :now OR (attribute_exists({READY_AT}) AND requested_at <= :before)"
            ))
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":before", number(now.minus(EXPORT_REPEATED).as_millis()));
        let mut writes =
            vec![self.put_if(put)?, self.require_open(&export.user)?, self.put(outbox::write(&export.requested()))?];
        writes.push(if let Some(entry) = entry {
            self.put(audit::write(entry))?
        } else {
            let counter = key(user_pk(&export.user), format!("EXPORTS#{day}"));
            let forgotten = day.ends().plus(std::time::Duration::from_hours(24));
            self.update(count_one(counter, "asked", EXPORTS_A_DAY, forgotten))?
        });
        match self.transact_decided_by(Some(0), writes).await? {
            Outcome::Committed => Ok(export.clone()),
            Outcome::Refused(failed) => match failed_at(&failed, 0) {
                Some(last) => read(last),
                None => Err(too_many_exports(now)),
            },
        }
    }
}

impl GetExport for Table {
    async fn get_export(&self, user: &UserId) -> Result<Option<Export>, Fault> {
        self.get(key(user_pk(user), SK)).await?.as_ref().map(read).transpose()
    }
}

impl AdvanceExport for Table {
    async fn advance_export(&self, export: &Export, event: Option<&Event>) -> Result<CommitOutcome, Fault> {
        let seen = export.revision.saturating_sub(1);
        let mut writes = vec![self.put_seen(write(export)?, seen)?, self.require_open(&export.user)?];
        if let Some(event) = event {
            writes.push(self.put(outbox::write(event))?);
        }
        self.commit(writes).await
    }
}

impl ForgetExport for Table {
    async fn forget_export(&self, user: &UserId) -> Result<(), Fault> {
        self.delete(key(user_pk(user), SK)).await
    }
}

impl WalkPerson for Table {
    async fn walk_person(
        &self,
        user: &UserId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<PersonRecord>, Option<String>), Fault> {
        let query = self
            .partition(None, user_pk(user))
            .key_condition_expression("#pk = :pk")
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after.map(|after| key(user_pk(user), after)));
        let page = self.client.send(query).await.map_err(Fault::unavailable)?;
        let records = page.items().iter().filter_map(|item| record(user, item)).collect();
        let next = page.last_evaluated_key.as_ref().map(|last| Reader(last).text("sk").map(str::to_owned));
        Ok((records, next.transpose()?))
    }
}

/// Reads an item of a person's partition. Returns `None` for one that is not exported.
fn record(user: &UserId, item: &Item) -> Option<PersonRecord> {
    let name = Reader(item).optional_text("sk").unwrap_or_default();
    let (kind, rest) = name.split_once('#').unwrap_or((name, ""));
    let read = match kind {
        "FILE" => file_item::read(item).map(Box::new).map(PersonRecord::File),
        "JOB" => job_item::read(item).map(Box::new).map(PersonRecord::Job),
        "TEXT" => draft_or_chapter(user, rest, item),
        "ENDPOINT" => endpoint(rest, item),
        "PROFILE" => profiles::read(item).map(Box::new).map(PersonRecord::Profile),
        "USAGE" => ledger_item::read(item).map(Box::new).map(PersonRecord::Storage),
        "TESTWALLET" => wallet_item::read(item).map(Box::new).map(PersonRecord::TestCredits),
        "UNSUBSCRIBED" => unsubscribed(rest, item),
        // Counts, idempotency records and the like.
        _ => return None,
    };
    Some(read.unwrap_or_else(|_| PersonRecord::Unreadable(name.to_owned())))
}

fn draft_or_chapter(user: &UserId, rest: &str, item: &Item) -> Result<PersonRecord, Fault> {
    let Some((tail, place)) = rest.split_once('#') else {
        return drafts::read(item).map(Box::new).map(PersonRecord::Draft);
    };
    let job = FileId::parse(tail).map(|tail| JobId::of(user.clone(), tail)).ok_or_else(|| malformed("sk"))?;
    let place = place.parse().map_err(|_| malformed("sk"))?;
    Ok(PersonRecord::Chapter(job, place, Reader(item).text("text")?.to_owned()))
}

fn endpoint(rest: &str, item: &Item) -> Result<PersonRecord, Fault> {
    let id = EndpointId::parse(rest).ok_or_else(|| malformed("sk"))?;
    Ok(PersonRecord::Endpoint(Reader(item).parsed("org_id", OrgId::parse)?, id))
}

fn unsubscribed(rest: &str, item: &Item) -> Result<PersonRecord, Fault> {
    let topic = Topic::from_name(rest).ok_or_else(|| malformed("sk"))?;
    let since: Timestamp = Reader(item).time("since")?;
    Ok(PersonRecord::Unsubscribed(topic, since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named_and_counts_are_left_out() {
        let user = UserId::parse("user_ann1").unwrap();
        let of = |sk: &str| record(&user, &key(user_pk(&user), sk));
        for name in ["FILE#x", "JOB#x", "TEXT#x", "TEXT#x#001", "ENDPOINT#x", "TESTWALLET", "UNSUBSCRIBED#x"] {
            assert_eq!(of(name), Some(PersonRecord::Unreadable(name.to_owned())));
        }
        for name in ["IDEM#a#b", "EXPORT", "EXPORTS#2026-11-21", "GENERATIONS#2026-11", "FOUNDED", "CLOSING", "ORDER"] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
