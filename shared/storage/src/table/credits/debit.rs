//! Debits, which charges and holds share. One transaction checks and changes key and wallet, and writes the record (a
//! receipt or a hold) by which a retry is recognised.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem, Update};
use consigne_aws::budget;
use consigne_core::credits::{Wallet, WalletId, WalletRefusal};
use consigne_core::keys::{Ask, KeyFacts, KeyStatus, Limiter, Refusal, RefusalCode};
use consigne_core::orgs::Member;
use consigne_core::periods::{Day, Month};
use consigne_core::{Fault, Timestamp};

use crate::table::Table;
use crate::table::credits::balance_alert::ThresholdCrossing;
use crate::table::credits::minute::MinuteForm;
use crate::table::credits::wallet_item;
use crate::table::item::{Item, key, number, org_pk, text};
use crate::table::keys::key_item;
use crate::table::outbox;
use crate::table::people::orgs::member_key;
use crate::table::stats::activity::Mark;
use crate::table::transact::{Failed, Outcome, failed_at};

/// Index of the key's update in the transaction.
const KEY: usize = 0;
/// Index of the wallet's update.
const WALLET: usize = 1;
/// Index of the write of the record.
const RECORD: usize = 2;
/// Index of the check that the organisation is not suspended. Only for test keys: they do not spend the organisation's
/// wallet, which is closed by a suspension.
const ORG: usize = 3;
/// Index of the check that the person whose wallet pays is still a member. Only for test keys.
const SPENDER: usize = 4;

/// A debit on behalf of a key.
pub(crate) struct Debit<'a> {
    pub(crate) key: &'a KeyFacts,
    pub(crate) ask: &'a Ask,
    /// Address of the caller, if known.
    pub(crate) ip: Option<&'a str>,
    /// Country of the caller, if known.
    pub(crate) country: Option<&'a str>,
    /// Number of credits to take.
    pub(crate) amount: u64,
    /// Whether the credits are spent or reserved.
    pub(crate) mode: DebitMode,
    /// Key of the record to write.
    pub(crate) record_key: Item,
    /// Whether the request has an idempotency key. If so, an earlier try may have succeeded.
    pub(crate) idempotent: bool,
}

/// What happens to the credits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DebitMode {
    /// They are spent at once.
    Spend,
    /// A hold reserves them. This is the expiry epoch in which the wallet is assumed to be.
    Reserve(u32),
}

/// The outcome of a debit. Only `Applied` means that something was written.
pub(crate) enum DebitOutcome {
    /// The credits were taken and the record was written.
    Applied,
    /// The record already exists. This is its item.
    Replayed(Item),
    /// The key or its wallet refuses the debit.
    Refused(Refusal),
    /// The key's wallet is not the one that the debit assumed.
    PayerChanged,
}

/// What to do after a failed transaction.
enum Next {
    /// Return this outcome.
    Answer(DebitOutcome),
    /// Try again: the cause of the failure has disappeared or was removed.
    Again,
    /// Try again with this expiry epoch, in which the wallet is.
    InEpoch(u32),
    /// Try again with the event of this threshold crossing in the transaction.
    ReportCrossing(Box<ThresholdCrossing>),
}

impl Table {
    /// Takes the credits and writes the record, or returns why not. `record` builds the record's item; a hold's also
    /// needs the wallet's expiry epoch.
    ///
    /// # Errors
    /// `UNAVAILABLE` if key and wallet keep changing until the invocation has no time left.
    pub(crate) async fn debit(
        &self,
        debit: &mut Debit<'_>,
        record: impl Fn(Option<u32>) -> Item,
    ) -> Result<DebitOutcome, Fault> {
        let mark = Mark::charged(debit.key.org, debit.key.id, debit.country, debit.ask.now);
        let mut minute = self.guess_minute(debit.key.id, debit.ask.now);
        let mut crossing = None;
        loop {
            let mut writes = self.debit_writes(debit, minute, &record, crossing.as_deref())?;
            writes.extend(self.mark(&mark)?);
            let Outcome::Refused(failed) = self.transact_decided_by(Some(RECORD), writes).await? else {
                self.set_marked(&mark);
                self.remember_minute(debit.key.id, minute, debit.ask.now);
                return Ok(DebitOutcome::Applied);
            };
            crossing = None;
            match self.explain(debit, &mut minute, &failed).await? {
                Next::Again => {}
                Next::InEpoch(expiry_epoch) => debit.mode = DebitMode::Reserve(expiry_epoch),
                Next::ReportCrossing(crossed) => crossing = Some(crossed),
                // DynamoDB does not promise to list every failed condition. An earlier try may have been charged, so
                // look for its record before refusing the request.
                Next::Answer(DebitOutcome::Refused(refusal)) if debit.idempotent => {
                    let before = self.get(debit.record_key.clone()).await?;
                    return Ok(before.map_or(DebitOutcome::Refused(refusal), DebitOutcome::Replayed));
                }
                Next::Answer(outcome) => return Ok(outcome),
            }
            if budget::remaining().is_zero() {
                return Err(Fault::unavailable("key and wallet kept changing"));
            }
        }
    }

    fn debit_writes(
        &self,
        debit: &Debit<'_>,
        minute: MinuteForm,
        record: impl Fn(Option<u32>) -> Item,
        crossing: Option<&ThresholdCrossing>,
    ) -> Result<Vec<TransactWriteItem>, Fault> {
        let expiry_epoch = match debit.mode {
            DebitMode::Spend => None,
            DebitMode::Reserve(expiry_epoch) => Some(expiry_epoch),
        };
        let wallet = match crossing {
            None => lower(debit),
            Some(crossing) => crossing.update(debit),
        };
        let mut writes =
            vec![self.update(count_call(debit, minute))?, self.update(wallet)?, self.put_new(record(expiry_epoch))?];
        if let Some(spender) = &debit.key.spender {
            let working = ConditionCheck::builder()
                .set_key(Some(key(org_pk(debit.key.org), "ORG")))
                .condition_expression("attribute_exists(pk) AND attribute_not_exists(suspended)");
            let member = ConditionCheck::builder()
                .set_key(Some(member_key(debit.key.org, spender)))
                .condition_expression("attribute_exists(pk)");
            writes.extend([self.check(working)?, self.check(member)?]);
        }
        if let Some(crossing) = crossing {
            writes.push(self.put(outbox::write(&crossing.event))?);
        }
        Ok(writes)
    }

    /// Finds out from the failed conditions why nothing was written. DynamoDB returns the item of each, so hardly
    /// anything is read again. Corrects the guess about the key's minute quota.
    async fn explain(&self, debit: &Debit<'_>, minute: &mut MinuteForm, failed: &[Failed]) -> Result<Next, Fault> {
        // An existing record comes before every refusal: its request was already charged.
        if let Some(item) = failed_at(failed, RECORD) {
            return Ok(Next::Answer(DebitOutcome::Replayed(item.clone())));
        }
        let refused = |refusal| Ok(Next::Answer(DebitOutcome::Refused(refusal)));
        if let Some(item) = failed_at(failed, KEY) {
            if item.is_empty() {
                return refused(Refusal::bare(RefusalCode::NotFound));
            }
            let key = key_item::read(item)?;
            if let Some(refusal) = key.refusal(debit.ask) {
                return refused(refusal);
            }
            if key.spender != debit.key.spender {
                return Ok(Next::Answer(DebitOutcome::PayerChanged));
            }
            *minute = self.minute_of(&key, debit.ask.now);
        }
        if debit.key.spender.is_some() && failed_at(failed, ORG).is_some() {
            return refused(Refusal::of(RefusalCode::Suspended, Limiter::Organisation));
        }
        if debit.key.spender.is_some() && failed_at(failed, SPENDER).is_some() {
            let Some(new_payer) = self.new_payer(debit.key.org).await? else {
                return refused(Refusal::of(RefusalCode::Suspended, Limiter::Organisation));
            };
            self.reassign_payer(debit.key, &new_payer).await?;
            return Ok(Next::Answer(DebitOutcome::PayerChanged));
        }
        match failed_at(failed, WALLET) {
            Some(item) => self.explain_wallet(debit, item).await,
            None => Ok(Next::Again),
        }
    }

    /// Finds out why the wallet's condition failed. Creates a test wallet that does not exist, and expires lots that
    /// are due.
    async fn explain_wallet(&self, debit: &Debit<'_>, item: &Item) -> Result<Next, Fault> {
        let refused = |refusal| Ok(Next::Answer(DebitOutcome::Refused(refusal)));
        let (cost, now) = (debit.amount, debit.ask.now);
        if let (true, WalletId::Test(user)) = (item.is_empty(), debit.key.wallet()) {
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
                self.write_expiry(&wallet, now).await?;
                return Ok(Next::Again);
            }
            Some(refusal) => return refused(wallet.refused(refusal, cost)),
            None => {}
        }
        if let DebitMode::Reserve(expiry_epoch) = debit.mode
            && expiry_epoch != wallet.expiry_epoch
        {
            return Ok(Next::InEpoch(wallet.expiry_epoch));
        }
        Ok(ThresholdCrossing::of(wallet, debit)
            .map_or(Next::Again, |crossing| Next::ReportCrossing(Box::new(crossing))))
    }
}

impl Table {
    /// Makes a test key spend the wallet of `new_payer` from now on, unless its payer has been replaced already. This
    /// increments the revision, so that a change computed from the old key is refused.
    async fn reassign_payer(&self, key: &KeyFacts, new_payer: &Member) -> Result<(), Fault> {
        let left = key.spender.as_ref().map(ToString::to_string).unwrap_or_default();
        let update = Update::builder()
            .set_key(Some(key_item::key_key(key.org, key.id)))
            .update_expression("SET spender = :new_payer ADD revision :one")
            .condition_expression("spender = :left")
            .expression_attribute_values(":new_payer", text(new_payer.user.as_str()))
            .expression_attribute_values(":left", text(left))
            .expression_attribute_values(":one", number(1));
        self.transact(vec![self.update(update)?]).await.map(drop)
    }
}

/// Builds the update that counts a call of the key, if the key allows the call.
fn count_call(debit: &Debit<'_>, minute: MinuteForm) -> UpdateBuilder {
    let Ask { generation, scope, now } = debit.ask;
    let mut condition = "#status = :active \
         AND (generation = :generation OR (generation = :next AND previous_until > :now)) \
         AND (attribute_not_exists(expires_at) OR expires_at > :now) \
         AND (attribute_not_exists(monthly_quota) OR attribute_not_exists(#month) OR #month < monthly_quota) \
         AND (attribute_not_exists(daily_quota) OR attribute_not_exists(#day) OR #day < daily_quota)"
        .to_owned();
    let mut counting = "ADD #day :one, #month :one SET last_used_at = :now".to_owned();
    let mut update = Update::builder()
        .set_key(Some(key_item::key_key(debit.key.org, debit.key.id)))
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
    if let Some(spender) = &debit.key.spender {
        condition.push_str(" AND spender = :spender");
        update = update.expression_attribute_values(":spender", text(spender.as_str()));
    }
    // A service may not report the address. The last one that is known is then kept.
    if let Some(ip) = debit.ip {
        counting.push_str(", last_used_ip = :ip");
        update = update.expression_attribute_values(":ip", text(ip));
    }
    let update = minute.count(update, *now, &mut counting, &mut condition);
    update.update_expression(counting).condition_expression(condition)
}

/// Condition on a wallet: the balance includes no expired lot.
pub(crate) const FRESH: &str = "(attribute_not_exists(next_expiry) OR next_expiry > :now)";

/// Builds the update that takes the credits, on condition that `headroom > amount`: then the balance covers the debit,
/// and the debit crosses no alert threshold.
fn lower(debit: &Debit<'_>) -> UpdateBuilder {
    let update = Update::builder()
        .set_key(Some(wallet_item::wallet_key(&debit.key.wallet())))
        .expression_attribute_values(":open", text(wallet_item::status(true)))
        .expression_attribute_values(":amount", number(debit.amount))
        .expression_attribute_values(":now", millis(debit.ask.now));
    let taken = "SET balance = balance - :amount, spare = spare - :amount";
    let condition = format!("wallet_status = :open AND spare > :amount AND {FRESH}");
    match debit.mode {
        DebitMode::Spend => {
            update.update_expression(format!("{taken} ADD used :amount")).condition_expression(condition)
        }
        DebitMode::Reserve(expiry_epoch) => update
            .update_expression(format!("{taken} ADD held :amount"))
            .condition_expression(format!("{condition} AND era = :era"))
            .expression_attribute_values(":era", number(expiry_epoch)),
    }
}

pub(crate) fn millis(at: Timestamp) -> aws_sdk_dynamodb::types::AttributeValue {
    number(at.as_millis())
}
