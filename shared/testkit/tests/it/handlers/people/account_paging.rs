//! Pages of the six lists about organisations and keys: each entry appears once, and a cursor works for its list only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consigne_core::InvitationId;
use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::credits::{CallFacts, Receipt, ReceiptId};
use consigne_core::keys::KeyMode;
use consigne_core::orgs::OrgRole;
use consigne_testkit::fakes::World;
use consigne_testkit::functions;
use serde_json::{Value, json};

use crate::handlers::GRANTED;
use crate::handlers::people::accounts::{
    KEY_ID, ORG, OTHER_ORG, acme, answer, found, key_id, org, put_key, refusal, sent_by, user,
};
use crate::handlers::people::invited::put_invitation;

/// The lists, each with a payload and the field that identifies an entry.
const LISTS: [(&str, &str, &str); 6] = [
    ("audit-list", "newest", "id"),
    ("invitation-list", "open", "id"),
    ("key-list", "all", "id"),
    ("member-list", "all", "user_id"),
    ("org-list", "mine", "id"),
    ("usage-log", "all", "receipt_id"),
];
/// Number of entries in each list.
const ENTRIES: usize = 5;

/// Creates a world in which Ann sees five entries in each list. Another organisation has entries, too.
fn full() -> World {
    let world = acme();
    let others: Vec<String> = (0..4).map(|n| format!("org_01M7YREWKH7VM7Z3Z2KWSH200{n}")).collect();
    found(&world, ORG, "Acme", &[("user_zoe1", OrgRole::Admin)]);
    for id in &others {
        found(&world, id, "Another", &[("user_ann1", OrgRole::Owner)]);
    }
    let origin = Origin { actor: Actor::User(user("user_ann1")), ip: None, user_agent: None, plan: None };
    for n in 0..5_u32 {
        put_key(&world, &format!("key_01M7YREWKH7VM7Z3Z2KWSH300{n}"), KeyMode::Production, |_| ());
        let at = GRANTED.plus(std::time::Duration::from_secs(n.into()));
        let receipt = Receipt {
            id: ReceiptId::fresh(org(ORG), at),
            key: key_id(KEY_ID),
            environment: KeyMode::Production,
            credits: 1,
            at,
            caller: "pdf-api".to_owned(),
            fingerprint: String::new(),
            call: CallFacts::default(),
            outcome: None,
        };
        let entry = AuditEntry::new(org(ORG), AuditAction::KeyIssued, n.to_string(), &origin, at, json!({}));
        let elsewhere = AuditEntry::new(org(&others[0]), AuditAction::KeyIssued, "", &origin, at, json!({}));
        let theirs = Receipt { id: ReceiptId::fresh(org(&others[0]), at), ..receipt.clone() };
        for place in [ORG, &others[0]] {
            put_invitation(&world, |invitation| {
                (invitation.org, invitation.id) = (org(place), InvitationId::mint(at));
            });
        }
        world.change(|state| {
            state.accounts.audit.extend([entry, elsewhere]);
            state.accounts.receipts.extend([(receipt.id, receipt), (theirs.id, theirs)]);
        });
    }
    world
}

async fn page(world: &World, person: &str, function: &str, case: &str, query: &str) -> Value {
    let mut event = sent_by(person, function, case);
    event["rawQueryString"] = query.into();
    functions::call(world, function, event).await
}

fn next_of(answer: &Value) -> Option<String> {
    answer["body"]["metadata"]["next_cursor"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn cursors_show_every_entry_once() {
    let world = full();
    for (function, case, name) in LISTS {
        let all = page(&world, "user_ann1", function, case, "").await;
        let names = |answer: &Value| -> Vec<String> {
            let entries = answer["body"]["data"].as_array().unwrap();
            entries.iter().map(|entry| entry[name].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(all["body"]["metadata"], json!({ "next_cursor": null, "total": ENTRIES }), "{function}");
        let (mut seen, mut sizes, mut query) = (Vec::new(), Vec::new(), "limit=2".to_owned());
        loop {
            let answer = page(&world, "user_ann1", function, case, &query).await;
            assert_eq!(answer["body"]["metadata"]["total"], ENTRIES, "{function}");
            sizes.push(names(&answer).len());
            seen.extend(names(&answer));
            let Some(next) = next_of(&answer) else { break };
            query = format!("limit=2&cursor={next}");
        }
        assert_eq!((seen, sizes), (names(&all), vec![2, 2, 1]), "{function}");
    }
}

#[tokio::test]
async fn lists_are_newest_first_except_members_and_organisations() {
    let world = full();
    let times = async |function: &str, case: &str| -> Vec<String> {
        let answer = page(&world, "user_ann1", function, case, "").await;
        let entries = answer["body"]["data"].as_array().unwrap().clone();
        entries.iter().map(|entry| entry["timestamp"].as_str().unwrap().to_owned()).collect()
    };
    for (function, case) in [("audit-list", "newest"), ("usage-log", "all")] {
        let shown = times(function, case).await;
        let mut sorted = shown.clone();
        sorted.sort();
        sorted.reverse();
        assert_eq!(shown, sorted, "{function}");
    }
    let keys = page(&world, "user_ann1", "key-list", "all", "").await;
    assert_eq!(keys["body"]["data"][0]["id"], "key_01M7YREWKH7VM7Z3Z2KWSH3004");
}

#[tokio::test]
async fn a_cursor_works_for_its_user_list_and_filter_only() {
    let world = full();
    found(&world, OTHER_ORG, "Other", &[("user_ann1", OrgRole::Owner)]);
    for (function, case, _) in LISTS {
        let query = async |person: &str, query: String| page(&world, person, function, case, &query).await;
        let cursor = next_of(&query("user_ann1", "limit=1".to_owned()).await).unwrap();
        let sealed = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("start"), "{function}: a caller can read the position");
        assert_eq!(query("user_ann1", format!("limit=1&cursor={cursor}")).await["status"], 200, "{function}");
        let last = if cursor.ends_with('A') { 'B' } else { 'A' };
        let altered = format!("{}{last}", &cursor[..cursor.len() - 1]);
        let first = if cursor.starts_with('A') { 'B' } else { 'A' };
        let swapped = format!("{first}{}", &cursor[1..]);
        let mut refused = vec![query("user_adam1", format!("limit=1&cursor={cursor}")).await];
        for bad in [altered.as_str(), swapped.as_str(), &cursor[1..], "x", "1", "%00"] {
            refused.push(query("user_ann1", format!("limit=1&cursor={bad}")).await);
        }
        if function != "org-list" {
            let mut elsewhere = sent_by("user_ann1", function, case);
            elsewhere["rawQueryString"] = format!("limit=1&cursor={cursor}").into();
            elsewhere["pathParameters"]["org"] = OTHER_ORG.into();
            refused.push(functions::call(&world, function, elsewhere).await);
        }
        if function == "usage-log" {
            for filter in ["day=2026-11-21".to_owned(), format!("key={KEY_ID}")] {
                refused.push(query("user_ann1", format!("limit=1&{filter}&cursor={cursor}")).await);
            }
        }
        for (other, case, _) in LISTS.iter().filter(|(other, _, _)| *other != function) {
            refused.push(page(&world, "user_ann1", other, case, &format!("limit=1&cursor={cursor}")).await);
        }
        for (n, answer) in refused.iter().enumerate() {
            assert_eq!(refusal(answer), (400, "INVALID_CURSOR"), "{function} {n}: {answer}");
        }
    }
}

#[tokio::test]
async fn an_altered_cursor_is_refused() {
    let mut event = sent_by("user_ann1", "key-list", "all");
    event["rawQueryString"] = "cursor=altered".into();
    insta::assert_json_snapshot!(answer(&full(), "key-list", event).await, @r#"
    {
      "status": 400,
      "body": {
        "success": false,
        "error": {
          "code": "INVALID_CURSOR",
          "message": "cursor was altered or belongs to another list",
          "details": {
            "field": "cursor"
          }
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
}

#[tokio::test]
async fn a_cursor_with_a_filter_shows_every_match_once() {
    let world = full();
    let query = format!("limit=2&day=2026-11-21&key={KEY_ID}");
    let first = page(&world, "user_ann1", "usage-log", "all", &query).await;
    assert_eq!(first["body"]["metadata"]["total"], ENTRIES);
    let next = next_of(&first).unwrap();
    let second = page(&world, "user_ann1", "usage-log", "all", &format!("{query}&cursor={next}")).await;
    assert_eq!(second["body"]["data"].as_array().unwrap().len(), 2);
    let other_day = page(&world, "user_ann1", "usage-log", "all", "day=2026-11-20").await;
    assert_eq!((&other_day["body"]["data"], &other_day["body"]["metadata"]["total"]), (&json!([]), &json!(0)));
    let other_key = page(&world, "user_ann1", "usage-log", "all", "key=key_01M7YREWKH7VM7Z3Z2KWSH2FZZ").await;
    assert_eq!(other_key["body"]["data"], json!([]));
}

#[tokio::test]
async fn invalid_parameters_are_refused_by_name() {
    let world = full();
    for (function, case, _) in LISTS {
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=-1", "limit"),
            ("limit=1.5", "limit"),
            ("limit=1&limit=2", "limit"),
            ("cursor=a&cursor=b", "cursor"),
        ] {
            let answer = page(&world, "user_ann1", function, case, query).await;
            let field_named = &answer["body"]["error"]["details"]["field"];
            assert_eq!((&answer["status"], field_named), (&json!(400), &json!(field)), "{function} {query}");
        }
        let odd = page(&world, "user_ann1", function, case, "limit=1000&cursor=&unknown=1").await;
        assert_eq!(odd["status"], 200, "{function}");
    }
    for (query, field) in [
        ("day=2026-11-31", "day"),
        ("day=21/11/2026", "day"),
        ("day=today", "day"),
        ("key=17", "key"),
        ("key=key_", "key"),
        ("day=2026-11-21&day=2026-11-22", "day"),
    ] {
        let answer = page(&world, "user_ann1", "usage-log", "all", query).await;
        let field_named = &answer["body"]["error"]["details"]["field"];
        assert_eq!((&answer["status"], field_named), (&json!(400), &json!(field)), "usage-log {query}");
    }
}
