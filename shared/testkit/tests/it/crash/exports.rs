//! Crash points of exports: wherever the worker is killed, the same records are in the export in the end, the person is told
//! once, and no object is left that the export does not name.

use consigne_testkit::fakes::World;
use serde_json::{Value, json};

use crate::crash::survives_to;
use crate::handlers::people::user_export::{ask, everything, export_in, records, work};

/// Returns what must be the same in the end: everything except ids, times and versions.
async fn end(world: &World) -> Value {
    let (export, state) = (export_in(world), world.state());
    let names: Vec<String> = export.objects().map(|(key, _)| key.name().to_owned()).collect();
    let parts = export.objects().filter(|(key, _)| key.name() != "manifest.json");
    let versions: Vec<usize> = parts.map(|(key, _)| state.objects[key.as_str()].len()).collect();
    let events: Vec<&String> = state.outbox.iter().map(|(_, entry)| &entry.kind).collect();
    json!({ "records": records(world), "counts": export.counts, "names": names, "versions": versions, "events": events,
        "ready": export.ready_at.is_some(), "asked": state.exports.asked.values().collect::<Vec<_>>() })
}

#[tokio::test]
async fn asking_for_an_export_survives_every_fault() {
    let act = async |world: &World| {
        let token = consigne_testkit::functions::issuer().token("user_ann1", "free");
        let event = consigne_testkit::payload::event("user-export", "ask", &token);
        consigne_testkit::functions::call(world, "user-export", event).await;
    };
    let end = async |world: &World| {
        let state = world.state();
        json!([state.exports.last.len(), state.outbox.len(), state.exports.asked.values().collect::<Vec<_>>()])
    };
    survives_to(everything, act, end).await;
}

/// With one record a query, the export has three parts.
#[tokio::test]
async fn an_export_survives_every_fault() {
    for records_in_a_page in [0, 1] {
        let calm = everything();
        calm.change(|state| state.exports.records_in_a_page = records_in_a_page);
        ask(&calm).await;
        let begun = calm.state();
        let prepare = || {
            let world = World::default();
            world.change(|state| *state = begun.clone());
            world
        };
        survives_to(prepare, work, end).await;
    }
}

/// Two workers at once: the second one reads, writes and commits between any two effects of the first one.
#[tokio::test]
async fn two_workers_at_once_write_every_record_once() {
    let calm = everything();
    ask(&calm).await;
    let begun = calm.state();
    let world = || {
        let world = World::default();
        world.change(|state| *state = begun.clone());
        world
    };
    let alone = world();
    work(&alone).await;
    let want = end(&alone).await;
    for skip in 0.. {
        let world = world();
        // The other worker's write of the export, without its objects: the first one must notice, and give up its own.
        world.interleave(skip, |state| {
            for export in state.exports.last.values_mut().filter(|export| export.ready_at.is_none()) {
                export.revision += 1;
            }
        });
        work(&world).await;
        if world.interleaving_is_left() {
            break;
        }
        work(&world).await;
        assert_eq!(end(&world).await, want, "effect {skip}");
    }
}
