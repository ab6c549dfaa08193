//! What the operator's command line shows of organisations, wallets, keys and the audit log.

use consigne_core::orgs::OrgRole;
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Stack, until};
use serde_json::{Value, json};

use super::operator::consigne;

/// Runs a command that succeeds. Returns what it prints for people.
fn text(arguments: &[&str]) -> String {
    let (output, out, err) = consigne(arguments, &[("USER", "ann")]);
    assert!(output.status.success(), "{arguments:?}: {out}{err}");
    assert!(!out.contains('\u{1b}'), "colours beyond a terminal: {out}");
    out
}

/// Runs a command that succeeds, with `--json`. Returns its document.
fn document(arguments: &[&str]) -> Value {
    let out = text(&[arguments, &["--json"]].concat());
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// Runs a command that fails. Returns its error.
fn problem(arguments: &[&str]) -> String {
    let (output, out, err) = consigne(arguments, &[("USER", "ann")]);
    assert!(output.status.code() == Some(1) && out.is_empty(), "{arguments:?}: {out}{err}");
    err
}

/// Creates an organisation with a name.
async fn named<'a>(stack: &'a Stack, name: &str) -> OrgFixture<'a> {
    let owner = stack.newcomer("pro");
    let founded = owner.call_with("POST", "/api/orgs", &json!({ "name": name })).await;
    assert_eq!(founded.status, 201, "{}", founded.json());
    let org = founded.json()["data"]["id"].as_str().unwrap().to_owned();
    OrgFixture::of(stack, owner, org)
}

/// Finds an organisation in the whole list, page by page.
fn listed(org: &str, options: &[&str]) -> Option<Value> {
    let mut after: Option<String> = None;
    loop {
        let place = after.as_deref().map_or(vec![], |after| vec!["--after", after]);
        let page = document(&[&["org", "list", "--limit", "200"], options, &place].concat());
        let orgs = page["organisations"].as_array().unwrap();
        if let Some(found) = orgs.iter().find(|known| known["id"] == org) {
            return Some(found.clone());
        }
        after = Some(page["next"].as_str()?.to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_is_listed_and_shown_with_its_suspension() {
    let stack = Stack::find();
    let fixture = named(&stack, "株式会社 Société d’Été").await;
    let org = fixture.org.as_str();
    let known = until(async || listed(org, &[])).await.expect("it is in the index");
    assert_eq!((&known["name"], &known["state"]), (&json!("株式会社 Société d’Été"), &json!("active")));
    assert_eq!(known["suspension"], Value::Null);
    assert!(listed(org, &["--state", "suspended"]).is_none());

    text(&["org", "suspend", org, "--reason", "未払い"]);
    let known = until(async || listed(org, &["--state", "suspended"])).await.expect("it is suspended");
    let suspension = &known["suspension"];
    assert_eq!((&suspension["reason"], &suspension["by"]), (&json!("未払い"), &json!("operator:ann")));
    assert!(suspension["since"].as_str().unwrap().ends_with('Z'));
    let shown = text(&["org", "show", org]);
    assert!(shown.contains("by operator:ann: 未払い\n") && shown.contains("keys               none\n"), "{shown}");
    text(&["org", "resume", org, "--reason", "paid"]);
    assert_eq!(document(&["org", "show", org])["state"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_is_deleted_by_its_slug_and_its_keys_are_refused() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 20).await;
    let org = fixture.org.as_str();
    let key = fixture.issue("production", &json!({})).await;
    let err = problem(&["org", "delete", org, "--confirm", "another", "--reason", "未払い"]);
    assert!(err.contains("Nothing was changed: the slug of"), "{err}");
    assert_eq!(fixture.charge(&key, None).await["valid"], true);

    let slug = document(&["org", "show", org])["slug"].as_str().unwrap().to_owned();
    let delete = ["org", "delete", org, "--confirm", &slug, "--reason", "未払い"];
    assert!(text(&delete).contains("19 credits are lost"));
    assert_eq!(fixture.charge(&key, None).await["valid"], false);
    assert!(problem(&delete).contains("There is no organisation"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_is_shown_with_all_that_the_table_knows() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 20).await;
    fixture.add_member(OrgRole::Billing).await;
    let key = fixture.issue("production", &json!({})).await;
    assert_eq!(fixture.charge(&key, None).await["valid"], true);
    fixture.owner.upload("été.png", "image/png", pictures::png(2, 2, 300)).await;
    fixture.owner.wait_for_usage(1, 300, 0).await;
    let show = || document(&["org", "show", &fixture.org]);
    let shown = until(async || Some(show()).filter(|shown| !shown["last_call_at"].is_null())).await.unwrap();
    let owner = shown["members"].as_array().unwrap().iter().find(|member| member["role"] == "owner").unwrap();
    assert_eq!((&owner["user_id"], &owner["plan"]), (&json!(fixture.owner.id), &json!("pro")));
    assert_eq!((&owner["files"], &owner["bytes"], &shown["stored_bytes"]), (&json!(1), &json!(300), &json!(300)));
    assert_eq!(shown["members"].as_array().unwrap().len(), 2);
    assert_eq!((&shown["wallet"]["balance"], &shown["wallet"]["total_used"]), (&json!(19), &json!(1)));
    assert_eq!((&shown["keys"], &shown["endpoints"]), (&json!({ "active": 1 }), &json!({})));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_shown_with_its_lots_holds_and_newest_entries() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let org = fixture.org.as_str();
    let empty = document(&["wallet", org]);
    assert_eq!((&empty["balance"], &empty["buckets"], &empty["entries"]), (&json!(0), &json!([]), &json!([])));

    let granted =
        document(&["credits", "grant", org, "20", "--reason", "cadeau 🎁", "--expires", "2099-01-01T00:00:00Z"]);
    let key = fixture.issue("production", &json!({})).await;
    assert_eq!(fixture.charge(&key, None).await["valid"], true);
    let hold = json!({ "key": key.text, "service": "pdf", "amount": 5, "ttl_seconds": 600 });
    let opened = stack.serve("/api/credits/holds", &hold, None).await;
    assert!(opened.status < 300, "{}", opened.json());
    let read = async || {
        let wallet = document(&["wallet", org]);
        let whole = wallet["holds"].as_array()?.len() == 1 && wallet["entries"].as_array()?.len() == 2;
        whole.then_some(wallet)
    };
    let wallet = until(read).await.expect("a hold and two entries");
    assert_eq!((&wallet["balance"], &wallet["held"], &wallet["total_used"]), (&json!(14), &json!(5), &json!(1)));
    let lot = &wallet["buckets"][0];
    assert_eq!((&lot["id"], &lot["expires_at"]), (&granted["id"], &json!("2099-01-01T00:00:00Z")));
    assert_eq!((&wallet["holds"][0]["amount"], &wallet["holds"][0]["key_id"]), (&json!(5), &json!(key.id)));
    let entries: Vec<_> = wallet["entries"].as_array().unwrap().iter().map(|entry| &entry["credits"]).collect();
    assert_eq!(entries, [&json!(-1), &json!(20)], "newest first");
    assert_eq!(document(&["wallet", org, "--limit", "1"])["entries"].as_array().unwrap().len(), 1);
    assert!(text(&["wallet", org]).contains("\nholds") || text(&["wallet", org]).contains("\nhold "));

    let test = document(&["wallet", &fixture.owner.id]);
    assert_eq!((&test["user_id"], &test["balance"]), (&json!(fixture.owner.id), &json!(100)));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_without_their_texts() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 20).await;
    let org = fixture.org.as_str();
    assert_eq!(text(&["keys", org]), format!("{org} has no keys.\n"));
    let first = fixture.issue("production", &json!({ "name": "本番 é", "daily_quota": 9 })).await;
    let second = fixture.issue("test", &json!({})).await;
    assert_eq!(fixture.charge(&first, None).await["valid"], true);
    let read = async || {
        let keys = document(&["keys", org, "--credits"]);
        (keys["keys"][1]["credits_this_month"] == 1).then_some(keys)
    };
    let keys = until(read).await.expect("the receipt is in the index");
    let ids: Vec<_> = keys["keys"].as_array().unwrap().iter().map(|key| &key["id"]).collect();
    assert_eq!(ids, [&json!(second.id), &json!(first.id)], "newest first");
    assert_eq!(
        (&keys["keys"][1]["name"], &keys["keys"][1]["created_by"]),
        (&json!("本番 é"), &json!(fixture.owner.id))
    );
    assert_eq!((&keys["keys"][0]["credits_this_month"], &keys["more"]), (&json!(0), &json!(false)));
    for shown in [keys.to_string(), text(&["keys", org])] {
        assert!(!shown.contains(&first.text) && !shown.contains(&second.text), "{shown}");
    }
    let shown = text(&["keys", org]);
    assert!(shown.contains("  1 of 9  ") && shown.contains("本番 é"), "{shown}");
    assert!(text(&["keys", org, "--limit", "1"]).ends_with("These are 1 of 2 keys; --limit shows more.\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_shown_by_organisation_and_by_person() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let (org, owner) = (fixture.org.as_str(), fixture.owner.id.as_str());
    let key = fixture.issue("production", &json!({ "name": "本番" })).await;
    let revoked = fixture.change("POST", &key, "/revoke", &json!({ "reason": "fuite" })).await;
    assert_eq!(revoked.status, 200, "{}", revoked.json());
    text(&["org", "policy", org, "suspend"]);
    let actions = |arguments: &[&str]| -> Vec<String> {
        let log = document(&[&["audit"], arguments].concat());
        let entries = log["entries"].as_array().unwrap().iter();
        entries.map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(actions(&[org]), ["org.policy_changed", "key.revoked", "key.issued", "org.created"]);
    assert_eq!(actions(&[org, "--action", "key."]), ["key.revoked", "key.issued"]);
    assert_eq!(actions(&[org, "--limit", "1"]), ["org.policy_changed"]);
    assert!(document(&["audit", org, "--limit", "1"])["more"] == true);
    assert_eq!(actions(&[org, "--since", "2099-01-01"]), [""; 0]);
    let own = async || Some(actions(&[owner, "--since", "1h"])).filter(|own| own.len() == 3);
    let own = until(own).await.expect("their organisation is in the index");
    assert_eq!(own, ["key.revoked", "key.issued", "org.created"]);
    assert!(text(&["audit", org]).contains("reason=fuite"));
    assert_eq!(text(&["audit", "user_nobody"]), "The audit log of user_nobody has no entries.\n");
    assert!(document(&["audit"])["entries"].is_array());
}

#[test]
fn an_unknown_id_is_named_in_the_error() {
    let nowhere = "org_01M7YREWKH7VM7Z3Z2KWSH2FTS";
    for arguments in [
        ["org", "show", nowhere].as_slice(),
        &["wallet", nowhere],
        &["keys", nowhere],
        &["org", "suspend", nowhere, "--reason", "x"],
        &["org", "policy", nowhere, "alert"],
        &["credits", "grant", nowhere, "1", "--reason", "x"],
    ] {
        let error = problem(arguments);
        assert!(error.contains(&format!("There is no organisation {nowhere} in this stack")), "{arguments:?}: {error}");
    }
    for (arguments, words) in [
        (["org", "show", "Acme"].as_slice(), "Acme is not an organisation's id"),
        (&["wallet", "Acme"], "Acme is neither the id of an organisation"),
        (&["audit", "Acme"], "Acme is neither the id of an organisation"),
        (&["audit", "--since", "yesterday"], "--since yesterday must be a time"),
        (&["org", "list", "--after", "x"], "x is not an organisation's id"),
    ] {
        let error = problem(arguments);
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
}

#[test]
fn every_command_that_prints_data_prints_one_json_document() {
    for (arguments, field) in [
        (["redrive"].as_slice(), "dead_letter_queues"),
        (&["stats", "storage"], "days"),
        (&["pepper", "status"], "peppers"),
        (&["service-token", "list"], "services"),
        (&["webhook-secret", "status"], "senders"),
        (&["webhook-secret", "status", "generator"], "senders"),
        (&["mail", "list"], "mails"),
        (&["mail", "preview", "key-created", "--text"], "text"),
        (&["migration", "status"], "owners"),
        (&["token", "--user", "user_ann"], "token"),
        (&["completions", "fish"], "script"),
    ] {
        let document = document(arguments);
        assert!(!document[field].is_null(), "{arguments:?}: {document}");
    }
    assert_eq!(document(&["webhook-secret", "status"])["senders"].as_array().unwrap().len(), 3);
    assert!(text(&["webhook-secret", "status"]).contains("\ngenerator  "));
}
