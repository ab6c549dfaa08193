//! Migrates the keys of an older installation, notifies their owners, and revokes keys that were not replaced in time.

use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::events::EventData;
use consigne_core::keys::{ApiKey, ChangeContext, KeyStatus};
use consigne_core::migrations::{LegacyKey, MigrateOutcome, MigratedKey, Migration, MigrationId, Place, REASON, Stage};
use consigne_core::orgs::OrgRole;
use consigne_core::periods::Day;
use consigne_core::ports::{
    ChangeKey, CreateOrg, FindKey, GetKey, GetMember, GetMigration, GetOrg, ListKeys, MigrateKey, NewOrg, PageAsk,
    StepMigration,
};
use consigne_core::{Code, Fault, Timestamp};
use serde_json::json;

use crate::ConflictRetry;
use crate::keys::change;

/// Number of keys in one page.
const PAGE: u32 = 100;
/// Why a key with the text of another key is not migrated.
const TAKEN: &str = "its text is that of another key";
/// The service that revokes keys that were not replaced in time.
const REVOKER: &str = "migration-deadline";

/// What a migration of a key would write.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// Nothing: an earlier run has migrated the key.
    Unchanged(Box<ApiKey>),
    /// These writes.
    Carry(Box<Carrying>),
    /// The key cannot be migrated, for this reason.
    Problem(&'static str),
}

/// The writes that migrate a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Carrying {
    /// The organisation to create first, if it does not exist.
    pub org: Option<NewOrg>,
    /// The key with its pointer, its owner's membership and its audit entry, which are written in one transaction.
    pub key: MigratedKey,
}

/// The outcome of migrating a key.
#[derive(Clone, Debug, PartialEq)]
pub enum CarryOutcome {
    /// The key was migrated by these writes.
    Applied(Box<Carrying>),
    /// An earlier run had migrated the key. Nothing was written.
    AppliedBefore(Box<ApiKey>),
    /// The key cannot be migrated, for this reason.
    Problem(&'static str),
}

/// The outcome of advancing a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// Its owner was notified.
    Announced,
    /// Its owner was reminded.
    Reminded,
    /// It has ended. This many keys were revoked, now or by an earlier run that was interrupted.
    Ended(u64),
    /// Nothing was changed: it was not due, or another writer was faster.
    Left,
}

/// Computes what a migration of a key would write, without writing anything.
///
/// # Errors
/// `UNAVAILABLE` if the table does not answer.
pub async fn plan<F: GetKey + FindKey + GetOrg + GetMember>(
    table: &F,
    legacy: &LegacyKey,
    by: &ChangeContext<'_>,
) -> Result<Plan, Fault> {
    let key = legacy.key(by);
    if let Some(before) = table.get_key(key.org, key.id).await? {
        return Ok(Plan::Unchanged(Box::new(before)));
    }
    let pointer = legacy.text.pointer.clone();
    if table.find_key(std::slice::from_ref(&pointer)).await?.is_some() {
        return Ok(Plan::Problem(TAKEN));
    }
    let (org, member) = match table.get_org(key.org).await? {
        Some(_) => match (table.get_member(key.org, &legacy.owner).await?, &legacy.place) {
            (Some(_), _) => (None, None),
            (None, Place::Here(_)) => return Ok(Plan::Problem("its owner is not a member of the organisation")),
            (None, Place::Former(_)) => (None, Some(legacy.member(OrgRole::Developer, by))),
            (None, Place::Personal) => (None, Some(legacy.member(OrgRole::Owner, by))),
        },
        None if matches!(legacy.place, Place::Here(_)) => {
            return Ok(Plan::Problem("there is no such organisation"));
        }
        None => match legacy.new_org(by) {
            Ok(org) => (Some(org), None),
            Err(_) => return Ok(Plan::Problem("its organisationId cannot be an organisation's name")),
        },
    };
    let details = json!({ "name": key.name, "legacy_id": legacy.id, "scopes": key.scopes, "revoked": legacy.revoked });
    let audit = AuditEntry::new(key.org, AuditAction::KeyMigrated, key.id.to_string(), by.origin, by.now, details);
    Ok(Plan::Carry(Box::new(Carrying { org, key: MigratedKey { key, pointer, member, audit } })))
}

/// Migrates a key, unless an earlier run has. If a call is interrupted, another call does the rest.
///
/// # Errors
/// `UNAVAILABLE` if the table does not answer, or if the key's organisation or pepper keeps changing.
pub async fn carry_over<F: GetKey + FindKey + GetOrg + GetMember + CreateOrg + MigrateKey>(
    table: &F,
    legacy: &LegacyKey,
    by: &ChangeContext<'_>,
) -> Result<CarryOutcome, Fault> {
    let mut retry = ConflictRetry::of("the key's organisation or pepper");
    loop {
        let carrying = match plan(table, legacy, by).await? {
            Plan::Carry(carrying) => carrying,
            Plan::Unchanged(key) => return Ok(CarryOutcome::AppliedBefore(key)),
            Plan::Problem(why) => return Ok(CarryOutcome::Problem(why)),
        };
        if let Some(org) = &carrying.org {
            table.create_org(org).await?;
        }
        match table.migrate_key(&carrying.key).await? {
            MigrateOutcome::Applied => return Ok(CarryOutcome::Applied(carrying)),
            MigrateOutcome::TextTaken => return Ok(CarryOutcome::Problem(TAKEN)),
            MigrateOutcome::Conflict => retry.wait().await?,
        }
    }
}

/// Advances a migration to its next stage, if that is due. If a call is interrupted, another call does the rest. A call
/// too many does nothing.
///
/// # Errors
/// `UNAVAILABLE` if the table does not answer or a key keeps changing.
pub async fn advance<F: ListKeys + GetKey + ChangeKey + StepMigration>(
    table: &F,
    migration: &Migration,
    now: Timestamp,
) -> Result<Advance, Fault> {
    if migration.due_at().is_none_or(|due| due > now) {
        return Ok(Advance::Left);
    }
    let (keys, today) = (keys_of(table, &migration.id).await?, Day::of(now));
    let left: Vec<ApiKey> = keys.iter().filter(|key| key.is_legacy()).cloned().collect();
    let (step, advance) = match migration.stage {
        Stage::Carried if !left.is_empty() => {
            let next = Stage::Announced(today);
            let notification = |deadline| migration.notification(EventData::KeyMigrationStarted, deadline, &left, now);
            (migration.step(next, next.deadline().map(notification)), Advance::Announced)
        }
        Stage::Announced(_) if !left.is_empty() => {
            let next = Stage::Reminded(today);
            let notification = |deadline| migration.notification(EventData::KeyMigrationReminder, deadline, &left, now);
            (migration.step(next, next.deadline().map(notification)), Advance::Reminded)
        }
        Stage::Carried | Stage::Announced(_) | Stage::Reminded(_) => {
            let mut revoked = keys.iter().filter(|key| was_revoked_here(key)).count() as u64;
            for key in &left {
                revoked += u64::from(revoke(table, key, now).await?);
            }
            (migration.step(Stage::Ended { on: today, revoked }, None), Advance::Ended(revoked))
        }
        Stage::Ended { .. } => return Ok(Advance::Left),
    };
    Ok(if table.step_migration(&step).await?.is_committed() { advance } else { Advance::Left })
}

/// Notifies the owner of a migration, unless they were notified before. Returns whether they were notified now.
///
/// # Errors
/// `UNAVAILABLE` if the table does not answer.
pub async fn announce<F: GetMigration + ListKeys + GetKey + ChangeKey + StepMigration>(
    table: &F,
    id: &MigrationId,
    now: Timestamp,
) -> Result<bool, Fault> {
    match table.get_migration(id).await? {
        Some(migration) if migration.stage == Stage::Carried => {
            Ok(advance(table, &migration, now).await? == Advance::Announced)
        }
        _ => Ok(false),
    }
}

/// Returns the current records of a migration's keys.
///
/// # Errors
/// `UNAVAILABLE` if the table does not answer.
pub async fn keys_of<F: ListKeys>(table: &F, id: &MigrationId) -> Result<Vec<ApiKey>, Fault> {
    let mut keys = Vec::new();
    let mut page = PageAsk { limit: PAGE, after: None };
    loop {
        let listed = table.list_keys(id.org, &page).await?;
        keys.extend(listed.items.into_iter().filter(|key| MigrationId::of(key).as_ref() == Some(id)));
        if listed.next.is_none() {
            return Ok(keys);
        }
        page.after = listed.next;
    }
}

/// Revokes a key, unless it was replaced or revoked in the meantime. Returns whether the key is revoked by this
/// service, now or by an earlier run.
async fn revoke<F: GetKey + ChangeKey>(table: &F, key: &ApiKey, now: Timestamp) -> Result<bool, Fault> {
    let origin = Origin { actor: service(), ip: None, user_agent: None, plan: None };
    let by = ChangeContext { origin: &origin, now };
    let step = |key: &ApiKey| if key.is_legacy() { key.revoke(REASON, &by) } else { Ok(None) };
    let after = match change(table, key.org, key.id, step).await {
        Ok(changed) => changed.key()?,
        // The key was deleted after it was listed.
        Err(fault) if fault.code == Code::NotFound => return Ok(false),
        Err(fault) => return Err(fault),
    };
    Ok(after.status == KeyStatus::Revoked && was_revoked_here(&after))
}

fn service() -> Actor {
    Actor::Service(REVOKER.to_owned())
}

fn was_revoked_here(key: &ApiKey) -> bool {
    key.revoked.as_ref().is_some_and(|(actor, _, _)| *actor == service())
}
