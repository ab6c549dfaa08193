//! migration-deadline: keys of an older installation are announced, reminded of and revoked, each once.

use std::time::Duration;

use consigne_auth::{KeyPrefix, LegacyText, Peppers};
use consigne_core::audit::{Actor, Origin};
use consigne_core::keys::{ChangeContext, KeyMode, KeyStatus};
use consigne_core::migrations::{AccessLevel, LegacyKey, Place, REASON, TextFacts};
use consigne_core::{KeyId, Timestamp};
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use consigne_usecases::migrations::carry_over;
use serde_json::{Value, json};

use crate::crash::survives_to;
use crate::handlers::GRANTED;
use crate::handlers::people::accounts::{ORG, acme, audit_log, org, outbox, user};

fn days(days: u32) -> Timestamp {
    // The schedule runs in the morning. The keys were imported during the day.
    consigne_core::periods::Day::of(GRANTED).starts().plus(Duration::from_hours(u64::from(days) * 24 + 6))
}

/// Imports a key of a person. Returns its id.
async fn import_key(world: &World, n: u32, owner: &str, place: Place, now: Timestamp) -> KeyId {
    let text = format!("sk_live_an-older-key_{n:012}");
    let peppers = Peppers::parse(r#"{"current": 1, "1": "pepper-0123456789abcdef0123456789"}"#).unwrap();
    let text = LegacyText::parse(&KeyPrefix::parse("sk").unwrap(), &text).map(|text| peppers.legacy_pointer(&text));
    let legacy = LegacyKey {
        id: n.to_string(),
        place,
        owner: user(owner),
        name: format!("Key {n}"),
        access: AccessLevel::Read,
        text: TextFacts {
            pointer: text.unwrap().unwrap(),
            environment: KeyMode::Production,
            prefix: "sk_live".to_owned(),
            hint: "0000".to_owned(),
        },
        created_at: GRANTED.minus(Duration::from_hours(24 * 400)),
        last_used_at: None,
        revoked: false,
    };
    let origin = Origin { actor: Actor::Operator("op".to_owned()), ip: None, user_agent: None, plan: None };
    carry_over(world, &legacy, &ChangeContext { origin: &origin, now }).await.unwrap();
    legacy.key_id()
}

/// Creates Acme with two imported keys of Dev, and one of Ann without an organisation.
async fn acme_with_imported_keys() -> World {
    let world = acme();
    for n in 1..=2 {
        import_key(&world, n, "user_dev1", Place::Here(org(ORG)), GRANTED).await;
    }
    import_key(&world, 3, "user_ann1", Place::Personal, GRANTED).await;
    world.change(|state| state.accounts.audit.clear());
    world
}

async fn try_tick(world: &World, at: Timestamp) -> Result<Value, String> {
    let mut event = payload::event("migration-deadline", "tick", "");
    event["time"] = at.to_string().into();
    functions::tick(world, "migration-deadline", event).await
}

/// Runs migration-deadline. Returns `[announced, reminded, ended, revoked]`.
async fn tick(world: &World, at: Timestamp) -> Value {
    let done = try_tick(world, at).await.unwrap();
    json!([done["announced"], done["reminded"], done["ended"], done["revoked"]])
}

/// Returns the events in the outbox as text: kind, owner and names of keys.
fn event_lines(world: &World) -> Vec<String> {
    let events = outbox(world);
    // Sorted, because ids of keys have no meaningful order.
    let names = |keys: &Value| {
        let mut names: Vec<String> = keys.as_array().unwrap().iter().map(|key| key["name"].to_string()).collect();
        names.sort();
        names.concat()
    };
    let line = |event: &Value| {
        let (kind, detail) = (event["kind"].as_str().unwrap(), &event["detail"]);
        match &detail["keys"] {
            Value::Null => format!("{kind} {}", detail["name"]),
            keys => format!("{kind} {} {}", detail["user_id"], names(keys)),
        }
    };
    let mut lines: Vec<String> = events.as_array().unwrap().iter().map(line).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn owners_are_notified_and_reminded_once_and_keys_are_revoked() {
    let world = acme_with_imported_keys().await;
    let nothing = json!([0, 0, 0, 0]);
    assert_eq!(tick(&world, GRANTED).await, json!([2, 0, 0, 0]));
    for day in [1, 22] {
        assert_eq!(tick(&world, days(day)).await, nothing, "day {day}");
    }
    assert_eq!(tick(&world, days(23)).await, json!([0, 2, 0, 0]));
    for day in [23, 24, 29] {
        assert_eq!(tick(&world, days(day)).await, nothing, "day {day}");
    }
    assert_eq!(tick(&world, days(30)).await, json!([0, 0, 2, 3]));
    for day in [30, 31, 300] {
        assert_eq!(tick(&world, days(day)).await, nothing, "day {day}");
    }
    insta::assert_json_snapshot!(event_lines(&world), @r#"
    [
      "key.migration-reminder \"user_ann1\" \"Key 3\"",
      "key.migration-reminder \"user_dev1\" \"Key 1\"\"Key 2\"",
      "key.migration-started \"user_ann1\" \"Key 3\"",
      "key.migration-started \"user_dev1\" \"Key 1\"\"Key 2\"",
      "key.revoked \"Key 1\"",
      "key.revoked \"Key 2\"",
      "key.revoked \"Key 3\""
    ]
    "#);
    insta::assert_json_snapshot!(audit_log(&world)[0], @r#"
    {
      "action": "key.revoked",
      "subject": "key_<id>",
      "actor": "service:migration-deadline",
      "ip": null,
      "details": {
        "reason": "It was not replaced within 30 days after its migration from the older installation"
      }
    }
    "#);
    let keys = world.state().accounts.keys;
    assert!(keys.values().all(|key| key.status == KeyStatus::Revoked && key.revoked.as_ref().unwrap().2 == REASON));
}

#[tokio::test]
async fn the_first_notice_has_the_keys_and_the_deadline() {
    let world = acme_with_imported_keys().await;
    tick(&world, GRANTED).await;
    let events: Vec<Value> =
        world.state().outbox.iter().map(|(_, entry)| serde_json::from_str(&entry.detail).unwrap()).collect();
    let anns = events.iter().find(|event| event["user_id"] == "user_ann1").unwrap();
    assert_eq!(anns["until"], "2026-12-21T00:00:00Z");
    insta::assert_json_snapshot!(payload::steady(anns), @r#"
    {
      "event_id": "<id>",
      "occurred_at": "<time>",
      "org_id": "org_<id>",
      "user_id": "user_ann1",
      "keys": [
        {
          "key_id": "key_<id>",
          "name": "Key 3"
        }
      ],
      "total": 1,
      "until": "<time>"
    }
    "#);
}

#[tokio::test]
async fn replaced_revoked_and_deleted_keys_are_not_mentioned_again() {
    let world = acme_with_imported_keys().await;
    tick(&world, GRANTED).await;
    let change = |n: u32, change: &dyn Fn(&mut consigne_core::keys::ApiKey)| {
        world.change(|state| {
            let key = state.accounts.keys.values_mut().find(|key| key.name == format!("Key {n}")).unwrap();
            change(key);
        });
    };
    change(1, &|key| key.generation = 2);
    assert_eq!(tick(&world, days(23)).await, json!([0, 2, 0, 0]));
    assert_eq!(event_lines(&world)[1], "key.migration-reminder \"user_dev1\" \"Key 2\"");
    change(2, &|key| key.status = KeyStatus::Deleted);
    change(3, &|key| key.status = KeyStatus::Revoked);
    assert_eq!(tick(&world, days(30)).await, json!([0, 0, 2, 0]));
    let statuses: Vec<_> = world.state().accounts.keys.values().map(|key| (key.name.clone(), key.status)).collect();
    let want = [("Key 1", KeyStatus::Active), ("Key 2", KeyStatus::Deleted), ("Key 3", KeyStatus::Revoked)];
    for (name, status) in want {
        assert!(statuses.contains(&(name.to_owned(), status)), "{statuses:?}");
    }
}

#[tokio::test]
async fn an_owner_who_has_replaced_everything_is_not_reminded() {
    let world = acme_with_imported_keys().await;
    tick(&world, GRANTED).await;
    world.change(|state| state.accounts.keys.values_mut().for_each(|key| key.generation = 2));
    assert_eq!(tick(&world, days(23)).await, json!([0, 0, 2, 0]));
    assert_eq!(event_lines(&world).len(), 2, "the two first notices");
}

#[tokio::test]
async fn missed_runs_do_not_skip_any_notice() {
    let world = acme_with_imported_keys().await;
    assert_eq!(tick(&world, days(40)).await, json!([2, 0, 0, 0]), "the first notice comes first");
    assert_eq!(tick(&world, days(62)).await, json!([0, 0, 0, 0]));
    assert_eq!(tick(&world, days(75)).await, json!([0, 2, 0, 0]), "then comes the reminder");
    assert_eq!(tick(&world, days(81)).await, json!([0, 0, 0, 0]), "and a week to act on it");
    assert_eq!(tick(&world, days(82)).await, json!([0, 0, 2, 3]));
}

#[tokio::test]
async fn keys_imported_later_have_their_own_month() {
    let world = acme_with_imported_keys().await;
    tick(&world, GRANTED).await;
    import_key(&world, 4, "user_dev1", Place::Here(org(ORG)), days(10)).await;
    assert_eq!(tick(&world, days(10)).await, json!([1, 0, 0, 0]));
    assert_eq!(event_lines(&world)[2], "key.migration-started \"user_dev1\" \"Key 4\"");
    tick(&world, days(23)).await;
    assert_eq!(tick(&world, days(30)).await, json!([0, 0, 2, 3]));
    assert_eq!(tick(&world, days(33)).await, json!([0, 1, 0, 0]));
    assert_eq!(tick(&world, days(40)).await, json!([0, 0, 1, 1]));
}

#[tokio::test]
async fn hundreds_of_owners_are_processed_in_pages() {
    let world = acme();
    for n in 0..250 {
        import_key(&world, n, &format!("user_old{n}"), Place::Personal, GRANTED).await;
    }
    assert_eq!(tick(&world, GRANTED).await, json!([250, 0, 0, 0]));
    assert_eq!(tick(&world, days(23)).await, json!([0, 250, 0, 0]));
    assert_eq!(tick(&world, days(30)).await, json!([0, 0, 250, 250]));
    assert_eq!(event_lines(&world).len(), 750);
}

/// Asserts that the run of a day survives a fault at every effect, after the runs in `before` succeeded.
async fn survives(before: &[u32], day: u32) {
    let mut began = acme_with_imported_keys().await;
    for day in before {
        tick(&began, days(*day)).await;
    }
    let state = std::mem::take(&mut began).state();
    let prepare = || {
        let world = World::default();
        world.change(|known| *known = state.clone());
        world
    };
    // A failed run is repeated.
    let act = async |world: &World| drop(try_tick(world, days(day)).await);
    let end = async |world: &World| {
        assert_eq!(tick(world, days(day)).await, json!([0, 0, 0, 0]), "another run must find nothing to do");
        let stages: Vec<_> = world.state().migrations.values().map(|one| format!("{:?}", one.stage)).collect();
        json!([event_lines(world), audit_log(world), stages])
    };
    survives_to(prepare, act, end).await;
}

#[tokio::test]
async fn the_first_notice_survives_every_fault() {
    survives(&[], 1).await;
}

#[tokio::test]
async fn a_reminder_survives_every_fault() {
    survives(&[1], 24).await;
}

#[tokio::test]
async fn a_revocation_survives_every_fault() {
    survives(&[1, 24], 31).await;
}
