//! The catalogue of events: each has a schema, an example of it, and a section in
//! docs/reference/events.md.

use std::collections::BTreeSet;

use consigne_core::deliveries::Subject;
use consigne_core::endpoints::{Audience, delivered};
use consigne_core::events::{Event, EventKind, EventMessage};
use consigne_testkit::payload::root;
use consigne_testkit::schemas::{FOLDER, assert_valid, document, faults, path, read};
use consigne_testkit::template::template;
use serde_json::{Value, json};

fn kinds() -> impl Iterator<Item = &'static str> {
    EventKind::ALL.into_iter().map(EventKind::name)
}

#[test]
fn exactly_the_kinds_of_event_have_a_schema_and_an_example() {
    let wanted: BTreeSet<String> =
        kinds().flat_map(|kind| [format!("{kind}.json"), format!("{kind}.example.json")]).collect();
    let files = std::fs::read_dir(root().join(FOLDER)).unwrap();
    let found: BTreeSet<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, wanted);
    for kind in kinds() {
        let schema = read(kind);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{kind}");
        assert_eq!(schema["$id"], format!("https://consigne.example/events/{kind}.json"));
        assert_eq!((&schema["title"], &schema["additionalProperties"]), (&json!(kind), &json!(true)));
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{kind}: nobody says what {name} is");
        }
        assert_valid(kind, &read(&format!("{kind}.example")).to_string());
    }
}

#[test]
fn the_committed_schemas_are_up_to_date() {
    for kind in EventKind::ALL {
        let file = path(kind);
        let made = serde_json::to_string_pretty(&document(kind)).unwrap() + "\n";
        assert!(std::fs::read_to_string(root().join(&file)).unwrap() == made, "{file} is out of date; make openapi");
    }
}

#[test]
fn every_example_survives_parsing_and_encoding_unchanged() {
    for kind in EventKind::ALL {
        let example = read(&format!("{}.example", kind.name()));
        let message = json!({ "detail-type": kind.name(), "source": "consigne", "detail": example }).to_string();
        let EventMessage { id, occurred_at, data, .. } = EventMessage::parse(&message).unwrap();
        let event = Event { id, occurred_at, data: data.unwrap() };
        assert_eq!((event.kind(), event.detail().to_string()), (kind, example.to_string()));
    }
}

#[test]
fn every_event_in_a_payload_is_valid_for_its_schema() {
    let mut checked = 0;
    for function in ["send-mail", "dispatch-webhook", "generate-worker", "export-worker"] {
        for file in std::fs::read_dir(root().join("events").join(function)).unwrap() {
            let batch: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
            for record in batch["Records"].as_array().unwrap() {
                // A body that is not JSON or has no kind is a malformed message, or a message of our own queues.
                let message = serde_json::from_str::<Value>(record["body"].as_str().unwrap()).unwrap_or_default();
                let Some(kind) = message["detail-type"].as_str() else { continue };
                assert_valid(kind, &message["detail"].to_string());
                assert!(EventMessage::parse(&message.to_string()).unwrap().data.is_some());
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 27);
}

#[test]
fn an_events_subject_fits_the_audience_of_its_kind() {
    for kind in EventKind::ALL {
        let detail = read(&format!("{}.example", kind.name()));
        let data =
            EventMessage::parse(&json!({ "detail-type": kind.name(), "detail": detail }).to_string()).unwrap().data;
        let subject = match data.unwrap().subject() {
            Some(Subject::Org(org)) => (Audience::Organisation, json!(org)),
            Some(Subject::Person(user)) => (Audience::Person, json!(user)),
            Some(Subject::Endpoint(org, endpoint)) => (Audience::Endpoint, json!([org, endpoint])),
            None => (kind.audience(), json!(null)),
        };
        match kind.audience() {
            Audience::Organisation => assert_eq!(subject, (Audience::Organisation, detail["org_id"].clone())),
            Audience::Person => assert_eq!(subject, (Audience::Person, detail["user_id"].clone())),
            Audience::Endpoint => {
                assert_eq!(subject, (Audience::Endpoint, json!([detail["org_id"], detail["endpoint_id"]])));
            }
            Audience::Nobody(_) => assert_eq!(subject.1, json!(null), "{}", kind.name()),
        }
    }
}

#[test]
fn the_reference_names_every_event_and_every_field() {
    let page = std::fs::read_to_string(root().join("docs/reference/events.md")).unwrap();
    let first = format!("\n## {}\n", kinds().min().unwrap());
    let (overview, sections) = page.split_once(&first).unwrap();
    let sections = format!("{first}{sections}");
    for kind in kinds() {
        let (_, section) = sections.split_once(&format!("\n## {kind}\n")).unwrap_or_else(|| panic!("no {kind}"));
        let section = section.split("\n## ").next().unwrap();
        for name in read(kind)["properties"].as_object().unwrap().keys() {
            let row = format!("\n| `{name}` | ");
            assert!(section.contains(&row) || overview.contains(&row), "{kind}: no row of {name}");
        }
    }
}

#[test]
fn the_rule_sends_exactly_the_events_that_endpoints_can_get() {
    let rule = &template()["Resources"]["DeliveryRule"]["Properties"]["EventPattern"]["detail-type"];
    assert_eq!(*rule, json!(delivered().into_iter().map(EventKind::name).collect::<Vec<_>>()));
}

#[test]
fn an_event_that_differs_from_its_schema_is_invalid() {
    for kind in kinds() {
        let (schema, example) = (read(kind), read(&format!("{kind}.example")));
        for name in schema["required"].as_array().unwrap().iter().filter_map(Value::as_str) {
            let mut cut = example.clone();
            cut.as_object_mut().unwrap().remove(name);
            assert_eq!(faults(kind, &cut), [format!("{kind} lacks {name}")]);
            let may_be_negative =
                schema["properties"][name]["type"] == "integer" && schema["properties"][name]["minimum"].is_null();
            let odd = [json!(null), json!(1.5), json!([]), json!({}), json!(-1)];
            for odd in odd.into_iter().take(if may_be_negative { 4 } else { 5 }) {
                let mut changed = example.clone();
                changed[name] = odd;
                assert!(!faults(kind, &changed).is_empty(), "{changed}");
            }
        }
        let mut more = example.clone();
        more["something"] = json!("new");
        assert_eq!(faults(kind, &more), Vec::<String>::new());
    }
    let changed = |kind: &str, name: &str, value: Value| {
        let mut example = read(&format!("{kind}.example"));
        example[name] = value;
        faults(kind, &example).len()
    };
    for (kind, name, value) in [
        ("job.requested", "kind", json!("song")),
        ("job.requested", "count", json!(5)),
        ("job.requested", "deadline", json!("2026-11-31T25:00:00Z")),
        ("job.requested", "uploads_url", json!("/api/webhooks")),
        ("job.completed", "status", json!("failed")),
        ("job.completed", "files", json!(["a.png"])),
        ("job.failed", "error", json!({ "code": "X" })),
        ("file.deleted", "cause", json!("")),
        ("file.ready", "width", json!(0)),
        ("key.issued", "actor", json!("ann")),
        // A request for a book has a topic and no prompt.
        ("job.requested", "kind", json!("book")),
    ] {
        assert!(changed(kind, name, value.clone()) > 0, "{kind} {name} {value}");
    }
    assert_eq!(faults("job.sung", &json!({})), ["job.sung has no schema"]);
}
