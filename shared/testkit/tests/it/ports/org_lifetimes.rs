//! Contract of the ports that bound and end organisations: how many a person founds, how many keys one has, and its
//! deletion.

use std::time::Duration;

use consigne_core::audit::{Actor, AuditAction, Origin};
use consigne_core::credits::{CreditGrantOutcome, LotKind, WalletId};
use consigne_core::deletions::{DeletionAsk, DeletionOutcome, OrgDeletion};
use consigne_core::idempotency::{CommitOutcome, WriteOutcome};
use consigne_core::keys::{ChangeContext, KEYS_AN_HOUR, KEYS_MAX, Pointer};
use consigne_core::ports::{
    ChangeKey, CreateOrg, DeleteOrg, DismissMember, EndDeletion, EnrolOrgs, FindClosings, GetKey, GetMember, GetOrg,
    GetWallet, GrantCredits, IssueKey, ListAudit, ListOrgs, NewOrg, PageAsk, PostponeDeletion, RenameOrg, SuspendOrg,
    WalkOrgs,
};
use consigne_core::{Code, OrgId, Plan, Timestamp, UserId};
use consigne_testkit::accounts;
use futures_util::future::join_all;
use serde_json::json;

use super::{now, on_both};

/// The ports under test.
pub trait Orgs:
    CreateOrg
    + DeleteOrg
    + DismissMember
    + PostponeDeletion
    + EndDeletion
    + FindClosings
    + GetOrg
    + GetMember
    + GetWallet
    + GrantCredits
    + IssueKey
    + ChangeKey
    + GetKey
    + ListAudit
    + ListOrgs
    + RenameOrg
    + SuspendOrg
    + WalkOrgs
    + Sync
{
}
impl<T> Orgs for T where
    T: CreateOrg
        + DeleteOrg
        + DismissMember
        + PostponeDeletion
        + EndDeletion
        + FindClosings
        + GetOrg
        + GetMember
        + GetWallet
        + GrantCredits
        + IssueKey
        + ChangeKey
        + GetKey
        + ListAudit
        + ListOrgs
        + RenameOrg
        + SuspendOrg
        + WalkOrgs
        + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    a_founder_has_as_many_organisations_as_the_plan_allows,
    concurrent_foundations_are_counted_exactly,
    organisations_older_than_the_count_are_counted_once,
    a_deleted_organisation_is_gone_and_no_longer_counted,
    concurrent_deletions_delete_once,
    an_operator_deletes_an_organisation_that_nobody_owns,
    a_deletion_is_due_until_it_ends,
    a_renamed_organisation_has_the_new_name,
    keys_are_counted_and_issued_within_their_limits,
    concurrent_first_keys_are_counted_exactly,
);

/// Builds an organisation that a person founds under a plan.
fn foundation(founder: &UserId, plan: Plan) -> NewOrg {
    NewOrg { plan: Some(plan), ..accounts::org(founder, now()) }
}

fn deletion(org: OrgId, by: &UserId) -> DeletionAsk {
    let origin = accounts::entry(org, AuditAction::OrgDeleted, by, now()).origin;
    DeletionAsk { org, name: "Acme".to_owned(), origin, reason: None, now: now() }
}

async fn deleted(store: &impl Orgs, org: OrgId, by: &UserId) -> OrgDeletion {
    match store.delete_org(&deletion(org, by)).await.unwrap() {
        DeletionOutcome::Deleted(deletion) => deletion,
        other => panic!("{other:?}"),
    }
}

async fn a_founder_has_as_many_organisations_as_the_plan_allows(store: &impl Orgs) {
    let founder = accounts::person();
    for _ in 0..3 {
        assert_eq!(store.create_org(&foundation(&founder, Plan::Free)).await.unwrap(), WriteOutcome::Applied);
    }
    let more = foundation(&founder, Plan::Free);
    let refused = store.create_org(&more).await.unwrap_err();
    assert_eq!((refused.code, &refused.details["limit"]), (Code::SubscriptionRequired, &json!(3)));
    assert_eq!(store.get_org(more.org.id).await.unwrap(), None);
    let larger = foundation(&founder, Plan::Basic);
    assert_eq!(store.create_org(&larger).await.unwrap(), WriteOutcome::Applied);
    let imported = accounts::org(&founder, now());
    assert_eq!(store.create_org(&imported).await.unwrap(), WriteOutcome::Applied, "an operator's import");
    assert_eq!(store.create_org(&foundation(&accounts::person(), Plan::Free)).await.unwrap(), WriteOutcome::Applied);
}

async fn concurrent_foundations_are_counted_exactly(store: &impl Orgs) {
    let founder = accounts::person();
    let all: Vec<NewOrg> = (0..8).map(|_| foundation(&founder, Plan::Free)).collect();
    let outcomes = join_all(all.iter().map(|new| store.create_org(new))).await;
    let applied = outcomes.iter().filter(|outcome| matches!(outcome, Ok(WriteOutcome::Applied))).count();
    let refused = |fault: &consigne_core::Fault| fault.code == Code::SubscriptionRequired;
    let refused = outcomes.iter().filter(|outcome| outcome.as_ref().is_err_and(refused)).count();
    assert_eq!((applied, refused), (3, 5), "{outcomes:?}");
}

async fn organisations_older_than_the_count_are_counted_once(store: &impl Orgs) {
    let (founder, later) = (accounts::person(), accounts::person());
    let older = accounts::org(&founder, now().minus(Duration::from_hours(48)));
    assert_eq!(store.create_org(&older).await.unwrap(), WriteOutcome::Applied);
    let page = || PageAsk { limit: 10, after: None };
    super::eventually(async || store.list_orgs(&founder, &page()).await.unwrap(), |page| page.items.len() == 1).await;
    for _ in 0..2 {
        assert_eq!(store.create_org(&foundation(&founder, Plan::Free)).await.unwrap(), WriteOutcome::Applied);
    }
    let refused = store.create_org(&foundation(&founder, Plan::Free)).await.unwrap_err();
    assert_eq!(refused.code, Code::SubscriptionRequired, "the older one counts");
    // Its deletion lowers the count, too.
    deleted(store, older.org.id, &founder).await;
    assert_eq!(store.create_org(&foundation(&founder, Plan::Free)).await.unwrap(), WriteOutcome::Applied);
    assert!(store.create_org(&foundation(&founder, Plan::Free)).await.is_err());
    assert_eq!(store.create_org(&foundation(&later, Plan::Free)).await.unwrap(), WriteOutcome::Applied);
}

async fn walked<S: Orgs>(store: &S, org: OrgId) -> bool {
    let mut walk = S::Walk::default();
    loop {
        let found = store.walk_orgs(100, &mut walk).await.unwrap();
        if found.is_empty() {
            return false;
        }
        if found.contains(&org) {
            return true;
        }
    }
}

async fn a_deleted_organisation_is_gone_and_no_longer_counted(store: &impl Orgs) {
    let founder = accounts::person();
    let new = foundation(&founder, Plan::Free);
    store.create_org(&new).await.unwrap();
    let org = new.org.id;
    let grant = accounts::credits(org, LotKind::Paid, 30, None, now());
    assert_eq!(store.grant_credits(&grant).await.unwrap(), CreditGrantOutcome::Granted);
    let stranger = accounts::person();
    assert_eq!(store.delete_org(&deletion(org, &stranger)).await.unwrap(), DeletionOutcome::NotFound);
    assert!(store.get_org(org).await.unwrap().is_some());

    let done = deleted(store, org, &founder).await;
    assert_eq!((done.org, done.credits_lost, done.name.as_str()), (org, 30, "Acme"));
    assert_eq!(store.delete_org(&deletion(org, &founder)).await.unwrap(), DeletionOutcome::NotFound, "once");
    assert_eq!(store.get_org(org).await.unwrap(), None);
    let page = || PageAsk { limit: 10, after: None };
    assert_eq!(store.list_orgs(&founder, &page()).await.unwrap().items, []);
    let wallet = store.get_wallet(&WalletId::Organisation(org), now()).await.unwrap().unwrap();
    assert!(!wallet.open);
    let grant = accounts::credits(org, LotKind::Paid, 30, None, now());
    assert_eq!(store.grant_credits(&grant).await.unwrap(), CreditGrantOutcome::NoSuchOrganisation);
    let resume = accounts::entry(org, AuditAction::OrgResumed, &founder, now());
    assert!(!store.suspend_org(org, false, &resume).await.unwrap(), "nobody can resume it");
    assert!(!store.rename_org(org, "Again", &resume).await.unwrap());
    super::eventually(async || walked(store, org).await, |found| !found).await;
    assert!(!walked(store, org).await);
    let log = store.list_audit(org, &page()).await.unwrap().items;
    let entry = log.iter().find(|entry| entry.action == AuditAction::OrgDeleted).unwrap();
    assert_eq!(entry.details, json!({ "name": "Acme", "credits_lost": 30 }));

    // The membership is left, and ends once, with an event.
    let member = store.get_member(org, &founder).await.unwrap().unwrap();
    let event = done.event(&member, now());
    assert_eq!(store.dismiss_member(&member, &event).await.unwrap(), CommitOutcome::Committed);
    assert_eq!(store.dismiss_member(&member, &event).await.unwrap(), CommitOutcome::Conflict);
    assert_eq!(store.get_member(org, &founder).await.unwrap(), None);
    for left in [true, true, true, false] {
        let outcome = store.create_org(&foundation(&founder, Plan::Free)).await;
        assert_eq!(outcome.is_ok(), left, "three again, and no more");
    }
    store.end_deletion(org).await.unwrap();
}

async fn an_operator_deletes_an_organisation_that_nobody_owns(store: &impl Orgs) {
    let founder = accounts::person();
    let new = foundation(&founder, Plan::Free);
    store.create_org(&new).await.unwrap();
    let org = new.org.id;
    let asked_by = |actor| {
        let origin = Origin { actor, ip: None, user_agent: None, plan: None };
        DeletionAsk { origin, reason: Some("its owner is gone".to_owned()), ..deletion(org, &founder) }
    };
    let function = store.delete_org(&asked_by(Actor::Service("sweep".to_owned()))).await.unwrap_err();
    assert_eq!(function.code, Code::Internal);
    assert!(store.get_org(org).await.unwrap().is_some());

    let ask = asked_by(Actor::Operator("zoë".to_owned()));
    let DeletionOutcome::Deleted(done) = store.delete_org(&ask).await.unwrap() else { panic!("it was not deleted") };
    assert_eq!(done.actor.to_string(), "operator:zoë");
    assert_eq!(store.delete_org(&ask).await.unwrap(), DeletionOutcome::NotFound, "once");
    assert_eq!(store.get_org(org).await.unwrap(), None);
    let log = store.list_audit(org, &PageAsk { limit: 10, after: None }).await.unwrap().items;
    let entry = log.iter().find(|entry| entry.action == AuditAction::OrgDeleted).unwrap();
    assert_eq!(entry.details, json!({ "name": "Acme", "credits_lost": 0, "reason": "its owner is gone" }));
    store.end_deletion(org).await.unwrap();
}

async fn concurrent_deletions_delete_once(store: &impl Orgs) {
    let founder = accounts::person();
    let [first, second] = [foundation(&founder, Plan::Free), foundation(&founder, Plan::Free)];
    store.create_org(&first).await.unwrap();
    store.create_org(&second).await.unwrap();
    let ask = deletion(first.org.id, &founder);
    let outcomes = join_all((0..5).map(|_| store.delete_org(&ask))).await;
    let done = outcomes.iter().filter(|outcome| matches!(outcome, Ok(DeletionOutcome::Deleted(_)))).count();
    assert_eq!(done, 1, "{outcomes:?}");
    for left in [true, true, false] {
        assert_eq!(store.create_org(&foundation(&founder, Plan::Free)).await.is_ok(), left, "counted down once");
    }
    store.end_deletion(first.org.id).await.unwrap();
}

async fn due<S: Orgs>(store: &S, org: OrgId, at: Timestamp) -> Option<OrgDeletion> {
    store.find_closings(at).await.unwrap().deletions.into_iter().find(|deletion| deletion.org == org)
}

async fn a_deletion_is_due_until_it_ends(store: &impl Orgs) {
    let (org, owner) = accounts::found(store, now()).await;
    let done = deleted(store, org, &owner).await;
    let found = super::eventually(async || due(store, org, done.deleted_at).await, Option::is_some).await;
    assert_eq!(found.as_ref(), Some(&done));
    store.postpone_deletion(&done, done.last_look()).await.unwrap();
    super::eventually(async || due(store, org, done.deleted_at).await, Option::is_none).await;
    assert_eq!(due(store, org, done.deleted_at).await, None);
    assert_eq!(due(store, org, done.last_look()).await.map(|found| found.deleted_at), Some(done.deleted_at));
    for _ in 0..2 {
        store.end_deletion(org).await.unwrap();
    }
    super::eventually(async || due(store, org, done.last_look()).await, Option::is_none).await;
    store.postpone_deletion(&done, done.last_look()).await.unwrap();
    assert_eq!(due(store, org, done.last_look()).await, None, "postponing does not bring it back");
}

async fn a_renamed_organisation_has_the_new_name(store: &impl Orgs) {
    let (org, owner) = accounts::found(store, now()).await;
    let before = store.get_org(org).await.unwrap().unwrap();
    let entry = accounts::entry(org, AuditAction::OrgUpdated, &owner, now());
    assert!(store.rename_org(org, "Acme & Sons", &entry).await.unwrap());
    let after = store.get_org(org).await.unwrap().unwrap();
    assert_eq!((after.name.as_str(), after.slug), ("Acme & Sons", before.slug));
    assert!(!store.rename_org(OrgId::mint(now()), "Nobody", &entry).await.unwrap());
}

async fn keys_are_counted_and_issued_within_their_limits(store: &impl Orgs) {
    let (org, owner) = accounts::found(store, now()).await;
    let start = now();
    let hour = |number: u64| start.plus(Duration::from_hours(number));
    let issue = async |at: Timestamp| {
        let key = accounts::key(org, &owner, false, at);
        store.issue_key(&accounts::new_key(&key)).await.map(|outcome| (outcome, key))
    };
    let mut last = None;
    for number in 0..KEYS_MAX {
        let (outcome, key) = issue(hour((number / KEYS_AN_HOUR).into())).await.unwrap();
        assert_eq!(outcome, WriteOutcome::Applied, "{number}");
        last = Some(key);
        if number == KEYS_AN_HOUR - 1 {
            let refused = issue(hour(0)).await.unwrap_err();
            assert_eq!((refused.code, &refused.details["limit"]), (Code::RateLimited, &json!(KEYS_AN_HOUR)));
        }
    }
    let last = last.unwrap();
    let refused = issue(hour(20)).await.unwrap_err();
    assert_eq!((refused.code, &refused.details["limit"]), (Code::Conflict, &json!(KEYS_MAX)));

    // A rotation counts in the hour, and a deletion makes room for one key.
    let origin = accounts::entry(org, AuditAction::KeyRotated, &owner, now()).origin;
    let mut key = store.get_key(org, last.id).await.unwrap().unwrap();
    for number in 0..=KEYS_AN_HOUR {
        // Each rotation ends the grace period of the one before.
        let at = hour(30).plus(Duration::from_millis(number.into()));
        let by = ChangeContext { origin: &origin, now: at };
        let pointer = Pointer { mac: format!("{}-{number}", key.id), ..accounts::new_key(&key).pointer };
        let step = key.rotate(pointer, "hint", Duration::ZERO, None, &by).unwrap();
        let outcome = store.change_key(&step).await;
        if number < KEYS_AN_HOUR {
            assert_eq!(outcome.unwrap(), WriteOutcome::Applied, "{number}");
            key = step.key;
        } else {
            assert_eq!(outcome.unwrap_err().code, Code::RateLimited);
        }
    }
    let by = ChangeContext { origin: &origin, now: hour(40) };
    assert_eq!(store.change_key(&key.delete(&by).unwrap()).await.unwrap(), WriteOutcome::Applied);
    assert_eq!(issue(hour(40)).await.unwrap().0, WriteOutcome::Applied);
    assert_eq!(issue(hour(40)).await.unwrap_err().code, Code::Conflict);
}

async fn concurrent_first_keys_are_counted_exactly(store: &impl Orgs) {
    let (org, owner) = accounts::found(store, now()).await;
    let keys: Vec<_> = (0..5).map(|_| accounts::new_key(&accounts::key(org, &owner, false, now()))).collect();
    let outcomes = join_all(keys.iter().map(|key| store.issue_key(key))).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(WriteOutcome::Applied))), "{outcomes:?}");
}

#[tokio::test]
async fn a_deleted_organisation_is_not_enrolled_again() {
    let store = consigne_testkit::stack::Stack::find().table();
    let (org, owner) = accounts::found(&store, now()).await;
    deleted(&store, org, &owner).await;
    let mut after: Option<String> = None;
    loop {
        let (_, next) = store.enrol_orgs(after.as_deref()).await.unwrap();
        after = next;
        if after.is_none() {
            break;
        }
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!walked(&store, org).await);
    store.end_deletion(org).await.unwrap();
}
