//! Crash points of the reconciliation. Whatever is interrupted, everything is found once and repaired once.

use std::time::Duration;

use consigne_core::audit::{Actor, Origin};
use consigne_core::files::Kind;
use consigne_core::reconcile::{FindingKind, GRACE};
use consigne_core::{Timestamp, UserId};
use consigne_testkit::fakes::World;
use consigne_testkit::planted::Planted;
use consigne_usecases::reconcile::{Asked, Begin, Begun, Pages, Reconciler};
use serde_json::{Value, json};

use super::survives_to;

fn prepare() -> World {
    let ann = UserId::parse("user_ann1").unwrap();
    let mut planted = Planted::default();
    for kind in FindingKind::ALL {
        // There is no replica here, and a record that cannot be read hides the ledger.
        if !matches!(kind, FindingKind::ReplicaWithoutOriginal | FindingKind::UnreadableRecord) {
            planted.plant(kind, &ann, Kind::Image);
        }
    }
    planted.world
}

/// Runs the reconciliation of a day until it has ended. A failed call is followed by the next one, ten minutes later.
async fn run_at(world: &World, at: Timestamp, repair: bool) {
    let origin = Origin { actor: Actor::Service("reconcile".to_owned()), ip: None, user_agent: None, plan: None };
    for calls in 0..20 {
        let now = at.plus(Duration::from_mins(10 * calls));
        let clock = move || now;
        let pages = Pages { versions: 5, versions_to_repair: 5, owners: 2 };
        let reconciler = Reconciler::new(world, (world, None), &origin, &clock).with_pages(pages);
        let asked = Asked { begin: Begin::IfBefore(at), repair, grace: GRACE };
        match reconciler.begin(&asked).await {
            Ok(Begun::NotDue) => return,
            Ok(Begun::Ours(mut run)) => drop(reconciler.advance(&mut run, |_| true).await),
            Ok(Begun::Held(_)) | Err(_) => {}
        }
    }
    panic!("the run did not end");
}

async fn end(world: &World) -> Value {
    let state = world.state();
    let run = state.reconcile.run.unwrap();
    assert!(run.is_over() && run.lease.is_none());
    let objects: Vec<(&String, Vec<&String>)> =
        state.objects.iter().map(|(key, versions)| (key, versions.iter().map(|one| &one.id).collect())).collect();
    let events = state.outbox.iter().filter(|(_, entry)| entry.kind == "storage.reconciled").count();
    let mut audit: Vec<_> = state.accounts.audit.iter().map(|entry| (&entry.subject, &entry.details)).collect();
    audit.sort_by_key(|entry| entry.0);
    let uploads: Vec<&String> = state.uploads.keys().collect();
    json!({
        "objects": objects, "uploads": uploads, "events": events, "audit": audit,
        "found": run.found, "repaired": run.repaired,
    })
}

fn at() -> Timestamp {
    Planted::default().at()
}

#[tokio::test]
async fn a_report_survives_every_fault() {
    survives_to(prepare, async |world| run_at(world, at(), false).await, end).await;
}

#[tokio::test]
async fn a_repair_survives_every_fault() {
    survives_to(prepare, async |world| run_at(world, at(), true).await, end).await;
}
