//! The cost of a million of each request: the recorded calls, in the units that AWS bills, at the prices of one month.
//!
//! Functions are billed with the time and memory in `prices.json`. Everything else is counted. Logs, traces, traffic
//! and storage are not included.

mod prices;
pub(crate) mod units;

use consigne_testkit::http::Response;
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::pictures;
use serde_json::{Value, json};

use crate::calls::quiet;
use crate::costs::prices::Prices;
use crate::costs::units::Units;
use crate::stack::BenchStack;
use crate::table::{Row, Table};
use crate::{Problem, files, say};

/// Billed units of a request that the proxy does not see.
#[derive(Clone, Copy, Debug)]
struct Unseen {
    /// Requests to the API.
    api: f64,
    /// Events of the bucket that EventBridge delivers.
    object_events: f64,
    /// Messages through a queue, each sent, received and deleted.
    messages: f64,
}

/// Only the request to the API.
const ASKED: Unseen = Unseen { api: 1.0, object_events: 0.0, messages: 0.0 };
/// A request with an event that goes through a queue.
const QUEUED: Unseen = Unseen { messages: 1.0, ..ASKED };
/// A request with an event of the bucket that goes to `on-object-event`.
const SETTLED: Unseen = Unseen { object_events: 1.0, ..QUEUED };
/// The same for a request to the bucket without the API.
const CHECKED: Unseen = Unseen { api: 0.0, ..SETTLED };

/// The grant before it has a row of its own.
const UPLOAD: &str = "an upload behind its grant, to its event on the bus";

/// One run: the stack, the prices, and how often each request is made.
struct Run<'a> {
    bench: &'a BenchStack,
    prices: Prices,
    rounds: u32,
    group: String,
}

/// Begins the group of the rows.
pub(crate) const GROUP: &str = "Cost of a million, US dollars";

/// Measures each request `rounds` times.
pub(crate) async fn measure(bench: &BenchStack, rounds: u32, table: &mut Table) -> Result<(), Problem> {
    say("Counting what each request is billed as...");
    let prices = Prices::read()?;
    let group = format!("{GROUP}, {} in {}", prices.region, prices.as_of);
    let run = Run { bench, prices, rounds, group };
    run.files(table).await?;
    run.keys(table).await?;
    run.holds(table).await?;
    run.jobs(table).await
}

impl Run<'_> {
    /// Makes a request once to warm up and then `rounds` times. Adds a row with its cost, including everything that
    /// follows from it.
    async fn row(
        &self,
        table: &mut Table,
        name: &str,
        unseen: Unseen,
        mut ask: impl AsyncFnMut(usize) -> Response,
    ) -> Result<(), Problem> {
        self.bench.proxy.record();
        for n in 0..=self.rounds {
            // One at a time, because functions behind the scenes would otherwise handle several together.
            let answer = ask(n as usize).await;
            quiet(self.bench).await;
            if answer.status >= 300 {
                return Err(format!("{name}: answered {} {}", answer.status, answer.json()));
            }
            if n == 0 {
                self.bench.proxy.record();
            }
        }
        let tape = self.bench.proxy.recorded();
        let counted = units::of(&tape, self.rounds, self.bench.stack).await.each(self.rounds);
        let units = Units {
            api: unseen.api,
            events: counted.events + unseen.object_events,
            queue: counted.queue + unseen.messages * 3.0,
            ..counted
        };
        let dollars = (self.prices.of_a_million(&units) * 100.0).round() / 100.0;
        table.push(Row::new(&self.group, name, dollars, "dollars").with_note(units.in_words()));
        Ok(())
    }

    async fn files(&self, table: &mut Table) -> Result<(), Problem> {
        let (stack, ann) = (self.bench.stack, self.bench.stack.newcomer("enterprise"));
        files::fill(stack, &ann, 200).await?;
        let (mut keys, mut grants) = (Vec::new(), Vec::new());
        for n in 0..=self.rounds {
            keys.push(ann.upload(&format!("{n}.png"), "image/png", pictures::png(64, 64, 2_000)).await);
            grants.push(ann.grant("a.png", "image/png", 2_000).await.json());
        }
        for key in &keys {
            ann.wait_for(key, "ready").await;
        }
        let metadata = format!("/api/files/metadata?s3Key={}", keys[0]);
        self.row(table, "a ticket to read", ASKED, async |_| ann.ticket(&keys[0]).await).await?;
        self.row(table, "a file's metadata", ASKED, async |_| ann.call("GET", &metadata).await).await?;
        self.row(table, "usage of storage", ASKED, async |_| ann.call("GET", "/api/files/usage").await).await?;
        let list = "/api/files/list?limit=100";
        self.row(table, "a page of 100 files", ASKED, async |_| ann.call("GET", list).await).await?;
        self.row(table, "a grant", ASKED, async |_| ann.grant("a.png", "image/png", 2_000).await).await?;
        let picture = || pictures::png(64, 64, 2_000);
        self.row(table, UPLOAD, CHECKED, async |n| ann.put(&grants[n], picture()).await).await?;
        let delete = async |n: usize| ann.delete(&keys[n]).await;
        self.row(table, "a deletion, to the bytes given back", SETTLED, delete).await
    }

    async fn keys(&self, table: &mut Table) -> Result<(), Problem> {
        let (stack, fixture) = (self.bench.stack, OrgFixture::open(self.bench.stack, 1_000_000).await);
        let (live, test) = (fixture.issue("production", &json!({})).await, fixture.issue("test", &json!({})).await);
        let verify = async |text: &str, cost: u32| fixture.verify(text, &json!({ "cost": cost }), None).await;
        for (name, text, cost) in [
            ("a key check that charges", live.text.as_str(), 1),
            ("a key check that charges a test key", &test.text, 1),
            ("a key check without a charge", &live.text, 0),
            ("a key check refused by the checksum", "sk_live_x", 1),
        ] {
            self.row(table, name, ASKED, async |_| verify(text, cost).await).await?;
        }
        let mut receipts = Vec::new();
        for _ in 0..=self.rounds {
            receipts.push(text(&fixture.charge(&live, None).await, "receipt_id"));
        }
        let outcome = json!({ "status_code": 200, "response_ms": 12 });
        let tell =
            async |n: usize| stack.serve(&format!("/api/keys/receipts/{}/outcome", receipts[n]), &outcome, None).await;
        self.row(table, "how a call went", ASKED, tell).await?;
        let bearer = format!("Bearer {}", live.text);
        let headers = [("authorization", bearer.as_str())];
        let through = async |_| stack.call("GET", "/api/v1/pdf/cost", &headers, b"").await;
        self.row(table, "a call through the gateway", ASKED, through).await?;
        for (name, path) in [
            ("a wallet", "/wallet"),
            ("a page of 20 receipts", "/usage?limit=20"),
            ("a month of statistics", "/stats"),
            ("a page of keys", "/keys"),
        ] {
            let path = fixture.path(path);
            self.row(table, name, ASKED, async |_| fixture.owner.call("GET", &path).await).await?;
        }
        let body = json!({ "name": "Key", "environment": "production", "scopes": ["pdf:read"] });
        let (issue, path) = ("a key issued, to its event on the queue of mails", fixture.path("/keys"));
        self.row(table, issue, QUEUED, async |_| fixture.owner.call_with("POST", &path, &body).await).await
    }

    async fn holds(&self, table: &mut Table) -> Result<(), Problem> {
        let (stack, fixture) = (self.bench.stack, OrgFixture::open(self.bench.stack, 1_000_000).await);
        let key = fixture.issue("production", &json!({})).await;
        let body = json!({ "key": key.text, "amount": 3, "service": "pdf", "ttl_seconds": 600 });
        let open = async || stack.serve("/api/credits/holds", &body, None).await;
        self.row(table, "a hold opened", ASKED, async |_| open().await).await?;
        let mut holds = Vec::new();
        for _ in 0..=self.rounds {
            holds.push(text(&open().await.json()["data"], "hold_id"));
        }
        let end = json!({ "amount": 2, "status_code": 200, "response_ms": 12 });
        let settle = async |n: usize| stack.serve(&format!("/api/credits/holds/{}/settle", holds[n]), &end, None).await;
        self.row(table, "a hold settled", ASKED, settle).await
    }

    async fn jobs(&self, table: &mut Table) -> Result<(), Problem> {
        let (ann, body) = (self.bench.stack.newcomer("enterprise"), json!({ "prompt": "a lighthouse" }));
        let ask = async || ann.call_with("POST", "/api/secure/images/generate", &body).await;
        self.row(table, "a job asked for, to the generators' queue", QUEUED, async |_| ask().await).await?;
        let path = format!("/api/secure/jobs/{}/status", text(&ask().await.json()["data"], "job_id"));
        self.row(table, "a job's status", ASKED, async |_| ann.call("GET", &path).await).await
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}
