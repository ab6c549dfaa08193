//! Granting uploads: one transaction of the file, the ledger with its rate window, and the idempotency key.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use consigne_core::files::{File, Grant, GrantOutcome, ObjectKey, WINDOW, Window};
use consigne_core::ports::{GetFile, GrantUpload};
use consigne_core::{Fault, IdempotencyKey, Timestamp, UserId};

use super::item::{Item, Reader, number, text, user_pk};
use super::transact::Outcome;
use super::{Table, file_item, usage_item};

/// How long an idempotency key is remembered, in seconds.
const KEY_REMEMBERED: i64 = 24 * 60 * 60;

/// Places in the transaction.
const LEDGER: usize = 1;
const KEY: usize = 2;

/// Which of the two states a rate window can be in is assumed; an expression cannot ask and choose.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guess {
    /// A window is open: count one more write in it.
    Running,
    /// None is open: open one.
    Over,
}

impl GrantUpload for Table {
    async fn grant_upload(&self, grant: &Grant) -> Result<GrantOutcome, Fault> {
        let (owner, allowances) = (grant.file.owner(), grant.plan.allowances());
        let Some(room) = allowances.storage.checked_sub(grant.file.size) else {
            return Ok(GrantOutcome::OverQuota { committed: 0 });
        };
        let seen = self.windows.get(owner).is_some_and(|started| started > grant.now.minus(WINDOW));
        let mut guess = if seen { Guess::Running } else { Guess::Over };
        loop {
            let writes = self.grant_writes(grant, room, guess).map_err(Fault::internal)?;
            let Outcome::Refused(failed) = self.transact(writes).await? else {
                if guess == Guess::Over {
                    self.windows.set(owner, grant.now);
                }
                return Ok(GrantOutcome::Granted);
            };
            if let (Some(key), Some(failed)) = (&grant.idempotency, failed.iter().find(|failed| failed.at == KEY)) {
                return self.replay(owner, key, &failed.item).await;
            }
            let ledger = failed
                .iter()
                .find(|failed| failed.at == LEDGER)
                .ok_or_else(|| Fault::internal("a file id was minted twice"))?;
            let usage = usage_item::read(&ledger.item)?;
            let limit = allowances.writes_per_minute;
            let Some(next) = Window::admit(usage.window, limit, grant.now) else {
                return Ok(GrantOutcome::OverRate(
                    usage.window.unwrap_or(Window { started: grant.now, writes: limit }),
                ));
            };
            if usage.committed > room {
                return Ok(GrantOutcome::OverQuota { committed: usage.committed });
            }
            // Neither spent: the guess was wrong, or another write got in between.
            self.windows.set(owner, next.started);
            guess = if next.writes > 1 { Guess::Running } else { Guess::Over };
            if crate::call::remaining().is_zero() {
                return Err(Fault::unavailable("the ledger kept changing"));
            }
        }
    }
}

impl Table {
    fn grant_writes(&self, grant: &Grant, room: u64, guess: Guess) -> Result<Vec<TransactWriteItem>, BuildError> {
        let file = Put::builder()
            .table_name(&self.name)
            .set_item(Some(file_item::write(&grant.file)))
            .condition_expression("attribute_not_exists(pk)")
            .build()?;
        let mut writes = vec![TransactWriteItem::builder().put(file).build(), self.ledger_write(grant, room, guess)?];
        if let Some(key) = &grant.idempotency {
            writes.push(self.key_write(key, &grant.file, grant.now)?);
        }
        Ok(writes)
    }

    fn ledger_write(&self, grant: &Grant, room: u64, guess: Guess) -> Result<TransactWriteItem, BuildError> {
        let owner = grant.file.owner();
        let update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(usage_item::key(owner)))
            .expression_attribute_values(":size", number(grant.file.size))
            .expression_attribute_values(":room", number(room))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":over", number(grant.now.minus(WINDOW).as_millis()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let fits = "(attribute_not_exists(committed) OR committed <= :room)";
        let update = match guess {
            Guess::Running => update
                .update_expression("ADD committed :size, reserved :size, window_writes :one")
                .condition_expression(format!("{fits} AND window_started > :over AND window_writes < :limit"))
                .expression_attribute_values(":limit", number(grant.plan.allowances().writes_per_minute)),
            Guess::Over => update
                .update_expression(
                    "ADD committed :size, reserved :size SET window_started = :now, window_writes = :one",
                )
                .condition_expression(format!(
                    "{fits} AND (attribute_not_exists(window_started) OR window_started <= :over)"
                ))
                .expression_attribute_values(":now", number(grant.now.as_millis())),
        };
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }

    fn key_write(&self, key: &IdempotencyKey, file: &File, now: Timestamp) -> Result<TransactWriteItem, BuildError> {
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(Item::from([
                ("pk".to_owned(), text(user_pk(file.owner()))),
                ("sk".to_owned(), text(format!("IDEM#upload-grant#{}", key.key))),
                ("fingerprint".to_owned(), text(&key.fingerprint)),
                ("s3_key".to_owned(), text(file.key.as_str())),
                ("ttl".to_owned(), number(now.as_secs() + KEY_REMEMBERED)),
            ])))
            // The table may be days late in forgetting what has run out.
            .condition_expression("attribute_not_exists(pk) OR #ttl <= :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", number(now.as_secs()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Answers a request that was granted before.
    async fn replay(&self, owner: &UserId, key: &IdempotencyKey, item: &Item) -> Result<GrantOutcome, Fault> {
        let reader = Reader(item);
        if reader.text("fingerprint")? != key.fingerprint {
            return Ok(GrantOutcome::Mismatch);
        }
        let object = reader.parsed("s3_key", |text| ObjectKey::parse_for(owner, text))?;
        let file = self.get_file(owner, object.file()).await?;
        file.map(|file| GrantOutcome::Replayed(Box::new(file)))
            .ok_or_else(|| Fault::internal("an idempotency key names a file that is not there"))
    }
}
