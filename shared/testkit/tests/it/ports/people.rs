//! Contract of the ports for people, their accounts, and webhooks about them.

use std::time::Duration;

use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::idempotency::WriteOutcome;
use consigne_core::members::{RoleStep, Stepped};
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::ports::{
    ChangeRole, CloseAccount, CreateOrg, Departure, Due, EndClosing, EndMembership, EraseAccount, FindClosings,
    FindDue, GetMember, GetOrg, GetProfile, GetWallet, ListAudit, ListOrgs, PageAsk, PostponeClosing, PutMember,
    RecordWebhook, ReopenAccount, Reopened, Succession, SuspendOrg, UpdateContact,
};
use consigne_core::profiles::{ClosedBecause, Closing, Contact, ContactUpdate, Language, Profile, Sighting};
use consigne_core::webhooks::{Received, Source, WebhookId};
use consigne_core::{Code, OrgId, Timestamp, UserId};
use consigne_testkit::accounts;
use consigne_testkit::stack::fresh_user;
use futures_util::future::join_all;

use serde_json::json;

use super::{all_due, eventually, now, on_both};

/// The ports under test.
pub trait People:
    GetProfile
    + UpdateContact
    + RecordWebhook
    + CloseAccount
    + EraseAccount
    + ReopenAccount
    + PostponeClosing
    + EndClosing
    + FindClosings
    + FindDue
    + CreateOrg
    + GetOrg
    + SuspendOrg
    + GetMember
    + PutMember
    + ChangeRole
    + EndMembership
    + ListOrgs
    + ListAudit
    + GetWallet
    + Sync
{
}
impl<T> People for T where
    T: GetProfile
        + UpdateContact
        + RecordWebhook
        + CloseAccount
        + EraseAccount
        + ReopenAccount
        + PostponeClosing
        + EndClosing
        + FindClosings
        + FindDue
        + CreateOrg
        + GetOrg
        + SuspendOrg
        + GetMember
        + PutMember
        + ChangeRole
        + EndMembership
        + ListOrgs
        + ListAudit
        + GetWallet
        + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    a_newer_report_is_stored_and_an_older_one_is_not,
    the_newest_report_is_stored_in_any_order,
    token_claims_and_reports_are_stored_independently,
    a_webhook_is_applied_once_and_recorded_for_five_days,
    each_sender_has_its_own_webhook_ids,
    a_webhook_that_changes_nothing_is_recorded_too,
    a_closed_account_stays_closed,
    an_account_that_a_person_has_erased_is_closed_until_it_is_reopened,
    of_ten_concurrent_closings_one_succeeds,
    a_closing_is_due_until_it_ends,
    a_member_leaves_once_with_an_audit_entry,
    a_departure_computed_from_an_outdated_role_is_a_conflict,
    an_owner_leaves_only_while_the_other_stays,
    of_two_owners_who_leave_concurrently_one_is_last,
    an_organisation_without_an_owner_is_suspended,
);

/// Creates a webhook that was received at a time, with a new id and body.
fn received(now: Timestamp) -> Received {
    Received {
        source: Source::Clerk,
        id: WebhookId::parse(&format!("msg_{}", fresh_user())).unwrap(),
        fingerprint: "f1".to_owned(),
        result: "r1".to_owned(),
        now,
    }
}

fn contact(email: &str, at: Timestamp) -> Contact {
    let (name, language) = (Some("Ann Été".to_owned()), Language::French);
    Contact { email: email.to_owned(), verified: true, name, language, at }
}

fn telling(user: &UserId, email: &str, at: Timestamp) -> ContactUpdate {
    ContactUpdate { user: user.clone(), contact: Some(contact(email, at)), at }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

async fn a_newer_report_is_stored_and_an_older_one_is_not(people: &impl People) {
    let (user, at) = (accounts::person(), now());
    assert_eq!(people.get_profile(&user).await.unwrap(), Profile::unknown(user.clone()));
    let second = telling(&user, "second@example.com", at);
    assert_eq!(people.update_contact(&second, &received(at)).await.unwrap(), WriteOutcome::Applied);
    let known = people.get_profile(&user).await.unwrap();
    let want = Profile { from_webhook: second.contact.clone(), webhook_at: Some(at), ..Profile::unknown(user.clone()) };
    assert_eq!(known, want);
    for late in [at, at.minus(seconds(1))] {
        let first = telling(&user, "first@example.com", late);
        assert_eq!(people.update_contact(&first, &received(at)).await.unwrap(), WriteOutcome::Conflict);
    }
    assert_eq!(people.get_profile(&user).await.unwrap(), known);
    // The newer record has fewer fields, and nothing of the old one is left.
    let bare = Contact { verified: false, name: None, ..contact("third@example.com", at.plus(seconds(1))) };
    let third = ContactUpdate { user: user.clone(), at: bare.at, contact: Some(bare.clone()) };
    assert_eq!(people.update_contact(&third, &received(at)).await.unwrap(), WriteOutcome::Applied);
    assert_eq!(people.get_profile(&user).await.unwrap().from_webhook, Some(bare));
    let gone = ContactUpdate { contact: None, at: at.plus(seconds(2)), user: user.clone() };
    assert_eq!(people.update_contact(&gone, &received(at)).await.unwrap(), WriteOutcome::Applied);
    let want = Profile { webhook_at: Some(gone.at), ..Profile::unknown(user.clone()) };
    assert_eq!(people.get_profile(&user).await.unwrap(), want);
}

async fn the_newest_report_is_stored_in_any_order(people: &impl People) {
    let start = now();
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let user = accounts::person();
        for n in order {
            let at = start.plus(seconds(n));
            people.update_contact(&telling(&user, &format!("{n}@example.com"), at), &received(start)).await.unwrap();
        }
        let told = people.get_profile(&user).await.unwrap().from_webhook.unwrap();
        assert_eq!(told.email, "2@example.com", "{order:?}");
    }
}

async fn token_claims_and_reports_are_stored_independently(people: &impl People) {
    let (user, at) = (accounts::person(), now());
    let seen = contact("seen@example.com", at);
    let mut org = accounts::org(&user, at);
    org.seen = Some(Sighting { user: user.clone(), contact: seen.clone() });
    assert_eq!(people.create_org(&org).await.unwrap(), WriteOutcome::Applied);
    // A report is compared with the previous report, not with claims seen in tokens.
    let told = telling(&user, "told@example.com", at.minus(seconds(9)));
    assert_eq!(people.update_contact(&told, &received(at)).await.unwrap(), WriteOutcome::Applied);
    let profile = people.get_profile(&user).await.unwrap();
    assert_eq!((profile.from_token.as_ref(), &profile.from_webhook), (Some(&seen), &told.contact));
    assert_eq!(profile.contact(), Some(&seen));
}

async fn a_webhook_is_applied_once_and_recorded_for_five_days(people: &impl People) {
    let (user, at) = (accounts::person(), now());
    let webhook = received(at);
    let tell = async |n: u64, webhook: &Received| {
        people.update_contact(&telling(&user, &format!("{n}@example.com"), at.plus(seconds(n))), webhook).await.unwrap()
    };
    assert_eq!(tell(0, &webhook).await, WriteOutcome::Applied);
    let known = people.get_profile(&user).await.unwrap();
    assert_eq!(tell(0, &webhook).await, WriteOutcome::Replayed("r1".to_owned()));
    // The check for repeated webhooks comes before all others.
    assert_eq!(tell(1, &webhook).await, WriteOutcome::Replayed("r1".to_owned()));
    let other = Received { fingerprint: "f2".to_owned(), ..webhook.clone() };
    assert_eq!(tell(1, &other).await, WriteOutcome::KeyReused);
    let closing = Closing::begin(user.clone(), at);
    assert_eq!(people.close_account(&closing, &webhook).await.unwrap(), WriteOutcome::Replayed("r1".to_owned()));
    let late = Received { now: at.plus(Duration::from_hours(5 * 24)).minus(seconds(1)), ..other.clone() };
    assert_eq!(tell(1, &late).await, WriteOutcome::KeyReused);
    assert_eq!(people.get_profile(&user).await.unwrap(), known);
    // Then it may be received again, even if its item was not deleted yet.
    let forgotten = Received { now: at.plus(Duration::from_hours(5 * 24)), ..other };
    assert_eq!(tell(1, &forgotten).await, WriteOutcome::Applied);
}

async fn each_sender_has_its_own_webhook_ids(people: &impl People) {
    let (user, at) = (accounts::person(), now());
    let clerks = received(at);
    let generators = Received { source: Source::Generator, fingerprint: "f2".to_owned(), ..clerks.clone() };
    assert_eq!(
        people.update_contact(&telling(&user, "1@example.com", at), &clerks).await.unwrap(),
        WriteOutcome::Applied
    );
    let later = at.plus(seconds(1));
    assert_eq!(
        people.update_contact(&telling(&user, "2@example.com", later), &generators).await.unwrap(),
        WriteOutcome::Applied
    );
}

async fn a_webhook_that_changes_nothing_is_recorded_too(people: &impl People) {
    let at = now();
    let webhook = received(at);
    let other = Received { fingerprint: "f2".to_owned(), ..webhook.clone() };
    assert_eq!(people.record_webhook(&webhook).await.unwrap(), WriteOutcome::Applied);
    assert_eq!(people.record_webhook(&webhook).await.unwrap(), WriteOutcome::Replayed(webhook.result.clone()));
    assert_eq!(people.record_webhook(&other).await.unwrap(), WriteOutcome::KeyReused);
    let update = telling(&UserId::parse(&fresh_user()).unwrap(), "ann@example.com", at);
    assert_eq!(people.update_contact(&update, &other).await.unwrap(), WriteOutcome::KeyReused);
}

async fn a_closed_account_stays_closed(people: &impl People) {
    let (user, at) = (accounts::person(), now());
    let mut org = accounts::org(&user, at);
    org.seen = Some(Sighting { user: user.clone(), contact: contact("seen@example.com", at) });
    people.create_org(&org).await.unwrap();
    people.update_contact(&telling(&user, "told@example.com", at), &received(at)).await.unwrap();
    let closing = Closing::begin(user.clone(), at);
    assert_eq!(people.close_account(&closing, &received(at)).await.unwrap(), WriteOutcome::Applied);
    let closed = Profile { closed_at: Some(at), ..Profile::unknown(user.clone()) };
    assert_eq!(people.get_profile(&user).await.unwrap(), closed);
    // Later webhooks change nothing, whatever their time.
    let newer = telling(&user, "back@example.com", at.plus(seconds(9)));
    assert_eq!(people.update_contact(&newer, &received(at)).await.unwrap(), WriteOutcome::Conflict);
    let mut again = accounts::org(&user, at);
    again.seen.clone_from(&org.seen);
    assert_eq!(people.create_org(&again).await.unwrap_err().code, Code::Unauthenticated);
    let later = Closing::begin(user.clone(), at.plus(seconds(9)));
    assert_eq!(people.close_account(&later, &received(at)).await.unwrap(), WriteOutcome::Conflict);
    assert_eq!(people.get_profile(&user).await.unwrap(), closed);
}

async fn an_account_that_a_person_has_erased_is_closed_until_it_is_reopened<P: People>(people: &P) {
    // Far in the future, because the deployed `account-close` ends everything that is due now.
    let (user, at) = (accounts::person(), now().plus(Duration::from_hours(10_000)));
    let origin = Origin { actor: Actor::Operator("zoë".to_owned()), ip: None, user_agent: None, plan: None };
    let entry = |action| AuditEntry::new(None, action, user.to_string(), &origin, now(), json!({}));
    let reopen = async || people.reopen_account(&user, &entry(AuditAction::AccountReopened)).await.unwrap();
    people.update_contact(&telling(&user, "told@example.com", now()), &received(now())).await.unwrap();
    assert_eq!(reopen().await, Reopened::WasOpen);

    let closing = Closing::begin(user.clone(), at);
    let erase = async || {
        let audit = entry(AuditAction::AccountClosed);
        people.erase_account(&closing, &closing.event(ClosedBecause::Asked), Some(&audit)).await
    };
    erase().await.unwrap();
    assert_eq!(erase().await.unwrap_err().code, Code::Unauthenticated);
    let closed = Profile { closed_at: Some(at), ..Profile::unknown(user.clone()) };
    assert_eq!(people.get_profile(&user).await.unwrap(), closed);
    assert_eq!(people.close_account(&closing, &received(now())).await.unwrap(), WriteOutcome::Conflict);
    let due = async || people.find_closings(at).await.unwrap().closings.into_iter().find(|due| due.user == user);
    assert_eq!(eventually(due, Option::is_some).await, Some(closing.clone()));
    assert_eq!(reopen().await, Reopened::StillClosing);
    assert_eq!(people.get_profile(&user).await.unwrap(), closed);

    people.end_closing(&user).await.unwrap();
    assert_eq!(reopen().await, Reopened::Open);
    assert_eq!(people.get_profile(&user).await.unwrap(), Profile::unknown(user.clone()));
    people.create_org(&accounts::org(&user, now())).await.expect("the person is in again");
    assert_eq!(reopen().await, Reopened::WasOpen);
}

async fn of_ten_concurrent_closings_one_succeeds(people: &impl People) {
    let (user, at) = (accounts::person(), now());
    let closing = Closing::begin(user, at);
    let webhooks: Vec<_> = (0..10).map(|_| received(at)).collect();
    let outcomes = join_all(webhooks.iter().map(|webhook| people.close_account(&closing, webhook))).await;
    let made = outcomes.iter().filter(|outcome| matches!(outcome, Ok(WriteOutcome::Applied))).count();
    assert_eq!(made, 1, "{outcomes:?}");
}

async fn a_closing_is_due_until_it_ends<P: People>(people: &P) {
    // Far in the future, because the deployed `account-close` ends everything that is due now.
    let (user, start) = (accounts::person(), now().plus(Duration::from_hours(10_000)));
    let closing = Closing::begin(user.clone(), start);
    people.close_account(&closing, &received(now())).await.unwrap();
    let mine = async |at| {
        let due = people.find_closings(at).await.unwrap();
        assert_eq!(due.unreadable, [""; 0]);
        assert!(due.closings.is_sorted_by_key(|closing| closing.due_at), "the longest overdue first");
        due.closings.into_iter().find(|closing| closing.user == user)
    };
    assert_eq!(mine(start.minus(Duration::from_millis(1))).await, None);
    assert_eq!(eventually(async || mine(start).await, Option::is_some).await, Some(closing.clone()));
    // It is not among the due things that `sweep` finishes.
    let due = all_due(people, start).await;
    assert!(!due.iter().any(|due| matches!(due, Due::Unreadable(key) if key.contains(user.as_str()))), "{due:?}");
    let later = closing.last_look();
    people.postpone_closing(&closing, later).await.unwrap();
    assert_eq!(eventually(async || mine(start).await, Option::is_none).await, None);
    let postponed = Closing { due_at: later, ..closing.clone() };
    assert_eq!(eventually(async || mine(later).await, Option::is_some).await, Some(postponed));
    for _ in 0..2 {
        people.end_closing(&user).await.unwrap();
        people.postpone_closing(&closing, start).await.unwrap();
    }
    assert_eq!(eventually(async || mine(later).await, Option::is_none).await, None);
    assert_eq!(people.get_profile(&user).await.unwrap().closed_at, Some(start), "the account must stay closed");
}

/// Creates an organisation with further members.
async fn hired(people: &impl People, roles: &[OrgRole]) -> (OrgId, Vec<Member>) {
    let (org, owner) = accounts::found(people, now()).await;
    let mut members = vec![people.get_member(org, &owner).await.unwrap().unwrap()];
    for role in roles {
        let member = Member { org, user: accounts::person(), role: *role, joined_at: now() };
        let entry = accounts::entry(org, AuditAction::RoleChanged, &owner, now());
        people.put_member(&member, &entry).await.unwrap();
        members.push(member);
    }
    (org, members)
}

fn departure(member: &Member, succession: Succession) -> Departure {
    let audit = accounts::entry(member.org, AuditAction::MemberRemoved, &member.user, now());
    Departure { member: member.clone(), succession, audit }
}

async fn audit_log(people: &impl People, org: OrgId) -> Vec<&'static str> {
    let listed = people.list_audit(org, &PageAsk { limit: 100, after: None }).await.unwrap();
    let mut names: Vec<_> = listed.items.iter().map(|entry| entry.action.name()).collect();
    names.sort_unstable();
    names
}

async fn a_member_leaves_once_with_an_audit_entry(people: &impl People) {
    let (org, members) = hired(people, &[OrgRole::Developer]).await;
    let leave = departure(&members[1], Succession::Unchanged);
    assert!(people.end_membership(&leave).await.unwrap().is_committed());
    assert!(!people.end_membership(&departure(&members[1], Succession::Unchanged)).await.unwrap().is_committed());
    assert_eq!(people.get_member(org, &members[1].user).await.unwrap(), None);
    let places = async || people.list_orgs(&members[1].user, &PageAsk { limit: 10, after: None }).await.unwrap().items;
    assert_eq!(eventually(places, Vec::is_empty).await, []);
    assert_eq!(audit_log(people, org).await, ["member.removed", "member.role_changed", "org.created"]);
    assert!(!people.get_org(org).await.unwrap().unwrap().suspended);
}

/// Makes a member an owner. Returns the changed member.
async fn promote(people: &impl People, seen: &Member, by: &Member) -> Member {
    let audit = accounts::entry(seen.org, AuditAction::RoleChanged, &by.user, now());
    let step = RoleStep { seen: seen.clone(), role: OrgRole::Owner, audit };
    assert_eq!(people.change_role(&step).await.unwrap(), Stepped::Done);
    Member { role: OrgRole::Owner, ..seen.clone() }
}

async fn a_departure_computed_from_an_outdated_role_is_a_conflict(people: &impl People) {
    let (org, members) = hired(people, &[OrgRole::Developer]).await;
    let promoted = promote(people, &members[1], &members[0]).await;
    assert!(!people.end_membership(&departure(&members[1], Succession::Unchanged)).await.unwrap().is_committed());
    assert_eq!(people.get_member(org, &promoted.user).await.unwrap(), Some(promoted));
}

async fn an_owner_leaves_only_while_the_other_stays(people: &impl People) {
    let (org, members) = hired(people, &[OrgRole::Admin]).await;
    let (owner, admin) = (&members[0], &members[1]);
    let to_admin = departure(owner, Succession::Owner(admin.user.clone()));
    assert!(!people.end_membership(&to_admin).await.unwrap().is_committed(), "an admin does not count as an owner");
    assert!(
        !people.end_membership(&departure(owner, Succession::Owner(accounts::person()))).await.unwrap().is_committed()
    );
    assert_eq!(people.get_member(org, &owner.user).await.unwrap().as_ref(), Some(owner));
    promote(people, admin, owner).await;
    assert!(people.end_membership(&to_admin).await.unwrap().is_committed());
    assert_eq!(people.get_member(org, &owner.user).await.unwrap(), None);
}

async fn of_two_owners_who_leave_concurrently_one_is_last(people: &impl People) {
    for _ in 0..10 {
        let (_, members) = hired(people, &[OrgRole::Owner]).await;
        let (one, other) = (&members[0], &members[1]);
        let first = departure(one, Succession::Owner(other.user.clone()));
        let second = departure(other, Succession::Owner(one.user.clone()));
        let (first, second) = tokio::join!(people.end_membership(&first), people.end_membership(&second));
        assert_ne!(first.unwrap(), second.unwrap(), "one has left, the other must be read again");
    }
}

async fn an_organisation_without_an_owner_is_suspended(people: &impl People) {
    let (org, members) = hired(people, &[]).await;
    let stopped = accounts::entry(org, AuditAction::OrgSuspended, &members[0].user, now());
    let last = departure(&members[0], Succession::Nobody(Box::new(stopped)));
    assert!(people.end_membership(&last).await.unwrap().is_committed());
    assert!(!people.end_membership(&last).await.unwrap().is_committed());
    assert!(people.get_org(org).await.unwrap().unwrap().suspended);
    let wallet = consigne_core::credits::WalletId::Organisation(org);
    assert!(!people.get_wallet(&wallet, now()).await.unwrap().unwrap().open);
    assert_eq!(audit_log(people, org).await, ["member.removed", "org.created", "org.suspended"]);
}
