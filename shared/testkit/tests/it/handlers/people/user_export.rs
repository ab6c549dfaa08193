//! user-export and export-worker: everything that is stored of a person, in parts that they can download.

use std::time::Duration;

use consigne_core::ExportId;
use consigne_core::exports::{Export, ExportKey, ExportMessage, PARTS_MAX, Part, Walk};
use consigne_core::files::{Kind, Removal};
use consigne_core::mail::Topic;
use consigne_core::profiles::{Closing, Language, Profile};
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::jobs::requests::{add_job, job};
use crate::handlers::nightly::night_of_stats::within;
use crate::handlers::people::accounts::{ORG, acme, org, refusal, user};
use crate::handlers::people::closing::{close, close_accounts_at};
use crate::handlers::webhooks::endpoints::{ENDPOINT, put_endpoint};
use crate::handlers::webhooks::mail::{deliver, known};
use crate::handlers::{GRANTED, pending, pending_at, ready, world_with};

/// Sends a request of Ann's to `user-export`.
async fn send(world: &World, case: &str) -> Value {
    let token = functions::issuer().token("user_ann1", "free");
    functions::call(world, "user-export", payload::event("user-export", case, &token)).await
}

/// Asks for an export of Ann's data. Returns `data` of the answer.
pub async fn ask(world: &World) -> Value {
    let asked = send(world, "ask").await;
    assert_eq!(asked["status"], 202, "{asked}");
    asked["body"]["data"].clone()
}

/// Returns Ann's export.
pub fn export_in(world: &World) -> Export {
    world.state().exports.last[&user("user_ann1")].clone()
}

/// Delivers a message of Ann's export to the worker. Returns whether it succeeded.
pub async fn deliver_next(world: &World) -> bool {
    deliver_within(world, Duration::from_secs(10)).await
}

/// Like [`deliver_next`], with the time that the worker has.
async fn deliver_within(world: &World, left: Duration) -> bool {
    let message = ExportMessage { export_id: export_in(world).id, user_id: user("user_ann1") };
    let mut batch = payload::event("export-worker", "next", "");
    batch["Records"][0]["body"] = message.message().into();
    let failures = functions::deliver_until(world, "export-worker", batch, within(left)).await;
    failures["batchItemFailures"] == json!([])
}

/// Delivers the message of a requested export, and all that follow from it, until there is none or one fails.
pub async fn work(world: &World) {
    let mut left = 1;
    while left > 0 {
        world.change(|state| state.later.clear());
        if !deliver_next(world).await {
            return;
        }
        left = world.state().later.len();
    }
}

/// Returns all records of Ann's export, from the versions that it names.
pub fn records(world: &World) -> Vec<Value> {
    let (export, state) = (export_in(world), world.state());
    let parts = export.objects().filter(|(key, _)| key.name() != "manifest.json");
    let read = parts.flat_map(|(key, part)| {
        let version = state.objects[key.as_str()].iter().find(|version| version.id == part.version);
        let part: Value = serde_json::from_slice(&version.expect("the version is there").bytes).unwrap();
        part["records"].as_array().unwrap().clone()
    });
    read.collect()
}

/// Creates a world in which Ann has one of everything, and Bob something too.
pub fn everything() -> World {
    let bobs = ready(&pending_at("user_bob1/images/01M7YREWKH7VM7Z3Z2KWSHFBBB-bobs.png"));
    let gone =
        ready(&pending_at("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSHGQNE-gone.png")).remove(Removal::Deleted, GRANTED);
    let files = world_with(&[ready(&pending()), gone.file, bobs]).state();
    let world = acme();
    add_job(&world, &job(Kind::Book));
    known(&world, "user_ann1", Some("Ann"), Language::French);
    known(&world, "user_dev1", Some("Dev"), Language::English);
    world.change(|state| {
        (state.files, state.usage, state.objects) = (files.files, files.usage, files.objects);
        state.mail.unsubscribed.insert((user("user_ann1"), Topic::Jobs), GRANTED);
        state.mail.unsubscribed.insert((user("user_bob1"), Topic::Limits), GRANTED);
    });
    world
}

#[tokio::test]
async fn everything_of_a_person_is_in_the_export_and_nothing_of_others() {
    let world = everything();
    let asked = ask(&world).await;
    assert_eq!((&asked["state"], &asked["parts"], &asked["records"]), (&json!("pending"), &json!([]), &json!(0)));
    assert_eq!(asked["export_id"], json!(export_in(&world).id));
    let told: Vec<String> = world.state().outbox.iter().map(|(_, entry)| entry.kind.clone()).collect();
    assert_eq!(told, ["account.export-requested"]);
    work(&world).await;

    let records = records(&world);
    let kinds: Vec<&str> = records.iter().map(|record| record["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["file", "file", "job", "profile", "mail_preference", "storage", "membership"]);
    let of = |kind: &str| records.iter().find(|record| record["type"] == kind).unwrap().clone();
    assert_eq!(of("profile")["from_sign_in"]["email"], "ann1@example.com");
    assert_eq!((&of("membership")["org_id"], &of("membership")["role"]), (&json!(ORG), &json!("owner")));
    assert_eq!(of("job")["asked_for"]["topic"], "Intelligence artificielle");
    assert_eq!(records.iter().filter(|record| record["status"] == "deleted").count(), 1);
    let whole = json!(records).to_string();
    for foreign in ["bob", "dev1", "sk_live", "etag"] {
        assert!(!whole.contains(foreign), "{foreign} is in {whole}");
    }

    let shown = send(&world, "state").await["body"]["data"].clone();
    assert_eq!((&shown["state"], &shown["records"]), (&json!("ready"), &json!(7)));
    let parts: Vec<&str> =
        shown["parts"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect();
    assert_eq!((parts, &shown["parts"][1]["files"]), (vec!["manifest.json", "part-0001.json"], &json!(2)));
    let url = shown["parts"][1]["url"].as_str().unwrap();
    let start = format!("exports/user_ann1/{}/part-0001.json?", asked["export_id"].as_str().unwrap());
    assert!(url.contains(&start) && url.contains("X-Amz-Expires=300&") && url.contains("versionId=e1"), "{url}");
    let told: Vec<String> = world.state().outbox.iter().map(|(_, entry)| entry.kind.clone()).collect();
    assert_eq!(told, ["account.export-requested", "account.export-ready"]);
}

#[tokio::test]
async fn the_manifest_lists_the_parts() {
    let world = everything();
    ask(&world).await;
    work(&world).await;
    let (export, state) = (export_in(&world), world.state());
    let (key, _) = export.objects().next().unwrap();
    let manifest: Value = serde_json::from_slice(&state.objects[key.as_str()][0].bytes).unwrap();
    assert_eq!((&manifest["user_id"], &manifest["records"]["file"]), (&json!("user_ann1"), &json!(2)));
    assert_eq!(manifest["parts"][0]["name"], "part-0001.json");
    assert_eq!((&manifest["parts"][0]["records"], &manifest["parts"][0]["files"]), (&json!(7), &json!(2)));
}

#[tokio::test]
async fn many_records_become_several_parts_and_none_is_left_out_or_twice() {
    let key = |n: u32| format!("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH{n:04}-photo.png");
    let files: Vec<_> = (0..120).map(|n| ready(&pending_at(&key(n)))).collect();
    let world = world_with(&files);
    world.change(|state| state.exports.records_in_a_page = 1);
    ask(&world).await;
    work(&world).await;
    let export = export_in(&world);
    assert_eq!((export.parts.len(), export.walk.clone(), export.counts["file"]), (3, Walk::Over, 120));
    let mut found: Vec<String> =
        records(&world).iter().filter_map(|record| Some(record["s3_key"].as_str()?.to_owned())).collect();
    found.dedup();
    assert_eq!(found, (0..120).map(key).collect::<Vec<_>>());
}

#[tokio::test]
async fn whoever_asks_again_gets_the_same_export_for_an_hour_and_three_a_day() {
    let world = everything();
    let first = ask(&world).await;
    let again = send(&world, "ask").await["body"].clone();
    assert_eq!((&again["data"]["export_id"], &again["data"]["state"]), (&first["export_id"], &json!("pending")));
    assert!(again["message"].as_str().unwrap().contains("is being collected"), "{again}");
    work(&world).await;
    let again = send(&world, "ask").await["body"].clone();
    assert_eq!((&again["data"]["export_id"], &again["data"]["state"]), (&first["export_id"], &json!("ready")));
    assert_eq!(again["data"]["parts"], json!([]));
    assert!(again["message"].as_str().unwrap().contains("is ready already"), "{again}");
    assert_eq!(world.state().outbox.len(), 2, "no second event");
    // An hour passes: the last export has the times, the id and the keys of one that is an hour older.
    let age = |world: &World| {
        world.change(|state| {
            let last = state.exports.last.get_mut(&user("user_ann1")).unwrap();
            last.requested_at = last.requested_at.minus(Duration::from_hours(1));
            let (id, older) = (last.id.to_string(), ExportId::mint(last.requested_at));
            last.id = older;
            let aged = |(key, versions): (String, _)| (key.replace(&id, &older.to_string()), versions);
            state.objects = std::mem::take(&mut state.objects).into_iter().map(aged).collect();
        });
    };
    for _ in 0..2 {
        age(&world);
        assert_ne!(ask(&world).await["export_id"], first["export_id"]);
        work(&world).await;
    }
    age(&world);
    let refused = send(&world, "ask").await;
    assert_eq!(refusal(&refused), (429, "RATE_LIMITED"));
    assert_eq!(refused["body"]["error"]["details"]["limit"], 3);
    // The objects of the earlier exports are gone.
    let id = export_in(&world).id.to_string();
    let keys: Vec<String> = world.state().objects.into_keys().filter(|key| key.starts_with("exports/")).collect();
    assert!(keys.len() == 2 && keys.iter().all(|key| key.contains(&id)), "{keys:?}");
}

#[tokio::test]
async fn without_an_export_or_with_an_old_one_there_is_nothing_to_download() {
    let world = everything();
    let state = async || send(&world, "state").await["body"]["data"].clone();
    assert_eq!(
        state().await,
        json!({ "export_id": null, "state": "none", "requested_at": null, "expires_at": null, "records": 0, "parts": [] })
    );
    ask(&world).await;
    assert_eq!(state().await["state"], "pending");
    work(&world).await;
    world.change(|state| {
        let last = state.exports.last.get_mut(&user("user_ann1")).unwrap();
        last.expires_at = GRANTED.minus(Duration::from_hours(9_000));
    });
    let old = state().await;
    assert_eq!((&old["state"], &old["parts"]), (&json!("expired"), &json!([])));
    // A late message does nothing.
    assert!(deliver_next(&world).await);
    assert_eq!(world.state().later.len(), 0);
}

#[tokio::test]
async fn a_closed_account_can_neither_ask_for_an_export_nor_read_one() {
    let world = everything();
    ask(&world).await;
    work(&world).await;
    close(&world, "user_ann1");
    for case in ["ask", "state"] {
        assert_eq!(refusal(&send(&world, case).await), (401, "UNAUTHENTICATED"), "{case}");
    }
}

/// Closes Ann's account in the middle of whatever runs.
fn close_in(state: &mut consigne_testkit::fakes::State) {
    let ann = user("user_ann1");
    let closed = Profile { closed_at: Some(GRANTED), ..Profile::unknown(ann.clone()) };
    state.profiles.insert(ann.clone(), closed);
    state.closings.insert(ann.clone(), Closing::begin(ann, GRANTED));
}

#[tokio::test]
async fn an_erasure_while_an_export_is_written_leaves_nothing_of_it() {
    let mut points = 0;
    for skip in 0.. {
        let world = everything();
        ask(&world).await;
        world.interleave(skip, close_in);
        work(&world).await;
        if world.interleaving_is_left() {
            break;
        }
        points += 1;
        let ended = world.state().outbox.iter().filter(|(_, entry)| entry.kind == "account.export-ready").count();
        close_accounts_at(&world, GRANTED.plus(Duration::from_mins(1))).await;
        // A message that comes later finds no export.
        assert_eq!(
            functions::deliver(&world, "export-worker", payload::event("export-worker", "next", "")).await["batchItemFailures"],
            json!([])
        );
        let state = world.state();
        assert!(state.exports.last.is_empty(), "effect {skip}");
        assert!(
            !state.objects.keys().any(|key| key.starts_with("exports/")),
            "effect {skip}: {:?}",
            state.objects.keys()
        );
        assert!(ended <= 1);
    }
    assert!(points >= 8, "{points}");
}

#[tokio::test]
async fn a_ready_export_is_removed_with_the_account() {
    let world = everything();
    ask(&world).await;
    work(&world).await;
    // As a rule of the bucket leaves it.
    world.put_object("exports/user_ann1/exp_01M7YREWKH7VM7Z3Z2KWSH2FTR/part-0001.json", "v1", vec![1]);
    world.put_object("exports/user_ann12/exp_01M7YREWKH7VM7Z3Z2KWSH2FTR/part-0001.json", "v1", vec![1]);
    close(&world, "user_ann1");
    close_accounts_at(&world, GRANTED.plus(Duration::from_mins(1))).await;
    let left: Vec<String> = world.state().objects.into_keys().filter(|key| key.starts_with("exports/")).collect();
    assert_eq!(left, ["exports/user_ann12/exp_01M7YREWKH7VM7Z3Z2KWSH2FTR/part-0001.json"]);
    assert!(world.state().exports.last.is_empty());
}

#[tokio::test]
async fn the_event_and_a_message_of_another_export_do_what_they_name() {
    let world = everything();
    ask(&world).await;
    let before = world.state();
    functions::deliver(&world, "export-worker", payload::event("export-worker", "requested", "")).await;
    assert_eq!(world.state(), before, "the payload names another export");
}

#[tokio::test]
async fn the_person_gets_a_mail_with_a_link_to_the_page_of_their_account() {
    let world = everything();
    let log = deliver(&world, "export-ready").await;
    assert_eq!(log["mail.outcomes"], json!({ "user_ann1": "sent" }));
    let mail = world.state().mail.sent[0].clone();
    assert_eq!(mail.subject, "Vos données sont prêtes à être téléchargées");
    assert!(mail.text.contains("/account\n") && !mail.text.contains("X-Amz"), "{}", mail.text);
}

#[tokio::test]
async fn an_endpoint_is_named_and_not_shown_because_its_organisation_has_it() {
    let world = everything();
    // The pointer stays when the person is removed from the organisation, which goes on to change the endpoint.
    put_endpoint(&world, ENDPOINT, "user_ann1", |_| {});
    ask(&world).await;
    work(&world).await;
    let shown: Vec<Value> = records(&world).into_iter().filter(|record| record["type"] == "endpoint").collect();
    assert_eq!(shown, [json!({ "type": "endpoint", "id": ENDPOINT, "org_id": org(ORG) })]);
}

#[tokio::test]
async fn the_log_says_which_export_was_read() {
    let world = everything();
    let id = ask(&world).await["export_id"].clone();
    let token = functions::issuer().token("user_ann1", "free");
    let read = payload::event("user-export", "state", &token);
    let (_, lines) = functions::call_with_lines(&world, "user-export", read).await;
    assert_eq!((&lines[0]["export.id"], &lines[0]["audit"]["user"]), (&id, &json!("user_ann1")));
}

#[tokio::test]
async fn a_worker_whose_time_runs_short_saves_how_far_it_came() {
    let world = everything();
    world.change(|state| state.exports.records_in_a_page = 1);
    ask(&world).await;
    let begun = export_in(&world);
    assert!(!deliver_within(&world, Duration::from_secs(4)).await, "the message must come again");
    assert_eq!(export_in(&world), begun);
    // Before the second record is read, a second passes.
    world.interleave(2, |_| std::thread::sleep(Duration::from_millis(1_500)));
    assert!(deliver_within(&world, Duration::from_secs(6)).await);
    let next = export_in(&world);
    assert_eq!((next.parts.len(), next.parts[0].records, world.state().later.len()), (1, 2, 1));
    work(&world).await;
    assert_eq!((records(&world).len(), export_in(&world).walk), (7, Walk::Over));
}

#[tokio::test]
async fn a_worker_whose_time_runs_short_leaves_the_removal_to_the_next_message() {
    let world = everything();
    ask(&world).await;
    assert!(deliver_next(&world).await);
    assert_eq!(export_in(&world).walk, Walk::Manifest);
    let old = ExportKey::part(&user("user_ann1"), ExportId::derive(&["old"]), 1).to_string();
    world.put_object(&old, "v1", vec![1]);
    world.change(|state| state.later.clear());
    assert!(deliver_within(&world, Duration::from_secs(4)).await);
    assert_eq!((export_in(&world).walk, world.state().later.len()), (Walk::Manifest, 1));
    work(&world).await;
    assert_eq!(export_in(&world).walk, Walk::Over);
    assert!(world.state().objects.get(&old).is_none_or(Vec::is_empty));
}

#[tokio::test]
async fn one_part_too_many_is_not_written() {
    let world = everything();
    ask(&world).await;
    world.change(|state| {
        let part = Part { version: "v1".to_owned(), size: 3, records: 1, files: 0 };
        state.exports.last.get_mut(&user("user_ann1")).unwrap().parts = vec![part; PARTS_MAX];
    });
    assert!(!deliver_next(&world).await);
    assert_eq!(world.state().exports.written, 0);
}
