//! A closed account: with a token that has not expired, and that names no address, its owner can change nothing.

use std::collections::BTreeSet;

use consigne_core::PublicId;
use consigne_core::files::{File, Kind, LedgerDelta, ObjectKey};
use consigne_core::profiles::{Contact, Language, Profile};
use consigne_runtime::http::AuthScheme;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::files::publish::ID;
use crate::handlers::files::upload_parts::{FILM, film, open};
use crate::handlers::jobs::requests::{add_job, job};
use crate::handlers::people::account_callers::{IN_ORG, acme_with_key_and_invitation};
use crate::handlers::people::accounts::{refusal, user};
use crate::handlers::people::closing::close;
use crate::handlers::people::invited::{BOBS, accepting, put_invitation};
use crate::handlers::webhooks::mail::{deliver, post};
use crate::handlers::{GRANTED, pending, ready};

/// The routes for people that are not below an organisation and that write, with a valid request.
const BESIDES: [(&str, &str); 11] = [
    ("generate", "book"),
    ("invitation-accept", "from-mail"),
    ("job-cancel", "ask"),
    ("metadata", "rename"),
    ("org-create", "acme"),
    ("publish", "withdraw"),
    ("upload-complete", "all"),
    ("upload-grant", "photo"),
    ("upload-parts", "sign"),
    ("user-erase", "own"),
    ("user-export", "ask"),
];
/// Functions whose routes are no GET and still are not here: `presign` writes nothing, and `delete` and `upload-abort` do
/// what the closing of the account does with every file anyway.
const NOT_REFUSED: [&str; 3] = ["delete", "presign", "upload-abort"];

/// The file whose upload is open in the payloads, and another whose upload is not.
const FILM_ID: &str = "01M7YREWKH7VM7Z3Z2KWSH2FTM";
const UNOPENED: &str = "01M7YREWKH7VM7Z3Z2KWSH2FTN";

/// Returns the functions with a route for signed-in people that is no GET.
fn writers() -> BTreeSet<&'static str> {
    let writes = |entry: &&functions::Entry| {
        (entry.operations)().iter().any(|one| one.caller == AuthScheme::User && !one.route.starts_with("GET "))
    };
    functions::functions().iter().filter(writes).map(|entry| entry.name).collect()
}

/// Creates a world in which every request of [`requests`] succeeds.
pub fn world() -> World {
    let world = acme_with_key_and_invitation();
    add_job(&world, &job(Kind::Book));
    let uploads = open(false, &[]).state();
    let unopened = film();
    let unopened = File { key: ObjectKey::parse(&FILM.replace(FILM_ID, UNOPENED)).unwrap(), ..unopened };
    let published = File { published: PublicId::parse(ID), ..ready(&pending()) };
    let files = [published, unopened].into_iter().chain(uploads.files.into_values());
    world.change(|state| {
        for file in files {
            LedgerDelta::of(&file).apply(state.usage.entry(file.owner().clone()).or_default(), file.kind());
            state.files.insert((file.owner().clone(), file.id()), file);
        }
        state.uploads = uploads.uploads;
    });
    let (language, at) = (Language::English, GRANTED);
    let contact = Contact { email: BOBS.to_owned(), verified: true, name: None, language, at };
    let profile = Profile { from_webhook: Some(contact), ..Profile::unknown(user("user_bob1")) };
    world.change(|state| drop(state.profiles.insert(profile.user.clone(), profile)));
    world
}

/// Returns a request of each write route: who sends it, the function, and the event. The tokens name no address.
pub fn requests(world: &World) -> Vec<(&'static str, &'static str, Value)> {
    let writers = writers();
    let in_org = IN_ORG.iter().filter(|(function, _)| writers.contains(function));
    let sent = in_org.chain(&BESIDES).map(|(function, case)| {
        if *function == "invitation-accept" {
            let token = put_invitation(world, |_| ());
            return ("user_bob1", *function, accepting("user_bob1", &json!({}), &token));
        }
        let token = functions::issuer().token("user_ann1", "pro");
        let mut event = payload::event(function, case, &token);
        if *function == "upload-parts" {
            // Only the first request for parts writes.
            event = serde_json::from_str(&event.to_string().replace(FILM_ID, UNOPENED)).unwrap();
        }
        if *function == "endpoint-update" {
            // The payload enables an endpoint that is active already, which changes nothing.
            event["body"] = json!({ "events": ["key.revoked"] }).to_string().into();
        }
        if *function == "member-invite" {
            // The payload's address has the invitation that is accepted here.
            event["body"] = json!({ "email": "eve@example.com", "role": "developer" }).to_string().into();
        }
        ("user_ann1", *function, event)
    });
    sent.collect()
}

#[tokio::test]
async fn every_write_route_refuses_a_closed_account_and_changes_nothing() {
    let mut tried: BTreeSet<&str> = NOT_REFUSED.into();
    for at in 0..requests(&world()).len() {
        let open = world();
        let (person, function, event) = requests(&open).swap_remove(at);
        let status = functions::call(&open, function, event.clone()).await["status"].as_u64().unwrap();
        assert!((200..300).contains(&status), "{function} answers {status} to an open account");

        let closed = world();
        let (_, _, event) = requests(&closed).swap_remove(at);
        close(&closed, person);
        let before = closed.state();
        let answer = functions::call(&closed, function, event).await;
        assert_eq!(refusal(&answer), (401, "UNAUTHENTICATED"), "{function}: {answer}");
        assert_eq!(answer["body"]["error"]["message"], "Your account is closed", "{function}");
        assert_eq!(closed.state(), before, "{function}");
        tried.insert(function);
    }
    assert_eq!(tried, writers(), "a write route is not tested here");
}

#[tokio::test]
async fn somebody_who_has_only_uploaded_gets_the_mail_about_their_storage() {
    let world = World::default();
    let claims = json!({ "email": "ann@example.com", "email_verified": true, "first_name": "Ann", "locale": "fr" });
    let token = functions::issuer().token_with("user_ann1", &claims);
    let answer = functions::call(&world, "upload-grant", payload::event("upload-grant", "photo", &token)).await;
    assert_eq!(answer["status"], 201, "{answer}");
    let profile = world.state().profiles[&user("user_ann1")].clone();
    let contact = profile.verified().expect("the address is known");
    assert_eq!((contact.email.as_str(), contact.name.as_deref()), ("ann@example.com", Some("Ann")));
    assert_eq!(contact.language, Language::French);
    deliver(&world, "quota-exceeded").await;
    assert_eq!(post(&world), json!([["ann@example.com", "80 % de votre espace est utilisé"]]));
}

#[tokio::test]
async fn an_old_token_does_not_hide_a_newer_change_at_the_issuer() {
    let world = World::default();
    let claims = json!({ "email": "old@example.com", "email_verified": true });
    let token = functions::issuer().token_with("user_ann1", &claims);
    let (language, at) = (Language::English, consigne_runtime::clock::now());
    let contact = Contact { email: "new@example.com".to_owned(), verified: true, name: None, language, at };
    let changed = Profile { from_webhook: Some(contact), webhook_at: Some(at), ..Profile::unknown(user("user_ann1")) };
    world.change(|state| drop(state.profiles.insert(user("user_ann1"), changed)));
    functions::call(&world, "upload-grant", payload::event("upload-grant", "photo", &token)).await;
    let profile = world.state().profiles[&user("user_ann1")].clone();
    assert_eq!(profile.contact().map(|contact| contact.email.as_str()), Some("new@example.com"));
}
