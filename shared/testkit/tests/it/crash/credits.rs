//! Crash points of holds, purchases and claw-backs: wallets, receipts and events end the same as without a fault.

use std::time::Duration;

use consigne_core::LotId;
use consigne_core::audit::AuditAction;
use consigne_core::credits::{ClawBack, DisputeState, LotKind, Purchase, WalletId};
use consigne_core::ports::{ClawBackCredits, CreditPurchase, GrantCredits, SuspendOrg};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{accounts, functions, payload};
use serde_json::{Value, json};

use crate::crash::keys::essence;
use crate::crash::survives_to;
use crate::handlers::people::accounts::{ORG, acme, org, put_production, sent_by_service, user};

/// Returns a function that creates copies of a world.
fn copies(world: &World) -> impl Fn() -> World {
    let state = world.state();
    move || {
        let copy = World::default();
        copy.change(|own| *own = state.clone());
        copy
    }
}

/// Creates a world with the hold of the payloads, in a wallet with a lot that has expired since.
async fn held() -> World {
    let world = acme();
    let text = put_production(&world, |_| ());
    let soon = clock::now().plus(Duration::from_hours(1));
    world.change(|state| {
        let wallet = state.accounts.wallets.get_mut(&WalletId::Organisation(org(ORG))).unwrap();
        wallet.add(LotId::mint(clock::now()), LotKind::Promo, 20, Some(soon));
    });
    functions::call(&world, "hold-open", sent_by_service(&text, "hold-open", "job")).await;
    world.change(|state| {
        for wallet in state.accounts.wallets.values_mut() {
            let expiring = wallet.lots.values_mut().filter(|bucket| bucket.expires_at.is_some());
            expiring.for_each(|bucket| bucket.expires_at = Some(clock::now()));
            wallet.next_expiry = Some(clock::now());
        }
    });
    world
}

/// Asserts that settling or voiding the hold survives every fault.
async fn end_survives(function: &str, case: &str) {
    let ask = async |world: &World| {
        functions::call(world, function, payload::event(function, case, functions::SERVICE_TOKEN)).await
    };
    let end = async |world: &World| {
        let (before, again) = (world.state(), ask(world).await);
        assert_eq!(again["status"], 200, "{again}");
        assert_eq!(world.state(), before);
        json!([essence(world), payload::steady(&again)])
    };
    survives_to(copies(&held().await), async |world| drop(ask(world).await), end).await;
}

#[tokio::test]
async fn opening_a_hold_survives_every_fault() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let open =
        async |world: &World| functions::call(world, "hold-open", sent_by_service(&text, "hold-open", "job")).await;
    let end = async |world: &World| {
        let (before, again) = (world.state(), open(world).await);
        assert_eq!(again["status"], 201, "{again}");
        assert_eq!(world.state(), before);
        essence(world)
    };
    survives_to(copies(&world), async |world| drop(open(world).await), end).await;
}

#[tokio::test]
async fn a_charge_and_a_hold_that_cross_a_threshold_survive_every_fault() {
    let world = acme();
    let text = put_production(&world, |_| ());
    world.change(|state| {
        let wallet = state.accounts.wallets.get_mut(&WalletId::Organisation(org(ORG))).unwrap();
        // One credit above the alert threshold of 20 %.
        wallet.debit(799);
    });
    for (function, case, status) in [("key-verify", "charge", 200), ("hold-open", "job", 201)] {
        let take = async |world: &World| functions::call(world, function, sent_by_service(&text, function, case)).await;
        let end = async |world: &World| {
            let (before, again) = (world.state(), take(world).await);
            assert_eq!(again["status"], status, "{again}");
            assert_eq!(world.state(), before);
            let kinds: Vec<&str> = before.outbox.iter().map(|(_, entry)| entry.kind.as_str()).collect();
            assert_eq!(kinds, ["wallet.low"], "{function}");
            essence(world)
        };
        survives_to(copies(&world), async |world| drop(take(world).await), end).await;
    }
}

#[tokio::test]
async fn suspending_and_resuming_an_organisation_survive_every_fault() {
    for suspended in [true, false] {
        let world = acme();
        let action = if suspended { AuditAction::OrgSuspended } else { AuditAction::OrgResumed };
        let entry = accounts::entry(org(ORG), action, &user("user_ann1"), clock::now());
        if !suspended {
            let stop = accounts::entry(org(ORG), AuditAction::OrgSuspended, &user("user_ann1"), clock::now());
            assert!(world.suspend_org(org(ORG), true, &stop).await.unwrap());
        }
        let act = async |world: &World| drop(world.suspend_org(org(ORG), suspended, &entry).await);
        let end = async |world: &World| {
            let accounts = world.state().accounts;
            let wallet = &accounts.wallets[&WalletId::Organisation(org(ORG))];
            assert_eq!((accounts.orgs[&org(ORG)].suspended, wallet.open), (suspended, !suspended));
            assert_eq!(accounts.audit.iter().filter(|entry| entry.action == action).count(), 1);
            essence(world)
        };
        survives_to(copies(&world), act, end).await;
    }
}

#[tokio::test]
async fn settling_a_hold_survives_every_fault() {
    end_survives("hold-settle", "part").await;
}

#[tokio::test]
async fn refunding_a_hold_survives_every_fault() {
    end_survives("hold-void", "provider").await;
}

#[tokio::test]
async fn voiding_a_hold_that_is_charged_survives_every_fault() {
    end_survives("hold-void", "caller").await;
}

#[tokio::test]
async fn releasing_an_expired_hold_survives_every_fault() {
    let sweep = async |world: &World| {
        let mut tick = payload::event("sweep", "tick", "");
        tick["time"] = clock::now().plus(Duration::from_hours(2)).to_string().into();
        // A failed run is repeated at the next tick.
        drop(functions::tick(world, "sweep", tick).await);
    };
    survives_to(copies(&held().await), sweep, async |world| essence(world)).await;
}

#[tokio::test]
async fn a_grant_of_credits_survives_every_fault() {
    let grant = accounts::credits(org(ORG), LotKind::Promo, 50, None, clock::now());
    let act = async |world: &World| drop(world.grant_credits(&grant).await);
    survives_to(acme, act, async |world| essence(world)).await;
}

fn bought() -> Purchase {
    accounts::purchase(org(ORG), "17", 500, clock::now())
}

#[tokio::test]
async fn a_purchase_survives_every_fault() {
    let bought = bought();
    let act = async |world: &World| drop(world.credit_purchase(&bought).await);
    survives_to(acme, act, async |world| essence(world)).await;
}

/// Asserts that a report about a payment survives every fault, before its purchase and after it.
async fn report_survives(report: &ClawBack) {
    let bought = bought();
    for bought_first in [true, false] {
        let world = acme();
        if bought_first {
            world.credit_purchase(&bought).await.unwrap();
        }
        let act = async |world: &World| drop(world.claw_back(report).await);
        let end = async |world: &World| -> Value {
            if !bought_first {
                world.credit_purchase(&bought).await.unwrap();
            }
            essence(world)
        };
        survives_to(copies(&world), act, end).await;
    }
}

#[tokio::test]
async fn a_refund_survives_every_fault() {
    // More than is left, so an alert threshold is crossed.
    report_survives(&accounts::refund("17", 450, clock::now())).await;
}

#[tokio::test]
async fn a_dispute_survives_every_fault() {
    report_survives(&accounts::dispute("17", "dp_1", 500, DisputeState::Lost, clock::now())).await;
}
