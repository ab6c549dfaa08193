//! Checking and charging a key: one transaction of key, wallet and receipt.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem, Update};
use consigne_core::credits::{Charge, ChargeOutcome, Standing, Wallet, WalletId, WalletRefusal};
use consigne_core::keys::{Ask, KeyFacts, KeyStatus, Limiter, Refusal, RefusalCode};
use consigne_core::periods::{Day, Month};
use consigne_core::ports::{ChargeKey, ReadStanding};
use consigne_core::{Fault, Timestamp};

use super::item::{Item, Reader, key, number, org_pk, text};
use super::orgs::member_key;
use super::transact::{Failed, Outcome, failed_at};
use super::{Table, key_item, receipts, wallet_item};
use crate::call;

/// Places in the transaction.
const KEY: usize = 0;
const WALLET: usize = 1;
const RECEIPT: usize = 2;
/// Only of test keys: theirs is not the organisation's wallet, so its suspension is asked for by itself.
const ORG: usize = 3;
/// Only of test keys: whether whose wallet it is, is still a member.
const SPENDER: usize = 4;

/// What a failed transaction calls for.
enum Next {
    Answer(ChargeOutcome),
    /// What was in the way has gone or can be put out of it.
    Again,
}

impl ChargeKey for Table {
    async fn charge_key(&self, charge: &Charge) -> Result<ChargeOutcome, Fault> {
        loop {
            let writes = self.charge_writes(charge)?;
            let Outcome::Refused(failed) = self.transact_decided_by(Some(RECEIPT), writes).await? else {
                return Ok(ChargeOutcome::Charged);
            };
            match self.explain(charge, &failed).await? {
                Next::Again => {}
                // That every failed condition is told of is not documented; so a request that may have been paid for is
                // refused only after a look at its receipt.
                Next::Answer(ChargeOutcome::Refused(refusal)) if !charge.receipt.fingerprint.is_empty() => {
                    let receipt = self.get(receipts::receipt_key(&charge.receipt.id)).await?;
                    let Some(item) = receipt else { return Ok(ChargeOutcome::Refused(refusal)) };
                    return replay(charge, &item);
                }
                Next::Answer(outcome) => return Ok(outcome),
            }
            if call::remaining().is_zero() {
                return Err(Fault::unavailable("key and wallet kept changing"));
            }
        }
    }
}

impl Table {
    fn charge_writes(&self, charge: &Charge) -> Result<Vec<TransactWriteItem>, Fault> {
        let mut writes = vec![
            self.update(count_call(charge))?,
            self.update(debit(&charge.wallet(), charge.receipt.credits, charge.ask.now))?,
            self.put_new(receipts::write(&charge.receipt))?,
        ];
        if let Some(spender) = &charge.key.spender {
            let working = ConditionCheck::builder()
                .set_key(Some(key(org_pk(charge.key.org), "ORG")))
                .condition_expression("attribute_exists(pk) AND attribute_not_exists(suspended)");
            let member = ConditionCheck::builder()
                .set_key(Some(member_key(charge.key.org, spender)))
                .condition_expression("attribute_exists(pk)");
            writes.extend([self.check(working)?, self.check(member)?]);
        }
        Ok(writes)
    }

    /// Reads out of the failed conditions why the charge was not made: each comes with its item, so nothing is read again.
    async fn explain(&self, charge: &Charge, failed: &[Failed]) -> Result<Next, Fault> {
        // A receipt outranks every refusal: what was paid for once stays paid for.
        if let Some(item) = failed_at(failed, RECEIPT) {
            return replay(charge, item).map(Next::Answer);
        }
        let refused = |refusal| Ok(Next::Answer(ChargeOutcome::Refused(refusal)));
        if let Some(item) = failed_at(failed, KEY) {
            if item.is_empty() {
                return refused(Refusal::bare(RefusalCode::NotFound));
            }
            let key = key_item::read(item)?;
            if let Some(refusal) = key.refusal(&charge.ask) {
                return refused(refusal);
            }
            if key.spender != charge.key.spender {
                return Ok(Next::Answer(ChargeOutcome::Moved));
            }
        }
        if failed_at(failed, ORG).is_some() {
            return refused(Refusal::of(RefusalCode::Suspended, Limiter::Organisation));
        }
        if failed_at(failed, SPENDER).is_some() {
            self.make_over(&charge.key).await?;
            return Ok(Next::Answer(ChargeOutcome::Moved));
        }
        let Some(item) = failed_at(failed, WALLET) else { return Ok(Next::Again) };
        let (cost, now) = (charge.receipt.credits, charge.ask.now);
        if let (true, WalletId::Test(user)) = (item.is_empty(), charge.wallet()) {
            let first = Wallet::of_tester(user, now);
            if let Some(refusal) = first.refusal(cost, now) {
                return refused(first.refused(refusal, cost));
            }
            self.make_test_wallet(&first).await?;
            return Ok(Next::Again);
        }
        let wallet = wallet_item::read(item)?;
        match wallet.refusal(cost, now) {
            Some(WalletRefusal::Stale) => {
                self.settle(&wallet, now).await?;
                Ok(Next::Again)
            }
            Some(refusal) => refused(wallet.refused(refusal, cost)),
            None => Ok(Next::Again),
        }
    }
}

impl Table {
    /// Lets a test key spend an owner's wallet from now on, unless it spends another one already. The change of a key that
    /// somebody computed before this is computed anew, since the revision has moved.
    async fn make_over(&self, key: &KeyFacts) -> Result<(), Fault> {
        let heir = self.heir(key.org).await?;
        let left = key.spender.as_ref().map(ToString::to_string).unwrap_or_default();
        let update = Update::builder()
            .set_key(Some(key_item::key_key(key.org, key.id)))
            .update_expression("SET spender = :heir ADD revision :one")
            .condition_expression("spender = :left")
            .expression_attribute_values(":heir", text(heir.user.as_str()))
            .expression_attribute_values(":left", text(left))
            .expression_attribute_values(":one", number(1));
        self.transact(vec![self.update(update)?]).await.map(drop)
    }
}

/// Answers a charge whose receipt is there.
fn replay(charge: &Charge, item: &Item) -> Result<ChargeOutcome, Fault> {
    let receipt = receipts::read(item)?;
    let same = receipt.fingerprint == charge.receipt.fingerprint && receipt.key == charge.receipt.key;
    Ok(if same { ChargeOutcome::Replayed(Box::new(receipt)) } else { ChargeOutcome::Mismatch })
}

/// Writes the update that counts a call, on condition that the key allows it.
fn count_call(charge: &Charge) -> UpdateBuilder {
    let Ask { generation, scope, now } = &charge.ask;
    let mut condition = "#status = :active \
         AND (generation = :generation OR (generation = :next AND previous_until > :now)) \
         AND (attribute_not_exists(expires_at) OR expires_at > :now) \
         AND (attribute_not_exists(monthly_quota) OR attribute_not_exists(#month) OR #month < monthly_quota) \
         AND (attribute_not_exists(daily_quota) OR attribute_not_exists(#day) OR #day < daily_quota)"
        .to_owned();
    let mut counting = "ADD #day :one, #month :one SET last_used_at = :now".to_owned();
    let mut update = Update::builder()
        .set_key(Some(key_item::key_key(charge.key.org, charge.key.id)))
        .expression_attribute_names("#status", "status")
        .expression_attribute_names("#day", format!("{}{}", key_item::USED, Day::of(*now)))
        .expression_attribute_names("#month", format!("{}{}", key_item::USED, Month::of(*now)))
        .expression_attribute_values(":active", text(KeyStatus::Active.name()))
        .expression_attribute_values(":generation", number(generation))
        .expression_attribute_values(":next", number(generation + 1))
        .expression_attribute_values(":now", number(now.as_millis()))
        .expression_attribute_values(":one", number(1));
    if let Some(scope) = scope {
        condition.push_str(" AND contains(scopes, :scope)");
        update = update.expression_attribute_values(":scope", text(scope));
    }
    if let Some(spender) = &charge.key.spender {
        condition.push_str(" AND spender = :spender");
        update = update.expression_attribute_values(":spender", text(spender.as_str()));
    }
    match &charge.receipt.call.ip {
        Some(ip) => {
            counting.push_str(", last_used_ip = :ip");
            update = update.expression_attribute_values(":ip", text(ip));
        }
        None => counting.push_str(" REMOVE last_used_ip"),
    }
    update.update_expression(counting).condition_expression(condition)
}

/// Writes the update that takes credits out of a wallet, on condition that they are there.
fn debit(wallet: &WalletId, cost: u64, now: Timestamp) -> UpdateBuilder {
    Update::builder()
        .set_key(Some(wallet_item::wallet_key(wallet)))
        .update_expression("SET balance = balance - :cost ADD used :cost")
        .condition_expression(
            "wallet_status = :open AND balance >= :cost AND (attribute_not_exists(next_expiry) OR next_expiry > :now)",
        )
        .expression_attribute_values(":open", text(wallet_item::status(true)))
        .expression_attribute_values(":cost", number(cost))
        .expression_attribute_values(":now", number(now.as_millis()))
}

impl ReadStanding for Table {
    async fn read_standing(&self, facts: &KeyFacts, now: Timestamp) -> Result<Option<Standing>, Fault> {
        let mut payer = facts.wallet();
        loop {
            let place = match &payer {
                WalletId::Test(user) => Some(member_key(facts.org, user)),
                WalletId::Organisation(_) => None,
            };
            let keys = [
                key_item::key_key(facts.org, facts.id),
                wallet_item::wallet_key(&payer),
                key(org_pk(facts.org), "ORG"),
            ];
            // Read one by one in a single request: a transaction would fail whenever a charge is under way.
            let found = self.batch_get(keys.iter().chain(&place).cloned().collect(), true).await?;
            let find = |own: &Item| {
                let same = |item: &&Item| ["pk", "sk"].iter().all(|name| item.get(*name) == own.get(*name));
                found.iter().find(same).cloned().unwrap_or_default()
            };
            let [key, wallet, org] = keys.each_ref().map(find);
            if key.is_empty() {
                return Ok(None);
            }
            if place.is_some_and(|place| find(&place).is_empty()) {
                payer = WalletId::Test(self.heir(facts.org).await?.user);
                continue;
            }
            let wallet = match payer {
                WalletId::Test(user) if wallet.is_empty() => Wallet::of_tester(user, now),
                _ => wallet_item::read(&wallet)?.settled(now),
            };
            let suspended = Reader(&org).optional_text("suspended").is_some();
            return Ok(Some(Standing { key: key_item::read(&key)?, wallet, suspended }));
        }
    }
}
