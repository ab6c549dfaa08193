//! An organisation whose endpoints hang does not delay the webhooks of another one.

use std::time::Duration;

use consigne_core::deliveries::IN_FLIGHT_MAX;
use consigne_runtime::clock;
use consigne_testkit::hooks::{plan, seen};
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::stack::{Stack, until};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::endpoints::{new_receiver, publish, register};

/// Endpoints of the organisation that hangs: as many as it may have.
const HANGING: usize = 20;
/// Events to each of them. There is always more to send than can be in flight.
const EVENTS: usize = 4;
/// Webhooks of the other organisation, in each measurement.
const MEASURED: usize = 20;
/// Longer than a call may take, in milliseconds.
const HANGS_MS: u64 = 10_500;
/// What a busy machine may add to the time of one webhook, in seconds. Behind calls that hang it would wait for ten.
const NOISE: f64 = 1.0;

/// Publishes events one after the other. Returns how long the slowest of nineteen in twenty took to arrive, in seconds.
async fn p95(stack: &Stack, fixture: &OrgFixture<'_>, name: &str) -> f64 {
    let mut took = Vec::new();
    for _ in 0..MEASURED {
        let (before, at) = (seen(stack, name).await.len(), clock::now());
        publish(stack, "stats.ready", &[json!({ "org_id": fixture.org, "date": "2026-11-20" })]).await;
        let came = until(async || seen(stack, name).await.get(before).cloned()).await.expect("the webhook must come");
        #[allow(clippy::cast_precision_loss)]
        took.push(came["at"].as_f64().unwrap() - at.as_millis() as f64 / 1_000.0);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    took.sort_by(f64::total_cmp);
    took[MEASURED - 1 - MEASURED / 20]
}

#[tokio::test]
async fn an_organisation_whose_endpoints_hang_does_not_delay_another_one() {
    let stack = Stack::find();
    let (attacker, victim) = (OrgFixture::open(&stack, 0).await, OrgFixture::open(&stack, 0).await);
    let (name, url) = new_receiver(&stack);
    register(&victim, &victim.owner, &url, &["stats.ready"]).await;
    // The first call starts execution environments, which is not measured.
    p95(&stack, &victim, &name).await;
    let alone = p95(&stack, &victim, &name).await;

    let mut hanging = Vec::new();
    for _ in 0..HANGING {
        let (name, url) = new_receiver(&stack);
        let answers: Vec<Value> = (0..2 * EVENTS).map(|_| json!({ "status": 500, "delay_ms": HANGS_MS })).collect();
        plan(&stack, &name, &[], &json!(answers)).await;
        let (endpoint, _) = register(&attacker, &attacker.owner, &url, &["stats.ready"]).await;
        hanging.push((name, endpoint));
    }
    let facts: Vec<Value> = (0..EVENTS).map(|_| json!({ "org_id": attacker.org, "date": "2026-11-20" })).collect();
    publish(&stack, "stats.ready", &facts).await;
    let reached = async || join_all(hanging.iter().map(|(name, _)| seen(&stack, name))).await.concat();
    until(async || Some(reached().await).filter(|came| came.len() >= 8)).await.expect("the attack must begin");
    // The victim's next call may start an environment too, because ten are busy. That is not measured either.
    let before = seen(&stack, &name).await.len();
    publish(&stack, "stats.ready", &[json!({ "org_id": victim.org, "date": "2026-11-20" })]).await;
    until(async || seen(&stack, &name).await.get(before).cloned()).await.expect("the webhook must come");
    let during = p95(&stack, &victim, &name).await;
    let came = reached().await;
    // Leaves the stack to other tests: what waits is cancelled.
    for (_, endpoint) in &hanging {
        attacker.owner.call("DELETE", &attacker.path(&format!("/endpoints/{endpoint}"))).await;
    }
    // Measured before and after, so that other programs on the machine slow both sides.
    let alone = alone.max(p95(&stack, &victim, &name).await);
    assert!(during <= 2.0 * alone + NOISE, "{alone} s alone, {during} s during the attack");
    // By the sender's clock, in whole seconds: a busy receiver notes a call late, and its successor in time. Calls that
    // were sent within nine seconds are in flight at the same time.
    let mut sent: Vec<u64> = came.iter().map(|one| one["sent"].as_u64().unwrap()).collect();
    sent.sort_unstable();
    for (n, from) in sent.iter().enumerate() {
        let within = sent[n..].iter().take_while(|then| **then - from < 9).count();
        assert!(within <= IN_FLIGHT_MAX as usize, "{within} calls in flight, sent at {sent:?}");
    }
}
