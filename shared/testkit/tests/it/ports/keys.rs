//! Contract of the ports for organisations, keys and peppers.

use std::collections::BTreeSet;
use std::time::Duration;

use consigne_core::audit::{Actor, AuditAction};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome};
use consigne_core::keys::{ApiKey, ChangeContext, KeyPatch, KeyStatus};
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::ports::{
    ChangeKey, ChargeKey, CreateOrg, FindKey, GetIdempotencyRecord, GetKey, GetMember, GetOrg, IssueKey, KeepPeppers,
    ListAudit, ListKeys, ListMembers, ListOrgs, Listed, NewKey, PageAsk, PutMember, Repoint,
};
use consigne_core::{Code, IdempotencyKey};
use consigne_testkit::accounts;
use consigne_usecases::keys::change;
use futures_util::future::join_all;

use super::{now, on_both};

/// The ports under test.
pub trait Keys:
    CreateOrg
    + GetOrg
    + GetMember
    + PutMember
    + ListOrgs
    + ListMembers
    + ListAudit
    + IssueKey
    + GetKey
    + ChangeKey
    + ListKeys
    + FindKey
    + Repoint
    + KeepPeppers
    + GetIdempotencyRecord
    + ChargeKey
    + Sync
{
}
impl<T> Keys for T where
    T: CreateOrg
        + GetOrg
        + GetMember
        + PutMember
        + ListOrgs
        + ListMembers
        + ListAudit
        + IssueKey
        + GetKey
        + ChangeKey
        + ListKeys
        + FindKey
        + Repoint
        + KeepPeppers
        + GetIdempotencyRecord
        + ChargeKey
        + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    an_organisation_is_created_once_with_its_owner_and_audit_entry,
    an_idempotency_record_expires_after_a_day,
    members_are_found_and_listed_in_pages,
    every_field_of_a_key_is_stored,
    a_key_is_issued_once,
    a_change_keeps_counters_of_charges,
    of_two_changes_of_one_revision_one_succeeds,
    a_revocation_succeeds_during_other_changes_and_is_final,
    a_revocation_succeeds_while_eight_others_change_the_key,
    a_deleted_key_is_not_listed,
    a_text_is_found_under_any_pepper_and_moves_to_the_current_one,
    a_closed_pepper_accepts_no_new_texts,
    only_live_keys_need_a_pepper,
);

fn first(limit: u32) -> PageAsk {
    PageAsk { limit, after: None }
}

fn after<T>(page: &Listed<T>, limit: u32) -> PageAsk {
    PageAsk { limit, after: page.next.clone() }
}

fn idempotent(caller: &consigne_core::UserId, fingerprint: &str, result: &str) -> IdempotentRequest {
    let key = IdempotencyKey { key: "order 17".to_owned(), fingerprint: fingerprint.to_owned() };
    IdempotentRequest { key, owner: caller.clone().into(), operation: "test", result: result.to_owned() }
}

async fn an_organisation_is_created_once_with_its_owner_and_audit_entry(store: &impl Keys) {
    let owner = accounts::person();
    let mut new = accounts::org(&owner, now());
    new.idempotent = Some(idempotent(&owner, "f", "first"));
    assert_eq!(store.create_org(&new).await.unwrap(), WriteOutcome::Applied);
    let mut again = accounts::org(&owner, now());
    again.idempotent = Some(idempotent(&owner, "f", "second"));
    assert_eq!(store.create_org(&again).await.unwrap(), WriteOutcome::Replayed("first".to_owned()));
    again.idempotent = Some(idempotent(&owner, "g", "third"));
    assert_eq!(store.create_org(&again).await.unwrap(), WriteOutcome::KeyReused);

    assert_eq!(store.get_org(new.org.id).await.unwrap(), Some(new.org.clone()));
    assert_eq!(store.get_org(again.org.id).await.unwrap(), None);
    assert_eq!(store.get_member(new.org.id, &owner).await.unwrap(), Some(new.owner.clone()));
    assert_eq!(store.get_member(new.org.id, &accounts::person()).await.unwrap(), None);
    assert_eq!(store.list_audit(new.org.id, &first(10)).await.unwrap().items, [new.audit.clone()]);
    let listed =
        super::eventually(async || store.list_orgs(&owner, &first(10)).await.unwrap(), |page| page.items.len() == 1);
    assert_eq!(listed.await.items, [(new.org, new.owner)]);
}

async fn an_idempotency_record_expires_after_a_day(store: &impl Keys) {
    let owner = accounts::person();
    let mut new = accounts::org(&owner, now());
    new.idempotent = Some(idempotent(&owner, "f", "kept"));
    let asked = idempotent(&owner, "f", "");
    assert_eq!(store.get_idempotency_record(&asked, now()).await.unwrap(), None);
    store.create_org(&new).await.unwrap();
    let made = new.org.created_at;
    for (hours, kept) in [(0, true), (23, true), (25, false)] {
        let at = made.plus(Duration::from_hours(hours));
        let want = kept.then(|| WriteOutcome::Replayed("kept".to_owned()));
        assert_eq!(store.get_idempotency_record(&asked, at).await.unwrap(), want, "after {hours} hours");
    }
    assert_eq!(
        store.get_idempotency_record(&idempotent(&owner, "g", ""), made).await.unwrap(),
        Some(WriteOutcome::KeyReused)
    );
    assert_eq!(
        store.get_idempotency_record(&idempotent(&accounts::person(), "f", ""), made).await.unwrap(),
        None,
        "another person's idempotency key"
    );
}

async fn members_are_found_and_listed_in_pages(store: &impl Keys) {
    let (org, owner) = accounts::found(store, now()).await;
    let mut want = vec![owner.clone()];
    for role in OrgRole::ALL {
        let member = Member { org, user: accounts::person(), role, joined_at: now() };
        store.put_member(&member, &accounts::entry(org, AuditAction::RoleChanged, &owner, now())).await.unwrap();
        assert_eq!(store.get_member(org, &member.user).await.unwrap(), Some(member.clone()));
        want.push(member.user);
    }
    want.sort();
    let one = store.list_members(org, &first(3)).await.unwrap();
    let two = store.list_members(org, &after(&one, 3)).await.unwrap();
    assert_eq!((one.total, two.total, two.next.as_ref()), (Some(5), Some(5), None));
    let got: Vec<_> = one.items.into_iter().chain(two.items).map(|member| member.user).collect();
    assert_eq!(got, want);
}

async fn every_field_of_a_key_is_stored(store: &impl Keys) {
    let (org, owner) = accounts::found(store, now()).await;
    let plain = accounts::key(org, &owner, false, now());
    let full = ApiKey {
        name: "Clé de l'été".to_owned(),
        minute_quota: Some(60),
        daily_quota: Some(12),
        monthly_quota: Some(1 << 53),
        expires_at: Some(now().plus(Duration::from_hours(1))),
        migrated_at: Some(now()),
        ..accounts::key(org, &owner, true, now())
    };
    for key in [&plain, &full] {
        accounts::issue(store, key).await;
        assert_eq!(store.get_key(org, key.id).await.unwrap().as_ref(), Some(key));
    }
    let (other, _) = accounts::found(store, now()).await;
    assert_eq!(store.get_key(other, plain.id).await.unwrap(), None, "another organisation's key");
}

async fn a_key_is_issued_once(store: &impl Keys) {
    let (org, owner) = accounts::found(store, now()).await;
    let issue = |fingerprint: &str, result: &str| NewKey {
        idempotent: Some(idempotent(&owner, fingerprint, result)),
        ..accounts::new_key(&accounts::key(org, &owner, false, now()))
    };
    assert_eq!(store.issue_key(&issue("f", "one")).await.unwrap(), WriteOutcome::Applied);
    assert_eq!(store.issue_key(&issue("f", "two")).await.unwrap(), WriteOutcome::Replayed("one".to_owned()));
    assert_eq!(store.issue_key(&issue("g", "three")).await.unwrap(), WriteOutcome::KeyReused);
    assert_eq!(store.list_keys(org, &first(10)).await.unwrap().items.len(), 1);
}

async fn a_change_keeps_counters_of_charges(store: &impl Keys) {
    let (org, owner) = accounts::found(store, now()).await;
    let key = accounts::key(org, &owner, true, now());
    let facts = accounts::issue(store, &key).await;
    let (origin, at) = (accounts::origin(&owner), now());
    let by = ChangeContext { origin: &origin, now: at };
    let patch = KeyPatch { daily_quota: Some(Some(7)), ..KeyPatch::default() };
    // The change is computed before the charge and written after it.
    let step = key.update(&patch, &by).unwrap().unwrap();
    store.charge_key(&accounts::charge(&facts, 2, None, at)).await.unwrap();
    assert_eq!(store.change_key(&step).await.unwrap(), WriteOutcome::Applied);
    let after = store.get_key(org, key.id).await.unwrap().unwrap();
    assert_eq!((after.daily_quota, after.daily_used(at), after.last_used), (Some(7), 1, Some((at, None))));

    let cleared = KeyPatch { daily_quota: Some(None), ..KeyPatch::default() };
    let step = store.get_key(org, key.id).await.unwrap().unwrap().update(&cleared, &by).unwrap().unwrap();
    store.change_key(&step).await.unwrap();
    assert_eq!(store.get_key(org, key.id).await.unwrap().unwrap().daily_quota, None);
    let audit_log = store.list_audit(org, &first(10)).await.unwrap();
    let updates = audit_log.items.iter().filter(|entry| entry.action == AuditAction::KeyUpdated).count();
    assert_eq!(updates, 2);
}

async fn of_two_changes_of_one_revision_one_succeeds(store: &impl Keys) {
    let (org, owner) = accounts::found(store, now()).await;
    let key = accounts::key(org, &owner, false, now());
    accounts::issue(store, &key).await;
    let origin = accounts::origin(&owner);
    let by = ChangeContext { origin: &origin, now: now() };
    let patch = |name: &str| KeyPatch { name: Some(name.to_owned()), ..KeyPatch::default() };
    let (one, two) =
        (key.update(&patch("one"), &by).unwrap().unwrap(), key.update(&patch("two"), &by).unwrap().unwrap());
    assert_eq!(store.change_key(&one).await.unwrap(), WriteOutcome::Applied);
    assert_eq!(store.change_key(&two).await.unwrap(), WriteOutcome::Conflict);
    assert_eq!(store.get_key(org, key.id).await.unwrap().unwrap().name, "one");
}

async fn a_revocation_succeeds_during_other_changes_and_is_final(store: &impl Keys) {
    let (org, owner) = accounts::found(store, now()).await;
    let key = accounts::key(org, &owner, false, now());
    accounts::issue(store, &key).await;
    let origin = accounts::origin(&owner);
    let by = ChangeContext { origin: &origin, now: now() };
    // All four changes are computed from the same read.
    let patch = |name: &str| KeyPatch { name: Some(name.to_owned()), ..KeyPatch::default() };
    let (one, two) =
        (key.update(&patch("one"), &by).unwrap().unwrap(), key.update(&patch("two"), &by).unwrap().unwrap());
    let (revoke, delete) = (key.revoke("leaked", &by).unwrap().unwrap(), key.delete(&by).unwrap());
    assert_eq!(store.change_key(&one).await.unwrap(), WriteOutcome::Applied);
    assert_eq!(store.change_key(&revoke).await.unwrap(), WriteOutcome::Applied);
    assert_eq!(store.change_key(&two).await.unwrap(), WriteOutcome::Conflict);
    assert_eq!(store.change_key(&revoke).await.unwrap(), WriteOutcome::Conflict, "once");
    let revoked = Some((Actor::User(owner), by.now, "leaked".to_owned()));
    let after = store.get_key(org, key.id).await.unwrap().unwrap();
    assert_eq!((after.status, after.name.as_str(), &after.revoked), (KeyStatus::Revoked, "one", &revoked));
    assert_eq!(store.change_key(&delete).await.unwrap(), WriteOutcome::Applied);
    assert_eq!(store.change_key(&delete).await.unwrap(), WriteOutcome::Conflict, "once");
    let after = store.get_key(org, key.id).await.unwrap().unwrap();
    assert_eq!((after.status, after.name.as_str(), &after.revoked), (KeyStatus::Deleted, "one", &revoked));
}

async fn a_revocation_succeeds_while_eight_others_change_the_key(store: &impl Keys) {
    let (org, owner) = accounts::found(store, now()).await;
    let key = accounts::key(org, &owner, false, now());
    accounts::issue(store, &key).await;
    let origin = accounts::origin(&owner);
    let by = ChangeContext { origin: &origin, now: now() };
    let patcher = async |n: usize| {
        for round in 0.. {
            tokio::task::yield_now().await;
            let patch = KeyPatch { name: Some(format!("{n} {round}")), ..KeyPatch::default() };
            if let Err(refused) = change(store, org, key.id, |key| key.update(&patch, &by)).await {
                return refused.code;
            }
        }
        unreachable!()
    };
    let revoking = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        change(store, org, key.id, |key| key.revoke("leaked", &by)).await
    };
    let (codes, revoked) = tokio::join!(join_all((0..8).map(patcher)), revoking);
    assert_eq!(revoked.unwrap().key().unwrap().status, KeyStatus::Revoked);
    assert_eq!(codes, [Code::Conflict; 8], "a revoked key must not change");
}

async fn a_deleted_key_is_not_listed(store: &impl Keys) {
    let (org, owner) = accounts::found(store, now()).await;
    let mut keys = Vec::new();
    for _ in 0..5 {
        let key = accounts::key(org, &owner, false, now());
        accounts::issue(store, &key).await;
        keys.push(key);
    }
    keys.sort_by_key(|key| std::cmp::Reverse(key.id));
    let origin = accounts::origin(&owner);
    let step = keys[1].delete(&ChangeContext { origin: &origin, now: now() }).unwrap();
    assert_eq!(store.change_key(&step).await.unwrap(), WriteOutcome::Applied);
    let one = store.list_keys(org, &first(3)).await.unwrap();
    let two = store.list_keys(org, &after(&one, 3)).await.unwrap();
    assert_eq!((one.total, two.total, two.next.as_ref()), (Some(4), Some(4), None));
    let got: Vec<_> = one.items.iter().chain(&two.items).map(|key| key.id).collect();
    assert_eq!(got, [keys[0].id, keys[2].id, keys[3].id, keys[4].id]);
    assert_eq!(store.get_key(org, keys[1].id).await.unwrap().unwrap().status, KeyStatus::Deleted, "the row must stay");
}

async fn a_text_is_found_under_any_pepper_and_moves_to_the_current_one(store: &impl Keys) {
    let (org, owner) = accounts::found(store, now()).await;
    // These versions belong to this test only, because the keys under a pepper are counted over all organisations.
    let version = u32::try_from(now().as_millis() % 1_000_000).unwrap() * 1_000 + 1_000;
    let new =
        NewKey { pointer: accounts::pointer(version), ..accounts::new_key(&accounts::key(org, &owner, true, now())) };
    store.issue_key(&new).await.unwrap();
    let (old, facts) = (new.pointer, new.key.facts());
    let newer = accounts::pointer(version + 1);
    assert_eq!(store.find_key(&[newer.clone(), old.clone()]).await.unwrap(), Some((old.clone(), facts.clone())));
    assert_eq!(store.find_key(&[accounts::pointer(version)]).await.unwrap(), None);
    for _ in 0..2 {
        store.repoint(&old, &newer, &facts, now()).await.unwrap();
    }
    assert_eq!(store.find_key(&[newer.clone(), old.clone()]).await.unwrap(), Some((newer, facts)));
    let needs = async || {
        (
            store.list_pepper_needs(version, now()).await.unwrap().len(),
            store.list_pepper_needs(version + 1, now()).await.unwrap().len(),
        )
    };
    assert_eq!(super::eventually(needs, |needs| *needs == (0, 1)).await, (0, 1));
}

async fn a_closed_pepper_accepts_no_new_texts(store: &impl Keys) {
    let (org, owner) = accounts::found(store, now()).await;
    let version = u32::try_from(now().as_millis() % 1_000_000).unwrap() * 1_000 + 2_000;
    let entry = accounts::entry(org, AuditAction::PepperRetired, &owner, now());
    store.record_pepper(version, true, &entry).await.unwrap();
    let new =
        NewKey { pointer: accounts::pointer(version), ..accounts::new_key(&accounts::key(org, &owner, false, now())) };
    assert_eq!(store.issue_key(&new).await.unwrap(), WriteOutcome::Conflict);
    assert_eq!(store.get_key(org, new.key.id).await.unwrap(), None);
    let facts = accounts::issue(store, &accounts::key(org, &owner, false, now())).await;
    assert!(store.repoint(&accounts::pointer(1), &accounts::pointer(version), &facts, now()).await.is_err());
    store.record_pepper(version, false, &entry).await.unwrap();
    assert_eq!(store.issue_key(&new).await.unwrap(), WriteOutcome::Applied);
}

async fn only_live_keys_need_a_pepper(store: &impl Keys) {
    let (org, owner) = accounts::found(store, now()).await;
    let version = u32::try_from(now().as_millis() % 1_000_000).unwrap() * 1_000 + 3_000;
    let origin = accounts::origin(&owner);
    let by = ChangeContext { origin: &origin, now: now() };
    let mut keys = Vec::new();
    for _ in 0..3 {
        let new = NewKey {
            pointer: accounts::pointer(version),
            ..accounts::new_key(&accounts::key(org, &owner, false, now()))
        };
        store.issue_key(&new).await.unwrap();
        keys.push(new.key);
    }
    let needing = async || {
        let needing = store.list_pepper_needs(version, now()).await.unwrap();
        needing.into_iter().map(|key| key.id).collect::<BTreeSet<_>>()
    };
    let all: BTreeSet<_> = keys.iter().map(|key| key.id).collect();
    assert_eq!(super::eventually(needing, |found| *found == all).await, all);
    let step = keys[0].revoke("leaked", &by).unwrap().unwrap();
    store.change_key(&step).await.unwrap();
    // After a rotation without a grace period the old text is not valid.
    let step = keys[1].rotate(accounts::pointer(version + 1), "abcd", Duration::ZERO, None, &by).unwrap();
    assert_eq!(store.change_key(&step).await.unwrap(), WriteOutcome::Applied);
    let left = BTreeSet::from([keys[2].id]);
    assert_eq!(super::eventually(needing, |found| *found == left).await, left);
}
