//! Contract of the ports for importing keys of an older installation.

use std::time::Duration;

use consigne_core::audit::AuditAction;
use consigne_core::events::{Event, EventData, KeyMigrationEvent, NamedKey};
use consigne_core::keys::Pointer;
use consigne_core::migrations::{MigrateOutcome, MigratedKey, Migration, MigrationId, MigrationStep, Stage};
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::periods::Day;
use consigne_core::ports::{
    CreateOrg, FindKey, GetKey, GetMember, GetMigration, KeepPeppers, ListMigrations, MigrateKey, MigrationFilter,
    PageAsk, Repoint, StepMigration,
};
use consigne_core::{KeyId, OrgId, Timestamp, UserId};
use consigne_testkit::accounts;

use super::{eventually, now, on_both};

/// The ports under test.
pub trait Migrations:
    CreateOrg
    + MigrateKey
    + GetMigration
    + ListMigrations
    + StepMigration
    + GetKey
    + GetMember
    + FindKey
    + Repoint
    + KeepPeppers
    + Sync
{
}
impl<T> Migrations for T where
    T: CreateOrg
        + MigrateKey
        + GetMigration
        + ListMigrations
        + StepMigration
        + GetKey
        + GetMember
        + FindKey
        + Repoint
        + KeepPeppers
        + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    a_key_is_imported_with_all_its_records_or_not_at_all,
    a_migration_counts_its_keys_and_is_announced_again_for_each,
    of_two_steps_of_one_revision_one_succeeds,
    migrations_are_listed_by_due_time_in_pages,
    a_hash_finds_its_key_and_is_replaced_by_a_mac,
);

/// Creates a key that is imported at a time.
fn carried(org: OrgId, owner: &UserId, at: Timestamp) -> MigratedKey {
    let key = consigne_core::keys::ApiKey {
        migrated_at: Some(at),
        last_used: Some((at.minus(Duration::from_hours(5)), None)),
        ..accounts::key(org, owner, false, now())
    };
    let audit = accounts::entry(org, AuditAction::KeyMigrated, owner, at);
    MigratedKey { key, pointer: accounts::pointer(1), member: None, audit }
}

fn id(org: OrgId, owner: &UserId, at: Timestamp) -> MigrationId {
    MigrationId { org, owner: owner.clone(), day: Day::of(at) }
}

async fn a_key_is_imported_with_all_its_records_or_not_at_all(store: &impl Migrations) {
    let (org, owner) = accounts::found(store, now()).await;
    let newcomer = accounts::person();
    let joined = Member { org, user: newcomer.clone(), role: OrgRole::Developer, joined_at: now() };
    let new = MigratedKey { member: Some(joined.clone()), ..carried(org, &newcomer, now()) };
    assert_eq!(store.migrate_key(&new).await.unwrap(), MigrateOutcome::Applied);
    assert_eq!(store.get_key(org, new.key.id).await.unwrap().as_ref(), Some(&new.key));
    assert_eq!(store.get_member(org, &newcomer).await.unwrap(), Some(joined.clone()));
    let led = store.find_key(std::slice::from_ref(&new.pointer)).await.unwrap();
    assert_eq!(led, Some((new.pointer.clone(), new.key.facts())));

    let same_text = MigratedKey { pointer: new.pointer.clone(), ..carried(org, &owner, now()) };
    assert_eq!(store.migrate_key(&same_text).await.unwrap(), MigrateOutcome::TextTaken);
    let same_key = MigratedKey { key: new.key.clone(), ..carried(org, &owner, now()) };
    let same_member = MigratedKey { member: Some(joined), ..carried(org, &newcomer, now()) };
    for moved in [&same_key, &same_member] {
        assert_eq!(store.migrate_key(moved).await.unwrap(), MigrateOutcome::Conflict);
        assert_eq!(store.find_key(std::slice::from_ref(&moved.pointer)).await.unwrap(), None);
    }
    assert_eq!(store.get_key(org, same_member.key.id).await.unwrap(), None);
    assert_eq!(
        store.get_migration(&id(org, &owner, now())).await.unwrap(),
        None,
        "nothing about the owner must be written"
    );
    let only = store.get_migration(&id(org, &newcomer, now())).await.unwrap().unwrap();
    assert_eq!((only.keys, only.stage), (1, Stage::Carried));

    let version = u32::try_from(now().as_millis() % 1_000_000).unwrap() * 1_000 + 4_000;
    let entry = accounts::entry(org, AuditAction::PepperRetired, &owner, now());
    store.record_pepper(version, true, &entry).await.unwrap();
    let late = MigratedKey { pointer: accounts::pointer(version), ..carried(org, &owner, now()) };
    assert_eq!(
        store.migrate_key(&late).await.unwrap(),
        MigrateOutcome::Conflict,
        "a retired pepper must accept no key"
    );
    let mut revoked = carried(org, &owner, now());
    revoked.key.migrated_at = None;
    assert_eq!(store.migrate_key(&revoked).await.unwrap(), MigrateOutcome::Applied);
    assert_eq!(store.get_migration(&id(org, &owner, now())).await.unwrap(), None, "there must be no migration");
}

async fn a_migration_counts_its_keys_and_is_announced_again_for_each(store: &impl Migrations) {
    let (org, owner) = accounts::found(store, now()).await;
    let at = now();
    let id = id(org, &owner, at);
    for _ in 0..2 {
        assert_eq!(store.migrate_key(&carried(org, &owner, at)).await.unwrap(), MigrateOutcome::Applied);
    }
    let known = store.get_migration(&id).await.unwrap().unwrap();
    assert_eq!(known, Migration { id: id.clone(), keys: 2, stage: Stage::Carried, revision: 2 });
    assert!(store.step_migration(&step(&known, Stage::Announced(id.day))).await.unwrap().is_committed());
    store.migrate_key(&carried(org, &owner, at)).await.unwrap();
    let again = store.get_migration(&id).await.unwrap().unwrap();
    assert_eq!((again.keys, again.stage), (3, Stage::Carried));
    let next_day = at.plus(Duration::from_hours(24));
    store.migrate_key(&carried(org, &owner, next_day)).await.unwrap();
    assert_eq!(store.get_migration(&id).await.unwrap().unwrap().keys, 3, "another day has its own migration");
}

fn step(from: &Migration, stage: Stage) -> MigrationStep {
    let facts = KeyMigrationEvent {
        org_id: from.id.org,
        user_id: from.id.owner.clone(),
        keys: vec![NamedKey { key_id: KeyId::mint(now()), name: "Key".to_owned() }],
        total: 1,
        until: now(),
    };
    let event = Event::new(now(), EventData::KeyMigrationStarted(facts));
    let migration = Migration { stage, revision: from.revision + 1, ..from.clone() };
    MigrationStep { migration, seen: from.revision, event: Some(event) }
}

async fn of_two_steps_of_one_revision_one_succeeds(store: &impl Migrations) {
    let (org, owner) = accounts::found(store, now()).await;
    let id = id(org, &owner, now());
    store.migrate_key(&carried(org, &owner, now())).await.unwrap();
    let known = store.get_migration(&id).await.unwrap().unwrap();
    let (one, other) = (step(&known, Stage::Announced(id.day)), step(&known, Stage::Reminded(id.day)));
    assert!(store.step_migration(&one).await.unwrap().is_committed());
    assert!(!store.step_migration(&other).await.unwrap().is_committed());
    assert_eq!(store.get_migration(&id).await.unwrap(), Some(one.migration.clone()));
    let ended = step(&one.migration, Stage::Ended { on: id.day.plus(30), revoked: 7 });
    assert!(store.step_migration(&ended).await.unwrap().is_committed());
    assert_eq!(store.get_migration(&id).await.unwrap(), Some(ended.migration));
    let nowhere = Migration { id: MigrationId { owner: accounts::person(), ..id }, ..known };
    assert!(!store.step_migration(&step(&nowhere, Stage::Announced(Day::of(now())))).await.unwrap().is_committed());
}

async fn migrations_are_listed_by_due_time_in_pages(store: &impl Migrations) {
    // These days belong to this test only, because the list has all organisations.
    let week = u16::try_from(now().as_millis() % 1_000).unwrap() * 7;
    let (first, owner) = (Day::parse("2040-01-01").unwrap().plus(week), accounts::person());
    let mut known = Vec::new();
    for day in [1, 0, 0] {
        let (org, _) = accounts::found(store, now()).await;
        store.migrate_key(&carried(org, &owner, first.plus(day).starts())).await.unwrap();
        let id = MigrationId { org, owner: owner.clone(), day: first.plus(day) };
        known.push(store.get_migration(&id).await.unwrap().unwrap());
    }
    let mine = async |filter: MigrationFilter| {
        let (mut all, mut page) = (Vec::new(), PageAsk { limit: 2, after: None });
        loop {
            let listed = store.list_migrations(filter, &page).await.unwrap();
            all.extend(listed.items.into_iter().filter(|migration| migration.id.owner == owner).map(|own| own.id));
            if listed.next.is_none() {
                return all;
            }
            page.after = listed.next;
        }
    };
    let at = |day: u16| MigrationFilter::Due(first.plus(day).starts());
    let just_before = MigrationFilter::Due(first.starts().minus(Duration::from_millis(1)));
    assert_eq!(eventually(async || mine(at(1)).await, |all| all.len() == 3).await.last(), Some(&known[0].id));
    let mut two = mine(at(0)).await;
    two.sort();
    let mut want = vec![known[1].id.clone(), known[2].id.clone()];
    want.sort();
    assert_eq!((two, mine(just_before).await), (want, vec![]));

    assert!(store.step_migration(&step(&known[0], Stage::Announced(first))).await.unwrap().is_committed());
    assert!(
        store.step_migration(&step(&known[1], Stage::Ended { on: first, revoked: 0 })).await.unwrap().is_committed()
    );
    let left = eventually(async || mine(at(1)).await, |all| all.len() == 1).await;
    assert_eq!(left, [known[2].id.clone()], "a migration is due later after a step, or never");
    assert_eq!(mine(at(23)).await, [known[2].id.clone(), known[0].id.clone()]);
    assert_eq!(mine(MigrationFilter::Open).await.len(), 2);
    assert_eq!(mine(MigrationFilter::Ended).await, [known[1].id.clone()]);
}

async fn a_hash_finds_its_key_and_is_replaced_by_a_mac(store: &impl Migrations) {
    let (org, owner) = accounts::found(store, now()).await;
    let hash = consigne_auth::KeyMint::nonce();
    let new = MigratedKey { pointer: Pointer::hashed(&hash).unwrap(), ..carried(org, &owner, now()) };
    assert_eq!(store.migrate_key(&new).await.unwrap(), MigrateOutcome::Applied);
    let (hashed, facts, mac) = (new.pointer, new.key.facts(), accounts::pointer(1));
    let both = [mac.clone(), hashed.clone()];
    assert_eq!(store.find_key(&both).await.unwrap(), Some((hashed.clone(), facts.clone())));
    let needs = store.list_pepper_needs(Pointer::HASHED, now()).await.unwrap().len();
    for _ in 0..2 {
        store.repoint(&hashed, &mac, &facts, now()).await.unwrap();
    }
    assert_eq!(store.find_key(&both).await.unwrap(), Some((mac, facts.clone())));
    // A lookup of both in between still finds one.
    assert_eq!(store.find_key(std::slice::from_ref(&hashed)).await.unwrap(), Some((hashed, facts)));
    // No other test uses hashes, so the count belongs to this test.
    let count = async || store.list_pepper_needs(Pointer::HASHED, now()).await.unwrap().len();
    assert!(needs >= 1 && eventually(count, |left| *left < needs).await < needs);
}
