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
use consigne_testkit::desk;
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

async fn hire(desk: &impl Members, org: OrgId, role: OrgRole, joined_at: Timestamp) -> Member {
    let member = Member { org, user: desk::person(), role, joined_at };
    let entry = desk::entry(org, AuditAction::MemberJoined, &member.user, joined_at);
    desk.put_member(&member, &entry).await.unwrap();
    member
}

/// Fills an organisation of one member up to its last place.
pub async fn fill(desk: &impl PutMember, org: OrgId) -> Vec<Member> {
    let newcomer = |_| Member { org, user: desk::person(), role: OrgRole::Billing, joined_at: now() };
    let people: Vec<Member> = (1..MEMBERS_MAX).map(newcomer).collect();
    let join = async |member: &Member| {
        let entry = desk::entry(org, AuditAction::MemberJoined, &member.user, now());
        desk.put_member(member, &entry).await.unwrap();
    };
    for some in people.chunks(25) {
        join_all(some.iter().map(join)).await;
    }
    people
}

async fn place(desk: &impl Members, org: OrgId, user: &UserId) -> Member {
    desk.get_member(org, user).await.unwrap().unwrap()
}

/// Ends a membership as the member's own.
async fn leave(desk: &impl Members, member: &Member) -> Stepped {
    let origin = desk::origin(&member.user);
    let removal = member.remove(member, &ChangeContext { origin: &origin, now: now() }).unwrap();
    desk.remove_member(&removal).await.unwrap()
}

/// Gives a member another role, as an owner would.
async fn assign(desk: &impl Members, member: &Member, role: OrgRole) -> Stepped {
    let origin = desk::origin(&member.user);
    let owner = Member { role: OrgRole::Owner, ..member.clone() };
    let step = member.assign(role, &owner, &ChangeContext { origin: &origin, now: now() }).unwrap().unwrap();
    desk.change_role(&step).await.unwrap()
}

async fn owners(desk: &impl Members, org: OrgId) -> usize {
    let members = desk.list_members(org, &page()).await.unwrap().items;
    members.iter().filter(|member| member.role == OrgRole::Owner).count()
}

async fn a_role_is_changed_once_and_written_down(desk: &impl Members) {
    let (org, _) = desk::found(desk, now()).await;
    let dev = hire(desk, org, OrgRole::Developer, now()).await;
    assert_eq!(assign(desk, &dev, OrgRole::Admin).await, Stepped::Done);
    assert_eq!(place(desk, org, &dev.user).await, Member { role: OrgRole::Admin, ..dev.clone() });
    let trail = desk.list_audit(org, &page()).await.unwrap().items;
    let entry = trail.iter().find(|entry| entry.action == AuditAction::RoleChanged).unwrap();
    assert_eq!(entry.subject, dev.user.to_string());
    assert_eq!(entry.details, serde_json::json!({ "from": "developer", "to": "admin" }));
    // The same step again, computed from what is no longer so.
    assert_eq!(assign(desk, &dev, OrgRole::Admin).await, Stepped::Conflict);
    assert_eq!(desk.list_audit(org, &page()).await.unwrap().items.len(), trail.len());
}

async fn whoever_leaves_is_found_nowhere_any_more(desk: &impl Members) {
    let (org, owner) = desk::found(desk, now()).await;
    let dev = hire(desk, org, OrgRole::Developer, now()).await;
    let listed = async || desk.list_orgs(&dev.user, &page()).await.unwrap().items.len();
    assert_eq!(super::eventually(listed, |listed| *listed == 1).await, 1);
    assert_eq!(leave(desk, &dev).await, Stepped::Done);
    assert_eq!(desk.get_member(org, &dev.user).await.unwrap(), None);
    let left: Vec<UserId> = desk.list_members(org, &page()).await.unwrap().items.into_iter().map(|m| m.user).collect();
    assert_eq!(left, [owner]);
    assert_eq!(super::eventually(listed, |listed| *listed == 0).await, 0);
    let trail = desk.list_audit(org, &page()).await.unwrap().items;
    assert_eq!(trail.iter().filter(|entry| entry.action == AuditAction::MemberLeft).count(), 1);
    assert_eq!(leave(desk, &dev).await, Stepped::Conflict, "a second time there is nobody");
    let back = Member { role: OrgRole::Billing, ..dev.clone() };
    desk.put_member(&back, &desk::entry(org, AuditAction::MemberJoined, &dev.user, now())).await.unwrap();
    assert_eq!(place(desk, org, &dev.user).await, back);
}

async fn a_place_that_changed_meanwhile_is_left_alone(desk: &impl Members) {
    let (org, _) = desk::found(desk, now()).await;
    let seen = hire(desk, org, OrgRole::Developer, now()).await;
    assert_eq!(assign(desk, &seen, OrgRole::Owner).await, Stepped::Done);
    assert_eq!(leave(desk, &seen).await, Stepped::Conflict, "an owner would leave without being counted as one");
    assert_eq!(assign(desk, &seen, OrgRole::Billing).await, Stepped::Conflict);
    assert_eq!(place(desk, org, &seen.user).await.role, OrgRole::Owner);
}

async fn the_last_owner_stays_one(desk: &impl Members) {
    let (org, founder) = desk::found(desk, now()).await;
    let founder = place(desk, org, &founder).await;
    let admin = hire(desk, org, OrgRole::Admin, now()).await;
    let trail = desk.list_audit(org, &page()).await.unwrap().items.len();
    assert_eq!(leave(desk, &founder).await, Stepped::LastOwner);
    assert_eq!(assign(desk, &founder, OrgRole::Admin).await, Stepped::LastOwner);
    assert_eq!(desk.list_audit(org, &page()).await.unwrap().items.len(), trail, "a refusal changes nothing");
    assert_eq!(assign(desk, &admin, OrgRole::Owner).await, Stepped::Done);
    assert_eq!(leave(desk, &founder).await, Stepped::Done);
    let new_payer = place(desk, org, &admin.user).await;
    assert_eq!(leave(desk, &new_payer).await, Stepped::LastOwner);
    let second = hire(desk, org, OrgRole::Owner, now()).await;
    assert_eq!(assign(desk, &second, OrgRole::Developer).await, Stepped::Done);
    assert_eq!(leave(desk, &new_payer).await, Stepped::LastOwner);
}

async fn of_two_owners_who_leave_at_once_one_stays(desk: &impl Members) {
    for _ in 0..5 {
        let (org, founder) = desk::found(desk, now()).await;
        let (one, two) = (place(desk, org, &founder).await, hire(desk, org, OrgRole::Owner, now()).await);
        let outcomes = tokio::join!(leave(desk, &one), leave(desk, &two));
        assert!(
            [(Stepped::Done, Stepped::LastOwner), (Stepped::LastOwner, Stepped::Done)].contains(&outcomes),
            "{outcomes:?}"
        );
        assert_eq!(owners(desk, org).await, 1);
    }
}

async fn of_many_owners_who_step_down_at_once_one_stays(desk: &impl Members) {
    let (org, founder) = desk::found(desk, now()).await;
    let mut all = vec![place(desk, org, &founder).await];
    for _ in 0..9 {
        all.push(hire(desk, org, OrgRole::Owner, now()).await);
    }
    let step_down = async |(n, member): (usize, &Member)| {
        if n % 2 == 0 { leave(desk, member).await } else { assign(desk, member, OrgRole::Billing).await }
    };
    let outcomes = join_all(all.iter().enumerate().map(step_down)).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Stepped::LastOwner).count(), 1, "{outcomes:?}");
    assert_eq!(owners(desk, org).await, 1);
}

async fn nobody_has_two_places_and_nobody_comes_after_the_last(desk: &impl Members) {
    let (org, owner) = desk::found(desk, now()).await;
    let put = async |member: &Member| {
        let entry = desk::entry(org, AuditAction::MemberJoined, &member.user, now());
        desk.put_member(member, &entry).await.map_err(|fault| fault.code)
    };
    let again = Member { role: OrgRole::Billing, ..place(desk, org, &owner).await };
    assert_eq!(put(&again).await, Err(Code::Conflict));
    let people = fill(desk, org).await;
    let late = Member { org, user: desk::person(), role: OrgRole::Owner, joined_at: now() };
    assert_eq!(put(&late).await, Err(Code::Conflict), "the five hundred and first");
    assert_eq!(desk.get_member(org, &late.user).await.unwrap(), None);
    assert_eq!(leave(desk, &people[7]).await, Stepped::Done);
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

async fn lab(desk: &impl Members) -> Lab {
    let began = now().minus(Duration::from_hours(1));
    let (org, founder) = desk::found(desk, began).await;
    let second = hire(desk, org, OrgRole::Owner, began.plus(Duration::from_mins(1))).await;
    let dev = hire(desk, org, OrgRole::Developer, began.plus(Duration::from_mins(2))).await;
    let key = desk::issue(desk, &desk::key(org, &dev.user, true, now())).await;
    Lab { org, first: place(desk, org, &founder).await, second, dev, key }
}

impl Lab {
    async fn charge(&self, desk: &impl Members, key: &KeyFacts) -> ChargeOutcome {
        desk.charge_key(&desk::charge(key, 1, None, now())).await.unwrap()
    }

    /// What the key spends, as the table has it.
    async fn spender(&self, desk: &impl Members) -> KeyFacts {
        desk.get_key(self.org, self.key.id).await.unwrap().unwrap().facts()
    }
}

async fn used(desk: &impl Members, user: &UserId) -> u64 {
    desk.get_wallet(&WalletId::Test(user.clone()), now()).await.unwrap().unwrap().used
}

async fn a_test_key_of_somebody_who_left_spends_an_owners_wallet(desk: &impl Members) {
    let lab = lab(desk).await;
    assert_eq!(lab.charge(desk, &lab.key).await, ChargeOutcome::Charged);
    assert_eq!(leave(desk, &lab.dev).await, Stepped::Done);
    assert_eq!(lab.charge(desk, &lab.key).await, ChargeOutcome::PayerChanged);
    assert_eq!((used(desk, &lab.dev.user).await, used(desk, &lab.first.user).await), (1, 0), "nobody has paid");
    let moved = lab.spender(desk).await;
    assert_eq!(moved, KeyFacts { spender: Some(lab.first.user.clone()), ..lab.key.clone() });
    assert_eq!(lab.charge(desk, &moved).await, ChargeOutcome::Charged);
    assert_eq!((used(desk, &lab.dev.user).await, used(desk, &lab.first.user).await), (1, 1));
}

async fn a_test_key_is_made_over_once_and_again_when_its_heir_leaves(desk: &impl Members) {
    let lab = lab(desk).await;
    leave(desk, &lab.dev).await;
    let outcomes = join_all((0..10).map(|_| lab.charge(desk, &lab.key))).await;
    assert!(outcomes.iter().all(|outcome| *outcome == ChargeOutcome::PayerChanged), "{outcomes:?}");
    let key = desk.get_key(lab.org, lab.key.id).await.unwrap().unwrap();
    assert_eq!((key.revision, key.spender.as_ref()), (2, Some(&lab.first.user)), "one of ten made it over");
    leave(desk, &lab.first).await;
    assert_eq!(lab.charge(desk, &key.facts()).await, ChargeOutcome::PayerChanged);
    assert_eq!(lab.spender(desk).await.spender, Some(lab.second.user.clone()));
    // Who made it comes back, and does not get it back: it is the organisation's.
    let entry = desk::entry(lab.org, AuditAction::MemberJoined, &lab.dev.user, now());
    desk.put_member(&lab.dev, &entry).await.unwrap();
    assert_eq!(lab.charge(desk, &lab.key).await, ChargeOutcome::PayerChanged);
    assert_eq!(lab.spender(desk).await.spender, Some(lab.second.user.clone()));
}

async fn making_over_undoes_no_change_and_no_change_undoes_it(desk: &impl Members) {
    let lab = lab(desk).await;
    let key = desk.get_key(lab.org, lab.key.id).await.unwrap().unwrap();
    let origin = desk::origin(&lab.first.user);
    let by = ChangeContext { origin: &origin, now: now() };
    let patch = KeyPatch { daily_quota: Some(Some(7)), ..KeyPatch::default() };
    let computed_before = key.update(&patch, &by).unwrap().unwrap();
    leave(desk, &lab.dev).await;
    assert_eq!(lab.charge(desk, &lab.key).await, ChargeOutcome::PayerChanged);
    assert_eq!(
        desk.change_key(&computed_before).await.unwrap(),
        WriteOutcome::Conflict,
        "it would bring the spender back"
    );
    let key = desk.get_key(lab.org, lab.key.id).await.unwrap().unwrap();
    assert_eq!(desk.change_key(&key.update(&patch, &by).unwrap().unwrap()).await.unwrap(), WriteOutcome::Applied);
    let key = desk.get_key(lab.org, lab.key.id).await.unwrap().unwrap();
    assert_eq!((key.daily_quota, key.spender), (Some(7), Some(lab.first.user)));
}

async fn what_was_paid_before_leaving_stays_paid(desk: &impl Members) {
    let lab = lab(desk).await;
    let paid = desk::charge(&lab.key, 1, Some("once"), now());
    assert_eq!(desk.charge_key(&paid).await.unwrap(), ChargeOutcome::Charged);
    leave(desk, &lab.dev).await;
    let again = desk.charge_key(&paid).await.unwrap();
    assert_eq!(again, ChargeOutcome::Replayed(Box::new(paid.receipt)));
    assert_eq!(lab.spender(desk).await, lab.key, "a replay makes nothing over");
    // A suspended organisation's keys stay as they are too.
    let entry = desk::entry(lab.org, AuditAction::OrgSuspended, &lab.first.user, now());
    assert!(desk.suspend_org(lab.org, true, &entry).await.unwrap());
    assert!(matches!(lab.charge(desk, &lab.key).await, ChargeOutcome::Refused(_)));
    assert_eq!(lab.spender(desk).await, lab.key);
}

async fn a_check_without_a_charge_shows_the_heirs_wallet_and_changes_nothing(desk: &impl Members) {
    let lab = lab(desk).await;
    assert_eq!(lab.charge(desk, &lab.key).await, ChargeOutcome::Charged);
    let payer = async || {
        let snapshot = desk.read_key_snapshot(&lab.key, now()).await.unwrap().unwrap();
        assert_eq!(snapshot.key.facts(), lab.key);
        snapshot.wallet.id
    };
    assert_eq!(payer().await, WalletId::Test(lab.dev.user.clone()));
    leave(desk, &lab.dev).await;
    assert_eq!(payer().await, WalletId::Test(lab.first.user.clone()));
    leave(desk, &lab.first).await;
    assert_eq!(payer().await, WalletId::Test(lab.second.user.clone()));
}

async fn where_nobody_is_left_who_could_pay_nothing_is_charged(desk: &impl Members) {
    // An organisation without an owner, as the closing of accounts may leave it.
    let mut new = desk::org(&desk::person(), now());
    new.owner.role = OrgRole::Admin;
    desk.create_org(&new).await.unwrap();
    let admin = new.owner;
    let key = desk::issue(desk, &desk::key(admin.org, &admin.user, true, now())).await;
    let charge = async || desk.charge_key(&desk::charge(&key, 1, None, now())).await.unwrap();
    assert_eq!(charge().await, ChargeOutcome::Charged, "while its spender is there");
    assert_eq!(leave(desk, &admin).await, Stepped::Done);
    let suspended = ChargeOutcome::Refused(Refusal::of(RefusalCode::Suspended, Limiter::Organisation));
    assert_eq!(charge().await, suspended);
    assert!(desk.read_key_snapshot(&key, now()).await.unwrap().unwrap().suspended);
    assert_eq!(used(desk, &admin.user).await, 1);
}
