//! Converts an API key to and from its item.

use aws_sdk_dynamodb::types::AttributeValue;
use consigne_core::audit::Actor;
use consigne_core::keys::{ApiKey, KeyMode, KeyStatus};
use consigne_core::rates::Window;
use consigne_core::{Fault, KeyId, OrgId, UserId};

use crate::table::item::{Item, Reader, add, key, malformed, number, org_pk, text};

/// Attribute with the start of the window of the minute quota.
pub(crate) const MINUTE_STARTED: &str = "minute_started";
/// Attribute with the charged calls in that window.
pub(crate) const MINUTE_CALLS: &str = "minute_calls";
/// Prefix of the attributes that count charged calls by period.
pub(crate) const USED: &str = "used.";

pub(crate) fn key_key(org: OrgId, id: KeyId) -> Item {
    key(org_pk(org), format!("KEY#{id}"))
}

/// Returns the attributes of a key that charges do not write, without its primary key. Attributes without a value are
/// listed too, because [`crate::table::keys`] removes them from the item.
pub(crate) fn attributes(key: &ApiKey) -> [(&'static str, Option<AttributeValue>); 19] {
    let revoked = key.revoked.as_ref();
    [
        ("name", Some(text(&key.name))),
        ("environment", Some(text(key.environment.name()))),
        ("scopes", Some(AttributeValue::Ss(key.scopes.iter().cloned().collect()))),
        ("minute_quota", key.minute_quota.map(number)),
        ("daily_quota", key.daily_quota.map(number)),
        ("monthly_quota", key.monthly_quota.map(number)),
        ("expires_at", key.expires_at.map(|end| number(end.as_millis()))),
        ("status", Some(text(key.status.name()))),
        ("generation", Some(number(key.generation))),
        ("previous_until", key.previous_until.map(|end| number(end.as_millis()))),
        ("prefix", Some(text(&key.prefix))),
        ("hint", Some(text(&key.hint))),
        ("spender", key.spender.as_ref().map(|user| text(user.as_str()))),
        ("created_by", Some(text(key.created_by.as_str()))),
        ("created_at", Some(number(key.created_at.as_millis()))),
        ("migrated_at", key.migrated_at.map(|at| number(at.as_millis()))),
        ("revoked_by", revoked.map(|(actor, _, _)| text(actor.to_string()))),
        ("revoked_at", revoked.map(|(_, at, _)| number(at.as_millis()))),
        ("revoked_reason", revoked.map(|(_, _, reason)| text(reason))),
    ]
}

/// The attributes that a revocation or deletion writes.
pub(crate) const END: [&str; 4] = ["status", "revoked_by", "revoked_at", "revoked_reason"];

/// Builds the item of a new key, which has no counted calls yet.
pub(crate) fn write(key: &ApiKey) -> Item {
    let mut item = key_key(key.org, key.id);
    for (name, value) in attributes(key) {
        add(&mut item, name, value);
    }
    add(&mut item, "last_used_at", key.last_used.as_ref().map(|(at, _)| number(at.as_millis())));
    item.insert("revision".to_owned(), number(key.revision));
    item
}

/// Reads a key from its item.
pub(crate) fn read(item: &Item) -> Result<ApiKey, Fault> {
    let reader = Reader(item);
    let revoked = match reader.optional_parsed("revoked_by", Actor::parse)? {
        Some(actor) => Some((actor, reader.time("revoked_at")?, reader.text("revoked_reason")?.to_owned())),
        None => None,
    };
    let count = |(period, value): (&str, &AttributeValue)| {
        let count = value.as_n().ok().and_then(|digits| digits.parse().ok()).ok_or_else(|| malformed(USED))?;
        Ok((period.to_owned(), count))
    };
    let minute = reader.optional_time(MINUTE_STARTED).zip(reader.optional_number(MINUTE_CALLS));
    Ok(ApiKey {
        org: reader.parsed("pk", |pk| OrgId::parse(pk.strip_prefix("ORG#")?))?,
        id: reader.parsed("sk", |sk| KeyId::parse(sk.strip_prefix("KEY#")?))?,
        name: reader.text("name")?.to_owned(),
        environment: reader.parsed("environment", KeyMode::from_name)?,
        scopes: reader.texts("scopes")?.iter().cloned().collect(),
        minute_quota: reader.optional_number("minute_quota"),
        daily_quota: reader.optional_number("daily_quota"),
        monthly_quota: reader.optional_number("monthly_quota"),
        expires_at: reader.optional_time("expires_at"),
        status: reader.parsed("status", KeyStatus::from_name)?,
        generation: reader.number("generation")?,
        previous_until: reader.optional_time("previous_until"),
        prefix: reader.text("prefix")?.to_owned(),
        hint: reader.text("hint")?.to_owned(),
        spender: reader.optional_parsed("spender", UserId::parse)?,
        created_by: reader.parsed("created_by", UserId::parse)?,
        created_at: reader.time("created_at")?,
        migrated_at: reader.optional_time("migrated_at"),
        revoked,
        last_used: reader.optional_time("last_used_at").map(|at| (at, reader.owned_text("last_used_ip"))),
        used: reader.beginning(USED).map(count).collect::<Result<_, Fault>>()?,
        minute: minute.map(|(started, count)| Window { started, count }),
        revision: reader.number("revision")?,
    })
}
