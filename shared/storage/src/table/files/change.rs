//! Changes of what an owner says about a file. One transaction writes the record and counts the write.

use consigne_core::Fault;
use consigne_core::ports::{ChangeFile, FileChange, FileChangeOutcome};
use consigne_core::rates::Rate;

use crate::table::Table;
use crate::table::files::file_item;
use crate::table::idempotency::TransactionOutcome;
use crate::table::rates::{Counted, CountedOutcome};

impl ChangeFile for Table {
    async fn change_file(&self, change: &FileChange) -> Result<FileChangeOutcome, Fault> {
        let file = &change.file;
        let counted = Counted { user: file.owner(), plan: change.plan, rates: &[Rate::Writes], now: change.now };
        let record = self.put_seen(file_item::write(file), file.revision - 1)?;
        let writes = vec![record, self.require_open(file.owner())?];
        Ok(match self.transact_within(&counted, writes, None).await? {
            CountedOutcome::Within(TransactionOutcome::Written(_)) => FileChangeOutcome::Applied,
            CountedOutcome::Within(TransactionOutcome::Refused(_)) => FileChangeOutcome::Conflict,
            CountedOutcome::Over(over) => FileChangeOutcome::OverRate(over),
        })
    }
}
