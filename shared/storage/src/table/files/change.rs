//! Changes of what an owner says about a file. One transaction writes the record and the rate window.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use consigne_core::Fault;
use consigne_core::files::{WINDOW, Window};
use consigne_core::ports::{ChangeFile, FileChange, FileChangeOutcome};

use crate::table::Table;
use crate::table::files::grant::WindowAssumption;
use crate::table::files::{file_item, ledger_item};
use crate::table::item::number;
use crate::table::people::profiles::OPEN;
use crate::table::transact::{Outcome, failed_at};

/// Index of the record in the transaction.
const RECORD: usize = 0;
/// Index of the ledger in the transaction.
const LEDGER: usize = 1;

impl ChangeFile for Table {
    async fn change_file(&self, change: &FileChange) -> Result<FileChangeOutcome, Fault> {
        let (file, limit) = (&change.file, change.plan.allowances().writes_per_minute);
        let mut assumed = self.assumed_window(file.owner(), change.now);
        loop {
            let record = self.put_seen(file_item::write(file), file.revision - 1)?;
            let writes = vec![record, self.counted_write(change, assumed)?];
            let Outcome::Refused(failed) = self.transact(writes).await? else {
                if assumed == WindowAssumption::Expired {
                    self.windows.set(file.owner(), change.now);
                }
                return Ok(FileChangeOutcome::Applied);
            };
            if failed_at(&failed, RECORD).is_some() {
                return Ok(FileChangeOutcome::Conflict);
            }
            let ledger =
                failed_at(&failed, LEDGER).ok_or_else(|| Fault::internal("no condition of a change failed"))?;
            let window = ledger_item::read(ledger)?.window;
            let Some(next) = Window::admit(window, limit, change.now) else {
                let full = window.unwrap_or(Window { started: change.now, writes: limit });
                return Ok(FileChangeOutcome::OverRate(full));
            };
            // The assumption about the window was wrong, or another write came in between.
            self.windows.set(file.owner(), next.started);
            assumed = if next.writes > 1 { WindowAssumption::Open } else { WindowAssumption::Expired };
            if consigne_aws::budget::remaining().is_zero() {
                return Err(Fault::unavailable("the ledger kept changing"));
            }
        }
    }
}

impl Table {
    /// Returns the write that counts one more write of the owner, on condition that the account is open and the window has
    /// one left.
    fn counted_write(&self, change: &FileChange, assumed: WindowAssumption) -> Result<TransactWriteItem, Fault> {
        let update = Update::builder()
            .set_key(Some(ledger_item::key(change.file.owner())))
            .expression_attribute_values(":over", number(change.now.minus(WINDOW).as_millis()))
            .expression_attribute_values(":one", number(1));
        let update = match assumed {
            WindowAssumption::Open => update
                .update_expression("ADD window_writes :one")
                .condition_expression(format!("{OPEN} AND window_started > :over AND window_writes < :limit"))
                .expression_attribute_values(":limit", number(change.plan.allowances().writes_per_minute)),
            WindowAssumption::Expired => update
                .update_expression("SET window_started = :now, window_writes = :one")
                .condition_expression(format!(
                    "{OPEN} AND (attribute_not_exists(window_started) OR window_started <= :over)"
                ))
                .expression_attribute_values(":now", number(change.now.as_millis())),
        };
        self.update(update)
    }
}
