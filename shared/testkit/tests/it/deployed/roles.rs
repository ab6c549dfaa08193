//! Permissions in an organisation: every role on every route, and non-members on every route.

use consigne_auth::MATRIX;
use consigne_core::UserId;
use consigne_core::audit::AuditAction;
use consigne_core::endpoints::{HookUrl, NewEndpoint};
use consigne_core::orgs::OrgRole;
use consigne_core::ports::{CreateEndpoint as _, RecordDelivery as _};
use consigne_runtime::clock;
use consigne_testkit::org_fixture::{HeldKey, OrgFixture};
use consigne_testkit::stack::{Person, Stack, fresh_user};
use consigne_testkit::{accounts, hooks};
use serde_json::{Value, json};

use super::{assert_refused, text};

/// What routes need: a key, an endpoint with a delivery, an invitation, a member with a lower role, and the caller.
pub(super) struct Things {
    key: HeldKey,
    endpoint: String,
    delivery: String,
    invitation: String,
    member: String,
    caller: String,
}

impl Things {
    pub(super) async fn new(fixture: &OrgFixture<'_>, caller: &Person<'_>) -> Self {
        let body = json!({ "email": format!("{}@example.com", fresh_user()), "role": "billing" });
        let invited = fixture.owner.call_with("POST", &fixture.path("/invitations"), &body).await;
        assert_eq!(invited.status, 201, "{}", invited.json());
        let user = UserId::parse(&fixture.owner.id).unwrap();
        let mut endpoint = hooks::endpoint(fixture.id(), &user, clock::now());
        endpoint.url = HookUrl::kept(&format!("https://hooks.example.com/{}", endpoint.id)).unwrap();
        let audit = accounts::entry(fixture.id(), AuditAction::EndpointCreated, &user, clock::now());
        let new = NewEndpoint { endpoint: endpoint.clone(), audit, idempotent: None };
        Stack::find().table().create_endpoint(&new).await.unwrap();
        // The delivery has ended, so no webhook is sent for it.
        let delivery = hooks::delivery(&endpoint, clock::now()).cancel().delivery;
        Stack::find().table().record_delivery(&delivery).await.unwrap();
        Self {
            endpoint: endpoint.id.to_string(),
            delivery: delivery.id.to_string(),
            key: fixture.issue("test", &json!({})).await,
            invitation: text(&invited.json()["data"], "id"),
            member: fixture.add_member(OrgRole::Developer).await.id,
            caller: caller.id.clone(),
        }
    }
}

/// Returns a valid call of a route, which fails only if the role does not permit it.
pub(super) fn call(fixture: &OrgFixture<'_>, route: &str, things: &Things) -> (&'static str, String, Option<Value>) {
    let of_key = |verb: &str| fixture.path(&format!("/keys/{}{verb}", things.key.id));
    let of_endpoint = |verb: &str| fixture.path(&format!("/endpoints/{}{verb}", things.endpoint));
    let hook =
        json!({ "url": format!("https://hooks.example.com/{}/new", things.endpoint), "events": ["stats.ready"] });
    let issue = json!({ "name": "Key", "environment": "test", "scopes": ["pdf:read"] });
    match route {
        "audit-list" => ("GET", fixture.path("/audit"), None),
        "checkout" => ("POST", fixture.path("/credits/checkout"), Some(json!({ "pack": "starter" }))),
        "delivery-list" => ("GET", of_endpoint("/deliveries"), None),
        "delivery-redeliver" => ("POST", fixture.path(&format!("/deliveries/{}/redeliver", things.delivery)), None),
        "endpoint-create" => ("POST", fixture.path("/endpoints"), Some(hook)),
        "endpoint-delete" => ("DELETE", of_endpoint(""), None),
        "endpoint-list" => ("GET", fixture.path("/endpoints"), None),
        "endpoint-rotate" => ("POST", of_endpoint("/rotate"), Some(json!({ "grace_seconds": 0 }))),
        "endpoint-update" => ("PATCH", of_endpoint(""), Some(json!({ "rate_per_second": 3 }))),
        "invitation-list" => ("GET", fixture.path("/invitations"), None),
        "invitation-revoke" => ("DELETE", fixture.path(&format!("/invitations/{}", things.invitation)), None),
        "key-delete" => ("DELETE", of_key(""), None),
        "key-issue" => ("POST", fixture.path("/keys"), Some(issue)),
        "key-list" => ("GET", fixture.path("/keys"), None),
        "key-revoke" => ("POST", of_key("/revoke"), Some(json!({ "reason": "leaked" }))),
        "key-rotate" => ("POST", of_key("/rotate"), Some(json!({ "grace_seconds": 0 }))),
        "key-update" => ("PATCH", of_key(""), Some(json!({ "name": "New" }))),
        "member-invite" => {
            let email = format!("{}@example.com", fresh_user());
            ("POST", fixture.path("/invitations"), Some(json!({ "email": email, "role": "billing" })))
        }
        "member-list" => ("GET", fixture.path("/members"), None),
        // Every member may leave. `members` tests whom else they may remove.
        "member-remove" => ("DELETE", fixture.path(&format!("/members/{}", things.caller)), None),
        "member-update" => {
            ("PATCH", fixture.path(&format!("/members/{}", things.member)), Some(json!({ "role": "billing" })))
        }
        "org-delete" => {
            let own = fixture.org.to_lowercase();
            let confirm = format!("acme-{}", &own[own.len() - 6..]);
            ("DELETE", fixture.path(""), Some(json!({ "confirm": confirm })))
        }
        "org-update" => ("PATCH", fixture.path(""), Some(json!({ "name": "Acme & Sons" }))),
        "stats" => ("GET", fixture.path("/stats"), None),
        "usage-log" => ("GET", fixture.path("/usage"), None),
        "wallet" => ("GET", fixture.path("/wallet"), None),
        other => panic!("{other} has no call here"),
    }
}

/// Sends a call as a person.
pub(super) async fn ask(
    person: &Person<'_>,
    call: &(&'static str, String, Option<Value>),
) -> consigne_testkit::http::Response {
    match &call.2 {
        Some(body) => person.call_with(call.0, &call.1, body).await,
        None => person.call(call.0, &call.1).await,
    }
}

#[tokio::test]
async fn every_role_may_call_exactly_the_routes_in_the_matrix() {
    let stack = Stack::find();
    for role in OrgRole::ALL {
        for (route, name, _) in MATRIX {
            // Each role has an organisation of its own, because one may not send so many invitations.
            let fixture = OrgFixture::open(&stack, 0).await;
            let person = fixture.add_member(role).await;
            let answer = ask(&person, &call(&fixture, name, &Things::new(&fixture, &person).await)).await;
            if route.allows(role) {
                assert!(answer.status < 300, "{} on {name}: {}", role.name(), answer.json());
            } else {
                assert_refused(&answer, 403, "ROLE_REQUIRED");
                assert_eq!(answer.json()["error"]["details"]["role"], role.name(), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_non_member_gets_404_for_everything_in_an_organisation() {
    let stack = Stack::find();
    let (fixture, other) = (OrgFixture::open(&stack, 10).await, OrgFixture::open(&stack, 10).await);
    let things =
        Things { key: fixture.issue("production", &json!({})).await, ..Things::new(&fixture, &other.owner).await };
    let unknown = "org_01M7Z3D967H8YQTNEZGQ95NKGS";
    let same = |response: &consigne_testkit::http::Response| response.json()["error"].clone();
    for (_, name, _) in MATRIX {
        let (method, path, body) = call(&fixture, name, &things);
        let refused = ask(&other.owner, &(method, path.clone(), body.clone())).await;
        assert_refused(&refused, 404, "NOT_FOUND");
        for nowhere in [unknown, "org_x", "%2e%2e", "acme"] {
            let answer = ask(&other.owner, &(method, path.replace(&fixture.org, nowhere), body.clone())).await;
            assert_eq!(same(&answer), same(&refused), "{name} of {nowhere}");
        }
        // Another organisation's key, invitation or member, requested in one's own.
        for (id, nobodys) in [
            (&things.key.id, "key_01M7Z3F2Q9ZEJV6C0JHH6NS5QH"),
            (&things.endpoint, "ep_01M7Z3F2Q9ZEJV6C0JHH6NS5QH"),
            (&things.delivery, "dlv_01M7Z3F2Q9ZEJV6C0JHH6NS5QH"),
            (&things.invitation, "inv_01M7Z3F2Q9ZEJV6C0JHH6NS5QH"),
            (&things.member, "user_nobody"),
        ] {
            if !path.contains(id.as_str()) {
                continue;
            }
            let answer = ask(&other.owner, &(method, path.replace(&fixture.org, &other.org), body.clone())).await;
            let nobody = path.replace(&fixture.org, &other.org).replace(id, nobodys);
            assert_refused(&answer, 404, "NOT_FOUND");
            assert_eq!(same(&ask(&other.owner, &(method, nobody, body.clone())).await), same(&answer), "{name}");
        }
    }
    assert_eq!(fixture.charge(&things.key, None).await["valid"], true, "nothing was changed");
    let members = fixture.owner.call("GET", &fixture.path("/members")).await.json();
    assert_eq!(members["metadata"]["total"], 2);
}
