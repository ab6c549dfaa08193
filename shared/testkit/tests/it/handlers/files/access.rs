//! The audit of access to files, and services that act for a user.

use consigne_runtime::http::is_file_route;
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::template::{functions as deployed, name_of, template};
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::jobs::job_status::delivered;
use crate::handlers::people::accounts::{headed, refusal, with};
use crate::handlers::people::closing::close;
use crate::handlers::{KEY, pending, ready, world_with};

/// Id of the file in the payloads.
const FILE: &str = "01M7YREWKH7VM7Z3Z2KWSH2FTR";
/// Address of the caller in the payloads.
const ADDRESS: &str = "203.0.113.9";

/// Returns every payload of a route of files: the function, and the event.
fn payloads(token: &str) -> Vec<(&'static str, Value)> {
    let mut found = Vec::new();
    for entry in functions::functions() {
        let files = std::fs::read_dir(payload::root().join("events").join(entry.name)).unwrap();
        for file in files.map(|file| file.unwrap().path()) {
            let event = payload::event(entry.name, file.file_stem().unwrap().to_str().unwrap(), token);
            if event["routeKey"].as_str().is_some_and(is_file_route) {
                found.push((entry.name, event));
            }
        }
    }
    found
}

/// Sends an event as a service that acts for Ann.
fn acting(event: Value, token: &str) -> Value {
    headed(headed(event, "authorization", Some(&format!("Bearer {token}"))), "x-consigne-user", Some("user_ann1"))
}

/// Calls a function. Returns the `audit` of its lines: one, or one for each of several files.
async fn audits(world: &World, function: &str, event: Value) -> Vec<Value> {
    let (answer, lines) = functions::call_with_lines(world, function, event).await;
    let found: Vec<Value> = lines.iter().map(|line| line["audit"].clone()).filter(|audit| !audit.is_null()).collect();
    let want = if lines.len() == 1 { 1 } else { lines.len() - 1 };
    assert_eq!(found.len(), want, "{function} writes {lines:?} for {answer}");
    found
}

/// Like [`audits`], for a request that has one.
async fn audited(world: &World, function: &str, event: Value) -> Value {
    let found = audits(world, function, event).await;
    let [audit] = &found[..] else { panic!("{function} has several audits: {found:?}") };
    audit.clone()
}

async fn audited_as(world: &World, function: &str, case: &str, user: &str) -> Value {
    audited(world, function, payload::event(function, case, &functions::issuer().token(user, "pro"))).await
}

#[tokio::test]
async fn every_access_to_a_file_is_audited() {
    let world = world_with(&[ready(&pending())]);
    for (function, case, route) in [
        ("metadata", "one", "GET /api/files/metadata"),
        ("metadata", "rename", "PATCH /api/files/metadata"),
        ("presign", "plain", "POST /api/files/presigned-url"),
        ("presign", "secure", "GET /api/secure/files/download/{key+}"),
        ("delete", "plain", "DELETE /api/files/delete"),
    ] {
        let audit = audited_as(&world, function, case, "user_ann1").await;
        let want = json!({ "user": "user_ann1", "route": route, "ip": ADDRESS, "outcome": "OK", "file": FILE });
        assert_eq!(audit, want, "{function}");
    }
    for (function, case, route) in [
        ("list", "plain", "GET /api/files/list"),
        ("list", "secure", "GET /api/secure/files/list"),
        ("usage", "ask", "GET /api/files/usage"),
    ] {
        let audit = audited_as(&world, function, case, "user_ann1").await;
        let want = json!({ "user": "user_ann1", "route": route, "ip": ADDRESS, "outcome": "OK" });
        assert_eq!(audit, want, "{function}");
    }
    let granted = audited_as(&world, "upload-grant", "photo", "user_ann1").await;
    let file = world.state().files.keys().map(|(_, file)| file.to_string()).find(|file| file != FILE);
    assert_eq!(granted["file"].as_str(), file.as_deref(), "{granted}");
}

#[tokio::test]
async fn each_file_of_a_request_for_several_is_audited() {
    let world = world_with(&[ready(&pending())]);
    let several = |token: &str| payload::event("presign", "several", token);
    let entry = |outcome: &str| {
        json!({
            "user": "user_ann1", "route": "POST /api/files/presigned-url", "ip": ADDRESS, "outcome": outcome, "file": FILE,
        })
    };
    let token = functions::issuer().token("user_ann1", "pro");
    let found = audits(&world, "presign", several(&token)).await;
    assert_eq!(found, [entry("OK"), entry("NOT_FOUND")], "the second key is somebody else's");
    world.fail_at(0, Moment::Before);
    let found = audits(&world, "presign", several(&token)).await;
    assert_eq!(found, [entry("UNAVAILABLE"), entry("UNAVAILABLE")]);
    // Texts that are no keys were refused all the same.
    let nothing = with(several(&token), &json!({ "s3Keys": ["../holiday in Nice.png", "holiday"] }));
    for audit in audits(&World::default(), "presign", nothing).await {
        assert_eq!((&audit["outcome"], &audit["file"]), (&json!("NOT_FOUND"), &Value::Null));
    }
}

#[tokio::test]
async fn every_refusal_on_a_route_of_files_is_audited() {
    let world = world_with(&[pending()]);
    let theirs = audited_as(&world, "presign", "plain", "user_eve1").await;
    let want = json!({
        "user": "user_eve1", "route": "POST /api/files/presigned-url", "ip": ADDRESS, "outcome": "NOT_FOUND", "file": FILE,
    });
    assert_eq!(theirs, want, "the file that somebody else asked for is named");
    assert_eq!(audited_as(&world, "presign", "plain", "user_ann1").await["outcome"], "NOT_READY");
    assert_eq!(audited_as(&world, "delete", "secure", "user_eve1").await["outcome"], "NOT_FOUND");
    for (function, event) in payloads("eyJhbGciOiJub25lIn0.e30.secret-signature") {
        let audit = audited(&world, function, event).await;
        assert_eq!((&audit["outcome"], &audit["ip"]), (&json!("UNAUTHENTICATED"), &json!(ADDRESS)), "{function}");
        assert!(audit["user"].is_null(), "{function}: {audit}");
    }
    world.fail_at(0, Moment::Before);
    assert_eq!(audited_as(&world, "metadata", "one", "user_ann1").await["outcome"], "UNAVAILABLE");
}

#[tokio::test]
async fn a_text_that_is_no_key_is_in_no_line() {
    let event = payload::event("presign", "plain", &functions::issuer().token("user_ann1", "pro"));
    let event = with(event, &json!({ "s3Key": "../holiday in Nice.png" }));
    let (answer, lines) = functions::call_with_lines(&World::default(), "presign", event).await;
    assert_eq!(refusal(&answer), (404, "NOT_FOUND"));
    assert!(!lines[0].to_string().contains("holiday"), "{}", lines[0]);
}

#[tokio::test]
async fn the_country_is_audited_only_if_the_cdn_vouches_for_it() {
    let world = world_with(&[ready(&pending())]);
    let event = payload::event("presign", "plain", &functions::issuer().token("user_ann1", "pro"));
    let event = headed(event, "cloudfront-viewer-country", Some("FR"));
    assert!(audited(&world, "presign", event.clone()).await["country"].is_null());
    let wrong = headed(event.clone(), "x-consigne-edge", Some("edge-of-somebody-else"));
    assert!(audited(&world, "presign", wrong).await["country"].is_null());
    let vouched = headed(event, "x-consigne-edge", Some(functions::EDGE_SECRET));
    assert_eq!(audited(&world, "presign", vouched).await["country"], "FR");
}

#[tokio::test]
async fn support_that_impersonates_a_person_is_named() {
    let world = world_with(&[ready(&pending())]);
    let token = functions::issuer().token_with("user_ann1", &json!({ "act": { "sub": "user_support1" } }));
    let audit = audited(&world, "presign", payload::event("presign", "plain", &token)).await;
    assert_eq!((&audit["user"], &audit["impersonator"]), (&json!("user_ann1"), &json!("user_support1")));
}

#[tokio::test]
async fn the_tickets_of_a_finished_job_are_audited_without_the_address() {
    let world = delivered(consigne_core::files::Kind::Image).await;
    let audit = audited_as(&world, "job-status", "ask", "user_ann1").await;
    let want = json!({
        "user": "user_ann1", "route": "GET /api/secure/jobs/{id}/status", "outcome": "OK", "file": FILE,
    });
    assert_eq!(audit, want);
}

/// Functions behind routes of files log where addresses may be, with the retention of their own.
#[test]
fn the_routes_of_files_log_into_the_group_for_it() {
    let template = template();
    for (_, properties) in deployed(&template) {
        let events = properties["Events"].as_object();
        let audited = events.into_iter().flatten().any(|(_, event)| {
            let (method, path) = (event["Properties"]["Method"].as_str(), event["Properties"]["Path"].as_str());
            is_file_route(&format!("{} {}", method.unwrap_or_default(), path.unwrap_or_default()))
        });
        let group = &properties["LoggingConfig"]["LogGroup"]["!Ref"];
        assert!(!audited || group == "FilesLogs", "{} logs into {group}", name_of(&properties));
    }
    for (name, resource) in template["Resources"].as_object().unwrap() {
        if resource["Type"] == "AWS::Logs::LogGroup" {
            let kept = &resource["Properties"]["RetentionInDays"]["!Ref"];
            let want = if name == "FilesLogs" { "AccessLogRetentionDays" } else { "LogRetentionDays" };
            assert_eq!(kept, want, "{name}");
        }
    }
}

#[tokio::test]
async fn a_service_with_the_right_acts_for_a_user_on_every_route_of_files() {
    let all = payloads(functions::PORTAL_TOKEN);
    assert!(all.len() >= 11, "{}", all.len());
    for (function, event) in all {
        let world = world_with(&[ready(&pending())]);
        let own = headed(
            event.clone(),
            "authorization",
            Some(&format!("Bearer {}", functions::issuer().token("user_ann1", "free"))),
        );
        let answers = [
            functions::call(&world_with(&[ready(&pending())]), function, own).await,
            functions::call(&world, function, acting(event.clone(), functions::PORTAL_TOKEN)).await,
        ];
        assert_eq!(answers[0]["status"], answers[1]["status"], "{function}: {answers:?}");
        for audit in audits(&world, function, acting(event.clone(), functions::PORTAL_TOKEN)).await {
            assert_eq!((&audit["user"], &audit["service"]), (&json!("user_ann1"), &json!("portal")), "{function}");
        }

        // Without the right there is no effect, and the attempt is in the audit.
        let world = world_with(&[ready(&pending())]);
        world.fail_at(0, Moment::Before);
        let refused = functions::call(&world, function, acting(event.clone(), functions::SERVICE_TOKEN)).await;
        assert!(world.fault_is_left(), "{function} looked something up for a service without the right");
        assert_eq!(refusal(&refused), (403, "INSUFFICIENT_SCOPE"), "{function}");
        assert_eq!(refused["body"]["error"]["details"], json!({ "required": "files" }), "{function}");
        let (_, lines) = functions::call_with_lines(&world, function, acting(event, functions::SERVICE_TOKEN)).await;
        assert_eq!(lines[0]["audit"]["outcome"], "INSUFFICIENT_SCOPE", "{function}");
        assert_eq!(lines[0]["token.refused"], "service pdf-api lacks the right `files`", "{function}");
    }
}

#[tokio::test]
async fn the_headers_of_services_are_refused_from_anybody_else() {
    let session = functions::issuer().token("user_ann1", "pro");
    let key = "sk_live_0123456789abcdefghijABCDEFGHIJ0123456789abc";
    for (function, event) in payloads("") {
        for (token, want) in [
            (session.as_str(), (400, "INVALID_REQUEST")),
            (key, (401, "API_KEY_NOT_ACCEPTED")),
            ("svc-unknown-0123456789abcdef0123456789", (401, "UNAUTHENTICATED")),
        ] {
            let answer = functions::call(&World::default(), function, acting(event.clone(), token)).await;
            assert_eq!(refusal(&answer), want, "{function} {token}");
        }
    }
    // On other routes no service acts for anybody.
    let elsewhere = |token: &str| acting(payload::event("job-list", "all", ""), token);
    let by_service = functions::call(&World::default(), "job-list", elsewhere(functions::PORTAL_TOKEN)).await;
    assert_eq!(refusal(&by_service), (401, "UNAUTHENTICATED"));
    let by_person = functions::call(&World::default(), "job-list", elsewhere(&session)).await;
    assert_eq!(refusal(&by_person), (400, "INVALID_REQUEST"));
}

#[tokio::test]
async fn a_service_names_one_user_by_their_id() {
    let usage = || acting(payload::event("usage", "ask", ""), functions::PORTAL_TOKEN);
    for bad in ["", "ann1", "user_", "user_ann1,user_eve1", "user_ann1 ", "user_a-b", "*"] {
        let answer = functions::call(&World::default(), "usage", headed(usage(), "x-consigne-user", Some(bad))).await;
        // Space around the id comes from pasting.
        let want = if bad == "user_ann1 " { 200 } else { 400 };
        assert_eq!(answer["status"], want, "{bad:?}: {answer}");
    }
    let nobody = headed(usage(), "x-consigne-user", None);
    assert_eq!(refusal(&functions::call(&World::default(), "usage", nobody.clone()).await), (401, "UNAUTHENTICATED"));
    let plan_alone = headed(nobody, "x-consigne-plan", Some("pro"));
    let plan_alone = headed(plan_alone, "authorization", Some(&format!("Bearer {}", functions::BILLING_TOKEN)));
    assert_eq!(refusal(&functions::call(&World::default(), "usage", plan_alone).await), (400, "INVALID_REQUEST"));
}

#[tokio::test]
async fn the_plan_is_free_unless_a_service_with_that_right_says_otherwise() {
    let usage = |token: &str, plan: Option<&str>| {
        headed(acting(payload::event("usage", "ask", ""), token), "x-consigne-plan", plan)
    };
    let ask = async |token: &str, plan| functions::call(&World::default(), "usage", usage(token, plan)).await;
    assert_eq!(ask(functions::PORTAL_TOKEN, None).await["body"]["plan"], "free");
    assert_eq!(ask(functions::BILLING_TOKEN, None).await["body"]["plan"], "free");
    assert_eq!(ask(functions::BILLING_TOKEN, Some("pro")).await["body"]["plan"], "pro");
    let unknown = ask(functions::BILLING_TOKEN, Some("gold")).await;
    assert_eq!(
        (refusal(&unknown), &unknown["body"]["error"]["details"]["field"]),
        ((400, "INVALID_REQUEST"), &json!("X-Consigne-Plan"))
    );
    let refused = ask(functions::PORTAL_TOKEN, Some("pro")).await;
    assert_eq!(
        (refusal(&refused), &refused["body"]["error"]["details"]),
        ((403, "INSUFFICIENT_SCOPE"), &json!({ "required": "plan" }))
    );
}

#[tokio::test]
async fn a_service_writes_nothing_for_a_closed_account() {
    let world = World::default();
    close(&world, "user_ann1");
    let before = world.state();
    let event = acting(payload::event("upload-grant", "photo", ""), functions::PORTAL_TOKEN);
    let answer = functions::call(&world, "upload-grant", event).await;
    assert_eq!(refusal(&answer), (401, "UNAUTHENTICATED"));
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_service_reaches_only_the_user_it_names() {
    let world = world_with(&[ready(&pending())]);
    let event = acting(payload::event("metadata", "one", ""), functions::PORTAL_TOKEN);
    assert_eq!(functions::call(&world, "metadata", event.clone()).await["body"]["key"], KEY);
    let other = headed(event, "x-consigne-user", Some("user_eve1"));
    assert_eq!(refusal(&functions::call(&world, "metadata", other).await), (404, "NOT_FOUND"));
}
