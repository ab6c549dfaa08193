//! Who may do what in an organisation: every role on every route, cell by cell, and strangers on all of them.

use consigne_auth::MATRIX;
use consigne_core::orgs::OrgRole;
use consigne_testkit::payload::root;
use consigne_testkit::shop::{HeldKey, Shop};
use consigne_testkit::stack::{Person, Stack};
use serde_json::{Value, json};

use super::assert_refused;

/// Gives a call of a route that only the role can spoil.
fn call(shop: &Shop<'_>, route: &str, key: &HeldKey) -> (&'static str, String, Option<Value>) {
    let of_key = |verb: &str| shop.path(&format!("/keys/{}{verb}", key.id));
    let issue = json!({ "name": "Key", "environment": "test", "scopes": ["pdf:read"] });
    match route {
        "audit-list" => ("GET", shop.path("/audit"), None),
        "key-delete" => ("DELETE", of_key(""), None),
        "key-issue" => ("POST", shop.path("/keys"), Some(issue)),
        "key-list" => ("GET", shop.path("/keys"), None),
        "key-revoke" => ("POST", of_key("/revoke"), Some(json!({ "reason": "leaked" }))),
        "key-rotate" => ("POST", of_key("/rotate"), Some(json!({ "grace_seconds": 0 }))),
        "key-update" => ("PATCH", of_key(""), Some(json!({ "name": "New" }))),
        "member-list" => ("GET", shop.path("/members"), None),
        "stats" => ("GET", shop.path("/stats"), None),
        "usage-log" => ("GET", shop.path("/usage"), None),
        "wallet" => ("GET", shop.path("/wallet"), None),
        other => panic!("{other} has no call here"),
    }
}

async fn ask(person: &Person<'_>, call: &(&'static str, String, Option<Value>)) -> consigne_testkit::http::Response {
    match &call.2 {
        Some(body) => person.call_with(call.0, &call.1, body).await,
        None => person.call(call.0, &call.1).await,
    }
}

#[tokio::test]
async fn every_role_may_call_what_the_matrix_says_and_nothing_else() {
    let stack = Stack::find();
    let shop = Shop::open(&stack, 0).await;
    for role in OrgRole::ALL {
        let person = shop.hire(role).await;
        for (route, name, _) in MATRIX {
            let key = shop.issue("test", &json!({})).await;
            let answer = ask(&person, &call(&shop, name, &key)).await;
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
async fn a_stranger_is_told_nothing_of_an_organisation_nor_of_its_keys() {
    let stack = Stack::find();
    let (shop, other) = (Shop::open(&stack, 10).await, Shop::open(&stack, 10).await);
    let key = shop.issue("production", &json!({})).await;
    let unknown = "org_01M7Z3D967H8YQTNEZGQ95NKGS";
    let same = |response: &consigne_testkit::http::Response| response.json()["error"].clone();
    for (_, name, _) in MATRIX {
        let (method, path, body) = call(&shop, name, &key);
        let refused = ask(&other.owner, &(method, path.clone(), body.clone())).await;
        assert_refused(&refused, 404, "NOT_FOUND");
        for nowhere in [unknown, "org_x", "%2e%2e", "acme"] {
            let answer = ask(&other.owner, &(method, path.replace(&shop.org, nowhere), body.clone())).await;
            assert_eq!(same(&answer), same(&refused), "{name} of {nowhere}");
        }
        // Another organisation's key, asked for in one's own.
        if path.contains(&key.id) {
            let answer = ask(&other.owner, &(method, path.replace(&shop.org, &other.org), body.clone())).await;
            let nobody = path.replace(&shop.org, &other.org).replace(&key.id, "key_01M7Z3F2Q9ZEJV6C0JHH6NS5QH");
            assert_refused(&answer, 404, "NOT_FOUND");
            assert_eq!(same(&ask(&other.owner, &(method, nobody, body)).await), same(&answer), "{name}");
        }
    }
    assert_eq!(shop.charge(&key, None).await["valid"], true, "nothing of it came through");
}

#[test]
fn the_readme_shows_the_matrix() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for (route, name, _) in MATRIX {
        let cells = OrgRole::ALL.map(|role| if route.allows(role) { "yes" } else { "-" });
        let row = format!("| `{name}` | {} |", cells.join(" | "));
        assert!(readme.contains(&row), "README.md lacks the row: {row}");
    }
}
