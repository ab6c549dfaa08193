//! Fixtures for tests of mail: people with addresses, and messages delivered at a given time.

use consigne_core::mail::MailClaim;
use consigne_core::mail::{Address, MailId};
use consigne_core::profiles::{Contact, Language, Profile};
use consigne_core::{EventId, Fault, Timestamp};
use consigne_runtime::clock;
use consigne_runtime::log::RequestLog;
use consigne_runtime::queue::Message;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::GRANTED;
use crate::handlers::people::accounts::{acme, user};

/// Id of the event in the payloads.
pub const EVENT: &str = "01M7YREWKH7VM7Z3Z2KWSH2FTR";

/// Creates Acme. Its owner Ann reads French, and its developer has a name.
pub fn acme_with_mailboxes() -> World {
    let world = acme();
    known(&world, "user_ann1", Some("Ann"), Language::French);
    known(&world, "user_dev1", Some("Dev"), Language::English);
    world
}

/// Stores the address of a person, which begins like their id, with name and language.
pub fn known(world: &World, id: &str, name: Option<&str>, language: Language) {
    let contact = Contact {
        email: format!("{}@example.com", id.trim_start_matches("user_")),
        verified: true,
        name: name.map(str::to_owned),
        language,
        at: GRANTED,
    };
    let profile = Profile { from_token: Some(contact), ..Profile::unknown(user(id)) };
    world.change(|state| drop(state.profiles.insert(user(id), profile)));
}

/// Returns the body of the message in a payload.
pub fn message_of(case: &str) -> String {
    payload::event("send-mail", case, "")["Records"][0]["body"].as_str().unwrap().to_owned()
}

/// Delivers a message at a time. Returns the outcome and the log line.
pub async fn delivered(world: &World, body: &str, now: Timestamp) -> (Result<(), Fault>, Value) {
    let message = Message { body: body.to_owned(), id: "m".to_owned(), receives: 1, now, log: RequestLog::default() };
    let outcome = functions::send_mail(world, true, &message).await;
    (outcome, message.log.take("send-mail", now).into())
}

/// Delivers the message of a payload now. Asserts that it succeeds. Returns the log line.
pub async fn deliver(world: &World, case: &str) -> Value {
    let (outcome, log) = delivered(world, &message_of(case), clock::now()).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    log
}

/// Returns the mails that the service accepted, without their HTML.
pub fn post(world: &World) -> Value {
    let sent = world.state().mail.sent;
    sent.iter().map(|mail| json!([mail.to.as_str(), mail.subject])).collect()
}

/// Returns the claim for the mail to a person about the payloads' event.
pub fn claim_of(id: &str, now: Timestamp) -> MailClaim {
    let mailbox = Address::parse(&format!("{}@example.com", id.trim_start_matches("user_"))).unwrap().mailbox();
    MailClaim {
        mail: MailId::new(EventId::parse(EVENT).unwrap(), user(id).as_str()),
        mailbox,
        wanted_by: None,
        counted_in: None,
        now,
    }
}
