use std::time::Duration;

use consigne_core::mail::{LEASE, MailEnd, Suppression, Topic};
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::ports::ClaimMail;
use consigne_core::profiles::Language;
use consigne_runtime::clock;
use consigne_testkit::fakes::{MailService, MailState, Moment, World};
use consigne_testkit::{functions, payload};
use serde_json::json;

use crate::handlers::GRANTED;
use crate::handlers::people::accounts::{ORG, org, user};
use crate::handlers::webhooks::mail::{
    EVENT, acme_with_mailboxes, claim_of, deliver, delivered, known, message_of, post,
};

#[tokio::test]
async fn a_jobs_owner_gets_a_mail_with_the_result_in_their_language() {
    let world = acme_with_mailboxes();
    let log = deliver(&world, "job-completed").await;
    let mail = world.state().mail.sent.remove(0);
    assert_eq!(
        (mail.to.as_str(), mail.subject.as_str()),
        ("ann1@example.com", "Votre image est prête : A lighthouse at dawn")
    );
    insta::assert_snapshot!(mail.text, @r"
    Bonjour Ann,

    Votre image « A lighthouse at dawn » est prête.

    Vous pouvez consulter, télécharger ou supprimer le résultat dans l’application.

    Voir le résultat :
    https://app.example.com/jobs/job_01M7YREWKH7VM7Z3Z2KWSH2FTRann1

    -- 
    Consigne
    Vous recevez ce message à la suite d’une génération. Merci de ne pas y répondre.
    Ne plus recevoir ces messages :
    https://api.example.com/api/mail/unsubscribe?token=yMRptV3oO2GigW0Hy4atUmpvYnMgdXNlcl9hbm4x
    ");
    assert!(
        mail.html.contains("href=\"https://app.example.com/jobs/job_01M7YREWKH7VM7Z3Z2KWSH2FTRann1\""),
        "{}",
        mail.html
    );
    let link = mail.unsubscribe.as_deref().unwrap();
    let token = link.strip_prefix("https://api.example.com/api/mail/unsubscribe?token=").unwrap();
    assert_eq!(functions::unsubscribe_seal().open(token), Some((user("user_ann1"), Topic::Jobs)));
    assert_eq!((&log["mail.template"], &log["MailsSent"]), (&json!("job-completed"), &json!(1)));
    assert_eq!(log["mail.outcomes"], json!({ "user_ann1": "sent" }));
    assert!(!log.to_string().contains('@'), "an address in the log: {log}");
}

#[tokio::test]
async fn a_jobs_owner_gets_a_mail_about_a_failure_but_not_about_a_cancellation() {
    let world = acme_with_mailboxes();
    deliver(&world, "job-failed").await;
    let mail = world.state().mail.sent.remove(0);
    assert_eq!(mail.subject, "Votre livre n’a pas pu être créé : Artificial intelligence");
    assert!(mail.text.contains("«\u{a0}The topic is too short\u{a0}»"), "{}", mail.text);
    let world = acme_with_mailboxes();
    deliver(&world, "job-failed-as-cancelled").await;
    assert_eq!(post(&world), json!([]));
}

/// Creates Acme with Eve as a second owner.
fn with_a_second_owner(world: &World) {
    let member = Member { org: org(ORG), user: user("user_eve1"), role: OrgRole::Owner, joined_at: GRANTED };
    world.change(|state| drop(state.accounts.members.insert((org(ORG), member.user.clone()), member)));
}

#[tokio::test]
async fn every_owner_gets_a_mail_about_a_new_key_in_their_language() {
    let world = acme_with_mailboxes();
    with_a_second_owner(&world);
    known(&world, "user_eve1", None, Language::English);
    known(&world, "user_adam1", None, Language::English);
    deliver(&world, "key-issued").await;
    assert_eq!(
        post(&world),
        json!([
            ["ann1@example.com", "Acme : nouvelle clé d’API « Production API »"],
            ["eve1@example.com", "Acme: new API key “Production API”"]
        ])
    );
    let sent = world.state().mail.sent;
    assert!(sent[0].text.contains("par Dev."), "{}", sent[0].text);
    assert!(sent[1].text.starts_with("Hello,\n") && sent[1].text.contains("by Dev."), "{}", sent[1].text);
    assert!(sent.iter().all(|mail| mail.unsubscribe.is_none()), "this mail is sent even to people who unsubscribed");
}

#[tokio::test]
async fn owners_and_billing_members_get_mails_about_disputes_and_low_balances() {
    for (case, subject, said) in [
        ("payment-disputed", "Acme: a payment was disputed", "10,000 credits were taken back because of it."),
        ("payment-refunded", "Acme: a payment was refunded", "300 credits below zero: its keys are refused"),
        ("wallet-low", "Acme: 10% of the credits are left", "has 90 credits left, which is 10%."),
    ] {
        let world = acme_with_mailboxes();
        for id in ["user_adam1", "user_bill1"] {
            known(&world, id, None, Language::English);
        }
        deliver(&world, case).await;
        let sent = world.state().mail.sent;
        let to: Vec<&str> = sent.iter().map(|mail| mail.to.as_str()).collect();
        assert_eq!(to, ["ann1@example.com", "bill1@example.com"], "neither the admin nor the developer gets a mail");
        assert_eq!(sent[1].subject, subject);
        assert!(sent[1].text.contains(said), "{}", sent[1].text);
        assert_eq!(sent[1].unsubscribe.is_some(), case == "wallet-low", "mails about claw-backs must be sent");
    }
}

#[tokio::test]
async fn a_mail_shows_a_balance_below_zero_as_zero() {
    let world = acme_with_mailboxes();
    let body = message_of("wallet-low").replace(r#""balance": 90"#, r#""balance": -70"#).replace("10,", "0,");
    assert!(delivered(&world, &body, clock::now()).await.0.is_ok());
    let text = world.state().mail.sent.remove(0).text;
    assert!(text.contains("Il reste 0 crédit à"), "{text}");
}

#[tokio::test]
async fn a_mail_names_the_actor_as_its_reader_knows_them() {
    for (actor, said) in [
        ("user_ann1", "par vous."),
        ("user_dev1", "par Dev."),
        ("user_bill1", "par un membre de l’organisation."),
        ("operator:root", "par l’opérateur du service."),
    ] {
        let world = acme_with_mailboxes();
        let body = message_of("key-revoked").replace("operator:root", actor);
        assert!(delivered(&world, &body, clock::now()).await.0.is_ok());
        let sent = world.state().mail.sent;
        assert_eq!(sent[0].subject, "Acme : clé d’API « Production API » révoquée");
        assert!(sent[0].text.contains(said), "{actor}: {}", sent[0].text);
    }
}

#[tokio::test]
async fn an_event_delivered_twice_causes_one_mail() {
    let world = acme_with_mailboxes();
    let mut batch = payload::event("send-mail", "job-completed", "");
    let mut copy = batch["Records"][0].clone();
    copy["messageId"] = "message-2".into();
    batch["Records"].as_array_mut().unwrap().push(copy);
    let answer = functions::deliver(&world, "send-mail", batch.clone()).await;
    // The two run concurrently. One may find the mail claimed by the other, and is then redelivered.
    assert!(answer["batchItemFailures"].as_array().unwrap().len() <= 1, "{answer}");
    assert_eq!(functions::deliver(&world, "send-mail", batch).await, json!({ "batchItemFailures": [] }));
    assert_eq!(post(&world).as_array().unwrap().len(), 1);
    assert_eq!(deliver(&world, "job-completed").await["mail.outcomes"], json!({ "user_ann1": "done before" }));
}

#[tokio::test]
async fn a_recipient_without_an_address_is_recorded_and_skipped() {
    let unknown = World::default();
    let odd = acme_with_mailboxes();
    odd.change(|state| {
        let contact = state.profiles.get_mut(&user("user_ann1")).unwrap().from_token.as_mut().unwrap();
        contact.email = "ann\r\nBcc: eve@example.com".to_owned();
    });
    let closed = acme_with_mailboxes();
    closed.change(|state| state.profiles.get_mut(&user("user_ann1")).unwrap().closed_at = Some(GRANTED));
    for (world, word) in [(unknown, "no address"), (odd, "unusable address"), (closed, "no address")] {
        let log = deliver(&world, "job-completed").await;
        assert_eq!(log["mail.outcomes"], json!({ "user_ann1": word }));
        assert!(world.state().mail.mails.is_empty() && world.state().mail.sent.is_empty());
    }
}

#[tokio::test]
async fn suppressed_people_get_no_mails_and_unsubscribed_people_only_mandatory_ones() {
    let world = acme_with_mailboxes();
    world.change(|state| state.mail.unsubscribed.extend([((user("user_ann1"), Topic::Jobs), GRANTED)]));
    assert_eq!(deliver(&world, "job-completed").await["mail.outcomes"], json!({ "user_ann1": "unsubscribed" }));
    assert_eq!(deliver(&world, "key-issued").await["mail.outcomes"], json!({ "user_ann1": "sent" }));
    let world = acme_with_mailboxes();
    let mailbox = claim_of("user_ann1", GRANTED).mailbox;
    world.change(|state| state.mail.suppressed.extend([(mailbox, Suppression::Bounced)]));
    assert_eq!(deliver(&world, "key-issued").await["mail.outcomes"], json!({ "user_ann1": "suppressed" }));
    assert_eq!(post(&world), json!([]));
}

#[tokio::test]
async fn a_throttled_mail_is_redelivered_and_sent_once() {
    let world = acme_with_mailboxes();
    world.change(|state| state.mail.service = MailService::Throttles);
    for _ in 0..3 {
        let answer = functions::deliver(&world, "send-mail", payload::event("send-mail", "job-completed", "")).await;
        assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "message-1" }] }));
        assert!(world.state().mail.mails.is_empty(), "the claim was not released");
    }
    world.change(|state| state.mail.service = MailService::Works);
    let log = deliver(&world, "job-completed").await;
    assert_eq!((&log["MailsSent"], &log["MailsPerhapsTwice"]), (&json!(1), &json!(null)));
    deliver(&world, "job-completed").await;
    assert_eq!(post(&world).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_mail_refused_for_good_is_recorded_and_not_retried() {
    let world = acme_with_mailboxes();
    world.change(|state| state.mail.service = MailService::Refuses);
    let log = deliver(&world, "job-completed").await;
    assert_eq!((&log["MailsRefused"], &log["mail.refused"]), (&json!(1), &json!("planned: not this mail")));
    let snapshot: Vec<MailState> = world.state().mail.mails.into_values().collect();
    assert_eq!(snapshot, [MailState::Ended(MailEnd::Refused("planned: not this mail".to_owned()))]);
    world.change(|state| state.mail.service = MailService::Works);
    deliver(&world, "job-completed").await;
    assert_eq!(post(&world), json!([]));
}

#[tokio::test]
async fn after_an_abandoned_claim_expires_the_mail_is_sent_and_logged_as_possibly_repeated() {
    let (world, began) = (acme_with_mailboxes(), clock::now());
    world.claim_mail(&claim_of("user_ann1", began)).await.unwrap();
    let body = message_of("job-completed");
    let just_before = began.plus(LEASE).minus(Duration::from_millis(1));
    let (outcome, log) = delivered(&world, &body, just_before).await;
    assert_eq!(outcome.unwrap_err().code, consigne_core::Code::Unavailable);
    assert_eq!(log["mail.outcomes"], json!({ "user_ann1": "left" }));
    assert_eq!(post(&world), json!([]));
    let (outcome, log) = delivered(&world, &body, began.plus(LEASE)).await;
    assert!(outcome.is_ok());
    assert_eq!((&log["MailsSent"], &log["MailsPerhapsTwice"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_fault_for_one_owner_delays_only_their_mail() {
    let world = acme_with_mailboxes();
    with_a_second_owner(&world);
    known(&world, "user_eve1", None, Language::English);
    // The effects before are reads of organisation, actor and members. The next one reads the first owner's profile.
    world.fail_at(3, Moment::Before);
    let (outcome, log) = delivered(&world, &message_of("key-issued"), clock::now()).await;
    assert!(outcome.is_err());
    assert_eq!(log["mail.outcomes"], json!({ "user_ann1": "left", "user_eve1": "sent" }));
    let log = deliver(&world, "key-issued").await;
    assert_eq!(log["mail.outcomes"], json!({ "user_ann1": "sent", "user_eve1": "done before" }));
    assert_eq!(post(&world).as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_malformed_message_is_moved_to_the_dead_letter_queue() {
    let world = acme_with_mailboxes();
    let answer =
        functions::deliver(&world, "send-mail", payload::event("send-mail", "malformed-between-two", "")).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!(post(&world).as_array().unwrap().len(), 2);
    assert_eq!(world.state().messages, [r#"{"detail-type": "job.completed", "detail": {"event_id": "#]);

    let world = acme_with_mailboxes();
    world.fail_at(0, Moment::Before);
    let (outcome, _) = delivered(&world, "not JSON", clock::now()).await;
    assert!(outcome.is_err(), "it was acknowledged but is on no queue");
    let good = message_of("key-issued");
    for (what, with) in [
        ("\"event_id\": \"01M7YREWKH7VM7Z3Z2KWSH2FTR\"", "\"event_id\": \"1\""),
        ("\"org_id\": \"org_", "\"org_id\": \"ORG_"),
        ("\"actor\": \"user_dev1\"", "\"actor\": \"secret@example.com\""),
        ("\"name\": \"Production API\"", "\"name\": {\"secret\": 1}"),
    ] {
        let world = acme_with_mailboxes();
        let body = good.replace(what, with);
        assert_ne!(body, good);
        let (outcome, log) = delivered(&world, &body, clock::now()).await;
        assert!(outcome.is_ok() && world.state().messages == [body], "{with}");
        assert!(log["message.malformed"].is_string() && !log.to_string().contains("secret"), "{log}");
    }
}

#[tokio::test]
async fn events_without_a_mail_are_ignored_and_so_are_all_without_a_sender() {
    let world = acme_with_mailboxes();
    assert_eq!(deliver(&world, "other-kind").await["mail.outcomes"], json!({}));
    let (body, now) = (message_of("job-completed"), clock::now());
    let log = consigne_runtime::log::RequestLog::default();
    let message = consigne_runtime::queue::Message { body, id: "m".to_owned(), receives: 1, now, log };
    functions::send_mail(&world, false, &message).await.unwrap();
    let log = message.log.take("send-mail", now);
    assert_eq!(log["mail.outcomes"], json!({ "user_ann1": "skipped" }));
    assert_eq!(log["mail.template"], "job-completed");
    assert!(world.state().mail.mails.is_empty() && world.state().mail.sent.is_empty());
}

#[tokio::test]
async fn no_mail_is_sent_about_keys_of_an_organisation_that_no_longer_exists() {
    let world = World::default();
    assert_eq!(deliver(&world, "key-issued").await["mail.outcomes"], json!({}));
}

#[tokio::test]
async fn a_person_gets_ten_mails_about_new_keys_an_hour_and_the_tenth_says_so() {
    let world = acme_with_mailboxes();
    let body = |case: &str, number: u32| {
        let id = |id: &str| format!("\"event_id\": \"{id}\"");
        message_of(case).replace(&id(EVENT), &id(&format!("01M7YREWKH7VM7Z3Z2KWSH{number:04}")))
    };
    let mut outcomes = Vec::new();
    for number in 0..303 {
        let (outcome, log) = delivered(&world, &body("key-issued", number), clock::now()).await;
        assert!(outcome.is_ok(), "{outcome:?}");
        outcomes.push(log["mail.outcomes"]["user_ann1"].as_str().unwrap().to_owned());
    }
    let sent = world.state().mail.sent;
    assert_eq!(sent.len(), 10);
    let says_so = |mail: &consigne_core::mail::Mail| mail.text.contains("journal d’audit");
    assert_eq!(sent.iter().map(says_so).collect::<Vec<_>>(), [&[false; 9][..], &[true]].concat());
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "gathered").count(), 293);
    // A repeated event leads to no mail, whether its mail was sent or gathered.
    for number in [3, 200] {
        delivered(&world, &body("key-issued", number), clock::now().plus(Duration::from_hours(3))).await.0.unwrap();
    }
    assert_eq!(world.state().mail.sent.len(), 10);
    // Mails of other kinds are all sent.
    for number in 0..30 {
        delivered(&world, &body("key-revoked", number + 400), clock::now()).await.0.unwrap();
    }
    assert_eq!(world.state().mail.sent.len(), 40);
}

#[tokio::test]
async fn a_throttled_mail_service_does_not_use_the_gathered_mails_up() {
    let world = acme_with_mailboxes();
    world.change(|state| state.mail.service = MailService::Throttles);
    for _ in 0..30 {
        assert!(delivered(&world, &message_of("key-issued"), clock::now()).await.0.is_err());
    }
    world.change(|state| state.mail.service = MailService::Works);
    assert!(delivered(&world, &message_of("key-issued"), clock::now()).await.0.is_ok());
    assert_eq!(world.state().mail.sent.len(), 1);
    assert_eq!(world.state().mail.gathered.values().copied().collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn a_member_is_told_that_the_organisation_was_deleted_without_reading_it() {
    let world = acme_with_mailboxes();
    // Nothing of the organisation is left.
    world.change(|state| {
        state.accounts.orgs.clear();
        state.accounts.members.clear();
    });
    let log = deliver(&world, "organisation-deleted").await;
    assert_eq!(log["mail.outcomes"], json!({ "user_dev1": "sent" }));
    let mail = world.state().mail.sent[0].clone();
    assert_eq!(mail.subject, "Acme: the organisation was deleted");
    assert!(mail.text.contains("by Ann") && mail.text.contains("250 credits"), "{}", mail.text);
}
