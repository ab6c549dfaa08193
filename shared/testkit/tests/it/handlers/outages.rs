//! A service of AWS or Stripe is down. Whoever needs it is answered 503 with `Retry-After`, nothing is half done, and
//! everybody else is served. docs/operate/degraded.md has a table of what these tests find.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use consigne_core::files::Kind;
use consigne_core::mail::Topic;
use consigne_runtime::http::Operation;
use consigne_testkit::fakes::{SimClock, World};
use consigne_testkit::functions::{CDN, Fakes};
use consigne_testkit::stripe;
use consigne_testkit::{functions, payload, pictures};
use serde_json::{Value, json};

use crate::handlers::files::publish::published;
use crate::handlers::jobs::completions::{picture, uploaded};
use crate::handlers::jobs::requests::{add_job, job};
use crate::handlers::keys::gateway::{answers, sent};
use crate::handlers::orders::{as_role, order_id, paid, submit};
use crate::handlers::people::account_callers::IN_ORG;
use crate::handlers::people::accounts::{acme, put_production, sent_by_service, user};
use crate::handlers::people::closed_accounts::{requests, world};
use crate::handlers::people::{webhook_clerk, webhook_stripe};
use crate::handlers::{GRANTED, assert_books_balance, pending, ready, world_with};

/// What can be down, by the names of the fakes, and how the page calls it.
const PARTS: [(&str, &str); 6] = [
    ("dynamodb", "DynamoDB"),
    ("s3", "S3"),
    ("sqs", "SQS"),
    ("events", "EventBridge"),
    ("secretsmanager", "Secrets Manager, for functions that start meanwhile"),
    ("stripe", "Stripe"),
];

/// A valid request, and the world in which it succeeds.
struct Ask {
    function: &'static str,
    event: Value,
    world: World,
}

impl Ask {
    fn new(function: &'static str, event: Value, world: World) -> Self {
        Self { function, event, world }
    }

    /// Returns the same request on another route of its function.
    fn on(mut self, route: &str) -> Self {
        let (method, path) = route.split_once(' ').unwrap();
        self.event["routeKey"] = route.into();
        self.event["rawPath"] = path.into();
        self.event["requestContext"]["http"]["method"] = method.into();
        self
    }

    fn route(&self) -> String {
        self.event["routeKey"].as_str().unwrap().to_owned()
    }

    async fn send(&self) -> Value {
        if ["public-file", "publish"].contains(&self.function) {
            let start = Fakes::start_with(&self.world, &SimClock::at(GRANTED), CDN);
            return functions::call_started(&start, self.function, self.event.clone()).await;
        }
        functions::call(&self.world, self.function, self.event.clone()).await
    }
}

/// Returns a request of every route of the API.
async fn asks() -> Vec<Ask> {
    let ann = || functions::issuer().token("user_ann1", "pro");
    let mut asks = Vec::new();
    let mut taken = BTreeSet::new();
    for at in 0..requests(&world()).len() {
        let world = world();
        let (_, function, event) = requests(&world).swap_remove(at);
        taken.insert(function);
        asks.push(Ask::new(function, event, world));
    }
    for (function, case) in IN_ORG.iter().filter(|(function, _)| !taken.contains(function)) {
        asks.push(Ask::new(function, payload::event(function, case, &ann()), world()));
    }
    let further: [(&'static str, &[&str]); 14] = [
        ("delete", &["plain", "secure"]),
        ("generate", &["article", "images", "video"]),
        ("job-list", &["all", "articles", "books"]),
        ("job-status", &["ask"]),
        ("list", &["plain", "secure"]),
        ("me", &["ask"]),
        ("metadata", &["one"]),
        ("org-list", &["mine"]),
        ("presign", &["plain", "secure"]),
        ("services", &["catalogue"]),
        ("upload-abort", &["abort"]),
        ("upload-parts", &["list"]),
        ("usage", &["ask"]),
        ("user-export", &["state"]),
    ];
    for (function, cases) in further {
        for case in cases {
            asks.push(Ask::new(function, payload::event(function, case, &ann()), world()));
        }
    }
    asks.push(Ask::new("catalogue", payload::event("catalogue", "ask", ""), World::default()));
    for route in ["GET /api/health", "HEAD /api/health", "GET /health", "HEAD /health"] {
        asks.push(Ask::new("health", payload::event("health", "ask", ""), World::default()).on(route));
    }
    let link = functions::unsubscribe_seal().token(&user("user_ann1"), Topic::Jobs);
    for case in ["ask", "press"] {
        asks.push(Ask::new("mail-unsubscribe", payload::event("mail-unsubscribe", case, &link), World::default()));
    }

    // Orders, and the addresses of published files.
    asks.push(Ask::new("order-submit", payload::event("order-submit", "photos", ""), paid()));
    for (function, case) in [("order-get", "order"), ("order-list", "submitted")] {
        let world = paid();
        submit(&world).await;
        let mut event = payload::event(function, case, &as_role("expert"));
        if function == "order-get" {
            event["pathParameters"]["id"] = order_id().to_string().into();
        }
        asks.push(Ask::new(function, event, world));
    }
    asks.push(Ask::new("publish", payload::event("publish", "ask", &ann()), world_with(&[ready(&pending())])));
    for case in ["follow", "head"] {
        asks.push(Ask::new("public-file", payload::event("public-file", case, ""), published()));
    }

    // Servers that check and charge keys.
    for (function, case) in [("key-verify", "charge"), ("hold-open", "job")] {
        let world = acme();
        let key = put_production(&world, |_| ());
        asks.push(Ask::new(function, sent_by_service(&key, function, case), world));
    }
    for (function, case) in [("hold-settle", "part"), ("hold-void", "caller")] {
        let world = acme();
        let key = put_production(&world, |_| ());
        functions::call(&world, "hold-open", sent_by_service(&key, "hold-open", "job")).await;
        asks.push(Ask::new(function, payload::event(function, case, functions::SERVICE_TOKEN), world));
    }
    let charged = acme();
    let key = put_production(&charged, |_| ());
    functions::call(&charged, "key-verify", sent_by_service(&key, "key-verify", "charge")).await;
    let served = payload::event("receipt-outcome", "served", functions::SERVICE_TOKEN);
    asks.push(Ask::new("receipt-outcome", served, charged));

    // Generators, Clerk and Stripe.
    let by_generator =
        |function: &str, case: &str| functions::signed_by_generator(payload::event(function, case, ""), "msg_1");
    let job_alone = World::default();
    add_job(&job_alone, &job(Kind::Image));
    asks.push(Ask::new("job-upload-grant", by_generator("job-upload-grant", "picture"), job_alone));
    for (function, world) in [
        ("webhook-image-completion", picture()),
        ("webhook-text-completion", uploaded(Kind::Book, pictures::markdown(1000))),
        ("webhook-video-completion", uploaded(Kind::Video, pictures::mp4(1000))),
    ] {
        asks.push(Ask::new(function, by_generator(function, "completed"), world));
    }
    let told = functions::signed_by_generator(webhook_clerk::event("created"), "msg_1");
    asks.push(Ask::new("webhook-clerk", told, World::default()));
    let paid = stripe::signed(webhook_stripe::event("completed"));
    asks.push(Ask::new("webhook-stripe", paid, webhook_stripe::offered().await));

    let called = acme();
    let key = put_production(&called, |_| ());
    answers(&called, 200, &[], b"done");
    asks.push(Ask::new("gateway", sent("once", &key), called));
    asks
}

/// Returns the routes of all functions.
fn routes() -> BTreeSet<&'static str> {
    functions::functions().iter().flat_map(|entry| (entry.operations)()).map(|one: Operation| one.route).collect()
}

#[tokio::test]
async fn every_route_is_asked_and_answers_while_nothing_is_down() {
    let asks = asks().await;
    for ask in &asks {
        let answer = ask.send().await;
        let status = answer["status"].as_u64().unwrap();
        assert!((200..300).contains(&status) || status == 302, "{}: {answer}", ask.route());
    }
    let asked: BTreeSet<String> = asks.iter().map(Ask::route).collect();
    assert_eq!(asked, routes().into_iter().map(str::to_owned).collect());
}

/// Takes a part down and sends every request. Returns the routes that were refused, and those that were served.
async fn outcome_without(part: &'static str) -> [BTreeSet<String>; 2] {
    let [mut refused, mut served] = [BTreeSet::new(), BTreeSet::new()];
    let calm: BTreeMap<String, Value> = {
        let mut calm = BTreeMap::new();
        for ask in asks().await {
            calm.insert(ask.route(), ask.send().await["status"].clone());
        }
        calm
    };
    for ask in asks().await {
        let route = ask.route();
        let before = ask.world.state();
        ask.world.take_down(part);
        let answer = ask.send().await;
        if answer["status"] == calm[&route] {
            served.insert(route.clone());
        } else {
            assert_is_a_plain_refusal(&route, &answer);
            if part == "dynamodb" {
                assert!(ask.world.state() == before, "{route}: changed something without the table");
            }
            refused.insert(route.clone());
        }
        // The same request again, as a client repeats it.
        ask.world.bring_back();
        let again = ask.send().await;
        assert!(
            served.contains(&route) || again["status"] == calm[&route],
            "{route} without {part}, then with it: {again}"
        );
        assert_books_balance(&ask.world);
    }
    [refused, served]
}

/// Asserts that an answer says that and when to try again, and nothing about what is down.
fn assert_is_a_plain_refusal(route: &str, answer: &Value) {
    let error = &answer["body"]["error"];
    // The answer to HEAD has no body.
    let code = if route.starts_with("HEAD ") { Value::Null } else { json!("UNAVAILABLE") };
    assert_eq!((&answer["status"], &error["code"]), (&json!(503), &code), "{route}: {answer}");
    let wait: u64 = answer["headers"]["retry-after"].as_str().expect("it says when to try again").parse().unwrap();
    assert!((1..=8).contains(&wait), "{route}: {answer}");
    assert_eq!(error["details"], Value::Null, "{route}: {answer}");
    assert!(!answer.to_string().contains("planned"), "{route}: {answer}");
}

#[tokio::test]
async fn what_needs_a_part_that_is_down_is_refused_and_all_else_served() {
    let mut rows = String::from("| down | refused | served |\n|---|---|---|\n");
    for (part, name) in PARTS {
        let [refused, served] = outcome_without(part).await;
        let [refused, served] = if refused.len() > served.len() {
            ["every route that is not served".to_owned(), listed(&served)]
        } else if refused.is_empty() {
            ["nothing".to_owned(), "everything".to_owned()]
        } else {
            [listed(&refused), "every route that is not refused".to_owned()]
        };
        writeln!(rows, "| {name} | {refused} | {served} |").unwrap();
    }
    let page = std::fs::read_to_string(payload::root().join("docs/operate/degraded.md")).unwrap();
    assert!(page.contains(&rows), "docs/operate/degraded.md needs this table:\n{rows}");
}

fn listed(routes: &BTreeSet<String>) -> String {
    routes.iter().map(|route| format!("`{route}`")).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn deep_health_names_what_is_down() {
    for (part, name) in [("dynamodb", "table"), ("s3", "bucket")] {
        let world = world_with(&[ready(&pending())]);
        world.take_down(part);
        let event = payload::event("health", "deep", functions::SERVICE_TOKEN);
        let answer = functions::call(&world, "health", event).await;
        assert_eq!((&answer["status"], &answer["body"]["error"]["code"]), (&json!(503), &json!("UNAVAILABLE")));
        assert_eq!(answer["body"]["error"]["details"]["degraded"], json!([name]), "{answer}");
    }
}

#[tokio::test]
async fn a_service_token_that_cannot_be_checked_is_not_called_wrong() {
    let world = World::default();
    world.take_down("secretsmanager");
    let event = payload::event("health", "deep", functions::SERVICE_TOKEN);
    let answer = functions::call(&world, "health", event).await;
    assert_eq!((&answer["status"], &answer["body"]["error"]["code"]), (&json!(503), &json!("UNAVAILABLE")), "{answer}");
}

/// Every signed-in route, not only those of organisations and files.
#[tokio::test]
async fn without_a_session_every_route_that_needs_one_says_how_to_sign_in() {
    let mut asked = BTreeSet::new();
    for mut ask in asks().await {
        let token = ask.event["headers"]["authorization"].as_str().unwrap_or_default();
        // Session tokens are JWTs; the others are of services.
        if !token.starts_with("Bearer ey") {
            continue;
        }
        ask.event["headers"].as_object_mut().unwrap().remove("authorization");
        let (route, answer) = (ask.route(), ask.send().await);
        let challenge = &answer["headers"]["www-authenticate"];
        assert_eq!((&answer["status"], challenge), (&json!(401), &json!("Bearer")), "{route}: {answer}");
        asked.insert(route);
    }
    assert!(asked.len() > 50, "{asked:?}");
    for route in ["POST /api/me/export", "POST /api/me/erase", "GET /api/orders", "PATCH /api/files/metadata"] {
        assert!(asked.contains(route), "{route} is not among {asked:?}");
    }
}
