//! Mails about an order that is complete: to the customer, and to those who work on orders.

use consigne_runtime::clock;
use consigne_testkit::fakes::{SimClock, World};
use consigne_testkit::functions::{self, Fakes, MAIL_FROM};
use consigne_testkit::payload;
use serde_json::{Value, json};

use crate::handlers::orders::{announcements, keys, lose, order_id, paid, submit_with, upload_both};

/// Creates a world with a complete order of this address.
async fn submitted(email: &str) -> World {
    let world = paid();
    submit_with(&world, |body| body["email"] = json!(email)).await;
    upload_both(&world).await;
    world
}

/// Delivers the last event about the order twice. Returns all mails that were sent.
async fn mails(world: &World, desk: &'static str) -> Value {
    let settings = [MAIL_FROM, ("ORDERS_EMAIL", desk)];
    let start = Fakes::start_with(world, &SimClock::at(clock::now()), settings);
    let mut batch = payload::event("send-mail", "order-submitted", "");
    let mut body: Value = serde_json::from_str(batch["Records"][0]["body"].as_str().unwrap()).unwrap();
    body["detail"] = announcements(world).pop().unwrap();
    batch["Records"][0]["body"] = body.to_string().into();
    for _ in 0..2 {
        let answer = functions::deliver_started(&start, "send-mail", batch.clone()).await;
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
    }
    world.state().mail.sent.iter().map(|mail| json!([mail.to.as_str(), mail.subject])).collect()
}

#[tokio::test]
async fn customer_and_desk_get_one_mail_each_however_often_the_event_comes() {
    let world = submitted("ann@example.com").await;
    let sent = mails(&world, "orders@example.com").await;
    let customer = json!(["ann@example.com", "Nous avons bien reçu votre commande"]);
    assert_eq!(sent, json!([customer, ["orders@example.com", "New order"]]));
    let texts: Vec<String> = world.state().mail.sent.into_iter().map(|mail| mail.text).collect();
    assert!(texts.iter().all(|text| text.contains(&order_id().to_string())));
    assert!(texts[1].contains(&format!("https://app.example.com/orders/{}", order_id())));
    assert!(!texts[1].contains("ann@example.com") && !texts[1].contains("palm say"), "{}", texts[1]);
}

#[tokio::test]
async fn whoever_tries_it_with_the_desks_own_address_gets_both_mails() {
    let world = submitted("orders@example.com").await;
    assert_eq!(mails(&world, "orders@example.com").await.as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_photo_that_is_sent_again_leads_to_no_mails_and_another_submission_to_both() {
    let world = submitted("ann@example.com").await;
    assert_eq!(mails(&world, "orders@example.com").await.as_array().map(Vec::len), Some(2));
    lose(&world, &keys(&world)[0]).await;
    submit_with(&world, |_| ()).await;
    upload_both(&world).await;
    assert_eq!(
        (announcements(&world).len(), mails(&world, "orders@example.com").await.as_array().map(Vec::len)),
        (2, Some(2))
    );
    submit_with(&world, |body| body["answers"] = json!({ "question": "And my love line?" })).await;
    upload_both(&world).await;
    let subjects = mails(&world, "orders@example.com").await;
    assert_eq!(subjects[3], json!(["orders@example.com", "An order was submitted again"]), "{subjects}");
}

#[tokio::test]
async fn nobody_but_the_customer_gets_a_mail_where_no_desk_is_named() {
    let world = submitted("ann@example.com").await;
    assert_eq!(mails(&world, "").await.as_array().map(Vec::len), Some(1));
}
