//! The reconciliation: its walks through records and ledgers, and the item of its last run.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::types::Put;
use consigne_core::events::Event;
use consigne_core::files::Kind;
use consigne_core::idempotency::CommitOutcome;
use consigne_core::ports::{GetLedgerSums, GetRecords, GetRun, KeepRun, ListOwners, WalkRecords};
use consigne_core::reconcile::{LedgerSums, Recorded, Run};
use consigne_core::{Fault, FileId, UserId};
use futures_util::future::try_join_all;

use crate::table::files::{file_item, ledger_item, ledger_walk};
use crate::table::item::{self, Item, Reader, key, malformed, number, text, user_pk};
use crate::table::{Table, audit, due, outbox};

/// Sort key of the item with the last run.
const SK: &str = "RECONCILE";

/// Reads whose a record is: a person's, or an order's.
fn owner_of(item: &Item) -> Result<UserId, Fault> {
    Reader(item).parsed("pk", |pk| UserId::parse_owner(pk.strip_prefix("USER#")?))
}

/// Reads a record. One that is malformed must not stop the walk, nor look as if it were not there.
fn recorded(item: &Item) -> Result<Recorded, Fault> {
    if let Ok(file) = file_item::read(item) {
        return Ok(Recorded::File(Box::new(file)));
    }
    let reader = Reader(item);
    Ok(Recorded::Unreadable {
        owner: owner_of(item)?,
        file: reader.parsed("sk", |sk| FileId::parse(sk.strip_prefix("FILE#")?))?,
    })
}

impl ListOwners for Table {
    async fn list_owners(&self, from: &str, limit: u32) -> Result<Vec<UserId>, Fault> {
        // All at once: one after the other, they would be half of the time that a run takes to begin.
        let shards = (0..due::SHARDS).map(|shard| self.owners_of_shard(shard, from, limit));
        let mut owners = try_join_all(shards).await?.concat();
        owners.sort();
        owners.truncate(limit as usize);
        Ok(owners)
    }
}

impl Table {
    /// Returns at most `limit` users of a shard of the index, from an id on.
    async fn owners_of_shard(&self, shard: u8, from: &str, limit: u32) -> Result<Vec<UserId>, Fault> {
        let query = QueryInput::builder()
            .table_name(&self.name)
            .index_name(ledger_walk::INDEX)
            .key_condition_expression("ledger_shard = :shard AND pk >= :from")
            .expression_attribute_values(":shard", text(ledger_walk::of_shard(shard)))
            .expression_attribute_values(":from", text(format!("USER#{from}")))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        // Keys are small, so `limit` of them fit in one page.
        let page = self.client.send(query).await.map_err(Fault::unavailable)?;
        page.items().iter().map(ledger_item::owner).collect()
    }
}

impl WalkRecords for Table {
    async fn walk_records(
        &self,
        owner: &UserId,
        (first, last): (Option<FileId>, Option<FileId>),
        after: Option<FileId>,
    ) -> Result<(Vec<Recorded>, Option<FileId>), Fault> {
        let start = after.map(|after| item::key(user_pk(owner), file_item::file_sk(after)));
        let query = self
            .partition(None, user_pk(owner))
            .key_condition_expression("#pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":first", text(first.map_or("FILE#".to_owned(), file_item::file_sk)))
            // Sorts behind every id.
            .expression_attribute_values(":last", text(last.map_or("FILE#~".to_owned(), file_item::file_sk)))
            .set_exclusive_start_key(start);
        let page = self.client.send(query).await.map_err(Fault::unavailable)?;
        let records = page.items().iter().map(recorded).collect::<Result<Vec<_>, _>>()?;
        let id = |key: &Item| Reader(key).parsed("sk", |sk| FileId::parse(sk.strip_prefix("FILE#")?));
        Ok((records, page.last_evaluated_key.as_ref().map(id).transpose()?))
    }
}

impl GetRecords for Table {
    async fn get_records(
        &self,
        files: &BTreeSet<(UserId, FileId)>,
    ) -> Result<BTreeMap<(UserId, FileId), Recorded>, Fault> {
        let keys: Vec<Item> =
            files.iter().map(|(owner, file)| item::key(user_pk(owner), file_item::file_sk(*file))).collect();
        let found = self.batch_get(&keys, true).await?;
        let entry = |item| Ok(((owner_of(item)?, recorded(item)?.id()), recorded(item)?));
        found.iter().map(entry).collect()
    }
}

impl GetLedgerSums for Table {
    async fn get_ledger_sums(&self, owners: &BTreeSet<UserId>) -> Result<BTreeMap<UserId, LedgerSums>, Fault> {
        let keys: Vec<Item> = owners.iter().map(ledger_item::key).collect();
        let found = self.batch_get(&keys, true).await?;
        found.iter().map(|item| Ok((ledger_item::owner(item)?, sums(item)?))).collect()
    }
}

/// Reads the counts of a ledger as they are, also negative ones. Missing attributes count as zero.
fn sums(item: &Item) -> Result<LedgerSums, Fault> {
    let reader = Reader(item);
    let count = |name: &str| match item.get(name) {
        Some(_) => reader.number(name),
        None => Ok(0),
    };
    let mut sums = LedgerSums { committed: count("committed")?, reserved: count("reserved")?, ..LedgerSums::default() };
    for kind in Kind::ALL {
        sums.files[kind as usize] = count(&ledger_item::files_attribute(kind))?;
        sums.bytes[kind as usize] = count(&ledger_item::bytes_attribute(kind))?;
    }
    Ok(sums)
}

impl GetRun for Table {
    async fn get_run(&self) -> Result<Option<Run>, Fault> {
        let read = self.get(key(audit::SYSTEM, SK)).await?;
        let run = |item: &Item| Reader(item).parsed("run", |run| serde_json::from_str(run).ok());
        read.as_ref().map(run).transpose()
    }
}

impl KeepRun for Table {
    async fn keep_run(&self, run: &Run, event: Option<&Event>) -> Result<CommitOutcome, Fault> {
        let mut item = key(audit::SYSTEM, SK);
        item.insert("run".to_owned(), text(serde_json::to_string(run).map_err(|_| malformed("run"))?));
        item.insert("revision".to_owned(), number(run.revision));
        let put = Put::builder().set_item(Some(item)).condition_expression(if run.revision == 1 {
            "attribute_not_exists(pk)"
        } else {
            "revision = :seen"
        });
        let put = if run.revision == 1 {
            put
        } else {
            put.expression_attribute_values(":seen", number(run.revision.saturating_sub(1)))
        };
        let mut writes = vec![self.put_if(put)?];
        if let Some(event) = event {
            writes.push(self.put(outbox::write(event))?);
        }
        self.commit(writes).await
    }
}

#[cfg(test)]
mod tests {
    use consigne_core::OrderId;
    use consigne_core::credits::PaymentId;

    use super::*;

    #[test]
    fn records_of_people_and_of_orders_name_their_owners() {
        let payment = PaymentId::parse("pi_3QxOrder").unwrap();
        for owner in [UserId::parse("user_ann1").unwrap(), UserId::of_order(OrderId::of(&payment))] {
            let mut item =
                item::key(user_pk(&owner), file_item::file_sk(FileId::parse("01M7YREWKH7VM7Z3Z2KWSH2FTR").unwrap()));
            item.insert("s3_key".to_owned(), text("damaged".to_owned()));
            assert!(matches!(recorded(&item).unwrap(), Recorded::Unreadable { owner: of, .. } if of == owner));
        }
    }
}
