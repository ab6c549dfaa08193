//! Public addresses of files. An item for each address names its file, and the file's record says whether it still has the
//! address.

use std::time::Duration;

use consigne_core::files::{File, Publication};
use consigne_core::ports::{FileChangeOutcome, GetPublished, PublishFile};
use consigne_core::rates::Rate;
use consigne_core::{Fault, FileId, Plan, PublicId, Timestamp, UserId};

use crate::table::files::file_item;
use crate::table::idempotency::TransactionOutcome;
use crate::table::item::{self, Item, Reader, number, text};
use crate::table::rates::{Counted, CountedOutcome};
use crate::table::{Table, outbox};

/// Attribute of a file's record with the id of its address.
pub(crate) const PUBLIC_ID: &str = "public_id";
/// How long the item of an address that has ended is kept. It serves nobody; it is not deleted in the transaction so that
/// no function needs the permission to delete.
const KEPT: Duration = Duration::from_hours(24);

fn key(id: PublicId) -> Item {
    item::key(format!("PUBLIC#{id}"), "ADDRESS".to_owned())
}

/// Builds the item of an address. One that ends gets the time at which the table may delete it.
pub(super) fn address(id: PublicId, file: &File, ended: Option<Timestamp>) -> Item {
    let mut item = key(id);
    item.insert("owner".to_owned(), text(file.owner().as_str()));
    item.insert("file_id".to_owned(), text(file.id().to_string()));
    if let Some(at) = ended {
        item.insert("ttl".to_owned(), number(at.plus(KEPT).as_secs()));
    }
    item
}

impl PublishFile for Table {
    async fn publish_file(&self, change: &Publication, plan: Plan, now: Timestamp) -> Result<FileChangeOutcome, Fault> {
        let file = &change.file;
        let counted = Counted { user: file.owner(), plan, rates: &[Rate::Writes], now };
        let ended = (!change.is_public()).then_some(now);
        let mut writes = vec![
            self.put_seen(file_item::write(file), file.revision - 1)?,
            self.put(address(change.id, file, ended))?,
            self.require_open(file.owner())?,
        ];
        if let Some(event) = &change.event {
            writes.push(self.put(outbox::write(event))?);
        }
        Ok(match self.transact_within(&counted, writes, None).await? {
            CountedOutcome::Within(TransactionOutcome::Written(_)) => FileChangeOutcome::Applied,
            CountedOutcome::Within(TransactionOutcome::Refused(_)) => FileChangeOutcome::Conflict,
            CountedOutcome::Over(over) => FileChangeOutcome::OverRate(over),
        })
    }
}

impl GetPublished for Table {
    async fn get_published(&self, id: PublicId) -> Result<Option<(UserId, FileId)>, Fault> {
        let Some(item) = self.get(key(id)).await? else { return Ok(None) };
        let reader = Reader(&item);
        Ok(Some((reader.parsed("owner", UserId::parse)?, reader.parsed("file_id", FileId::parse)?)))
    }
}
