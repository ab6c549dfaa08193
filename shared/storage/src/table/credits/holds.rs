//! Holds. A hold is opened like a charge, and ended in one transaction of hold, wallet and receipt. `sweep` releases
//! holds that time out.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use consigne_aws::budget;
use consigne_core::credits::{
    Hold, HoldId, Opening, OpeningOutcome, REFUNDS_A_DAY, Resolution, ResolutionOutcome, Wallet,
};
use consigne_core::periods::Day;
use consigne_core::ports::{GetHold, OpenHold, ResolveHold};
use consigne_core::{Fault, KeyId, OrgId};

use crate::table::Table;
use crate::table::credits::debit::{Debit, DebitMode, DebitOutcome, FRESH, millis};
use crate::table::credits::wallet_change::WalletChange;
use crate::table::credits::{hold_item, receipts, wallet_item};
use crate::table::item::{Item, count_one, key, number, org_pk};
use crate::table::transact::{Outcome, failed_at};

/// Index of the hold in the transaction that ends it.
const HOLD: usize = 0;
/// Index of the wallet in that transaction.
const WALLET: usize = 1;
/// Index of the count of a refund in that transaction. A refund has no receipt, which otherwise has this index.
const REFUNDS: usize = 2;

impl OpenHold for Table {
    async fn open_hold(&self, opening: &Opening) -> Result<OpeningOutcome, Fault> {
        let hold = &opening.hold;
        let expiry_epoch = self.expiry_epochs.get(&hold.wallet).unwrap_or_default();
        let mut debit = Debit {
            key: &opening.key,
            ask: &opening.ask,
            ip: opening.ip.as_deref(),
            country: opening.country.as_deref(),
            amount: hold.amount,
            mode: DebitMode::Reserve(expiry_epoch),
            record_key: hold_item::hold_key(&hold.id),
            idempotent: !hold.fingerprint.is_empty(),
        };
        let written =
            |expiry_epoch: Option<u32>| Hold { expiry_epoch: expiry_epoch.unwrap_or_default(), ..hold.clone() };
        let record = |expiry_epoch: Option<u32>| hold_item::write(&written(expiry_epoch));
        let outcome = self.debit(&mut debit, record).await?;
        let now = match debit.mode {
            DebitMode::Reserve(now) => now,
            DebitMode::Spend => expiry_epoch,
        };
        if now != expiry_epoch {
            self.expiry_epochs.set(&hold.wallet, now);
        }
        match outcome {
            DebitOutcome::Applied => Ok(OpeningOutcome::Opened(Box::new(written(Some(now))))),
            DebitOutcome::Replayed(item) => replay(hold, &item),
            DebitOutcome::Refused(refusal) => Ok(OpeningOutcome::Refused(refusal)),
            DebitOutcome::PayerChanged => Ok(OpeningOutcome::PayerChanged),
        }
    }
}

/// Returns the outcome of an opening whose hold already exists.
fn replay(asked: &Hold, item: &Item) -> Result<OpeningOutcome, Fault> {
    let hold = hold_item::read(item)?;
    let same = hold.fingerprint == asked.fingerprint && hold.key == asked.key;
    Ok(if same { OpeningOutcome::Replayed(Box::new(hold)) } else { OpeningOutcome::KeyReused })
}

impl GetHold for Table {
    async fn get_hold(&self, id: HoldId) -> Result<Option<Hold>, Fault> {
        self.get(hold_item::hold_key(&id)).await?.as_ref().map(hold_item::read).transpose()
    }
}

impl ResolveHold for Table {
    async fn resolve_hold(&self, step: &Resolution) -> Result<ResolutionOutcome, Fault> {
        // Usually the wallet need not be read. If a lot has expired since the hold was opened, the change is computed
        // from the wallet that was read: `seen`.
        let mut seen: Option<Wallet> = None;
        loop {
            let wallet = match &seen {
                None => release(step),
                Some(wallet) => release_carried(step, wallet)?,
            };
            let Outcome::Refused(failed) = self.transact(self.resolution_writes(step, wallet)?).await? else {
                return Ok(ResolutionOutcome::Resolved);
            };
            if failed_at(&failed, HOLD).is_some() {
                return Ok(ResolutionOutcome::Conflict);
            }
            if step.refund_of.is_some() && failed_at(&failed, REFUNDS).is_some() {
                return Ok(ResolutionOutcome::NoMoreRefunds);
            }
            if let Some(item) = failed_at(&failed, WALLET) {
                let wallet = wallet_item::read(item)?;
                let stale = wallet.is_stale(step.now);
                if stale {
                    self.write_expiry(&wallet, step.now).await?;
                }
                seen = (!stale && wallet.expiry_epoch != step.hold.expiry_epoch).then_some(wallet);
            }
            if budget::remaining().is_zero() {
                return Err(Fault::unavailable("the wallet kept changing"));
            }
        }
    }
}

impl Table {
    fn resolution_writes(&self, step: &Resolution, wallet: UpdateBuilder) -> Result<Vec<TransactWriteItem>, Fault> {
        let mut writes = vec![self.update(hold_item::end(step))?, self.update(wallet)?];
        if let Some(day) = step.refund_of {
            writes.push(self.update(count_refund(step.hold.id.org(), step.hold.key, day))?);
        }
        if let Some(receipt) = &step.receipt {
            writes.push(self.put(receipts::write(receipt))?);
        }
        Ok(writes)
    }
}

/// Builds the wallet's update for a hold of the current expiry epoch: no lot has expired since the hold was opened.
fn release(step: &Resolution) -> UpdateBuilder {
    let freed = step.hold.amount - step.used;
    Update::builder()
        .set_key(Some(wallet_item::wallet_key(&step.hold.wallet)))
        .update_expression(
            "SET held = held - :amount, balance = balance + :freed, spare = spare + :freed ADD used :used",
        )
        .condition_expression(format!("era = :era AND {FRESH}"))
        .expression_attribute_values(":amount", number(step.hold.amount))
        .expression_attribute_values(":freed", number(freed))
        .expression_attribute_values(":used", number(step.used))
        .expression_attribute_values(":era", number(step.hold.expiry_epoch))
        .expression_attribute_values(":now", millis(step.now))
}

/// Builds the wallet's update for a hold of a past expiry epoch: a lot has expired since the hold was opened.
///
/// # Errors
/// `INTERNAL` if the wallet has no record of the hold's credits.
fn release_carried(step: &Resolution, seen: &Wallet) -> Result<UpdateBuilder, Fault> {
    let mut wallet = seen.clone();
    if !wallet.release(step.hold.expiry_epoch, step.hold.amount, step.used) {
        return Err(Fault::internal("the wallet has no record of the hold's credits"));
    }
    let change = WalletChange::between(seen, &wallet).on_condition(FRESH).build();
    Ok(change.expression_attribute_values(":now", millis(step.now)))
}

/// Builds the update that counts a refund of a key, if the day's limit is not reached.
fn count_refund(org: OrgId, id: KeyId, day: Day) -> UpdateBuilder {
    // The count is not needed after its day. It is kept a week longer for investigations.
    let forgotten = day.ends().plus(std::time::Duration::from_hours(24 * 7));
    count_one(key(org_pk(org), format!("REFUNDS#{id}#{day}")), "given", REFUNDS_A_DAY, forgotten)
}
