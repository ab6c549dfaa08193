//! send-mail: notices about old keys, anomalies, nearly full storage and disabled endpoints, each to the right people.

use consigne_core::mail::Topic;
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::profiles::Language;
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::functions;
use serde_json::json;

use crate::handlers::GRANTED;
use crate::handlers::people::accounts::{ORG, org, user};
use crate::handlers::webhooks::mail::{acme_with_mailboxes, deliver, delivered, known, message_of, post};

#[tokio::test]
async fn only_the_owner_of_old_keys_gets_a_mail() {
    for (case, subject, said) in [
        (
            "key-migration-started",
            "Acme: please replace your API keys by 21 December 2026",
            "“Acme”: 1 (“Production API”).",
        ),
        (
            "key-migration-reminder",
            "Acme: old API keys end on 21 December 2026, last reminder",
            "yet: 1 (“Production API”).",
        ),
    ] {
        let world = acme_with_mailboxes();
        let log = deliver(&world, case).await;
        assert_eq!(post(&world), json!([["dev1@example.com", subject]]));
        let mail = world.state().mail.sent.remove(0);
        assert!(mail.text.contains(said), "{}", mail.text);
        assert!(mail.text.contains(&format!("https://app.example.com/orgs/{ORG}/keys")), "{}", mail.text);
        assert_eq!((mail.unsubscribe, &log["mail.outcomes"]), (None, &json!({ "user_dev1": "sent" })));
        assert_eq!(deliver(&world, case).await["mail.outcomes"], json!({ "user_dev1": "done before" }));
    }
}

#[tokio::test]
async fn every_owner_gets_a_mail_about_an_anomaly_with_its_numbers() {
    for (case, said) in [
        ("key-anomaly", "depuis 11 pays en une heure."),
        ("keys-created", "24 clés d’API ont été créées dans l’organisation «\u{a0}Acme\u{a0}» en dix minutes."),
        ("usage-jump", "contre 40 un jour ordinaire."),
    ] {
        let world = acme_with_mailboxes();
        let member = Member { org: org(ORG), user: user("user_dev1"), role: OrgRole::Owner, joined_at: GRANTED };
        world.change(|state| drop(state.accounts.members.insert((org(ORG), member.user.clone()), member)));
        deliver(&world, case).await;
        let sent = world.state().mail.sent;
        let to: Vec<&str> = sent.iter().map(|mail| mail.to.as_str()).collect();
        assert_eq!(to, ["ann1@example.com", "dev1@example.com"], "{case}");
        assert!(sent[0].text.contains(said), "{}", sent[0].text);
        assert_eq!(sent[0].subject, "Acme : usage inhabituel des clés d’API");
        assert_eq!(sent[1].text.contains("was suspended"), case == "keys-created", "{}", sent[1].text);
        assert!(sent.iter().all(|mail| mail.unsubscribe.is_none()));
    }
}

#[tokio::test]
async fn a_person_gets_a_mail_about_nearly_full_storage_unless_unsubscribed() {
    let world = acme_with_mailboxes();
    deliver(&world, "quota-exceeded").await;
    assert_eq!(post(&world), json!([["ann1@example.com", "80 % de votre espace est utilisé"]]));
    let mail = world.state().mail.sent.remove(0);
    let token = mail.unsubscribe.as_deref().unwrap().rsplit('=').next().unwrap().to_owned();
    assert_eq!(functions::unsubscribe_seal().open(&token), Some((user("user_ann1"), Topic::Limits)));
}

#[tokio::test]
async fn a_person_gets_a_mail_about_malware_in_their_language_even_if_unsubscribed() {
    for (language, subject, said) in [
        (
            Language::French,
            "Un logiciel malveillant a été trouvé dans votre fichier",
            ["«\u{a0}photo été.png\u{a0}»", "«\u{a0}EICAR-Test-File (not a virus)\u{a0}»"],
        ),
        (Language::English, "Malware was found in your file", ["“photo été.png”", "“EICAR-Test-File (not a virus)”"]),
    ] {
        let world = acme_with_mailboxes();
        known(&world, "user_ann1", Some("Ann"), language);
        for _ in 0..2 {
            deliver(&world, "file-infected").await;
        }
        let sent = world.state().mail.sent;
        let [mail] = &sent[..] else { panic!("one mail: {}", post(&world)) };
        assert_eq!(mail.to.as_str(), "ann1@example.com");
        assert!(mail.subject.starts_with(subject), "{}", mail.subject);
        assert!(said.iter().all(|words| mail.text.contains(words)), "{}", mail.text);
        assert_eq!(mail.unsubscribe, None);
    }
}

#[tokio::test]
async fn owners_get_a_mail_about_a_disabled_endpoint() {
    for (reason, said) in [("gone", "(410)"), ("failing", "depuis une semaine")] {
        let world = acme_with_mailboxes();
        let body = message_of("endpoint-disabled").replace("gone", reason);
        let (outcome, log) = delivered(&world, &body, clock::now()).await;
        assert!(outcome.is_ok(), "{log}");
        assert_eq!(post(&world), json!([["ann1@example.com", "Acme : les webhooks ne sont plus livrés"]]));
        let mail = world.state().mail.sent.remove(0);
        assert!(mail.text.contains(said) && mail.text.contains("hooks.example.com"), "{}", mail.text);
        assert_eq!(mail.unsubscribe, None);
    }
}

#[tokio::test]
async fn no_mail_is_sent_about_an_organisation_that_no_longer_exists() {
    for case in ["endpoint-disabled", "key-anomaly", "key-migration-started"] {
        let world = World::default();
        assert_eq!(deliver(&world, case).await["mail.outcomes"], json!({}));
        assert!(world.state().mail.sent.is_empty());
    }
}

#[tokio::test]
async fn a_malformed_notice_is_parked() {
    for (case, from, to) in [
        ("key-anomaly", "\"countries\": 11", "\"countries\": -11"),
        ("key-anomaly", "\"kind\": \"countries\"", "\"kind\": \"odd\""),
        ("key-anomaly", "\"name\": \"Production API\", ", ""),
        ("key-migration-started", "\"until\": \"2026", "\"until\": \"soon"),
        ("key-migration-started", "\"user_id\": \"user_", "\"user_id\": \""),
        ("endpoint-disabled", "\"reason\": \"gone\"", "\"reason\": \"odd\""),
        ("quota-exceeded", "\"quota\": \"storage\"", "\"quota\": \"patience\""),
    ] {
        let (world, body) = (acme_with_mailboxes(), message_of(case));
        let changed = body.replace(from, to);
        assert_ne!(changed, body, "{case} has no {from}");
        let (outcome, log) = delivered(&world, &changed, clock::now()).await;
        assert!(outcome.is_ok() && log["MailsParked"] == 1, "{case} {to}: {log}");
        assert_eq!(post(&world), json!([]));
    }
}
