//! The pace of destinations: one item for each, changed by conditional updates without a read.

use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemInputBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemInput};
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use consigne_aws::Backoff;
use consigne_core::pacing::{PaceAsk, Paced};
use consigne_core::ports::PaceCall;
use consigne_core::{Fault, Timestamp};

use crate::table::Table;
use crate::table::item::{Item, Reader, key, number};

/// Attribute with the time from which the destination may be called.
const OPENS: &str = "opens_at";
/// Attribute with the end of the destination's line of waiting callers.
const LINE: &str = "line_at";
/// How long an item is kept after a call: longer than any line.
const REMEMBERED: Duration = Duration::from_hours(24 * 7);

/// The result of a conditional update.
enum UpdateTry {
    /// The update was made. This is the item after it.
    Made(Item),
    /// The update's condition failed on this item.
    Failed(Item),
}

impl PaceCall for Table {
    /// Applies the rule of [`consigne_core::pacing::Pace::ask`] with one conditional update for each case.
    async fn pace_call(&self, ask: &PaceAsk) -> Result<Paced, Fault> {
        let failed = match self.call_now(ask).await? {
            UpdateTry::Made(_) => return Ok(Paced::Now),
            UpdateTry::Failed(item) => item,
        };
        let opens = Reader(&failed).optional_time(OPENS).unwrap_or(ask.now).max(ask.now);
        if ask.is_in_turn() {
            return Ok(Paced::At(opens));
        }
        if Reader(&failed).optional_time(LINE).is_some_and(|line| line.since(ask.now) > ask.line_max()) {
            return Ok(Paced::Full);
        }
        let mut backoff = Backoff::of_conflicts();
        let mut has_line = Reader(&failed).optional_time(LINE).is_some_and(|line| line >= opens);
        loop {
            let tried = if has_line { self.join_line(ask, opens).await? } else { self.start_line(ask, opens).await? };
            match tried {
                UpdateTry::Made(item) => {
                    let next = Reader(&item).time(LINE)?;
                    return Ok(Paced::At(next.minus(ask.interval)));
                }
                // The assumption about the line was wrong: there is none, or another caller has started one.
                UpdateTry::Failed(_) => has_line = !has_line,
            }
            if !backoff.wait().await {
                return Err(Fault::unavailable("the line of a destination kept changing"));
            }
        }
    }
}

impl Table {
    /// Admits the call, on condition that the destination may be called now. If it is not the caller's turn, the
    /// condition is also that nobody is waiting.
    async fn call_now(&self, ask: &PaceAsk) -> Result<UpdateTry, Fault> {
        let open = format!("(attribute_not_exists({OPENS}) OR {OPENS} <= :now)");
        let alone = format!("(attribute_not_exists({LINE}) OR {LINE} <= :now)");
        let condition = if ask.is_in_turn() { open } else { format!("{open} AND {alone}") };
        let next = ask.now.plus(ask.interval);
        let update = self.destination_update(ask).update_expression(format!("SET {OPENS} = :next, #ttl = :ttl"));
        let update = update.condition_expression(condition);
        self.try_update(
            update
                .expression_attribute_values(":now", millis(ask.now))
                .expression_attribute_values(":next", millis(next)),
        )
        .await
    }

    /// Takes the next place in the line, on condition that the line ends at `floor` or later.
    async fn join_line(&self, ask: &PaceAsk, floor: Timestamp) -> Result<UpdateTry, Fault> {
        let update =
            self.destination_update(ask).update_expression(format!("SET {LINE} = {LINE} + :more, #ttl = :ttl"));
        let update = update.condition_expression(format!("{LINE} >= :floor"));
        let more = number(ask.interval.as_millis());
        self.try_update(
            update.expression_attribute_values(":more", more).expression_attribute_values(":floor", millis(floor)),
        )
        .await
    }

    /// Takes the first place of a new line, on condition that there is no line or that it ends before `floor`.
    async fn start_line(&self, ask: &PaceAsk, floor: Timestamp) -> Result<UpdateTry, Fault> {
        let update = self.destination_update(ask).update_expression(format!("SET {LINE} = :next, #ttl = :ttl"));
        let update = update.condition_expression(format!("attribute_not_exists({LINE}) OR {LINE} < :floor"));
        let next = floor.plus(ask.interval);
        self.try_update(
            update
                .expression_attribute_values(":next", millis(next))
                .expression_attribute_values(":floor", millis(floor)),
        )
        .await
    }

    async fn try_update(&self, update: UpdateItemInputBuilder) -> Result<UpdateTry, Fault> {
        match self.client.send(update).await {
            Ok(made) => Ok(UpdateTry::Made(made.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(UpdateTry::Failed(failed.item.clone().unwrap_or_default()))
                }
                _ => Err(Fault::unavailable(error)),
            },
        }
    }

    /// Builds the part of an update that all cases share.
    fn destination_update(&self, ask: &PaceAsk) -> UpdateItemInputBuilder {
        UpdateItemInput::builder()
            .table_name(&self.name)
            .set_key(Some(key(format!("PACE#{}", ask.destination), "PACE")))
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":ttl", number(ask.now.plus(REMEMBERED).as_secs()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

fn millis(at: Timestamp) -> aws_sdk_dynamodb::types::AttributeValue {
    number(at.as_millis())
}
