//! Contract of balance alerts: an event is published once for each alert threshold, in the transaction that crosses it.

use std::time::Duration;

use consigne_aws::budget::InvocationBudget;
use consigne_core::credits::{ChargeOutcome, ClawBackOutcome, DisputeState, LotKind, OpeningOutcome, PurchaseOutcome};
use consigne_core::keys::KeyFacts;
use consigne_core::ports::{
    ChargeKey, ClawBackCredits, CreateOrg, CreditPurchase, GrantCredits, IssueKey, OpenHold, ResolveHold,
};
use consigne_core::{OrgId, Timestamp};
use consigne_testkit::accounts;
use consigne_testkit::stack::Stack;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::committed_events::{CommittedEvents, events_in};
use super::now;

/// The kind of the event about a low balance.
const LOW: &str = "wallet.low";

fn ordered(mut published: Vec<Value>) -> Vec<Value> {
    published.sort_by_key(|notice| std::cmp::Reverse(notice["percent"].as_u64()));
    published
}

/// Runs each test on the fake and on the real table, with the events that it has published.
macro_rules! on_both {
    ($($suite:ident),* $(,)?) => {
        mod on_the_fake {
            $(#[tokio::test] async fn $suite() {
                let world = consigne_testkit::fakes::World::default();
                let published = || super::ordered(super::events_in(&world, super::LOW));
                super::$suite(&world, published).await;
            })*
        }
        mod on_the_real_one {
            $(#[tokio::test] async fn $suite() {
                let recorder = super::CommittedEvents::on(&super::Stack::find(), super::LOW);
                let published = || super::ordered(recorder.events());
                super::$suite(&recorder.table, published).await;
            })*
        }
    };
}

on_both!(
    concurrent_charges_alert_once_for_each_threshold,
    a_charge_or_hold_across_several_thresholds_alerts_for_the_lowest,
    a_top_up_resets_the_thresholds,
    expired_and_clawed_back_credits_cause_alerts_too,
    returned_credits_cause_alerts_again,
);

/// The ports that change a balance.
trait WalletStore:
    CreateOrg + IssueKey + ChargeKey + GrantCredits + OpenHold + ResolveHold + CreditPurchase + ClawBackCredits + Sync
{
}
impl<T> WalletStore for T where
    T: CreateOrg
        + IssueKey
        + ChargeKey
        + GrantCredits
        + OpenHold
        + ResolveHold
        + CreditPurchase
        + ClawBackCredits
        + Sync
{
}

/// An organisation that has bought credits.
struct Buyer {
    org: OrgId,
    facts: KeyFacts,
}

async fn buyer(store: &impl WalletStore, credits: u64) -> Buyer {
    let (org, owner) = accounts::found(store, now()).await;
    let buyer = Buyer { org, facts: accounts::issue(store, &accounts::key(org, &owner, false, now())).await };
    buyer.buys(store, "first", credits).await;
    buyer
}

impl Buyer {
    async fn buys(&self, store: &impl WalletStore, name: &str, credits: u64) {
        let purchase = accounts::purchase(self.org, &format!("{}_{name}", self.org), credits, now());
        assert_eq!(store.credit_purchase(&purchase).await.unwrap(), PurchaseOutcome::Credited);
    }

    async fn pays(&self, store: &impl WalletStore, cost: u64, at: Timestamp) {
        let charge = accounts::charge(&self.facts, cost, None, at);
        assert_eq!(store.charge_key(&charge).await.unwrap(), ChargeOutcome::Charged);
    }
}

fn thresholds(published: &[Value]) -> Vec<u64> {
    published.iter().map(|notice| notice["percent"].as_u64().unwrap()).collect()
}

async fn concurrent_charges_alert_once_for_each_threshold(
    store: &impl WalletStore,
    published: impl Fn() -> Vec<Value>,
) {
    let buyer = buyer(store, 100).await;
    let charges: Vec<_> = (0..120).map(|_| accounts::charge(&buyer.facts, 1, None, now())).collect();
    let outcomes = join_all(charges.iter().map(|charge| store.charge_key(charge))).await;
    let paid = outcomes.iter().filter(|outcome| matches!(outcome, Ok(ChargeOutcome::Charged))).count();
    let published = published();
    assert_eq!((paid, thresholds(&published)), (100, vec![20, 10, 0]), "{published:?}");
    for notice in &published {
        let facts = (&notice["org_id"], &notice["reference"]);
        assert_eq!(facts, (&json!(buyer.org), &json!(100)));
        assert!(notice["event_id"].is_string() && notice["occurred_at"].is_string(), "{notice}");
    }
}

async fn a_charge_or_hold_across_several_thresholds_alerts_for_the_lowest(
    store: &impl WalletStore,
    published: impl Fn() -> Vec<Value>,
) {
    for (cost, threshold) in [(79, None), (80, Some(20)), (90, Some(10)), (100, Some(0))] {
        let payer = buyer(store, 100).await;
        payer.pays(store, cost, now()).await;
        let by_charge = published();
        let holder = buyer(store, 100).await;
        let opening = accounts::opening(&holder.facts, cost, None, now());
        assert!(matches!(store.open_hold(&opening).await.unwrap(), OpeningOutcome::Opened(_)));
        for events in [by_charge, published()] {
            assert_eq!(thresholds(&events), Vec::from_iter(threshold), "{cost}");
            assert!(events.iter().all(|notice| notice["balance"] == 100 - cost), "{events:?}");
        }
    }
}

async fn a_top_up_resets_the_thresholds(store: &impl WalletStore, published: impl Fn() -> Vec<Value>) {
    let buyer = buyer(store, 100).await;
    buyer.pays(store, 95, now()).await;
    buyer.pays(store, 1, now()).await;
    assert_eq!(thresholds(&published()), [10], "once");
    buyer.buys(store, "second", 50).await;
    assert_eq!(thresholds(&published()), Vec::<u64>::new());
    buyer.pays(store, 43, now()).await;
    assert_eq!(thresholds(&published()), Vec::<u64>::new(), "11 of 50 credits are left");
    buyer.pays(store, 1, now()).await;
    let events = published();
    assert_eq!((thresholds(&events), &events[0]["reference"]), (vec![20], &json!(50)));
    // A gift resets the thresholds, too, but they are still percentages of the last purchase.
    let gift = accounts::credits(buyer.org, LotKind::Promo, 500, None, now());
    store.grant_credits(&gift).await.unwrap();
    buyer.pays(store, 500, now()).await;
    let events = published();
    assert_eq!((thresholds(&events), &events[0]["reference"]), (vec![20], &json!(50)));
}

async fn expired_and_clawed_back_credits_cause_alerts_too(
    store: &impl WalletStore,
    published: impl Fn() -> Vec<Value>,
) {
    let (loser, at) = (buyer(store, 10).await, now());
    let gift = accounts::credits(loser.org, LotKind::Promo, 500, Some(at.plus(Duration::from_hours(1))), at);
    store.grant_credits(&gift).await.unwrap();
    loser.pays(store, 509, at).await;
    assert_eq!(thresholds(&published()), [10], "the whole gift and nine of ten bought credits");
    let (loser, name) = (buyer(store, 100).await, "first");
    let gift = accounts::credits(loser.org, LotKind::Promo, 500, Some(at.plus(Duration::from_hours(1))), at);
    store.grant_credits(&gift).await.unwrap();
    let back = accounts::refund(&format!("{}_{name}", loser.org), 85, at);
    store.claw_back(&back).await.unwrap();
    assert_eq!(thresholds(&published()), Vec::<u64>::new(), "the gift is still left");
    loser.pays(store, 1, at.plus(Duration::from_hours(2))).await;
    assert_eq!(thresholds(&published()), [20], "now the gift is gone");
    let back = accounts::refund(&format!("{}_{name}", loser.org), 100, at);
    store.claw_back(&back).await.unwrap();
    let events = published();
    assert_eq!((thresholds(&events), &events[0]["balance"]), (vec![0], &json!(-1)));
}

async fn returned_credits_cause_alerts_again(store: &impl WalletStore, published: impl Fn() -> Vec<Value>) {
    let (buyer, at) = (buyer(store, 100).await, now());
    let stands = async |state| {
        let dispute = accounts::dispute(&format!("{}_first", buyer.org), "dp_1", 100, state, at);
        store.claw_back(&dispute).await.unwrap()
    };
    assert_eq!(stands(DisputeState::Open).await, ClawBackOutcome::Taken(100));
    assert_eq!(thresholds(&published()), [0]);
    assert_eq!(stands(DisputeState::Won).await, ClawBackOutcome::GivenBack(100));
    buyer.pays(store, 79, at).await;
    assert_eq!(thresholds(&published()), Vec::<u64>::new());
    for (cost, threshold) in [(1, 20), (10, 10), (10, 0)] {
        buyer.pays(store, cost, at).await;
        assert_eq!(thresholds(&published()), [threshold]);
    }
}

#[tokio::test]
async fn a_charge_is_one_call_unless_it_crosses_a_threshold() {
    let table = Stack::find().table();
    let buyer = buyer(&table, 100).await;
    let mut calls = Vec::new();
    for _ in 0..100 {
        let call = InvocationBudget::new(Duration::from_secs(10));
        Box::pin(call.run(buyer.pays(&table, 1, now()))).await;
        calls.push(call.aws_calls());
    }
    let more: Vec<usize> = (0..100).filter(|paid| calls[*paid] > 1).collect();
    assert_eq!((more, calls.iter().sum::<u32>()), (vec![79, 89, 99], 103), "{calls:?}");
}
