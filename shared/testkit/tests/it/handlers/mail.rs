//! What the tests of mail begin with: people with addresses, and messages delivered at a time.

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

use super::GRANTED;
use super::accounts::{acme, user};

/// The event the payloads speak of.
pub const EVENT: &str = "01M7YREWKH7VM7Z3Z2KWSH2FTR";

/// Makes Acme, whose owner Ann reads French and whose developer has a name.
pub fn acme_with_mailboxes() -> World {
    let world = acme();
    known(&world, "user_ann1", Some("Ann"), Language::French);
    known(&world, "user_dev1", Some("Dev"), Language::English);
    world
}

/// Lets a person be known by an address that begins like their id.
pub fn known(world: &World, id: &str, name: Option<&str>, language: Language) {
    let contact = Contact {
        email: format!("{}@example.com", id.trim_start_matches("user_")),
        verified: true,
        name: name.map(str::to_owned),
        language,
        at: GRANTED,
    };
    let profile = Profile { seen: Some(contact), ..Profile::unknown(user(id)) };
    world.change(|state| drop(state.profiles.insert(user(id), profile)));
}

/// Gives the one message of a case.
pub fn message_of(case: &str) -> String {
    payload::event("send-mail", case, "")["Records"][0]["body"].as_str().unwrap().to_owned()
}

/// Delivers a message at a time; gives the outcome and what the log says of it.
pub async fn delivered(world: &World, body: &str, now: Timestamp) -> (Result<(), Fault>, Value) {
    let message = Message { body: body.to_owned(), id: "m".to_owned(), receives: 1, now, log: RequestLog::default() };
    let outcome = functions::send_mail(world, true, &message).await;
    (outcome, message.log.take("send-mail", now).into())
}

/// Delivers the message of a case now, which must go well; gives what the log says of it.
pub async fn deliver(world: &World, case: &str) -> Value {
    let (outcome, log) = delivered(world, &message_of(case), clock::now()).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    log
}

/// Shows the mails the service has taken, without their pages.
pub fn post(world: &World) -> Value {
    let sent = world.state().post.sent;
    sent.iter().map(|mail| json!([mail.to.as_str(), mail.subject])).collect()
}

/// Asks for the mail of the payloads' event to a person.
pub fn claim_of(id: &str, now: Timestamp) -> MailClaim {
    let mailbox = Address::parse(&format!("{}@example.com", id.trim_start_matches("user_"))).unwrap().mailbox();
    MailClaim { mail: MailId::new(EventId::parse(EVENT).unwrap(), user(id).as_str()), mailbox, wanted_by: None, now }
}
