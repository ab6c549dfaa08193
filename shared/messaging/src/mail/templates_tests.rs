//! Tests every template in both languages, and with hostile names.

use consigne_core::files::Kind;
use consigne_core::mail::{Address, Mail, Sender};
use consigne_core::orgs::OrgRole;
use consigne_core::profiles::Language;
use consigne_core::{Application, OrgId, Timestamp};

use super::templates::{self, AnomalyFacts, By, Quota};
use super::{MailTemplate, MailTheme, Quoted, Reader, mime};

const NOW: Timestamp = Timestamp::from_secs(1_795_257_000);

fn write(template: &dyn MailTemplate, name: &str, language: Language) -> Mail {
    let application = Application::at("https://app.example.com");
    let theme = MailTheme { brand: "Consigne".to_owned(), application };
    let unsubscribe = Some("https://api.example.com/api/mail/unsubscribe?token=sealed".to_owned());
    let address = Address::parse("ann@example.com").unwrap();
    theme.write(template, Reader { address, name: Some(name.to_owned()), language, unsubscribe }, NOW).unwrap()
}

#[test]
fn every_template_is_written_in_every_language_as_its_snapshot() {
    for template in templates::samples() {
        for language in Language::ALL {
            let mail = write(&*template, "Ann", language);
            let shown = format!("{}\n\n{}\n\n{}", mail.subject, mail.text, mail.html);
            let name = format!("{}.{}", template.name(), language.name());
            insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false }, {
                insta::assert_snapshot!(name, shown);
            });
        }
    }
}

#[test]
fn template_names_are_unique_and_mandatory_mails_have_no_unsubscribe_link() {
    let samples = templates::samples();
    let mut names: Vec<&str> = samples.iter().map(|template| template.name()).collect();
    let always: Vec<&str> =
        samples.iter().filter(|template| template.topic().is_none()).map(|template| template.name()).collect();
    names.dedup();
    assert_eq!(names.len(), samples.len());
    assert_eq!(
        always,
        [
            "anomaly",
            "endpoint-disabled",
            "export-ready",
            "file-infected",
            "invitation",
            "key-created",
            "key-migration-reminder",
            "key-migration-start",
            "key-revoked",
            "order-new",
            "order-received",
            "organisation-deleted",
            "payment-disputed",
            "payment-refunded",
        ]
    );
    for template in samples {
        let mail = write(&*template, "Ann", Language::English);
        assert_eq!(mail.unsubscribe.is_some(), template.topic().is_some(), "{}", template.name());
        assert_eq!(mail.html.contains("/unsubscribe?"), template.topic().is_some(), "{}", template.name());
        assert_eq!(mail.text.contains("/unsubscribe?"), template.topic().is_some(), "{}", template.name());
    }
}

/// Returns every template with `name` in every place that others choose.
fn templates_naming(name: &str) -> Vec<Box<dyn MailTemplate>> {
    let (org, job) = (OrgId::mint(NOW), || "job_1".to_owned());
    let name = || Quoted::name(name);
    let key = || templates::KeyCreated { org, org_name: name(), key_name: name(), by: By::Person(name()) };
    vec![
        Box::new(templates::Anomaly {
            org,
            org_name: name(),
            facts: AnomalyFacts::Countries { key_name: name(), countries: 11 },
            suspended: true,
        }),
        Box::new(templates::EndpointDisabled { org, org_name: name(), host: name(), gone: false }),
        Box::new(templates::ExportReady { until: NOW }),
        Box::new(templates::FileInfected { filename: name(), threat: Some(name()) }),
        Box::new(templates::Invitation {
            org_name: name(),
            inviter: Some(name()),
            role: OrgRole::Admin,
            token: "t".to_owned(),
            until: NOW,
        }),
        Box::new(templates::JobCompleted { job: job(), kind: Kind::Blog, title: name() }),
        Box::new(templates::JobFailed { job: job(), kind: Kind::Video, title: name(), reason: Some(name()) }),
        Box::new(key()),
        Box::new(templates::KeyMigrationReminder { org, org_name: name(), keys: 1, names: vec![name()], until: NOW }),
        Box::new(templates::KeyMigrationStart { org, org_name: name(), keys: 1, names: vec![name()], until: NOW }),
        Box::new(templates::KeyRevoked { org, org_name: key().org_name, key_name: key().key_name, by: key().by }),
        Box::new(templates::OrderNew { order: "order_1".to_owned(), again: true }),
        Box::new(templates::OrderReceived { order: "order_1".to_owned(), again: true }),
        Box::new(templates::OrganisationDeleted { org_name: name(), by: key().by, credits_lost: 3 }),
        Box::new(templates::PaymentDisputed { org, org_name: name(), cents: 1, credits: 1 }),
        Box::new(templates::PaymentRefunded { org, org_name: name(), cents: 1, credits: 1, balance: -1 }),
        Box::new(templates::Quota80 { quota: Quota::Key { org, name: name() }, percent: 80, used: 8, limit: 10 }),
        Box::new(templates::WalletLow { org, org_name: name(), percent: 10, balance: 1 }),
    ]
}

#[test]
fn hostile_names_change_neither_headers_nor_html() {
    let long = "é".repeat(300);
    let names = [
        "Eve\r\nBcc: everyone@example.com\r\n\r\n<h1>Pay here</h1>",
        "<script>alert(1)</script><a href=\"https://evil.example\">Click</a>",
        "\u{202E}gnp.exe\u{2066}\u{200B}\u{0}\u{7F}\u{2028}",
        "=?utf-8?Q?=0D=0ABcc:_eve@example.com?=",
        "{{ brand }}{% raw %} \" onmouseover=\"x ' & </title>",
        "日本語 العربية 👩‍🚀",
        long.as_str(),
    ];
    let sender = Sender::parse("Consigne <no-reply@consigne.example>").unwrap();
    for name in names {
        let templates = templates_naming(name);
        assert_eq!(templates.len(), templates::samples().len(), "a template is missing from this test");
        for template in templates {
            for language in Language::ALL {
                let (mail, what) = (write(&*template, name, language), format!("{} naming {name:?}", template.name()));
                let fit = |text: &str| !text.contains(|c: char| c != '\n' && consigne_core::text::is_unfit(c));
                assert!(fit(&mail.subject) && !mail.subject.contains('\n'), "{what}: {}", mail.subject);
                assert!(mail.subject.chars().count() <= 150, "{what}");
                assert!(fit(&mail.text) && fit(&mail.html), "{what}");
                for tag in ["<script", "<h1", "evil.example\"", "onmouseover=\"", "</title> "] {
                    assert!(!mail.html.contains(tag), "{what}: {tag}");
                }
                assert_eq!(mail.html.matches("</title>").count(), 1, "{what}");
                assert!(!mail.text.contains(&"é".repeat(81)), "{what}");
                headers_are_ours(&mime::write(&sender, &mail).unwrap(), &mail, &what);
            }
        }
    }
}

/// Checks that a message has the expected headers and no others.
fn headers_are_ours(message: &[u8], mail: &Mail, what: &str) {
    let message = std::str::from_utf8(message).unwrap();
    assert!(message.is_ascii(), "{what}: SES takes seven bits");
    assert!(message.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])), "{what}");
    let (head, _) = message.split_once("\r\n\r\n").unwrap();
    let fields = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    let fields: Vec<&str> = fields.map(|line| line.split(':').next().unwrap()).collect();
    let mut want = vec!["From", "To", "Subject", "Date", "Auto-Submitted"];
    if mail.unsubscribe.is_some() {
        want.extend(["List-Unsubscribe", "List-Unsubscribe-Post"]);
    }
    want.extend(["Message-ID", "MIME-Version", "Content-Type"]);
    assert_eq!(fields, want, "{what}");
}

#[test]
fn headers_offer_to_unsubscribe_and_ask_for_no_automatic_reply() {
    let sender = Sender::parse("Été <no-reply@consigne.example>").unwrap();
    let template = templates::samples().into_iter().find(|template| template.name() == "job-completed").unwrap();
    let mail = write(&*template, "Ann", Language::French);
    let message = String::from_utf8(mime::write(&sender, &mail).unwrap()).unwrap();
    for line in [
        "From: =?utf-8?",
        "To: <ann@example.com>\r\n",
        "Date: Sat, 21 Nov 2026 10:30:00 +0000\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "List-Unsubscribe: <https://api.example.com/api/mail/unsubscribe?token=sealed>\r\n",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
        "Content-Type: multipart/alternative;",
        "Content-Type: text/plain; charset=\"utf-8\"",
        "Content-Type: text/html; charset=\"utf-8\"",
    ] {
        assert!(message.contains(line), "{line}: {message}");
    }
}

/// Returns a message's subject as a mail program shows it, for subjects in which every character is encoded.
fn decoded_subject(message: &str) -> String {
    let (head, _) = message.split_once("\r\n\r\n").unwrap();
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let subject = unfolded.split("\r\n").find_map(|line| line.strip_prefix("Subject: ")).unwrap();
    let mut bytes = Vec::new();
    for word in subject.split_whitespace() {
        assert!(word.len() <= 75, "{word}");
        let word = word.strip_prefix("=?utf-8?Q?").and_then(|word| word.strip_suffix("?=")).unwrap();
        let mut rest = word.as_bytes().iter();
        while let Some(byte) = rest.next() {
            let hex = |rest: &mut std::slice::Iter<'_, u8>| char::from(*rest.next().unwrap()).to_digit(16).unwrap();
            bytes.push(if *byte == b'=' { u8::try_from(hex(&mut rest) * 16 + hex(&mut rest)).unwrap() } else { *byte });
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_subject_with_an_encoded_word_is_shown_as_it_was_written() {
    let sender = Sender::parse("Consigne <no-reply@consigne.example>").unwrap();
    for name in ["=?utf-8?b?UGF5IG5vdw==?=", "=?utf-8?q?Pay_now?= été", "a=?b", "日本=?utf-8?q?x?=語"] {
        for template in templates_naming(name) {
            for language in Language::ALL {
                let mail = write(&*template, "Ann", language);
                if mail.subject.contains("=?") {
                    let message = String::from_utf8(mime::write(&sender, &mail).unwrap()).unwrap();
                    assert_eq!(decoded_subject(&message), mail.subject, "{}", template.name());
                }
            }
        }
    }
}

#[test]
fn names_that_read_as_sentences_or_addresses_are_in_no_subject() {
    for name in ["Your account is locked", "Sign in at evil.example", "Pay now!", "eve@evil.example"] {
        for template in templates_naming(name) {
            for language in Language::ALL {
                let mail = write(&*template, "Ann", language);
                assert!(!mail.subject.contains(name), "{}: {}", template.name(), mail.subject);
            }
        }
    }
}

#[test]
fn no_name_is_in_the_subject_of_a_mail_to_somebody_who_is_not_a_member() {
    for name in ["Acme", "Account suspended now", "Facture impayée"] {
        let template = templates_naming(name).into_iter().find(|template| template.name() == "invitation").unwrap();
        for language in Language::ALL {
            let mail = write(&*template, "Ann", language);
            assert!(!mail.subject.contains(name), "{}", mail.subject);
            assert!(mail.text.contains(&Quoted::name(name).quoted(language)), "{}", mail.text);
        }
    }
}
