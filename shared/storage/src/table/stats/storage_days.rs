//! The storage used by all users: one small item for each day, all in one partition.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemInput};
use aws_sdk_dynamodb::types::AttributeValue;
use consigne_core::periods::Day;
use consigne_core::ports::{KeepStorage, ListStorage};
use consigne_core::stats::{DaySpan, StorageDay, StorageTotals, Stored};
use consigne_core::{Fault, Plan};

use crate::table::Table;
use crate::table::item::{Item, Reader, key, malformed, number, text};

/// Partition key of all days.
const PK: &str = "STORAGE";
/// Prefix of the sort key of every day.
const DAY: &str = "DAY#";

fn write(storage: &StorageDay) -> Item {
    let mut item = key(PK, format!("{DAY}{}", storage.day));
    let plan = |(plan, stored): (Plan, Stored)| {
        let Stored { users, files, bytes, reserved } = stored;
        let counts = [("users", users), ("files", files), ("bytes", bytes), ("reserved", reserved)];
        let counts = counts.map(|(name, count)| (name.to_owned(), number(count)));
        (plan.name().to_owned(), AttributeValue::M(counts.into()))
    };
    item.insert("plans".to_owned(), AttributeValue::M(storage.totals.plans().map(plan).collect()));
    item.insert("counted_at".to_owned(), number(storage.counted_at.as_millis()));
    item
}

fn read(item: &Item) -> Result<StorageDay, Fault> {
    let reader = Reader(item);
    let plans: &HashMap<_, _> =
        item.get("plans").and_then(|value| value.as_m().ok()).ok_or_else(|| malformed("plans"))?;
    let plan = |(name, counts): (&String, &AttributeValue)| {
        let counts = Reader(counts.as_m().map_err(|_| malformed(name))?);
        let stored = Stored {
            users: counts.number("users")?,
            files: counts.number("files")?,
            bytes: counts.number("bytes")?,
            reserved: counts.number("reserved")?,
        };
        Ok((Plan::from_name(name), stored))
    };
    Ok(StorageDay {
        day: reader.parsed("sk", |sk| Day::parse(sk.strip_prefix(DAY)?))?,
        totals: StorageTotals::new(plans.iter().map(plan).collect::<Result<Vec<_>, Fault>>()?),
        counted_at: reader.time("counted_at")?,
    })
}

impl KeepStorage for Table {
    async fn keep_storage(&self, storage: &StorageDay) -> Result<bool, Fault> {
        let put = PutItemInput::builder()
            .table_name(&self.name)
            .set_item(Some(write(storage)))
            .condition_expression("attribute_not_exists(pk) OR counted_at <= :counted_at")
            .expression_attribute_values(":counted_at", number(storage.counted_at.as_millis()));
        match self.client.send(put).await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(Fault::unavailable(error)),
            },
        }
    }
}

impl ListStorage for Table {
    async fn list_storage(&self, span: DaySpan) -> Result<Vec<StorageDay>, Fault> {
        let query = self
            .partition(None, PK.to_owned())
            .key_condition_expression("#pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":from", text(format!("{DAY}{}", span.from)))
            .expression_attribute_values(":to", text(format!("{DAY}{}", span.to)));
        self.all(query).await?.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use consigne_core::Timestamp;

    use super::*;

    #[test]
    fn a_day_reads_back_from_its_item() {
        let stored = Stored { users: 1, files: 2, bytes: u64::MAX, reserved: 4 };
        let totals = StorageTotals::new([(Plan::Free, stored), (Plan::Enterprise, Stored::default())]);
        let day = Day::parse("2028-02-29").unwrap();
        for totals in [totals, StorageTotals::default()] {
            let storage = StorageDay { day, totals, counted_at: Timestamp::from_millis(1_234) };
            assert_eq!(read(&write(&storage)).unwrap(), storage);
        }
    }
}
