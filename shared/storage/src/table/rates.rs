//! Counts what users do, in the windows of their ledgers. The count is part of the transaction of what is counted, so
//! what was refused or repeated does not count.
//!
//! An update expression has no branches: either it counts in the window that is open, or it opens the next one. Which
//! of the two is needed is a guess, from what this execution environment last saw. A wrong guess fails a condition, and
//! DynamoDB returns the ledger with it, so it costs one more try.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use consigne_core::audit::{Actor, AuditEntry};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome};
use consigne_core::ports::GetIdempotencyRecord;
use consigne_core::rates::{OverRate, Rate, Span, Window, Windows};
use consigne_core::{Fault, Plan, Timestamp, UserId};

use crate::table::Table;
use crate::table::files::ledger_item;
use crate::table::idempotency::TransactionOutcome;
use crate::table::item::{Item, Reader, number};
use crate::table::transact::failed_at;

/// When each of a user's windows opened, in the order of [`Rate::ALL`], as far as this environment knows.
pub(crate) type Starts = [Option<Timestamp>; Rate::ALL.len()];

/// What a transaction counts, and for whom.
#[derive(Clone, Copy)]
pub(crate) struct Counted<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) plan: Plan,
    pub(crate) rates: &'a [Rate],
    pub(crate) now: Timestamp,
}

/// How a window is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// It is open, or there never was one. The update counts one more in it.
    Open,
    /// It is over, or there never was one. The update replaces it.
    Over,
}

/// The forms of the windows that a transaction writes, in the order of its rates.
pub(crate) type Forms = Vec<Form>;

/// Parts of the update of a ledger. Each starts with a separator, so that it can follow others.
pub(crate) struct Counting {
    /// Follows an assignment behind `SET`.
    pub(crate) set: String,
    /// Follows a condition.
    pub(crate) condition: String,
}

/// The outcome of a transaction that counts.
pub(crate) enum CountedOutcome {
    /// No limit was reached.
    Within(TransactionOutcome),
    /// Nothing was written, because a limit is reached.
    Over(OverRate),
}

/// Returns the names of the attributes with the start and the count of a rate's window.
const fn attributes(rate: Rate) -> (&'static str, &'static str) {
    match rate {
        Rate::Writes => ("window_started", "window_writes"),
        Rate::Grants => ("grants_started", "grants_count"),
        Rate::Jobs => ("jobs_started", "jobs_count"),
        Rate::Refunds => ("refunds_started", "refunds_count"),
    }
}

/// Reads the windows of a ledger.
pub(crate) fn read(ledger: &Item) -> Windows {
    let reader = Reader(ledger);
    let mut windows = Windows::default();
    for rate in Rate::ALL {
        let (started, count) = attributes(rate);
        let window = reader.optional_time(started).zip(reader.optional_number(count));
        *windows.of_mut(rate) = window.map(|(started, count)| Window { started, count });
    }
    windows
}

impl<'a> Counted<'a> {
    /// Returns what an audited action counts: one write of the person who acts. Returns `None` if the actor's writes are
    /// not counted.
    fn of_action(action: &'a AuditEntry) -> Option<Self> {
        let Actor::User(user) = &action.origin.actor else { return None };
        Some(Self { user, plan: action.origin.plan?, rates: &[Rate::Writes], now: action.at })
    }
}

impl Counted<'_> {
    /// Adds the values to the update of a ledger, and returns the parts of its expressions.
    pub(crate) fn count(&self, forms: &[Form], mut update: UpdateBuilder) -> (UpdateBuilder, Counting) {
        let (mut set, mut condition) = (String::new(), String::new());
        for (rate, form) in self.rates.iter().zip(forms) {
            let (started, count) = attributes(*rate);
            let over = format!(":{started}");
            update = update
                .expression_attribute_values(":counted", number(1))
                .expression_attribute_values(":at", number(self.now.as_millis()))
                .expression_attribute_values(&over, number(rate.span().over_by(self.now).as_millis()));
            match form {
                Form::Open => {
                    let limit = format!(":{count}");
                    update = update
                        .expression_attribute_values(&limit, number(rate.limit(self.plan)))
                        .expression_attribute_values(":none", number(0));
                    set = format!(
                        "{set}, {started} = if_not_exists({started}, :at), \
                         {count} = if_not_exists({count}, :none) + :counted"
                    );
                    condition = format!(
                        "{condition} AND (attribute_not_exists({started}) OR ({started} > {over} AND {count} < {limit}))"
                    );
                }
                Form::Over => {
                    set = format!("{set}, {started} = :at, {count} = :counted");
                    condition = format!("{condition} AND (attribute_not_exists({started}) OR {started} <= {over})");
                }
            }
        }
        (update, Counting { set, condition })
    }

    /// Returns the forms that fit the windows as they are, or the rate whose limit is reached.
    fn forms(&self, windows: Windows) -> Result<Forms, OverRate> {
        windows.admit(self.rates, self.plan, self.now)?;
        let is_over = |rate: &Rate| windows.of(*rate).is_some_and(|window| !window.is_open(rate.span(), self.now));
        Ok(self.rates.iter().map(|rate| if is_over(rate) { Form::Over } else { Form::Open }).collect())
    }

    fn update(&self, forms: &[Form]) -> UpdateBuilder {
        let update = Update::builder().set_key(Some(ledger_item::key(self.user)));
        let (update, Counting { set, condition }) = self.count(forms, update);
        update
            .update_expression(format!("SET {}", set.trim_start_matches(", ")))
            .condition_expression(condition.trim_start_matches(" AND "))
    }
}

impl Table {
    /// Guesses the forms from what this environment last saw. A user that it has not seen is assumed to have made no
    /// write for a minute, but to have been counted today.
    pub(crate) fn guess_forms(&self, counted: &Counted<'_>) -> Forms {
        let starts = self.windows.get(counted.user).unwrap_or_default();
        let guess = |rate: &Rate| match (starts[*rate as usize], rate.span()) {
            (Some(started), span) if started > span.over_by(counted.now) => Form::Open,
            (Some(_), _) | (None, Span::Minute) => Form::Over,
            (None, Span::Day) => Form::Open,
        };
        counted.rates.iter().map(guess).collect()
    }

    /// Remembers the windows after a transaction with these forms was committed.
    pub(crate) fn remember_counted(&self, counted: &Counted<'_>, forms: &[Form]) {
        let mut starts = self.windows.get(counted.user).unwrap_or_default();
        for (rate, form) in counted.rates.iter().zip(forms) {
            let start = &mut starts[*rate as usize];
            if *form == Form::Over || start.is_none() {
                *start = Some(counted.now);
            }
        }
        self.windows.set(counted.user, starts);
    }

    /// Returns the forms for a ledger that failed the guessed condition, or the rate whose limit is reached. Remembers
    /// its windows.
    pub(crate) fn forms_of(&self, counted: &Counted<'_>, ledger: &Item) -> Result<Forms, OverRate> {
        let windows = read(ledger);
        let forms = counted.forms(windows)?;
        self.windows.set(counted.user, Rate::ALL.map(|rate| windows.of(rate).map(|window| window.started)));
        Ok(forms)
    }

    /// Sends a transaction that also counts. The count follows `writes`, and the request's record is last, as in
    /// [`Self::transact_once`].
    ///
    /// # Errors
    /// Those of [`Self::transact_once`]; `UNAVAILABLE` if the ledger keeps changing until the invocation has no time
    /// left.
    pub(crate) async fn transact_within(
        &self,
        counted: &Counted<'_>,
        writes: Vec<TransactWriteItem>,
        request: Option<&IdempotentRequest>,
    ) -> Result<CountedOutcome, Fault> {
        let place = writes.len();
        let mut forms = self.guess_forms(counted);
        loop {
            let mut all = writes.clone();
            all.push(self.update(counted.update(&forms))?);
            let mut failed = match self.transact_once(all, request, counted.now).await? {
                TransactionOutcome::Refused(failed) => failed,
                written @ TransactionOutcome::Written(_) => {
                    if matches!(written, TransactionOutcome::Written(WriteOutcome::Applied)) {
                        self.remember_counted(counted, &forms);
                    }
                    return Ok(CountedOutcome::Within(written));
                }
            };
            let ledger = failed_at(&failed, place).filter(|_| failed.len() == 1).cloned();
            let Some(ledger) = ledger else {
                failed.retain(|condition| condition.at != place);
                return Ok(CountedOutcome::Within(TransactionOutcome::Refused(failed)));
            };
            forms = match self.forms_of(counted, &ledger) {
                Ok(forms) => forms,
                Err(over) => return self.over(over, request, counted.now).await,
            };
            if consigne_aws::budget::remaining().is_zero() {
                return Err(Fault::unavailable("the ledger kept changing"));
            }
        }
    }
    /// Returns the outcome of a transaction whose limit is reached. DynamoDB does not promise to list every failed
    /// condition, so this looks for the record of an earlier try before it refuses.
    async fn over(
        &self,
        over: OverRate,
        request: Option<&IdempotentRequest>,
        now: Timestamp,
    ) -> Result<CountedOutcome, Fault> {
        let before = match request {
            Some(request) => self.get_idempotency_record(request, now).await?,
            None => None,
        };
        Ok(before
            .map_or(CountedOutcome::Over(over), |before| CountedOutcome::Within(TransactionOutcome::Written(before))))
    }

    /// Sends the transaction of an audited action, and counts it as a write of the person who acts.
    ///
    /// # Errors
    /// Those of [`Self::transact_within`]; `RATE_LIMITED` if the person's plan allows no more writes in this minute.
    pub(crate) async fn transact_action(
        &self,
        action: &AuditEntry,
        writes: Vec<TransactWriteItem>,
        request: Option<&IdempotentRequest>,
    ) -> Result<TransactionOutcome, Fault> {
        let Some(counted) = Counted::of_action(action) else {
            return self.transact_once(writes, request, action.at).await;
        };
        match self.transact_within(&counted, writes, request).await? {
            CountedOutcome::Within(outcome) => Ok(outcome),
            CountedOutcome::Over(over) => Err(over.refusal(counted.plan, counted.now)),
        }
    }
}
