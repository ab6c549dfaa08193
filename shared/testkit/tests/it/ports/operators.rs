//! Contract of the ports for operators: every organisation, the audit log, open holds, and ledgers.

use std::time::Duration;

use consigne_core::audit::{Actor, AuditAction, AuditEntry};
use consigne_core::credits::{CreditGrantOutcome, Hold, LotKind, OpeningOutcome, WalletId};
use consigne_core::files::{Grant, GrantOutcome};
use consigne_core::keys::KeyFacts;
use consigne_core::orgs::Organisation;
use consigne_core::ports::{
    AuditSearch, CreateOrg, FindHolds, GetHold, GetLedgers, GrantCredits, GrantUpload, IssueKey, ListAllOrgs, OpenHold,
    PageAsk, ResolveHold, SearchAudit, SuspendOrg,
};
use consigne_core::{OrgId, Plan, Timestamp, UserId};
use consigne_testkit::accounts;
use consigne_usecases::holds::resolve;

use super::{eventually, file_of, now, on_both, owner};

consigne_runtime::needs! {
    /// The ports under test.
    pub trait Operators: CreateOrg
        + SuspendOrg
        + ListAllOrgs
        + SearchAudit
        + FindHolds
        + GetLedgers
        + GrantUpload
        + GrantCredits
        + IssueKey
        + OpenHold
        + GetHold
        + ResolveHold
        + Sync
}

on_both!(
    consigne_testkit::stack::Stack::table,
    every_organisation_is_listed_once_newest_first,
    only_suspended_organisations_are_listed_on_request,
    suspending_twice_writes_one_entry,
    the_audit_log_is_searched_by_time_action_and_actor,
    the_installations_own_log_is_searched_without_an_organisation,
    open_holds_are_found_by_their_wallet,
    ledgers_are_read_with_the_plan_of_the_last_grant,
);

/// Creates an organisation as of a time.
async fn found_at(store: &impl Operators, at: Timestamp) -> OrgId {
    accounts::found(store, at).await.0
}

async fn suspend(store: &impl Operators, org: OrgId, suspended: bool) -> AuditEntry {
    let action = if suspended { AuditAction::OrgSuspended } else { AuditAction::OrgResumed };
    let entry = accounts::entry(org, action, &accounts::person(), now());
    assert!(store.suspend_org(org, suspended, &entry).await.unwrap());
    entry
}

/// Lists all organisations older than `after`, page by page. Other tests add newer ones meanwhile.
async fn list(store: &impl Operators, suspended: Option<bool>, limit: u32, after: OrgId) -> Vec<Organisation> {
    let (mut found, mut page) = (Vec::new(), PageAsk { limit, after: Some(after.to_string()) });
    loop {
        let listed = store.list_all_orgs(suspended, &page).await.unwrap();
        assert!(listed.items.len() <= limit as usize && listed.total.is_none());
        found.extend(listed.items);
        if listed.next.is_none() {
            return found;
        }
        page.after = listed.next;
    }
}

/// Founds organisations long ago, so that they are the last of the list. Returns their ids, newest first.
async fn old_ones(store: &impl Operators, count: u64, years: u64) -> Vec<OrgId> {
    let long_ago = now().minus(Duration::from_hours(24 * 365 * years));
    let mut orgs = Vec::new();
    for n in 0..count {
        orgs.push(found_at(store, long_ago.plus(Duration::from_millis(n))).await);
    }
    orgs.reverse();
    orgs
}

async fn every_organisation_is_listed_once_newest_first(store: &impl Operators) {
    let orgs = old_ones(store, 9, 20).await;
    let before = OrgId::first_at(now().minus(Duration::from_hours(24 * 365 * 19)));
    for limit in [1, 2, 4, 9, 50] {
        let own = async || {
            let listed = list(store, None, limit, before).await;
            listed.into_iter().map(|org| org.id).filter(|id| orgs.contains(id)).collect::<Vec<_>>()
        };
        assert_eq!(eventually(own, |listed| listed.len() == orgs.len()).await, orgs, "pages of {limit}");
    }
    assert!(store.list_all_orgs(None, &PageAsk { limit: 5, after: Some("x".to_owned()) }).await.is_err());
}

async fn only_suspended_organisations_are_listed_on_request(store: &impl Operators) {
    let orgs = old_ones(store, 6, 30).await;
    suspend(store, orgs[1], true).await;
    suspend(store, orgs[4], true).await;
    let before = OrgId::first_at(now().minus(Duration::from_hours(24 * 365 * 29)));
    for (suspended, want) in [(true, vec![orgs[1], orgs[4]]), (false, vec![orgs[0], orgs[2], orgs[3], orgs[5]])] {
        let own = async || {
            let listed = list(store, Some(suspended), 1, before).await;
            assert!(listed.iter().all(|org| org.suspended == suspended));
            listed.into_iter().map(|org| org.id).filter(|id| orgs.contains(id)).collect::<Vec<_>>()
        };
        assert_eq!(eventually(own, |listed| *listed == want).await, want);
    }
}

/// Searches a log to its end in pages of `limit` entries.
async fn search(store: &impl Operators, org: Option<OrgId>, search: &AuditSearch, limit: u32) -> Vec<AuditEntry> {
    let (mut found, mut page) = (Vec::new(), PageAsk { limit, after: None });
    loop {
        let listed = store.search_audit(org, search, &page).await.unwrap();
        found.extend(listed.items);
        if listed.next.is_none() {
            return found;
        }
        page.after = listed.next;
    }
}

async fn suspending_twice_writes_one_entry(store: &impl Operators) {
    let org = found_at(store, now()).await;
    suspend(store, org, false).await;
    let first = suspend(store, org, true).await;
    suspend(store, org, true).await;
    let of = |action: &str| AuditSearch { action: action.to_owned(), ..AuditSearch::default() };
    assert_eq!(search(store, Some(org), &of("org.suspended"), 10).await, [first]);
    assert_eq!(search(store, Some(org), &of("org.resumed"), 10).await, [], "it was not suspended");
    let last = suspend(store, org, false).await;
    suspend(store, org, false).await;
    assert_eq!(search(store, Some(org), &of("org.resumed"), 10).await, [last]);
    let nowhere = OrgId::mint(now());
    let entry = accounts::entry(nowhere, AuditAction::OrgResumed, &accounts::person(), now());
    assert!(!store.suspend_org(nowhere, false, &entry).await.unwrap());
}

async fn the_audit_log_is_searched_by_time_action_and_actor(store: &impl Operators) {
    let (org, founder) = accounts::found(store, now()).await;
    for suspended in [true, false, true] {
        // Entries of the same millisecond are in no particular order.
        tokio::time::sleep(Duration::from_millis(2)).await;
        suspend(store, org, suspended).await;
    }
    let all = search(store, Some(org), &AuditSearch::default(), 10).await;
    let actions: Vec<&str> = all.iter().map(|entry| entry.action.name()).collect();
    assert_eq!(actions, ["org.suspended", "org.resumed", "org.suspended", "org.created"]);
    for limit in [1, 2, 3] {
        assert_eq!(search(store, Some(org), &AuditSearch::default(), limit).await, all, "pages of {limit}");
    }
    let since = AuditSearch { since: Some(all[1].at), ..AuditSearch::default() };
    assert_eq!(search(store, Some(org), &since, 10).await, all[..2]);
    let suspended = AuditSearch { action: "org.susp".to_owned(), ..AuditSearch::default() };
    assert_eq!(search(store, Some(org), &suspended, 1).await, [all[0].clone(), all[2].clone()]);
    let by = AuditSearch { actor: Some(Actor::User(founder)), ..AuditSearch::default() };
    assert_eq!(search(store, Some(org), &by, 10).await, all[3..]);
    let ahead = AuditSearch { since: Some(now().plus(Duration::from_mins(1))), ..AuditSearch::default() };
    assert_eq!(search(store, Some(org), &ahead, 10).await, []);
    assert_eq!(search(store, Some(OrgId::mint(now())), &AuditSearch::default(), 10).await, []);
}

async fn the_installations_own_log_is_searched_without_an_organisation(store: &impl Operators) {
    let found = search(store, None, &AuditSearch::default(), 100).await;
    assert!(found.iter().all(|entry| entry.org.is_none()));
}

async fn open(store: &impl Operators, facts: &KeyFacts, amount: u64) -> Hold {
    match store.open_hold(&accounts::opening(facts, amount, None, now())).await.unwrap() {
        OpeningOutcome::Opened(hold) => *hold,
        other => panic!("{other:?}"),
    }
}

async fn open_holds_are_found_by_their_wallet(store: &impl Operators) {
    let (org, founder) = accounts::found(store, now()).await;
    let credits = accounts::credits(org, LotKind::Promo, 100, None, now());
    assert_eq!(store.grant_credits(&credits).await.unwrap(), CreditGrantOutcome::Granted);
    let live = accounts::issue(store, &accounts::key(org, &founder, false, now())).await;
    let test = accounts::issue(store, &accounts::key(org, &founder, true, now())).await;
    let (first, second, tested) =
        (open(store, &live, 5).await, open(store, &live, 7).await, open(store, &test, 3).await);
    let found = async |wallet: WalletId, want: usize| {
        let mut found =
            eventually(async || store.find_holds(&wallet).await.unwrap(), |found| found.len() == want).await;
        found.sort_by_key(|hold| hold.amount);
        found
    };
    assert_eq!(found(WalletId::Organisation(org), 2).await, [first.clone(), second.clone()]);
    assert_eq!(found(WalletId::Test(founder), 1).await, [tested]);
    resolve(store, first.id, accounts::settled(2), &accounts::resolver(now())).await.unwrap();
    assert_eq!(found(WalletId::Organisation(org), 1).await, [second]);
    assert_eq!(found(WalletId::Test(accounts::person()), 0).await, []);
}

async fn ledgers_are_read_with_the_plan_of_the_last_grant(store: &impl Operators) {
    let owners: Vec<UserId> = (0..3).map(|_| owner()).collect();
    for (owner, plan) in owners.iter().zip([Plan::Pro, Plan::Basic]) {
        let file = file_of(owner, "a.png", 40, now());
        let grant = Grant { file, plan, job: None, seen: None, idempotency: None, now: now() };
        assert_eq!(store.grant_upload(&grant).await.unwrap(), GrantOutcome::Granted);
    }
    let mut ledgers = store.get_ledgers(&owners).await.unwrap();
    ledgers.sort_by_key(|ledger| ledger.owner != owners[0]);
    let seen: Vec<_> = ledgers.iter().map(|ledger| (&ledger.owner, ledger.plan, ledger.usage.reserved)).collect();
    assert_eq!(seen, [(&owners[0], Plan::Pro, 40), (&owners[1], Plan::Basic, 40)]);
    assert_eq!(store.get_ledgers(&[]).await.unwrap(), []);
}
