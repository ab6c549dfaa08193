//! Contract of the ports for members: joining, roles, leaving, and the test keys of former members.

use std::time::Duration;

use consigne_core::audit::AuditAction;
use consigne_core::credits::{ChargeOutcome, WalletId};
use consigne_core::idempotency::WriteOutcome;
use consigne_core::keys::{ChangeContext, KeyFacts, KeyPatch, Limiter, Refusal, RefusalCode};
use consigne_core::members::{MEMBERS_MAX, Stepped};
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::ports::{
    ChangeKey, ChangeRole, ChargeKey, CreateOrg, GetKey, GetMember, GetWallet, IssueKey, ListAudit, ListMembers,
    ListOrgs, PageAsk, PutMember, ReadKeySnapshot, RemoveMember, SuspendOrg,
};
use consigne_core::{Code, OrgId, Timestamp, UserId};
use consigne_testkit::accounts;
use futures_util::future::join_all;

use super::{now, on_both};

/// The ports under test.
pub trait Members:
    CreateOrg
    + SuspendOrg
    + GetMember
    + PutMember
    + ChangeRole
    + RemoveMember
    + ListMembers
    + ListOrgs
    + ListAudit
    + IssueKey
    + GetKey
    + ChangeKey
    + ChargeKey
    + ReadKeySnapshot
    + GetWallet
    + Sync
{
}
impl<T> Members for T where
    T: CreateOrg
        + SuspendOrg
        + GetMember
        + PutMember
        + ChangeRole
        + RemoveMember
        + ListMembers
        + ListOrgs
        + ListAudit
        + IssueKey
        + GetKey
        + ChangeKey
        + ChargeKey
        + ReadKeySnapshot
        + GetWallet
        + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    a_role_is_changed_once_with_an_audit_entry,
    a_former_member_is_no_longer_found,
    a_step_computed_from_an_outdated_member_is_a_conflict,
    the_last_owner_cannot_leave_or_change_their_role,
    of_two_owners_who_leave_concurrently_one_stays,
    of_many_owners_who_give_up_their_role_concurrently_one_stays,
    nobody_joins_twice_or_above_the_limit,
    a_test_key_of_a_former_member_spends_an_owners_wallet,
    the_payer_of_a_test_key_is_reassigned_once_and_again_when_they_leave,
    reassigning_the_payer_and_other_changes_do_not_undo_each_other,
    a_retry_of_a_charge_before_the_payer_left_is_replayed,
    a_check_without_a_charge_shows_the_new_payers_wallet,
    without_a_possible_payer_nothing_is_charged,
);

fn page() -> PageAsk {
    PageAsk { limit: 1000, after: None }
}

async fn add_member(store: &impl Members, org: OrgId, role: OrgRole, joined_at: Timestamp) -> Member {
    let member = Member { org, user: accounts::person(), role, joined_at };
    let entry = accounts::entry(org, AuditAction::MemberJoined, &member.user, joined_at);
    store.put_member(&member, &entry).await.unwrap();
    member
}

/// Adds members to an organisation of one until it is full.
pub async fn fill(store: &impl PutMember, org: OrgId) -> Vec<Member> {
    let newcomer = |_| Member { org, user: accounts::person(), role: OrgRole::Billing, joined_at: now() };
    let people: Vec<Member> = (1..MEMBERS_MAX).map(newcomer).collect();
    let join = async |member: &Member| {
        let entry = accounts::entry(org, AuditAction::MemberJoined, &member.user, now());
        store.put_member(member, &entry).await.unwrap();
    };
    for some in people.chunks(25) {
        join_all(some.iter().map(join)).await;
    }
    people
}

async fn place(store: &impl Members, org: OrgId, user: &UserId) -> Member {
    store.get_member(org, user).await.unwrap().unwrap()
}

/// Removes a member, as themselves.
async fn leave(store: &impl Members, member: &Member) -> Stepped {
    let origin = accounts::origin(&member.user);
    let removal = member.remove(member, &ChangeContext { origin: &origin, now: now() }).unwrap();
    store.remove_member(&removal).await.unwrap()
}

/// Gives a member another role, as an owner.
async fn assign(store: &impl Members, member: &Member, role: OrgRole) -> Stepped {
    let origin = accounts::origin(&member.user);
    let owner = Member { role: OrgRole::Owner, ..member.clone() };
    let step = member.assign(role, &owner, &ChangeContext { origin: &origin, now: now() }).unwrap().unwrap();
    store.change_role(&step).await.unwrap()
}

async fn owners(store: &impl Members, org: OrgId) -> usize {
    let members = store.list_members(org, &page()).await.unwrap().items;
    members.iter().filter(|member| member.role == OrgRole::Owner).count()
}

async fn a_role_is_changed_once_with_an_audit_entry(store: &impl Members) {
    let (org, _) = accounts::found(store, now()).await;
    let dev = add_member(store, org, OrgRole::Developer, now()).await;
    assert_eq!(assign(store, &dev, OrgRole::Admin).await, Stepped::Done);
    assert_eq!(place(store, org, &dev.user).await, Member { role: OrgRole::Admin, ..dev.clone() });
    let audit_log = store.list_audit(org, &page()).await.unwrap().items;
    let entry = audit_log.iter().find(|entry| entry.action == AuditAction::RoleChanged).unwrap();
    assert_eq!(entry.subject, dev.user.to_string());
    assert_eq!(entry.details, serde_json::json!({ "from": "developer", "to": "admin" }));
    // The same step again, computed from an outdated state.
    assert_eq!(assign(store, &dev, OrgRole::Admin).await, Stepped::Conflict);
    assert_eq!(store.list_audit(org, &page()).await.unwrap().items.len(), audit_log.len());
}

async fn a_former_member_is_no_longer_found(store: &impl Members) {
    let (org, owner) = accounts::found(store, now()).await;
    let dev = add_member(store, org, OrgRole::Developer, now()).await;
    let listed = async || store.list_orgs(&dev.user, &page()).await.unwrap().items.len();
    assert_eq!(super::eventually(listed, |listed| *listed == 1).await, 1);
    assert_eq!(leave(store, &dev).await, Stepped::Done);
    assert_eq!(store.get_member(org, &dev.user).await.unwrap(), None);
    let left: Vec<UserId> = store.list_members(org, &page()).await.unwrap().items.into_iter().map(|m| m.user).collect();
    assert_eq!(left, [owner]);
    assert_eq!(super::eventually(listed, |listed| *listed == 0).await, 0);
    let audit_log = store.list_audit(org, &page()).await.unwrap().items;
    assert_eq!(audit_log.iter().filter(|entry| entry.action == AuditAction::MemberLeft).count(), 1);
    assert_eq!(leave(store, &dev).await, Stepped::Conflict, "a second removal finds nobody");
    let back = Member { role: OrgRole::Billing, ..dev.clone() };
    store.put_member(&back, &accounts::entry(org, AuditAction::MemberJoined, &dev.user, now())).await.unwrap();
    assert_eq!(place(store, org, &dev.user).await, back);
}

async fn a_step_computed_from_an_outdated_member_is_a_conflict(store: &impl Members) {
    let (org, _) = accounts::found(store, now()).await;
    let seen = add_member(store, org, OrgRole::Developer, now()).await;
    assert_eq!(assign(store, &seen, OrgRole::Owner).await, Stepped::Done);
    assert_eq!(leave(store, &seen).await, Stepped::Conflict, "an owner would leave without being counted as an owner");
    assert_eq!(assign(store, &seen, OrgRole::Billing).await, Stepped::Conflict);
    assert_eq!(place(store, org, &seen.user).await.role, OrgRole::Owner);
}

async fn the_last_owner_cannot_leave_or_change_their_role(store: &impl Members) {
    let (org, founder) = accounts::found(store, now()).await;
    let founder = place(store, org, &founder).await;
    let admin = add_member(store, org, OrgRole::Admin, now()).await;
    let audit_log = store.list_audit(org, &page()).await.unwrap().items.len();
    assert_eq!(leave(store, &founder).await, Stepped::LastOwner);
    assert_eq!(assign(store, &founder, OrgRole::Admin).await, Stepped::LastOwner);
    assert_eq!(store.list_audit(org, &page()).await.unwrap().items.len(), audit_log, "a refusal must change nothing");
    assert_eq!(assign(store, &admin, OrgRole::Owner).await, Stepped::Done);
    assert_eq!(leave(store, &founder).await, Stepped::Done);
    let new_payer = place(store, org, &admin.user).await;
    assert_eq!(leave(store, &new_payer).await, Stepped::LastOwner);
    let second = add_member(store, org, OrgRole::Owner, now()).await;
    assert_eq!(assign(store, &second, OrgRole::Developer).await, Stepped::Done);
    assert_eq!(leave(store, &new_payer).await, Stepped::LastOwner);
}

async fn of_two_owners_who_leave_concurrently_one_stays(store: &impl Members) {
    for _ in 0..5 {
        let (org, founder) = accounts::found(store, now()).await;
        let (one, two) = (place(store, org, &founder).await, add_member(store, org, OrgRole::Owner, now()).await);
        let outcomes = tokio::join!(leave(store, &one), leave(store, &two));
        assert!(
            [(Stepped::Done, Stepped::LastOwner), (Stepped::LastOwner, Stepped::Done)].contains(&outcomes),
            "{outcomes:?}"
        );
        assert_eq!(owners(store, org).await, 1);
    }
}

async fn of_many_owners_who_give_up_their_role_concurrently_one_stays(store: &impl Members) {
    let (org, founder) = accounts::found(store, now()).await;
    let mut all = vec![place(store, org, &founder).await];
    for _ in 0..9 {
        all.push(add_member(store, org, OrgRole::Owner, now()).await);
    }
    let step_down = async |(n, member): (usize, &Member)| {
        if n % 2 == 0 { leave(store, member).await } else { assign(store, member, OrgRole::Billing).await }
    };
    let outcomes = join_all(all.iter().enumerate().map(step_down)).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Stepped::LastOwner).count(), 1, "{outcomes:?}");
    assert_eq!(owners(store, org).await, 1);
}

async fn nobody_joins_twice_or_above_the_limit(store: &impl Members) {
    let (org, owner) = accounts::found(store, now()).await;
    let put = async |member: &Member| {
        let entry = accounts::entry(org, AuditAction::MemberJoined, &member.user, now());
        store.put_member(member, &entry).await.map_err(|fault| fault.code)
    };
    let again = Member { role: OrgRole::Billing, ..place(store, org, &owner).await };
    assert_eq!(put(&again).await, Err(Code::Conflict));
    let people = fill(store, org).await;
    let late = Member { org, user: accounts::person(), role: OrgRole::Owner, joined_at: now() };
    assert_eq!(put(&late).await, Err(Code::Conflict), "the 501st member");
    assert_eq!(store.get_member(org, &late.user).await.unwrap(), None);
    assert_eq!(leave(store, &people[7]).await, Stepped::Done);
    assert_eq!(put(&late).await, Ok(()));
}

/// An organisation of two owners and a developer with a test key.
struct TestKeyFixture {
    org: OrgId,
    first: Member,
    second: Member,
    dev: Member,
    key: KeyFacts,
}

async fn fixture(store: &impl Members) -> TestKeyFixture {
    let began = now().minus(Duration::from_hours(1));
    let (org, founder) = accounts::found(store, began).await;
    let second = add_member(store, org, OrgRole::Owner, began.plus(Duration::from_mins(1))).await;
    let dev = add_member(store, org, OrgRole::Developer, began.plus(Duration::from_mins(2))).await;
    let key = accounts::issue(store, &accounts::key(org, &dev.user, true, now())).await;
    TestKeyFixture { org, first: place(store, org, &founder).await, second, dev, key }
}

impl TestKeyFixture {
    async fn charge(&self, store: &impl Members, key: &KeyFacts) -> ChargeOutcome {
        store.charge_key(&accounts::charge(key, 1, None, now())).await.unwrap()
    }

    /// Returns the stored facts of the key, with its payer.
    async fn spender(&self, store: &impl Members) -> KeyFacts {
        store.get_key(self.org, self.key.id).await.unwrap().unwrap().facts()
    }
}

async fn used(store: &impl Members, user: &UserId) -> u64 {
    store.get_wallet(&WalletId::Test(user.clone()), now()).await.unwrap().unwrap().used
}

async fn a_test_key_of_a_former_member_spends_an_owners_wallet(store: &impl Members) {
    let fixture = fixture(store).await;
    assert_eq!(fixture.charge(store, &fixture.key).await, ChargeOutcome::Charged);
    assert_eq!(leave(store, &fixture.dev).await, Stepped::Done);
    assert_eq!(fixture.charge(store, &fixture.key).await, ChargeOutcome::PayerChanged);
    assert_eq!(
        (used(store, &fixture.dev.user).await, used(store, &fixture.first.user).await),
        (1, 0),
        "nobody must be charged"
    );
    let moved = fixture.spender(store).await;
    assert_eq!(moved, KeyFacts { spender: Some(fixture.first.user.clone()), ..fixture.key.clone() });
    assert_eq!(fixture.charge(store, &moved).await, ChargeOutcome::Charged);
    assert_eq!((used(store, &fixture.dev.user).await, used(store, &fixture.first.user).await), (1, 1));
}

async fn the_payer_of_a_test_key_is_reassigned_once_and_again_when_they_leave(store: &impl Members) {
    let fixture = fixture(store).await;
    leave(store, &fixture.dev).await;
    let outcomes = join_all((0..10).map(|_| fixture.charge(store, &fixture.key))).await;
    assert!(outcomes.iter().all(|outcome| *outcome == ChargeOutcome::PayerChanged), "{outcomes:?}");
    let key = store.get_key(fixture.org, fixture.key.id).await.unwrap().unwrap();
    assert_eq!(
        (key.revision, key.spender.as_ref()),
        (2, Some(&fixture.first.user)),
        "one of ten calls reassigned the payer"
    );
    leave(store, &fixture.first).await;
    assert_eq!(fixture.charge(store, &key.facts()).await, ChargeOutcome::PayerChanged);
    assert_eq!(fixture.spender(store).await.spender, Some(fixture.second.user.clone()));
    // The key's creator returns, but the new payer stays: the key belongs to the organisation.
    let entry = accounts::entry(fixture.org, AuditAction::MemberJoined, &fixture.dev.user, now());
    store.put_member(&fixture.dev, &entry).await.unwrap();
    assert_eq!(fixture.charge(store, &fixture.key).await, ChargeOutcome::PayerChanged);
    assert_eq!(fixture.spender(store).await.spender, Some(fixture.second.user.clone()));
}

async fn reassigning_the_payer_and_other_changes_do_not_undo_each_other(store: &impl Members) {
    let fixture = fixture(store).await;
    let key = store.get_key(fixture.org, fixture.key.id).await.unwrap().unwrap();
    let origin = accounts::origin(&fixture.first.user);
    let by = ChangeContext { origin: &origin, now: now() };
    let patch = KeyPatch { daily_quota: Some(Some(7)), ..KeyPatch::default() };
    let computed_before = key.update(&patch, &by).unwrap().unwrap();
    leave(store, &fixture.dev).await;
    assert_eq!(fixture.charge(store, &fixture.key).await, ChargeOutcome::PayerChanged);
    assert_eq!(
        store.change_key(&computed_before).await.unwrap(),
        WriteOutcome::Conflict,
        "the update would restore the old payer"
    );
    let key = store.get_key(fixture.org, fixture.key.id).await.unwrap().unwrap();
    assert_eq!(store.change_key(&key.update(&patch, &by).unwrap().unwrap()).await.unwrap(), WriteOutcome::Applied);
    let key = store.get_key(fixture.org, fixture.key.id).await.unwrap().unwrap();
    assert_eq!((key.daily_quota, key.spender), (Some(7), Some(fixture.first.user)));
}

async fn a_retry_of_a_charge_before_the_payer_left_is_replayed(store: &impl Members) {
    let fixture = fixture(store).await;
    let paid = accounts::charge(&fixture.key, 1, Some("once"), now());
    assert_eq!(store.charge_key(&paid).await.unwrap(), ChargeOutcome::Charged);
    leave(store, &fixture.dev).await;
    let again = store.charge_key(&paid).await.unwrap();
    assert_eq!(again, ChargeOutcome::Replayed(Box::new(paid.receipt)));
    assert_eq!(fixture.spender(store).await, fixture.key, "a replay must not reassign the payer");
    // Keys of a suspended organisation do not change either.
    let entry = accounts::entry(fixture.org, AuditAction::OrgSuspended, &fixture.first.user, now());
    assert!(store.suspend_org(fixture.org, true, &entry).await.unwrap());
    assert!(matches!(fixture.charge(store, &fixture.key).await, ChargeOutcome::Refused(_)));
    assert_eq!(fixture.spender(store).await, fixture.key);
}

async fn a_check_without_a_charge_shows_the_new_payers_wallet(store: &impl Members) {
    let fixture = fixture(store).await;
    assert_eq!(fixture.charge(store, &fixture.key).await, ChargeOutcome::Charged);
    let payer = async || {
        let snapshot = store.read_key_snapshot(&fixture.key, now()).await.unwrap().unwrap();
        assert_eq!(snapshot.key.facts(), fixture.key);
        snapshot.wallet.id
    };
    assert_eq!(payer().await, WalletId::Test(fixture.dev.user.clone()));
    leave(store, &fixture.dev).await;
    assert_eq!(payer().await, WalletId::Test(fixture.first.user.clone()));
    leave(store, &fixture.first).await;
    assert_eq!(payer().await, WalletId::Test(fixture.second.user.clone()));
}

async fn without_a_possible_payer_nothing_is_charged(store: &impl Members) {
    // An organisation without an owner, which the closing of accounts can leave behind.
    let mut new = accounts::org(&accounts::person(), now());
    new.owner.role = OrgRole::Admin;
    store.create_org(&new).await.unwrap();
    let admin = new.owner;
    let key = accounts::issue(store, &accounts::key(admin.org, &admin.user, true, now())).await;
    let charge = async || store.charge_key(&accounts::charge(&key, 1, None, now())).await.unwrap();
    assert_eq!(charge().await, ChargeOutcome::Charged, "while its payer is a member");
    assert_eq!(leave(store, &admin).await, Stepped::Done);
    let suspended = ChargeOutcome::Refused(Refusal::of(RefusalCode::Suspended, Limiter::Organisation));
    assert_eq!(charge().await, suspended);
    assert!(store.read_key_snapshot(&key, now()).await.unwrap().unwrap().suspended);
    assert_eq!(used(store, &admin.user).await, 1);
}
