//! payment-list: what an organisation has paid for credits.

use consigne_core::OrgId;
use consigne_core::ports::{ClawBackCredits as _, CreditPurchase as _};
use consigne_testkit::accounts::{purchase, refund};
use consigne_testkit::fakes::World;
use consigne_testkit::functions;
use serde_json::{Value, json};

use crate::handlers::GRANTED;
use crate::handlers::people::accounts::{ORG, OTHER_ORG, answer, found, org, refusal, sent_by};
use crate::handlers::people::webhook_stripe::{offered, send_payload};

#[tokio::test]
async fn a_payment_is_listed_with_its_refund() {
    let world = offered().await;
    assert_eq!(
        answer(&world, "payment-list", sent_by("user_bill1", "payment-list", "all")).await["body"]["data"],
        json!([])
    );
    send_payload(&world, "completed").await;
    send_payload(&world, "refunded").await;
    insta::assert_json_snapshot!(answer(&world, "payment-list", sent_by("user_bill1", "payment-list", "all")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Payments listed",
        "data": [
          {
            "payment": "pi_3MtwBwLkdIwHu7ix28a3tqPa",
            "pack": "starter",
            "credits": 1000,
            "amount": 1000,
            "currency": "EUR",
            "status": "paid",
            "refunded": 250,
            "at": "<time>"
          }
        ],
        "timestamp": "<time>",
        "metadata": {
          "next_cursor": null,
          "total": null
        }
      }
    }
    "#);
}

#[tokio::test]
async fn the_status_follows_the_dispute() {
    let world = offered().await;
    send_payload(&world, "completed").await;
    for (case, status) in [("dispute-created", "disputed"), ("dispute-won", "paid")] {
        send_payload(&world, case).await;
        let listed = answer(&world, "payment-list", sent_by("user_ann1", "payment-list", "all")).await;
        assert_eq!(listed["body"]["data"][0]["status"], status, "{case}");
    }
}

/// Buys three packs for Acme and one for another organisation.
async fn bought() -> World {
    let world = World::default();
    for id in [ORG, OTHER_ORG] {
        found(&world, id, "Acme", &[("user_ann1", consigne_core::orgs::OrgRole::Owner)]);
    }
    let buy = async |id: OrgId, n: u64| {
        let at = GRANTED.plus(std::time::Duration::from_secs(n));
        world.credit_purchase(&purchase(id, &n.to_string(), n, at)).await.unwrap();
    };
    for n in [2, 3, 1] {
        buy(org(ORG), n).await;
    }
    buy(org(OTHER_ORG), 4).await;
    world.claw_back(&refund("9", 1, GRANTED)).await.unwrap();
    world
}

#[tokio::test]
async fn payments_come_newest_first_in_pages_whose_cursor_fits_no_other_list() {
    let world = bought().await;
    let page = async |person: &str, org: &str, query: &str| {
        let mut event = sent_by(person, "payment-list", "all");
        event["pathParameters"]["org"] = org.into();
        event["rawQueryString"] = query.into();
        functions::call(&world, "payment-list", event).await
    };
    let amounts = |page: &Value| -> Vec<u64> {
        page["body"]["data"].as_array().unwrap().iter().map(|payment| payment["amount"].as_u64().unwrap()).collect()
    };
    let first = page("user_ann1", ORG, "limit=2").await;
    assert_eq!((amounts(&first), &first["body"]["metadata"]["total"]), (vec![3, 2], &Value::Null));
    let cursor = first["body"]["metadata"]["next_cursor"].as_str().unwrap();
    let query = format!("limit=2&cursor={cursor}");
    let last = page("user_ann1", ORG, &query).await;
    assert_eq!((amounts(&last), &last["body"]["metadata"]["next_cursor"]), (vec![1], &Value::Null));
    assert_eq!(amounts(&page("user_ann1", OTHER_ORG, "").await), [4]);
    assert_eq!(refusal(&page("user_ann1", OTHER_ORG, &query).await), (400, "INVALID_CURSOR"));
}
