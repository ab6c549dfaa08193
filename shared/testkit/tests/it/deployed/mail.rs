//! Mails on the deployed stack, from the event to the mailbox, and unsubscribing.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use consigne_core::{EventId, Timestamp};
use consigne_runtime::clock;
use consigne_testkit::schemas::assert_valid;
use consigne_testkit::stack::{Person, Stack, until};
use serde_json::{Value, json};

use super::{assert_field_refused, text};

/// Creates a user with an address and a language by creating an organisation. Returns the user and the organisation's
/// id.
pub async fn founder<'a>(stack: &'a Stack, language: &str) -> (Person<'a>, String) {
    let mut founder = stack.newcomer("pro");
    let claims = json!({ "email": address(&founder), "email_verified": true, "first_name": "Ann",
        "locale": language, "public_metadata": { "subscription": "pro" } });
    founder.token = stack.issuer.token_with(&founder.id, &claims);
    let answer = founder.call_with("POST", "/api/orgs", &json!({ "name": "Société d’Été" })).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    let org = text(&answer.json()["data"], "id");
    (founder, org)
}

/// Returns the address of such a user.
pub fn address(person: &Person<'_>) -> String {
    format!("{}@people.example", person.id)
}

/// Returns the mails to an address that the mail service has accepted.
pub async fn mails_to(stack: &Stack, address: &str) -> Vec<Value> {
    let taken = stack.client.send("GET", stack.name("MAIL_URL"), &[], Vec::new()).await.json();
    let all = taken["messages"].as_object().into_iter().flatten().filter_map(|(_, mails)| mails.as_array().cloned());
    all.flatten().filter(|mail| mail["To"] == json!([address])).collect()
}

/// Waits for a mail to an address whose subject contains a text. Returns it.
pub async fn mail_about(stack: &Stack, address: &str, subject: &str) -> Value {
    let about = |mail: &Value| mail["Subject"].as_str().is_some_and(|said| said.contains(subject));
    let found = until(async || mails_to(stack, address).await.into_iter().find(about));
    found.await.unwrap_or_else(|| panic!("no mail about {subject} came to {address}"))
}

/// Waits for the first mail to an address. Returns it.
pub async fn mail_to(stack: &Stack, address: &str) -> Value {
    let first = until(async || mails_to(stack, address).await.into_iter().next());
    first.await.unwrap_or_else(|| panic!("no mail came to {address}"))
}

/// Puts an event on the stack's bus, as `publish-events` does. Returns its id.
pub async fn happen(stack: &Stack, id: Option<&str>, kind: &str, facts: &Value) -> String {
    let id = id.map_or_else(|| EventId::mint(clock::now()).to_string(), str::to_owned);
    let mut detail = json!({ "event_id": id, "occurred_at": clock::now() });
    detail.as_object_mut().unwrap().extend(facts.as_object().unwrap().clone());
    assert_valid(kind, &detail.to_string());
    let event = PutEventsRequestEntry::builder().event_bus_name(stack.name("BUS_NAME")).source("consigne");
    let event = event.detail_type(kind).detail(detail.to_string()).build();
    let client = aws_sdk_eventbridge::Client::new(&stack.aws().sdk_config());
    assert_eq!(client.put_events().entries(event).send().await.unwrap().failed_entry_count, 0);
    id
}

/// Returns the detail of the event of a finished job.
pub fn job_of(person: &Person<'_>) -> Value {
    let job = format!("job_01M7YREWKH7VM7Z3Z2KWSH2FTR{}", person.id.trim_start_matches("user_"));
    let file = format!("{}/images/01M7YREWKH7VM7Z3Z2KWSH2FTR-a-lighthouse.png", person.id);
    json!({ "job_id": job, "user_id": person.id, "kind": "image", "title": "A lighthouse", "status": "completed",
        "files": [file] })
}

/// Waits until `send-mail` has logged this outcome for the mail to a person about an event.
async fn outcome(stack: &Stack, event: &str, person: &Person<'_>, word: &str) {
    let wanted = format!("\"{}\":\"{word}\"", person.id);
    let said = until(async || {
        let lines = stack.log_lines("send-mail", event).await;
        lines.iter().any(|line| line.contains(&wanted)).then_some(())
    });
    assert!(said.await.is_some(), "send-mail did not log {wanted} for {event}");
}

#[tokio::test]
async fn an_owner_gets_a_mail_about_a_new_key_in_their_language() {
    let stack = Stack::find();
    for (language, subject, said) in [
        ("fr-CA", "Société d’Été : nouvelle clé d’API « Production »", "par vous."),
        ("en", "Société d’Été: new API key “Production”", "by you."),
    ] {
        let (ann, org) = founder(&stack, language).await;
        let body = json!({ "name": "Production", "environment": "test", "scopes": ["pdf:read"] });
        let key = ann.call_with("POST", &format!("/api/orgs/{org}/keys"), &body).await;
        assert_eq!(key.status, 201, "{}", key.json());
        let mail = mail_to(&stack, &address(&ann)).await;
        assert_eq!(
            (text(&mail, "Subject").as_str(), text(&mail, "Source").as_str()),
            (subject, "no-reply@consigne.example")
        );
        let (words, page) = (text(&mail, "BodyText"), text(&mail, "BodyHtml"));
        assert!(words.contains(said) && words.contains(&format!("http://localhost:3000/orgs/{org}/keys")), "{words}");
        assert!(page.contains(&format!("href=\"http://localhost:3000/orgs/{org}/keys\"")), "{page}");
        let secret = text(&key.json()["data"], "key");
        assert!(!mail.to_string().contains(&secret) && !words.contains("unsubscribe"));

        let revoke = format!("/api/orgs/{org}/keys/{}/revoke", text(&key.json()["data"], "id"));
        assert_eq!(ann.call_with("POST", &revoke, &json!({ "reason": "test" })).await.status, 200);
        let two = until(async || (mails_to(&stack, &address(&ann)).await.len() == 2).then_some(()));
        assert!(two.await.is_some(), "the mail about the revocation was not sent");
    }
}

#[tokio::test]
async fn an_event_delivered_three_times_causes_one_mail() {
    let stack = Stack::find();
    let (ann, _) = founder(&stack, "en").await;
    let id = happen(&stack, None, "job.completed", &job_of(&ann)).await;
    let mail = mail_to(&stack, &address(&ann)).await;
    assert_eq!(text(&mail, "Subject"), "Your image is ready: A lighthouse");
    for _ in 0..2 {
        happen(&stack, Some(&id), "job.completed", &job_of(&ann)).await;
    }
    outcome(&stack, &id, &ann, "done before").await;
    // Another event causes another mail, and a cancelled job none.
    let cancelled = json!({ "code": "CANCELLED", "message": "The job was cancelled" });
    let mut failed = job_of(&ann);
    (failed["status"], failed["error"]) = (json!("failed"), cancelled);
    let quiet = happen(&stack, None, "job.failed", &failed).await;
    let said = until(async || stack.log_lines("send-mail", &quiet).await.into_iter().next());
    assert!(said.await.unwrap().contains("\"mail.outcomes\":{}"));
    assert_eq!(mails_to(&stack, &address(&ann)).await.len(), 1);
}

#[tokio::test]
async fn the_link_in_a_mail_unsubscribes_from_its_topic() {
    let stack = Stack::find();
    let (ann, _) = founder(&stack, "fr").await;
    happen(&stack, None, "job.completed", &job_of(&ann)).await;
    let words = text(&mail_to(&stack, &address(&ann)).await, "BodyText");
    let link = words
        .lines()
        .find(|line| line.contains("/api/mail/unsubscribe?"))
        .expect("a mail of a topic must have an unsubscribe link");
    assert!(link.starts_with(stack.name("CONSIGNE_URL")), "{link}");
    let client = &stack.client;
    let page = client.send("GET", link, &[("accept-language", "fr")], Vec::new()).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(String::from_utf8(page.bytes).unwrap().contains("<form method=\"post\">"));
    // A GET of the link, as mail scanners do, changes nothing.
    happen(&stack, None, "job.completed", &job_of(&ann)).await;
    let two = until(async || (mails_to(&stack, &address(&ann)).await.len() == 2).then_some(()));
    assert!(two.await.is_some());

    let form = [("content-type", "application/x-www-form-urlencoded")];
    let done = client.send("POST", link, &form, b"List-Unsubscribe=One-Click".to_vec()).await;
    assert_eq!(done.status, 200);
    let quiet = happen(&stack, None, "job.completed", &job_of(&ann)).await;
    outcome(&stack, &quiet, &ann, "unsubscribed").await;
    assert_eq!(mails_to(&stack, &address(&ann)).await.len(), 2);
    let altered = format!("{link}A");
    assert_field_refused(&client.send("POST", &altered, &form, Vec::new()).await, 400, "INVALID_REQUEST", "token");
}

/// Returns a client and the URL of one of the stack's queues.
async fn queue(stack: &Stack, name: &str) -> (aws_sdk_sqs::Client, String) {
    let sqs = aws_sdk_sqs::Client::new(&stack.aws().sdk_config());
    let name = format!("{}-{name}", stack.name("STACK_NAME"));
    let url = sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap();
    (sqs, url)
}

/// Returns SES's event about a mail to a person that bounced.
fn bounced(stack: &Stack, person: &Person<'_>, kind: &str) -> Value {
    json!({
        "version": "0", "id": "1", "account": "000000000000", "region": stack.name("AWS_REGION"), "resources": [],
        "time": clock::now(), "source": "aws.ses", "detail-type": "Email Bounced",
        "detail": {
            "eventType": "Bounce",
            "bounce": { "bounceType": kind, "bouncedRecipients": [{ "emailAddress": address(person) }] },
            "mail": {
                "destination": [address(person)],
                "tags": { "ses:configuration-set": [stack.name("STACK_NAME")] },
            },
        },
    })
}

#[tokio::test]
async fn a_mailbox_with_a_permanent_bounce_gets_no_more_mail() {
    let stack = Stack::find();
    let (ann, _) = founder(&stack, "en").await;
    let (sqs, feedback) = queue(&stack, "mail-feedback").await;
    // Only AWS may publish `aws.ses` events, so the event is put directly on the queue behind the rule.
    for (kind, said, then) in [("Transient", "Bounce", "sent"), ("Permanent", "\"bounced\"", "suppressed")] {
        let body = bounced(&stack, &ann, kind).to_string();
        let sent = sqs.send_message().queue_url(&feedback).message_body(body).send().await.unwrap();
        let id = sent.message_id.unwrap();
        let line = until(async || stack.log_lines("mail-feedback", &id).await.into_iter().next());
        assert!(line.await.unwrap().contains(said), "{kind}");
        let event = happen(&stack, None, "job.completed", &job_of(&ann)).await;
        outcome(&stack, &event, &ann, then).await;
        assert_eq!(mails_to(&stack, &address(&ann)).await.len(), 1);
    }
}

#[tokio::test]
async fn the_feedback_rule_matches_bounces_and_complaints_of_this_stack_only() {
    let stack = Stack::find();
    let client = aws_sdk_eventbridge::Client::new(&stack.aws().sdk_config());
    let rules = client.list_rules().send().await.unwrap().rules.unwrap_or_default();
    let prefix = format!("{}-mail-feedback", stack.name("STACK_NAME"));
    let rule = rules.into_iter().find(|rule| rule.name.as_deref().is_some_and(|name| name.starts_with(&prefix)));
    let pattern = rule.unwrap().event_pattern.unwrap();
    let ours = bounced(&stack, &stack.newcomer("free"), "Permanent");
    let changed = |pointer: &str, value: &str| {
        let mut event = ours.clone();
        *event.pointer_mut(pointer).unwrap() = value.into();
        event
    };
    for (event, through) in [
        (ours.clone(), true),
        (changed("/detail-type", "Email Complaint Received"), true),
        (changed("/detail-type", "Email Delivered"), false),
        (changed("/source", "consigne"), false),
        (changed("/detail/mail/tags/ses:configuration-set/0", "another-application"), false),
    ] {
        let asked = client.test_event_pattern().event_pattern(&pattern).event(event.to_string());
        assert_eq!(asked.send().await.unwrap().result, through, "{event}");
    }
}

#[tokio::test]
async fn a_malformed_message_is_moved_to_the_dead_letter_queue_at_once() {
    let stack = Stack::find();
    let ((sqs, mails), (_, dead)) = (queue(&stack, "mails").await, queue(&stack, "mails-dead").await);
    let poison =
        format!("{{\"detail-type\": \"job.completed\", \"detail\": \"{}\"}}", Timestamp::as_millis(clock::now()));
    sqs.send_message().queue_url(&mails).message_body(&poison).send().await.unwrap();
    let parked = until(async || {
        let received = sqs.receive_message().queue_url(&dead).max_number_of_messages(10).send().await.unwrap();
        received.messages?.into_iter().find(|message| message.body.as_deref() == Some(&poison))
    });
    let parked = parked.await.expect("it must be there long before its next delivery");
    sqs.delete_message().queue_url(&dead).receipt_handle(parked.receipt_handle.unwrap()).send().await.unwrap();
}

#[tokio::test]
async fn no_log_line_has_an_address_a_name_or_an_unsubscribe_link() {
    let stack = Stack::find();
    let (ann, _) = founder(&stack, "en").await;
    let event = happen(&stack, None, "job.completed", &job_of(&ann)).await;
    outcome(&stack, &event, &ann, "sent").await;
    for function in ["send-mail", "mail-feedback", "mail-unsubscribe"] {
        for forbidden in ["@", "people.example", "lighthouse", "token=", "Société"] {
            // The laptop's mail service has a name in its message ids.
            let lines = stack.log_lines(function, forbidden).await;
            let lines: Vec<String> = lines.iter().map(|line| line.replace("@email.amazonses.com", "")).collect();
            let held = lines.iter().find(|line| line.contains(forbidden));
            assert!(held.is_none(), "{function} logs {forbidden}: {held:?}");
        }
    }
}
