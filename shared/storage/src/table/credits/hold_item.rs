//! Converts a hold to and from its item.

use aws_sdk_dynamodb::types::Update;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use consigne_core::credits::{Ending, Hold, HoldEnd, HoldId, RECEIPT_KEPT, Resolution, VoidReason, WalletId};
use consigne_core::keys::KeyMode;
use consigne_core::{Fault, KeyId, UserId};

use crate::table::due;
use crate::table::item::{Item, Reader, add, key, malformed, number, text};

/// Sort key of every hold.
pub(crate) const SK: &str = "HOLD";
/// Status of a hold that has not ended.
const OPEN: &str = "open";

pub(crate) fn hold_key(id: &HoldId) -> Item {
    key(format!("HOLD#{}#{}", id.org(), id.tail()), SK)
}

/// Builds the item of a new hold. It has no `ttl` yet: every hold is ended, at the latest by `sweep`, and the end sets
/// the `ttl`.
pub(crate) fn write(hold: &Hold) -> Item {
    let mut item = hold_key(&hold.id);
    item.insert("hold_status".to_owned(), text(OPEN));
    item.insert("key_id".to_owned(), text(hold.key.to_string()));
    item.insert("environment".to_owned(), text(hold.environment.name()));
    if let WalletId::Test(user) = &hold.wallet {
        item.insert("spender".to_owned(), text(user.as_str()));
    }
    item.insert("era".to_owned(), number(hold.expiry_epoch));
    item.insert("amount".to_owned(), number(hold.amount));
    item.insert("service".to_owned(), text(&hold.service));
    add(&mut item, "scope", hold.scope.as_ref().map(text));
    item.insert("caller".to_owned(), text(&hold.caller));
    item.insert("fingerprint".to_owned(), text(&hold.fingerprint));
    item.insert("opened_at".to_owned(), number(hold.opened_at.as_millis()));
    item.insert("expires_at".to_owned(), number(hold.expires_at.as_millis()));
    item.insert(due::SHARD.to_owned(), text(due::shard(&hold.id.tail())));
    add(&mut item, due::AT, hold.due_at().map(|due| number(due.as_millis())));
    item
}

/// Builds the update that ends a hold, on condition that it is still open.
pub(crate) fn end(step: &Resolution) -> UpdateBuilder {
    let mut set = vec!["hold_status = :status", "ended_at = :now", "#ttl = :ttl"];
    let mut update = Update::builder()
        .set_key(Some(hold_key(&step.hold.id)))
        .condition_expression("hold_status = :open")
        .expression_attribute_names("#ttl", "ttl")
        .expression_attribute_values(":open", text(OPEN))
        .expression_attribute_values(":now", number(step.now.as_millis()))
        .expression_attribute_values(":ttl", number(step.now.plus(RECEIPT_KEPT).as_secs()));
    let end = step.hold.end.as_ref();
    update = update.expression_attribute_values(":status", text(end.map_or(OPEN, |end| end.how.status())));
    match end.map(|end| end.how) {
        Some(HoldEnd::Settled { amount, status_code, response_ms }) => {
            set.extend(["settled = :settled", "status_code = :code", "response_ms = :took"]);
            update = update
                .expression_attribute_values(":settled", number(amount))
                .expression_attribute_values(":code", number(status_code))
                .expression_attribute_values(":took", number(response_ms));
        }
        Some(HoldEnd::Voided(reason)) => {
            set.push("void_reason = :reason");
            update = update.expression_attribute_values(":reason", text(reason.name()));
        }
        Some(HoldEnd::TimedOut) | None => {}
    }
    if let Some(idempotency_key) = end.and_then(|end| end.idempotency_key.as_ref()) {
        set.push("promise = :promise");
        update = update.expression_attribute_values(":promise", text(idempotency_key));
    }
    update.update_expression(format!("SET {} REMOVE {}, {}", set.join(", "), due::SHARD, due::AT))
}

/// Reads a hold from its item.
pub(crate) fn read(item: &Item) -> Result<Hold, Fault> {
    let reader = Reader(item);
    let id = |pk: &str| {
        let (org, tail) = pk.strip_prefix("HOLD#")?.split_once('#')?;
        HoldId::parse(&format!("hold_{}_{tail}", org.strip_prefix("org_")?))
    };
    let id = reader.parsed("pk", id)?;
    let spender = reader.optional_parsed("spender", UserId::parse)?;
    Ok(Hold {
        id,
        key: reader.parsed("key_id", KeyId::parse)?,
        environment: reader.parsed("environment", KeyMode::from_name)?,
        wallet: spender.map_or(WalletId::Organisation(id.org()), WalletId::Test),
        expiry_epoch: reader.number("era")?,
        amount: reader.number("amount")?,
        service: reader.text("service")?.to_owned(),
        scope: reader.owned_text("scope"),
        caller: reader.text("caller")?.to_owned(),
        fingerprint: reader.text("fingerprint")?.to_owned(),
        opened_at: reader.time("opened_at")?,
        expires_at: reader.time("expires_at")?,
        end: read_end(&reader)?,
    })
}

fn read_end(reader: &Reader<'_>) -> Result<Option<Ending>, Fault> {
    let how = match reader.text("hold_status")? {
        OPEN => return Ok(None),
        "settled" => HoldEnd::Settled {
            amount: reader.number("settled")?,
            status_code: reader.number("status_code")?,
            response_ms: reader.number("response_ms")?,
        },
        "voided" => HoldEnd::Voided(reader.parsed("void_reason", VoidReason::from_name)?),
        "timed_out" => HoldEnd::TimedOut,
        _ => return Err(malformed("hold_status")),
    };
    Ok(Some(Ending { how, at: reader.time("ended_at")?, idempotency_key: reader.owned_text("promise") }))
}
