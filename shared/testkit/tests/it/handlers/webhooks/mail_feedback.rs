use consigne_core::mail::{Address, Suppression};
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

async fn process(world: &World, case: &str) -> Value {
    functions::deliver(world, "mail-feedback", payload::event("mail-feedback", case, "")).await
}

#[tokio::test]
async fn mailboxes_with_permanent_bounces_or_complaints_are_suppressed() {
    let mailbox = Address::parse("ann@example.com").unwrap().mailbox();
    for (case, want) in [
        ("bounced-for-good", Some(Suppression::Bounced)),
        ("bounced-for-now", None),
        ("complained", Some(Suppression::Complained)),
        ("complained-without-a-kind", Some(Suppression::Complained)),
        ("not-spam", None),
        ("delivered", None),
    ] {
        let world = World::default();
        // A repeated report changes nothing.
        for _ in 0..2 {
            assert_eq!(process(&world, case).await, json!({ "batchItemFailures": [] }), "{case}");
            let suppressed: Vec<_> = world.state().mail.suppressed.into_iter().collect();
            let want: Vec<_> = want.map(|why| (mailbox.clone(), why)).into_iter().collect();
            assert_eq!(suppressed, want, "{case}");
        }
    }
}

#[tokio::test]
async fn feedback_that_cannot_be_stored_or_parsed_is_redelivered() {
    let world = World::default();
    let failed = json!({ "batchItemFailures": [{ "itemIdentifier": "message-1" }] });
    world.fail_at(0, Moment::Before);
    assert_eq!(process(&world, "complained").await, failed);
    assert!(world.state().mail.suppressed.is_empty());
    let mut batch = payload::event("mail-feedback", "complained", "");
    batch["Records"][0]["body"] = "{\"detail\": {}}".into();
    assert_eq!(functions::deliver(&world, "mail-feedback", batch).await, failed);
}
