//! Profiles: people's contact details, by source.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem, Update};
use consigne_core::audit::{Actor, AuditEntry};
use consigne_core::idempotency::WriteOutcome;
use consigne_core::ports::{GetProfile, GetProfiles, UpdateContact};
use consigne_core::profiles::{Contact, ContactUpdate, Language, Profile, Sighting};
use consigne_core::webhooks::Received;
use consigne_core::{Fault, Timestamp, UserId};

use crate::table::files::ledger_item;
use crate::table::item::{Item, Reader, key, number, text, user_pk};
use crate::table::{Table, audit};

/// Prefix of the attributes from a person's own session token.
const SEEN: &str = "seen_";
/// Prefix of the attributes from Clerk's webhooks.
const TOLD: &str = "told_";

/// Sort key of every profile.
const SK: &str = "PROFILE";
/// Attribute of the profile and the ledger of a closed account: when it was closed.
pub(crate) const CLOSED_AT: &str = "closed_at";
/// Condition on which an account is open. It stands on the profile or on the ledger.
pub(crate) const OPEN: &str = "attribute_not_exists(closed_at)";

pub(crate) fn profile_key(user: &UserId) -> Item {
    key(user_pk(user), SK)
}

/// Returns whether an item is the profile or the ledger of a closed account.
pub(crate) fn is_tombstone(item: &Item) -> bool {
    item.contains_key(CLOSED_AT)
        && matches!(Reader(item).optional_text("sk"), Some(sort) if sort == SK || sort == ledger_item::SK)
}

impl GetProfile for Table {
    async fn get_profile(&self, user: &UserId) -> Result<Profile, Fault> {
        let Some(item) = self.get(profile_key(user)).await? else { return Ok(Profile::unknown(user.clone())) };
        read(&item)
    }
}

impl GetProfiles for Table {
    async fn get_profiles(&self, users: &BTreeSet<UserId>) -> Result<BTreeMap<UserId, Profile>, Fault> {
        let keys: Vec<Item> = users.iter().map(profile_key).collect();
        let found = self.batch_get(&keys, false).await?;
        found.iter().map(|item| read(item).map(|profile| (profile.user.clone(), profile))).collect()
    }
}

pub(crate) fn read(item: &Item) -> Result<Profile, Fault> {
    let reader = Reader(item);
    Ok(Profile {
        user: reader.parsed("pk", |pk| UserId::parse(pk.strip_prefix("USER#")?))?,
        from_token: contact(item, SEEN)?,
        from_webhook: contact(item, TOLD)?,
        webhook_at: reader.optional_time("told_at"),
        closed_at: reader.optional_time(CLOSED_AT),
    })
}

fn contact(item: &Item, source: &str) -> Result<Option<Contact>, Fault> {
    let reader = Reader(item);
    let Some(email) = reader.owned_text(&format!("{source}email")) else { return Ok(None) };
    Ok(Some(Contact {
        email,
        verified: reader.optional_text(&format!("{source}verified")).is_some(),
        name: reader.owned_text(&format!("{source}name")),
        language: reader.parsed(&format!("{source}language"), Language::from_name)?,
        at: reader.time(&format!("{source}at"))?,
    }))
}

impl UpdateContact for Table {
    async fn update_contact(&self, change: &ContactUpdate, received: &Received) -> Result<WriteOutcome, Fault> {
        let write = contact_update(TOLD, &change.user, change.contact.as_ref(), change.at)
            // Ignore a webhook that is older than the last one, or about a closed account.
            .condition_expression(
                "attribute_not_exists(closed_at) AND (attribute_not_exists(told_at) OR told_at < :at)",
            );
        self.transact_webhook(received, vec![self.update(write)?]).await
    }
}

impl Table {
    /// Returns the check that a person's account is open. A transaction of a person's request has this check,
    /// [`Self::sighting`], or the same condition on the ledger. If it fails, [`Self::transact`] returns
    /// [`Sighting::closed`].
    pub(crate) fn require_open(&self, user: &UserId) -> Result<TransactWriteItem, Fault> {
        self.check(ConditionCheck::builder().set_key(Some(profile_key(user))).condition_expression(OPEN))
    }

    /// Returns the write of an audit entry and, if a person acts, the check that their account is open.
    pub(crate) fn audited(&self, entry: &AuditEntry) -> Result<Vec<TransactWriteItem>, Fault> {
        let mut writes = vec![self.put(audit::write(entry))?];
        if let Actor::User(user) = &entry.origin.actor {
            writes.push(self.require_open(user)?);
        }
        Ok(writes)
    }

    /// Returns the write that stores the contact details in a person's token, or, if the token has none, the check that
    /// their account is open.
    pub(crate) fn seen_or_open(&self, user: &UserId, seen: Option<&Sighting>) -> Result<TransactWriteItem, Fault> {
        seen.map_or_else(|| self.require_open(user), |seen| self.sighting(seen))
    }

    /// Returns the write that stores the contact details in a person's token, on condition that their account is open.
    pub(crate) fn sighting(&self, sighting: &Sighting) -> Result<TransactWriteItem, Fault> {
        let Sighting { user, contact } = sighting;
        let write = contact_update(SEEN, user, Some(contact), contact.at);
        self.update(write.condition_expression(OPEN))
    }
}

/// Builds the update that replaces the contact details from one source.
fn contact_update(source: &str, user: &UserId, contact: Option<&Contact>, at: Timestamp) -> UpdateBuilder {
    let fields = [
        ("at", Some(number(at.as_millis()))),
        ("email", contact.map(|contact| text(&contact.email))),
        ("verified", contact.filter(|contact| contact.verified).map(|_| text("yes"))),
        ("name", contact.and_then(|contact| contact.name.as_ref()).map(text)),
        ("language", contact.map(|contact| text(contact.language.name()))),
    ];
    let mut update = Update::builder().set_key(Some(profile_key(user)));
    let (mut set, mut remove) = (Vec::new(), Vec::new());
    for (field, value) in fields {
        match value {
            Some(value) => {
                set.push(format!("{source}{field} = :{field}"));
                update = update.expression_attribute_values(format!(":{field}"), value);
            }
            None => remove.push(format!("{source}{field}")),
        }
    }
    let mut expression = format!("SET {}", set.join(", "));
    if !remove.is_empty() {
        expression = format!("{expression} REMOVE {}", remove.join(", "));
    }
    update.update_expression(expression)
}
