//! What front ends ask of the deployed stack: who is signed in, what there is, finished texts, and payments.

use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::stack::{Stack, until};
use consigne_testkit::stripe::{Payments, event, paid, refunded};
use serde_json::{Value, json};

use super::jobs::{asked, wait_for};
use super::{assert_refused, text};

#[tokio::test]
async fn me_shows_the_caller_and_counts_their_jobs_of_this_month() {
    let stack = Stack::find();
    let ann = stack.newcomer("basic");
    let me = async || {
        let answer = ann.call("GET", "/api/me").await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()["data"].clone()
    };
    let before = me().await;
    assert_eq!((&before["user_id"], &before["subscription"]), (&json!(ann.id), &json!("basic")));
    assert_eq!(before["limits"]["generations"]["image"]["limit"], 100);
    asked(&ann, "images", &json!({ "prompt": "a lighthouse" })).await;
    let used = |me: &Value, kind: &str| me["limits"]["generations"][kind]["used"].clone();
    let after = me().await;
    assert_eq!([used(&before, "image"), used(&after, "image"), used(&after, "book")], [json!(0), json!(1), json!(0)]);
    assert_refused(&stack.call("GET", "/api/me", &[], b"").await, 401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn everybody_reads_the_catalogue_and_may_keep_it_for_a_minute() {
    let stack = Stack::find();
    let answer = stack.call("GET", "/api/catalogue", &[], b"").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "public, max-age=60"));
    let data = answer.json()["data"].clone();
    assert_eq!((&data["plans"][0]["name"], &data["packs"][0]["amount"]), (&json!("free"), &json!(1_000)));
    assert_eq!(data["services"][0]["icon"], "file-text");
    let services = stack.newcomer("free").call("GET", "/api/services").await.json()["data"].clone();
    assert_eq!(data["services"], services);
}

#[tokio::test]
async fn a_finished_article_is_listed_until_it_is_deleted() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let list = async |path: &str, name: &str| {
        let answer = ann.call("GET", path).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()[name].as_array().unwrap().clone()
    };
    assert_eq!(list("/api/blog", "articles").await, Vec::<Value>::new());
    let job = asked(&ann, "blog", &json!({ "topic": "Phares" })).await;
    let done = wait_for(&ann, &job, "completed").await;
    let key = text(&done["result"], "s3_key");
    let listed = until(async || list("/api/blog", "articles").await.first().cloned()).await.unwrap();
    let result = &done["result"];
    let want = json!({
        "jobId": job, "title": result["book_title"], "topic": "Phares", "s3Key": key, "fileSize": result["file_size"],
        "chapterCount": result["chapter_count"], "wordCount": result["word_count"], "generatedAt": result["generated_at"],
    });
    assert_eq!(listed, want);
    assert_eq!(list("/api/books", "books").await, Vec::<Value>::new());
    ann.delete(&key).await;
    let gone = until(async || list("/api/blog", "articles").await.is_empty().then_some(())).await;
    assert!(gone.is_some(), "the deleted article is still listed");
    assert_eq!(wait_for(&ann, &job, "completed").await["job_id"], job);
}

#[tokio::test]
async fn payments_are_listed_with_their_refunds() {
    let stack = Stack::find();
    let (fixture, payments) = (OrgFixture::open(&stack, 0).await, Payments::of(&stack));
    let payment = format!("pi_{}list", &fixture.org[4..]);
    let session = paid(&payments.open(&fixture, "starter").await, &payment);
    for event in
        [event("checkout.session.completed", &session), event("charge.refunded", &refunded(&payment, 1_000, 250))]
    {
        assert_eq!(payments.send_event(&event).await.status, 200);
    }
    let path = fixture.path("/payments");
    let listed = until(async || {
        let answer = fixture.owner.call("GET", &path).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()["data"].as_array().unwrap().first().filter(|one| one["refunded"] == 250).cloned()
    });
    let listed = listed.await.unwrap();
    assert_eq!((&listed["payment"], &listed["status"]), (&json!(payment), &json!("paid")));
    assert_eq!(
        (&listed["pack"], &listed["credits"], &listed["amount"]),
        (&json!("starter"), &json!(1_000), &json!(1_000))
    );
}
