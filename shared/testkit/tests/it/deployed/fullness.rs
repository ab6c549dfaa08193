//! Nearly full storage on the deployed stack: the grant that crosses the threshold causes one mail.

use consigne_testkit::schemas::faults;
use consigne_testkit::stack::{Stack, until};
use serde_json::json;

use super::bus_listener::BusListener;
use super::mail::{address, founder, mail_about, mails_to};

/// The largest video of the free plan.
const VIDEO: usize = 100 << 20;

#[tokio::test]
async fn only_the_grant_that_crosses_four_fifths_of_the_storage_causes_a_mail() {
    let stack = Stack::find();
    let (ann, _) = founder(&stack, "en").await;
    let ann = stack.person(&ann.id, "free");
    let listener = BusListener::on(&stack, "user_id", &ann.id).await;
    let grant = async || {
        let granted = ann.grant("film.mp4", "video/mp4", VIDEO).await;
        assert_eq!(granted.status, 201, "{}", granted.json());
    };
    for _ in 0..8 {
        grant().await;
    }
    assert_eq!(listener.take(10).await.len(), 0, "800 of 1,024 MiB");
    grant().await;
    grant().await;
    let event = listener.wait_for("quota.exceeded").await["detail"].clone();
    assert_eq!(faults("quota.exceeded", &event), Vec::<String>::new());
    assert_eq!(
        json!([event["quota"], event["percent"], event["used"], event["limit"]]),
        json!(["storage", 80, 9 * VIDEO, 1_u64 << 30])
    );
    let mail = mail_about(&stack, &address(&ann), "87% of your storage is used").await;
    let words = mail["BodyText"].as_str().unwrap();
    assert!(words.contains("which is 87%"), "{words}");
    assert!(words.contains("/api/mail/unsubscribe?token="), "the mail must have an unsubscribe link: {words}");
    // By now any other mail would have arrived.
    let more = until(async || (mails_to(&stack, &address(&ann)).await.len() > 1).then_some(()));
    let soon = tokio::time::timeout(std::time::Duration::from_secs(1), more);
    assert!(soon.await.is_err(), "the mail was sent twice");
    assert_eq!(listener.take(10).await.len(), 0);
    listener.close(&stack).await;
}
