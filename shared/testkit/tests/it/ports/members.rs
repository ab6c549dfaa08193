//! Places in organisations: joining, other roles, leaving; and what becomes of the test keys of those who left.

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

/// Everything the table can do for members, and for the keys they leave behind.
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
    a_role_is_changed_once_and_written_down,
    whoever_leaves_is_found_nowhere_any_more,
    a_place_that_changed_meanwhile_is_left_alone,
    the_last_owner_stays_one,
    of_two_owners_who_leave_at_once_one_stays,
    of_many_owners_who_step_down_at_once_one_stays,
    nobody_has_two_places_and_nobody_comes_after_the_last,
    a_test_key_of_somebody_who_left_spends_an_owners_wallet,
    a_test_key_is_made_over_once_and_again_when_its_heir_leaves,
    making_over_undoes_no_change_and_no_change_undoes_it,
    what_was_paid_before_leaving_stays_paid,
    a_check_without_a_charge_shows_the_heirs_wallet_and_changes_nothing,
    where_nobody_is_left_who_could_pay_nothing_is_charged,
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

/// Fills an organisation of one member up to its last place.
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

/// Ends a membership as the member's own.
async fn leave(store: &impl Members, member: &Member) -> Stepped {
    let origin = accounts::origin(&member.user);
    let removal = member.remove(member, &ChangeContext { origin: &origin, now: now() }).unwrap();
    store.remove_member(&removal).await.unwrap()
}

/// Gives a member another role, as an owner would.
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

async fn a_role_is_changed_once_and_written_down(store: &impl Members) {
    let (org, _) = accounts::found(store, now()).await;
    let dev = add_member(store, org, OrgRole::Developer, now()).await;
    assert_eq!(assign(store, &dev, OrgRole::Admin).await, Stepped::Done);
    assert_eq!(place(store, org, &dev.user).await, Member { role: OrgRole::Admin, ..dev.clone() });
    let trail = store.list_audit(org, &page()).await.unwrap().items;
    let entry = trail.iter().find(|entry| entry.action == AuditAction::RoleChanged).unwrap();
    assert_eq!(entry.subject, dev.user.to_string());
    assert_eq!(entry.details, serde_json::json!({ "from": "developer", "to": "admin" }));
    // The same step again, computed from what is no longer so.
    assert_eq!(assign(store, &dev, OrgRole::Admin).await, Stepped::Conflict);
    assert_eq!(store.list_audit(org, &page()).await.unwrap().items.len(), trail.len());
}

async fn whoever_leaves_is_found_nowhere_any_more(store: &impl Members) {
    let (org, owner) = accounts::found(store, now()).await;
    let dev = add_member(store, org, OrgRole::Developer, now()).await;
    let listed = async || store.list_orgs(&dev.user, &page()).await.unwrap().items.len();
    assert_eq!(super::eventually(listed, |listed| *listed == 1).await, 1);
    assert_eq!(leave(store, &dev).await, Stepped::Done);
    assert_eq!(store.get_member(org, &dev.user).await.unwrap(), None);
    let left: Vec<UserId> = store.list_members(org, &page()).await.unwrap().items.into_iter().map(|m| m.user).collect();
    assert_eq!(left, [owner]);
    assert_eq!(super::eventually(listed, |listed| *listed == 0).await, 0);
    let trail = store.list_audit(org, &page()).await.unwrap().items;
    assert_eq!(trail.iter().filter(|entry| entry.action == AuditAction::MemberLeft).count(), 1);
    assert_eq!(leave(store, &dev).await, Stepped::Conflict, "a second time there is nobody");
    let back = Member { role: OrgRole::Billing, ..dev.clone() };
    store.put_member(&back, &accounts::entry(org, AuditAction::MemberJoined, &dev.user, now())).await.unwrap();
    assert_eq!(place(store, org, &dev.user).await, back);
}

async fn a_place_that_changed_meanwhile_is_left_alone(store: &impl Members) {
    let (org, _) = accounts::found(store, now()).await;
    let seen = add_member(store, org, OrgRole::Developer, now()).await;
    assert_eq!(assign(store, &seen, OrgRole::Owner).await, Stepped::Done);
    assert_eq!(leave(store, &seen).await, Stepped::Conflict, "an owner would leave without being counted as one");
    assert_eq!(assign(store, &seen, OrgRole::Billing).await, Stepped::Conflict);
    assert_eq!(place(store, org, &seen.user).await.role, OrgRole::Owner);
}

async fn the_last_owner_stays_one(store: &impl Members) {
    let (org, founder) = accounts::found(store, now()).await;
    let founder = place(store, org, &founder).await;
    let admin = add_member(store, org, OrgRole::Admin, now()).await;
    let trail = store.list_audit(org, &page()).await.unwrap().items.len();
    assert_eq!(leave(store, &founder).await, Stepped::LastOwner);
    assert_eq!(assign(store, &founder, OrgRole::Admin).await, Stepped::LastOwner);
    assert_eq!(store.list_audit(org, &page()).await.unwrap().items.len(), trail, "a refusal changes nothing");
    assert_eq!(assign(store, &admin, OrgRole::Owner).await, Stepped::Done);
    assert_eq!(leave(store, &founder).await, Stepped::Done);
    let new_payer = place(store, org, &admin.user).await;
    assert_eq!(leave(store, &new_payer).await, Stepped::LastOwner);
    let second = add_member(store, org, OrgRole::Owner, now()).await;
    assert_eq!(assign(store, &second, OrgRole::Developer).await, Stepped::Done);
    assert_eq!(leave(store, &new_payer).await, Stepped::LastOwner);
}

async fn of_two_owners_who_leave_at_once_one_stays(store: &impl Members) {
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

async fn of_many_owners_who_step_down_at_once_one_stays(store: &impl Members) {
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

async fn nobody_has_two_places_and_nobody_comes_after_the_last(store: &impl Members) {
    let (org, owner) = accounts::found(store, now()).await;
    let put = async |member: &Member| {
        let entry = accounts::entry(org, AuditAction::MemberJoined, &member.user, now());
        store.put_member(member, &entry).await.map_err(|fault| fault.code)
    };
    let again = Member { role: OrgRole::Billing, ..place(store, org, &owner).await };
    assert_eq!(put(&again).await, Err(Code::Conflict));
    let people = fill(store, org).await;
    let late = Member { org, user: accounts::person(), role: OrgRole::Owner, joined_at: now() };
    assert_eq!(put(&late).await, Err(Code::Conflict), "the five hundred and first");
    assert_eq!(store.get_member(org, &late.user).await.unwrap(), None);
    assert_eq!(leave(store, &people[7]).await, Stepped::Done);
    assert_eq!(put(&late).await, Ok(()));
}

/// An organisation of two owners and a developer with a test key.
struct Lab {
    org: OrgId,
    first: Member,
    second: Member,
    dev: Member,
    key: KeyFacts,
}

async fn lab(store: &impl Members) -> Lab {
    let began = now().minus(Duration::from_hours(1));
    let (org, founder) = accounts::found(store, began).await;
    let second = add_member(store, org, OrgRole::Owner, began.plus(Duration::from_mins(1))).await;
    let dev = add_member(store, org, OrgRole::Developer, began.plus(Duration::from_mins(2))).await;
    let key = accounts::issue(store, &accounts::key(org, &dev.user, true, now())).await;
    Lab { org, first: place(store, org, &founder).await, second, dev, key }
}

impl Lab {
    async fn charge(&self, store: &impl Members, key: &KeyFacts) -> ChargeOutcome {
        store.charge_key(&accounts::charge(key, 1, None, now())).await.unwrap()
    }

    /// What the key spends, as the table has it.
    async fn spender(&self, store: &impl Members) -> KeyFacts {
        store.get_key(self.org, self.key.id).await.unwrap().unwrap().facts()
    }
}

async fn used(store: &impl Members, user: &UserId) -> u64 {
    store.get_wallet(&WalletId::Test(user.clone()), now()).await.unwrap().unwrap().used
}

async fn a_test_key_of_somebody_who_left_spends_an_owners_wallet(store: &impl Members) {
    let lab = lab(store).await;
    assert_eq!(lab.charge(store, &lab.key).await, ChargeOutcome::Charged);
    assert_eq!(leave(store, &lab.dev).await, Stepped::Done);
    assert_eq!(lab.charge(store, &lab.key).await, ChargeOutcome::PayerChanged);
    assert_eq!((used(store, &lab.dev.user).await, used(store, &lab.first.user).await), (1, 0), "nobody has paid");
    let moved = lab.spender(store).await;
    assert_eq!(moved, KeyFacts { spender: Some(lab.first.user.clone()), ..lab.key.clone() });
    assert_eq!(lab.charge(store, &moved).await, ChargeOutcome::Charged);
    assert_eq!((used(store, &lab.dev.user).await, used(store, &lab.first.user).await), (1, 1));
}

async fn a_test_key_is_made_over_once_and_again_when_its_heir_leaves(store: &impl Members) {
    let lab = lab(store).await;
    leave(store, &lab.dev).await;
    let outcomes = join_all((0..10).map(|_| lab.charge(store, &lab.key))).await;
    assert!(outcomes.iter().all(|outcome| *outcome == ChargeOutcome::PayerChanged), "{outcomes:?}");
    let key = store.get_key(lab.org, lab.key.id).await.unwrap().unwrap();
    assert_eq!((key.revision, key.spender.as_ref()), (2, Some(&lab.first.user)), "one of ten made it over");
    leave(store, &lab.first).await;
    assert_eq!(lab.charge(store, &key.facts()).await, ChargeOutcome::PayerChanged);
    assert_eq!(lab.spender(store).await.spender, Some(lab.second.user.clone()));
    // Who made it comes back, and does not get it back: it is the organisation's.
    let entry = accounts::entry(lab.org, AuditAction::MemberJoined, &lab.dev.user, now());
    store.put_member(&lab.dev, &entry).await.unwrap();
    assert_eq!(lab.charge(store, &lab.key).await, ChargeOutcome::PayerChanged);
    assert_eq!(lab.spender(store).await.spender, Some(lab.second.user.clone()));
}

async fn making_over_undoes_no_change_and_no_change_undoes_it(store: &impl Members) {
    let lab = lab(store).await;
    let key = store.get_key(lab.org, lab.key.id).await.unwrap().unwrap();
    let origin = accounts::origin(&lab.first.user);
    let by = ChangeContext { origin: &origin, now: now() };
    let patch = KeyPatch { daily_quota: Some(Some(7)), ..KeyPatch::default() };
    let computed_before = key.update(&patch, &by).unwrap().unwrap();
    leave(store, &lab.dev).await;
    assert_eq!(lab.charge(store, &lab.key).await, ChargeOutcome::PayerChanged);
    assert_eq!(
        store.change_key(&computed_before).await.unwrap(),
        WriteOutcome::Conflict,
        "it would bring the spender back"
    );
    let key = store.get_key(lab.org, lab.key.id).await.unwrap().unwrap();
    assert_eq!(store.change_key(&key.update(&patch, &by).unwrap().unwrap()).await.unwrap(), WriteOutcome::Applied);
    let key = store.get_key(lab.org, lab.key.id).await.unwrap().unwrap();
    assert_eq!((key.daily_quota, key.spender), (Some(7), Some(lab.first.user)));
}

async fn what_was_paid_before_leaving_stays_paid(store: &impl Members) {
    let lab = lab(store).await;
    let paid = accounts::charge(&lab.key, 1, Some("once"), now());
    assert_eq!(store.charge_key(&paid).await.unwrap(), ChargeOutcome::Charged);
    leave(store, &lab.dev).await;
    let again = store.charge_key(&paid).await.unwrap();
    assert_eq!(again, ChargeOutcome::Replayed(Box::new(paid.receipt)));
    assert_eq!(lab.spender(store).await, lab.key, "a replay makes nothing over");
    // A suspended organisation's keys stay as they are too.
    let entry = accounts::entry(lab.org, AuditAction::OrgSuspended, &lab.first.user, now());
    assert!(store.suspend_org(lab.org, true, &entry).await.unwrap());
    assert!(matches!(lab.charge(store, &lab.key).await, ChargeOutcome::Refused(_)));
    assert_eq!(lab.spender(store).await, lab.key);
}

async fn a_check_without_a_charge_shows_the_heirs_wallet_and_changes_nothing(store: &impl Members) {
    let lab = lab(store).await;
    assert_eq!(lab.charge(store, &lab.key).await, ChargeOutcome::Charged);
    let payer = async || {
        let snapshot = store.read_key_snapshot(&lab.key, now()).await.unwrap().unwrap();
        assert_eq!(snapshot.key.facts(), lab.key);
        snapshot.wallet.id
    };
    assert_eq!(payer().await, WalletId::Test(lab.dev.user.clone()));
    leave(store, &lab.dev).await;
    assert_eq!(payer().await, WalletId::Test(lab.first.user.clone()));
    leave(store, &lab.first).await;
    assert_eq!(payer().await, WalletId::Test(lab.second.user.clone()));
}

async fn where_nobody_is_left_who_could_pay_nothing_is_charged(store: &impl Members) {
    // An organisation without an owner, as the closing of accounts may leave it.
    let mut new = accounts::org(&accounts::person(), now());
    new.owner.role = OrgRole::Admin;
    store.create_org(&new).await.unwrap();
    let admin = new.owner;
    let key = accounts::issue(store, &accounts::key(admin.org, &admin.user, true, now())).await;
    let charge = async || store.charge_key(&accounts::charge(&key, 1, None, now())).await.unwrap();
    assert_eq!(charge().await, ChargeOutcome::Charged, "while its spender is there");
    assert_eq!(leave(store, &admin).await, Stepped::Done);
    let suspended = ChargeOutcome::Refused(Refusal::of(RefusalCode::Suspended, Limiter::Organisation));
    assert_eq!(charge().await, suspended);
    assert!(store.read_key_snapshot(&key, now()).await.unwrap().unwrap().suspended);
    assert_eq!(used(store, &admin.user).await, 1);
}
