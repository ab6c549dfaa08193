//! webhook-clerk: the fields of Clerk's record of a person.

use consigne_core::Timestamp;
use consigne_core::profiles::{Contact, Language};
use consigne_testkit::fakes::World;
use consigne_testkit::webhooks::signed;
use serde_json::{Value, json};

use crate::handlers::people::webhook_clerk::{ann, event, send, taken, with};

/// Sends an update of Ann's record with these changes. Returns her stored contact.
async fn stored_contact(changes: &Value) -> Option<Contact> {
    let world = World::default();
    let updated = with(event("updated"), |body| {
        for (name, value) in changes.as_object().unwrap() {
            body["data"][name] = value.clone();
        }
    });
    assert_eq!(send(&world, signed(updated, "msg_1")).await, taken(), "{changes}");
    let ann = ann(&world);
    assert_eq!(ann.webhook_at, Some(Timestamp::from_millis(1_795_257_000_000)), "{changes}");
    ann.from_webhook
}

#[tokio::test]
async fn the_primary_address_is_stored_with_its_verification() {
    let addresses = |verification: Value| {
        json!({ "primary_email_address_id": "idn_2", "email_addresses": [
            { "id": "idn_1", "email_address": "old@example.com", "verification": { "status": "verified" } },
            { "id": "idn_2", "email_address": "ann@example.com", "verification": verification },
        ] })
    };
    let ann = stored_contact(&addresses(json!({ "status": "verified" }))).await.unwrap();
    assert_eq!((ann.email.as_str(), ann.verified), ("ann@example.com", true));
    for unverified in [json!(null), json!({ "status": "unverified" }), json!({ "status": null }), json!({})] {
        assert!(!stored_contact(&addresses(unverified.clone())).await.unwrap().verified, "{unverified}");
    }
    for none in [
        json!({ "primary_email_address_id": null }),
        json!({ "primary_email_address_id": "idn_9" }),
        json!({ "email_addresses": [] }),
    ] {
        assert_eq!(stored_contact(&none).await, None, "{none}");
    }
}

#[tokio::test]
async fn an_undeliverable_address_is_ignored() {
    let with = async |address: &str| {
        stored_contact(&json!({ "email_addresses": [{ "id": "idn_1", "email_address": address }] })).await
    };
    for good in ["a@b", "ann+x@example.com", "été@exemple.fr"] {
        assert_eq!(with(good).await.unwrap().email, good);
    }
    let long = format!("{}@example.com", "a".repeat(243));
    for bad in ["", "ann", "@b", "a@", "a b@c", "a@b\r\nBcc: x@y", "a\u{202e}@b", &long] {
        assert_eq!(with(bad).await, None, "{bad:?}");
    }
}

#[tokio::test]
async fn a_name_is_joined_and_cleaned() {
    let name = async |first: Value, last: Value, handle: Value| {
        stored_contact(&json!({ "first_name": first, "last_name": last, "username": handle })).await.unwrap().name
    };
    assert_eq!(name(json!("Ann"), json!(null), json!("a")).await.as_deref(), Some("Ann"));
    assert_eq!(name(json!(null), json!(" B "), json!(null)).await.as_deref(), Some("B"));
    assert_eq!(name(json!(""), json!(" "), json!("handle")).await.as_deref(), Some("handle"));
    assert_eq!(name(json!(null), json!(null), json!(null)).await, None);
    assert_eq!(name(json!("a\nb"), json!(null), json!(null)).await, None);
    assert_eq!(name(json!("x".repeat(300)), json!("y"), json!(null)).await, Some("x".repeat(100)));
}

#[tokio::test]
async fn the_language_is_read_from_three_places() {
    for (language, changes) in [
        (Language::French, json!({ "locale": "fr-CA", "public_metadata": { "locale": "en" } })),
        (Language::French, json!({ "locale": null, "public_metadata": { "locale": "fr", "language": "en" } })),
        (Language::French, json!({ "public_metadata": { "language": "fr" } })),
        (Language::English, json!({ "public_metadata": { "subscription": "pro" } })),
        (Language::English, json!({ "public_metadata": null })),
    ] {
        assert_eq!(stored_contact(&changes).await.unwrap().language, language, "{changes}");
    }
}

#[tokio::test]
async fn events_about_other_things_are_accepted_and_ignored() {
    let world = World::default();
    for kind in ["session.created", "organization.deleted", "user", ""] {
        let other = with(event("deleted"), |body| body["type"] = kind.into());
        assert_eq!(send(&world, signed(other, "msg_1")).await, taken(), "{kind}");
    }
    for id in ["", "org_1", "user_", "user_a/../b"] {
        for case in ["created", "deleted"] {
            let stranger = with(event(case), |body| body["data"]["id"] = id.into());
            assert_eq!(send(&world, signed(stranger, "msg_1")).await, taken(), "{id}");
        }
    }
    assert_eq!(world.state(), World::default().state());
}

#[tokio::test]
async fn a_record_of_the_wrong_shape_is_refused_by_field() {
    let world = World::default();
    for (field, data) in [
        ("data.id", json!({})),
        ("data.id", json!({ "id": 1 })),
        ("data.id", json!(null)),
        ("data", json!({ "id": "user_ann1", "updated_at": "yesterday" })),
        ("data", json!({ "id": "user_ann1", "updated_at": 1, "email_addresses": "ann@example.com" })),
    ] {
        let odd = with(event("created"), |body| body["data"] = data.clone());
        let answer = send(&world, signed(odd, "msg_1")).await;
        let named = &answer["body"]["error"]["details"]["field"];
        assert_eq!((&answer["status"], named), (&json!(400), &json!(field)), "{data}");
    }
    assert_eq!(world.state(), World::default().state());
}
