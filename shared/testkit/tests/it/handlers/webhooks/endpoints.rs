//! Routes of customers' endpoints: create, list, update, rotate, delete.

use std::collections::VecDeque;

use consigne_core::EndpointId;
use consigne_core::endpoints::{DisabledBecause, ENDPOINTS_MAX, Endpoint, EndpointStatus};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, hooks};
use serde_json::{Value, json};

use crate::handlers::GRANTED;
use crate::handlers::people::accounts;
use crate::handlers::people::accounts::{
    ORG, OTHER_ORG, acme, answer, audit_log, found, headed, org, outbox, refusal, saying, sent_by, user, with,
};

/// The endpoint in the payloads.
pub const ENDPOINT: &str = "ep_01M7YREWKH7VM7Z3Z2KWSH2FTW";

/// Creates Acme with the endpoint of the payloads, registered by Ann, after `change`.
pub fn with_endpoint(change: impl FnOnce(&mut Endpoint)) -> World {
    let world = acme();
    put_endpoint(&world, ENDPOINT, "user_ann1", change);
    world
}

/// Puts an endpoint of Acme into a world after `change`.
pub fn put_endpoint(world: &World, id: &str, person: &str, change: impl FnOnce(&mut Endpoint)) {
    let id = EndpointId::parse(id).unwrap();
    let mut endpoint = Endpoint { id, ..hooks::endpoint(org(ORG), &user(person), GRANTED) };
    change(&mut endpoint);
    world.change(|state| {
        state.hooks.pointers.insert((endpoint.created_by.clone(), id), endpoint.org);
        state.hooks.endpoints.insert((endpoint.org, id), endpoint);
    });
}

/// Returns the stored endpoint of the payloads.
pub fn endpoint_in(world: &World) -> Endpoint {
    world.state().hooks.endpoints[&(org(ORG), EndpointId::parse(ENDPOINT).unwrap())].clone()
}

async fn create(world: &World, fields: &Value) -> Value {
    let event = headed(sent_by("user_ann1", "endpoint-create", "hooks"), "idempotency-key", None);
    answer(world, "endpoint-create", with(event, fields)).await
}

#[tokio::test]
async fn an_endpoint_is_registered_and_its_secret_shown_once() {
    let world = acme();
    let answered = functions::call(&world, "endpoint-create", sent_by("user_dev1", "endpoint-create", "hooks")).await;
    assert_eq!(answered["status"], 201, "{answered}");
    let data = &answered["body"]["data"];
    assert_eq!(data["url"], "https://hooks.example.com/consigne?token=t");
    assert_eq!(data["events"], json!(["job.completed", "key.revoked"]));
    assert_eq!((&data["rate_per_second"], &data["status"]), (&json!(10), &json!("active")));
    let secret = data["secret"].as_str().unwrap();
    let id = EndpointId::parse(data["id"].as_str().unwrap()).unwrap();
    assert_eq!(secret, functions::endpoint_secrets().derive(org(ORG), id, 1).expose());
    assert!(secret.starts_with("whsec_"));
    let details =
        json!({ "host": "hooks.example.com", "events": ["job.completed", "key.revoked"], "rate_per_second": 10 });
    let entry = json!([{ "action": "endpoint.created", "subject": "ep_<id>", "actor": "user_dev1", "ip": "203.0.113.9",
        "details": details }]);
    assert_eq!(audit_log(&world), entry, "only the host of its URL");
    let listed = answer(&world, "endpoint-list", sent_by("user_adam1", "endpoint-list", "all")).await;
    assert_eq!(listed["body"]["data"][0]["created_by"], "user_dev1");
    assert!(!listed.to_string().contains("whsec_") && !format!("{:?}", world.state().hooks).contains(secret));

    // A retry gets the same answer and registers nothing.
    let again = functions::call(&world, "endpoint-create", sent_by("user_dev1", "endpoint-create", "hooks")).await;
    assert_eq!(again["body"]["data"], *data);
    assert_eq!(world.state().hooks.endpoints.len(), 1);
    let other = with(sent_by("user_dev1", "endpoint-create", "hooks"), &json!({ "url": "https://other.example.com" }));
    assert_eq!(refusal(&answer(&world, "endpoint-create", other).await), (422, "IDEMPOTENCY_MISMATCH"));
}

#[tokio::test]
async fn every_invalid_field_is_named() {
    let world = acme();
    world.change(|state| {
        let lead = |state: &mut consigne_testkit::fakes::State, name: &str, to: &[&str]| {
            let to = to.iter().map(|text| text.parse().unwrap()).collect();
            state.hooks.names.insert(name.to_owned(), to);
        };
        lead(state, "inside.example.com", &["10.0.0.7"]);
        lead(state, "metadata.example.com", &["169.254.169.254"]);
        lead(state, "both.example.com", &["1.1.1.1", "127.0.0.1"]);
        lead(state, "six.example.com", &["::ffff:169.254.169.254"]);
    });
    for (field, value) in [
        ("url", json!("http://hooks.example.com")),
        ("url", json!("https://169.254.169.254/latest/meta-data")),
        ("url", json!("https://[fd00:ec2::254]/")),
        ("url", json!("https://2852039166/")),
        ("url", json!("https://127.0.0.1")),
        ("url", json!("https://10.1.2.3")),
        ("url", json!("https://localhost")),
        ("url", json!("https://inside.example.com")),
        ("url", json!("https://metadata.example.com")),
        ("url", json!("https://both.example.com")),
        ("url", json!("https://six.example.com")),
        ("url", json!("https://ann:secret@hooks.example.com")),
        ("url", json!(7)),
        ("events", json!([])),
        ("events", json!(["job.sung"])),
        ("events", json!(["job.requested"])),
        ("events", json!(["*"])),
        ("rate_per_second", json!(0)),
        ("rate_per_second", json!(101)),
        ("rate_per_second", json!(-1)),
        ("secret", json!("whsec_mine")),
    ] {
        let refused = create(&world, &json!({ field: value })).await;
        assert_eq!(refusal(&refused), (400, "INVALID_REQUEST"), "{field} {value}: {refused}");
        assert_eq!(refused["body"]["error"]["details"]["field"], field);
    }
    let unknown = create(&world, &json!({ "events": ["job.sung"] })).await;
    let known = unknown["body"]["error"]["details"]["known"].as_array().unwrap();
    assert!(known.contains(&json!("job.completed")) && !known.contains(&json!("job.requested")), "{known:?}");
    assert!(world.state().hooks.endpoints.is_empty());
    // A name that does not resolve yet is accepted, because it may resolve later.
    assert_eq!(create(&world, &json!({ "url": "https://soon.example.com" })).await["status"], 201);
}

#[tokio::test]
async fn an_organisation_has_at_most_twenty_endpoints_and_none_new_while_suspended() {
    let world = acme();
    for n in 0..ENDPOINTS_MAX {
        assert_eq!(create(&world, &json!({ "url": format!("https://soon.example.com/{n}") })).await["status"], 201);
    }
    let full = create(&world, &json!({})).await;
    assert_eq!((refusal(&full), &full["body"]["error"]["details"]["limit"]), ((409, "CONFLICT"), &json!(20)));
    let world = acme();
    world.change(|state| state.accounts.orgs.get_mut(&org(ORG)).unwrap().suspended = true);
    assert_eq!(refusal(&create(&world, &json!({})).await), (409, "CONFLICT"));
}

#[tokio::test]
async fn an_endpoint_is_changed_and_enabled_again() {
    let disabled = EndpointStatus::Disabled(DisabledBecause::Failing, GRANTED);
    let world = with_endpoint(|endpoint| {
        endpoint.status = disabled;
        endpoint.failing_since = Some(GRANTED);
    });
    let change = async |body: &Value| {
        answer(&world, "endpoint-update", saying(sent_by("user_ann1", "endpoint-update", "enable"), body)).await
    };
    let changed = change(&json!({ "rate_per_second": 2, "events": ["wallet.low"] })).await;
    assert_eq!((&changed["status"], &changed["body"]["data"]["status"]), (&json!(200), &json!("disabled")));
    assert_eq!(changed["body"]["data"]["disabled_reason"], "failing");
    let enabled = answer(&world, "endpoint-update", sent_by("user_ann1", "endpoint-update", "enable")).await;
    let data = &enabled["body"]["data"];
    assert_eq!(
        (&data["status"], &data["failing_since"], &data["rate_per_second"]),
        (&json!("active"), &json!(null), &json!(2))
    );
    assert_eq!(data["events"], json!(["wallet.low"]));
    let revision = endpoint_in(&world).revision;
    assert_eq!(change(&json!({ "rate_per_second": 2 })).await["status"], 200);
    assert_eq!(endpoint_in(&world).revision, revision, "the same values must change nothing");
    for (field, value) in [("url", json!("https://10.0.0.1")), ("status", json!("disabled")), ("secret", json!("x"))] {
        let refused = change(&json!({ field: value })).await;
        assert_eq!(
            (refusal(&refused), &refused["body"]["error"]["details"]["field"]),
            ((400, "INVALID_REQUEST"), &json!(field))
        );
    }
    assert_eq!(audit_log(&world).as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_organisation_registers_a_url_once() {
    let world = with_endpoint(|_| ());
    let refused = |answer: &Value| {
        assert_eq!(refusal(answer), (409, "CONFLICT"), "{answer}");
        assert_eq!(answer["body"]["error"]["details"]["field"], "url", "{answer}");
    };
    let taken = endpoint_in(&world).url.as_str().to_owned();
    for spelling in [taken.clone(), taken.replace("hooks", "HOOKS"), taken.replace(".com/", ".com:443/")] {
        refused(&create(&world, &json!({ "url": spelling })).await);
    }
    let other = create(&world, &json!({ "url": taken.replace("token=t", "token=u") })).await;
    assert_eq!(other["status"], 201, "{other}");
    let change = async |id: &str, url: &str| {
        let mut event = sent_by("user_ann1", "endpoint-update", "enable");
        event["pathParameters"]["endpoint"] = id.into();
        answer(&world, "endpoint-update", saying(event, &json!({ "url": url }))).await
    };
    let id = world.state().hooks.endpoints.keys().map(|(_, id)| id.to_string()).find(|id| id != ENDPOINT).unwrap();
    refused(&change(&id, &taken).await);
    // Its own URL may be spelled in another way, and once it is left, another endpoint may have it.
    assert_eq!(change(ENDPOINT, &taken.replace("hooks", "HOOKS")).await["status"], 200);
    assert_eq!(change(ENDPOINT, "https://soon.example.com").await["status"], 200);
    assert_eq!(change(&id, &taken).await["status"], 200);
}

#[tokio::test]
async fn only_its_registrar_may_redirect_events_about_a_person() {
    let world = with_endpoint(|_| ());
    let change = async |who: &str, body: &Value| {
        answer(&world, "endpoint-update", saying(sent_by(who, "endpoint-update", "enable"), body)).await
    };
    let moved = json!({ "url": "https://soon.example.com" });
    let personal = json!({ "events": ["job.completed", "key.revoked", "file.ready"] });
    for body in [&moved, &personal] {
        assert_eq!(refusal(&change("user_dev1", body).await), (403, "ROLE_REQUIRED"), "{body}");
    }
    assert_eq!(
        change("user_dev1", &json!({ "rate_per_second": 3 })).await["status"],
        200,
        "the organisation's other events can be changed"
    );
    assert_eq!(change("user_ann1", &personal).await["status"], 200);
    assert_eq!(
        change("user_dev1", &json!({ "events": ["key.revoked"] })).await["status"],
        200,
        "events can be removed"
    );
    assert_eq!(change("user_dev1", &moved).await["status"], 200, "it no longer gets events about a person");
    let failing = with_endpoint(|endpoint| endpoint.failing_since = Some(GRANTED));
    let event = saying(sent_by("user_ann1", "endpoint-update", "enable"), &moved);
    assert_eq!(answer(&failing, "endpoint-update", event).await["body"]["data"]["failing_since"], json!(null));
}

#[tokio::test]
async fn a_rotation_shows_a_new_secret_and_only_one_can_be_open() {
    let world = with_endpoint(|_| ());
    let rotate =
        async || functions::call(&world, "endpoint-rotate", sent_by("user_ann1", "endpoint-rotate", "day")).await;
    let rotated = rotate().await;
    assert_eq!(rotated["status"], 201, "{rotated}");
    let secret = functions::endpoint_secrets().derive(org(ORG), endpoint_in(&world).id, 2).expose();
    assert_eq!(rotated["body"]["data"]["secret"], secret);
    assert_eq!(endpoint_in(&world).signing(clock::now()), [2, 1]);
    assert_eq!(rotate().await["body"]["data"], rotated["body"]["data"], "a retry");
    let other = headed(sent_by("user_ann1", "endpoint-rotate", "day"), "idempotency-key", Some("another"));
    assert_eq!(refusal(&answer(&world, "endpoint-rotate", other.clone()).await), (409, "CONFLICT"));
    world.change(|state| {
        state.hooks.endpoints.values_mut().for_each(|endpoint| endpoint.previous_until = Some(GRANTED));
    });
    assert_eq!(answer(&world, "endpoint-rotate", other).await["status"], 201);
    assert_eq!(refusal(&rotate().await), (409, "CONFLICT"), "a retry after the secret has expired");
    let long = saying(sent_by("user_ann1", "endpoint-rotate", "day"), &json!({ "grace_seconds": 604_801 }));
    assert_eq!(answer(&world, "endpoint-rotate", long).await["body"]["error"]["details"]["field"], "grace_seconds");
}

#[tokio::test]
async fn an_endpoint_is_deleted_once_and_only_by_its_organisation() {
    let world = with_endpoint(|_| ());
    found(&world, OTHER_ORG, "Other", &accounts::PEOPLE);
    for function in ["endpoint-delete", "endpoint-rotate", "endpoint-update", "delivery-list"] {
        let case = match function {
            "endpoint-delete" => "hooks",
            "endpoint-rotate" => "day",
            "endpoint-update" => "enable",
            _ => "all",
        };
        let mut event = sent_by("user_ann1", function, case);
        event["pathParameters"]["org"] = OTHER_ORG.into();
        assert_eq!(refusal(&answer(&world, function, event).await), (404, "NOT_FOUND"), "{function}");
        let mut event = sent_by("user_ann1", function, case);
        event["pathParameters"]["endpoint"] = "ep_x".into();
        assert_eq!(refusal(&answer(&world, function, event).await), (404, "NOT_FOUND"), "{function}");
    }
    let delete = async || answer(&world, "endpoint-delete", sent_by("user_ann1", "endpoint-delete", "hooks")).await;
    assert_eq!(delete().await["status"], 200);
    assert_eq!(refusal(&delete().await), (404, "NOT_FOUND"));
    let state = world.state();
    assert!(state.hooks.endpoints.is_empty() && state.hooks.pointers.is_empty());
    assert_eq!((&audit_log(&world)[0]["action"], outbox(&world)), (&json!("endpoint.deleted"), json!([])));
    assert_eq!(state.hooks.answers, VecDeque::new());
}
