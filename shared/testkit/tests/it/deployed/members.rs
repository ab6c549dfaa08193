//! Members of an organisation: invited, joined, given another role and removed, also concurrently.

use consigne_auth::{InvitationTokens, MATRIX};
use consigne_core::audit::AuditAction;
use consigne_core::orgs::OrgRole;
use consigne_core::ports::{GetInvitation, SuspendOrg};
use consigne_core::{InvitationId, OrgId};
use consigne_runtime::{Start, clock, settings};
use consigne_testkit::accounts;
use consigne_testkit::http::Response;
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::stack::{Person, Stack, fresh_user, until};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::bus_listener::BusListener;
use super::roles::{Things, ask, call};
use super::{assert_field_refused, assert_refused, text};

/// Returns what derives the tokens of invitations in this stack.
async fn tokens(stack: &Stack) -> InvitationTokens {
    let names =
        ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "INVITATION_SECRET_ARN"];
    let variables = names.map(|name| (name.to_owned(), stack.name(name).to_owned()));
    Start::new(settings::EnvVars::fixed(variables)).invitation_tokens().unwrap().await.unwrap()
}

/// Returns a new address.
pub fn address() -> String {
    format!("{}@example.com", fresh_user())
}

/// Returns a new user whose address the issuer has verified.
pub fn guest<'a>(stack: &'a Stack, email: &str) -> Person<'a> {
    let mut person = stack.newcomer("free");
    person.token = stack.issuer.token_with(&person.id, &json!({ "email": email, "email_verified": true }));
    person
}

async fn invite(fixture: &OrgFixture<'_>, email: &str, role: &str) -> Response {
    fixture.owner.call_with("POST", &fixture.path("/invitations"), &json!({ "email": email, "role": role })).await
}

/// Invites an address. Returns the token in its mail.
async fn token_of(stack: &Stack, fixture: &OrgFixture<'_>, email: &str, role: &str) -> String {
    let sent = invite(fixture, email, role).await;
    assert_eq!(sent.status, 201, "{}", sent.json());
    let id = InvitationId::parse(&text(&sent.json()["data"], "id")).unwrap();
    tokens(stack).await.derive(fixture.id(), id).expose().to_owned()
}

/// Accepts the invitation of a token.
pub async fn accept(person: &Person<'_>, token: &str) -> Response {
    person.call_with("POST", "/api/invitations/accept", &json!({ "token": token })).await
}

async fn remove(person: &Person<'_>, fixture: &OrgFixture<'_>, user: &str) -> Response {
    person.call("DELETE", &fixture.path(&format!("/members/{user}"))).await
}

async fn give(person: &Person<'_>, fixture: &OrgFixture<'_>, user: &str, role: &str) -> Response {
    person.call_with("PATCH", &fixture.path(&format!("/members/{user}")), &json!({ "role": role })).await
}

async fn orgs_of(person: &Person<'_>) -> Value {
    person.call("GET", "/api/orgs").await.json()["data"].clone()
}

/// Returns the actions in the audit log, newest first.
async fn audit_log(fixture: &OrgFixture<'_>) -> Vec<String> {
    let audit_log = fixture.owner.call("GET", &fixture.path("/audit")).await.json();
    audit_log["data"].as_array().unwrap().iter().map(|entry| text(entry, "action")).collect()
}

#[tokio::test]
async fn somebody_is_invited_joins_and_leaves() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let listener = BusListener::on(&stack, "org_id", &fixture.org).await;
    let email = address();
    let sent = invite(&fixture, &email.to_uppercase(), "developer").await;
    assert_eq!(sent.status, 201);
    let sent = sent.json()["data"].clone();
    assert_eq!((&sent["email"], &sent["role"]), (&json!(email), &json!("developer")));

    // The sender of mails has the event, the invitation and the secret.
    let event = listener.wait_for("invitation.created").await["detail"].clone();
    assert_eq!((&event["org_name"], &event["invitation_id"]), (&json!("Acme"), &sent["id"]));
    assert!(!event.to_string().contains('@'), "the event has an address: {event}");
    let (org, id) =
        (OrgId::parse(&text(&event, "org_id")).unwrap(), InvitationId::parse(&text(&event, "invitation_id")));
    let invitation = stack.table().get_invitation(org, id.unwrap()).await.unwrap().unwrap();
    assert_eq!(invitation.email.as_str(), email);
    let token = tokens(&stack).await.derive(invitation.org, invitation.id).expose().to_owned();

    let listed = async || fixture.owner.call("GET", &fixture.path("/invitations")).await.json()["data"].clone();
    assert_eq!(listed().await, json!([sent]));
    let bob = guest(&stack, &email);
    assert_eq!(orgs_of(&bob).await, json!([]));
    let accepted = accept(&bob, &token).await;
    assert_eq!(accepted.status, 200, "{}", accepted.json());
    let place = accepted.json()["data"].clone();
    assert_eq!((&place["org"]["id"], &place["role"]), (&json!(fixture.org), &json!("developer")));
    assert_eq!(listed().await, json!([]));
    let found = until(async || Some(orgs_of(&bob).await).filter(|orgs| *orgs == json!([place["org"]])));
    assert!(found.await.is_some(), "the organisation is not in the list");

    assert_eq!(accept(&bob, &token).await.json()["data"], place, "the same answer to the retry");
    assert_refused(&accept(&guest(&stack, &email), &token).await, 404, "NOT_FOUND");
    assert_eq!(give(&fixture.owner, &fixture, &bob.id, "billing").await.json()["data"]["role"], "billing");
    assert_eq!(remove(&fixture.owner, &fixture, &bob.id).await.status, 200);
    assert_refused(&accept(&bob, &token).await, 404, "NOT_FOUND");
    assert_refused(&remove(&fixture.owner, &fixture, &bob.id).await, 404, "NOT_FOUND");
    let want = ["member.removed", "member.role_changed", "member.joined", "member.invited", "org.created"];
    assert_eq!(audit_log(&fixture).await, want);
    let gone = until(async || Some(orgs_of(&bob).await).filter(|orgs| *orgs == json!([])));
    assert!(gone.await.is_some(), "the organisation is still in the list");
    for function in ["member-invite", "invitation-accept", "publish-events", "send-mail"] {
        for secret in [email.as_str(), &token[30..], &token[62..]] {
            let lines = stack.log_lines(function, secret).await;
            assert!(lines.is_empty(), "the log of {function} has an address or a token");
        }
    }
}

#[tokio::test]
async fn a_removed_member_is_refused_on_every_route_at_once() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let key = fixture.issue("test", &json!({})).await;
    // Those who were removed try to remove the owner.
    let things = Things::new(&fixture, &fixture.owner).await;
    for role in OrgRole::ALL {
        let person = fixture.add_member(role).await;
        assert_eq!(person.call("GET", &fixture.path("/members")).await.status, 200);
        assert_eq!(remove(&fixture.owner, &fixture, &person.id).await.status, 200);
        for (_, name, _) in MATRIX {
            assert_refused(&ask(&person, &call(&fixture, name, &things)).await, 404, "NOT_FOUND");
        }
    }
    assert_eq!(fixture.charge(&key, None).await["valid"], true, "nothing was changed");
}

#[tokio::test]
async fn the_keys_of_a_removed_member_are_revoked_on_request() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let developer = fixture.add_member(OrgRole::Developer).await;
    let body = json!({ "name": "Key", "environment": "production", "scopes": ["pdf:read"] });
    let issued = developer.call_with("POST", &fixture.path("/keys"), &body).await;
    assert_eq!(issued.status, 201, "{}", issued.json());
    let theirs = text(&issued.json()["data"], "key");
    let owners = fixture.issue("production", &json!({})).await;
    let path = fixture.path(&format!("/members/{}?keys=revoke", developer.id));
    let removed = fixture.owner.call("DELETE", &path).await.json();
    assert_eq!(removed["data"]["keys_revoked"], 1, "{removed}");
    assert_eq!(fixture.verify(&theirs, &json!({}), None).await.json()["data"]["code"], "REVOKED");
    assert_eq!(fixture.charge(&owners, None).await["valid"], true);
}

/// Asserts that one of two concurrent changes was made, and that one owner is left.
async fn one_owner_is_left(fixture: &OrgFixture<'_>, second: &Person<'_>, outcomes: [(&Person<'_>, Response); 2]) {
    let (done, refused): (Vec<_>, Vec<_>) = outcomes.iter().partition(|(_, answer)| answer.status == 200);
    assert_eq!(done.len(), 1, "{outcomes:?}", outcomes = outcomes.each_ref().map(|(_, answer)| answer.json()));
    // The second caller was the last owner, or no longer an owner.
    assert!([409, 403].contains(&refused[0].1.status), "{}", refused[0].1.json());
    let left = if done[0].0.id == second.id { &fixture.owner } else { second };
    let members = left.call("GET", &fixture.path("/members")).await.json()["data"].clone();
    let owners: Vec<_> = members.as_array().unwrap().iter().filter(|member| member["role"] == "owner").collect();
    assert!(owners.len() == 1 && owners[0]["user_id"] == left.id, "{members}");
    assert_refused(&remove(left, fixture, &left.id).await, 409, "CONFLICT");
}

#[tokio::test]
async fn of_two_owners_who_leave_concurrently_one_stays() {
    let stack = Stack::find();
    for _ in 0..3 {
        let fixture = OrgFixture::open(&stack, 0).await;
        let second = fixture.add_member(OrgRole::Owner).await;
        let (one, two) =
            tokio::join!(remove(&fixture.owner, &fixture, &fixture.owner.id), remove(&second, &fixture, &second.id));
        one_owner_is_left(&fixture, &second, [(&fixture.owner, one), (&second, two)]).await;
    }
}

#[tokio::test]
async fn of_two_owners_who_demote_each_other_concurrently_one_stays() {
    let stack = Stack::find();
    for _ in 0..3 {
        let fixture = OrgFixture::open(&stack, 0).await;
        let second = fixture.add_member(OrgRole::Owner).await;
        let deposed = async |by: &Person<'_>, other: &Person<'_>| give(by, &fixture, &other.id, "billing").await;
        let (one, two) = tokio::join!(deposed(&fixture.owner, &second), deposed(&second, &fixture.owner));
        // The caller whose request succeeded stays an owner. The other request failed because its caller no longer was
        // one.
        one_owner_is_left(&fixture, &second, [(&second, one), (&fixture.owner, two)]).await;
    }
}

#[tokio::test]
async fn of_many_who_accept_an_invitation_concurrently_one_joins() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let email = address();
    let token = token_of(&stack, &fixture, &email, "billing").await;
    let people: Vec<Person<'_>> = (0..4).map(|_| guest(&stack, &email)).collect();
    let asked = people.iter().flat_map(|person| [person, person]).map(async |person| {
        let answer = accept(person, &token).await;
        (person.id.clone(), answer.status)
    });
    let mut outcomes = join_all(asked).await;
    outcomes.sort();
    let joined: Vec<&String> = outcomes.iter().filter(|(_, status)| *status == 200).map(|(person, _)| person).collect();
    assert!(joined.len() == 2 && joined[0] == joined[1], "{outcomes:?}");
    assert!(outcomes.iter().all(|(_, status)| [200, 404].contains(status)), "{outcomes:?}");
    let members = fixture.owner.call("GET", &fixture.path("/members")).await.json();
    assert_eq!(members["metadata"]["total"], 2);
    assert_eq!(audit_log(&fixture).await.iter().filter(|action| *action == "member.joined").count(), 1);
}

#[tokio::test]
async fn concurrent_retries_of_one_request_make_one_invitation() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let body = json!({ "email": address(), "role": "billing" });
    let ask = async || {
        let path = fixture.path("/invitations");
        fixture.owner.call_with_headers("POST", &path, &body, &[("idempotency-key", "invite 17")]).await
    };
    let answers = join_all((0..6).map(|_| ask())).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.json()["data"]), (201, &answers[0].json()["data"]), "{}", answer.json());
    }
    assert_eq!(audit_log(&fixture).await, ["member.invited", "org.created"]);
    assert_refused(&fixture.owner.call_with("POST", &fixture.path("/invitations"), &body).await, 409, "CONFLICT");
}

#[tokio::test]
async fn twenty_concurrent_invitations_are_sent_up_to_the_daily_limit() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let many = async |count: usize| -> Vec<Response> {
        join_all((0..count).map(|_| async { invite(&fixture, &address(), "billing").await })).await
    };
    for answer in many(20).await {
        assert_eq!(answer.status, 201, "{}", answer.json());
    }
    let mut answers = many(20).await;
    answers.extend(many(20).await);
    let refused: Vec<&Response> = answers.iter().filter(|answer| answer.status != 201).collect();
    assert_eq!(refused.len(), 10);
    for answer in refused {
        assert_refused(answer, 429, "RATE_LIMITED");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() > 86_000);
        assert_eq!((answer.header("ratelimit-limit"), answer.header("ratelimit-remaining")), ("50", "0"));
    }
}

#[tokio::test]
async fn altered_tokens_and_those_for_another_address_are_refused() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let email = address();
    let token = token_of(&stack, &fixture, &email, "admin").await;
    let bob = guest(&stack, &email);
    for at in (0..token.len()).step_by(9).chain([token.len() - 1]) {
        let other = if &token[at..=at] == "A" { "B" } else { "A" };
        let altered = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        assert_refused(&accept(&bob, &altered).await, 404, "NOT_FOUND");
    }
    assert_refused(&accept(&guest(&stack, &address()), &token).await, 403, "EMAIL_MISMATCH");
    assert_refused(&accept(&stack.newcomer("free"), &token).await, 403, "EMAIL_MISMATCH");
    assert_field_refused(
        &bob.call_with("POST", "/api/invitations/accept", &json!({})).await,
        400,
        "INVALID_REQUEST",
        "token",
    );
    let id = token.split('.').next().unwrap();
    let revoked = fixture.owner.call("DELETE", &fixture.path(&format!("/invitations/{id}"))).await;
    assert_eq!(revoked.json()["data"], json!({ "id": id }));
    assert_refused(&accept(&bob, &token).await, 404, "NOT_FOUND");
    assert_eq!(audit_log(&fixture).await, ["invitation.revoked", "member.invited", "org.created"]);
}

#[tokio::test]
async fn only_a_valid_address_can_be_invited() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    for bad in [
        "",
        "bob",
        "a@b\r\nBcc: x",
        "bob@ example.com",
        "b\u{f6}b@example.com",
        &format!("{}@example.com", "a".repeat(300)),
    ] {
        assert_field_refused(&invite(&fixture, bad, "billing").await, 400, "INVALID_REQUEST", "email");
    }
    assert_field_refused(&invite(&fixture, &address(), "root").await, 400, "INVALID_REQUEST", "role");
    assert_eq!(audit_log(&fixture).await, ["org.created"]);
}

#[tokio::test]
async fn a_suspended_organisation_cannot_invite_until_it_is_resumed() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let suspend = async |suspended| {
        let entry = accounts::entry(fixture.id(), AuditAction::OrgSuspended, &accounts::person(), clock::now());
        assert!(stack.table().suspend_org(fixture.id(), suspended, &entry).await.unwrap());
    };
    suspend(true).await;
    assert_refused(&invite(&fixture, &address(), "billing").await, 409, "CONFLICT");
    suspend(false).await;
    assert_eq!(invite(&fixture, &address(), "billing").await.status, 201);
}

#[tokio::test]
async fn an_admin_manages_only_members_with_lower_roles() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let (admin, second) = (fixture.add_member(OrgRole::Admin).await, fixture.add_member(OrgRole::Admin).await);
    let (dev, bill) = (fixture.add_member(OrgRole::Developer).await, fixture.add_member(OrgRole::Billing).await);
    for (user, role) in [
        (&dev.id, "admin"),
        (&dev.id, "owner"),
        (&second.id, "developer"),
        (&admin.id, "developer"),
        (&admin.id, "owner"),
        (&fixture.owner.id, "developer"),
    ] {
        assert_refused(&give(&admin, &fixture, user, role).await, 403, "ROLE_REQUIRED");
    }
    assert_refused(&remove(&admin, &fixture, &second.id).await, 403, "ROLE_REQUIRED");
    assert_refused(&remove(&admin, &fixture, &fixture.owner.id).await, 403, "ROLE_REQUIRED");
    assert_refused(&remove(&dev, &fixture, &bill.id).await, 403, "ROLE_REQUIRED");
    assert_refused(&remove(&bill, &fixture, &dev.id).await, 403, "ROLE_REQUIRED");
    assert_eq!(give(&admin, &fixture, &dev.id, "billing").await.status, 200);
    assert_eq!(remove(&admin, &fixture, &dev.id).await.status, 200);
    assert_eq!(remove(&bill, &fixture, &bill.id).await.status, 200, "every member may leave");
    let owner = json!({ "email": address(), "role": "owner" });
    assert_refused(&admin.call_with("POST", &fixture.path("/invitations"), &owner).await, 403, "ROLE_REQUIRED");
    assert_eq!(audit_log(&fixture).await.iter().filter(|action| *action == "member.left").count(), 1);
}

#[tokio::test]
async fn an_invitation_is_void_once_its_sender_may_no_longer_invite() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let (admin, email) = (fixture.add_member(OrgRole::Admin).await, address());
    let body = json!({ "email": email, "role": "admin" });
    let sent = admin.call_with("POST", &fixture.path("/invitations"), &body).await.json();
    let id = InvitationId::parse(&text(&sent["data"], "id")).unwrap();
    let token = tokens(&stack).await.derive(fixture.id(), id).expose().to_owned();
    assert_eq!(remove(&fixture.owner, &fixture, &admin.id).await.status, 200);
    assert_refused(&accept(&guest(&stack, &email), &token).await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn test_keys_of_a_removed_member_spend_an_owners_test_wallet() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 5).await;
    let dev = fixture.add_member(OrgRole::Developer).await;
    let body = json!({ "name": "Test", "environment": "test", "scopes": ["pdf:read"] });
    let issued = dev.call_with("POST", &fixture.path("/keys"), &body).await.json();
    let key = text(&issued["data"], "key");
    let charge = async || {
        let asked = json!({ "cost": 10, "include": ["remaining"] });
        fixture.verify(&key, &asked, None).await.json()["data"].clone()
    };
    let owns = async || fixture.wallet().await["test"]["balance"].clone();
    // Execution environments cache whose wallet pays.
    assert_eq!(charge().await["remaining"]["credits"], 90);
    assert_eq!(owns().await, 100);
    assert_eq!(remove(&fixture.owner, &fixture, &dev.id).await.status, 200);
    let probe = fixture.verify(&key, &json!({ "cost": 0, "include": ["remaining"] }), None).await.json();
    assert_eq!((&probe["data"]["valid"], &probe["data"]["remaining"]["credits"]), (&json!(true), &json!(100)));
    let answers = join_all((0..4).map(|_| charge())).await;
    assert!(answers.iter().all(|data| data["valid"] == true), "{answers:?}");
    assert_eq!(owns().await, 60);
    assert_eq!(fixture.wallet().await["balance"], 5, "the production wallet must not change");
    // In another organisation of theirs, the test wallet has not changed.
    let own = dev.call_with("POST", "/api/orgs", &json!({ "name": "Own" })).await.json();
    let wallet = dev.call("GET", &format!("/api/orgs/{}/wallet", text(&own["data"], "id"))).await.json();
    assert_eq!(wallet["data"]["test"]["balance"], 90);
}
